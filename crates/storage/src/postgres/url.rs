//! The database URL, with the options of libpq that the driver does not know.

use super::tls::{self, Tls};
use crate::StoreError;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Where and how to connect.
pub(crate) struct Target {
    pub(crate) config: Config,
    /// `None` with `sslmode=disable`, and over a Unix socket.
    pub(crate) tls: Option<Tls>,
}

/// Reads a URL. The error names the option at fault and never the password.
pub(crate) fn parse(url: &str) -> Result<Target, StoreError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = "prefer";
    let mut root_certificate = None;
    let mut rest = Vec::new();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("sslmode", value)) => mode = value,
            Some(("sslrootcert", value)) => root_certificate = Some(percent_decoded(value)?),
            _ => rest.push(option),
        }
    }
    let plain = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let mut config: Config = plain.parse().map_err(|error: tokio_postgres::Error| {
        StoreError::Engine(format!("the database URL: {}", cause(&error)))
    })?;
    // PostgreSQL offers no TLS on a Unix socket; libpq ignores the mode there too.
    let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    let (ssl_mode, tls) = match mode {
        "disable" | "prefer" | "require" | "verify-full" if local => (SslMode::Disable, None),
        "disable" => (SslMode::Disable, None),
        "prefer" => (SslMode::Prefer, Some(tls::unverified()?)),
        "require" => (SslMode::Require, Some(tls::unverified()?)),
        "verify-full" => (SslMode::Require, Some(tls::verified(root_certificate.as_deref())?)),
        other => {
            return Err(StoreError::Engine(format!(
                "sslmode={other} is not one of disable, prefer, require, verify-full"
            )));
        }
    };
    config.ssl_mode(ssl_mode);
    if config.get_application_name().is_none() {
        config.application_name("billhook");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    Ok(Target { config, tls })
}

fn percent_decoded(text: &str) -> Result<String, StoreError> {
    let wrong = || StoreError::Engine("the database URL: sslrootcert is not well encoded".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().ok_or_else(wrong)?, rest.next().ok_or_else(wrong)?];
            let digits = std::str::from_utf8(&digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// The driver's message with what lies beneath it.
pub(crate) fn cause(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_tls_are_taken_out_of_the_url() {
        let target = parse("postgres://u:p@db.example:6432/book?sslmode=disable&connect_timeout=3").unwrap();
        assert!(target.tls.is_none());
        assert_eq!(target.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(target.config.get_ports(), [6432]);
        assert_eq!(target.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    }

    #[test]
    fn a_directory_is_a_unix_socket() {
        let target = parse("postgres:///book?host=/tmp/pg&user=u").unwrap();
        assert_eq!(target.config.get_hosts(), [Host::Unix("/tmp/pg".into())]);
        assert_eq!(target.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(parse("postgres://db/book").unwrap().config.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn unknown_modes_and_missing_certificates_are_refused() {
        let error = |url: &str| parse(url).err().unwrap().to_string();
        assert!(error("postgres://db/book?sslmode=verify").contains("sslmode=verify"));
        assert!(
            error("postgres://db/book?sslmode=verify-full&sslrootcert=%2Fno%2Fsuch.pem")
                .contains("/no/such.pem")
        );
        let unknown = error("postgres://u:secret@db/book?colour=red");
        assert!(unknown.contains("colour") && !unknown.contains("secret"), "{unknown}");
    }
}

//! What sends mail: a mail server, or for tests and looking around files in a directory.

use crate::config::Config;
use anyhow::Context;
use edge::Mailer;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, Message, SmtpTransport, Transport};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage::mails::Mail;

/// How long the mail server may take for each step.
const PATIENCE: Duration = Duration::from_secs(20);

/// What sends mail as the configuration says. Without a mail server, mail goes into files where `is_trial`; else its
/// sending fails, and is tried again.
pub(crate) fn mailer(config: &Config, is_trial: bool) -> anyhow::Result<Arc<dyn Mailer>> {
    let options = &config.mail;
    let from = options.from.as_deref().unwrap_or("billhook@localhost");
    let from: Mailbox = from.parse().with_context(|| format!("mail_from is no address: {from}"))?;
    if let Some(url) = &options.smtp_url {
        // The URL may hold a password: only the reason is told.
        let transport = SmtpTransport::from_url(url).context("smtp_url cannot be used")?;
        return Ok(Arc::new(Server { transport: transport.timeout(Some(PATIENCE)).build(), from }));
    }
    match options.directory.clone().or_else(|| is_trial.then(|| config.default_mail_directory())) {
        Some(directory) => Ok(Arc::new(Folder { directory, from })),
        None => Ok(Arc::new(edge::NoMailer)),
    }
}

struct Server {
    transport: SmtpTransport,
    from: Mailbox,
}

impl Mailer for Server {
    fn send(&self, mail: &Mail) -> Result<(), String> {
        let address: Address = mail.recipient.parse().map_err(|error| format!("the recipient: {error}"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            // The same at every attempt, so that a mail that arrives twice is known by it.
            .message_id(Some(format!("<{}@billhook>", mail.id)))
            .subject(&mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.body.clone())
            .map_err(|error| error.to_string())?;
        self.transport.send(&message).map(|_| ()).map_err(|error| error.to_string())
    }
}

struct Folder {
    directory: PathBuf,
    from: Mailbox,
}

impl Mailer for Folder {
    fn send(&self, mail: &Mail) -> Result<(), String> {
        let path = self.directory.join(format!("{}.txt", mail.id));
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let text = format!(
            "From: {}\nTo: {}\nSubject: {}\n\n{}",
            self.from, mail.recipient, mail.subject, mail.body
        );
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        // Under another name until it is whole, so that nobody reads a part of it.
        let unfinished = path.with_extension("part");
        let mut file = std::fs::File::create(&unfinished).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        std::fs::rename(&unfinished, &path).map_err(failed)?;
        tracing::info!(path = %path.display(), template = mail.template, "a mail was put into a file");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use uuid::Uuid;

    fn mail() -> Mail {
        Mail {
            id: Uuid::new_v4(),
            template: "welcome".to_owned(),
            recipient: "xia@example.com".to_owned(),
            subject: "Welcome".to_owned(),
            body: "Hello.\n".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            sent_at: None,
        }
    }

    #[test]
    fn without_a_mail_server_nothing_is_sent() {
        assert!(edge::NoMailer.send(&mail()).unwrap_err().contains("smtp_url"));
    }

    #[test]
    fn a_mail_server_is_told_sender_recipient_and_text() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let served = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut writer = stream.try_clone().unwrap();
            let mut heard = Vec::new();
            writer.write_all(b"220 test\r\n").unwrap();
            let mut is_data = false;
            for line in BufReader::new(stream).lines() {
                let line = line.unwrap();
                let answer: &[u8] = match line.split([' ', ':']).next().unwrap() {
                    "." => b"250 kept\r\n",
                    _ if is_data => b"",
                    "DATA" => b"354 go on\r\n",
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 ok\r\n",
                };
                is_data = (is_data || line == "DATA") && line != ".";
                writer.write_all(answer).unwrap();
                heard.push(line.clone());
                if line == "." {
                    break;
                }
            }
            heard
        });
        let transport = SmtpTransport::from_url(&url).unwrap().timeout(Some(PATIENCE)).build();
        let server = Server { transport, from: "Billing <billing@example.com>".parse().unwrap() };
        server.send(&mail()).unwrap();
        let heard = served.join().unwrap();
        for line in
            ["MAIL FROM:<billing@example.com>", "RCPT TO:<xia@example.com>", "Subject: Welcome", "Hello."]
        {
            assert!(heard.iter().any(|heard| heard.starts_with(line)), "{line} is not in {heard:?}");
        }
    }
}

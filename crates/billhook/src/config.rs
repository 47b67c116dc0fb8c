//! Configuration: flags, then environment, then a TOML file, then what is built in.

use crate::cors::{self, Cors};
use crate::front::Limits;
use crate::log::LogFormat;
use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::StoreOptions;

/// Which book a command works on, and the file with what is not told otherwise.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Book {
    /// Where the book is: sqlite:PATH or postgres://USER@HOST/NAME [default: sqlite:DATA/billhook.sqlite, and
    /// sqlite:DATA/demo.sqlite for the demo, where DATA is $STATE_DIRECTORY (set by systemd), /var/lib/billhook for root, or ~/.local/share/billhook]
    #[arg(long, global = true, env = "BILLHOOK_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// A TOML file with options, named as the flags with _ for -, such as: test_mode = true
    #[arg(long, global = true, env = "BILLHOOK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What `serve` can be told by flags, environment and file alike.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Options {
    /// In the file only: on the command line it is an option of every command.
    #[arg(skip)]
    database: Option<String>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "BILLHOOK_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Let callers move their tenants' clocks, as tests do. Never in production
    #[arg(long, env = "BILLHOOK_TEST_MODE", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_name = "BOOL")]
    test_mode: Option<bool>,
    /// Scheme, host and port for Location headers, such as https://billing.example.com; otherwise the Host header
    /// (and X-Forwarded-*) of each request tells
    #[arg(long, env = "BILLHOOK_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// The name of this node among several [default: the host's name]
    #[arg(long, env = "BILLHOOK_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// What is logged: error, warn, info, debug, or by part: info,billhook::access=warn leaves requests out [default: info]
    #[arg(long, env = "BILLHOOK_LOG", value_name = "LEVELS")]
    log: Option<String>,
    /// How lines of the log look [default: text]
    #[arg(long, env = "BILLHOOK_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Most bytes of a request's body [default: 1048576]
    #[arg(long, env = "BILLHOOK_BODY_LIMIT", value_name = "BYTES")]
    body_limit: Option<usize>,
    /// How many seconds a request may take; its body may take as many to arrive [default: 30]
    #[arg(long, env = "BILLHOOK_REQUEST_TIMEOUT", value_name = "SECONDS")]
    request_timeout: Option<u64>,
    /// After how many seconds without a request, half-sent ones included, a connection is dropped [default: 30]
    #[arg(long, env = "BILLHOOK_IDLE_TIMEOUT", value_name = "SECONDS")]
    idle_timeout: Option<u64>,
    /// How many requests are worked on at once [default: 512]
    #[arg(long, env = "BILLHOOK_CONCURRENCY", value_name = "N")]
    concurrency: Option<usize>,
    /// How many more may wait; others are answered 503 with Retry-After [default: 4096]
    #[arg(long, env = "BILLHOOK_QUEUE", value_name = "N")]
    queue: Option<usize>,
    /// How many connections may be open at once; others are answered 503 and closed [default: 4096]
    #[arg(long, env = "BILLHOOK_CONNECTIONS", value_name = "N")]
    connections: Option<usize>,
    /// Origins whose scripts may call, such as https://shop.example.com, separated by commas; * for all. Unless
    /// told, none, but at Kill Bill's desk all, as at Kill Bill
    #[arg(long, env = "BILLHOOK_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',')]
    cors_origins: Option<Vec<String>>,
    /// The mail server: smtp://HOST:PORT?tls=required, smtps://USER:PASSWORD@HOST, or smtp://HOST:PORT without TLS
    #[arg(long, env = "BILLHOOK_SMTP_URL", hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,
    /// Who mail is from, such as Billing <billing@example.com> [default: billhook@localhost]
    #[arg(long, env = "BILLHOOK_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// A directory where mail is put into files instead of being sent [default, in test mode and without a mail server:
    /// mails beside a SQLite book, else in the data directory]
    #[arg(long, env = "BILLHOOK_MAIL_DIRECTORY", value_name = "DIRECTORY")]
    mail_directory: Option<PathBuf>,
    /// Threads and connections that write to PostgreSQL [default: 16]
    #[arg(long, env = "BILLHOOK_WRITERS", value_name = "N")]
    writers: Option<usize>,
    /// Threads and connections that read [default: 8]
    #[arg(long, env = "BILLHOOK_READERS", value_name = "N")]
    readers: Option<usize>,
}

/// All that is settled.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) database: String,
    pub(crate) listen: SocketAddr,
    pub(crate) test_mode: bool,
    pub(crate) public_url: Option<String>,
    pub(crate) node_name: String,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) limits: Limits,
    pub(crate) cors: Cors,
    pub(crate) mail: MailOptions,
    pub(crate) store: StoreOptions,
}

impl Book {
    /// Where the book is.
    pub(crate) fn database(&self) -> anyhow::Result<String> {
        match &self.database {
            Some(database) => Ok(database.clone()),
            None => self.file()?.database.map_or_else(|| default_database(BOOK_FILE), Ok),
        }
    }

    /// All options: `flags` hold what flags and environment say.
    pub(crate) fn config(&self, flags: &Options) -> anyhow::Result<Config> {
        self.config_with(flags, BOOK_FILE)
    }

    /// All options of the demo. Unless told otherwise it has a book of its own, which no other command takes by itself.
    pub(crate) fn config_of_demo(&self) -> anyhow::Result<Config> {
        self.config_with(&Options::default(), DEMO_FILE)
    }

    fn config_with(&self, flags: &Options, default_file: &str) -> anyhow::Result<Config> {
        let file = self.file()?;
        let database = match self.database.clone().or(file.database.clone()) {
            Some(database) => database,
            None => default_database(default_file)?,
        };
        flags.clone().over(file).settle(database)
    }

    fn file(&self) -> anyhow::Result<Options> {
        let Some(path) = &self.config else { return Ok(Options::default()) };
        read(path).with_context(|| format!("cannot use the configuration file {}", path.display()))
    }
}

fn read(path: &Path) -> anyhow::Result<Options> {
    parse(&std::fs::read_to_string(path)?)
}

/// The file's text as options. The only secret in it, the database's password, is in a text that is never told.
fn parse(text: &str) -> anyhow::Result<Options> {
    toml::from_str(text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        anyhow::anyhow!("line {line}: {}", error.message())
    })
}

impl Options {
    /// These, and where they say nothing the others.
    fn over(self, other: Options) -> Options {
        Options {
            database: self.database.or(other.database),
            listen: self.listen.or(other.listen),
            test_mode: self.test_mode.or(other.test_mode),
            public_url: self.public_url.or(other.public_url),
            node_name: self.node_name.or(other.node_name),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            body_limit: self.body_limit.or(other.body_limit),
            request_timeout: self.request_timeout.or(other.request_timeout),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            concurrency: self.concurrency.or(other.concurrency),
            queue: self.queue.or(other.queue),
            connections: self.connections.or(other.connections),
            cors_origins: self.cors_origins.or(other.cors_origins),
            smtp_url: self.smtp_url.or(other.smtp_url),
            mail_from: self.mail_from.or(other.mail_from),
            mail_directory: self.mail_directory.or(other.mail_directory),
            writers: self.writers.or(other.writers),
            readers: self.readers.or(other.readers),
        }
    }

    fn settle(self, database: String) -> anyhow::Result<Config> {
        let store = StoreOptions::default();
        let timeout = self.request_timeout.unwrap_or(30);
        if !(1..=3600).contains(&timeout) {
            bail!("request_timeout must be between 1 and 3600 seconds");
        }
        let idle = self.idle_timeout.unwrap_or(30);
        if !(1..=3600).contains(&idle) {
            bail!("idle_timeout must be between 1 and 3600 seconds");
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            bail!("public_url must begin with http:// or https://");
        }
        for (name, value) in [
            ("body_limit", self.body_limit),
            ("concurrency", self.concurrency),
            ("connections", self.connections),
            ("writers", self.writers),
            ("readers", self.readers),
        ] {
            if value == Some(0) {
                bail!("{name} must be at least 1");
            }
        }
        let mut origins = self.cors_origins.unwrap_or_default();
        origins.retain(|origin| !origin.is_empty());
        if let Some(origin) = origins.iter().find(|origin| !cors::is_origin(origin)) {
            bail!(
                "cors_origins must be * or origins such as https://shop.example.com, in lower case and without a \
                 path: {origin:?} is none"
            );
        }
        let limits = Limits {
            body: self.body_limit.unwrap_or(1024 * 1024),
            time: Duration::from_secs(timeout),
            idle: Duration::from_secs(idle),
            concurrent: self.concurrency.unwrap_or(512),
            waiting: self.queue.unwrap_or(4096),
            connections: self.connections.unwrap_or(4096),
        };
        let mail =
            MailOptions { smtp_url: self.smtp_url, from: self.mail_from, directory: self.mail_directory };
        Ok(Config {
            database,
            mail,
            listen: self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            test_mode: self.test_mode.unwrap_or(false),
            public_url: self.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            node_name: self.node_name.unwrap_or_else(host_name),
            log: self.log.unwrap_or_else(|| "info".into()),
            log_format: self.log_format.unwrap_or_default(),
            limits,
            cors: Cors::new(origins),
            store: StoreOptions {
                writers: self.writers.unwrap_or(store.writers),
                readers: self.readers.unwrap_or(store.readers),
                ..store
            },
        })
    }
}

/// The book's file in the data directory.
const BOOK_FILE: &str = "billhook.sqlite";

/// The file of the demo's book there.
const DEMO_FILE: &str = "demo.sqlite";

fn default_database(file: &str) -> anyhow::Result<String> {
    let path = data_directory().join(file);
    let path = path.to_str().context("the data directory's name is no UTF-8: give --database")?;
    Ok(format!("sqlite:{path}"))
}

/// Where the server keeps its files unless told otherwise.
fn data_directory() -> PathBuf {
    if let Some(folder) = std::env::var_os("STATE_DIRECTORY") {
        PathBuf::from(folder)
    } else if let Some(folder) = std::env::var_os("XDG_DATA_HOME") {
        PathBuf::from(folder).join("billhook")
    } else {
        match std::env::var_os("HOME").map(PathBuf::from) {
            Some(home) if home != Path::new("/root") => home.join(".local/share/billhook"),
            _ => PathBuf::from("/var/lib/billhook"),
        }
    }
}

/// How mail is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct MailOptions {
    pub(crate) smtp_url: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) directory: Option<PathBuf>,
}

impl Config {
    /// Where mail is put when there is no mail server: beside a SQLite book, else in the data directory.
    pub(crate) fn default_mail_directory(&self) -> PathBuf {
        let beside =
            self.database.strip_prefix("sqlite:").and_then(|path| Some(Path::new(path).parent()?.to_owned()));
        beside.unwrap_or_else(data_directory).join("mails")
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_file() {
        let file =
            parse("database = 'sqlite:a'\nlisten = '0.0.0.0:1'\nqueue = 7\nlog_format = 'json'").unwrap();
        assert_eq!(file.database.as_deref(), Some("sqlite:a"));
        let flags = Options { listen: Some("127.0.0.1:2".parse().unwrap()), ..Options::default() };
        let config = flags.over(file).settle("sqlite:b".into()).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.limits.waiting, 7);
        assert_eq!(config.log_format, LogFormat::Json);
        assert_eq!(config.limits.time, Duration::from_secs(30));
        assert!(!config.test_mode);
    }

    #[test]
    fn the_demo_has_a_book_of_its_own_unless_told() {
        let book = |database: Option<&str>| Book { database: database.map(str::to_owned), config: None };
        let serves = book(None).config(&Options::default()).unwrap().database;
        let demos = book(None).config_of_demo().unwrap().database;
        assert!(serves.ends_with("/billhook.sqlite") && demos.ends_with("/demo.sqlite"), "{serves} {demos}");
        assert_eq!(book(None).database().unwrap(), serves);
        assert_eq!(book(Some("sqlite:a")).config_of_demo().unwrap().database, "sqlite:a");
    }

    #[test]
    fn an_unknown_name_is_told_with_its_line() {
        let error = parse("queue = 7\nlisen = 'secret'").unwrap_err().to_string();
        assert!(error.contains("lisen") && error.contains("line 2"), "{error}");
        assert!(parse("queue = 'secret'").is_err());
    }

    #[test]
    fn no_origins_are_named_by_an_empty_text() {
        let config = parse("cors_origins = ['']").unwrap().settle("sqlite:a".into()).unwrap();
        assert!(config.cors.is_empty());
        assert!(!parse("cors_origins = ['*']").unwrap().settle("sqlite:a".into()).unwrap().cors.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in [
            "request_timeout = 0",
            "concurrency = 0",
            "connections = 0",
            "readers = 0",
            "body_limit = 0",
            "cors_origins = ['foo bar']",
            "cors_origins = ['https://a.example', 'https://b.example/']",
            "public_url = 'example.com'",
        ] {
            assert!(parse(text).unwrap().settle("sqlite:a".into()).is_err(), "{text}");
        }
    }
}

//! `billhook serve`: the server as in production.

use crate::config::Options;
use crate::{Book, log, server};
use anyhow::Context;
use clap::Args;
use edge::Settings;

/// Start the server
///
/// The first start makes the user `admin`, with all rights at Kill Bill's desk. The password comes from
/// BILLHOOK_ADMIN_PASSWORD; without it one is made, and printed this once.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  billhook serve --listen 0.0.0.0:8080 --log-format json
  BILLHOOK_DATABASE=postgres://billhook:S3cret@db/book billhook serve --public-url https://billing.example.com
  billhook serve --config /etc/billhook.toml, with a file such as:
      database = \"sqlite:/var/lib/billhook/billhook.sqlite\"
      listen = \"0.0.0.0:8080\"
      cors_origins = [\"https://console.example.com\"]";

impl Serve {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let config = book.config(&self.options)?;
        let _log = log::start(&config.log, config.log_format).context("cannot start the log")?;
        let store = super::open(&config.database, config.store.clone())?;
        let password = std::env::var("BILLHOOK_ADMIN_PASSWORD").ok();
        if let Some(made) = server::ensure_admin(&store, password).context("cannot make the first user")? {
            println!("first start: user admin has password {made}");
        }
        let settings = Settings {
            test_mode: config.test_mode,
            demo: false,
            public_url: config.public_url.clone(),
            node_name: config.node_name.clone(),
        };
        server::run(store, settings, &config, |_| {})
    }
}

//! `billhook serve`: the server as in production.

use crate::config::Options;
use crate::{Book, log, server};
use anyhow::{Context, bail};
use clap::Args;
use edge::Settings;
use storage::Store;

/// Start the server
///
/// The first start makes the user `admin`, with all rights at Kill Bill's desk. The password comes from
/// BILLHOOK_ADMIN_PASSWORD; without it one is made, and printed this once.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Serve {
    #[command(flatten)]
    options: Options,
    /// Take a book that a demo has worked with, too: everybody knows the secret of its tenant bob and may know the
    /// password of its admin
    #[arg(long)]
    force: bool,
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
        if !self.force && super::demo::has_been_in(&store)? {
            bail!(
                "the book at {} is a demo's, whose passwords everybody knows. Give the server a book of its own with \
                 --database, or use this one with --force",
                super::redacted(&config.database)
            );
        }
        if !config.test_mode {
            refuse_moved_clocks(&store)?;
        }
        let book = store.clone();
        // Once the address is taken: a start that fails must not use up the only time that the password is shown.
        let prepare = move || {
            let password = std::env::var("BILLHOOK_ADMIN_PASSWORD").ok();
            let made = server::ensure_admin(&book, password).context("cannot make the first user")?;
            if let Some(made) = made {
                println!("first start: user admin has password {made}");
            }
            Ok(())
        };
        let settings = Settings {
            test_mode: config.test_mode,
            demo: false,
            public_url: config.public_url.clone(),
            node_name: config.node_name.clone(),
        };
        server::run(store, settings, &config, prepare, |_| {})
    }
}

/// A clock that a test has moved would date what is real.
fn refuse_moved_clocks(store: &Store) -> anyhow::Result<()> {
    let tenants = store.read_now(|tx| Ok(storage::tenants::all(tx)?))?;
    if let Some(tenant) = tenants.iter().find(|tenant| !tenant.clock_offset.is_zero()) {
        bail!(
            "the clock of tenant {} was moved in test mode. Let it show the real time with `billhook tenant \
             reset-clock --tenant {}`, or start with --test-mode",
            tenant.api_key,
            tenant.api_key
        );
    }
    Ok(())
}

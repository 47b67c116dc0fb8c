//! `billhook serve`: the server as in production.

use crate::{Book, server};
use anyhow::Context;
use clap::Args;
use edge::Settings;
use std::net::SocketAddr;

/// Start the server
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, env = "BILLHOOK_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Let tests move tenants' clocks
    #[arg(long, env = "BILLHOOK_TEST_MODE")]
    test_mode: bool,
    /// Scheme, host and port for Location headers, such as https://billing.example.com
    #[arg(long, env = "BILLHOOK_PUBLIC_URL")]
    public_url: Option<String>,
}

impl Serve {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open()?;
        let password = std::env::var("BILLHOOK_ADMIN_PASSWORD").ok();
        if let Some(made) = server::ensure_admin(&store, password).context("cannot make the first user")? {
            println!("first start: user admin has password {made}");
        }
        let settings =
            Settings { test_mode: self.test_mode, public_url: self.public_url, ..Settings::default() };
        server::run(store, settings, self.listen, |_| {})
    }
}

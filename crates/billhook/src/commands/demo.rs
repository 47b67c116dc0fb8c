//! `billhook demo`: a server to look at, with a demo tenant and known passwords, on loopback only.

use super::sample;
use crate::config::Options;
use crate::{Book, log, server};
use clap::Args;
use edge::Settings;
use operations::tenants::NewTenant;
use std::net::{Ipv4Addr, SocketAddr};

/// Start with a demo tenant
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Open sample accounts until the tenant has this many (a million takes a few minutes)
    #[arg(long, value_name = "N")]
    accounts: Option<u64>,
}

impl Default for Demo {
    fn default() -> Demo {
        Demo { port: 8080, accounts: None }
    }
}

impl Demo {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let mut config = book.config(&Options::default())?;
        config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let _log = log::start("warn", config.log_format)?;
        let store = super::open(&config.database, config.store.clone())?;
        server::ensure_admin(&store, Some("password".into()))?;
        let new = NewTenant { api_key: "bob".into(), name: Some("Demo".into()), ..NewTenant::default() };
        if store.read_now(|tx| Ok(storage::tenants::by_api_key(tx, "bob")?))?.is_none() {
            let new = operations::tenants::hash_secret(new, "lazar")?;
            let tenant = server::make_tenant(&store, new)?;
            sample::open_few(&store, &tenant)?;
        }
        if let Some(accounts) = self.accounts {
            let tenant = super::verify::find_tenant(&store, "bob".into())?;
            sample::fill(&store, &tenant, accounts)?;
        }
        let settings =
            Settings { test_mode: true, demo: true, public_url: None, node_name: config.node_name.clone() };
        server::run(store, settings, &config, welcome)
    }
}

fn welcome(address: SocketAddr) {
    println!(
        "
Billhook runs with a demo tenant. All operations: http://{address}/docs

Kill Bill's desk:
  curl -u admin:password -H 'X-Killbill-ApiKey: bob' -H 'X-Killbill-ApiSecret: lazar' \\
       -H 'X-Killbill-CreatedBy: me' -H 'Content-Type: application/json' -i \\
       -d '{{\"name\": \"John Doe\", \"currency\": \"USD\"}}' http://{address}/1.0/kb/accounts

MikroCloud's desk, with the id and the token that the first two commands print:
  billhook organization create --tenant bob --name 'John and sons'
  billhook token mikrocloud --tenant bob --organization ID --scope account:read --scope account:write
  curl -H 'Authorization: Bearer TOKEN' http://{address}/v1/account

Togai's desk, with the token that the first command prints:
  billhook token togai --tenant bob
  curl -H 'Authorization: Bearer TOKEN' http://{address}/customers
"
    );
}

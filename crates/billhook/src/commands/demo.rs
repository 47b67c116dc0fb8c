//! `billhook demo`: a server to look at, with a demo tenant and known passwords, on loopback only.

use super::sample;
use crate::{Book, log, server};
use anyhow::bail;
use billing::{Tenant, TenantId};
use clap::Args;
use edge::Settings;
use operations::tenants::NewTenant;
use std::net::{Ipv4Addr, SocketAddr};
use storage::{Connection, Outcome, Store};

/// Start with a demo tenant
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address and port to listen on instead, on loopback only, such as [::1]:8080
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    listen: Option<SocketAddr>,
    /// Open sample accounts until the tenant has this many (a million takes a few minutes)
    #[arg(long, value_name = "N")]
    accounts: Option<u64>,
    /// Take a book that others work with, too: whoever may call then may move its clocks and read its demo tenant
    #[arg(long)]
    force: bool,
}

/// The password of `admin`.
const PASSWORD: &str = "password";

/// The demo's tenant.
const API_KEY: &str = "bob";
const API_SECRET: &str = "lazar";
const TENANT_NAME: &str = "Demo";

impl Default for Demo {
    fn default() -> Demo {
        Demo { port: 8080, listen: None, accounts: None, force: false }
    }
}

impl Demo {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let mut config = book.config_of_demo()?;
        config.listen = self.address()?;
        let _log = log::start("warn", config.log_format)?;
        let store = super::open(&config.database, config.store.clone())?;
        if !self.force && is_in_use(&store)? {
            bail!(
                "the book at {} is in use: it has an admin with another password than the demo's, or tenants but not \
                 the demo's. Give the demo a book of its own with --database sqlite:demo.sqlite, or use this one with \
                 --force",
                super::redacted(&config.database)
            );
        }
        let settings =
            Settings { test_mode: true, demo: true, public_url: None, node_name: config.node_name.clone() };
        let database = super::redacted(&config.database);
        let book = store.clone();
        let prepare = move || prepare(&book, self.accounts);
        server::run(store, settings, &config, prepare, move |address| welcome(address, &database))
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)));
        anyhow::ensure!(
            address.ip().is_loopback(),
            "everybody knows the demo's passwords, so it listens on this machine alone, such as on 127.0.0.1:8080. \
             `billhook serve --listen {address}` is for others to reach"
        );
        Ok(address)
    }
}

/// The demo's admin, its tenant, and its sample accounts.
fn prepare(store: &Store, accounts: Option<u64>) -> anyhow::Result<()> {
    server::ensure_admin(store, Some(PASSWORD.into()))?;
    if store.read_now(|tx| Ok(storage::tenants::by_api_key(tx, API_KEY)?))?.is_none() {
        let tenant = make_tenant(store)?;
        sample::open_few(store, &tenant)?;
    }
    if let Some(accounts) = accounts {
        let tenant = super::verify::find_tenant(store, API_KEY.into())?;
        sample::fill(store, &tenant, accounts)?;
    }
    Ok(())
}

fn make_tenant(store: &Store) -> anyhow::Result<Tenant> {
    let new = NewTenant { api_key: API_KEY.into(), name: Some(TENANT_NAME.into()), ..NewTenant::default() };
    server::make_tenant(store, operations::tenants::hash_secret(new, API_SECRET)?)
}

/// Whether a demo has been in the book: its tenant is there, whose secret everybody knows.
pub(crate) fn has_been_in(store: &Store) -> anyhow::Result<bool> {
    Ok(store.read_now(is_there)?)
}

/// [`has_been_in`] within a transaction.
pub(crate) fn is_there(tx: &mut dyn Connection) -> Outcome<bool> {
    let found = storage::tenants::by_api_key(tx, API_KEY)?;
    Ok(found.is_some_and(|(tenant, hash)| {
        tenant.name.as_deref() == Some(TENANT_NAME) && operations::credentials::verify(API_SECRET, &hash)
    }))
}

/// Whether the book is more than a demo's: its admin does not have the demo's password, or it has tenants but not the
/// demo's. Tenants that somebody made while looking around are no production.
fn is_in_use(store: &Store) -> anyhow::Result<bool> {
    let (admin, tenants) = store.read_now(|tx| {
        let admin = storage::users::by_username(tx, TenantId::SERVER, "admin")?;
        Ok((admin, storage::tenants::all(tx)?))
    })?;
    let is_demo = |hash: &String| operations::credentials::verify(PASSWORD, hash);
    if admin.is_some_and(|admin| !admin.password_hash.as_ref().is_some_and(is_demo)) {
        return Ok(true);
    }
    Ok(tenants.iter().any(|tenant| tenant.tenant_id != TenantId::SERVER)
        && !tenants.iter().any(|tenant| tenant.api_key == API_KEY))
}

fn welcome(address: SocketAddr, database: &str) {
    println!(
        "
Billhook runs with a demo tenant. All operations: http://{address}/docs

Kill Bill's desk:
  curl -u admin:password -H 'X-Killbill-ApiKey: bob' -H 'X-Killbill-ApiSecret: lazar' \\
       -H 'X-Killbill-CreatedBy: me' -H 'Content-Type: application/json' -i \\
       -d '{{\"name\": \"John Doe\", \"currency\": \"USD\"}}' http://{address}/1.0/kb/accounts

The commands below work on the demo's book when they are told where it is:
  export BILLHOOK_DATABASE='{database}'

MikroCloud's desk, with the id and the token that the first two commands print:
  billhook organization create --tenant bob --name 'John and sons'
  billhook token mikrocloud --tenant bob --organization ID --scope account:read --scope account:write
  curl -H 'Authorization: Bearer TOKEN' http://{address}/v1/account

Togai's desk, with the token that the first command prints:
  billhook token togai --tenant bob
  curl -H 'Authorization: Bearer TOKEN' http://{address}/customers

DjaoApp's desk, with the token that the first command prints:
  curl -H 'Content-Type: application/json' http://{address}/api/auth/register \\
       -d '{{\"username\": \"xia\", \"email\": \"xia@example.com\", \"full_name\": \"Xia Lee\", \"new_password\": \"the cat sat on the mat\"}}'
  curl -H 'Authorization: Bearer TOKEN' http://{address}/api/users/xia/profiles
"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::StoreOptions;
    use uuid::Uuid;

    /// What `ask` says of a new book once `fill` has worked on it.
    fn of_new_book<T>(fill: impl FnOnce(&Store), ask: impl FnOnce(&Store) -> anyhow::Result<T>) -> T {
        let path = std::env::temp_dir().join(format!("{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        fill(&store);
        let said = ask(&store).unwrap();
        store.close();
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", path.display()));
        }
        said
    }

    /// Whether a book is in use that has an admin with this password and these tenants.
    fn is_in_use_with(password: Option<&str>, tenants: &[&str]) -> bool {
        let fill = |store: &Store| {
            if let Some(password) = password {
                server::ensure_admin(store, Some(password.to_owned())).unwrap();
            }
            for api_key in tenants {
                let new = NewTenant { api_key: (*api_key).to_owned(), ..NewTenant::default() };
                server::make_tenant(store, new).unwrap();
            }
        };
        of_new_book(fill, is_in_use)
    }

    #[test]
    fn a_demos_book_is_known_by_its_tenant() {
        assert!(!of_new_book(|_| {}, has_been_in));
        assert!(of_new_book(|store| drop(make_tenant(store).unwrap()), has_been_in));
        let other = |name: &str, secret: &str| {
            let new =
                NewTenant { api_key: API_KEY.into(), name: Some(name.to_owned()), ..NewTenant::default() };
            operations::tenants::hash_secret(new, secret).unwrap()
        };
        for new in [other("Shop", API_SECRET), other(TENANT_NAME, "another")] {
            let fill = |store: &Store| drop(server::make_tenant(store, new).unwrap());
            assert!(!of_new_book(fill, has_been_in));
        }
    }

    #[test]
    fn a_new_book_and_a_demos_are_free() {
        assert!(!is_in_use_with(None, &[]));
        assert!(!is_in_use_with(Some(PASSWORD), &[API_KEY]));
        assert!(!is_in_use_with(Some(PASSWORD), &[API_KEY, "made-while-looking-around"]));
    }

    #[test]
    fn a_book_of_others_is_in_use() {
        assert!(is_in_use_with(Some("another"), &[]));
        assert!(is_in_use_with(Some("another"), &[API_KEY]));
        assert!(is_in_use_with(Some(PASSWORD), &["shop"]));
        assert!(is_in_use_with(None, &["shop"]));
    }
}

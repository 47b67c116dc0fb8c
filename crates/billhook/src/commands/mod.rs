//! The commands, a file each.

pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod organization;
mod sample;
pub(crate) mod serve;
pub(crate) mod tenant;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod work;

use crate::Book;
use anyhow::Context;
use billing::{Refusal, Tenant};
use std::time::Duration;
use storage::{Connection, Outcome, Store, StoreOptions};

impl Book {
    /// Opens the book, making its folder and bringing its schema up to date.
    pub(crate) fn open(&self) -> anyhow::Result<Store> {
        open(&self.database()?, StoreOptions::default())
    }

    /// Opens the book for one piece of work that may take its time.
    pub(crate) fn open_for_long_work(&self) -> anyhow::Result<Store> {
        let statement_timeout = Duration::from_secs(3600);
        let options = StoreOptions { statement_timeout, readers: 1, writers: 1, ..StoreOptions::default() };
        open(&self.database()?, options)
    }
}

/// Opens the book at an address, making its folder and bringing its schema up to date.
pub(crate) fn open(database: &str, options: StoreOptions) -> anyhow::Result<Store> {
    if let Some(path) = database.strip_prefix("sqlite:")
        && let Some(folder) = std::path::Path::new(path).parent()
        && !folder.as_os_str().is_empty()
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder {}", folder.display()))?;
    }
    Store::open(database, options).with_context(|| format!("cannot open the book at {}", redacted(database)))
}

/// The database's address without a password.
pub(crate) fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}://{user}@{}", &url[..scheme], &url[at + 1..])
        }
        _ => url.to_owned(),
    }
}

/// The tenant with this API key, or a refusal.
pub(crate) fn tenant_with_key(tx: &mut dyn Connection, api_key: &str) -> Outcome<Tenant> {
    let (tenant, _) = storage::tenants::by_api_key(tx, api_key)?
        .ok_or_else(|| Refusal::TenantKeyUnknown { api_key: api_key.to_owned() })?;
    Ok(tenant)
}

//! The commands, a file each.

pub(crate) mod admin;
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
use std::os::unix::fs::DirBuilderExt;
use std::time::Duration;
use storage::{Connection, Outcome, Store, StoreOptions};

impl Book {
    /// Opens the book, or makes one, with its folder, and brings its schema up to date.
    pub(crate) fn open_or_make(&self) -> anyhow::Result<Store> {
        open(&self.database()?, StoreOptions::default())
    }

    /// Opens a book that is there: what only reads, or needs a tenant, finds nothing in a new one.
    pub(crate) fn open(&self) -> anyhow::Result<Store> {
        open(&self.database()?, StoreOptions { must_exist: true, ..StoreOptions::default() })
    }

    /// As [`Book::open_or_make`], for one piece of work that may take its time.
    pub(crate) fn open_or_make_for_long_work(&self) -> anyhow::Result<Store> {
        open(&self.database()?, for_long_work())
    }

    /// As [`Book::open`], for one piece of work that may take its time.
    pub(crate) fn open_for_long_work(&self) -> anyhow::Result<Store> {
        open(&self.database()?, StoreOptions { must_exist: true, ..for_long_work() })
    }
}

fn for_long_work() -> StoreOptions {
    let statement_timeout = Duration::from_secs(3600);
    StoreOptions { statement_timeout, readers: 1, writers: 1, ..StoreOptions::default() }
}

/// Opens the book at an address and brings its schema up to date. Unless it must exist, it is made with its folder.
pub(crate) fn open(database: &str, options: StoreOptions) -> anyhow::Result<Store> {
    if !options.must_exist
        && let Some(path) = database.strip_prefix("sqlite:")
        && let Some(folder) = std::path::Path::new(path).parent()
        && !folder.as_os_str().is_empty()
    {
        // The book has what is personal: a new folder is for its owner alone.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make folder {}", folder.display()))?;
    }
    Store::open(database, options).with_context(|| format!("cannot open the book at {}", redacted(database)))
}

/// The database's address without a password, in its authority or in its query.
pub(crate) fn redacted(url: &str) -> String {
    let url = match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            let user = url[scheme + 3..at].split(':').next().unwrap_or_default();
            format!("{}://{user}@{}", &url[..scheme], &url[at + 1..])
        }
        _ => url.to_owned(),
    };
    let Some((base, query)) = url.split_once('?') else { return url };
    let shown = query.split('&').map(|option| match option.split_once('=') {
        // A name may be written with escapes: only what is known to be no secret is shown.
        Some((name, _)) if !SHOWN_OPTIONS.contains(&name) => format!("{name}=***"),
        None => "***".to_owned(),
        Some(_) => option.to_owned(),
    });
    format!("{base}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// Options of a database's address whose values are no secrets.
const SHOWN_OPTIONS: &[&str] =
    &["host", "hostaddr", "port", "dbname", "user", "sslmode", "sslrootcert", "application_name"];

/// The tenant with this API key, or a refusal.
pub(crate) fn tenant_with_key(tx: &mut dyn Connection, api_key: &str) -> Outcome<Tenant> {
    let (tenant, _) = storage::tenants::by_api_key(tx, api_key)?
        .ok_or_else(|| Refusal::TenantKeyUnknown { api_key: api_key.to_owned() })?;
    Ok(tenant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use uuid::Uuid;

    #[test]
    fn an_address_is_shown_without_a_password() {
        for (url, shown) in [
            ("sqlite:/var/lib/b.sqlite", "sqlite:/var/lib/b.sqlite"),
            ("postgres://u:secret@h/book?sslmode=require", "postgres://u@h/book?sslmode=require"),
            ("postgres:///book?host=/x&password=secret", "postgres:///book?host=/x&password=***"),
            ("postgres://u@h/book?pass%77ord=secret&x", "postgres://u@h/book?pass%77ord=***&***"),
            ("postgres://u:se?cret@h/book", "postgres://u@h/book"),
        ] {
            assert_eq!(redacted(url), shown);
        }
        assert!(!redacted("postgres://h/book?password=sec@ret").contains("sec"));
        assert!(!redacted("postgres://h/book?password=sec@ret").contains("ret"));
    }

    #[test]
    fn a_new_book_is_for_its_owner_alone() {
        let outer = std::env::temp_dir().join(Uuid::new_v4().to_string());
        let file = outer.join("inner/book.sqlite");
        let store = open(&format!("sqlite:{}", file.display()), StoreOptions::default()).unwrap();
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&outer.join("inner")), 0o700);
        for end in ["", "-wal", "-shm"] {
            assert_eq!(mode(&outer.join(format!("inner/book.sqlite{end}"))), 0o600, "{end}");
        }
        store.close();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        std::fs::set_permissions(&outer, PermissionsExt::from_mode(0o750)).unwrap();
        open(&format!("sqlite:{}", file.display()), StoreOptions::default()).unwrap().close();
        assert_eq!((mode(&file), mode(&outer)), (0o640, 0o750), "what was there keeps its mode");
        std::fs::remove_dir_all(outer).unwrap();
    }
}

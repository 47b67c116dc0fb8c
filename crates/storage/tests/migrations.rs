//! Databases that are opened for the first time, by several at once, or by the wrong program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use storage::{Engine, Store, StoreError, StoreOptions};
use testkit::PostgresCluster;

fn databases() -> [String; 2] {
    let file = testkit::new_directory("book").join("book.db");
    [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()]
}

fn versions(store: &Store) -> Vec<i64> {
    let rows = store.read_now(|tx| {
        let rows =
            tx.query("SELECT version FROM schema_migrations WHERE version > 0 ORDER BY version", &[])?;
        Ok(rows.into_iter().map(|mut row| row.next::<i64>()).collect::<Result<Vec<_>, _>>()?)
    });
    rows.unwrap()
}

#[test]
fn several_nodes_may_open_a_new_database_at_once() {
    for url in databases() {
        let stores: Vec<Store> = std::thread::scope(|scope| {
            let opening: Vec<_> =
                (0..6).map(|_| scope.spawn(|| Store::open(&url, StoreOptions::default()).unwrap())).collect();
            opening.into_iter().map(|opening| opening.join().unwrap()).collect()
        });
        let first = versions(&stores[0]);
        assert!(first.iter().copied().eq(1..=first.len() as i64) && !first.is_empty(), "{url}: {first:?}");
        for store in &stores {
            assert_eq!(versions(store), first, "{url}");
        }
    }
}

#[test]
fn a_database_of_a_newer_program_is_refused() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let made = store.write_now(|tx| {
            Ok(tx.execute("INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')", &[])?)
        });
        made.unwrap();
        store.close();
        let error = Store::open(&url, StoreOptions::default()).err().unwrap();
        assert!(error.to_string().contains("9999"), "{url}: {error}");
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_an_error_that_says_so() {
    let missing = testkit::new_directory("none");
    let urls = [
        format!("sqlite:{}/no/such/directory/book.db", missing.display()),
        format!("postgres://nobody@/none?host={}", missing.display()),
    ];
    for url in urls {
        let error = Store::open(&url, StoreOptions::default()).err().unwrap();
        assert!(matches!(error, StoreError::Engine(_) | StoreError::Unreachable(_)), "{url}: {error}");
    }
    for url in ["mysql://localhost/book", "sqlite:", "sqlite::memory:"] {
        let error = Store::open(url, StoreOptions::default()).err().unwrap();
        assert!(matches!(error, StoreError::Address(_)), "{url}: {error}");
    }
}

#[test]
fn a_book_that_must_exist_is_not_made() {
    let must_exist = || StoreOptions { must_exist: true, ..StoreOptions::default() };
    for url in databases() {
        for _ in 0..2 {
            let error = Store::open(&url, must_exist()).err().unwrap();
            assert!(matches!(error, StoreError::NoBook), "{url}: {error}");
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            assert!(!std::path::Path::new(path).exists());
        }
        Store::open(&url, StoreOptions::default()).unwrap().close();
        Store::open(&url, must_exist()).unwrap().close();
    }
}

#[test]
fn a_store_may_be_opened_inside_an_async_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    for url in databases() {
        let engine = runtime.block_on(async { Store::open(&url, StoreOptions::default()).unwrap().engine() });
        assert_eq!(engine == Engine::Sqlite, url.starts_with("sqlite:"));
    }
}

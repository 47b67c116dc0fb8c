//! The values of a key stay few enough to be read at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use billing::{Caller, Refusal, TenantId};
use jiff::Timestamp;
use operations::tenant_values::{Keep, VALUES_LIMIT, VALUES_SIZE_LIMIT, put};
use storage::{Connection, Error, Outcome, Store, StoreError, StoreOptions};
use testkit::PostgresCluster;
use uuid::Uuid;

const TENANT: TenantId = TenantId(1);

fn on_both(work: fn(&mut dyn Connection) -> Outcome<()>) {
    let file = testkit::new_directory("values").join("book.sqlite");
    for url in [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()] {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let told = store.write_now(move |tx| {
            let new = operations::tenants::NewTenant { api_key: "t".into(), ..Default::default() };
            let made = operations::tenants::create(tx, &caller(), Timestamp::UNIX_EPOCH, &new)?;
            assert_eq!(made.tenant_id, TENANT);
            work(tx)
        });
        told.unwrap();
        store.close();
    }
}

fn caller() -> Caller {
    Caller::system(Uuid::nil())
}

fn add(tx: &mut dyn Connection, keep: Keep, key: &str, value: &str) -> Outcome<()> {
    put(tx, TENANT, &caller(), Timestamp::UNIX_EPOCH, keep, (key, value))
}

#[track_caller]
fn is_refused(done: Outcome<()>) {
    assert!(matches!(done, Err(Error::Refused(Refusal::FieldInvalid { field: "key", .. }))), "{done:?}");
}

#[test]
fn a_key_has_so_many_values_and_no_more() {
    on_both(|tx| {
        let now = Timestamp::UNIX_EPOCH;
        for number in 1..VALUES_LIMIT {
            storage::tenants::add_value(tx, TENANT, Uuid::new_v4(), "k", &number.to_string(), now)?;
        }
        add(tx, Keep::Append, "k", "last")?;
        is_refused(add(tx, Keep::Append, "k", "one more"));
        add(tx, Keep::Append, "another", "x")?;
        assert_eq!(storage::tenants::last_value(tx, TENANT, "k")?.as_deref(), Some("last"));
        add(tx, Keep::Replace, "k", "alone")?;
        assert_eq!(storage::tenants::values(tx, TENANT, "k")?, ["alone"]);
        Ok(())
    });
}

#[test]
fn the_values_of_a_key_have_a_size_together() {
    on_both(|tx| {
        // Characters, not bytes.
        let million = "é".repeat(1_000_000);
        for _ in 0..VALUES_SIZE_LIMIT / 1_000_000 - 1 {
            storage::tenants::add_value(tx, TENANT, Uuid::new_v4(), "k", &million, Timestamp::UNIX_EPOCH)?;
        }
        add(tx, Keep::Append, "k", &million)?;
        is_refused(add(tx, Keep::Append, "k", "x"));
        let found = storage::tenants::values_with_prefix(tx, TENANT, "k")?;
        assert_eq!(i64::try_from(found["k"].len()).unwrap(), VALUES_SIZE_LIMIT / 1_000_000);
        // Two such keys can be read together, and nothing beside them.
        let copy = "INSERT INTO tenant_values (tenant_id, id, name, value, created_at)
                    SELECT tenant_id, id, 'k2', value, created_at FROM tenant_values WHERE name = 'k'";
        tx.execute(copy, &[])?;
        assert_eq!(storage::tenants::values_with_prefix(tx, TENANT, "k")?.len(), 2);
        add(tx, Keep::Append, "k3", "x")?;
        let too_many = storage::tenants::values_with_prefix(tx, TENANT, "k");
        assert!(matches!(too_many, Err(StoreError::TooManyRows)), "{too_many:?}");
        assert_eq!(storage::tenants::values_with_prefix(tx, TENANT, "k3")?.len(), 1);
        Ok(())
    });
}

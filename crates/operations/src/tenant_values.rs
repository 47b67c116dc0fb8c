//! Settings and documents of a tenant: a key has one value, or several where they are appended.

use billing::text::check_text;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use serde_json::json;
use storage::audit::Event;
use storage::tenants::{self, StoredValue};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Longest key, in characters.
pub const KEY_LIMIT: usize = 255;

/// Longest value, in characters.
const VALUE_LIMIT: usize = 1_000_000;

/// Most values of a key.
pub const VALUES_LIMIT: i64 = 1_000;

/// Most characters of all values of a key together, so that they can be read at once.
pub const VALUES_SIZE_LIMIT: i64 = 20_000_000;

/// What becomes of the values that a key has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The new value takes their place.
    Replace,
    /// The new value joins them.
    Append,
}

/// Gives a key a value. Refuses more than [`VALUES_LIMIT`] of one key, or together more than [`VALUES_SIZE_LIMIT`].
pub fn put(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    keep: Keep,
    (key, value): (&str, &str),
) -> Outcome<()> {
    check_foreign(key)?;
    put_own(tx, tenant_id, caller, now, keep, (key, value))
}

/// The same for a key that the book itself keeps something under.
pub(crate) fn put_own(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    keep: Keep,
    (key, value): (&str, &str),
) -> Outcome<()> {
    caller.require(Permission::TenantKvsAdd)?;
    check_key(key)?;
    check_text("value", value, VALUE_LIMIT, true)?;
    tenants::lock(tx, tenant_id)?;
    if keep == Keep::Replace {
        remove(tx, tenant_id, caller, now, key)?;
    }
    check_extent(tx, tenant_id, key, value)?;
    let id = Uuid::new_v4();
    let record_id = tenants::add_value(tx, tenant_id, id, key, value, now)?;
    let stored = StoredValue { record_id, id, value: value.to_owned() };
    record(tx, tenant_id, caller, now, ChangeType::Insert, (key, &stored))?;
    publish(tx, tenant_id, caller, now, ("TENANT_CONFIG_CHANGE", Some(id), key))
}

/// Removes all values of a key; there need not be any.
pub fn delete(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
) -> Outcome<()> {
    check_foreign(key)?;
    caller.require(Permission::TenantKvsDelete)?;
    check_key(key)?;
    tenants::lock(tx, tenant_id)?;
    if remove(tx, tenant_id, caller, now, key)? {
        publish(tx, tenant_id, caller, now, ("TENANT_CONFIG_DELETION", None, key))?;
    }
    Ok(())
}

/// Removes one value of a key that the book itself keeps something under.
pub(crate) fn remove_one(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
    id: Uuid,
) -> Outcome<()> {
    let stored = tenants::stored_values(tx, tenant_id, key)?;
    for value in stored.iter().filter(|value| value.id == id) {
        record(tx, tenant_id, caller, now, ChangeType::Delete, (key, value))?;
        tenants::remove_value(tx, tenant_id, id)?;
    }
    Ok(())
}

/// Refuses a key whose values must be what the book can read.
fn check_foreign(key: &str) -> Result<(), Refusal> {
    match key == crate::catalogs::KEY {
        true => Err(Refusal::invalid("key", format!("{key} is kept by the catalog's own operations"))),
        false => Ok(()),
    }
}

/// Refuses one value more than a key can have.
fn check_extent(tx: &mut dyn Connection, tenant_id: TenantId, key: &str, value: &str) -> Outcome<()> {
    let (values, characters) = tenants::extent(tx, tenant_id, key)?;
    let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
    let why = if values >= VALUES_LIMIT {
        format!("has {VALUES_LIMIT} values, which is the most")
    } else if characters.saturating_add(length) > VALUES_SIZE_LIMIT {
        format!("would have values of more than {VALUES_SIZE_LIMIT} characters together")
    } else {
        return Ok(());
    };
    Err(Refusal::invalid("key", why).into())
}

fn check_key(key: &str) -> Result<(), Refusal> {
    check_text("key", key, KEY_LIMIT, false)
}

fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
) -> Outcome<bool> {
    let stored = tenants::stored_values(tx, tenant_id, key)?;
    for value in &stored {
        record(tx, tenant_id, caller, now, ChangeType::Delete, (key, value))?;
    }
    tenants::remove_values(tx, tenant_id, key)?;
    Ok(!stored.is_empty())
}

fn record(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    (key, stored): (&str, &StoredValue),
) -> Outcome<()> {
    let snapshot = json!({ "id": stored.id, "key": key, "value": stored.value });
    let change = (change_type, ObjectType::TenantKvs, stored.id, stored.record_id);
    crate::record_of_tenant(tx, tenant_id, caller, now, change, &snapshot)
}

fn publish(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    (event_type, object_id, key): (&'static str, Option<Uuid>, &str),
) -> Outcome<()> {
    let metadata = json!({ "key": key }).to_string();
    let event =
        Event { event_type, object_type: ObjectType::TenantKvs, object_id, metadata: Some(&metadata) };
    Ok(storage::audit::publish(tx, tenant_id, None, caller.user_token, now, &event)?)
}

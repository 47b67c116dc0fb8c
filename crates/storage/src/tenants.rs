//! Tenants and the values kept for them.

use crate::{Connection, Row, StoreError};
use billing::{Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use uuid::Uuid;

const COLUMNS: &str = "record_id, id, external_key, name, domain, api_key, clock_offset_micros, created_at";

fn read(mut row: Row) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        tenant_id: TenantId(row.next()?),
        id: row.next()?,
        external_key: row.next()?,
        name: row.next()?,
        domain: row.next()?,
        api_key: row.next()?,
        clock_offset: SignedDuration::from_micros(row.next()?),
        created_at: row.next()?,
    })
}

/// Inserts a tenant and returns its number, or `None` when the API key or the domain is taken.
pub fn insert(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    api_secret_hash: &str,
    created_by: &str,
) -> Result<Option<TenantId>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO tenants (id, external_key, name, domain, api_key, api_secret_hash, clock_offset_micros,
                              created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant.id.into(),
            (&tenant.external_key).into(),
            (&tenant.name).into(),
            (&tenant.domain).into(),
            (&tenant.api_key).into(),
            api_secret_hash.into(),
            0i64.into(),
            created_by.into(),
            tenant.created_at.into(),
        ],
    )?;
    row.map(|mut row| row.next().map(TenantId)).transpose()
}

/// The tenant with this API key, and the hash of its secret.
pub fn by_api_key(tx: &mut dyn Connection, api_key: &str) -> Result<Option<(Tenant, String)>, StoreError> {
    let sql = format!("SELECT api_secret_hash, {COLUMNS} FROM tenants WHERE api_key = $1");
    match tx.query_optional(&sql, &[api_key.into()])? {
        Some(mut row) => {
            let secret_hash = row.next()?;
            Ok(Some((read(row)?, secret_hash)))
        }
        None => Ok(None),
    }
}

/// The tenant with this public id.
pub fn by_id(tx: &mut dyn Connection, id: Uuid) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE id = $1");
    tx.query_optional(&sql, &[id.into()])?.map(read).transpose()
}

/// The tenant with this number.
pub fn by_number(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE record_id = $1");
    tx.query_optional(&sql, &[tenant_id.0.into()])?.map(read).transpose()
}

/// The tenant of this domain.
pub fn by_domain(tx: &mut dyn Connection, domain: &str) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE domain = $1");
    tx.query_optional(&sql, &[domain.into()])?.map(read).transpose()
}

/// The tenant that was made first.
pub fn oldest(tx: &mut dyn Connection) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants ORDER BY record_id LIMIT 1");
    tx.query_optional(&sql, &[])?.map(read).transpose()
}

/// All tenants, oldest first. There are as many as somebody made by hand.
pub fn all(tx: &mut dyn Connection) -> Result<Vec<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants ORDER BY record_id");
    tx.query(&sql, &[])?.into_iter().map(read).collect()
}

/// How far the tenant's clock stands from the real one.
pub fn clock_offset(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<SignedDuration, StoreError> {
    let mut row =
        tx.query_one("SELECT clock_offset_micros FROM tenants WHERE record_id = $1", &[tenant_id.0.into()])?;
    Ok(SignedDuration::from_micros(row.next()?))
}

/// Sets how far the tenant's clock stands from the real one.
pub fn set_clock_offset(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    offset: SignedDuration,
) -> Result<(), StoreError> {
    let micros = i64::try_from(offset.as_micros()).map_err(|_| StoreError::Corrupt("clock offset".into()))?;
    tx.execute(
        "UPDATE tenants SET clock_offset_micros = $2 WHERE record_id = $1",
        &[tenant_id.0.into(), micros.into()],
    )?;
    Ok(())
}

/// The values of a name, oldest first.
pub fn values(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT value FROM tenant_values WHERE tenant_id = $1 AND name = $2 ORDER BY record_id",
        &[tenant_id.0.into(), name.into()],
    )?
    .into_iter()
    .map(|mut row| row.next())
    .collect()
}

/// The value that was added last to a name.
pub fn last_value(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let row = tx.query_optional(
        "SELECT value FROM tenant_values WHERE tenant_id = $1 AND name = $2 ORDER BY record_id DESC LIMIT 1",
        &[tenant_id.0.into(), name.into()],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// How many values a name has, and how many characters they have together.
pub fn extent(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Result<(i64, i64), StoreError> {
    let mut row = tx.query_one(
        "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(value)), 0) AS BIGINT) FROM tenant_values
         WHERE tenant_id = $1 AND name = $2",
        &[tenant_id.0.into(), name.into()],
    )?;
    Ok((row.next()?, row.next()?))
}

/// Most characters of all values that one [`values_with_prefix`] reads.
pub const PREFIX_READ_LIMIT: i64 = 40_000_000;

/// The values of all keys that begin with `prefix`, by key and then oldest first. Refuses more than
/// [`PREFIX_READ_LIMIT`]: a longer prefix finds less.
pub fn values_with_prefix(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    prefix: &str,
) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let characters: i64 = tx
        .query_one(
            "SELECT CAST(COALESCE(SUM(LENGTH(value)), 0) AS BIGINT) FROM tenant_values
             WHERE tenant_id = $1 AND SUBSTR(name, 1, LENGTH($2)) = $2",
            &[tenant_id.0.into(), prefix.into()],
        )?
        .next()?;
    if characters > PREFIX_READ_LIMIT {
        return Err(StoreError::TooManyRows);
    }
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let rows = tx.query(
        "SELECT name, value FROM tenant_values WHERE tenant_id = $1 AND SUBSTR(name, 1, LENGTH($2)) = $2
         ORDER BY name, record_id",
        &[tenant_id.0.into(), prefix.into()],
    )?;
    for mut row in rows {
        values.entry(row.next()?).or_default().push(row.next()?);
    }
    Ok(values)
}

/// A value as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredValue {
    /// The order in which values were added.
    pub record_id: i64,
    /// Its id.
    pub id: Uuid,
    /// The value.
    pub value: String,
}

/// The values of a key as they are kept, oldest first.
pub fn stored_values(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    name: &str,
) -> Result<Vec<StoredValue>, StoreError> {
    tx.query(
        "SELECT record_id, id, value FROM tenant_values WHERE tenant_id = $1 AND name = $2 ORDER BY record_id",
        &[tenant_id.0.into(), name.into()],
    )?
    .into_iter()
    .map(|mut row| Ok(StoredValue { record_id: row.next()?, id: row.next()?, value: row.next()? }))
    .collect()
}

/// The ids of the values of a name, oldest first.
pub fn value_ids(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM tenant_values WHERE tenant_id = $1 AND name = $2 ORDER BY record_id";
    tx.query(sql, &[tenant_id.0.into(), name.into()])?.into_iter().map(|mut row| row.next()).collect()
}

/// The value of a name with this id.
pub fn value_by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    name: &str,
    id: Uuid,
) -> Result<Option<String>, StoreError> {
    let row = tx.query_optional(
        "SELECT value FROM tenant_values WHERE tenant_id = $1 AND name = $2 AND id = $3",
        &[tenant_id.0.into(), name.into(), id.into()],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Removes one value.
pub fn remove_value(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM tenant_values WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into()],
    )?;
    Ok(())
}

/// Locks the tenant's row until the transaction ends: one at a time changes its values.
pub fn lock(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<(), StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!("SELECT record_id FROM tenants WHERE record_id = $1 {for_update}");
    tx.query_one(&sql, &[tenant_id.0.into()])?;
    Ok(())
}

/// Adds a value to a name; returns its record id.
pub fn add_value(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO tenant_values (tenant_id, id, name, value, created_at) VALUES ($1, $2, $3, $4, $5)
         RETURNING record_id",
        &[tenant_id.0.into(), id.into(), name.into(), value.into(), now.into()],
    )?
    .next()
}

/// Removes all values of a name; says how many there were.
pub fn remove_values(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM tenant_values WHERE tenant_id = $1 AND name = $2",
        &[tenant_id.0.into(), name.into()],
    )
}

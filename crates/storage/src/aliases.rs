//! Aliases of accounts: other names that stand for an account, each within a range of time.

use crate::{Connection, Engine, Param, Row, StoreError};
use billing::TenantId;
use billing::alias::{Alias, Validity};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const COLUMNS: &str =
    "record_id, account_id, id, value, effective_from, effective_until, created_at, updated_at";

/// An alias with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlias {
    /// The order in which aliases were made.
    pub record_id: i64,
    /// The alias.
    pub alias: Alias,
}

pub(crate) fn read(mut row: Row) -> Result<StoredAlias, StoreError> {
    Ok(StoredAlias {
        record_id: row.next()?,
        alias: Alias {
            account_id: row.next()?,
            id: row.next()?,
            value: row.next()?,
            validity: Validity { from: row.next()?, until: row.next()? },
            created_at: row.next()?,
            updated_at: row.next()?,
        },
    })
}

/// Locks a value until the transaction ends: nobody else gives it to an account meanwhile, as an alias or as its key.
/// Lock several in order. SQLite has one writer, which needs no lock.
pub fn lock_value(tx: &mut dyn Connection, tenant_id: TenantId, value: &str) -> Result<(), StoreError> {
    if tx.engine() == Engine::Sqlite {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO account_alias_values (tenant_id, value) VALUES ($1, $2)
         ON CONFLICT (tenant_id, value) DO UPDATE SET value = excluded.value",
        &[tenant_id.0.into(), value.into()],
    )?;
    Ok(())
}

/// Inserts an alias and returns its record id. Its value is locked and free in its range.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, alias: &Alias) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO account_aliases (tenant_id, account_id, id, value, effective_from, effective_until, created_at,
                                      updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING record_id",
        &[
            tenant_id.0.into(),
            alias.account_id.into(),
            alias.id.into(),
            (&alias.value).into(),
            alias.validity.from.into(),
            alias.validity.until.into(),
            alias.created_at.into(),
            alias.updated_at.into(),
        ],
    )?
    .next()
}

/// Writes the end of an alias's range.
pub fn update(tx: &mut dyn Connection, tenant_id: TenantId, alias: &Alias) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account_aliases SET effective_until = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), alias.id.into(), alias.validity.until.into(), alias.updated_at.into()],
    )?;
    Ok(())
}

/// Removes an alias with its past; only its records tell of it from then on.
pub fn delete(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM account_aliases WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into()],
    )?;
    Ok(())
}

/// The alias of this account with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    id: Uuid,
) -> Result<Option<StoredAlias>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM account_aliases WHERE tenant_id = $1 AND id = $2 AND account_id = $3");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into(), account_id.into()])?.map(read).transpose()
}

/// Every alias with this value whose range ends after `ends_after` (all when absent). Their ranges do not overlap.
pub fn by_value(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    value: &str,
    ends_after: Option<Timestamp>,
) -> Result<Vec<StoredAlias>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_aliases
         WHERE tenant_id = $1 AND value = $2 AND (effective_until IS NULL OR effective_until > $3)
         ORDER BY record_id"
    );
    let after = ends_after.map_or(i64::MIN, Timestamp::as_microsecond);
    tx.query(&sql, &[tenant_id.0.into(), value.into(), after.into()])?.into_iter().map(read).collect()
}

/// The account for which this alias stands at an instant.
pub fn account_at(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    value: &str,
    at: Timestamp,
) -> Result<Option<Uuid>, StoreError> {
    tx.query_optional(
        "SELECT account_id FROM account_aliases
         WHERE tenant_id = $1 AND value = $2 AND (effective_from IS NULL OR effective_from <= $3)
           AND (effective_until IS NULL OR effective_until > $3)",
        &[tenant_id.0.into(), value.into(), at.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// The account's aliases whose range ends after an instant: those in force and those still to come.
pub fn ending_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    at: Timestamp,
) -> Result<Vec<StoredAlias>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_aliases
         WHERE tenant_id = $1 AND account_id = $2 AND (effective_until IS NULL OR effective_until > $3)
         ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), account_id.into(), at.into()])?.into_iter().map(read).collect()
}

/// Up to `limit` aliases of an account made after the one with record id `after`, in that order.
pub fn made_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredAlias>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_aliases WHERE tenant_id = $1 AND account_id = $2 AND record_id > $3
         ORDER BY record_id LIMIT $4"
    );
    tx.query(&sql, &[tenant_id.0.into(), account_id.into(), after.into(), limit.into()])?
        .into_iter()
        .map(read)
        .collect()
}

/// The account and value of each alias in force at an instant, of a page of accounts, in the order of their making.
pub fn in_force(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_ids: &[Uuid],
    at: Timestamp,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    if account_ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT account_id, value FROM account_aliases
         WHERE tenant_id = $1 AND (effective_from IS NULL OR effective_from <= $2)
           AND (effective_until IS NULL OR effective_until > $2) AND account_id IN ({})
         ORDER BY record_id",
        crate::connection::placeholders(3, account_ids.len())
    );
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), at.into()];
    params.extend(account_ids.iter().map(|id| Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(|mut row| Ok((row.next()?, row.next()?))).collect()
}

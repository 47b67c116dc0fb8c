//! E-mail addresses of accounts.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use billing::account_email::AccountEmail;
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const COLUMNS: &str = "record_id, id, account_id, email, is_active";

pub(crate) fn read(mut row: Row) -> Result<(i64, AccountEmail), StoreError> {
    let record_id = row.next()?;
    let email =
        AccountEmail { id: row.next()?, account_id: row.next()?, email: row.next()?, is_active: row.next()? };
    Ok((record_id, email))
}

/// Inserts an address and returns its record id. The account is locked, so nobody adds the same one meanwhile.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    email: &AccountEmail,
    now: Timestamp,
) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO account_emails (tenant_id, account_id, id, email, is_active, created_at)
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING record_id",
        &[
            tenant_id.0.into(),
            email.account_id.into(),
            email.id.into(),
            (&email.email).into(),
            email.is_active.into(),
            now.into(),
        ],
    )?
    .next()
}

/// The addresses of an account that have not been removed, oldest first.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Vec<AccountEmail>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_emails WHERE tenant_id = $1 AND account_id = $2 AND is_active = $3
         ORDER BY record_id"
    );
    let rows = tx.query(&sql, &[tenant_id.0.into(), account_id.into(), true.into()])?;
    rows.into_iter().map(|row| Ok(read(row)?.1)).collect()
}

/// The account's address that reads so, with its record id, unless it has been removed.
pub fn find(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    email: &str,
) -> Result<Option<(i64, AccountEmail)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM account_emails
         WHERE tenant_id = $1 AND account_id = $2 AND email = $3 AND is_active = $4"
    );
    tx.query_optional(&sql, &[tenant_id.0.into(), account_id.into(), email.into(), true.into()])?
        .map(read)
        .transpose()
}

/// The address with this id, also when it has been removed.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<AccountEmail>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM account_emails WHERE tenant_id = $1 AND id = $2");
    let row = tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?;
    row.map(|row| Ok(read(row)?.1)).transpose()
}

/// Marks an address as removed.
pub fn remove(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE account_emails SET is_active = $3 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), false.into()],
    )?;
    Ok(())
}

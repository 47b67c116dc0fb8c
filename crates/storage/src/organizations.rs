//! Organizations: the trees whose tops are billed.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use billing::organization::Organization;
use uuid::Uuid;

const COLUMNS: &str = "record_id, id, name, parent_id, owner_id, account_id, created_at";

/// An organization with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrganization {
    /// The order in which organizations were made.
    pub record_id: i64,
    /// The organization.
    pub organization: Organization,
}

fn read(mut row: Row) -> Result<StoredOrganization, StoreError> {
    Ok(StoredOrganization {
        record_id: row.next()?,
        organization: Organization {
            id: row.next()?,
            name: row.next()?,
            parent_id: row.next()?,
            owner_id: row.next()?,
            account_id: row.next()?,
            created_at: row.next()?,
        },
    })
}

/// Inserts an organization and returns its record id.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization: &Organization,
) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO organizations (tenant_id, id, name, parent_id, owner_id, account_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING record_id",
        &[
            tenant_id.0.into(),
            organization.id.into(),
            (&organization.name).into(),
            organization.parent_id.into(),
            organization.owner_id.into(),
            organization.account_id.into(),
            organization.created_at.into(),
        ],
    )?
    .next()
}

/// The organization with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredOrganization>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// [`by_id`], with the row locked until the transaction ends.
pub fn lock(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredOrganization>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND id = $2 {for_update}");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// The organization whose billing account this is.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Option<Uuid>, StoreError> {
    let row = tx.query_optional(
        "SELECT id FROM organizations WHERE tenant_id = $1 AND account_id = $2 ORDER BY record_id LIMIT 1",
        &[tenant_id.0.into(), account_id.into()],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Up to `limit` organizations made after the one with record id `after`, oldest first.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredOrganization>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?.into_iter().map(read).collect()
}

/// Gives an organization its billing account.
pub fn set_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    account_id: Uuid,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE organizations SET account_id = $3 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), account_id.into()],
    )?;
    Ok(())
}

//! Customers and their contacts.

use crate::{Connection, Param, Row, StoreError};
use billing::TenantId;
use billing::customer::{Contact, Customer, CustomerStatus};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

const COLUMNS: &str =
    "record_id, id, external_key, name, email, address, settings, status, created_at, updated_at";

/// A customer with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCustomer {
    /// The order in which customers were made.
    pub record_id: i64,
    /// The customer.
    pub customer: Customer,
}

fn read(mut row: Row) -> Result<StoredCustomer, StoreError> {
    Ok(StoredCustomer {
        record_id: row.next()?,
        customer: Customer {
            id: row.next()?,
            external_key: row.next()?,
            name: row.next()?,
            email: row.next()?,
            address: from_json(row.next()?)?,
            settings: from_json(row.next()?)?,
            status: status(row.next()?)?,
            created_at: row.next()?,
            updated_at: row.next()?,
        },
    })
}

fn status(name: String) -> Result<CustomerStatus, StoreError> {
    CustomerStatus::known(&name).ok_or(StoreError::Corrupt(name))
}

fn from_json<T: DeserializeOwned>(text: String) -> Result<T, StoreError> {
    serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Inserts a customer and returns its record id, or `None` when its external key is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    customer: &Customer,
) -> Result<Option<i64>, StoreError> {
    let (address, settings) = (to_json(&customer.address)?, to_json(&customer.settings)?);
    let row = tx.query_optional(
        "INSERT INTO customers (tenant_id, id, external_key, name, email, address, settings, status, created_at,
                                updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (tenant_id, external_key) DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            customer.id.into(),
            (&customer.external_key).into(),
            (&customer.name).into(),
            (&customer.email).into(),
            (&address).into(),
            (&settings).into(),
            customer.status.name().into(),
            customer.created_at.into(),
            customer.updated_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Writes all that may change of a customer.
pub fn update(tx: &mut dyn Connection, tenant_id: TenantId, customer: &Customer) -> Result<(), StoreError> {
    let address = to_json(&customer.address)?;
    tx.execute(
        "UPDATE customers SET name = $3, email = $4, address = $5, status = $6, updated_at = $7
         WHERE tenant_id = $1 AND id = $2",
        &[
            tenant_id.0.into(),
            customer.id.into(),
            (&customer.name).into(),
            (&customer.email).into(),
            (&address).into(),
            customer.status.name().into(),
            customer.updated_at.into(),
        ],
    )?;
    Ok(())
}

/// The customer with this external key.
pub fn by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
) -> Result<Option<StoredCustomer>, StoreError> {
    select_by_key(tx, tenant_id, key, "")
}

/// As [`by_key`], and locks the row until the transaction ends: nothing is opened under a customer that is just being
/// archived.
pub fn lock_by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
) -> Result<Option<StoredCustomer>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    select_by_key(tx, tenant_id, key, for_update)
}

fn select_by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
    ending: &str,
) -> Result<Option<StoredCustomer>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE tenant_id = $1 AND external_key = $2 {ending}");
    tx.query_optional(&sql, &[tenant_id.0.into(), key.into()])?.map(read).transpose()
}

/// The customer with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredCustomer>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// Up to `limit` customers made after the one with record id `after`, in that order.
pub fn made_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredCustomer>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM customers WHERE tenant_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?.into_iter().map(read).collect()
}

/// Id and external key of the customers that have one of these ids: those of a page of accounts.
pub fn keys_of_ids(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, String)>, StoreError> {
    keys_where(tx, tenant_id, "id", ids.iter().map(|id| Param::from(*id)).collect())
}

/// Id and external key of the customers that have one of these keys.
pub fn keys_of_keys(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    keys: &[&str],
) -> Result<Vec<(Uuid, String)>, StoreError> {
    keys_where(tx, tenant_id, "external_key", keys.iter().map(|key| Param::from(*key)).collect())
}

fn keys_where(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    column: &str,
    values: Vec<Param<'_>>,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let list = crate::connection::placeholders(2, values.len());
    let sql = format!("SELECT id, external_key FROM customers WHERE tenant_id = $1 AND {column} IN ({list})");
    let params: Vec<Param<'_>> = std::iter::once(tenant_id.0.into()).chain(values).collect();
    tx.query(&sql, &params)?.into_iter().map(|mut row| Ok((row.next()?, row.next()?))).collect()
}

/// Inserts a contact and returns its record id, or `None` when its user name is taken in the tenant.
pub fn insert_contact(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    contact: &Contact,
    password_hash: Option<&str>,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO customer_contacts (tenant_id, customer_id, id, username, preferred_username, name, email, phone,
                                        password_hash, is_verified, may_log_in, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (tenant_id, username) DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            contact.customer_id.into(),
            contact.id.into(),
            (&contact.username).into(),
            (&contact.preferred_username).into(),
            (&contact.name).into(),
            (&contact.email).into(),
            (&contact.phone).into(),
            password_hash.into(),
            contact.is_verified.into(),
            contact.may_log_in.into(),
            (&contact.created_by).into(),
            contact.created_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

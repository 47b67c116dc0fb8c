//! Payment methods.

use crate::filter::condition;
use crate::page::{self, Page, Source, Window};
use crate::{Connection, Param, Row, StoreError};
use billing::TenantId;
use billing::payment_method::PaymentMethod;
use billing::search::{Clause, Column, Kind};
use uuid::Uuid;

/// The columns in the order in which [`read`] reads them; the last asks the account whether this is its default.
pub(crate) const COLUMNS: &str = "record_id, id, account_id, external_key, plugin_name, plugin_info, is_active, created_by,
    created_at, updated_by, updated_at,
    EXISTS (SELECT 1 FROM accounts WHERE accounts.tenant_id = payment_methods.tenant_id
            AND accounts.id = payment_methods.account_id AND accounts.payment_method_id = payment_methods.id)";

/// A payment method with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPaymentMethod {
    /// The order in which payment methods were added.
    pub record_id: i64,
    /// Whether it is the default of its account.
    pub is_default: bool,
    /// The payment method.
    pub payment_method: PaymentMethod,
}

pub(crate) fn read(mut row: Row) -> Result<StoredPaymentMethod, StoreError> {
    let record_id = row.next()?;
    let payment_method = PaymentMethod {
        id: row.next()?,
        account_id: row.next()?,
        external_key: row.next()?,
        plugin_name: row.next()?,
        plugin_info: row
            .next::<Option<String>>()?
            .map(|json| serde_json::from_str(&json).map_err(|error| StoreError::Corrupt(error.to_string())))
            .transpose()?,
        is_active: row.next()?,
        created_by: row.next()?,
        created_at: row.next()?,
        updated_by: row.next()?,
        updated_at: row.next()?,
    };
    Ok(StoredPaymentMethod { record_id, is_default: row.next()?, payment_method })
}

/// Inserts a payment method and returns its record id, or `None` when its key is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    method: &PaymentMethod,
) -> Result<Option<i64>, StoreError> {
    let plugin_info = method
        .plugin_info
        .as_ref()
        .map(|info| serde_json::to_string(info).map_err(|error| StoreError::Corrupt(error.to_string())))
        .transpose()?;
    let row = tx.query_optional(
        "INSERT INTO payment_methods (tenant_id, id, account_id, external_key, plugin_name, plugin_info, is_active,
             created_by, created_at, updated_by, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (tenant_id, external_key) DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            method.id.into(),
            method.account_id.into(),
            (&method.external_key).into(),
            (&method.plugin_name).into(),
            (&plugin_info).into(),
            method.is_active.into(),
            (&method.created_by).into(),
            method.created_at.into(),
            (&method.updated_by).into(),
            method.updated_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Writes what may change of a payment method: whether it is active, and who changed it when.
pub fn update(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    method: &PaymentMethod,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE payment_methods SET is_active = $3, updated_by = $4, updated_at = $5
         WHERE tenant_id = $1 AND id = $2",
        &[
            tenant_id.0.into(),
            method.id.into(),
            method.is_active.into(),
            (&method.updated_by).into(),
            method.updated_at.into(),
        ],
    )?;
    Ok(())
}

/// The payment method with this id, deleted or not.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredPaymentMethod>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM payment_methods WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// The payment method with this external key, deleted or not.
pub fn by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    external_key: &str,
) -> Result<Option<StoredPaymentMethod>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM payment_methods WHERE tenant_id = $1 AND external_key = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), external_key.into()])?.map(read).transpose()
}

/// The account of the payment method with this id, deleted or not.
pub fn account_of(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<Uuid>, StoreError> {
    let row = tx.query_optional(
        "SELECT account_id FROM payment_methods WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into()],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// The payment methods of an account, oldest first; deleted ones only when asked for.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    with_deleted: bool,
) -> Result<Vec<StoredPaymentMethod>, StoreError> {
    let condition = if with_deleted { "" } else { "AND is_active" };
    let sql = format!(
        "SELECT {COLUMNS} FROM payment_methods WHERE tenant_id = $1 AND account_id = $2 {condition}
         ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), account_id.into()])?.into_iter().map(read).collect()
}

const OF_TENANT: &str = "payment_methods WHERE tenant_id = $1 AND is_active";

/// One page of the tenant's payment methods that were not deleted.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    window: Window,
) -> Result<Page<StoredPaymentMethod>, StoreError> {
    page::select(tx, window, COLUMNS, OF_TENANT, &[tenant_id.0.into()], read)
}

/// How many payment methods the tenant has, if at most [`page::COUNT_LIMIT`].
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<i64>, StoreError> {
    page::count(tx, OF_TENANT, &[tenant_id.0.into()])
}

/// One page of the payment methods whose id or account is the needle, or whose external key or plugin's name holds it,
/// in any case.
pub fn search(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    needle: &str,
    window: Window,
) -> Result<Page<StoredPaymentMethod>, StoreError> {
    let pattern = crate::search::folded_pattern(needle);
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), (&pattern).into()];
    let id = Uuid::parse_str(needle).ok();
    params.extend(id.map(Param::Uuid));
    let ids = if id.is_some() { "id = $3 OR account_id = $3 OR" } else { "" };
    let from = format!(
        "{OF_TENANT} AND ({ids} LOWER(external_key) LIKE $2 ESCAPE '\\' OR LOWER(plugin_name) LIKE $2 ESCAPE '\\')"
    );
    page::search(tx, window, COLUMNS, &Source { table: "payment_methods", from, params }, read)
}

/// The columns by which payment methods can be filtered, under Kill Bill's names.
pub static SEARCH_COLUMNS: &[Column] = &[
    Column { name: "id", stored: "id", kind: Kind::Id },
    Column { name: "external_key", stored: "external_key", kind: Kind::Text },
    Column { name: "account_id", stored: "account_id", kind: Kind::Id },
    Column { name: "plugin_name", stored: "plugin_name", kind: Kind::Text },
    Column { name: "created_by", stored: "created_by", kind: Kind::Text },
    Column { name: "created_date", stored: "created_at", kind: Kind::Instant },
    Column { name: "updated_by", stored: "updated_by", kind: Kind::Text },
    Column { name: "updated_date", stored: "updated_at", kind: Kind::Instant },
];

/// One page of the payment methods for which all clauses hold; their columns are of [`SEARCH_COLUMNS`].
pub fn filter(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    clauses: &[Clause],
    window: Window,
) -> Result<Page<StoredPaymentMethod>, StoreError> {
    let condition = condition(tx.engine(), clauses, 2);
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    params.extend(condition.params());
    let from = format!("{OF_TENANT} AND {}", condition.sql);
    page::search(tx, window, COLUMNS, &Source { table: "payment_methods", from, params }, read)
}

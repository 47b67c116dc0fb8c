//! Keys with which programs of a user log in.

use crate::list::{List, Spec};
use crate::{Connection, Engine, Row, StoreError, Value};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A key, without its private part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose it is.
    pub user_id: Uuid,
    /// The part by which it is found.
    pub public_id: String,
    /// Digest of the part that proves it.
    pub private_digest: Vec<u8>,
    /// Name for people.
    pub title: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it proves nothing.
    pub ends_at: Option<Timestamp>,
}

const COLUMNS: &str = "user_id, public_id, private_digest, title, created_at, ends_at";

fn read(mut row: Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        user_id: row.next()?,
        public_id: row.next()?,
        private_digest: row.next()?,
        title: row.next()?,
        created_at: row.next()?,
        ends_at: row.next()?,
    })
}

/// Keeps a new key and returns its record id.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, key: &ApiKey) -> Result<i64, StoreError> {
    let mut row = tx.query_one(
        "INSERT INTO api_keys (tenant_id, user_id, public_id, private_digest, title, created_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING record_id",
        &[
            tenant_id.0.into(),
            key.user_id.into(),
            (&key.public_id).into(),
            key.private_digest.as_slice().into(),
            (&key.title).into(),
            key.created_at.into(),
            key.ends_at.into(),
        ],
    )?;
    row.next()
}

/// The key with this public part.
pub fn by_public_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    public_id: &str,
) -> Result<Option<ApiKey>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND public_id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), public_id.into()])?.map(read).transpose()
}

/// How many keys a user has.
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<i64, StoreError> {
    tx.query_one(
        "SELECT COUNT(*) FROM api_keys WHERE user_id = $2 AND tenant_id = $1",
        &[tenant_id.0.into(), user_id.into()],
    )?
    .next()
}

/// Lists of keys.
pub const KEYS: Spec = Spec {
    from: "api_keys",
    searched: &[("title", "COALESCE(title, '')")],
    sorted: &[("title", "COALESCE(title, '')"), ("ends_at", "ends_at")],
    default_order: "COALESCE(title, ''), record_id",
    dated: "created_at",
    splits_words: true,
};

/// The keys of a user.
pub fn list(engine: Engine, tenant_id: TenantId, user_id: Uuid) -> List {
    let mut list = List::new(engine, KEYS);
    let (tenant, user) = (list.bind(Value::Integer(tenant_id.0)), list.bind(Value::Uuid(user_id)));
    list.filter(format!("user_id = {user} AND tenant_id = {tenant}"));
    list
}

/// A window (offset and size) of a list of keys.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<ApiKey>, StoreError> {
    list.rows(tx, COLUMNS, window, read)
}

/// Removes a key of a user and returns its record id; none when he has no such key.
pub fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    public_id: &str,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "DELETE FROM api_keys WHERE tenant_id = $1 AND user_id = $2 AND public_id = $3 RETURNING record_id",
        &[tenant_id.0.into(), user_id.into(), public_id.into()],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Removes all keys of a user.
pub fn remove_all(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM api_keys WHERE user_id = $2 AND tenant_id = $1",
        &[tenant_id.0.into(), user_id.into()],
    )
}

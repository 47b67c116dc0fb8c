//! API tokens of programs, of which only digests are kept, and the server's own secrets.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// An API token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id.
    pub id: Uuid,
    /// The tenant whose book it opens.
    pub tenant_id: TenantId,
    /// Name for people.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; never when absent.
    pub expires_at: Option<Timestamp>,
    /// When somebody took it back.
    pub revoked_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, tenant_id, name, created_at, expires_at, revoked_at";

fn read(mut row: Row) -> Result<ApiToken, StoreError> {
    Ok(ApiToken {
        id: row.next()?,
        tenant_id: TenantId(row.next()?),
        name: row.next()?,
        created_at: row.next()?,
        expires_at: row.next()?,
        revoked_at: row.next()?,
    })
}

/// Keeps a token of a desk under its digest; returns its record id.
pub fn insert(
    tx: &mut dyn Connection,
    desk: &str,
    token: &ApiToken,
    digest: &[u8],
) -> Result<i64, StoreError> {
    tx.query_one(
        "INSERT INTO api_tokens (id, tenant_id, desk, token_digest, name, created_at, expires_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING record_id",
        &[
            token.id.into(),
            token.tenant_id.0.into(),
            desk.into(),
            digest.into(),
            (&token.name).into(),
            token.created_at.into(),
            token.expires_at.into(),
            token.revoked_at.into(),
        ],
    )?
    .next()
}

/// The token of a desk with this digest. The digest selects the tenant: it is what the request knows.
pub fn by_digest(tx: &mut dyn Connection, desk: &str, digest: &[u8]) -> Result<Option<ApiToken>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_tokens WHERE token_digest = $1 AND desk = $2");
    tx.query_optional(&sql, &[digest.into(), desk.into()])?.map(read).transpose()
}

/// The token of a desk with this id.
pub fn by_id(tx: &mut dyn Connection, desk: &str, id: Uuid) -> Result<Option<ApiToken>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_tokens WHERE id = $1 AND desk = $2");
    tx.query_optional(&sql, &[id.into(), desk.into()])?.map(read).transpose()
}

/// The tenant's tokens of a desk that nobody took back, oldest first. There are as many as somebody made by hand.
pub fn of_tenant(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    desk: &str,
) -> Result<Vec<ApiToken>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM api_tokens WHERE tenant_id = $1 AND desk = $2 AND revoked_at IS NULL
         ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), desk.into()])?.into_iter().map(read).collect()
}

/// Takes a token of the tenant back, and returns its record id; `None` when there is none that could be taken back.
pub fn revoke(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    desk: &str,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "UPDATE api_tokens SET revoked_at = $4
         WHERE tenant_id = $1 AND desk = $2 AND id = $3 AND revoked_at IS NULL RETURNING record_id",
        &[tenant_id.0.into(), desk.into(), id.into(), now.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// A secret of the server, such as a key that signs.
pub fn server_secret(tx: &mut dyn Connection, name: &str) -> Result<Option<String>, StoreError> {
    tx.query_optional("SELECT value FROM server_secrets WHERE name = $1", &[name.into()])?
        .map(|mut row| row.next())
        .transpose()
}

/// Keeps a secret of the server unless there is one of that name; returns the one that holds.
pub fn ensure_server_secret(
    tx: &mut dyn Connection,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<String, StoreError> {
    tx.execute(
        "INSERT INTO server_secrets (name, value, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        &[name.into(), value.into(), now.into()],
    )?;
    server_secret(tx, name)?.ok_or_else(|| StoreError::Corrupt(format!("server secret {name}")))
}

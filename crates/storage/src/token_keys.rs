//! Keys that sign and check MikroCloud's tokens.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use std::fmt;

/// A key with which tokens are checked, and perhaps signed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The tenant whose organizations its tokens reach.
    pub tenant_id: TenantId,
    /// What tokens call it in their header `kid`; unique in the tenant.
    pub key_id: String,
    /// `HS256`, `RS256` or `ES256`: the one algorithm that it is good for.
    pub algorithm: String,
    /// The secret of HS256; else the public key as PEM or as a JSON Web Key.
    pub material: String,
    /// Whether the server itself signs with it.
    pub may_sign: bool,
    /// What tokens must say in `iss`, if anything.
    pub issuer: Option<String>,
    /// What tokens must name in `aud`, if anything.
    pub audience: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Shows all but the key itself.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("tenant_id", &self.tenant_id)
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

const COLUMNS: &str = "tenant_id, key_id, algorithm, key_material, may_sign, issuer, audience, created_at";

fn read(mut row: Row) -> Result<TokenKey, StoreError> {
    Ok(TokenKey {
        tenant_id: TenantId(row.next()?),
        key_id: row.next()?,
        algorithm: row.next()?,
        material: row.next()?,
        may_sign: row.next()?,
        issuer: row.next()?,
        audience: row.next()?,
        created_at: row.next()?,
    })
}

/// The record id of the tenant's key of this id, revoked or not.
pub fn record_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key_id: &str,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "SELECT record_id FROM token_keys WHERE tenant_id = $1 AND key_id = $2",
        &[tenant_id.0.into(), key_id.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// Adds a key, or replaces the tenant's key of the same id, and returns its record id; `None` when that one is the
/// server's own or was revoked, which nobody replaces.
pub fn put(tx: &mut dyn Connection, key: &TokenKey) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "INSERT INTO token_keys (tenant_id, key_id, algorithm, key_material, may_sign, issuer, audience, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, key_id) DO UPDATE SET algorithm = excluded.algorithm,
             key_material = excluded.key_material, issuer = excluded.issuer, audience = excluded.audience,
             created_at = excluded.created_at
         WHERE token_keys.may_sign = $9 AND token_keys.revoked_at IS NULL
         RETURNING record_id",
        &[
            key.tenant_id.0.into(),
            (&key.key_id).into(),
            (&key.algorithm).into(),
            (&key.material).into(),
            key.may_sign.into(),
            (&key.issuer).into(),
            (&key.audience).into(),
            key.created_at.into(),
            false.into(),
        ],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// The tenant's newest key that the server signs with.
pub fn signing(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<TokenKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token_keys WHERE tenant_id = $1 AND may_sign = $2 AND revoked_at IS NULL
         ORDER BY record_id DESC LIMIT 1"
    );
    tx.query_optional(&sql, &[tenant_id.0.into(), true.into()])?.map(read).transpose()
}

/// The keys of any tenant that tokens call `key_id`: a token names its key before anybody knows its tenant.
pub fn by_key_id(tx: &mut dyn Connection, key_id: &str) -> Result<Vec<TokenKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token_keys WHERE key_id = $1 AND revoked_at IS NULL ORDER BY record_id"
    );
    tx.query(&sql, &[key_id.into()])?.into_iter().map(read).collect()
}

/// The keys of any tenant that an issuer signs with, for tokens that name no key.
pub fn by_issuer(tx: &mut dyn Connection, issuer: &str) -> Result<Vec<TokenKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token_keys WHERE issuer = $1 AND revoked_at IS NULL ORDER BY record_id"
    );
    tx.query(&sql, &[issuer.into()])?.into_iter().map(read).collect()
}

/// The tenant's keys, oldest first. There are as many as somebody added by hand.
pub fn of_tenant(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Vec<TokenKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM token_keys WHERE tenant_id = $1 AND revoked_at IS NULL ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into()])?.into_iter().map(read).collect()
}

/// Revokes a key: tokens that it signed count no more. Returns its record id; `None` when the tenant has no such key
/// that counts.
pub fn revoke(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key_id: &str,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "UPDATE token_keys SET revoked_at = $3 WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL
         RETURNING record_id",
        &[tenant_id.0.into(), key_id.into(), now.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

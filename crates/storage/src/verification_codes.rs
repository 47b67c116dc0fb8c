//! Codes and keys that were sent to an address: one pair at a time for each, of which only digests are kept.

use crate::{Connection, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A code and a key, either of which proves that its bearer reads what is sent to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationCode {
    /// The address.
    pub address: String,
    /// Digest of the code of six digits.
    pub code_digest: Vec<u8>,
    /// Digest of the key of 40 digits.
    pub key_digest: Vec<u8>,
    /// The user who has this address.
    pub user_id: Option<Uuid>,
    /// How often another code was tried.
    pub attempts: i64,
    /// From when on it proves nothing.
    pub expires_at: Timestamp,
}

/// Keeps a new pair for its address, in place of an older one.
pub fn put(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    code: &VerificationCode,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO verification_codes (tenant_id, address, code_digest, key_digest, user_id, attempts, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, address) DO UPDATE SET code_digest = excluded.code_digest,
             key_digest = excluded.key_digest, user_id = excluded.user_id, attempts = excluded.attempts,
             created_at = excluded.created_at, expires_at = excluded.expires_at",
        &[
            tenant_id.0.into(),
            (&code.address).into(),
            code.code_digest.as_slice().into(),
            code.key_digest.as_slice().into(),
            code.user_id.into(),
            code.attempts.into(),
            now.into(),
            code.expires_at.into(),
        ],
    )?;
    Ok(())
}

const COLUMNS: &str = "address, code_digest, key_digest, user_id, attempts, expires_at";

fn read(mut row: crate::Row) -> Result<VerificationCode, StoreError> {
    Ok(VerificationCode {
        address: row.next()?,
        code_digest: row.next()?,
        key_digest: row.next()?,
        user_id: row.next()?,
        attempts: row.next()?,
        expires_at: row.next()?,
    })
}

/// What was sent to an address and has not expired, locked until the transaction ends.
pub fn lock_of_address(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    address: &str,
    now: Timestamp,
) -> Result<Option<VerificationCode>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT {COLUMNS} FROM verification_codes WHERE tenant_id = $1 AND address = $2 AND expires_at > $3 {for_update}"
    );
    let row = tx.query_optional(&sql, &[tenant_id.0.into(), address.into(), now.into()])?;
    row.map(read).transpose()
}

/// What has this key and has not expired.
pub fn by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key_digest: &[u8],
    now: Timestamp,
) -> Result<Option<VerificationCode>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM verification_codes WHERE tenant_id = $1 AND key_digest = $2 AND expires_at > $3"
    );
    let row = tx.query_optional(&sql, &[tenant_id.0.into(), key_digest.into(), now.into()])?;
    row.map(read).transpose()
}

/// Counts an attempt with another code.
pub fn count_attempt(tx: &mut dyn Connection, tenant_id: TenantId, address: &str) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE verification_codes SET attempts = attempts + 1 WHERE tenant_id = $1 AND address = $2",
        &[tenant_id.0.into(), address.into()],
    )?;
    Ok(())
}

/// Removes what was sent to an address, because it was used. False when somebody else has used it.
pub fn remove(tx: &mut dyn Connection, tenant_id: TenantId, address: &str) -> Result<bool, StoreError> {
    let removed = tx.execute(
        "DELETE FROM verification_codes WHERE tenant_id = $1 AND address = $2",
        &[tenant_id.0.into(), address.into()],
    )?;
    Ok(removed == 1)
}

/// Removes whatever was sent to a user, whose password has changed.
pub fn remove_of_user(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM verification_codes WHERE tenant_id = $1 AND user_id = $2",
        &[tenant_id.0.into(), user_id.into()],
    )?;
    Ok(())
}

/// Forgets up to `limit` codes that expired before `before`, also by the clock of their tenant.
pub fn forget(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM verification_codes WHERE record_id IN (
             SELECT c.record_id FROM verification_codes AS c LEFT JOIN tenants AS t ON t.record_id = c.tenant_id
             WHERE c.expires_at < $1 AND c.expires_at < $1 + COALESCE(t.clock_offset_micros, 0)
             ORDER BY c.expires_at LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

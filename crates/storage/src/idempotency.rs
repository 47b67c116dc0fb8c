//! The answers given to requests that carried an `Idempotency-Key`.

use crate::{Connection, StoreError};
use billing::TenantId;
use jiff::Timestamp;

/// Takes the key for this request. `None`: it was free and is taken now, within this transaction. Otherwise the digest
/// of the request that used it and the answer it got. Waits for a transaction that is just using the same key.
pub fn claim(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    scope: &str,
    key: &str,
    request_digest: &[u8],
    now: Timestamp,
) -> Result<Option<(Vec<u8>, String)>, StoreError> {
    let taken = tx.execute(
        "INSERT INTO idempotency_keys (tenant_id, scope, idempotency_key, request_digest, reply, created_at)
         VALUES ($1, $2, $3, $4, '', $5) ON CONFLICT DO NOTHING",
        &[tenant_id.0.into(), scope.into(), key.into(), request_digest.into(), now.into()],
    )?;
    if taken == 1 {
        return Ok(None);
    }
    let mut row = tx.query_one(
        "SELECT request_digest, reply FROM idempotency_keys
         WHERE tenant_id = $1 AND scope = $2 AND idempotency_key = $3",
        &[tenant_id.0.into(), scope.into(), key.into()],
    )?;
    Ok(Some((row.next()?, row.next()?)))
}

/// Keeps the answer given under a key.
pub fn keep(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    scope: &str,
    key: &str,
    reply: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE idempotency_keys SET reply = $4 WHERE tenant_id = $1 AND scope = $2 AND idempotency_key = $3",
        &[tenant_id.0.into(), scope.into(), key.into(), reply.into()],
    )?;
    Ok(())
}

/// Forgets up to `limit` keys older than `before`.
pub fn forget(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM idempotency_keys WHERE (tenant_id, scope, idempotency_key) IN (
             SELECT tenant_id, scope, idempotency_key FROM idempotency_keys WHERE created_at < $1
             ORDER BY created_at LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

//! Attempts to prove something that failed, counted for a subject: a name, an address of the network.

use crate::{Connection, StoreError};
use billing::TenantId;
use jiff::Timestamp;

/// How many attempts count against a subject at `now`.
pub fn count(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    subject: &str,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let row = tx.query_optional(
        "SELECT failures FROM failed_logins WHERE tenant_id = $1 AND subject = $2 AND until > $3",
        &[tenant_id.0.into(), subject.into(), now.into()],
    )?;
    row.map_or(Ok(0), |mut row| row.next())
}

/// Counts one more, and returns how many there are. They count until `until`, which the first of them says.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    subject: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<i64, StoreError> {
    let mut row = tx.query_one(
        "INSERT INTO failed_logins (tenant_id, subject, failures, until) VALUES ($1, $2, 1, $4)
         ON CONFLICT (tenant_id, subject) DO UPDATE SET
             failures = CASE WHEN failed_logins.until > $3 THEN failed_logins.failures + 1 ELSE 1 END,
             until = CASE WHEN failed_logins.until > $3 THEN failed_logins.until ELSE excluded.until END
         RETURNING failures",
        &[tenant_id.0.into(), subject.into(), now.into(), until.into()],
    )?;
    row.next()
}

/// Forgets what counts against a subject.
pub fn clear(tx: &mut dyn Connection, tenant_id: TenantId, subject: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM failed_logins WHERE tenant_id = $1 AND subject = $2",
        &[tenant_id.0.into(), subject.into()],
    )?;
    Ok(())
}

/// Forgets up to `limit` counts that ended before `before`, also by the clock of their tenant.
pub fn forget(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM failed_logins WHERE (tenant_id, subject) IN (
             SELECT f.tenant_id, f.subject FROM failed_logins AS f LEFT JOIN tenants AS t ON t.record_id = f.tenant_id
             WHERE f.until < $1 AND f.until < $1 + COALESCE(t.clock_offset_micros, 0) ORDER BY f.until LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

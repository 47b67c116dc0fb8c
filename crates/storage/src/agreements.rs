//! Documents that people agree to, and their signatures.

use crate::{Connection, StoreError};
use billing::TenantId;
use uuid::Uuid;

/// Slug of the agreement without whose signature a user may do little.
pub const TERMS: &str = "terms-of-use";

/// Whether a user has signed the terms since they last changed. Where there are none, everybody has.
pub fn has_signed_terms(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
) -> Result<bool, StoreError> {
    let unsigned = tx.query_optional(
        "SELECT a.record_id FROM agreements AS a WHERE a.tenant_id = $1 AND a.slug = $2 AND NOT EXISTS
             (SELECT 1 FROM signatures AS s WHERE s.tenant_id = $1 AND s.agreement_slug = $2 AND s.user_id = $3
              AND s.signed_at >= a.updated_at)",
        &[tenant_id.0.into(), TERMS.into(), user_id.into()],
    )?;
    Ok(unsigned.is_none())
}

//! How far an account is overdue.

use billing::TenantId;
use billing::overdue::{OverdueState, PAYMENT_RETRY_DAYS, parse_retry_days};
use std::collections::BTreeMap;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// The name under which a tenant keeps its settings: a JSON object of texts.
const SETTINGS: &str = "PER_TENANT_CONFIG";

/// The setting with the days between attempts to collect a payment.
const RETRY_DAYS: &str = "org.killbill.payment.retry.days";

/// Where the account stands, and the days between attempts to collect a payment that failed. Nothing can be overdue
/// before there are invoices: the state is clear. Refuses an unknown account.
pub fn state_of(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Outcome<(OverdueState, Vec<i64>)> {
    crate::accounts::get(tx, tenant_id, account_id)?;
    Ok((OverdueState::clear(), retry_days(tx, tenant_id)?))
}

/// The tenant's days between attempts to collect a payment. A setting that cannot be understood counts as none.
fn retry_days(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Vec<i64>> {
    let settings = storage::tenants::last_value(tx, tenant_id, SETTINGS)?;
    let settings: BTreeMap<String, serde_json::Value> =
        settings.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let days = settings.get(RETRY_DAYS).and_then(serde_json::Value::as_str).and_then(parse_retry_days);
    Ok(days.unwrap_or_else(|| PAYMENT_RETRY_DAYS.to_vec()))
}

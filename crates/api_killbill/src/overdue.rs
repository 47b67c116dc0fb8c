//! How far an account is overdue.

use crate::error::ERRORS;
use crate::location::id;
use crate::query::Answer;
use crate::session::Reading;
use axum::extract::{Path, State};
use axum::routing::get;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use serde::Serialize;
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/1.0/kb/accounts/{accountId}/overdue", get(get_overdue_state))]
}

/// Kill Bill's `OverdueState`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OverdueStateJson {
    name: String,
    external_message: String,
    days_between_payment_retries: Vec<i64>,
    is_disable_entitlement_and_changes_blocked: bool,
    is_block_changes: bool,
    is_clear_state: bool,
    reevaluation_interval_days: Option<i64>,
}

async fn get_overdue_state(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
) -> Answer {
    let (account_id, tenant_id) = (id(&account_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let (state, retry_days) = operations::overdue::state_of(tx, tenant_id, account_id)?;
        let state = OverdueStateJson {
            name: state.name,
            external_message: state.external_message,
            days_between_payment_retries: retry_days,
            is_disable_entitlement_and_changes_blocked: state.is_disable_entitlement_and_changes_blocked,
            is_block_changes: state.is_block_changes,
            is_clear_state: state.is_clear_state,
            reevaluation_interval_days: state.reevaluation_interval_days,
        };
        Ok(Reply::json(StatusCode::OK, &state))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

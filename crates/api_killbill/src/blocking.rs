//! Blocking states of an account: add, list, history.

use crate::audit::{AuditLevel, AuditLogJson, AuditLogs};
use crate::error::{ERRORS, bad_argument, not_found};
use crate::history::audit_logs_with_history;
use crate::json::{Body, instant, parse_instant};
use crate::location::{Base, id};
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use billing::blocking::{Blocked, BlockedType, BlockingState, NewBlockingState};
use billing::{ObjectType, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use jiff::civil::Date;
use operations::blocking::{Blockable, EffectiveFrom};
use serde::{Deserialize, Serialize};
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/1.0/kb/accounts/{accountId}/block", post(block_account)),
        route("GET", "/1.0/kb/accounts/{accountId}/block", get(list_blocking_states)),
        route("GET", "/1.0/kb/accounts/block/{blockingId}/auditLogsWithHistory", get(list_history)),
    ]
}

/// Kill Bill's `BlockingState` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockingStateJson {
    blocked_id: Uuid,
    state_name: String,
    service: String,
    is_block_change: bool,
    is_block_entitlement: bool,
    is_block_billing: bool,
    effective_date: String,
    #[serde(rename = "type")]
    blocked_type: &'static str,
    audit_logs: Vec<AuditLogJson>,
}

/// Kill Bill's `BlockingState` as clients send it. What is blocked, and from when on, is said by the path and the
/// query; the body may repeat it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct BlockingStateRequest {
    #[serde(rename = "blockedId")]
    _blocked_id: Option<Uuid>,
    state_name: Option<String>,
    service: Option<String>,
    #[serde(deserialize_with = "crate::json::flag")]
    is_block_change: Option<bool>,
    #[serde(deserialize_with = "crate::json::flag")]
    is_block_entitlement: Option<bool>,
    #[serde(deserialize_with = "crate::json::flag")]
    is_block_billing: Option<bool>,
    #[serde(rename = "effectiveDate")]
    _effective_date: Option<serde_json::Value>,
    #[serde(rename = "type")]
    _blocked_type: Option<TypeName>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

/// Names of what can be blocked, so that others in a body are refused.
#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum TypeName {
    Subscription,
    SubscriptionBundle,
    Account,
}

impl BlockingStateRequest {
    /// The state that is asked for.
    pub(crate) fn into_new(self) -> NewBlockingState {
        NewBlockingState {
            state_name: self.state_name,
            service: self.service,
            blocked: Blocked {
                change: self.is_block_change.unwrap_or(false),
                entitlement: self.is_block_entitlement.unwrap_or(false),
                billing: self.is_block_billing.unwrap_or(false),
            },
        }
    }
}

/// `requestedDate`: with a `T` it is a date-time, else a day; absent or empty it is now.
pub(crate) fn effective_from(query: &Query) -> Result<EffectiveFrom, Reply> {
    let invalid = |text: &str| bad_argument(format!("Invalid format: \"{text}\""));
    match query.text("requestedDate") {
        None | Some("") => Ok(EffectiveFrom::Now),
        Some(text) if text.contains('T') => {
            parse_instant("requestedDate", text).map(EffectiveFrom::Instant).map_err(|_| invalid(text))
        }
        Some(text) => text.parse::<Date>().map(EffectiveFrom::Day).map_err(|_| invalid(text)),
    }
}

async fn block_account(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    query: Query,
    base: Base,
    Body(request): Body<BlockingStateRequest>,
) -> Answer {
    let (account_id, from) = (id(&account_id)?, effective_from(&query)?);
    let new = request.into_new();
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        let account = Blockable::account(account_id);
        operations::blocking::set(tx, tenant_id, account, caller, writer.now, &new, from)?;
        Ok(base.created(&format!("/accounts/{account_id}/block?blockingStateTypes=ACCOUNT")))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// Which states a list shows: all, or only those of some kinds and services.
struct Filter {
    types: Vec<BlockedType>,
    services: Vec<String>,
}

impl Filter {
    fn from_query(query: &Query) -> Result<Filter, Reply> {
        let types = query.all("blockingStateTypes").map(|name| name.parse().map_err(|()| not_found()));
        let services = query.all("blockingStateSvcs").map(str::to_owned).collect();
        Ok(Filter { types: types.collect::<Result<_, _>>()?, services })
    }

    fn shows(&self, state: &BlockingState) -> bool {
        (self.types.is_empty() || self.types.contains(&state.blocked_type))
            && (self.services.is_empty() || self.services.contains(&state.service))
    }
}

/// Blocking states as Kill Bill writes them.
pub(crate) fn render(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    states: Vec<BlockingState>,
    audit: AuditLevel,
) -> Outcome<Vec<BlockingStateJson>> {
    let ids: Vec<Uuid> = states.iter().map(|state| state.id).collect();
    let mut logs = AuditLogs::of(tx, tenant_id, audit, ObjectType::BlockingStates, &ids)?;
    let json = |state: BlockingState| BlockingStateJson {
        blocked_id: state.blocked_id,
        state_name: state.state_name,
        service: state.service,
        is_block_change: state.is_block_change,
        is_block_entitlement: state.is_block_entitlement,
        is_block_billing: state.is_block_billing,
        effective_date: instant(state.effective_at),
        blocked_type: state.blocked_type.name(),
        audit_logs: logs.take(state.id),
    };
    Ok(states.into_iter().map(json).collect())
}

async fn list_blocking_states(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, filter, audit) = (id(&account_id)?, Filter::from_query(&query)?, query.audit()?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        operations::accounts::get(tx, tenant_id, account_id)?;
        let stored = storage::blocking_states::of_account(tx, tenant_id, account_id)?;
        let states = stored.into_iter().map(|stored| stored.state).filter(|state| filter.shows(state));
        let states = render(tx, tenant_id, states.collect(), audit)?;
        Ok(Reply::json(StatusCode::OK, &states))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn list_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(blocking_id): Path<String>,
) -> Answer {
    let (blocking_id, tenant_id) = (id(&blocking_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let logs = audit_logs_with_history(tx, tenant_id, ObjectType::BlockingStates, blocking_id)?;
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

//! All that happened to an account, in one answer.

use crate::accounts::{AccountJson, AccountView};
use crate::audit::{AuditLevel, read_with_audit};
use crate::location::id;
use crate::query::{Answer, Query};
use crate::session::Reading;
use axum::extract::{Path, State};
use axum::routing::get;
use billing::TenantId;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use serde::Serialize;
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/1.0/kb/accounts/{accountId}/timeline", get(get_timeline))]
}

/// Kill Bill's `AccountTimeline`. The book has no bundles, invoices and payments yet: their lists
/// are empty by type.
#[derive(Serialize)]
struct TimelineJson {
    account: AccountJson,
    bundles: [(); 0],
    invoices: [(); 0],
    payments: [(); 0],
}

fn timeline(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    audit: AuditLevel,
) -> Outcome<TimelineJson> {
    let stored = operations::accounts::get(tx, tenant_id, account_id)?;
    Ok(TimelineJson {
        account: AccountView::plain(audit).render(tx, tenant_id, stored)?,
        bundles: [],
        invoices: [],
        payments: [],
    })
}

/// `parallel` says how Kill Bill reads, not what: one consistent view is read here either way.
async fn get_timeline(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, audit) = (id(&account_id)?, query.audit()?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        Ok(Reply::json(StatusCode::OK, &timeline(tx, tenant_id, account_id, audit)?))
    };
    Ok(read_with_audit(&edge, audit, work).await)
}

//! Audit logs of an account and all that belongs to it. What hangs on an account has its own `auditLogsWithHistory`
//! in its own file.

use crate::audit::AuditLogJson;
use crate::error::ERRORS;
use crate::history::audit_logs_with_history;
use crate::location::id;
use crate::query::Answer;
use crate::session::Reading;
use axum::extract::{Path, State};
use axum::routing::get;
use billing::ObjectType;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/1.0/kb/accounts/{accountId}/auditLogs", get(list_audit_logs)),
        route("GET", "/1.0/kb/accounts/{accountId}/auditLogsWithHistory", get(list_history)),
    ]
}

async fn list_audit_logs(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
) -> Answer {
    let (account_id, tenant_id) = (id(&account_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        operations::accounts::get(tx, tenant_id, account_id)?;
        let mut records = storage::audit::of_account(tx, tenant_id, account_id)?;
        // Kill Bill's clients know only its kinds of objects. A change of aliases is one of the account, too.
        records.retain(|record| record.object_type != ObjectType::AccountAlias);
        let logs: Vec<AuditLogJson> = records.into_iter().map(AuditLogJson::brief).collect();
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn list_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
) -> Answer {
    let (account_id, tenant_id) = (id(&account_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let logs = audit_logs_with_history(tx, tenant_id, ObjectType::Account, account_id)?;
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

//! E-mail addresses of an account: add, list, delete, history.

use crate::error::{ERRORS, bad_argument};
use crate::history::audit_logs_with_history;
use crate::json::Body;
use crate::location::{Base, id};
use crate::query::{Answer, Early};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use billing::{ObjectType, Refusal};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use storage::Connection;
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/1.0/kb/accounts/{accountId}/emails", post(add_email)),
        route("GET", "/1.0/kb/accounts/{accountId}/emails", get(list_emails)),
        route("DELETE", "/1.0/kb/accounts/{accountId}/emails/{email}", delete(remove_email)),
        route(
            "GET",
            "/1.0/kb/accounts/{accountId}/emails/{accountEmailId}/auditLogsWithHistory",
            get(list_history),
        ),
    ]
}

/// Kill Bill's `AccountEmail` as it is written. A list of them never carries audit logs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmailJson {
    account_id: Uuid,
    email: String,
    audit_logs: [(); 0],
}

/// Kill Bill's `AccountEmail` as clients send it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct AccountEmailRequest {
    account_id: Option<Uuid>,
    email: Option<String>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

impl AccountEmailRequest {
    /// The address; the account in the body, if any, must be the one in the path.
    fn email(self, account_id: Uuid) -> Result<String, Early> {
        let email = self.email.filter(|email| !email.is_empty());
        let email = email.ok_or_else(|| bad_argument("AccountEmailJson email needs to be set"))?;
        if self.account_id.is_some_and(|named| named != account_id) {
            return Err(bad_argument("AccountEmailJson accountId must be the account's of the path").into());
        }
        Ok(email)
    }
}

async fn add_email(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(account_id): Path<String>,
    base: Base,
    Body(request): Body<AccountEmailRequest>,
) -> Answer {
    let account_id = id(&account_id)?;
    let email = request.email(account_id)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        operations::account_emails::add(tx, tenant_id, account_id, caller, writer.now, &email)?;
        Ok(base.created(&format!("/accounts/{account_id}/emails")))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_emails(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
) -> Answer {
    let (account_id, tenant_id) = (id(&account_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let emails = storage::account_emails::of_account(tx, tenant_id, account_id)?;
        let emails: Vec<EmailJson> = emails
            .into_iter()
            .map(|email| EmailJson { account_id, email: email.email, audit_logs: [] })
            .collect();
        Ok(Reply::json(StatusCode::OK, &emails))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn remove_email(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path((account_id, email)): Path<(String, String)>,
) -> Answer {
    let account_id = id(&account_id)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller) = (writer.tenant.tenant_id, &writer.caller);
        operations::account_emails::remove(tx, tenant_id, account_id, caller, writer.now, &email)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path((account_id, email_id)): Path<(String, String)>,
) -> Answer {
    let (account_id, email_id) = (id(&account_id)?, id(&email_id)?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        storage::account_emails::by_id(tx, tenant_id, email_id)?
            .filter(|email| email.account_id == account_id)
            .ok_or(Refusal::ObjectUnknown { object_type: ObjectType::AccountEmail, id: email_id })?;
        let logs = audit_logs_with_history(tx, tenant_id, ObjectType::AccountEmail, email_id)?;
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

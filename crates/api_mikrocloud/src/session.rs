//! Who asks: the bearer token of a request, and the scope that the request needs.

use crate::error::{ERRORS, say};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use billing::{Caller, Permission, Permissions, Refusal};
use edge::{Edge, IdempotencyKey, Reply, Session, SharedEdge};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::tz::TimeZone;
use operations::mikrocloud_tokens::{self, Grant, SCOPE_READ, SCOPE_WRITE};
use storage::Connection;
use uuid::Uuid;

/// Most characters of the name under which changes are recorded.
const NAME_LIMIT: usize = 50;

/// A request of an organization.
#[derive(Clone)]
pub(crate) struct Call {
    /// Who asks, of which tenant, at what time.
    pub(crate) session: Session,
    /// The organization that the token speaks for.
    pub(crate) organization_id: Uuid,
    /// The zone in which the caller wants to read times.
    pub(crate) zone: TimeZone,
}

/// A request with the scope `account:read`.
pub(crate) struct Reading(pub(crate) Call);

/// A request with the scope `account:write`.
pub(crate) struct Writing(pub(crate) Call);

impl FromRequestParts<SharedEdge> for Reading {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Reading, Response> {
        call(parts, edge, SCOPE_READ).await.map(Reading).map_err(Reply::into_response)
    }
}

impl FromRequestParts<SharedEdge> for Writing {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Writing, Response> {
        call(parts, edge, SCOPE_WRITE).await.map(Writing).map_err(Reply::into_response)
    }
}

async fn call(parts: &mut Parts, edge: &Edge, scope: &str) -> Result<Call, Reply> {
    let Some(token) = bearer(parts) else {
        let reply = say(StatusCode::UNAUTHORIZED, "A bearer token is needed");
        return Err(reply.with("WWW-Authenticate", "Bearer realm=\"mikrocloud\""));
    };
    let work = move |tx: &mut dyn Connection| mikrocloud_tokens::verify(tx, &token);
    let grant = edge.store.read_point(work).await.map_err(|error| ERRORS.reply(&error))?;
    edge::note_tenant(&grant.tenant.api_key);
    if !grant.scopes.iter().any(|granted| granted == scope) {
        return Err(say(StatusCode::FORBIDDEN, &format!("The token lacks the scope {scope}")));
    }
    let idempotency = parts.extensions.remove::<IdempotencyKey>();
    let session = Session {
        caller: caller(&grant).map_err(|refusal| (ERRORS.refusal)(&refusal))?,
        now: operations::clock::now(&grant.tenant),
        idempotency: idempotency.map(|key| key.of(&grant.organization_id.to_string())),
        tenant: grant.tenant,
    };
    Ok(Call { session, organization_id: grant.organization_id, zone: grant.zone })
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// The caller, under the token's subject or, without one, the organization's id; what he may do, its scopes say.
fn caller(grant: &Grant) -> Result<Caller, Refusal> {
    let subject = grant.subject.clone().filter(|subject| !subject.is_empty());
    let name = subject.unwrap_or_else(|| grant.organization_id.to_string());
    let changed_by: String = name.chars().take(NAME_LIMIT).collect();
    if changed_by.chars().any(char::is_control) {
        return Err(Refusal::TokenInvalid { why: "The token's claim sub has control characters" });
    }
    let writes = grant.scopes.iter().any(|scope| scope == SCOPE_WRITE);
    let permissions: &[Permission] =
        if writes { &[Permission::AccountCreate, Permission::AccountUpdate] } else { &[] };
    Ok(Caller {
        changed_by,
        reason: None,
        comment: None,
        user_token: edge::user_token(),
        permissions: Permissions::only(permissions),
    })
}

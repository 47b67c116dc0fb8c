//! Kill Bill's headers: who calls (HTTP basic), which tenant (`X-Killbill-ApiKey`, `ApiSecret`), and why
//! (`X-Killbill-CreatedBy`, `Reason`, `Comment`).

use crate::error::{ERRORS, bad_argument};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use billing::{Caller, Tenant};
use edge::{Edge, IdempotencyKey, Operator, Reply, Session, SharedEdge};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use std::net::SocketAddr;

/// A request that reads a tenant's book: its caller need not say who he is for the record.
pub(crate) struct Reading(pub(crate) Session);

/// A request that changes a tenant's book: `X-Killbill-CreatedBy` is needed.
pub(crate) struct Writing(pub(crate) Session);

/// A request of an operator that concerns no tenant.
pub(crate) struct OperatorCall {
    /// Who calls.
    pub(crate) operator: Operator,
    /// His session, when a cookie let him in.
    pub(crate) session: Option<storage::sessions::Session>,
    /// The address that he calls from, if the server knows it.
    pub(crate) host: Option<String>,
    /// What he says about it; none without `X-Killbill-CreatedBy`.
    pub(crate) caller: Option<Caller>,
    /// The key under which this request is done at most once.
    pub(crate) idempotency: Option<IdempotencyKey>,
}

impl FromRequestParts<SharedEdge> for Reading {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Reading, Response> {
        session(parts, edge, String::new()).await.map(Reading).map_err(Reply::into_response)
    }
}

impl FromRequestParts<SharedEdge> for Writing {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Writing, Response> {
        let created_by = created_by(&parts.headers);
        let session = session(parts, edge, created_by.clone().unwrap_or_default()).await;
        let session = session.map_err(Reply::into_response)?;
        match created_by {
            Some(_) => Ok(Writing(session)),
            None => Err(created_by_missing().into_response()),
        }
    }
}

impl FromRequestParts<SharedEdge> for OperatorCall {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<OperatorCall, Response> {
        let (operator, session) = operator(&parts.headers, edge).await.map_err(Reply::into_response)?;
        let host = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip().to_string());
        let caller = match created_by(&parts.headers) {
            Some(created_by) => {
                Some(caller(&parts.headers, created_by, &operator).map_err(Reply::into_response)?)
            }
            None => None,
        };
        let idempotency = parts.extensions.remove::<IdempotencyKey>().map(|key| key.of(&operator.username));
        Ok(OperatorCall { operator, session, host, caller, idempotency })
    }
}

impl OperatorCall {
    /// The caller of a change; 400 when he did not say who he is.
    pub(crate) fn writing(&self) -> Result<Caller, Reply> {
        self.caller.clone().ok_or_else(created_by_missing)
    }

    /// The change of what belongs to no tenant, as [`Edge::write`] wants it; 400 when he did not say who he is.
    pub(crate) fn into_session(self) -> Result<Session, Reply> {
        self.writing()?;
        Ok(self.into_session_of_anyone())
    }

    /// [`OperatorCall::into_session`] for a change of which no audit record is kept: he need not say who he is.
    pub(crate) fn into_session_of_anyone(self) -> Session {
        let caller = self.caller.unwrap_or_else(|| Caller {
            changed_by: String::new(),
            reason: None,
            comment: None,
            user_token: edge::user_token(),
            permissions: self.operator.permissions,
        });
        let now = operations::clock::real();
        Session { tenant: Tenant::server(), caller, now, idempotency: self.idempotency }
    }
}

fn created_by_missing() -> Reply {
    bad_argument("Header X-Killbill-CreatedBy needs to be set")
}

async fn session(parts: &mut Parts, edge: &Edge, created_by: String) -> Result<Session, Reply> {
    let (operator, _) = operator(&parts.headers, edge).await?;
    let tenant = tenant(parts, edge).await?;
    edge::note_tenant(&tenant.api_key);
    let caller = caller(&parts.headers, created_by, &operator)?;
    let now = operations::clock::now(&tenant);
    let idempotency = parts.extensions.remove::<IdempotencyKey>().map(|key| key.of(&operator.username));
    Ok(Session { tenant, caller, now, idempotency })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
}

/// Who calls: a session's cookie comes before name and password.
async fn operator(
    headers: &HeaderMap,
    edge: &Edge,
) -> Result<(Operator, Option<storage::sessions::Session>), Reply> {
    if let Some(token) = session_token(headers) {
        let known = edge.session(token).await.map_err(|error| ERRORS.reply(&error))?;
        if let Some((operator, session)) = known {
            return Ok((operator, Some(session)));
        }
    }
    let unauthenticated =
        || Reply::empty(StatusCode::UNAUTHORIZED).with("WWW-Authenticate", "BASIC realm=\"application\"");
    let (username, password) = header(headers, "authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .and_then(|pair| pair.split_once(':').map(|(name, password)| (name.to_owned(), password.to_owned())))
        .ok_or_else(unauthenticated)?;
    let operator = edge.operator(&username, &password).await.map_err(|error| ERRORS.reply(&error))?;
    operator.map(|operator| (operator, None)).ok_or_else(unauthenticated)
}

/// Name of the cookie that carries a session's token.
pub(crate) const SESSION_COOKIE: &str = "JSESSIONID";

fn session_token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(http::header::COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, token)| token)
}

async fn tenant(parts: &Parts, edge: &Edge) -> Result<Tenant, Reply> {
    let unauthorized = |message: &str| {
        let body = serde_json::json!({
            "servlet": "default", "message": message, "url": parts.uri.path(), "status": "401",
        });
        Reply::json(StatusCode::UNAUTHORIZED, &body)
    };
    let headers = &parts.headers;
    let (Some(key), Some(secret)) =
        (header(headers, "x-killbill-apikey"), header(headers, "x-killbill-apisecret"))
    else {
        return Err(unauthorized("Make sure to set the X-Killbill-ApiKey and X-Killbill-ApiSecret headers"));
    };
    edge.tenant(key, secret)
        .await
        .map_err(|error| ERRORS.reply(&error))?
        .ok_or_else(|| unauthorized("Unknown X-Killbill-ApiKey or wrong X-Killbill-ApiSecret"))
}

fn created_by(headers: &HeaderMap) -> Option<String> {
    audit_header(headers, "x-killbill-createdby")
}

/// One of the three audit headers; `X-Killbill-Encoding: base64` says that they are encoded.
fn audit_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = header(headers, name)?;
    let encoded = header(headers, "x-killbill-encoding")
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
    if !encoded {
        return Some(value.to_owned());
    }
    let decoded = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Some(decoded.unwrap_or_else(|| value.to_owned()))
}

fn caller(headers: &HeaderMap, changed_by: String, operator: &Operator) -> Result<Caller, Reply> {
    let reason = audit_header(headers, "x-killbill-reason");
    let comment = audit_header(headers, "x-killbill-comment");
    let texts = [
        ("X-Killbill-CreatedBy", Some(&changed_by), 50),
        ("X-Killbill-Reason", reason.as_ref(), 255),
        ("X-Killbill-Comment", comment.as_ref(), 255),
    ];
    for (name, text, limit) in texts {
        if let Some(text) = text {
            billing::text::check_text(name, text, limit, true)
                .map_err(|refusal| bad_argument(refusal.to_string()))?;
        }
    }
    let permissions = operator.permissions.clone();
    Ok(Caller { changed_by, reason, comment, user_token: edge::user_token(), permissions })
}

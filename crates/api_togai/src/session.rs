//! Who calls: `Authorization: Bearer` with an API token or a bearer token made from one.

use crate::error::{ERRORS, failure};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use billing::{Caller, Permission, Permissions};
use edge::{IdempotencyKey, Reply, Session, SharedEdge};
use http::StatusCode;
use http::request::Parts;
use operations::api_tokens;
use storage::api_tokens::ApiToken;

/// What a token permits: all that this desk offers.
const PERMISSIONS: &[Permission] = &[Permission::AccountCreate, Permission::AccountUpdate];

/// A request of somebody who holds a token of this desk.
pub(crate) struct Call {
    /// Tenant, caller, time.
    pub(crate) session: Session,
    /// What was sent behind `Bearer`.
    pub(crate) credential: String,
    /// The API token that it is, or was made from.
    pub(crate) token: ApiToken,
}

impl FromRequestParts<SharedEdge> for Call {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Call, Response> {
        let credential = bearer(parts).ok_or_else(|| unauthorized().into_response())?;
        let (proof, real_now) = (credential.clone(), operations::clock::real());
        let recognized = edge
            .store
            .read_point(move |tx| api_tokens::recognize(tx, &proof, real_now))
            .await
            .map_err(|error| ERRORS.reply(&error).into_response())?;
        let (token, tenant) = recognized.ok_or_else(|| unauthorized().into_response())?;
        edge::note_tenant(&tenant.api_key);
        let now = operations::clock::now(&tenant);
        let caller = Caller {
            changed_by: token.name.clone().unwrap_or_else(|| format!("togai-{}", token.id.simple())),
            reason: None,
            comment: None,
            user_token: edge::user_token(),
            permissions: Permissions::only(PERMISSIONS),
        };
        let idempotency = parts.extensions.remove::<IdempotencyKey>();
        let idempotency = idempotency.map(|key| key.of(&token.id.to_string()));
        Ok(Call { session: Session { tenant, caller, now, idempotency }, credential, token })
    }
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then(|| credential.to_owned())
}

fn unauthorized() -> Reply {
    let message = "a valid API token or bearer token is needed: Authorization: Bearer <token>";
    failure(StatusCode::UNAUTHORIZED, message).with("WWW-Authenticate", "Bearer")
}

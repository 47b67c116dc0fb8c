//! Who calls: the site by its host name, the user by his token.

use crate::error::{ERRORS, detail};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use billing::{Caller, Permission, Permissions, Tenant};
use edge::{IdempotencyKey, Reply, Session, SharedEdge};
use http::StatusCode;
use http::request::Parts;
use operations::logins::Login;
use operations::{clock, logins, sites};

/// What users may do through this desk once its guards have let them in.
const PERMISSIONS: &[Permission] =
    &[Permission::AccountCreate, Permission::AccountUpdate, Permission::UserCreate];

/// A call by anybody.
pub(crate) struct Visitor {
    /// Tenant, caller, time.
    pub(crate) session: Session,
    /// The user, if he is logged in.
    pub(crate) login: Option<Login>,
    /// The token that says so.
    pub(crate) token: Option<String>,
    /// Scheme and host by which the site was called, without a slash behind.
    pub(crate) base: String,
}

/// A call by a user who is logged in; anybody else is refused with 403.
pub(crate) struct Member {
    /// Tenant, caller, time.
    pub(crate) session: Session,
    /// The user.
    pub(crate) login: Login,
    /// Scheme and host by which the site was called, without a slash behind.
    pub(crate) base: String,
}

impl FromRequestParts<SharedEdge> for Visitor {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Visitor, Response> {
        let failed = |error| ERRORS.reply(&error).into_response();
        let host = host(parts);
        let base = edge
            .settings
            .public_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", host.as_deref().unwrap_or("localhost")));
        let token = bearer(parts);
        let (name, proof) = (host, token.clone());
        let found = edge
            .store
            .read_point(move |tx| {
                let Some(tenant) = sites::of_host(tx, name.as_deref())? else { return Ok(None) };
                let login = match &proof {
                    Some(token) => logins::recognize(tx, &tenant, token, clock::real())?,
                    None => None,
                };
                let is_site = storage::organizations::by_id(tx, tenant.tenant_id, tenant.id)?.is_some();
                Ok(Some((tenant, login, is_site)))
            })
            .await
            .map_err(failed)?;
        let Some((tenant, login, is_site)) = found else { return Err(no_site().into_response()) };
        edge::note_tenant(&tenant.api_key);
        let now = clock::now(&tenant);
        if !is_site {
            let tenant = tenant.clone();
            edge.store.write(move |tx| sites::ensure(tx, &tenant, now)).await.map_err(failed)?;
        }
        let session = session(parts, tenant, login.as_ref());
        Ok(Visitor { session, login, token, base })
    }
}

fn session(parts: &mut Parts, tenant: Tenant, login: Option<&Login>) -> Session {
    let name = login.map_or("anonymous", |login| login.user.username.as_str());
    let caller = Caller {
        changed_by: name.chars().take(50).collect(),
        reason: None,
        comment: None,
        user_token: edge::user_token(),
        permissions: Permissions::only(PERMISSIONS),
    };
    let scope = login.map_or_else(String::new, |login| login.user.id.to_string());
    let idempotency = parts.extensions.remove::<IdempotencyKey>().map(|key| key.of(&scope));
    let now = clock::now(&tenant);
    Session { tenant, caller, now, idempotency }
}

impl FromRequestParts<SharedEdge> for Member {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Member, Response> {
        let Visitor { session, login, base, .. } = Visitor::from_request_parts(parts, edge).await?;
        let denied = || detail(StatusCode::FORBIDDEN, "Permission denied").into_response();
        Ok(Member { session, login: login.ok_or_else(denied)?, base })
    }
}

/// The host that was asked, with its port.
fn host(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    header.map(str::to_owned).or_else(|| parts.uri.authority().map(ToString::to_string))
}

fn bearer(parts: &Parts) -> Option<String> {
    let value = parts.headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    let credential = credential.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty()).then(|| credential.to_owned())
}

fn no_site() -> Reply {
    detail(StatusCode::NOT_FOUND, "There is no site yet: make a tenant first")
}

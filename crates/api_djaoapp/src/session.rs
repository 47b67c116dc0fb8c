//! Who calls: the site by its host name, the user by his cookie, token or API key.

use crate::cookies;
use crate::error::{ERRORS, detail};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use billing::{Caller, Permission, Permissions, Tenant};
use edge::{IdempotencyKey, Reply, Session, SharedEdge};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use operations::logins::Login;
use operations::{api_keys, clock, logins, sites};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use storage::{Connection, Outcome};

/// What users may do through this desk once its guards have let them in.
const PERMISSIONS: &[Permission] =
    &[Permission::AccountCreate, Permission::AccountUpdate, Permission::UserCreate];

/// A call by anybody. An `Authorization` header that proves nothing is refused with 401.
pub(crate) struct Visitor {
    /// Tenant, caller, time.
    pub(crate) session: Session,
    /// The user, if he is logged in.
    pub(crate) login: Option<Login>,
    /// Scheme and host by which the site was called, without a slash behind.
    pub(crate) base: String,
    /// The same, where it can be trusted with links that others receive.
    pub(crate) link_base: Option<String>,
    /// The address of the network that the call comes from, where it tells callers apart.
    pub(crate) peer: Option<String>,
    /// Whether a browser on another origin calls.
    pub(crate) is_foreign: bool,
    /// The token against forgery that the caller has, or a new one.
    pub(crate) csrf_token: String,
}

/// A call by a user who is logged in; anybody else is refused with 403.
#[derive(Clone)]
pub(crate) struct Member {
    /// Tenant, caller, time.
    pub(crate) session: Session,
    /// The user.
    pub(crate) login: Login,
    /// Scheme and host by which the site was called, without a slash behind.
    pub(crate) base: String,
    /// The same, where it can be trusted with links that others receive.
    pub(crate) link_base: Option<String>,
}

/// With what a call says who makes it.
#[derive(Clone)]
enum Credential {
    Cookie(String),
    Bearer(String),
    ApiKey(String),
}

impl FromRequestParts<SharedEdge> for Visitor {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Visitor, Response> {
        let visitor = find(parts, edge).await?;
        if visitor.login.is_none() && parts.headers.contains_key(AUTHORIZATION) {
            return Err(unauthorized(&json!({ "detail": "Invalid token or API key." })).into_response());
        }
        Ok(visitor)
    }
}

impl FromRequestParts<SharedEdge> for Member {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Member, Response> {
        let Visitor { session, login, base, link_base, .. } = find(parts, edge).await?;
        let denied = || detail(StatusCode::FORBIDDEN, "Permission denied").into_response();
        Ok(Member { session, login: login.ok_or_else(denied)?, base, link_base })
    }
}

/// Who calls, whether or not he is logged in.
async fn find(parts: &mut Parts, edge: &SharedEdge) -> Result<Visitor, Response> {
    let failed = |error| ERRORS.reply(&error).into_response();
    let name = host(parts);
    let base = base(parts, edge);
    let is_own = parts.method.is_safe() || cookies::is_own(&parts.headers, &base);
    let mut proofs = credentials(parts);
    if !is_own && parts.headers.contains_key(AUTHORIZATION) {
        // Whoever sends such a header need not prove that his page is the site's own; then the header alone counts.
        proofs.retain(|proof| !matches!(proof, Credential::Cookie(_)));
    }
    let found = edge
        .store
        .read_point(move |tx| {
            let Some(tenant) = sites::of_host(tx, name.as_deref())? else { return Ok(None) };
            let login = recognize(tx, &tenant, &proofs)?;
            let is_site = storage::organizations::by_id(tx, tenant.tenant_id, tenant.id)?.is_some();
            Ok(Some((tenant, login, is_site)))
        })
        .await
        .map_err(failed)?;
    let Some((tenant, found, is_site)) = found else { return Err(no_site().into_response()) };
    edge::note_tenant(&tenant.api_key);
    let (login, is_by_cookie) = found.map_or((None, false), |(login, by)| (Some(login), by));
    if is_by_cookie && !is_own {
        let why = "CSRF Failed: the header X-CSRFToken must repeat the cookie csrftoken.";
        return Err(detail(StatusCode::FORBIDDEN, why).into_response());
    }
    let now = clock::now(&tenant);
    if !is_site {
        let tenant = tenant.clone();
        edge.store.write(move |tx| sites::ensure(tx, &tenant, now)).await.map_err(failed)?;
    }
    let is_trial = edge.settings.test_mode || edge.settings.demo;
    let url = edge.settings.public_url.as_deref().map(|url| of_site(url, &tenant));
    let base = url.clone().unwrap_or(base);
    Ok(Visitor {
        session: session(parts, tenant, login.as_ref()),
        login,
        // Whoever asks for a mail to somebody else may have made the header up.
        link_base: url.or_else(|| is_trial.then(|| base.clone())),
        peer: peer(parts),
        is_foreign: !cookies::is_own_origin(&parts.headers, &base),
        csrf_token: cookies::csrf_token(&parts.headers),
        base,
    })
}

/// Whom the first right one of some credentials proves the caller to be, and whether it was the cookie.
fn recognize(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    proofs: &[Credential],
) -> Outcome<Option<(Login, bool)>> {
    for proof in proofs {
        let login = match proof {
            Credential::Cookie(secret) => logins::recognize_secret(tx, tenant, secret, clock::real())?,
            Credential::Bearer(token) => logins::recognize(tx, tenant, token, clock::real())?,
            Credential::ApiKey(secret) => api_keys::recognize(tx, tenant, secret, clock::now(tenant))?,
        };
        if let Some(login) = login {
            return Ok(Some((login, matches!(proof, Credential::Cookie(_)))));
        }
    }
    Ok(None)
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

/// Scheme and host by which the site was called, without a slash behind.
pub(crate) fn base(parts: &Parts, edge: &SharedEdge) -> String {
    let asked = || format!("http://{}", host(parts).as_deref().unwrap_or("localhost"));
    edge.settings.public_url.clone().unwrap_or_else(asked)
}

/// The address of the server as that of a site: one with a domain of its own is called by that.
fn of_site(url: &str, tenant: &Tenant) -> String {
    let (Some(domain), Some((scheme, rest))) = (&tenant.domain, url.split_once("://")) else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    match port.filter(|port| port.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(port) => format!("{scheme}://{domain}:{port}{path}"),
        None => format!("{scheme}://{domain}{path}"),
    }
}

/// 401, with what is wrong.
pub(crate) fn unauthorized(body: &serde_json::Value) -> Reply {
    Reply::json(StatusCode::UNAUTHORIZED, body).with("www-authenticate", "Bearer")
}

/// The network of the caller. Behind a proxy of the same network, what the proxy says it is; a proxy that says nothing
/// tells nobody apart.
fn peer(parts: &Parts) -> Option<String> {
    let ConnectInfo(address) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let address = address.ip().to_canonical();
    let is_near = match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    if !is_near {
        return Some(network(address));
    }
    let forwarded = parts.headers.get_all("x-forwarded-for").into_iter().next_back()?.to_str().ok()?;
    let last: IpAddr = forwarded.rsplit(',').next()?.trim().parse().ok()?;
    Some(network(last))
}

/// What one caller has: an IPv4 address, or the /64 that an IPv6 address is one of.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).to_string(),
    }
}

/// The host that was asked, with its port.
fn host(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    header.map(str::to_owned).or_else(|| parts.uri.authority().map(ToString::to_string))
}

/// The credentials of a call, in the order in which they count.
fn credentials(parts: &Parts) -> Vec<Credential> {
    let cookie =
        cookies::read(&parts.headers, cookies::SESSION).map(|secret| Credential::Cookie(secret.to_owned()));
    cookie.into_iter().chain(authorization(parts)).collect()
}

fn authorization(parts: &Parts) -> Option<Credential> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        return Some(Credential::Bearer(credential.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    // The key stands for the user's name, and there is no password.
    decoded.strip_suffix(':').map(|secret| Credential::ApiKey(secret.to_owned()))
}

fn no_site() -> Reply {
    detail(StatusCode::NOT_FOUND, "There is no site yet: make a tenant first")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer_of(address: &str, forwarded: Option<&str>) -> Option<String> {
        let mut request = http::Request::builder();
        if let Some(forwarded) = forwarded {
            request = request.header("x-forwarded-for", forwarded);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let ip: IpAddr = address.parse().unwrap();
        parts.extensions.insert(ConnectInfo(SocketAddr::new(ip, 1)));
        peer(&parts)
    }

    #[test]
    fn a_site_with_a_domain_of_its_own_is_called_by_that() {
        let mut tenant = Tenant::server();
        assert_eq!(of_site("https://main.example:8443", &tenant), "https://main.example:8443");
        tenant.domain = Some("b.example".to_owned());
        for (url, wanted) in [
            ("https://main.example", "https://b.example"),
            ("https://main.example:8443", "https://b.example:8443"),
            ("http://[::1]", "http://b.example"),
            ("http://[::1]:8080/billing", "http://b.example:8080/billing"),
        ] {
            assert_eq!(of_site(url, &tenant), wanted, "{url}");
        }
    }

    #[test]
    fn callers_are_told_apart_by_their_networks() {
        assert_eq!(peer_of("203.0.113.7", Some("198.51.100.1")).as_deref(), Some("203.0.113.7"));
        assert_eq!(peer_of("::ffff:203.0.113.7", None).as_deref(), Some("203.0.113.7"));
        for address in ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9"] {
            assert_eq!(peer_of(address, None).as_deref(), Some("2001:db8:1:2::"), "{address}");
        }
        for proxy in ["10.0.0.1", "::ffff:10.0.0.1", "127.0.0.1", "::1", "fd00::1"] {
            assert_eq!(peer_of(proxy, Some("x, 198.51.100.1")).as_deref(), Some("198.51.100.1"), "{proxy}");
            assert_eq!(peer_of(proxy, Some("2001:db8::5")).as_deref(), Some("2001:db8::"), "{proxy}");
            assert_eq!(peer_of(proxy, None), None, "{proxy}");
        }
    }
}

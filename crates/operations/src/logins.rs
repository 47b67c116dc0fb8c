//! How people stay logged in: signed tokens (JWT, HS256), each bound to a session that can be ended.

use crate::{credentials, jwt};
use billing::Tenant;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use storage::sessions::{self, Session};
use storage::token_keys::TokenKey;
use storage::users::{self, User};
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// How long a token lives.
pub const LIFE: SignedDuration = SignedDuration::from_hours(24 * 14);

/// The name of the server's secret that signs the tokens.
const SECRET: &str = "djaoapp.bearer";

/// Who the tokens are from: the other desks' tokens say something else.
const ISSUER: &str = "billhook:djaoapp";

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The tenant's public id.
    aud: Uuid,
    exp: i64,
    /// The user's id.
    sub: Uuid,
    /// The session's id: the payload can be read by many, so that what is in the cookie is not in it.
    jti: Uuid,
    /// The user, as the contract shows him.
    #[serde(flatten)]
    user: serde_json::Value,
}

/// A user who is logged in, and the session by which he is.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: User,
    /// His session.
    pub session: Session,
}

/// What a user who has just logged in gets: either stands for his session.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The signed token.
    pub token: String,
    /// What a browser keeps in a cookie.
    pub secret: String,
}

/// Opens a session for a user and signs the token that stands for it. `shown` is an object that tells who he is, for
/// those who read the token. `now` is the real time.
pub fn open(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    user: &User,
    shown: serde_json::Value,
    host: Option<String>,
    now: Timestamp,
) -> Outcome<Opened> {
    let secret = credentials::random_secret();
    let session = Session {
        id: Uuid::new_v4(),
        user_id: user.id,
        host,
        started_at: now,
        last_access_at: now,
        expires_at: now + LIFE,
    };
    sessions::insert(tx, &digest(&secret), &session)?;
    users::set_last_login(tx, user.id, now)?;
    let token = sign(tx, tenant, &session, shown)?;
    Ok(Opened { token, secret })
}

fn sign(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    session: &Session,
    user: serde_json::Value,
) -> Outcome<String> {
    let secret = credentials::server_secret(tx, SECRET)?;
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: tenant.id,
        exp: session.expires_at.as_second(),
        sub: session.user_id,
        jti: session.id,
        user,
    };
    Ok(jwt::sign(&claims, &key(secret, tenant)).map_err(|error| StoreError::Corrupt(error.to_string()))?)
}

/// Who a token proves its bearer to be. `None` when it is of another site, expired, or its session has ended.
pub fn recognize(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    token: &str,
    now: Timestamp,
) -> Outcome<Option<Login>> {
    let Some(claims) = claims(tx, tenant, token)? else { return Ok(None) };
    let session = sessions::by_id(tx, claims.sub, claims.jti, now)?;
    login(tx, tenant, session)
}

/// Whose session a cookie stands for. `None` when it is of another site, or has ended.
pub fn recognize_secret(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    secret: &str,
    now: Timestamp,
) -> Outcome<Option<Login>> {
    let session = sessions::by_token(tx, &digest(secret), now)?;
    login(tx, tenant, session)
}

fn login(tx: &mut dyn Connection, tenant: &Tenant, session: Option<Session>) -> Outcome<Option<Login>> {
    let Some(session) = session else { return Ok(None) };
    let user = users::by_id(tx, session.user_id)?.filter(|user| user.tenant_id == tenant.tenant_id);
    Ok(user.map(|user| Login { user, session }))
}

/// A new token for the session of an old one: both count for as long as a new session would, and end with it. `None` when
/// the old one proves nothing.
pub fn renew(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    token: &str,
    shown: serde_json::Value,
    now: Timestamp,
) -> Outcome<Option<String>> {
    let Some(Login { mut session, .. }) = recognize(tx, tenant, token, now)? else { return Ok(None) };
    session.expires_at = now + LIFE;
    sessions::extend(tx, &session, now)?;
    sign(tx, tenant, &session, shown).map(Some)
}

/// Ends the session of a login: neither its tokens nor its cookie count any more.
pub fn close(tx: &mut dyn Connection, login: &Login) -> Outcome<()> {
    sessions::end_one(tx, login.user.id, login.session.id)?;
    Ok(())
}

fn claims(tx: &mut dyn Connection, tenant: &Tenant, token: &str) -> Outcome<Option<Claims>> {
    let Some(secret) = storage::api_tokens::server_secret(tx, SECRET)? else { return Ok(None) };
    Ok(jwt::verify(token, &key(secret, tenant)).ok())
}

/// Another digest than that of operators' sessions, so that neither stands for the other.
fn digest(token: &str) -> [u8; 32] {
    credentials::token_digest(&format!("{ISSUER}:{token}"))
}

fn key(secret: String, tenant: &Tenant) -> TokenKey {
    TokenKey {
        tenant_id: tenant.tenant_id,
        key_id: SECRET.to_owned(),
        algorithm: "HS256".to_owned(),
        material: secret,
        may_sign: true,
        issuer: Some(ISSUER.to_owned()),
        audience: Some(tenant.id.to_string()),
        created_at: tenant.created_at,
    }
}

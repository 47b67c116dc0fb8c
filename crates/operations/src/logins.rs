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
    /// What the session is found by.
    jti: String,
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

/// Opens a session for a user and signs the token that stands for it. `shown` is an object that tells who he is, for
/// those who read the token. `now` is the real time.
pub fn open(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    user: &User,
    shown: serde_json::Value,
    host: Option<String>,
    now: Timestamp,
) -> Outcome<String> {
    let token = credentials::random_secret();
    let session = Session {
        id: Uuid::new_v4(),
        user_id: user.id,
        host,
        started_at: now,
        last_access_at: now,
        expires_at: now + LIFE,
    };
    sessions::insert(tx, &digest(&token), &session)?;
    users::set_last_login(tx, user.id, now)?;
    let secret = match storage::api_tokens::server_secret(tx, SECRET)? {
        Some(secret) => secret,
        None => storage::api_tokens::ensure_server_secret(tx, SECRET, &credentials::random_secret(), now)?,
    };
    let claims = Claims {
        iss: ISSUER.to_owned(),
        aud: tenant.id,
        exp: session.expires_at.as_second(),
        jti: token,
        user: shown,
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
    let Some(digest) = session_digest(tx, tenant, token)? else { return Ok(None) };
    let Some(session) = sessions::by_token(tx, &digest, now)? else { return Ok(None) };
    let user = users::by_id(tx, session.user_id)?.filter(|user| user.tenant_id == tenant.tenant_id);
    Ok(user.map(|user| Login { user, session }))
}

/// Ends the session of a token. False when it was no valid token.
pub fn close(tx: &mut dyn Connection, tenant: &Tenant, token: &str) -> Outcome<bool> {
    let Some(digest) = session_digest(tx, tenant, token)? else { return Ok(false) };
    Ok(sessions::end(tx, &digest)?)
}

fn session_digest(tx: &mut dyn Connection, tenant: &Tenant, token: &str) -> Outcome<Option<[u8; 32]>> {
    let Some(secret) = storage::api_tokens::server_secret(tx, SECRET)? else { return Ok(None) };
    let claims: Option<Claims> = jwt::verify(token, &key(secret, tenant)).ok();
    Ok(claims.map(|claims| digest(&claims.jti)))
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

//! API tokens of programs: made once, shown once, kept as a digest. And the bearer tokens (JWT, HS256) that they are
//! exchanged for, which live for a day.

use crate::jwt;
use billing::text::check_text;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::api_tokens::ApiToken;
use storage::token_keys::TokenKey;
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// The desk for which tokens are made.
const TOGAI: &str = "togai";

/// What every API token begins with, so that people and scanners of leaked secrets know it.
const PREFIX: &str = "togai_";

/// Most characters of a token's name: it signs the audit records, whose signatures have 50.
const NAME_LIMIT: usize = 50;

/// How long a bearer token lives, unless its API token ends earlier.
const BEARER_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The name of the server's secret that signs bearer tokens.
const BEARER_SECRET: &str = "togai.bearer";

/// Who bearer tokens are from and for: the other desks' tokens say something else.
const BEARER_ISSUER: &str = "billhook:togai";

/// A new API token of 256 random bits, to be given to [`make`] and shown once.
pub fn new_token() -> String {
    let bytes: [u8; 32] = rand::random();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{digits}")
}

/// A plain hash is enough for what has 256 random bits: there is nothing to guess. It is found by an index on the
/// digest, so that no comparison of secrets takes a time that tells anything.
fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Makes an API token of a tenant. It counts at once, and from `expires_at` on it does not.
pub fn make(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    token: &str,
    (name, expires_at): (Option<&str>, Option<Timestamp>),
) -> Outcome<ApiToken> {
    caller.require(Permission::UserCreate)?;
    if let Some(name) = name {
        check_text("name", name, NAME_LIMIT, false)?;
    }
    let name = name.filter(|name| !name.is_empty()).map(str::to_owned);
    let made =
        ApiToken { id: Uuid::new_v4(), tenant_id, name, created_at: now, expires_at, revoked_at: None };
    let record_id = storage::api_tokens::insert(tx, TOGAI, &made, &digest(token))?;
    record(tx, caller, now, ChangeType::Insert, (record_id, &made))?;
    Ok(made)
}

/// The tenant's API tokens that were not taken back, oldest first; expired ones are among them.
pub fn list(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Vec<ApiToken>> {
    Ok(storage::api_tokens::of_tenant(tx, tenant_id, TOGAI)?)
}

/// Takes an API token back: it counts no more, nor does any bearer token that was made from it. Refuses one that the
/// tenant does not have or that was taken back already.
pub fn revoke(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    let unknown = || Refusal::ApiTokenUnknown { id };
    let record_id = storage::api_tokens::revoke(tx, tenant_id, TOGAI, id, now)?.ok_or_else(unknown)?;
    let token = storage::api_tokens::by_id(tx, TOGAI, id)?.ok_or_else(unknown)?;
    record(tx, caller, now, ChangeType::Delete, (record_id, &token))
}

fn record(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    (record_id, token): (i64, &ApiToken),
) -> Outcome<()> {
    let snapshot = serde_json::json!({
        "id": token.id, "desk": TOGAI, "name": token.name, "expiresAt": token.expires_at.map(|at| at.to_string())
    });
    let change = (change_type, ObjectType::User, token.id, record_id);
    crate::record_of_tenant(tx, token.tenant_id, caller, now, change, &snapshot)
}

#[derive(Serialize, Deserialize)]
struct BearerClaims {
    iss: String,
    /// The API token's id.
    sub: Uuid,
    /// The tenant's public id.
    aud: Uuid,
    iat: i64,
    exp: i64,
    /// Two bearer tokens made in one second differ.
    jti: Uuid,
}

/// The API token, and the tenant whose book it opens, that a credential proves: the API token itself or a bearer token
/// made from it. `None` when it is unknown, expired or taken back. `now` is the real time: tokens do not follow a
/// tenant's test clock.
pub fn recognize(
    tx: &mut dyn Connection,
    credential: &str,
    now: Timestamp,
) -> Outcome<Option<(ApiToken, Tenant)>> {
    let found = if is_api_token(credential) {
        storage::api_tokens::by_digest(tx, TOGAI, &digest(credential))?
    } else {
        let Some(secret) = storage::api_tokens::server_secret(tx, BEARER_SECRET)? else { return Ok(None) };
        match jwt::verify::<BearerClaims>(credential, &bearer_key(secret)) {
            // Our own clock issued it: there is no leeway.
            Ok(claims) if now.as_second() < claims.exp => storage::api_tokens::by_id(tx, TOGAI, claims.sub)?,
            _ => None,
        }
    };
    with_tenant(tx, found, now)
}

/// Whether a credential is an API token by its form, not a bearer token.
pub fn is_api_token(credential: &str) -> bool {
    credential.starts_with(PREFIX)
}

/// A bearer token for an API token: it counts for a day, but no longer than the API token itself.
pub fn make_bearer(
    tx: &mut dyn Connection,
    token: &ApiToken,
    tenant: &Tenant,
    now: Timestamp,
) -> Outcome<String> {
    let secret = storage::api_tokens::ensure_server_secret(tx, BEARER_SECRET, &new_token(), now)?;
    let end = now.checked_add(BEARER_LIFE).unwrap_or(now);
    let end = token.expires_at.map_or(end, |expires_at| end.min(expires_at));
    let claims = BearerClaims {
        iss: BEARER_ISSUER.to_owned(),
        sub: token.id,
        aud: tenant.id,
        iat: now.as_second(),
        exp: end.as_second(),
        jti: Uuid::new_v4(),
    };
    let signed = jwt::sign(&claims, &bearer_key(secret));
    Ok(signed.map_err(|error| StoreError::Corrupt(error.to_string()))?)
}

/// The key that signs and proves bearer tokens: it takes no algorithm but its own, whatever a token says.
fn bearer_key(secret: String) -> TokenKey {
    TokenKey {
        tenant_id: TenantId::SERVER,
        key_id: BEARER_SECRET.to_owned(),
        algorithm: "HS256".to_owned(),
        material: secret,
        may_sign: true,
        issuer: Some(BEARER_ISSUER.to_owned()),
        audience: None,
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn with_tenant(
    tx: &mut dyn Connection,
    found: Option<ApiToken>,
    now: Timestamp,
) -> Outcome<Option<(ApiToken, Tenant)>> {
    let in_force =
        |token: &ApiToken| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end);
    let Some(token) = found.filter(in_force) else { return Ok(None) };
    let tenant = storage::tenants::by_number(tx, token.tenant_id)?;
    Ok(tenant.map(|tenant| (token, tenant)))
}

//! API tokens of programs: made once, shown once, kept as a digest.

use billing::text::check_text;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, Tenant, TenantId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use storage::api_tokens::ApiToken;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// The desk for which tokens are made.
const TOGAI: &str = "togai";

/// What every API token begins with, so that people and scanners of leaked secrets know it.
const PREFIX: &str = "togai_";

/// Most characters of a token's name: it signs the audit records, whose signatures have 50.
const NAME_LIMIT: usize = 50;

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
    let made = ApiToken { id: Uuid::new_v4(), tenant_id, name, created_at: now, expires_at, revoked_at: None };
    let record_id = storage::api_tokens::insert(tx, TOGAI, &made, &digest(token))?;
    let snapshot = serde_json::json!({
        "id": made.id, "desk": TOGAI, "name": made.name, "expiresAt": made.expires_at.map(|at| at.to_string())
    });
    let change = (ChangeType::Insert, ObjectType::User, made.id, record_id);
    crate::record_of_tenant(tx, tenant_id, caller, now, change, &snapshot)?;
    Ok(made)
}

/// The token, and the tenant whose book it opens, unless it is unknown, expired or taken back. `now` is the real
/// time: tokens do not follow a tenant's test clock.
pub fn recognize(tx: &mut dyn Connection, token: &str, now: Timestamp) -> Outcome<Option<(ApiToken, Tenant)>> {
    if !token.starts_with(PREFIX) {
        return Ok(None);
    }
    let found = storage::api_tokens::by_digest(tx, TOGAI, &digest(token))?;
    with_tenant(tx, found, now)
}

/// As [`recognize`], for what was made from a token and names it by its id.
pub fn recognize_by_id(tx: &mut dyn Connection, id: Uuid, now: Timestamp) -> Outcome<Option<(ApiToken, Tenant)>> {
    let found = storage::api_tokens::by_id(tx, TOGAI, id)?;
    with_tenant(tx, found, now)
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

/// The tenant with this API key, or a refusal: for commands that are told `--tenant`.
pub fn tenant_of_key(tx: &mut dyn Connection, api_key: &str) -> Outcome<Tenant> {
    let found = storage::tenants::by_api_key(tx, api_key)?;
    let (tenant, _) = found.ok_or_else(|| Refusal::TenantKeyUnknown { api_key: api_key.to_owned() })?;
    Ok(tenant)
}

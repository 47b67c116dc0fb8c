//! Tokens of MikroCloud's desk: who issues them, which key proves them, and which organization of which tenant they
//! speak for.
//!
//! Tokens belong to the world outside, so they begin and end by the real clock, wherever the tenant's clock stands.

use crate::credentials::random_secret;
use crate::jwt::{self, Flaw};
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, Tenant, TenantId, time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::token_keys::{self, TokenKey};
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// The scope that reads the account.
pub const SCOPE_READ: &str = "account:read";
/// The scope that makes and changes the account.
pub const SCOPE_WRITE: &str = "account:write";

/// What the server's own tokens say in `aud`.
const OWN_AUDIENCE: &str = "billhook:mikrocloud";

/// Longest token that is looked at, in bytes.
const TOKEN_LIMIT: usize = 8 * 1024;

/// Longest life of a token that the server issues: ten years.
const LIFETIME_LIMIT: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// What a token proves.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The tenant whose key proves it.
    pub tenant: Tenant,
    /// The organization it speaks for; it exists in the tenant.
    pub organization_id: Uuid,
    /// The zone in which its bearer wants to read times.
    pub zone: TimeZone,
    /// The scopes it grants.
    pub scopes: Vec<String>,
    /// Who bears it: a user's e-mail or id.
    pub subject: Option<String>,
}

#[derive(Deserialize)]
struct ClaimsIn {
    id: Option<String>,
    timezone: Option<String>,
    #[serde(default)]
    scope: Words,
    #[serde(default)]
    scopes: Words,
    sub: Option<String>,
}

/// Words between spaces, or an array of them: issuers write scopes either way.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Words {
    Line(String),
    List(Vec<String>),
    #[default]
    None,
}

impl Words {
    fn into_vec(self) -> Vec<String> {
        match self {
            Words::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
            Words::List(list) => list,
            Words::None => Vec::new(),
        }
    }
}

#[derive(Serialize)]
struct ClaimsOut<'a> {
    iss: String,
    aud: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    id: Uuid,
    scope: String,
    timezone: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// What a bearer token proves; refuses with the reason when it proves nothing.
pub fn verify(tx: &mut dyn Connection, token: &str) -> Outcome<Grant> {
    let (key, claims) = prove(tx, token)?;
    let tenant = storage::tenants::by_number(tx, key.tenant_id)?
        .ok_or_else(|| StoreError::Corrupt(format!("a key of no tenant: {}", key.key_id)))?;
    let organization_id = claims
        .id
        .as_deref()
        .and_then(|id| Uuid::parse_str(id).ok())
        .ok_or(Refusal::TokenInvalid { why: "The token's claim id names no organization" })?;
    storage::organizations::by_id(tx, key.tenant_id, organization_id)?
        .ok_or(Refusal::TokenInvalid { why: "The token's claim id names no organization" })?;
    let zone = match claims.timezone.as_deref() {
        None | Some("") => TimeZone::UTC,
        Some(name) => time::zone(name)
            .ok_or(Refusal::TokenInvalid { why: "The token's claim timezone is no time zone" })?,
    };
    let mut scopes = claims.scope.into_vec();
    scopes.extend(claims.scopes.into_vec());
    Ok(Grant { tenant, organization_id, zone, scopes, subject: claims.sub })
}

/// The one key that proves the token. The token says which key it wants (`kid`), or else which issuer's; whether it
/// tells the truth, the signature shows. Keys of several tenants may bear one name: each is tried, and a token that
/// would count for more than one tenant counts for none.
fn prove(tx: &mut dyn Connection, token: &str) -> Outcome<(TokenKey, ClaimsIn)> {
    let invalid = Refusal::TokenInvalid { why: "The token is not valid" };
    if token.len() > TOKEN_LIMIT {
        return Err(invalid.into());
    }
    let unproven = jwt::unproven(token).ok_or_else(|| invalid.clone())?;
    let keys = match (unproven.key_id, unproven.issuer) {
        (Some(key_id), _) => token_keys::by_key_id(tx, &key_id)?,
        (None, Some(issuer)) => token_keys::by_issuer(tx, &issuer)?,
        (None, None) => Vec::new(),
    };
    let mut why = invalid;
    let mut proven: Option<(TokenKey, ClaimsIn)> = None;
    for key in keys {
        match jwt::verify::<ClaimsIn>(token, &key) {
            Ok(claims) => match &proven {
                Some((other, _)) if other.tenant_id != key.tenant_id => {
                    let why = "The token would count for several tenants";
                    return Err(Refusal::TokenInvalid { why }.into());
                }
                Some(_) => {}
                None => proven = Some((key, claims)),
            },
            Err(Flaw::Claims(sentence)) => why = Refusal::TokenInvalid { why: sentence },
            Err(Flaw::Unproven) => {}
        }
    }
    Ok(proven.ok_or(why)?)
}

/// A request to issue a token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The organization it speaks for.
    pub organization_id: Uuid,
    /// Who bears it.
    pub user: Option<String>,
    /// The scopes it grants, each [`SCOPE_READ`] or [`SCOPE_WRITE`].
    pub scopes: Vec<String>,
    /// The zone in which its bearer wants to read times: an IANA name.
    pub timezone: String,
    /// How long it counts, more than nothing and at most ten years.
    pub lifetime: SignedDuration,
}

/// Issues a token, signed with the tenant's own key, which is made at the first call. `now` is the real time.
pub fn issue(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    caller: &Caller,
    now: Timestamp,
    new: &NewToken,
) -> Outcome<String> {
    caller.require(Permission::UserCreate)?;
    let id = new.organization_id;
    storage::organizations::by_id(tx, tenant.tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?;
    if let Some(user) = &new.user {
        billing::text::check_text("user", user, 250, false)?;
    }
    if let Some(unknown) = new.scopes.iter().find(|scope| *scope != SCOPE_READ && *scope != SCOPE_WRITE) {
        let why = format!("must be {SCOPE_READ} or {SCOPE_WRITE}, not {unknown}");
        return Err(Refusal::invalid("scope", why).into());
    }
    if time::zone(&new.timezone).is_none() {
        let why = format!("must be a time zone, not {}", new.timezone);
        return Err(Refusal::invalid("timezone", why).into());
    }
    if new.lifetime <= SignedDuration::ZERO || new.lifetime > LIFETIME_LIMIT {
        return Err(Refusal::invalid("expires-in", "must be more than nothing and at most ten years").into());
    }
    let key = signing_key(tx, tenant, caller, now)?;
    let claims = ClaimsOut {
        iss: own_issuer(tenant),
        aud: OWN_AUDIENCE,
        sub: new.user.as_deref(),
        id,
        scope: new.scopes.join(" "),
        timezone: &new.timezone,
        iat: now.as_second(),
        nbf: now.as_second(),
        exp: now.as_second().saturating_add(new.lifetime.as_secs().max(1)),
    };
    let token = jwt::sign(&claims, &key).map_err(|error| StoreError::Corrupt(format!("signing: {error}")))?;
    Ok(token)
}

fn own_issuer(tenant: &Tenant) -> String {
    format!("billhook:{}", tenant.id)
}

fn signing_key(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    caller: &Caller,
    now: Timestamp,
) -> Outcome<TokenKey> {
    if let Some(key) = token_keys::signing(tx, tenant.tenant_id)? {
        return Ok(key);
    }
    let key = TokenKey {
        tenant_id: tenant.tenant_id,
        key_id: Uuid::new_v4().to_string(),
        algorithm: "HS256".to_owned(),
        material: random_secret() + &random_secret(),
        may_sign: true,
        issuer: Some(own_issuer(tenant)),
        audience: Some(OWN_AUDIENCE.to_owned()),
        created_at: now,
    };
    keep(tx, caller, now, &key)?;
    Ok(key)
}

/// Keeps a key and records it. Refuses the id of a key that is the server's own or was revoked.
fn keep(tx: &mut dyn Connection, caller: &Caller, now: Timestamp, key: &TokenKey) -> Outcome<()> {
    let known = token_keys::record_id(tx, key.tenant_id, &key.key_id)?;
    let change_type = if known.is_some() { ChangeType::Update } else { ChangeType::Insert };
    let why = "is the server's own or was revoked";
    let record_id = token_keys::put(tx, key)?
        .ok_or_else(|| Refusal::TokenKeyInvalid { key_id: key.key_id.clone(), why })?;
    let snapshot = serde_json::json!({
        "desk": "mikrocloud", "tokenKey": key.key_id, "algorithm": key.algorithm, "issuer": key.issuer,
        "audience": key.audience, "maySign": key.may_sign,
        // Of a secret not even a digest is shown.
        "fingerprint": (key.algorithm != "HS256").then(|| fingerprint(&key.material)),
    });
    let change = (change_type, ObjectType::User, object_id(&key.key_id), record_id);
    crate::record_of_tenant(tx, key.tenant_id, caller, now, change, &snapshot)
}

/// The id under which a key's audit records stand: always the same for what tokens call by one name.
fn object_id(key_id: &str) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(key_id.as_bytes()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// A key of another issuer, to be trusted for a tenant.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What tokens call it; made from the key itself when absent.
    pub key_id: Option<String>,
    /// `HS256`, `RS256` or `ES256`.
    pub algorithm: String,
    /// The secret, or the public key as PEM.
    pub material: String,
    /// What tokens must say in `iss`, if anything.
    pub issuer: Option<String>,
    /// What tokens must name in `aud`, if anything.
    pub audience: Option<String>,
}

/// Trusts a key for a tenant, and answers what tokens call it. The same id again replaces the key, unless it was
/// revoked: what was trusted no more is not trusted again by the way.
pub fn add_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    new: &NewKey,
) -> Outcome<String> {
    caller.require(Permission::UserCreate)?;
    if !["HS256", "RS256", "ES256"].contains(&new.algorithm.as_str()) {
        return Err(Refusal::invalid("algorithm", "must be HS256, RS256 or ES256").into());
    }
    let material = new.material.trim();
    let key_id = new.key_id.clone().unwrap_or_else(|| fingerprint(material));
    billing::text::check_text("key-id", &key_id, 255, false)?;
    for text in [&new.issuer, &new.audience] {
        billing::text::check_line("issuer or audience", text, 255)?;
    }
    jwt::check_key(&new.algorithm, material)
        .map_err(|why| Refusal::TokenKeyInvalid { key_id: key_id.clone(), why })?;
    let key = TokenKey {
        tenant_id,
        key_id: key_id.clone(),
        algorithm: new.algorithm.clone(),
        material: material.to_owned(),
        may_sign: false,
        issuer: new.issuer.clone(),
        audience: new.audience.clone(),
        created_at: now,
    };
    keep(tx, caller, now, &key)?;
    Ok(key_id)
}

/// Trusts the keys of a JWKS document for a tenant, and answers what tokens call them. Keys for other purposes or
/// algorithms are left out; a document with no other keys is refused.
pub fn add_key_set(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    document: &str,
    (issuer, audience): (Option<&str>, Option<&str>),
) -> Outcome<Vec<String>> {
    let keys = jwt::published_keys(document).map_err(|why| Refusal::invalid("jwks", why))?;
    if keys.is_empty() {
        return Err(Refusal::invalid("jwks", "must have a public key that signs with RS256 or ES256").into());
    }
    keys.into_iter()
        .map(|key| {
            let new = NewKey {
                key_id: key.key_id,
                algorithm: key.algorithm.to_owned(),
                material: key.material,
                issuer: issuer.map(str::to_owned),
                audience: audience.map(str::to_owned),
            };
            add_key(tx, tenant_id, caller, now, &new)
        })
        .collect()
}

/// Trusts a key no more. Of the server's own key, the next token that is issued makes a new one.
pub fn revoke_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key_id: &str,
) -> Outcome<()> {
    caller.require(Permission::UserCreate)?;
    let record_id = token_keys::revoke(tx, tenant_id, key_id, now)?
        .ok_or_else(|| Refusal::TokenKeyInvalid { key_id: key_id.to_owned(), why: "does not exist" })?;
    let snapshot = serde_json::json!({ "desk": "mikrocloud", "tokenKey": key_id });
    let change = (ChangeType::Delete, ObjectType::User, object_id(key_id), record_id);
    crate::record_of_tenant(tx, tenant_id, caller, now, change, &snapshot)
}

/// A short name for a key that has none.
fn fingerprint(material: &str) -> String {
    Sha256::digest(material.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

//! API keys: with one, a program logs in as its user. The first 32 characters find it, the last 32 prove it.

use crate::credentials;
use crate::logins::Login;
use crate::proofs;
use crate::role_kinds::Scene;
use billing::{Refusal, Tenant, text};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use storage::api_keys::{self, ApiKey};
use storage::sessions::Session;
use storage::users::{self, User};
use storage::{Connection, Outcome};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Characters of either part.
const PART: usize = 32;

/// How long a key counts.
const LIFE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Longest title, in characters.
const TITLE_LIMIT: usize = 100;

/// Most keys of a user.
const KEYS_LIMIT: i64 = 100;

/// No characters that people take for others.
const ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

fn part() -> String {
    (0..PART).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect()
}

/// Makes a key for a user and returns it, to be shown once.
pub fn make(tx: &mut dyn Connection, scene: Scene<'_>, user: &User, title: Option<&str>) -> Outcome<String> {
    let tenant_id = scene.tenant.tenant_id;
    if let Some(title) = title {
        text::check_text("title", title, TITLE_LIMIT, false)?;
    }
    if api_keys::count(tx, tenant_id, user.id)? >= KEYS_LIMIT {
        return Err(
            Refusal::invalid("title", format!("is one too many: a user has {KEYS_LIMIT} keys")).into()
        );
    }
    let (public_id, private) = (part(), part());
    let key = ApiKey {
        user_id: user.id,
        public_id: public_id.clone(),
        private_digest: credentials::token_digest(&private).to_vec(),
        title: title.filter(|title| !title.is_empty()).map(str::to_owned),
        created_at: scene.now,
        ends_at: scene.now.checked_add(LIFE).ok(),
    };
    api_keys::insert(tx, tenant_id, &key)?;
    proofs::record(tx, scene, user, json!({ "apiKey": public_id, "title": key.title }))?;
    Ok(format!("{public_id}{private}"))
}

/// Removes a key of a user: it counts no more. Refuses one that he does not have.
pub fn remove(tx: &mut dyn Connection, scene: Scene<'_>, user: &User, public_id: &str) -> Outcome<()> {
    api_keys::remove(tx, scene.tenant.tenant_id, user.id, public_id)?
        .ok_or_else(|| Refusal::ApiKeyUnknown { public_id: public_id.to_owned() })?;
    proofs::record(tx, scene, user, json!({ "apiKey": public_id, "removed": true }))
}

/// Whose key this is, if it counts at `now`.
pub fn recognize(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    secret: &str,
    now: Timestamp,
) -> Outcome<Option<Login>> {
    let Some((public_id, private)) = secret.split_at_checked(PART) else { return Ok(None) };
    let Some(key) = api_keys::by_public_id(tx, tenant.tenant_id, public_id)? else { return Ok(None) };
    let is_right = bool::from(key.private_digest.ct_eq(&credentials::token_digest(private)));
    if !is_right || key.ends_at.is_some_and(|end| end <= now) {
        return Ok(None);
    }
    let user = users::by_id(tx, key.user_id)?.filter(|user| user.tenant_id == tenant.tenant_id);
    // No session of the book: nothing is left of it when the request ends.
    let session = Session {
        id: Uuid::nil(),
        user_id: key.user_id,
        host: None,
        started_at: key.created_at,
        last_access_at: now,
        expires_at: key.ends_at.unwrap_or(Timestamp::MAX),
    };
    Ok(user.map(|user| Login { user, session }))
}

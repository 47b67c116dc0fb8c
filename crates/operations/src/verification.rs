//! Proof that somebody reads what is sent to an address: a code to type in, or a key in a link. Each counts for an hour
//! and once; of both only digests are kept.

use crate::guessing::{self, Subject};
use crate::{credentials, due_work, mails, proofs};
use billing::{Tenant, text};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use storage::due_work::DueWork;
use storage::users::User;
use storage::verification_codes::{self, VerificationCode};
use storage::{Connection, Outcome, StoreError};
use subtle::ConstantTimeEq;

/// The kind of due work that sends a code to whoever has a name.
pub const RECOVERY: &str = "RECOVERY";

/// How long codes and keys count.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Longest name that is looked for, in characters.
const NAME_LIMIT: usize = 254;

/// How many wrong codes may be tried before the right one counts no more.
const ATTEMPTS_LIMIT: i64 = 5;

/// The digest under a secret of the server: without it, whoever sees the book could try all codes.
fn code_digest(tx: &mut dyn Connection, address: &str, code: &str) -> Outcome<[u8; 32]> {
    let secret = credentials::server_secret(tx, "verification.digest")?;
    Ok(credentials::keyed_digest(secret.as_bytes(), &[address.as_bytes(), code.trim().as_bytes()]))
}

fn key_digest(key: &str) -> [u8; 32] {
    credentials::keyed_digest(b"verification key", &[key.as_bytes()])
}

/// Sends a code and a key to an address: in place of older ones, and no more than a few in an hour. `user` is who has
/// it; `base` the address of the site that links begin with, where it can be trusted.
pub fn send(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    address: &str,
    user: Option<&User>,
    base: Option<&str>,
) -> Outcome<()> {
    let template = match user {
        None => "verification",
        Some(user) if user.password_hash.is_none() => "activation",
        Some(_) => "recovery",
    };
    send_as(tx, tenant, now, template, (address, user), base)
}

/// Sends a code to a user who has given his password and is asked for more.
pub(crate) fn send_login_code(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    address: &str,
    user: &User,
) -> Outcome<()> {
    send_as(tx, tenant, now, "login", (address, Some(user)), None)
}

fn send_as(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    template: &str,
    (address, user): (&str, Option<&User>),
    base: Option<&str>,
) -> Outcome<()> {
    let subject = [Subject::MailTo(address)];
    if guessing::check(tx, tenant.tenant_id, now, &subject).is_err() {
        return Ok(());
    }
    guessing::count(tx, tenant.tenant_id, now, &subject)?;
    let number: u32 = rand::random_range(0..1_000_000);
    let code = format!("{number:06}");
    let bytes: [u8; 20] = rand::random();
    let key: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = VerificationCode {
        address: address.to_owned(),
        code_digest: code_digest(tx, address, &code)?.to_vec(),
        key_digest: key_digest(&key).to_vec(),
        user_id: user.map(|user| user.id),
        attempts: 0,
        expires_at: now.checked_add(LIFE).unwrap_or(now),
    };
    verification_codes::put(tx, tenant.tenant_id, &kept, now)?;
    let link = base.map(|base| format!("{base}/api/auth/{key}"));
    let name = user.map(|user| &user.username);
    let values = json!({ "site": site_name(tenant), "name": name, "code": code, "link": link });
    mails::send(tx, tenant.tenant_id, now, template, address, &values)
}

/// What people call the site.
pub fn site_name(tenant: &Tenant) -> &str {
    tenant.name.as_deref().unwrap_or(&tenant.api_key)
}

/// Whether this is the code that was sent to the address; it counts once. The caller commits also when it is not: that
/// was counted.
pub fn use_code(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    address: &str,
    code: &str,
) -> Outcome<bool> {
    Ok(is_code(tx, tenant, now, address, code)? && verification_codes::remove(tx, tenant.tenant_id, address)?)
}

/// [`use_code`], but the code goes on to count: for who has more to prove.
pub(crate) fn is_code(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    address: &str,
    code: &str,
) -> Outcome<bool> {
    let Some(kept) = verification_codes::lock_of_address(tx, tenant.tenant_id, address, now)? else {
        return Ok(false);
    };
    let is_right = bool::from(kept.code_digest.ct_eq(&code_digest(tx, address, code)?));
    if !is_right || kept.attempts >= ATTEMPTS_LIMIT {
        verification_codes::count_attempt(tx, tenant.tenant_id, address)?;
        return Ok(false);
    }
    Ok(true)
}

/// The address, and whose it is, that a key proves.
pub fn of_key(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    key: &str,
) -> Outcome<Option<VerificationCode>> {
    Ok(verification_codes::by_key(tx, tenant.tenant_id, &key_digest(key), now)?)
}

#[derive(Serialize, Deserialize)]
struct Payload {
    name: String,
    base: Option<String>,
}

/// Schedules that whoever has this name, e-mail address or phone number gets a code. It costs the same whether or not
/// there is anybody. Refuses a `peer` that has asked too often.
pub fn request(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    name: &str,
    peer: Option<&str>,
    base: Option<&str>,
) -> Outcome<()> {
    text::check_text("username", name, NAME_LIMIT, false)?;
    let peer: Vec<Subject<'_>> = peer.map(Subject::Peer).into_iter().collect();
    guessing::check(tx, tenant.tenant_id, now, &peer)?;
    guessing::count(tx, tenant.tenant_id, now, &peer)?;
    let payload = Payload { name: name.to_owned(), base: base.map(str::to_owned) };
    due_work::schedule(tx, tenant.tenant_id, None, RECOVERY, &payload, now)
}

/// Does what [`request`] has scheduled.
pub(crate) fn send_requested(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    work: &DueWork,
    now: Timestamp,
) -> Outcome<()> {
    let payload: Payload = serde_json::from_str(&work.payload)
        .map_err(|error| StoreError::Corrupt(format!("the payload of a recovery: {error}")))?;
    let Some(user) = proofs::find(tx, tenant.tenant_id, &payload.name)? else { return Ok(()) };
    match user.email.clone() {
        Some(email) => send(tx, tenant, now, &email, Some(&user), payload.base.as_deref()),
        None => Ok(()),
    }
}

//! How people prove who they are: by password, by a code that was sent to them, by a one-time code. And what they prove
//! it with: passwords are set, taken away and recovered here.
//!
//! A wrong proof is counted, so it must be committed: such functions return what they refuse inside of what is done.

use crate::guessing::{self, Subject};
use crate::role_kinds::Scene;
use crate::users::PersonFields;
use crate::{clock, mails, one_time_codes, verification};
use billing::{ChangeType, ObjectType, Refusal, Tenant, TenantId, phone, text};
use jiff::Timestamp;
use serde_json::{Value, json};
use storage::users::{self, User};
use storage::{Connection, Error, Outcome, api_keys, sessions, verification_codes};
use uuid::Uuid;

/// Fewest characters of a password.
const PASSWORD_MINIMUM: usize = 10;

/// Most characters of a password.
const PASSWORD_LIMIT: usize = 1024;

/// Refuses a password that is too short, too long, or has control characters.
pub fn check_password(password: &str) -> Result<(), Refusal> {
    let field = "new_password";
    if password.chars().count() < PASSWORD_MINIMUM {
        return Err(Refusal::FieldTooShort { field, limit: PASSWORD_MINIMUM });
    }
    text::check_text(field, password, PASSWORD_LIMIT, false)
}

/// The user with this name, e-mail address or phone number.
pub fn find(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Outcome<Option<User>> {
    let name = name.trim();
    if name.contains('@')
        && let Some(user) = users::by_email(tx, tenant_id, &name.to_lowercase())?
    {
        return Ok(Some(user));
    }
    if let Some(user) = users::by_username(tx, tenant_id, name)? {
        return Ok(Some(user));
    }
    match phone::parse_phone("phone", name) {
        Ok(number) => Ok(users::by_phone(tx, tenant_id, &number)?),
        Err(_) => Ok(None),
    }
}

/// A password, checked against a hash before the transaction, because that is slow on purpose.
#[derive(Clone, Debug)]
pub struct CheckedPassword {
    /// The hash that it was checked against; none where the user had none.
    pub hash: Option<String>,
    /// Whether it is the one that was hashed.
    pub is_right: bool,
}

impl CheckedPassword {
    /// Whether it is the user's: his hash is still the one that it was checked against.
    fn is_of(&self, user: &User) -> bool {
        self.is_right && self.hash.is_some() && self.hash == user.password_hash
    }
}

/// With what somebody proves who he is.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// His password.
    pub password: Option<CheckedPassword>,
    /// The code that his authenticator shows.
    pub otp_code: Option<String>,
    /// The code that was sent to his e-mail address.
    pub email_code: Option<String>,
    /// The code that was sent to his phone. None is sent, so that none is right.
    pub phone_code: Option<String>,
}

/// An attempt to log in.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Name, e-mail address or phone number.
    pub name: String,
    /// The address of the network that it comes from.
    pub peer: Option<String>,
    /// The proof.
    pub proof: Proof,
    /// Hash of a new password, which a code that was sent to him lets him choose as the link beside it does.
    pub new_password_hash: Option<String>,
    /// Whether to send him the code that is demanded of him besides his password.
    pub wants_code: bool,
}

/// What an attempt with this name counts for.
fn subjects<'a>(name: &'a str, peer: Option<&'a str>) -> Vec<Subject<'a>> {
    let mut subjects = vec![Subject::Name(name)];
    subjects.extend(peer.map(Subject::Peer));
    subjects
}

/// The hash to check a password against for this name; none where there is none. Refuses a name or a peer that has
/// failed too often.
pub fn hash_of(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    name: &str,
    peer: Option<&str>,
) -> Outcome<Option<String>> {
    guessing::check(tx, tenant_id, now, &subjects(name, peer))?;
    let user = find(tx, tenant_id, name)?;
    if let Some(user) = &user {
        guessing::check(tx, tenant_id, now, &[Subject::User(user.id)])?;
    }
    Ok(user.and_then(|user| user.password_hash))
}

/// Who an attempt proves its maker to be. A refusal inside of what is returned is to be committed.
pub fn log_in(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    attempt: &Attempt,
) -> Outcome<Result<User, Refusal>> {
    let Scene { tenant, now, .. } = scene;
    let mut subjects = subjects(&attempt.name, attempt.peer.as_deref());
    // Locked, so that his password does not change before his session is there to be ended with the others.
    let user = match find(tx, tenant.tenant_id, &attempt.name)? {
        Some(user) => users::lock(tx, tenant.tenant_id, user.id)?,
        None => None,
    };
    subjects.extend(user.as_ref().map(|user| Subject::User(user.id)));
    guessing::check(tx, tenant.tenant_id, now, &subjects)?;
    let refused = prove(tx, tenant, now, user.as_ref(), attempt)?;
    match (refused, user) {
        (None, Some(user)) => {
            guessing::forgive(tx, tenant.tenant_id, &Subject::Name(&attempt.name))?;
            guessing::forgive(tx, tenant.tenant_id, &Subject::User(user.id))?;
            match &attempt.new_password_hash {
                Some(hash) if attempt.proof.email_code.is_some() => {
                    admit(tx, scene, &user, Some(hash), &PersonFields::default()).map(Ok)
                }
                _ => Ok(Ok(user)),
            }
        }
        (None, None) => Ok(Err(Refusal::LoginFailed)),
        (Some(refusal), _) => {
            // What is missing was no guess.
            if !matches!(refusal, Refusal::Unproven { .. }) {
                guessing::count(tx, tenant.tenant_id, now, &subjects)?;
            }
            Ok(Err(refusal))
        }
    }
}

/// Looks at a proof of being `user`; nobody is proven by none.
fn prove(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: Option<&User>,
    attempt: &Attempt,
) -> Outcome<Option<Refusal>> {
    let proof = &attempt.proof;
    if proof.phone_code.is_some() {
        return Ok(Some(Refusal::invalid("phone_code", "is not right, or was used or sent long ago")));
    }
    let email = user.and_then(|user| user.email.as_deref());
    if let Some(code) = &proof.email_code {
        let is_right = match email {
            Some(email) => verification::is_code(tx, tenant, now, email, code)?,
            None => false,
        };
        if !is_right {
            return Ok(Some(Refusal::invalid("email_code", "is not right, or was used or sent long ago")));
        }
    }
    match &proof.password {
        None if proof.email_code.is_none() => {
            return Ok(Some(Refusal::unproven("password", "Password is required.")));
        }
        Some(password) if !user.is_some_and(|user| password.is_of(user)) => {
            return Ok(Some(Refusal::LoginFailed));
        }
        _ => {}
    }
    let Some(user) = user else { return Ok(None) };
    if proof.email_code.is_none() && users::demands_email_code(tx, tenant.tenant_id, user.id)? {
        let why = if let (true, Some(email)) = (attempt.wants_code, &user.email) {
            verification::send_login_code(tx, tenant, now, email, user)?;
            "A code was sent to this e-mail address: send it back as email_code, with the password."
        } else {
            "This e-mail address must be verified: ask with check_email, and send the code as email_code."
        };
        return Ok(Some(Refusal::unproven("email", why)));
    }
    if let Some(refusal) = prove_otp(tx, tenant, now, user, proof.otp_code.as_deref())? {
        return Ok(Some(refusal));
    }
    if let (Some(_), Some(email)) = (&proof.email_code, &user.email) {
        verification_codes::remove(tx, tenant.tenant_id, email)?;
        users::set_email_verified(tx, user.id, now)?;
    }
    Ok(None)
}

/// What is wrong with the one-time code of a user who has such codes.
fn prove_otp(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    code: Option<&str>,
) -> Outcome<Option<Refusal>> {
    match (&user.person.otp_secret, code) {
        (None, _) => Ok(None),
        (Some(_), None) => Ok(Some(Refusal::unproven("otp_code", "A one-time code is required."))),
        (Some(_), Some(code)) => Ok(use_otp_code(tx, tenant, now, user, code)?.err()),
    }
}

/// Whether a one-time code is one of the user's that counts now; it counts once. After a few wrong ones none does.
fn use_otp_code(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    code: &str,
) -> Outcome<Result<(), Refusal>> {
    let subject = Subject::OneTimeCode(user.id);
    // Counted before it is looked at: of many who guess at once, each sees how many there are.
    if !guessing::count_within(tx, tenant.tenant_id, now, &subject)? {
        return Ok(Err(Refusal::TooManyCodes));
    }
    let secret = user.person.otp_secret.as_deref().unwrap_or_default();
    // Authenticators go by the real time, wherever the tenant's clock stands.
    let is_right = match one_time_codes::step_of(secret, code, clock::real()) {
        Some(step) => users::use_otp_step(tx, tenant.tenant_id, user.id, step)?,
        None => false,
    };
    if is_right {
        guessing::forgive(tx, tenant.tenant_id, &subject)?;
        return Ok(Ok(()));
    }
    Ok(Err(Refusal::invalid("otp_code", "is not right or was used")))
}

/// Whether a user who is logged in has proved once more who he is, as he must to change what he logs in with: by any of
/// the proofs. A refusal inside of what is returned is to be committed.
pub fn confirm(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    proof: &Proof,
) -> Outcome<Result<(), Refusal>> {
    let subject = [Subject::Confirmation(user.id)];
    guessing::check(tx, tenant.tenant_id, now, &subject)?;
    let wrong = |field| Refusal::unproven(field, "This is not right.");
    let result = if let Some(password) = &proof.password {
        if password.is_of(user) { Ok(()) } else { Err(wrong("password")) }
    } else if let Some(code) = &proof.otp_code {
        match use_otp_code(tx, tenant, now, user, code)? {
            Err(Refusal::FieldInvalid { .. }) => Err(wrong("otp_code")),
            result => result,
        }
    } else if let (Some(code), Some(email)) = (&proof.email_code, &user.email) {
        let is_right = verification::use_code(tx, tenant, now, email, code)?;
        if is_right { Ok(()) } else { Err(wrong("email_code")) }
    } else if proof.phone_code.is_some() || proof.email_code.is_some() {
        Err(wrong(if proof.phone_code.is_some() { "phone_code" } else { "email_code" }))
    } else {
        return Ok(Err(Refusal::unproven(
            "detail",
            "Prove once more who you are, with your password, otp_code or email_code.",
        )));
    };
    match &result {
        Ok(()) => guessing::forgive(tx, tenant.tenant_id, &subject[0])?,
        Err(_) => guessing::count(tx, tenant.tenant_id, now, &subject)?,
    }
    Ok(result)
}

/// With what a user goes on to be logged in when his password changes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept {
    /// The session that does not end.
    pub session: Option<Uuid>,
    /// Whether his API keys stay. They go where it was not by his password that he changed it: somebody who had got hold
    /// of it may have made them.
    pub api_keys: bool,
}

/// Gives a user a new password: codes that were sent to him count no more, and his sessions and keys end but `kept`.
pub fn set_password(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    password_hash: &str,
    kept: Kept,
) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    users::set_password(tx, user.id, password_hash, scene.now)?;
    verification_codes::remove_of_user(tx, tenant_id, user.id)?;
    match kept.session {
        Some(id) => sessions::end_others(tx, user.id, id)?,
        None => sessions::end_all(tx, user.id)?,
    };
    if !kept.api_keys {
        api_keys::remove_all(tx, tenant_id, user.id)?;
    }
    record(tx, scene, user, json!({ "password": "changed" }))?;
    match (&user.email, &user.password_hash) {
        (Some(email), Some(_)) => {
            let values = json!({ "site": verification::site_name(scene.tenant), "name": user.username });
            mails::send(tx, tenant_id, scene.now, "password_changed", email, &values)
        }
        _ => Ok(()),
    }
}

/// Takes a user's password away, and ends all with which he is logged in or could be: sessions, keys, codes.
pub fn unset_password(tx: &mut dyn Connection, scene: Scene<'_>, user: &User) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    users::unset_password(tx, user.id, scene.now)?;
    verification_codes::remove_of_user(tx, tenant_id, user.id)?;
    api_keys::remove_all(tx, tenant_id, user.id)?;
    sessions::end_all(tx, user.id)?;
    record(tx, scene, user, json!({ "password": "removed" }))
}

/// Asks a user for a code sent by e-mail each time he logs in with his password from now on, or no more. Refuses where he
/// has no e-mail address.
pub fn set_email_demand(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    is_demanded: bool,
) -> Outcome<()> {
    if is_demanded && user.email.is_none() {
        return Err(Refusal::FieldMissing { field: "email" }.into());
    }
    if users::set_demands_email_code(tx, scene.tenant.tenant_id, user.id, is_demanded)? {
        record(tx, scene, user, json!({ "emailCodes": is_demanded }))?;
    }
    Ok(())
}

/// Lets a user log in with one-time codes from now on, or no more. Returns the secret, and whether it is a new one.
pub fn set_otp(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    is_enabled: bool,
) -> Outcome<Option<(String, bool)>> {
    // Two who ask at once get one secret.
    let locked = users::lock(tx, scene.tenant.tenant_id, user.id)?;
    let user = &locked.ok_or_else(|| Refusal::UserUnknown { username: user.username.clone() })?;
    match (is_enabled, &user.person.otp_secret) {
        (true, Some(secret)) => Ok(Some((secret.clone(), false))),
        (true, None) => {
            let secret = one_time_codes::new_secret();
            users::set_otp_secret(tx, user.id, Some(&secret), scene.now)?;
            record(tx, scene, user, json!({ "oneTimeCodes": true }))?;
            Ok(Some((secret, true)))
        }
        (false, known) => {
            if known.is_some() {
                users::set_otp_secret(tx, user.id, None, scene.now)?;
                record(tx, scene, user, json!({ "oneTimeCodes": false }))?;
            }
            Ok(None)
        }
    }
}

/// Sends a user who has no password a link with which he sets one. Refuses one who has a password or no e-mail address.
pub fn invite(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    base: Option<&str>,
) -> Outcome<()> {
    if user.password_hash.is_some() {
        return Err(Refusal::invalid("username", "is active already").into());
    }
    let email = user.email.as_deref().ok_or(Refusal::FieldMissing { field: "email" })?;
    verification::send(tx, tenant, now, email, Some(user), base)
}

/// Sets the password of whoever a key was sent to, and what else he says of himself; the address is his. `None` when the key proves nothing, or nobody who
/// is registered. A refusal inside of what is returned is to be committed.
pub fn activate(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    key: &str,
    (password_hash, otp_code): (&str, Option<&str>),
    fields: &PersonFields,
) -> Outcome<Option<Result<User, Refusal>>> {
    let Scene { tenant, now, .. } = scene;
    let tenant_id = tenant.tenant_id;
    let Some((address, Some(user))) = of_key(tx, tenant, now, key)? else { return Ok(None) };
    if let Some(refusal) = prove_otp(tx, tenant, now, &user, otp_code)? {
        return Ok(Some(Err(refusal)));
    }
    if !verification_codes::remove(tx, tenant_id, &address)? {
        return Ok(None);
    }
    check_address(fields, &address)?;
    admit(tx, scene, &user, Some(password_hash), fields).map(|user| Some(Ok(user)))
}

/// Lets a user whose e-mail address is proved to be his log in from now on, with what else he says of himself.
pub(crate) fn admit(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    password_hash: Option<&str>,
    fields: &PersonFields,
) -> Outcome<User> {
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    if let Some(hash) = password_hash {
        set_password(tx, scene, user, hash, Kept::default())?;
    }
    users::set_email_verified(tx, user.id, now)?;
    crate::profiles::take_own(tx, scene, user)?;
    crate::users::change(tx, tenant_id, caller, now, &user.username, fields)?;
    for name in user.email.iter().chain([&user.username]) {
        guessing::forgive(tx, tenant_id, &Subject::Name(name))?;
    }
    guessing::forgive(tx, tenant_id, &Subject::User(user.id))?;
    if user.password_hash.is_none() {
        crate::users::publish(tx, scene, user, "USER_ACTIVATED")?;
    }
    Ok(users::by_id(tx, user.id)?.ok_or_else(|| Refusal::UserUnknown { username: user.username.clone() })?)
}

/// Refuses an e-mail address that is not the one that a key was sent to.
pub(crate) fn check_address(fields: &PersonFields, address: &str) -> Result<(), Refusal> {
    match &fields.email {
        Some(Some(email)) if email.to_lowercase() == address => Ok(()),
        None => Ok(()),
        Some(_) => Err(Refusal::invalid("email", "must be the address that the key was sent to")),
    }
}

/// The address that a key was sent to, and the user who has it if somebody does.
pub fn of_key(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    key: &str,
) -> Outcome<Option<(String, Option<User>)>> {
    let Some(kept) = verification::of_key(tx, tenant, now, key)? else { return Ok(None) };
    let Some(id) = kept.user_id else { return Ok(Some((kept.address, None))) };
    let user = users::by_id(tx, id)?.filter(|user| user.tenant_id == tenant.tenant_id);
    // The address may have changed hands since.
    let user = user.filter(|user| user.email.as_deref() == Some(&kept.address));
    Ok(user.map(|user| (kept.address, Some(user))))
}

/// Records a change of what a user logs in with, without any secret.
pub(crate) fn record(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    mut snapshot: Value,
) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    let (record_id, _) = users::lock_by_username(tx, tenant_id, &user.username)?
        .ok_or_else(|| Error::from(Refusal::UserUnknown { username: user.username.clone() }))?;
    snapshot["id"] = json!(user.id);
    snapshot["username"] = json!(user.username);
    let what = (ChangeType::Update, ObjectType::User, user.id, record_id);
    crate::record_of_tenant(tx, tenant_id, scene.caller, scene.now, what, &snapshot)
}

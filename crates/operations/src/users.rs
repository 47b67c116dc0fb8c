//! Users as people: what is known of them, what mail they want, and their leaving.

use crate::access::{self, Demand, Guard, Target};
use crate::role_kinds::Scene;
use crate::verification::site_name;
use crate::{mails, organizations, profiles, record_of_tenant, roles, verification};
use billing::organization::EMAIL_LIMIT;
use billing::organization::check_slug;
use billing::person::{check_login_name, check_person};
use billing::phone::parse_phone;
use billing::{Caller, ChangeType, ObjectType, Refusal, TenantId, text};
use jiff::Timestamp;
use serde_json::json;
use storage::audit::{self, Event};
use storage::users::{self, Person, User};
use storage::{Connection, Outcome, people};
use uuid::Uuid;

/// Kinds of mail that users get unless they do not want them.
pub const NOTIFICATIONS: [&str; 12] = [
    "card_updated",
    "charge_updated",
    "claim_code_generated",
    "expires_soon",
    "order_executed",
    "period_sales_report_created",
    "profile_updated",
    "role_request_created",
    "user_activated",
    "user_contact",
    "user_registered",
    "user_welcome",
];

/// What is said of a user. `None`: not mentioned; `Some(None)`: shall be nothing.
#[derive(Clone, Debug, Default)]
pub struct PersonFields {
    /// Name to log in by.
    pub username: Option<String>,
    /// E-mail address.
    pub email: Option<Option<String>>,
    /// Phone number, in any notation.
    pub phone: Option<Option<String>>,
    /// Name and surname.
    pub full_name: Option<Option<String>>,
    /// What he likes to be called.
    pub nick_name: Option<Option<String>>,
    /// Language code.
    pub lang: Option<Option<String>>,
    /// Address of his picture.
    pub picture: Option<Option<String>>,
    /// What callers keep with him, as JSON.
    pub extra: Option<Option<String>>,
}

impl PersonFields {
    /// Whether a user would be found by another name, e-mail or phone: by them he logs in, and recovers his password.
    pub fn changes_login(&self, user: &User) -> bool {
        let phone = |phone: &Option<String>| match phone {
            Some(phone) => parse_phone("phone", phone).ok() != user.person.phone,
            None => user.person.phone.is_some(),
        };
        self.username.as_ref().is_some_and(|username| *username != user.username)
            || self.changes_email(user)
            || self.phone.as_ref().is_some_and(phone)
    }

    /// Whether a user's e-mail address becomes another.
    pub fn changes_email(&self, user: &User) -> bool {
        self.email.as_ref().is_some_and(|email| email.as_deref().map(str::to_lowercase) != user.email)
    }

    /// Writes what is mentioned into a user. A new e-mail or phone is not proved to be his.
    fn apply(&self, user: &mut User) -> Result<(), Refusal> {
        if let Some(email) = &self.email {
            let email = email.as_ref().map(|email| email.to_lowercase());
            if user.email != email {
                user.person.email_verified_at = None;
            }
            user.email = email;
        }
        if let Some(phone) = &self.phone {
            let phone = phone.as_deref().map(|phone| parse_phone("phone", phone)).transpose()?;
            if user.person.phone != phone {
                user.person.phone_verified_at = None;
            }
            user.person.phone = phone;
        }
        // Whoever has such a name already keeps it.
        if let Some(username) = self.username.as_ref().filter(|username| **username != user.username) {
            check_login_name(username, user.email.as_deref())?;
            user.username.clone_from(username);
        }
        let person = &mut user.person;
        for (wanted, kept) in [
            (&self.full_name, &mut person.full_name),
            (&self.nick_name, &mut person.nick_name),
            (&self.lang, &mut person.lang),
            (&self.picture, &mut person.picture),
            (&self.extra, &mut person.extra),
        ] {
            if let Some(wanted) = wanted {
                kept.clone_from(wanted);
            }
        }
        check_person(&person.full_name, &person.nick_name, &user.email, &person.lang)
    }
}

/// Makes a user who has a password only if its hash is given. Refuses a name, e-mail or phone that another has, and a
/// profile's slug as name. Without a name he gets one made of his e-mail address, or of his full name.
pub fn create(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    fields: &PersonFields,
    password_hash: Option<String>,
) -> Outcome<User> {
    let mut user = User {
        id: Uuid::new_v4(),
        tenant_id,
        username: String::new(),
        email: None,
        password_hash,
        current_organization_id: None,
        person: Person { created_at: now, ..Person::default() },
        is_active: true,
    };
    fields.apply(&mut user)?;
    if user.username.is_empty() {
        let wish = user.email.as_deref().or(user.person.full_name.as_deref()).unwrap_or("user");
        user.username = free_username(tx, tenant_id, wish)?;
    }
    refuse_taken(tx, &user, None)?;
    if !users::insert(tx, &user, &caller.changed_by, now)? {
        return Err(Refusal::UserTaken { username: user.username }.into());
    }
    record(tx, caller, now, ChangeType::Insert, &user)?;
    Ok(user)
}

/// A name that nobody has, neither user nor profile: what stands before the `@` of a wish, or that with a few digits.
pub(crate) fn free_username(tx: &mut dyn Connection, tenant_id: TenantId, wish: &str) -> Outcome<String> {
    let stem = wish.split('@').next().unwrap_or(wish);
    let stem = if parse_phone("username", stem).is_ok() { "user" } else { stem };
    let slug = organizations::free_slug(tx, tenant_id, stem)?;
    if !users::is_name_taken(tx, tenant_id, &slug)? {
        return Ok(slug);
    }
    let digits = Uuid::new_v4().simple().to_string();
    let stem: String = slug.chars().take(30).collect();
    Ok(format!("{stem}-{}", digits.get(..12).unwrap_or(&digits)))
}

/// Refuses a name, e-mail or phone that another user has, and a new name that is another profile's slug: it would be that of
/// the user's own. `before` is the name that he had.
fn refuse_taken(tx: &mut dyn Connection, user: &User, before: Option<&str>) -> Outcome<()> {
    let is_other = |found: Option<User>| found.is_some_and(|found| found.id != user.id);
    let is_slug = before != Some(user.username.as_str())
        && storage::organizations::by_slug(tx, user.tenant_id, &user.username)?
            .is_some_and(|stored| stored.organization.owner_id != Some(user.id));
    if is_slug || is_other(users::by_username(tx, user.tenant_id, &user.username)?) {
        return Err(Refusal::ValueTaken { field: "username" }.into());
    }
    if let Some(email) = &user.email
        && is_other(users::by_email(tx, user.tenant_id, email)?)
    {
        return Err(Refusal::ValueTaken { field: "email" }.into());
    }
    if let Some(phone) = &user.person.phone
        && is_other(users::by_phone(tx, user.tenant_id, phone)?)
    {
        return Err(Refusal::ValueTaken { field: "phone" }.into());
    }
    Ok(())
}

/// Changes a user; his personal profile follows. Refuses a name, e-mail or phone that another has.
pub fn change(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    username: &str,
    fields: &PersonFields,
) -> Outcome<User> {
    let user = save(tx, tenant_id, caller, now, username, fields)?;
    if let Some(profile) = storage::profiles::of_person(tx, tenant_id, user.id)? {
        let wanted = profiles::ProfileFields {
            // A name that is no slug leaves the profile the one it has.
            slug: fields.username.clone().filter(|name| check_slug(name).is_ok()),
            name: fields.full_name.clone().flatten(),
            email: fields.email.as_ref().map(|_| user.email.clone()),
            phone: fields.phone.as_ref().map(|_| user.person.phone.clone()),
            picture: fields.picture.clone(),
            ..profiles::ProfileFields::default()
        };
        profiles::save(tx, tenant_id, caller, now, profile.organization.organization.id, &wanted)?;
    }
    Ok(user)
}

/// Codes that were sent to somebody.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    /// The one that was sent to his e-mail address, the new one where he changes it.
    pub email: Option<String>,
    /// The one that was sent to his phone. None is sent, so that none is right.
    pub phone: Option<String>,
}

/// Refuses a change, by `actor`, of what another user is found by when he logs in, except by those who manage the site: a
/// manager of some profile that the user has a role on would become him with an address of his own.
pub(crate) fn check_may_change(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    (actor, user): (&User, &User),
    fields: &PersonFields,
) -> Outcome<()> {
    if actor.id == user.id || !fields.changes_login(user) {
        return Ok(());
    }
    let demand = Demand::write(Guard::Broker).frictionless();
    access::check(tx, scene.tenant, scene.now, actor, demand, Target::default())
}

/// [`change`] by `actor`, with proof that an address is the user's. Refuses another's login unless `actor` manages the
/// site. A refusal inside of what is returned is to be committed.
pub fn change_by_codes(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    (actor, user): (&User, &User),
    fields: &PersonFields,
    codes: &Codes,
) -> Outcome<Result<User, Refusal>> {
    let Scene { tenant, caller, now } = scene;
    check_may_change(tx, scene, (actor, user), fields)?;
    if codes.phone.is_some() {
        return Ok(Err(Refusal::CodeWrong));
    }
    if let Some(code) = &codes.email {
        let address = match &fields.email {
            Some(email) => email.as_ref().map(|email| email.to_lowercase()),
            None => user.email.clone(),
        };
        let is_right = match address {
            Some(address) => verification::use_code(tx, tenant, now, &address, code)?,
            None => false,
        };
        if !is_right {
            return Ok(Err(Refusal::CodeWrong));
        }
    }
    let user = change(tx, tenant.tenant_id, caller, now, &user.username, fields)?;
    if codes.email.is_some() {
        users::set_email_verified(tx, user.id, now)?;
    }
    Ok(Ok(user))
}

/// [`change`] of the user alone.
pub(crate) fn save(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    username: &str,
    fields: &PersonFields,
) -> Outcome<User> {
    let unknown = || Refusal::UserUnknown { username: username.to_owned() };
    let (_, mut user) = users::lock_by_username(tx, tenant_id, username)?.ok_or_else(unknown)?;
    let before = user.email.clone();
    fields.apply(&mut user)?;
    refuse_taken(tx, &user, Some(username))?;
    if !people::update(tx, &user, now)? {
        return Err(Refusal::UserTaken { username: user.username }.into());
    }
    storage::profiles::remove_other_picture(tx, tenant_id, user.id, user.person.picture.as_deref())?;
    record(tx, caller, now, ChangeType::Update, &user)?;
    if let Some(before) = before.filter(|before| user.email.as_ref() != Some(before)) {
        warn(tx, now, &user, &before)?;
    }
    Ok(user)
}

/// Takes his e-mail address from a user, whose personal profile follows, because it is another's. No mail tells of it: it
/// would go to that other.
pub(crate) fn forget_email(tx: &mut dyn Connection, scene: Scene<'_>, user: &User) -> Outcome<()> {
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    let unknown = || Refusal::UserUnknown { username: user.username.clone() };
    let (_, mut user) = users::lock_by_username(tx, tenant_id, &user.username)?.ok_or_else(unknown)?;
    user.email = None;
    user.person.email_verified_at = None;
    people::update(tx, &user, now)?;
    // He could never give the code.
    users::set_demands_email_code(tx, tenant_id, user.id, false)?;
    record(tx, caller, now, ChangeType::Update, &user)?;
    let Some(profile) = storage::profiles::of_person(tx, tenant_id, user.id)? else { return Ok(()) };
    let wanted = profiles::ProfileFields { email: Some(None), ..profiles::ProfileFields::default() };
    profiles::save(tx, tenant_id, caller, now, profile.organization.organization.id, &wanted)?;
    Ok(())
}

/// Tells a user at his old e-mail address that he has another, if mail can go there: it may not have been him.
fn warn(tx: &mut dyn Connection, now: Timestamp, user: &User, before: &str) -> Outcome<()> {
    let tenant = storage::tenants::by_number(tx, user.tenant_id)?;
    let tenant = tenant.filter(|_| text::check_email("email", before, EMAIL_LIMIT).is_ok());
    let Some(tenant) = tenant else { return Ok(()) };
    let values = json!({ "site": site_name(&tenant), "name": user.username, "email": user.email });
    mails::send(tx, user.tenant_id, now, "email_changed", before, &values)
}

/// Lets a user go: what is known of him is forgotten, with his roles, keys, sessions and signatures, and his personal
/// profile is archived, nameless. Only the books of its account keep who was billed.
pub fn delete(tx: &mut dyn Connection, scene: Scene<'_>, username: &str) -> Outcome<()> {
    let Scene { tenant, caller, now } = scene;
    let user = access::user(tx, tenant.tenant_id, username)?;
    match storage::profiles::of_person(tx, tenant.tenant_id, user.id)? {
        // The user goes with his profile.
        Some(profile) => profiles::delete(tx, tenant, caller, now, profile.organization.organization.id),
        None => archive(tx, scene, &user),
    }
}

/// Forgets a user. Refuses the only one who manages the broker.
pub(crate) fn archive(tx: &mut dyn Connection, scene: Scene<'_>, user: &User) -> Outcome<()> {
    let Scene { tenant, caller, now } = scene;
    roles::remove_all_of(tx, scene, user)?;
    record(tx, caller, now, ChangeType::Delete, user)?;
    people::archive(tx, tenant.tenant_id, user.id, &format!("_archive_{}", user.id.simple()), now)?;
    Ok(())
}

fn record(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    user: &User,
) -> Outcome<()> {
    organizations::record_user(tx, user.tenant_id, caller, now, change_type, user)
}

/// Tells programs what happened to a user.
pub(crate) fn publish(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    event_type: &'static str,
) -> Outcome<()> {
    let (object_type, object_id) = (ObjectType::User, Some(user.id));
    let event = Event { event_type, object_type, object_id, metadata: None };
    let Scene { tenant, caller, now } = scene;
    Ok(audit::publish(tx, tenant.tenant_id, None, caller.user_token, now, &event)?)
}

/// The kinds of mail that a user gets.
pub fn notifications(tx: &mut dyn Connection, user: &User) -> Outcome<Vec<&'static str>> {
    let muted = people::muted(tx, user.tenant_id, user.id)?;
    Ok(NOTIFICATIONS.into_iter().filter(|slug| !muted.iter().any(|muted| muted == slug)).collect())
}

/// Chooses the kinds of mail that a user gets. Refuses a kind that there is not.
pub fn set_notifications(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    user: &User,
    wanted: &[String],
) -> Outcome<Vec<&'static str>> {
    if wanted.iter().any(|slug| !NOTIFICATIONS.contains(&slug.as_str())) {
        let why = format!("must be of {}", NOTIFICATIONS.join(", "));
        return Err(Refusal::invalid("notifications", why).into());
    }
    let muted: Vec<&str> =
        NOTIFICATIONS.into_iter().filter(|slug| !wanted.iter().any(|wanted| wanted == slug)).collect();
    people::set_muted(tx, user.tenant_id, user.id, &muted)?;
    let unknown = || Refusal::UserUnknown { username: user.username.clone() };
    let (record_id, _) = users::lock_by_username(tx, user.tenant_id, &user.username)?.ok_or_else(unknown)?;
    let what = (ChangeType::Update, ObjectType::User, user.id, record_id);
    record_of_tenant(tx, user.tenant_id, caller, now, what, &json!({ "muted": muted }))?;
    notifications(tx, user)
}

//! People register: a user, the profile that is himself, and where he names one the profile of his organization with its
//! billing account.

use crate::guessing::{self, Subject};
use crate::profiles::{self, ProfileFields};
use crate::role_kinds::Scene;
use crate::users::{PersonFields, free_username};
use crate::{agreements, mails, organizations, proofs, roles, verification};
use billing::organization::{Contact, check_contact, check_name};
use billing::person::{check_login_name, check_person};
use billing::{Refusal, phone};
use serde_json::json;
use storage::organization_roles::Role;
use storage::users::{self, Person, User};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// A request to register.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// The name to log in with; made from the e-mail address or the full name when absent.
    pub username: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Phone number, in any form that names a country.
    pub phone: Option<String>,
    /// Name and surname.
    pub full_name: Option<String>,
    /// What he likes to be called.
    pub nick_name: Option<String>,
    /// Language code.
    pub lang: Option<String>,
    /// What callers keep with him, as JSON.
    pub extra: Option<String>,
    /// Hash of the password, made before the transaction; none for who only logs in by codes.
    pub password_hash: Option<String>,
    /// Where he is; becomes his personal profile's.
    pub address: Contact,
    /// Name of his organization, if it shall be one, too.
    pub organization_name: Option<String>,
    /// Whether the organization, else he himself, offers plans.
    pub is_provider: bool,
    /// What callers keep with the organization, else with his personal profile, as JSON.
    pub organization_extra: Option<String>,
    /// What callers keep with his role on it, as JSON.
    pub role_extra: Option<String>,
    /// Whether he agrees to the agreements of these slugs; those that there are not are ignored.
    pub agreements: Vec<(String, bool)>,
    /// The code that was sent to his e-mail address.
    pub email_code: Option<String>,
    /// Whether to send him such a code.
    pub wants_code: bool,
    /// The address of the network that he calls from.
    pub peer: Option<String>,
}

/// Registers somebody. Where `must_verify`, he first proves that his e-mail address is his: what is then refused inside
/// of what is returned is to be committed, and it tells nobody who is registered.
pub fn register(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    registration: &Registration,
    must_verify: bool,
    base: Option<&str>,
) -> Outcome<Result<User, Refusal>> {
    let mut user = new_user(scene, registration)?;
    check_contact(&registration.address)?;
    if let Some(name) = &registration.organization_name {
        check_name(name).map_err(|refusal| renamed(refusal, "organization_name"))?;
    }
    if let Err(refusal) = verify(tx, scene, registration, &mut user, must_verify, base)? {
        return Ok(Err(refusal));
    }
    if user.person.email_verified_at.is_some() {
        if let Some(invited) = invited(tx, &user)? {
            return take_up(tx, scene, &invited, registration).map(Ok);
        }
        take_from_claimant(tx, scene, &user)?;
    }
    sign_up(tx, scene, user, registration).map(Ok)
}

/// Who was made a user by somebody else, at an address that is now proved to be his, and has nothing to log in with yet.
fn invited(tx: &mut dyn Connection, user: &User) -> Outcome<Option<User>> {
    let Some(email) = &user.email else { return Ok(None) };
    let known = users::by_email(tx, user.tenant_id, email)?;
    Ok(known.filter(|known| known.password_hash.is_none() && known.person.otp_secret.is_none()))
}

/// Whether a user has given an address that he never proved to be his, though he has all to log in with.
fn is_claimant(user: &User) -> bool {
    user.person.email_verified_at.is_none()
        && (user.password_hash.is_some() || user.person.otp_secret.is_some())
}

/// Takes an address, which is now proved to be another's, from a user who never proved that it is his.
fn take_from_claimant(tx: &mut dyn Connection, scene: Scene<'_>, owner: &User) -> Outcome<()> {
    let Some(email) = &owner.email else { return Ok(()) };
    match users::by_email(tx, owner.tenant_id, email)?.filter(is_claimant) {
        Some(claimant) => crate::users::forget_email(tx, scene, &claimant),
        None => Ok(()),
    }
}

/// Lets somebody who was invited be the user that he is already.
fn take_up(tx: &mut dyn Connection, scene: Scene<'_>, known: &User, asked: &Registration) -> Outcome<User> {
    let Scene { tenant, caller, now } = scene;
    let told = |text: &Option<String>| text.clone().map(Some);
    let fields = PersonFields {
        username: asked.username.clone(),
        phone: told(&asked.phone),
        full_name: told(&asked.full_name),
        nick_name: told(&asked.nick_name),
        lang: told(&asked.lang),
        extra: told(&asked.extra),
        ..PersonFields::default()
    };
    let user = proofs::admit(tx, scene, known, asked.password_hash.as_deref(), &fields)?;
    let personal = match storage::profiles::of_person(tx, tenant.tenant_id, user.id)? {
        Some(profile) => profile.organization.organization,
        None => {
            let made =
                organizations::make_default(tx, tenant.tenant_id, caller, now, &user, asked.address.clone())?;
            roles::make_manager(tx, scene, &user, &made)?;
            made
        }
    };
    let Contact { street_address, locality, region, postal_code, country, .. } = &asked.address;
    let address = ProfileFields {
        street_address: told(street_address),
        locality: told(locality),
        region: told(region),
        postal_code: told(postal_code),
        country: told(country),
        ..ProfileFields::default()
    };
    profiles::save(tx, tenant.tenant_id, caller, now, personal.id, &address)?;
    complete(tx, scene, &user, personal.id, asked)
}

/// Registers whoever a key was sent to, at an address that no user had. `None` when the key proves no such thing.
pub fn register_by_key(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    key: &str,
    registration: &Registration,
) -> Outcome<Option<User>> {
    let tenant_id = scene.tenant.tenant_id;
    let Some(kept) = verification::of_key(tx, scene.tenant, scene.now, key)? else { return Ok(None) };
    if kept.user_id.is_some() || !storage::verification_codes::remove(tx, tenant_id, &kept.address)? {
        return Ok(None);
    }
    if registration.email.as_ref().is_some_and(|email| email.to_lowercase() != kept.address) {
        return Err(Refusal::invalid("email", "must be the address that the key was sent to").into());
    }
    let registration = Registration { email: Some(kept.address), ..registration.clone() };
    let mut user = new_user(scene, &registration)?;
    user.person.email_verified_at = Some(scene.now);
    take_from_claimant(tx, scene, &user)?;
    sign_up(tx, scene, user, &registration).map(Some)
}

/// The user whom a registration asks for. His name may still be missing.
fn new_user(scene: Scene<'_>, asked: &Registration) -> Result<User, Refusal> {
    let email = asked.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let email = email.map(str::to_lowercase);
    let phone = asked.phone.as_deref().map(str::trim).filter(|phone| !phone.is_empty());
    let phone = phone.map(|phone| phone::parse_phone("phone", phone)).transpose()?;
    if email.is_none() && phone.is_none() {
        return Err(Refusal::FieldMissing { field: "email" });
    }
    check_person(&asked.full_name, &asked.nick_name, &email, &asked.lang)?;
    if let Some(username) = &asked.username {
        check_login_name(username, email.as_deref())?;
    }
    Ok(User {
        id: Uuid::new_v4(),
        tenant_id: scene.tenant.tenant_id,
        username: asked.username.clone().unwrap_or_default(),
        email,
        password_hash: asked.password_hash.clone(),
        current_organization_id: None,
        person: Person {
            full_name: asked.full_name.clone(),
            nick_name: asked.nick_name.clone(),
            phone,
            lang: asked.lang.clone(),
            extra: asked.extra.clone(),
            created_at: scene.now,
            ..Person::default()
        },
        is_active: true,
    })
}

fn renamed(refusal: Refusal, field: &'static str) -> Refusal {
    match refusal {
        Refusal::FieldMissing { .. } => Refusal::FieldMissing { field },
        Refusal::FieldTooLong { limit, .. } => Refusal::FieldTooLong { field, limit },
        Refusal::FieldInvalid { why, .. } => Refusal::FieldInvalid { field, why },
        other => other,
    }
}

/// Sees to it that the addresses are his, where they must be.
fn verify(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    asked: &Registration,
    user: &mut User,
    must_verify: bool,
    base: Option<&str>,
) -> Outcome<Result<(), Refusal>> {
    if let (Some(code), Some(email)) = (&asked.email_code, &user.email) {
        if !verification::use_code(tx, scene.tenant, scene.now, email, code)? {
            return Ok(Err(Refusal::invalid("email_code", "is not right, or was used or sent long ago")));
        }
        user.person.email_verified_at = Some(scene.now);
        return Ok(Ok(()));
    }
    if !must_verify {
        return Ok(Ok(()));
    }
    let Some(email) = user.email.clone() else {
        let why = "This number must be verified, which this site does by e-mail alone: give an email, too.";
        return Ok(Err(Refusal::unproven("phone", why)));
    };
    if !asked.wants_code {
        return Ok(Err(Refusal::unproven(
            "email",
            "This e-mail address must be verified: ask with check_email.",
        )));
    }
    // What proves the address must not let its owner in as somebody else.
    let known = users::by_email(tx, scene.tenant.tenant_id, &email)?.filter(|known| !is_claimant(known));
    let tenant_id = scene.tenant.tenant_id;
    let peer: Vec<Subject<'_>> = asked.peer.as_deref().map(Subject::Peer).into_iter().collect();
    guessing::check(tx, tenant_id, scene.now, &peer)?;
    guessing::count(tx, tenant_id, scene.now, &peer)?;
    verification::send(tx, scene.tenant, scene.now, &email, known.as_ref(), base)?;
    Ok(Err(Refusal::unproven("email", "A code was sent to this e-mail address: send it back as email_code.")))
}

fn sign_up(tx: &mut dyn Connection, scene: Scene<'_>, mut user: User, asked: &Registration) -> Outcome<User> {
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    refuse_taken(tx, &user)?;
    if user.username.is_empty() {
        let wish = user.email.as_deref().or(user.person.full_name.as_deref()).unwrap_or("user");
        user.username = free_username(tx, tenant_id, wish)?;
    } else if storage::organizations::by_slug(tx, tenant_id, &user.username)?.is_some() {
        return Err(Refusal::ValueTaken { field: "username" }.into());
    }
    let contact =
        Contact { email: user.email.clone(), phone: user.person.phone.clone(), ..asked.address.clone() };
    let personal = organizations::sign_up(tx, tenant_id, caller, now, &user, contact)?;
    roles::make_manager(tx, scene, &user, &personal)?;
    let user = complete(tx, scene, &user, personal.id, asked)?;
    for event_type in ["USER_REGISTERED", "USER_WELCOME"] {
        crate::users::publish(tx, scene, &user, event_type)?;
    }
    if let Some(email) = &user.email {
        let values = json!({ "site": verification::site_name(tenant), "name": user.username });
        mails::send(tx, tenant_id, now, "welcome", email, &values)?;
    }
    Ok(user)
}

/// What a registration asks besides that somebody be a user: agreements, profiles, and what is kept with them. Answers
/// the user as he is then.
fn complete(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    personal: Uuid,
    asked: &Registration,
) -> Outcome<User> {
    let tenant_id = scene.tenant.tenant_id;
    let known =
        if asked.agreements.is_empty() { Vec::new() } else { storage::agreements::slugs(tx, tenant_id)? };
    for (slug, has_read) in asked.agreements.iter().filter(|(slug, _)| known.contains(slug)) {
        if !has_read {
            return Err(Refusal::AgreementNotSigned { slug: slug.clone() }.into());
        }
        agreements::sign(tx, scene, user, slug, true)?;
    }
    describe(tx, scene, asked, personal)?;
    let described = match &asked.organization_name {
        Some(name) => found(tx, scene, user, name, asked)?.organization_id,
        None => personal,
    };
    if asked.role_extra.is_some() {
        let organization = organizations::get(tx, tenant_id, described)?;
        roles::set_extra(tx, scene, user, &organization, asked.role_extra.clone())?;
    }
    Ok(users::by_id(tx, user.id)?.unwrap_or_else(|| user.clone()))
}

/// Refuses an e-mail address or a phone number that somebody has.
fn refuse_taken(tx: &mut dyn Connection, user: &User) -> Outcome<()> {
    if let Some(email) = &user.email
        && users::by_email(tx, user.tenant_id, email)?.is_some()
    {
        return Err(Refusal::ValueTaken { field: "email" }.into());
    }
    if let Some(phone) = &user.person.phone
        && users::by_phone(tx, user.tenant_id, phone)?.is_some()
    {
        return Err(Refusal::ValueTaken { field: "phone" }.into());
    }
    Ok(())
}

/// Keeps what was said of the personal profile besides how to reach it. With an address it can be billed, so that its
/// account is opened.
fn describe(tx: &mut dyn Connection, scene: Scene<'_>, asked: &Registration, id: Uuid) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    let stored = storage::organizations::lock(tx, tenant_id, id)?;
    let mut stored = stored.ok_or(Refusal::OrganizationUnknown { id })?;
    if asked.organization_name.is_none() && (asked.is_provider || asked.organization_extra.is_some()) {
        stored.organization.is_provider = asked.is_provider;
        stored.organization.extra.clone_from(&asked.organization_extra);
        stored = organizations::save(tx, tenant_id, scene.caller, scene.now, stored)?;
    }
    let Contact { street_address, locality, postal_code, .. } = &asked.address;
    if [street_address, locality, postal_code].into_iter().any(Option::is_some) {
        profiles::open_account(tx, tenant_id, scene.caller, scene.now, stored)?;
    }
    Ok(())
}

/// Makes the profile of an organization, with the user as its owner and manager, and its billing account.
fn found(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    name: &str,
    asked: &Registration,
) -> Outcome<Role> {
    let fields = ProfileFields {
        name: Some(name.to_owned()),
        email: Some(user.email.clone()),
        is_provider: Some(asked.is_provider),
        extra: Some(asked.organization_extra.clone()),
        ..ProfileFields::default()
    };
    let profile = profiles::create(tx, scene, &fields, Some(user))?;
    roles::get(tx, scene, user, &profile.organization.organization)
}

//! Profiles: organizations as people see and change them. One with a billing account is changed through the account, so
//! that every desk tells the same.

use crate::access::{self, Demand, Guard, Target};
use crate::role_kinds::Scene;
use crate::verification::site_name;
use crate::{accounts, organizations, role_mails, roles, users};
use billing::account::{AccountChange, AccountDetails, AccountStatus, NewAccount};
use billing::organization::{
    Contact, Kind, Organization, check_contact, check_name, check_slug, check_time_zone,
};
use billing::phone::parse_phone;
use billing::{Caller, ObjectType, Refusal, Tenant, TenantId};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use storage::audit::{self, Event};
use storage::organizations::StoredOrganization;
use storage::profiles::{self, Profile};
use storage::users::User;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// What is said of a profile. `None`: not mentioned; `Some(None)`: shall be nothing.
#[derive(Clone, Debug, Default)]
pub struct ProfileFields {
    /// Its name in addresses.
    pub slug: Option<String>,
    /// Its name for people.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<Option<String>>,
    /// Phone number, in any notation.
    pub phone: Option<Option<String>>,
    /// Street and number.
    pub street_address: Option<Option<String>>,
    /// City.
    pub locality: Option<Option<String>>,
    /// State or province.
    pub region: Option<Option<String>>,
    /// Postal code.
    pub postal_code: Option<Option<String>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Option<String>>,
    /// IANA name.
    pub time_zone: Option<String>,
    /// Whether it offers plans.
    pub is_provider: Option<bool>,
    /// Whether it buys for others.
    pub is_bulk_buyer: Option<bool>,
    /// Whether nobody gets a role on it by his e-mail address alone.
    pub no_implicit_role: Option<bool>,
    /// Address of its picture.
    pub picture: Option<Option<String>>,
    /// What callers keep with it, as JSON.
    pub extra: Option<Option<String>>,
}

impl ProfileFields {
    /// Writes what is mentioned into an organization.
    fn apply(&self, organization: &mut Organization) -> Result<(), Refusal> {
        if let Some(slug) = &self.slug {
            check_slug(slug)?;
            organization.slug.clone_from(slug);
        }
        if let Some(name) = &self.name {
            check_name(name)?;
            organization.name.clone_from(name);
        }
        if let Some(zone) = &self.time_zone {
            check_time_zone(zone)?;
            organization.time_zone.clone_from(zone);
        }
        organization.is_provider = self.is_provider.unwrap_or(organization.is_provider);
        organization.is_bulk_buyer = self.is_bulk_buyer.unwrap_or(organization.is_bulk_buyer);
        organization.no_implicit_role = self.no_implicit_role.unwrap_or(organization.no_implicit_role);
        for (wanted, kept) in
            [(&self.picture, &mut organization.picture), (&self.extra, &mut organization.extra)]
        {
            if let Some(wanted) = wanted {
                kept.clone_from(wanted);
            }
        }
        self.apply_contact(&mut organization.contact)
    }

    fn apply_contact(&self, contact: &mut Contact) -> Result<(), Refusal> {
        if let Some(phone) = &self.phone {
            contact.phone = phone.as_deref().map(|phone| parse_phone("phone", phone)).transpose()?;
        }
        let mut checked = Contact::default();
        for (wanted, kept, checked) in [
            (&self.email, &mut contact.email, &mut checked.email),
            (&self.street_address, &mut contact.street_address, &mut checked.street_address),
            (&self.locality, &mut contact.locality, &mut checked.locality),
            (&self.region, &mut contact.region, &mut checked.region),
            (&self.postal_code, &mut contact.postal_code, &mut checked.postal_code),
            (&self.country, &mut contact.country, &mut checked.country),
        ] {
            if let Some(wanted) = wanted {
                kept.clone_from(wanted);
                checked.clone_from(wanted);
            }
        }
        // What other desks wrote keeps their rules until it changes here.
        check_contact(&checked)
    }
}

/// The account's details as the organization tells them.
fn tell(organization: &Organization, details: &mut AccountDetails) {
    let contact = &organization.contact;
    if details.name.as_deref().unwrap_or_default() != organization.name {
        details.rename(organization.name.clone());
    }
    details.email.clone_from(&contact.email);
    details.phone.clone_from(&contact.phone);
    details.address1.clone_from(&contact.street_address);
    details.city.clone_from(&contact.locality);
    details.state.clone_from(&contact.region);
    details.postal_code.clone_from(&contact.postal_code);
    details.country.clone_from(&contact.country);
}

/// A profile, or a refusal.
pub fn get(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<Profile> {
    Ok(profiles::by_id(tx, tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?)
}

/// The name of a picture: a digest of its content, and the ending that says its type.
pub fn picture_name(content: &[u8], ending: &str) -> String {
    let digest = Sha256::digest(content);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits}.{ending}")
}

/// Makes a profile and opens its billing account, under its slug as external key. With a manager it is his at once.
/// Refuses a slug that is taken; one that is not given is made of the name.
pub fn create(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    fields: &ProfileFields,
    manager: Option<&User>,
) -> Outcome<Profile> {
    make(tx, scene, fields, (Kind::Organization, None, manager))
}

/// Makes the personal profile of a user, which he manages if he is there to do so. Its slug is his name, where that can
/// be one.
pub fn create_personal(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    fields: &ProfileFields,
    owner: &User,
) -> Outcome<Profile> {
    let tenant_id = scene.tenant.tenant_id;
    // Whoever else makes one for him at this moment waits here.
    storage::users::lock_by_username(tx, tenant_id, &owner.username)?
        .ok_or_else(|| Refusal::UserUnknown { username: owner.username.clone() })?;
    if profiles::of_person(tx, tenant_id, owner.id)?.is_some() {
        return Err(Refusal::invalid("type", "the user has a personal profile already").into());
    }
    let slug = Some(owner.username.clone()).filter(|name| check_slug(name).is_ok());
    let fields = ProfileFields { slug: slug.or_else(|| fields.slug.clone()), ..fields.clone() };
    make(tx, scene, &fields, (Kind::Personal, Some(owner), Some(owner)))
}

/// Makes a personal profile that nobody manages, with the user who manages it once he activates himself: see [`take_own`].
pub fn create_shadow_person(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    fields: &ProfileFields,
) -> Outcome<Profile> {
    if let Some(slug) = &fields.slug
        && storage::organizations::by_slug(tx, scene.tenant.tenant_id, slug)?.is_some()
    {
        return Err(Refusal::SlugTaken { slug: slug.clone() }.into());
    }
    let person = users::PersonFields {
        username: fields.slug.clone(),
        email: fields.email.clone(),
        phone: fields.phone.clone(),
        full_name: fields.name.clone().map(Some),
        ..users::PersonFields::default()
    };
    let owner = users::create(tx, scene.tenant.tenant_id, scene.caller, scene.now, &person, None)?;
    let slug = Some(owner.username.clone()).filter(|name| check_slug(name).is_ok());
    let fields = ProfileFields { slug: slug.or_else(|| fields.slug.clone()), ..fields.clone() };
    make(tx, scene, &fields, (Kind::Personal, Some(&owner), None))
}

/// Lets a user who works for no organization yet work for his personal profile, which is made if there is none.
pub(crate) fn take_own(tx: &mut dyn Connection, scene: Scene<'_>, user: &User) -> Outcome<()> {
    if user.current_organization_id.is_some() {
        return Ok(());
    }
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    let personal = match profiles::of_person(tx, tenant_id, user.id)? {
        Some(profile) => {
            let personal = profile.organization.organization;
            storage::users::set_current_organization(tx, tenant_id, user.id, personal.id, now)?;
            personal
        }
        None => {
            let contact =
                Contact { email: user.email.clone(), phone: user.person.phone.clone(), ..Contact::default() };
            organizations::make_default(tx, tenant_id, caller, now, user, contact)?
        }
    };
    roles::make_manager(tx, scene, user, &personal)?;
    Ok(())
}

fn make(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    fields: &ProfileFields,
    (kind, owner, manager): (Kind, Option<&User>, Option<&User>),
) -> Outcome<Profile> {
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    let name = fields.name.clone().ok_or(Refusal::FieldMissing { field: "name" })?;
    check_name(&name)?;
    let slug = match &fields.slug {
        Some(slug) => slug.clone(),
        None => {
            let email = fields.email.as_ref().and_then(Option::as_deref).unwrap_or_default();
            let from_email = billing::organization::slug_of(&name).is_empty();
            let source = if from_email { email.split('@').next().unwrap_or_default() } else { &name };
            organizations::free_slug(tx, tenant_id, source)?
        }
    };
    let mut organization = Organization::new(Uuid::new_v4(), slug, kind, name, now);
    fields.apply(&mut organization)?;
    organization.owner_id = owner.or(manager).map(|user| user.id);
    let insert =
        if fields.slug.is_some() { organizations::insert } else { organizations::insert_with_free_slug };
    let stored = insert(tx, tenant_id, caller, now, organization)?;
    let id = stored.organization.id;
    if let Some(manager) = manager {
        roles::make_manager(tx, scene, manager, &stored.organization)?;
    }
    open_account(tx, tenant_id, caller, now, stored)?;
    get(tx, tenant_id, id)
}

/// Opens the billing account of a profile. Its key is the slug; where an account whose profile was renamed has that, its id.
pub(crate) fn open_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    stored: StoredOrganization,
) -> Outcome<StoredOrganization> {
    let organization = &stored.organization;
    let slug = organization.slug.clone();
    let external_key = match storage::accounts::by_key(tx, tenant_id, &slug)? {
        Some(other) if other.organization_id.is_none() => return Err(Refusal::SlugTaken { slug }.into()),
        Some(_) => None,
        None => Some(slug),
    };
    let mut details = AccountDetails::default();
    tell(organization, &mut details);
    let time_zone = Some(organization.time_zone.clone());
    let new = NewAccount { external_key, details, time_zone, ..NewAccount::default() };
    let account = accounts::open(tx, tenant_id, caller, now, &new)?;
    organizations::join(tx, tenant_id, caller, now, stored, &account)
}

/// Turns the personal profile of a user into an organization that he manages. Refuses where he has none.
pub fn convert_from_personal(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    fields: &ProfileFields,
) -> Outcome<Profile> {
    let Scene { tenant, caller, now } = scene;
    let tenant_id = tenant.tenant_id;
    let personal = profiles::of_person(tx, tenant_id, user.id)?;
    let no_profile = || Refusal::invalid("detail", format!("{} has no personal profile", user.username));
    let id = personal.ok_or_else(no_profile)?.organization.organization.id;
    let mut stored = save(tx, tenant_id, caller, now, id, fields)?;
    stored.organization.kind = Kind::Organization;
    let stored = organizations::save(tx, tenant_id, caller, now, stored)?;
    roles::make_manager(tx, scene, user, &stored.organization)?;
    if stored.organization.account_id.is_none() && stored.organization.parent_id.is_none() {
        open_account(tx, tenant_id, caller, now, stored)?;
    }
    get(tx, tenant_id, id)
}

/// Changes a profile, and tells its other managers; the user of a personal one follows. Only those who manage the broker
/// say who is a provider, or change by what the user of another's personal profile logs in.
pub fn change(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    caller: &Caller,
    now: Timestamp,
    (actor, id): (&User, Uuid),
    fields: &ProfileFields,
) -> Outcome<Profile> {
    let tenant_id = tenant.tenant_id;
    let before = get(tx, tenant_id, id)?.organization.organization;
    if fields.is_provider.is_some_and(|wanted| wanted != before.is_provider) {
        let demand = Demand::write(Guard::Broker).frictionless();
        access::check(tx, tenant, now, actor, demand, Target::default())?;
    }
    // The user goes first: a profile is found by what he is called.
    if let (Kind::Personal, Some(owner_id)) = (before.kind, before.owner_id)
        && let Some(owner) = storage::users::by_id(tx, owner_id)?
    {
        if let Some(slug) = fields.slug.as_ref().filter(|slug| **slug != before.slug)
            && storage::organizations::by_slug(tx, tenant_id, slug)?.is_some()
        {
            return Err(Refusal::SlugTaken { slug: slug.clone() }.into());
        }
        let person = users::PersonFields {
            username: fields.slug.clone().filter(|slug| *slug != before.slug),
            email: fields.email.clone(),
            phone: fields.phone.clone(),
            full_name: fields.name.clone().map(Some),
            ..users::PersonFields::default()
        };
        users::check_may_change(tx, Scene { tenant, caller, now }, (actor, &owner), &person)?;
        users::save(tx, tenant_id, caller, now, &owner.username, &person)?;
    }
    let stored = save(tx, tenant_id, caller, now, id, fields)?;
    let changes = changes(&before, &stored.organization);
    if !changes.is_empty() {
        let metadata = json!({ "changes": changes }).to_string();
        let event = Event {
            event_type: "PROFILE_UPDATED",
            object_type: ObjectType::Organization,
            object_id: Some(id),
            metadata: Some(&metadata),
        };
        audit::publish(tx, tenant_id, stored.organization.account_id, caller.user_token, now, &event)?;
        tell_managers(tx, Scene { tenant, caller, now }, actor, &stored.organization, &changes)?;
    }
    get(tx, tenant_id, id)
}

/// Tells the other managers of a profile what `actor` changed; not those who do not want such mail.
fn tell_managers(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    actor: &User,
    organization: &Organization,
    changes: &Map<String, Value>,
) -> Outcome<()> {
    // What callers keep with a profile is for programs, and may be long.
    let shown = changes.iter().map(|(field, change)| match change["post"].as_str() {
        Some(text) if field != "extra" => format!("{field}: {text}"),
        None if change["post"].is_boolean() => format!("{field}: {}", change["post"]),
        _ => field.clone(),
    });
    let name = actor.person.full_name.as_deref().filter(|name| !name.is_empty());
    let values = json!({
        "site": site_name(scene.tenant), "profile": organization.printable_name(),
        "by": name.unwrap_or(&actor.username), "changes": shown.collect::<Vec<_>>()
    });
    for manager in role_mails::managers_who_want(tx, scene, organization, "profile_updated")? {
        if manager.id != actor.id {
            role_mails::post(tx, scene, "profile_updated", &manager, &values)?;
        }
    }
    Ok(())
}

/// What differs, under the contract's names: before and after.
fn changes(before: &Organization, after: &Organization) -> Map<String, Value> {
    let shown = |organization: &Organization| {
        let contact = &organization.contact;
        json!({
            "slug": organization.slug, "full_name": organization.name, "email": contact.email, "phone": contact.phone,
            "street_address": contact.street_address, "locality": contact.locality, "region": contact.region,
            "postal_code": contact.postal_code, "country": contact.country,
            "default_timezone": organization.time_zone, "is_provider": organization.is_provider,
            "is_bulk_buyer": organization.is_bulk_buyer, "extra": organization.extra
        })
    };
    let (pre, post) = (shown(before), shown(after));
    let fields = pre.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| post.get(name) != Some(value))
        .map(|(name, value)| (name.clone(), json!({ "pre": value, "post": post.get(name) })))
        .collect()
}

/// Writes what is mentioned: first into the account, which is locked first, then into the organization.
pub(crate) fn save(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
    fields: &ProfileFields,
) -> Outcome<StoredOrganization> {
    let unknown = Refusal::OrganizationUnknown { id };
    let before = organizations::get(tx, tenant_id, id)?;
    let mut wanted = before.clone();
    fields.apply(&mut wanted)?;
    if let Some(account_id) = before.account_id
        && (before.name != wanted.name || before.contact != wanted.contact)
    {
        let change = |account: &billing::account::Account| {
            let mut organization = before.clone();
            organization.follow(account);
            fields.apply(&mut organization)?;
            let mut details = account.details.clone();
            tell(&organization, &mut details);
            Ok(AccountChange { details, ..AccountChange::default() })
        };
        accounts::change(tx, tenant_id, account_id, caller, now, &change)?;
    }
    let mut stored = storage::organizations::lock(tx, tenant_id, id)?.ok_or(unknown)?;
    fields.apply(&mut stored.organization)?;
    profiles::remove_other_picture(tx, tenant_id, id, stored.organization.picture.as_deref())?;
    organizations::save(tx, tenant_id, caller, now, stored)
}

/// Archives a profile: it bears a name that says so, nobody has a role on it, and its account is archived with all its
/// books, which keep the name and address that were billed. The user of a personal one goes with it, and what the profile
/// tells of him. Refuses the broker, without whom there is no site.
pub fn delete(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
) -> Outcome<()> {
    let (tenant_id, scene) = (tenant.tenant_id, Scene { tenant, caller, now });
    if id == tenant.id {
        return Err(Refusal::invalid("detail", "The profile of the site itself cannot be deleted").into());
    }
    let before = organizations::get(tx, tenant_id, id)?;
    let slug = format!("_archive_{}", id.simple());
    let site = organizations::get(tx, tenant_id, tenant.id)?.slug;
    let email = Some(format!("{slug}@{site}"));
    // The user first: as long as he has names, the profile is found by them.
    let is_personal = before.kind == Kind::Personal;
    if let (true, Some(owner_id)) = (is_personal, before.owner_id)
        && let Some(owner) = storage::users::by_id(tx, owner_id)?
    {
        users::archive(tx, scene, &owner)?;
    }
    if let Some(account_id) = before.account_id
        && accounts::get(tx, tenant_id, account_id)?.account.status != AccountStatus::Archived
    {
        let change = |account: &billing::account::Account| {
            let details = AccountDetails { email: email.clone(), ..account.details.clone() };
            Ok(AccountChange { status: Some(AccountStatus::Archived), details, ..AccountChange::default() })
        };
        accounts::change(tx, tenant_id, account_id, caller, now, &change)?;
    }
    let mut stored =
        storage::organizations::lock(tx, tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?;
    if is_personal {
        stored.organization.name.clone_from(&slug);
        stored.organization.contact = Contact::default();
        stored.organization.extra = None;
    }
    stored.organization.slug = slug;
    stored.organization.contact.email = email;
    stored.organization.picture = None;
    stored.organization.is_active = false;
    organizations::save(tx, tenant_id, caller, now, stored)?;
    roles::remove_all_on(tx, scene, &before)?;
    Ok(profiles::remove_other_picture(tx, tenant_id, id, None)?)
}

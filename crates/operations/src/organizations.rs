//! Organizations and their billing accounts: the top of a tree is billed for all beneath it.

use crate::accounts;
use crate::journal::record_of_tenant;
use billing::account::{Account, AccountChange, AccountDetails, NewAccount, refuse_archived};
use billing::organization::{
    Contact, Kind, Obstacle, Organization, SLUG_LIMIT, TREE_DEPTH_LIMIT, check_name, check_slug,
    obstacles_of_account, slug_of,
};
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId, text};
use jiff::Timestamp;
use storage::accounts::StoredAccount;
use storage::audit::{self, Event};
use storage::organizations::{self, StoredOrganization};
use storage::users::{self, User};
use storage::{Connection, Error, Outcome};
use uuid::Uuid;

/// Longest e-mail of a user, in characters.
const EMAIL_LIMIT: usize = 250;

/// A request to make an organization.
#[derive(Clone, Debug, Default)]
pub struct NewOrganization {
    /// Name for people, at most 100 characters.
    pub name: String,
    /// The organization above it.
    pub parent_id: Option<Uuid>,
    /// E-mail of the user who owns it; he becomes a user of the tenant if there is none with this e-mail.
    pub owner_email: Option<String>,
    /// An account of the tenant that was opened elsewhere and shall be the organization's.
    pub account_id: Option<Uuid>,
}

/// Makes an organization. Refuses a parent that does not exist, and an account that does not exist, was archived, belongs
/// to another organization, or would stand beneath the top. To make the owner a user takes a permission more.
pub fn create(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    new: &NewOrganization,
) -> Outcome<Organization> {
    caller.require(Permission::AccountCreate)?;
    check_name(&new.name)?;
    if let Some(parent_id) = new.parent_id {
        check_parent(tx, tenant_id, parent_id)?;
    }
    let owner = match &new.owner_email {
        Some(email) => Some(user_with_email(tx, tenant_id, caller, now, email)?),
        None => None,
    };
    let slug = free_slug(tx, tenant_id, &new.name)?;
    let mut organization = Organization::new(Uuid::new_v4(), slug, Kind::Organization, new.name.clone(), now);
    organization.parent_id = new.parent_id;
    organization.owner_id = owner.as_ref().map(|owner| owner.id);
    if let Some(account_id) = new.account_id {
        if new.parent_id.is_some() {
            return Err(Refusal::OrganizationIsNotTop { id: organization.id }.into());
        }
        organization = take_account(tx, tenant_id, organization, account_id)?;
    }
    let stored = match organizations::by_id(tx, tenant_id, organization.id)? {
        None => insert_with_free_slug(tx, tenant_id, caller, now, organization)?,
        Some(adopted) => save(tx, tenant_id, caller, now, StoredOrganization { organization, ..adopted })?,
    };
    let organization = stored.organization;
    if let Some(owner) = owner.filter(|owner| owner.current_organization_id.is_none()) {
        users::set_current_organization(tx, tenant_id, owner.id, organization.id, now)?;
    }
    Ok(organization)
}

/// Gives a new organization an account that was opened without one. Where the account got one of its own meanwhile, that
/// one takes the names of the new. Refuses an archived account, and one that another organization has.
fn take_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    mut organization: Organization,
    account_id: Uuid,
) -> Outcome<Organization> {
    let (stored, _) = storage::accounts::lock(tx, tenant_id, account_id)?
        .ok_or_else(|| Refusal::account_unknown(account_id))?;
    refuse_archived(&stored.account)?;
    if let Some(id) = stored.organization_id {
        if id != account_id {
            return Err(Refusal::invalid("account", format!("belongs to organization {id}")).into());
        }
        organization.id = id;
    }
    organization.account_id = Some(account_id);
    organization.time_zone.clone_from(&stored.account.time_zone);
    if stored.account.details.name.is_some() {
        organization.follow(&stored.account);
    }
    storage::accounts::set_organization(tx, tenant_id, account_id, organization.id)?;
    Ok(organization)
}

/// A slug for an organization of this name that no other has or will have: the name's, or that with a few digits behind.
pub fn free_slug(tx: &mut dyn Connection, tenant_id: TenantId, name: &str) -> Outcome<String> {
    let slug = slug_of(name);
    if !slug.is_empty()
        && organizations::by_slug(tx, tenant_id, &slug)?.is_none()
        && waiting_account(tx, tenant_id, &slug)?.is_none()
    {
        return Ok(slug);
    }
    Ok(with_digits(&slug))
}

/// A slug with a few random digits behind.
fn with_digits(slug: &str) -> String {
    let digits = Uuid::new_v4().simple().to_string();
    let stem: String = slug.chars().take(SLUG_LIMIT - 13).collect();
    let stem = if stem.is_empty() { "profile".to_owned() } else { stem };
    format!("{stem}-{}", digits.get(..12).unwrap_or(&digits))
}

/// [`insert`] of an organization whose slug is of [`free_slug`]: whoever took that a moment ago keeps it, and this one gets
/// digits behind it.
pub(crate) fn insert_with_free_slug(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    mut organization: Organization,
) -> Outcome<StoredOrganization> {
    match insert(tx, tenant_id, caller, now, organization.clone()) {
        Err(Error::Refused(Refusal::SlugTaken { slug })) => {
            organization.slug = with_digits(&slug);
            insert(tx, tenant_id, caller, now, organization)
        }
        result => result,
    }
}

/// Keeps a new organization, with its record and event. Refuses a slug that is taken.
pub(crate) fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    organization: Organization,
) -> Outcome<StoredOrganization> {
    let record_id = organizations::insert(tx, tenant_id, &organization)?
        .ok_or_else(|| Refusal::SlugTaken { slug: organization.slug.clone() })?;
    let stored = StoredOrganization { record_id, organization };
    record(tx, tenant_id, caller, now, ChangeType::Insert, &stored)?;
    Ok(stored)
}

/// Writes a changed organization, with its record and event. Refuses a slug that is taken.
pub(crate) fn save(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    mut stored: StoredOrganization,
) -> Outcome<StoredOrganization> {
    stored.organization.updated_at = now;
    if !organizations::update(tx, tenant_id, &stored.organization)? {
        return Err(Refusal::SlugTaken { slug: stored.organization.slug }.into());
    }
    record(tx, tenant_id, caller, now, ChangeType::Update, &stored)?;
    Ok(stored)
}

/// Lets an organization show what its changed account says. It is a copy: the account's own record tells of the change.
pub(crate) fn follow(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    account: &Account,
) -> Outcome<()> {
    if let Some(mut stored) = organizations::lock(tx, tenant_id, id)? {
        stored.organization.follow(account);
        organizations::update(tx, tenant_id, &stored.organization)?;
    }
    Ok(())
}

/// Gives up to `limit` accounts that have none an organization of their own. Returns how many there were.
pub fn adopt_accounts(tx: &mut dyn Connection, tenant_id: TenantId, limit: i64) -> Outcome<usize> {
    let accounts = storage::accounts::without_organization(tx, tenant_id, limit)?;
    for StoredAccount { account, .. } in &accounts {
        adopt(tx, tenant_id, account)?;
    }
    Ok(accounts.len())
}

/// The account without an organization whose organization will have this slug: by its external key or its id.
pub fn waiting_account(tx: &mut dyn Connection, tenant_id: TenantId, slug: &str) -> Outcome<Option<Uuid>> {
    let mut found = storage::accounts::by_key(tx, tenant_id, slug)?;
    if let (None, Ok(id)) = (&found, slug.parse()) {
        found = storage::accounts::by_id(tx, tenant_id, id)?;
    }
    Ok(found.filter(|stored| stored.organization_id.is_none()).map(|stored| stored.account.id))
}

/// Gives an account an organization of its own, if it has none by now.
pub fn adopt_account(tx: &mut dyn Connection, tenant_id: TenantId, account_id: Uuid) -> Outcome<()> {
    match storage::accounts::lock(tx, tenant_id, account_id)? {
        Some((stored, _)) if stored.organization_id.is_none() => adopt(tx, tenant_id, &stored.account),
        _ => Ok(()),
    }
}

/// Without a record: nobody asked for it, and the organization is a copy of the account, whose own record tells all of it.
fn adopt(tx: &mut dyn Connection, tenant_id: TenantId, account: &Account) -> Outcome<()> {
    let mut organization = Organization::of_account(account);
    if organizations::insert(tx, tenant_id, &organization)?.is_none() {
        // Another has the key for its slug.
        organization.slug = account.id.to_string();
        if organizations::insert(tx, tenant_id, &organization)?.is_none() {
            // Somebody gave a profile the id as its slug. All lists wait for this account: it must not be refused.
            organization.slug = with_digits("profile");
            organizations::insert(tx, tenant_id, &organization)?
                .ok_or_else(|| Refusal::SlugTaken { slug: organization.slug.clone() })?;
        }
    }
    storage::accounts::set_organization(tx, tenant_id, account.id, account.id)?;
    Ok(())
}

/// Signs a new user up: keeps him, and makes his default organization. Refuses a name or e-mail that is taken in the
/// tenant.
pub fn sign_up(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    user: &User,
    contact: Contact,
) -> Outcome<Organization> {
    caller.require(Permission::UserCreate)?;
    if !users::insert(tx, user, &caller.changed_by, now)? {
        return Err(Refusal::UserTaken { username: user.username.clone() }.into());
    }
    record_user(tx, tenant_id, caller, now, ChangeType::Insert, user)?;
    make_default(tx, tenant_id, caller, now, user, contact)
}

/// Makes the default organization of a user, which he owns, with how to reach him, and makes it his current one. Its slug
/// is his name, where that can be one and is free.
pub(crate) fn make_default(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    user: &User,
    contact: Contact,
) -> Outcome<Organization> {
    let full_name = user.person.full_name.as_deref().filter(|name| !name.trim().is_empty());
    let name = full_name.unwrap_or(&user.username);
    let name: String = name.chars().take(billing::organization::NAME_LIMIT).collect();
    check_name(&name)?;
    let is_free = check_slug(&user.username).is_ok()
        && organizations::by_slug(tx, tenant_id, &user.username)?.is_none();
    let slug = if is_free { user.username.clone() } else { free_slug(tx, tenant_id, &user.username)? };
    let mut organization = Organization::new(Uuid::new_v4(), slug, Kind::Personal, name, now);
    organization.owner_id = Some(user.id);
    organization.contact = contact;
    let stored = insert(tx, tenant_id, caller, now, organization)?;
    users::set_current_organization(tx, tenant_id, user.id, stored.organization.id, now)?;
    Ok(stored.organization)
}

/// Opens the billing account of an organization, under the organization's id as external key. What `details` do not say of
/// phone and address is the organization's. Refuses a second one, and any beneath the top of a tree.
pub fn open_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
    details: &AccountDetails,
) -> Outcome<StoredAccount> {
    caller.require(Permission::AccountCreate)?;
    let stored = organizations::lock(tx, tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?;
    if stored.organization.parent_id.is_some() {
        return Err(Refusal::OrganizationIsNotTop { id }.into());
    }
    if stored.organization.account_id.is_some() {
        return Err(Refusal::OrganizationHasAccount { id }.into());
    }
    let contact = &stored.organization.contact;
    let known = |said: &Option<String>, known: &Option<String>| said.clone().or_else(|| known.clone());
    let new = NewAccount {
        external_key: Some(id.to_string()),
        details: AccountDetails {
            phone: known(&details.phone, &contact.phone),
            address1: known(&details.address1, &contact.street_address),
            city: known(&details.city, &contact.locality),
            state: known(&details.state, &contact.region),
            postal_code: known(&details.postal_code, &contact.postal_code),
            ..details.clone()
        },
        time_zone: Some(stored.organization.time_zone.clone()),
        ..NewAccount::default()
    };
    let mut account = accounts::open(tx, tenant_id, caller, now, &new)?;
    account.organization_id = Some(id);
    join(tx, tenant_id, caller, now, stored, &account)?;
    Ok(account)
}

/// Gives an organization the account that was just opened for it.
pub(crate) fn join(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    mut stored: StoredOrganization,
    account: &StoredAccount,
) -> Outcome<StoredOrganization> {
    storage::accounts::set_organization(tx, tenant_id, account.account.id, stored.organization.id)?;
    stored.organization.account_id = Some(account.account.id);
    stored.organization.follow(&account.account);
    save(tx, tenant_id, caller, now, stored)
}

/// The account that is billed for an organization: that of the top of its tree.
pub fn account(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<StoredAccount> {
    let top = top_of_tree(tx, tenant_id, id)?;
    let account_id = top.account_id.ok_or(Refusal::OrganizationHasNoAccount { id: top.id })?;
    accounts::get(tx, tenant_id, account_id)
}

/// Changes the billing account of an organization. Refuses an organization beneath the top of a tree.
pub fn change_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
    change: &dyn Fn(&Account) -> Result<AccountChange, Refusal>,
) -> Outcome<StoredAccount> {
    let organization = get(tx, tenant_id, id)?;
    if organization.parent_id.is_some() {
        return Err(Refusal::OrganizationIsNotTop { id }.into());
    }
    let account_id = organization.account_id.ok_or(Refusal::OrganizationHasNoAccount { id })?;
    accounts::change(tx, tenant_id, account_id, caller, now, change)
}

/// What stands against a new service, paid or free, for an organization; nothing when it is cleared.
pub fn clearance(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    id: Uuid,
) -> Outcome<Vec<Obstacle>> {
    let account_id = match top_of_tree(tx, tenant_id, id) {
        Ok(Organization { account_id: Some(account_id), .. }) => account_id,
        Ok(_) => return Ok(vec![Obstacle::NoAccount]),
        Err(Error::Refused(Refusal::OrganizationUnknown { .. })) => {
            return Ok(vec![Obstacle::TopOfTreeMissing]);
        }
        Err(error) => return Err(error),
    };
    let status = accounts::get(tx, tenant_id, account_id)?.account.status;
    let states = storage::blocking_states::of_account(tx, tenant_id, account_id)?;
    let states: Vec<_> = states.into_iter().map(|stored| stored.state).collect();
    Ok(obstacles_of_account((account_id, status), &states, now))
}

/// The organization with this id, or a refusal.
pub fn get(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<Organization> {
    let stored = organizations::by_id(tx, tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?;
    Ok(stored.organization)
}

/// The organization at the top of the tree in which `id` stands: itself when nothing is above it. Refuses with the id of
/// the one that does not exist.
pub fn top_of_tree(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<Organization> {
    let mut organization = get(tx, tenant_id, id)?;
    for _ in 0..TREE_DEPTH_LIMIT {
        match organization.parent_id {
            Some(parent_id) => organization = get(tx, tenant_id, parent_id)?,
            None => return Ok(organization),
        }
    }
    Err(Refusal::OrganizationUnknown { id: organization.id }.into())
}

/// Refuses a parent that does not exist, stands in no whole tree, or so deep that nothing more fits beneath it. A new
/// organization has nothing beneath it, so that no tree can be a circle.
fn check_parent(tx: &mut dyn Connection, tenant_id: TenantId, parent_id: Uuid) -> Outcome<()> {
    let mut above = Some(parent_id);
    for _ in 0..TREE_DEPTH_LIMIT {
        match above {
            Some(id) => above = get(tx, tenant_id, id)?.parent_id,
            None => return Ok(()),
        }
    }
    Err(Refusal::invalid("parent", format!("has {TREE_DEPTH_LIMIT} organizations above it")).into())
}

/// The user with this e-mail, who becomes one if need be. He has no password: somebody else proves who he is.
fn user_with_email(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    email: &str,
) -> Outcome<User> {
    let email = email.to_lowercase();
    text::check_email("owner", &email, EMAIL_LIMIT)?;
    if let Some(user) = users::by_email(tx, tenant_id, &email)? {
        return Ok(user);
    }
    caller.require(Permission::UserCreate)?;
    let user = User {
        id: Uuid::new_v4(),
        tenant_id,
        username: email.clone(),
        email: Some(email.clone()),
        password_hash: None,
        current_organization_id: None,
        person: storage::users::Person::default(),
        is_active: true,
    };
    if users::insert(tx, &user, &caller.changed_by, now)? {
        record_user(tx, tenant_id, caller, now, ChangeType::Insert, &user)?;
        return Ok(user);
    }
    // Somebody else made him meanwhile, or a user without this e-mail bears it as his name.
    Ok(users::by_email(tx, tenant_id, &email)?.ok_or(Refusal::UserTaken { username: email })?)
}

/// Records a new, changed or leaving user, without his password.
pub(crate) fn record_user(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    user: &User,
) -> Outcome<()> {
    let (record_id, user) = users::lock_by_username(tx, tenant_id, &user.username)?
        .ok_or_else(|| Refusal::UserUnknown { username: user.username.clone() })?;
    let snapshot = serde_json::json!({
        "id": user.id, "username": user.username, "email": user.email, "isActive": user.is_active
    });
    record_of_tenant(
        tx,
        tenant_id,
        caller,
        now,
        (change_type, ObjectType::User, user.id, record_id),
        &snapshot,
    )
}

fn record(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    stored: &StoredOrganization,
) -> Outcome<()> {
    let organization = &stored.organization;
    let what = (change_type, ObjectType::Organization, organization.id, stored.record_id);
    record_of_tenant(tx, tenant_id, caller, now, what, organization)?;
    let event_type = match change_type {
        ChangeType::Insert => "ORGANIZATION_CREATION",
        ChangeType::Update | ChangeType::Delete => "ORGANIZATION_CHANGE",
    };
    let (object_type, object_id) = (ObjectType::Organization, Some(organization.id));
    let event = Event { event_type, object_type, object_id, metadata: None };
    Ok(audit::publish(tx, tenant_id, organization.account_id, caller.user_token, now, &event)?)
}

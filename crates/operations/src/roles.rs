//! What users are to organizations: granted by managers, asked for and accepted by users, given by e-mail address.
//!
//! A user has at most one role on an organization. It is an invitation while it has a grant key, a request while it has
//! a request key, else in force. Every change locks the organization first, so that the last manager stays.

pub use crate::role_kinds::Scene;
use crate::sites::MANAGER;
use crate::users::free_username;
use crate::{organizations as profiles, proofs, record_of_tenant};
use billing::organization::{Kind, Organization};
use billing::{ChangeType, ObjectType, Refusal, mail_domain, text};
use serde_json::json;
use storage::audit::{self, Event};
use storage::organization_roles::{self, Role, RoleDescription};
use storage::users::{self, Person, User};
use storage::{Connection, Outcome, organizations};
use uuid::Uuid;

/// Longest e-mail of a user, in characters.
const EMAIL_LIMIT: usize = 250;
/// Longest name of a user, in characters.
const FULL_NAME_LIMIT: usize = 60;
/// Longest message of an invitation or a request, in characters.
const MESSAGE_LIMIT: usize = 255;
/// Most invitations that are accepted at once.
const INVITATIONS_LIMIT: i64 = 100;
/// More candidates than this for implicit roles are none.
const CANDIDATES_LIMIT: i64 = 4;

/// Whom a manager gives a role.
#[derive(Clone, Debug, Default)]
pub struct NewRole {
    /// The user's name.
    pub username: Option<String>,
    /// His e-mail, when the name finds nobody.
    pub email: Option<String>,
    /// His name as a person, should he become a user.
    pub full_name: Option<String>,
    /// What callers keep with the role.
    pub extra: Option<String>,
    /// What the invitation says.
    pub message: Option<String>,
    /// Whether he becomes a user when nobody is found.
    pub force: bool,
    /// Whether an e-mail names only somebody who has proved that it is his.
    pub must_be_proven: bool,
}

/// Which organization a user asks for a role.
#[derive(Clone, Debug, Default)]
pub struct NewRequest {
    /// Its slug.
    pub slug: Option<String>,
    /// Its e-mail, when the slug finds none.
    pub email: Option<String>,
    /// What the request says.
    pub message: Option<String>,
    /// Whether it is made when none is found.
    pub force: bool,
}

/// A role, whose it is, and whether it is new.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The role as it now stands.
    pub role: Role,
    /// Whose it is.
    pub user: User,
    /// On which organization.
    pub organization: Organization,
    /// False when he had a role, which was changed.
    pub is_new: bool,
}

/// The role of a user on an organization, or a refusal.
pub fn get(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    organization: &Organization,
) -> Outcome<Role> {
    Ok(organization_roles::of_user_on(tx, scene.tenant.tenant_id, user.id, organization.id)?
        .ok_or(Refusal::HeldRoleUnknown)?)
}

/// Gives a user a role: an invitation, unless the kind needs no acceptance. A role that he has, or asks for, becomes one
/// of this kind; what he asked for is thereby accepted. `by` is who gives it. Somebody without a password has proved
/// nothing yet, and always accepts.
pub fn grant(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    organization: &Organization,
    kind: &RoleDescription,
    new: &NewRole,
) -> Outcome<Granted> {
    text::check_line("message", &new.message, MESSAGE_LIMIT)?;
    let user = invited(tx, scene, new)?;
    let must_accept = user.password_hash.is_none();
    lock(tx, scene, organization)?;
    let found = organization_roles::of_user_on(tx, scene.tenant.tenant_id, user.id, organization.id)?;
    if let Some(mut role) = found {
        if kind.slug != MANAGER {
            check_not_last_manager(tx, scene, by, organization, &role)?;
        }
        let was_request = role.request_key.take().is_some();
        if role.has_ended(scene.now) {
            role.ends_at = None;
            role.created_at = scene.now;
            role.grant_key = (must_accept || !kind.skip_optin_on_grant).then(random_key);
            role.is_imposed = role.grant_key.is_none();
        }
        role.role_description_id = Some(kind.id);
        if new.extra.is_some() {
            role.extra.clone_from(&new.extra);
        }
        save(tx, scene, &role, if was_request { "ROLE_GRANT_ACCEPTED" } else { "ROLE_CHANGE" })?;
        return Ok(Granted { role, user, organization: organization.clone(), is_new: false });
    }
    let is_himself = organization.kind == Kind::Personal && organization.owner_id == Some(user.id);
    let is_at_once = !must_accept && (kind.skip_optin_on_grant || (kind.slug == MANAGER && is_himself));
    let role = Role {
        grant_key: (!is_at_once).then(random_key),
        is_imposed: is_at_once && !is_himself,
        extra: new.extra.clone(),
        ..fresh(scene, organization.id, user.id, Some(kind.id))
    };
    let role = insert(tx, scene, role)?;
    publish(tx, scene, &role, "ROLE_GRANT_CREATED")?;
    Ok(Granted { role, user, organization: organization.clone(), is_new: true })
}

/// Makes a user a manager of an organization at once, without an invitation: as whoever made it, or by an operator.
pub fn make_manager(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    organization: &Organization,
) -> Outcome<Role> {
    let tenant_id = scene.tenant.tenant_id;
    let kind = crate::role_kinds::find(tx, tenant_id, None, MANAGER)?;
    lock(tx, scene, organization)?;
    if let Some(mut role) = organization_roles::of_user_on(tx, tenant_id, user.id, organization.id)? {
        role.role_description_id = Some(kind.id);
        role.grant_key = None;
        role.request_key = None;
        role.ends_at = None;
        role.is_imposed = false;
        save(tx, scene, &role, "ROLE_CHANGE")?;
        return Ok(role);
    }
    let role = insert(tx, scene, fresh(scene, organization.id, user.id, Some(kind.id)))?;
    publish(tx, scene, &role, "ROLE_CREATION")?;
    Ok(role)
}

/// Keeps what callers keep with a role.
pub fn set_extra(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    organization: &Organization,
    extra: Option<String>,
) -> Outcome<Role> {
    lock(tx, scene, organization)?;
    let role = Role { extra, ..get(tx, scene, user, organization)? };
    save(tx, scene, &role, "ROLE_CHANGE")?;
    Ok(role)
}

/// Takes a role, an invitation or a request away. Refuses the last manager who goes by himself; whoever else may act
/// for the organization may remove him.
pub fn remove(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    user: &User,
    organization: &Organization,
) -> Outcome<()> {
    lock(tx, scene, organization)?;
    let role = get(tx, scene, user, organization)?;
    check_not_last_manager(tx, scene, by, organization, &role)?;
    take(tx, scene, &role)
}

/// Takes all roles on an organization that is deleted, invitations and requests among them.
pub(crate) fn remove_all_on(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    organization: &Organization,
) -> Outcome<()> {
    for role in organization_roles::of_organization(tx, scene.tenant.tenant_id, organization.id)? {
        take(tx, scene, &role)?;
    }
    Ok(())
}

/// Takes all roles of a user who leaves. Refuses the only one who manages the broker: nobody could name another.
pub(crate) fn remove_all_of(tx: &mut dyn Connection, scene: Scene<'_>, user: &User) -> Outcome<()> {
    for role in organization_roles::of_user(tx, scene.tenant.tenant_id, user.id)? {
        if role.organization_id == scene.tenant.id {
            let broker = profiles::get(tx, scene.tenant.tenant_id, role.organization_id)?;
            lock(tx, scene, &broker)?;
            check_not_last_manager(tx, scene, user, &broker, &role)?;
        }
        take(tx, scene, &role)?;
    }
    Ok(())
}

fn take(tx: &mut dyn Connection, scene: Scene<'_>, role: &Role) -> Outcome<()> {
    organization_roles::delete(tx, scene.tenant.tenant_id, role.id)?;
    record(tx, scene, ChangeType::Delete, role)?;
    publish(tx, scene, role, "ROLE_DELETION")
}

/// Asks for a role, of a kind or of any. A request that is open is asked anew; an invitation of the same kind, or for
/// a request of any, is accepted. A role in force stays as it is; another kind is refused beside it. What `by` does in the
/// user's name, the user has not said yes to.
pub fn request(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    user: &User,
    kind_slug: Option<&str>,
    new: &NewRequest,
) -> Outcome<Granted> {
    text::check_line("message", &new.message, MESSAGE_LIMIT)?;
    let tenant_id = scene.tenant.tenant_id;
    let organization = wanted(tx, scene, new)?;
    let kind = match kind_slug {
        Some(slug) => Some(crate::role_kinds::find(tx, tenant_id, Some(organization.id), slug)?.id),
        None => None,
    };
    lock(tx, scene, &organization)?;
    let granted =
        |role, is_new| Granted { role, user: user.clone(), organization: organization.clone(), is_new };
    let Some(mut role) = organization_roles::of_user_on(tx, tenant_id, user.id, organization.id)? else {
        let is_imposed = by.id != user.id;
        let request_key = Some(random_key());
        let asked = Role { request_key, is_imposed, ..fresh(scene, organization.id, user.id, kind) };
        let role = insert(tx, scene, asked)?;
        publish(tx, scene, &role, "ROLE_REQUEST_CREATED")?;
        return Ok(granted(role, true));
    };
    let is_same = kind.is_none() || kind == role.role_description_id;
    if role.grant_key.is_some() && is_same {
        let role = accepted(tx, scene, by, role)?;
        return Ok(granted(role, false));
    }
    if role.is_valid(scene.now) {
        if is_same {
            return Ok(granted(role, false));
        }
        let (username, slug) = (user.username.clone(), organization.slug.clone());
        return Err(Refusal::RoleHeld { username, slug }.into());
    }
    // A request that he made himself stays his.
    role.is_imposed = by.id != user.id && (role.is_imposed || role.request_key.is_none());
    role.grant_key = None;
    role.ends_at = None;
    role.request_key = Some(role.request_key.unwrap_or_else(random_key));
    role.role_description_id = kind;
    role.created_at = scene.now;
    save(tx, scene, &role, "ROLE_REQUEST_CREATED")?;
    Ok(granted(role, false))
}

/// Accepts the invitation with this key. It becomes `user`'s, whoever was invited: the key proves that he may. When `by`
/// accepts it in his name, he has not said yes to it.
pub fn accept(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    user: &User,
    key: &str,
) -> Outcome<Granted> {
    let tenant_id = scene.tenant.tenant_id;
    let invitation = |tx: &mut dyn Connection| organization_roles::by_grant_key(tx, tenant_id, key);
    let organization_id = invitation(tx)?.ok_or(Refusal::HeldRoleUnknown)?.organization_id;
    let organization = profiles::get(tx, tenant_id, organization_id)?;
    lock(tx, scene, &organization)?;
    // It may have been accepted while the lock was waited for.
    let mut role = invitation(tx)?.ok_or(Refusal::HeldRoleUnknown)?;
    if role.user_id != user.id {
        if organization_roles::of_user_on(tx, tenant_id, user.id, organization.id)?.is_some() {
            let (username, slug) = (user.username.clone(), organization.slug);
            return Err(Refusal::RoleHeld { username, slug }.into());
        }
        role.user_id = user.id;
    }
    let role = accepted(tx, scene, by, role)?;
    Ok(Granted { role, user: user.clone(), organization, is_new: false })
}

/// Gives a user the roles that his e-mail address brings, and accepts what needs no acceptance. Where `must_be_proven`,
/// only an address counts of which he has proved that it is his.
pub fn apply_implicit(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    must_be_proven: bool,
) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    for (id, kind) in implicit(tx, scene, user, must_be_proven)? {
        if organizations::lock(tx, tenant_id, id)?.is_none() {
            continue;
        }
        match (organization_roles::of_user_on(tx, tenant_id, user.id, id)?, kind) {
            (Some(role), _) => accept_optional(tx, scene, role)?,
            (None, Some(kind)) => {
                let role = Role { is_imposed: true, ..fresh(scene, id, user.id, Some(kind)) };
                let role = insert(tx, scene, role)?;
                publish(tx, scene, &role, "ROLE_CREATION")?;
            }
            (None, None) => {}
        }
    }
    Ok(())
}

/// Whether [`apply_implicit`] has something to do.
pub fn has_implicit(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    must_be_proven: bool,
) -> Outcome<bool> {
    Ok(!implicit(tx, scene, user, must_be_proven)?.is_empty())
}

/// The organizations on which something comes to a user by itself: he accepts an invitation, or gets a role of a kind.
/// Always in one order, so that two users do not wait for each other.
fn implicit(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    must_be_proven: bool,
) -> Outcome<Vec<(Uuid, Option<Uuid>)>> {
    let tenant_id = scene.tenant.tenant_id;
    let invitations = organization_roles::optional_invitations(tx, tenant_id, user.id, INVITATIONS_LIMIT)?;
    let mut found: Vec<(Uuid, Option<Uuid>)> = invitations.into_iter().map(|id| (id, None)).collect();
    if let Some(email) = implicit_address(user, must_be_proven)
        && organization_roles::has_implicit_description(tx, tenant_id)?
    {
        for organization in candidates(tx, scene, email)? {
            if organization_roles::of_user_on(tx, tenant_id, user.id, organization.id)?.is_none()
                && let Some(kind) = implicit_kind(tx, scene, &organization)?
            {
                found.push((organization.id, Some(kind)));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The address that may bring a user roles.
fn implicit_address(user: &User, must_be_proven: bool) -> Option<&str> {
    user.email.as_deref().filter(|_| !must_be_proven || user.person.email_verified_at.is_some())
}

/// Accepts an invitation of a kind that needs no acceptance.
fn accept_optional(tx: &mut dyn Connection, scene: Scene<'_>, role: Role) -> Outcome<()> {
    let tenant_id = scene.tenant.tenant_id;
    let (Some(_), Some(id)) = (&role.grant_key, role.role_description_id) else { return Ok(()) };
    let kind = organization_roles::description_by_id(tx, tenant_id, id)?;
    if !kind.is_some_and(|kind| kind.skip_optin_on_grant) {
        return Ok(());
    }
    save(tx, scene, &Role { grant_key: None, is_imposed: true, ..role }, "ROLE_GRANT_ACCEPTED")
}

/// The one kind that whoever has no role on an organization is given: its own, else every organization's.
fn implicit_kind(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    organization: &Organization,
) -> Outcome<Option<Uuid>> {
    if organization.no_implicit_role {
        return Ok(None);
    }
    let tenant_id = scene.tenant.tenant_id;
    let own = organization_roles::implicit_descriptions(tx, tenant_id, Some(organization.id))?;
    let global = organization_roles::implicit_descriptions(tx, tenant_id, None)?;
    Ok(match (own.as_slice(), global.as_slice()) {
        ([kind], _) | (_, [kind]) => Some(kind.id),
        _ => None,
    })
}

/// The organizations that an e-mail address belongs to: of the same address, or of its domain unless that is a public
/// provider's. What is somebody's own has no colleagues. None when there are too many to mean anything.
fn candidates(tx: &mut dyn Connection, scene: Scene<'_>, email: &str) -> Outcome<Vec<Organization>> {
    let tenant_id = scene.tenant.tenant_id;
    let mut found = organizations::with_email(tx, tenant_id, email, false, CANDIDATES_LIMIT + 1)?;
    let domain = email.rsplit('@').next().unwrap_or_default().to_lowercase();
    let is_plain = domain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    if is_plain && !domain.is_empty() && !mail_domain::is_public(&domain) {
        for stored in organizations::with_email_domain(tx, tenant_id, &domain, CANDIDATES_LIMIT + 1)? {
            if found.iter().all(|other| other.record_id != stored.record_id) {
                found.push(stored);
            }
        }
    }
    if i64::try_from(found.len()).is_ok_and(|count| count > CANDIDATES_LIMIT) {
        return Ok(Vec::new());
    }
    Ok(found.into_iter().map(|stored| stored.organization).collect())
}

/// The user whom a manager names: by name, then by e-mail. With `force` he becomes one, without a password.
fn invited(tx: &mut dyn Connection, scene: Scene<'_>, new: &NewRole) -> Outcome<User> {
    let tenant_id = scene.tenant.tenant_id;
    let named = new.username.as_deref().filter(|name| !name.is_empty());
    let email = new.email.as_deref().filter(|email| !email.is_empty()).map(str::to_lowercase);
    if named.is_none() && email.is_none() {
        return Err(Refusal::FieldMissing { field: "slug" }.into());
    }
    if let Some(name) = named
        && let Some(user) = called(tx, scene, name, new.must_be_proven)?
    {
        return Ok(user);
    }
    if let Some(email) = &email
        && let Some(user) = of_address(tx, scene, email, new.must_be_proven)?
    {
        return Ok(user);
    }
    if !new.force {
        let username = named.map(str::to_owned).or(email).unwrap_or_default();
        return Err(Refusal::UserUnknown { username }.into());
    }
    let email = email.or_else(|| named.filter(|name| name.contains('@')).map(str::to_lowercase));
    let email = email.ok_or(Refusal::FieldMissing { field: "email" })?;
    text::check_email("email", &email, EMAIL_LIMIT)?;
    text::check_line("full_name", &new.full_name, FULL_NAME_LIMIT)?;
    let wish = named.filter(|name| !name.contains('@')).unwrap_or(&email);
    let user = User {
        id: Uuid::new_v4(),
        tenant_id,
        username: free_username(tx, tenant_id, wish)?,
        email: Some(email),
        password_hash: None,
        current_organization_id: None,
        person: Person { full_name: new.full_name.clone(), created_at: scene.now, ..Person::default() },
        is_active: true,
    };
    if !users::insert(tx, &user, &scene.caller.changed_by, scene.now)? {
        return Err(Refusal::UserTaken { username: user.username }.into());
    }
    profiles::record_user(tx, tenant_id, scene.caller, scene.now, ChangeType::Insert, &user)?;
    Ok(user)
}

/// The user of this name. Where `must_be_proven`, one that looks like an address is one, whoever calls himself so, and a
/// phone number, which nobody proves, names nobody.
fn called(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    name: &str,
    must_be_proven: bool,
) -> Outcome<Option<User>> {
    let tenant_id = scene.tenant.tenant_id;
    if !must_be_proven {
        return proofs::find(tx, tenant_id, name);
    }
    match name.contains('@') {
        true => of_address(tx, scene, &name.trim().to_lowercase(), must_be_proven),
        false => Ok(users::by_username(tx, tenant_id, name)?),
    }
}

/// The user of an e-mail address. Where `must_be_proven`, refuses one who only says that it is his; one without a password
/// proves it when he chooses one, by a mail.
fn of_address(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    address: &str,
    must_be_proven: bool,
) -> Outcome<Option<User>> {
    let found = users::by_email(tx, scene.tenant.tenant_id, address)?;
    let is_said = |user: &User| user.password_hash.is_some() && user.person.email_verified_at.is_none();
    if must_be_proven && found.as_ref().is_some_and(is_said) {
        let why = "is of a user who has not proved that it is his; give the role to his user name";
        return Err(Refusal::invalid("email", why).into());
    }
    Ok(found)
}

/// The organization that a user asks for a role: by slug, then by e-mail. With `force` it is made, without a manager.
fn wanted(tx: &mut dyn Connection, scene: Scene<'_>, new: &NewRequest) -> Outcome<Organization> {
    let tenant_id = scene.tenant.tenant_id;
    let slug = new.slug.as_deref().filter(|slug| !slug.is_empty());
    let email = new.email.as_deref().filter(|email| !email.is_empty()).map(str::to_lowercase);
    if slug.is_none() && email.is_none() {
        return Err(Refusal::FieldMissing { field: "slug" }.into());
    }
    if let Some(slug) = slug
        && let Some(stored) = organizations::by_slug(tx, tenant_id, slug)?
        && stored.organization.is_active
    {
        return Ok(stored.organization);
    }
    if let Some(email) = &email
        && let Some(stored) = organizations::with_email(tx, tenant_id, email, true, 1)?.pop()
    {
        return Ok(stored.organization);
    }
    if !new.force {
        let slug = slug.map(str::to_owned).or(email).unwrap_or_default();
        return Err(Refusal::SlugUnknown { slug }.into());
    }
    let email = email.ok_or(Refusal::FieldMissing { field: "email" })?;
    text::check_email("email", &email, EMAIL_LIMIT)?;
    let name = slug.unwrap_or_else(|| email.split('@').next().unwrap_or_default()).to_owned();
    billing::organization::check_name(&name)?;
    let slug = profiles::free_slug(tx, tenant_id, &name)?;
    let mut organization = Organization::new(Uuid::new_v4(), slug, Kind::Organization, name, scene.now);
    organization.contact.email = Some(email);
    Ok(profiles::insert_with_free_slug(tx, tenant_id, scene.caller, scene.now, organization)?.organization)
}

/// Refuses when `by` would take away his own role and nobody else were left to manage the organization.
fn check_not_last_manager(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    organization: &Organization,
    role: &Role,
) -> Outcome<()> {
    if role.user_id != by.id {
        return Ok(());
    }
    let managers =
        organization_roles::holders(tx, scene.tenant.tenant_id, organization.id, MANAGER, scene.now, 2)?;
    if managers == [by.id] {
        return Err(Refusal::LastManager { slug: organization.slug.clone() }.into());
    }
    Ok(())
}

fn lock(tx: &mut dyn Connection, scene: Scene<'_>, organization: &Organization) -> Outcome<()> {
    let id = organization.id;
    organizations::lock(tx, scene.tenant.tenant_id, id)?.ok_or(Refusal::OrganizationUnknown { id })?;
    Ok(())
}

fn accepted(tx: &mut dyn Connection, scene: Scene<'_>, by: &User, role: Role) -> Outcome<Role> {
    let role = Role { grant_key: None, is_imposed: by.id != role.user_id, ..role };
    save(tx, scene, &role, "ROLE_GRANT_ACCEPTED")?;
    Ok(role)
}

fn fresh(scene: Scene<'_>, organization_id: Uuid, user_id: Uuid, kind: Option<Uuid>) -> Role {
    Role {
        record_id: 0,
        id: Uuid::new_v4(),
        organization_id,
        user_id,
        role_description_id: kind,
        grant_key: None,
        request_key: None,
        is_imposed: false,
        extra: None,
        created_at: scene.now,
        ends_at: None,
    }
}

/// 40 hexadecimal digits that nobody guesses.
fn random_key() -> String {
    let mut key = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    key.truncate(40);
    key
}

fn insert(tx: &mut dyn Connection, scene: Scene<'_>, role: Role) -> Outcome<Role> {
    let tenant_id = scene.tenant.tenant_id;
    let record_id = organization_roles::insert(tx, tenant_id, &role)?.ok_or(Refusal::HeldRoleUnknown)?;
    let role = Role { record_id, ..role };
    record(tx, scene, ChangeType::Insert, &role)?;
    Ok(role)
}

fn save(tx: &mut dyn Connection, scene: Scene<'_>, role: &Role, event_type: &'static str) -> Outcome<()> {
    organization_roles::update(tx, scene.tenant.tenant_id, role)?;
    record(tx, scene, ChangeType::Update, role)?;
    publish(tx, scene, role, event_type)
}

/// Records a change of a role, without its keys.
fn record(tx: &mut dyn Connection, scene: Scene<'_>, change_type: ChangeType, role: &Role) -> Outcome<()> {
    let Scene { tenant, caller, now } = scene;
    let state = match (&role.grant_key, &role.request_key) {
        (None, None) => "active",
        (Some(_), _) => "invited",
        (None, Some(_)) => "requested",
    };
    let snapshot = json!({
        "id": role.id, "organizationId": role.organization_id, "userId": role.user_id,
        "roleDescriptionId": role.role_description_id, "state": state, "extra": role.extra
    });
    let what = (change_type, ObjectType::OrganizationRole, role.id, role.record_id);
    record_of_tenant(tx, tenant.tenant_id, caller, now, what, &snapshot)
}

fn publish(tx: &mut dyn Connection, scene: Scene<'_>, role: &Role, event_type: &'static str) -> Outcome<()> {
    let (object_type, object_id) = (ObjectType::OrganizationRole, Some(role.id));
    let event = Event { event_type, object_type, object_id, metadata: None };
    let Scene { tenant, caller, now } = scene;
    Ok(audit::publish(tx, tenant.tenant_id, None, caller.user_token, now, &event)?)
}

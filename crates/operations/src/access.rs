//! Who of the people may call what: by the roles they hold on organizations.

use crate::sites::{CONTRIBUTOR, MANAGER};
use billing::organization::Organization;
use billing::{Refusal, Tenant, TenantId};
use jiff::Timestamp;
use storage::users::User;
use storage::{Connection, Outcome, organization_roles, organizations};
use uuid::Uuid;

/// Whom an operation is open to. Managers may do everything, contributors read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The user himself, and those with a role on an organization that he has access to, or on the broker.
    SelfUser,
    /// Those with a role on the organization or on the broker.
    Direct,
    /// The same, and those with a role on an organization whose plan it is or was subscribed to.
    Provider,
    /// Those with a role on its providers or on the broker, not on itself.
    ProviderOnly,
    /// Those with a role on the broker.
    Broker,
}

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Whom it is open to.
    pub guard: Guard,
    /// Whether it only reads.
    pub is_read: bool,
    /// Whether users without a password, or who have not signed the terms, may call it, too.
    pub is_frictionless: bool,
}

impl Demand {
    /// Something that is read.
    pub const fn read(guard: Guard) -> Demand {
        Demand { guard, is_read: true, is_frictionless: false }
    }

    /// Something that is changed.
    pub const fn write(guard: Guard) -> Demand {
        Demand { guard, is_read: false, is_frictionless: false }
    }

    /// The same, also for users without a password and those who have not signed the terms.
    pub const fn frictionless(self) -> Demand {
        Demand { is_frictionless: true, ..self }
    }
}

/// Whom a call is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// The organization that it names.
    pub organization: Option<&'a Organization>,
    /// The user whom it names.
    pub user: Option<&'a User>,
}

/// Refuses a call that is not open to this user.
pub fn check(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    demand: Demand,
    target: Target<'_>,
) -> Outcome<()> {
    if !demand.is_frictionless {
        check_readiness(tx, tenant.tenant_id, user, now)?;
    }
    let is_without_otp = user.person.otp_secret.is_none() && !demand.is_frictionless;
    let who =
        Who { tenant_id: tenant.tenant_id, now, user_id: user.id, is_read: demand.is_read, is_without_otp };
    if demand.guard == Guard::SelfUser && target.user.is_some_and(|named| named.id == user.id)
        || who.may_act_on(tx, tenant.id)?
    {
        return Ok(());
    }
    let is_open = match (demand.guard, target) {
        (Guard::SelfUser, Target { user: Some(named), .. }) => who.may_act_for(tx, named.id)?,
        (Guard::Direct | Guard::Provider, Target { organization: Some(organization), .. }) => {
            who.may_act_on(tx, organization.id)?
        }
        // Nothing is subscribed yet, so that the broker is everybody's only provider.
        _ => false,
    };
    if is_open {
        return Ok(());
    }
    // What a role would open.
    if let (Guard::Direct | Guard::Provider, Some(organization)) = (demand.guard, target.organization) {
        let role = organization_roles::of_user_on(tx, tenant.tenant_id, user.id, organization.id)?;
        if role.as_ref().is_some_and(|role| role.grant_key.is_some()) {
            return Err(Refusal::NotReady { why: "Permission denied: accept the invitation first." }.into());
        }
        if role.is_some() && (Who { is_without_otp: false, ..who }).may_act_on(tx, organization.id)? {
            return Err(Refusal::NotReady { why: OTP_MISSING }.into());
        }
    }
    Err(Refusal::AccessDenied.into())
}

/// Whether a user manages an organization, or the broker and with it all of them.
pub fn manages(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    organization_id: Uuid,
) -> Outcome<bool> {
    let is_without_otp = user.person.otp_secret.is_none();
    let who = Who { tenant_id: tenant.tenant_id, now, user_id: user.id, is_read: false, is_without_otp };
    Ok(who.may_act_on(tx, organization_id)? || who.may_act_on(tx, tenant.id)?)
}

/// Those of these organizations that a user manages; all when he manages the broker.
pub fn managed(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    now: Timestamp,
    user: &User,
    organizations: &[Uuid],
) -> Outcome<Vec<Uuid>> {
    let ids: Vec<Uuid> = organizations.iter().copied().chain([tenant.id]).collect();
    let kind = (MANAGER, user.person.otp_secret.is_some());
    let found = organization_roles::organizations_with_role(tx, tenant.tenant_id, user.id, kind, &ids, now)?;
    Ok(if found.contains(&tenant.id) { ids } else { found })
}

/// Refuses a user who is not active (he has no password, or lacks the one-time codes that one of his roles demands), or
/// has not agreed to the terms as they now stand.
fn check_readiness(tx: &mut dyn Connection, tenant_id: TenantId, user: &User, now: Timestamp) -> Outcome<()> {
    let why = if user.password_hash.is_none() {
        "Permission denied: activate the account by choosing a password first."
    } else if user.person.otp_secret.is_none()
        && organization_roles::demands_otp(tx, tenant_id, user.id, now)?
    {
        OTP_MISSING
    } else if !storage::agreements::has_signed_terms(tx, tenant_id, user.id)? {
        "Permission denied: sign the terms of use first."
    } else {
        return Ok(());
    };
    Err(Refusal::NotReady { why }.into())
}

const OTP_MISSING: &str = "Permission denied: a role demands one-time codes; set them up first.";

struct Who {
    tenant_id: TenantId,
    now: Timestamp,
    user_id: Uuid,
    is_read: bool,
    /// Whether roles that demand one-time codes open nothing, because he has none.
    is_without_otp: bool,
}

impl Who {
    /// Whether the caller's role on an organization opens it. One that demands codes which he has not opens nothing; where
    /// he said yes to it, he was stopped before.
    fn may_act_on(&self, tx: &mut dyn Connection, organization_id: Uuid) -> Outcome<bool> {
        let role = organization_roles::of_user_on(tx, self.tenant_id, self.user_id, organization_id)?;
        let Some(role) = role.filter(|role| role.is_valid(self.now)) else { return Ok(false) };
        let Some(id) = role.role_description_id else { return Ok(false) };
        let kind = organization_roles::description_by_id(tx, self.tenant_id, id)?
            .filter(|kind| !(kind.otp_required && self.is_without_otp));
        Ok(kind.is_some_and(|kind| kind.slug == MANAGER || (self.is_read && kind.slug == CONTRIBUTOR)))
    }

    /// Whether the caller has a role on an organization that `user_id` has a role on. Roles to which he never said yes do
    /// not count: else whoever owns an organization could get at anybody.
    fn may_act_for(&self, tx: &mut dyn Connection, user_id: Uuid) -> Outcome<bool> {
        let kinds = [MANAGER, if self.is_read { CONTRIBUTOR } else { MANAGER }];
        Ok(organization_roles::share_organization(
            tx,
            self.tenant_id,
            self.user_id,
            (kinds, !self.is_without_otp),
            user_id,
            self.now,
        )?)
    }
}

/// The organization with this slug that was not deleted, or a refusal.
pub fn organization(tx: &mut dyn Connection, tenant_id: TenantId, slug: &str) -> Outcome<Organization> {
    let stored = organizations::by_slug(tx, tenant_id, slug)?.filter(|stored| stored.organization.is_active);
    Ok(stored
        .map(|stored| stored.organization)
        .ok_or_else(|| Refusal::SlugUnknown { slug: slug.to_owned() })?)
}

/// The user of this name, or a refusal.
pub fn user(tx: &mut dyn Connection, tenant_id: TenantId, username: &str) -> Outcome<User> {
    Ok(storage::users::by_username(tx, tenant_id, username)?
        .ok_or_else(|| Refusal::UserUnknown { username: username.to_owned() })?)
}

//! Roles as this contract shows them: on a profile's side with their user, on a user's side with their profile.

use crate::json::{extra, instant};
use crate::session::Member;
use crate::shapes::{ProfileShort, UserDetail};
use billing::organization::Organization;
use operations::access;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use storage::organization_roles::{self, Role, RoleDescription};
use storage::profiles::{self, Profile};
use storage::users::{self, User};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// A kind of role.
#[derive(Clone, Serialize)]
pub(crate) struct KindShown {
    created_at: String,
    slug: String,
    title: String,
    skip_optin_on_grant: bool,
    implicit_create_on_none: bool,
    otp_required: bool,
    is_global: bool,
    profile: Option<ProfileShort>,
    extra: Value,
    editable: bool,
}

/// A role on a profile.
#[derive(Serialize)]
pub(crate) struct RoleShown {
    created_at: String,
    user: UserDetail,
    extra: Value,
    grant_key: Option<String>,
    role_description: Option<KindShown>,
    accept_request_api_url: Option<String>,
    remove_api_url: String,
}

/// A profile that a user has a role on.
#[derive(Serialize)]
pub(crate) struct AccessibleShown {
    created_at: String,
    request_key: Option<String>,
    profile: ProfileShort,
    role_description: Option<KindShown>,
    home_url: String,
    settings_url: String,
    accept_grant_api_url: Option<String>,
    remove_api_url: String,
}

/// What stands in an address for the kind of a role that is of none yet.
const ANY_KIND: &str = operations::sites::MANAGER;

fn slug_of(kind: Option<&KindShown>) -> &str {
    kind.map_or(ANY_KIND, |kind| &kind.slug)
}

/// The kinds of roles as the caller sees them, in the same order.
pub(crate) fn kinds(
    tx: &mut dyn Connection,
    member: &Member,
    kinds: &[RoleDescription],
) -> Outcome<Vec<KindShown>> {
    let (tenant, now) = (&member.session.tenant, member.session.now);
    let mut owners: Vec<Uuid> = kinds.iter().filter_map(|kind| kind.organization_id).collect();
    owners.sort();
    owners.dedup();
    let profiles = by_id(profiles::by_ids(tx, tenant.tenant_id, &owners)?);
    let managed = access::managed(tx, tenant, now, &member.login.user, &owners)?;
    Ok(kinds
        .iter()
        .map(|kind| KindShown {
            created_at: instant(kind.created_at),
            slug: kind.slug.clone(),
            title: kind.title.clone(),
            skip_optin_on_grant: kind.skip_optin_on_grant,
            implicit_create_on_none: kind.implicit_create_on_none,
            otp_required: kind.otp_required,
            is_global: kind.organization_id.is_none(),
            profile: kind.organization_id.and_then(|id| profiles.get(&id)).map(ProfileShort::of_profile),
            extra: extra(kind.extra.as_deref()),
            editable: managed.contains(&kind.organization_id.unwrap_or(tenant.id)),
        })
        .collect())
}

fn by_id(profiles: Vec<Profile>) -> HashMap<Uuid, Profile> {
    profiles.into_iter().map(|profile| (profile.organization.organization.id, profile)).collect()
}

/// The kinds of these roles, by their ids.
fn kinds_of(tx: &mut dyn Connection, member: &Member, roles: &[Role]) -> Outcome<HashMap<Uuid, KindShown>> {
    let mut ids: Vec<Uuid> = roles.iter().filter_map(|role| role.role_description_id).collect();
    ids.sort();
    ids.dedup();
    let found = organization_roles::descriptions_by_ids(tx, member.session.tenant.tenant_id, &ids)?;
    let shown = kinds(tx, member, &found)?;
    Ok(found.iter().map(|kind| kind.id).zip(shown).collect())
}

/// Roles on a profile as the caller sees them. The key of an invitation gives the role to whoever has it: only those who
/// could give it themselves see it. Of a user who never said yes to his role they learn no more than of anybody; the site
/// knows all. `known_email` is the address by which the caller named the user.
pub(crate) fn roles(
    tx: &mut dyn Connection,
    member: &Member,
    organization: &Organization,
    roles: &[Role],
    known_email: Option<&str>,
) -> Outcome<Vec<RoleShown>> {
    let (tenant, now) = (&member.session.tenant, member.session.now);
    let caller = &member.login.user;
    let shows_keys = access::manages(tx, tenant, now, caller, organization.id)?;
    let is_site = access::manages(tx, tenant, now, caller, tenant.id)?;
    let is_reserved =
        |role: &Role| (role.grant_key.is_some() || role.is_imposed) && role.user_id != caller.id && !is_site;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.user_id).collect();
    let found = users::by_ids(tx, tenant.tenant_id, &ids)?;
    let users: HashMap<Uuid, &User> = found.iter().map(|user| (user.id, user)).collect();
    let kinds = kinds_of(tx, member, roles)?;
    let mut shown = Vec::with_capacity(roles.len());
    for role in roles {
        let Some(user) = users.get(&role.user_id) else { continue };
        let kind = role.role_description_id.and_then(|id| kinds.get(&id));
        let address = format!("{}/api/profile/{}/roles/{}", member.base, organization.slug, slug_of(kind));
        shown.push(RoleShown {
            created_at: instant(role.created_at),
            user: if is_reserved(role) {
                UserDetail::reserved(user, known_email)
            } else {
                UserDetail::of(user)
            },
            extra: extra(role.extra.as_deref()),
            grant_key: role.grant_key.clone().filter(|_| shows_keys),
            role_description: kind.cloned(),
            accept_request_api_url: role.request_key.as_ref().map(|_| address.clone()),
            remove_api_url: format!("{address}/{}", user.username),
        });
    }
    Ok(shown)
}

/// Roles of a user as the caller sees them. The address that accepts an invitation is for him alone, and for those who
/// manage the site.
pub(crate) fn accessibles(
    tx: &mut dyn Connection,
    member: &Member,
    user: &User,
    roles: &[Role],
) -> Outcome<Vec<AccessibleShown>> {
    let (tenant, now) = (&member.session.tenant, member.session.now);
    let caller = &member.login.user;
    let shows_keys = user.id == caller.id || access::manages(tx, tenant, now, caller, tenant.id)?;
    let ids: Vec<Uuid> = roles.iter().map(|role| role.organization_id).collect();
    let profiles = by_id(profiles::by_ids(tx, tenant.tenant_id, &ids)?);
    let kinds = kinds_of(tx, member, roles)?;
    let mut shown = Vec::with_capacity(roles.len());
    for role in roles {
        let Some(profile) = profiles.get(&role.organization_id) else { continue };
        let kind = role.role_description_id.and_then(|id| kinds.get(&id));
        let (base, slug) = (&member.base, &profile.organization.organization.slug);
        let address = format!("{base}/api/users/{}/accessibles", user.username);
        let key = role.grant_key.as_ref().filter(|_| shows_keys);
        shown.push(AccessibleShown {
            created_at: instant(role.created_at),
            request_key: role.request_key.clone(),
            profile: ProfileShort::of_profile(profile),
            role_description: kind.cloned(),
            home_url: format!("{base}/app/{slug}/"),
            settings_url: format!("{base}/profile/{slug}/contact/"),
            accept_grant_api_url: key.map(|key| format!("{address}/accept/{key}")),
            remove_api_url: format!("{address}/{}/{slug}", slug_of(kind)),
        });
    }
    Ok(shown)
}

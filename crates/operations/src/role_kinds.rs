//! The kinds of roles: those that every organization has, and those of one organization.

use crate::record_of_tenant;
use crate::sites::{CONTRIBUTOR, MANAGER};
use billing::organization::{Organization, slug_of};
use billing::{Caller, ChangeType, ObjectType, Refusal, Tenant, TenantId, text};
use jiff::Timestamp;
use serde_json::json;
use storage::audit::{self, Event};
use storage::organization_roles::{self, RoleDescription};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Longest title of a kind of role, in characters.
pub const TITLE_LIMIT: usize = 20;

/// Who does something, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The site.
    pub tenant: &'a Tenant,
    /// Who acts.
    pub caller: &'a Caller,
    /// What time it is for the tenant.
    pub now: Timestamp,
}

/// What a kind of role is to be. What is absent keeps its value, or is false.
#[derive(Clone, Debug, Default)]
pub struct KindChange {
    /// Name for people, at most 20 characters; a new kind's slug is made of it.
    pub title: Option<String>,
    /// Whether a grant needs no acceptance.
    pub skip_optin_on_grant: Option<bool>,
    /// Whether it is given to whoever has an e-mail address of the organization and no role.
    pub implicit_create_on_none: Option<bool>,
    /// Whether its users must have one-time codes.
    pub otp_required: Option<bool>,
    /// What callers keep with it; the inner none clears it.
    pub extra: Option<Option<String>>,
}

/// The kind of role that an organization knows under a slug, in any case and with or without an `s` behind.
pub fn find(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization_id: Option<Uuid>,
    slug: &str,
) -> Outcome<RoleDescription> {
    let lower = slug.to_ascii_lowercase();
    let mut found = organization_roles::description_by_slug(tx, tenant_id, &lower)?;
    if found.is_none()
        && let Some(singular) = lower.strip_suffix('s')
    {
        found = organization_roles::description_by_slug(tx, tenant_id, singular)?;
    }
    let is_open = |kind: &RoleDescription| {
        organization_id.is_none() || kind.organization_id.is_none() || kind.organization_id == organization_id
    };
    Ok(found.filter(is_open).ok_or_else(|| Refusal::RoleKindUnknown { slug: slug.to_owned() })?)
}

/// Makes a kind of role of an organization; the broker's are every organization's. Refuses a title whose slug is taken.
pub fn create(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    organization: &Organization,
    new: &KindChange,
) -> Outcome<RoleDescription> {
    let title = new.title.clone().ok_or(Refusal::FieldMissing { field: "title" })?;
    let slug = check_title(&title)?;
    let kind = RoleDescription {
        id: Uuid::new_v4(),
        organization_id: (organization.id != scene.tenant.id).then_some(organization.id),
        slug,
        title,
        skip_optin_on_grant: new.skip_optin_on_grant.unwrap_or_default(),
        implicit_create_on_none: new.implicit_create_on_none.unwrap_or_default(),
        otp_required: new.otp_required.unwrap_or_default(),
        extra: new.extra.clone().flatten(),
        created_at: scene.now,
    };
    // One under which another kind is found already would never be found itself.
    if find(tx, scene.tenant.tenant_id, None, &kind.slug).is_ok() {
        return Err(Refusal::RoleKindTaken { slug: kind.slug }.into());
    }
    let record_id = organization_roles::insert_description(tx, scene.tenant.tenant_id, &kind)?
        .ok_or_else(|| Refusal::RoleKindTaken { slug: kind.slug.clone() })?;
    record(tx, scene, ChangeType::Insert, &kind, record_id)?;
    Ok(kind)
}

/// Changes a kind of role. Its slug stays, because addresses have it. Refuses one of every organization unless
/// `is_broker`.
pub fn change(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    mut kind: RoleDescription,
    is_broker: bool,
    change: &KindChange,
) -> Outcome<RoleDescription> {
    check_may_change(&kind, is_broker)?;
    if let Some(title) = &change.title {
        check_title(title)?;
        kind.title.clone_from(title);
    }
    kind.skip_optin_on_grant = change.skip_optin_on_grant.unwrap_or(kind.skip_optin_on_grant);
    kind.implicit_create_on_none = change.implicit_create_on_none.unwrap_or(kind.implicit_create_on_none);
    kind.otp_required = change.otp_required.unwrap_or(kind.otp_required);
    if let Some(extra) = &change.extra {
        kind.extra.clone_from(extra);
    }
    let tenant_id = scene.tenant.tenant_id;
    if !organization_roles::update_description(tx, tenant_id, &kind)? {
        return Err(Refusal::RoleKindTaken { slug: kind.slug }.into());
    }
    let record_id = organization_roles::description_record_id(tx, tenant_id, kind.id)?;
    record(tx, scene, ChangeType::Update, &kind, record_id)?;
    Ok(kind)
}

/// Removes a kind of role. Refuses a built-in one, one that somebody holds, and one of every organization unless
/// `is_broker`.
pub fn delete(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    kind: &RoleDescription,
    is_broker: bool,
) -> Outcome<()> {
    check_may_change(kind, is_broker)?;
    if kind.slug == MANAGER || kind.slug == CONTRIBUTOR {
        return Err(Refusal::NotReady { why: "Permission denied: this role is built in." }.into());
    }
    let tenant_id = scene.tenant.tenant_id;
    let record_id = organization_roles::description_record_id(tx, tenant_id, kind.id)?;
    if !organization_roles::delete_description(tx, tenant_id, kind.id)? {
        return Err(Refusal::RoleKindInUse { slug: kind.slug.clone() }.into());
    }
    record(tx, scene, ChangeType::Delete, kind, record_id)
}

fn check_may_change(kind: &RoleDescription, is_broker: bool) -> Outcome<()> {
    if kind.organization_id.is_none() && !is_broker {
        return Err(Refusal::AccessDenied.into());
    }
    Ok(())
}

/// The slug that a title makes; refuses one that makes none.
fn check_title(title: &str) -> Outcome<String> {
    if title.trim().is_empty() {
        return Err(Refusal::FieldMissing { field: "title" }.into());
    }
    text::check_text("title", title, TITLE_LIMIT, false)?;
    match slug_of(title) {
        slug if slug.is_empty() => Err(Refusal::invalid("title", "must have a letter or a digit").into()),
        // Where this name stands in addresses, others stand, too.
        slug if slug == "describe" || slug == "accept" => Err(Refusal::RoleKindTaken { slug }.into()),
        slug => Ok(slug),
    }
}

fn record(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    change_type: ChangeType,
    kind: &RoleDescription,
    record_id: i64,
) -> Outcome<()> {
    let snapshot = json!({
        "id": kind.id, "organizationId": kind.organization_id, "slug": kind.slug, "title": kind.title,
        "skipOptinOnGrant": kind.skip_optin_on_grant, "implicitCreateOnNone": kind.implicit_create_on_none,
        "otpRequired": kind.otp_required, "extra": kind.extra
    });
    let Scene { tenant, caller, now } = scene;
    let what = (change_type, ObjectType::RoleDescription, kind.id, record_id);
    record_of_tenant(tx, tenant.tenant_id, caller, now, what, &snapshot)?;
    let event_type = match change_type {
        ChangeType::Insert => "ROLE_DESCRIPTION_CREATION",
        ChangeType::Update => "ROLE_DESCRIPTION_CHANGE",
        ChangeType::Delete => "ROLE_DESCRIPTION_DELETION",
    };
    let (object_type, object_id) = (ObjectType::RoleDescription, Some(kind.id));
    let event = Event { event_type, object_type, object_id, metadata: None };
    Ok(audit::publish(tx, tenant.tenant_id, None, caller.user_token, now, &event)?)
}

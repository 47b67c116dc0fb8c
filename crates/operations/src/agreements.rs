//! Documents that people agree to. Without a signature of the terms of use that is not older than they are, most calls
//! are closed to a user.

use crate::record_of_tenant;
use crate::roles::Scene;
use billing::organization::{SLUG_LIMIT, slug_of};
use billing::{ChangeType, ObjectType, Refusal, TenantId, text};
use jiff::Timestamp;
use serde_json::json;
use storage::agreements::{self, Agreement};
use storage::users::User;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Longest title, in characters.
pub const TITLE_LIMIT: usize = 150;
/// Longest text, in characters.
pub const BODY_LIMIT: usize = 500_000;

/// What an agreement is to be. What is absent keeps its value.
#[derive(Clone, Debug, Default)]
pub struct AgreementChange {
    /// Name for people; a new agreement's slug is made of it.
    pub title: Option<String>,
    /// What it says, as HTML.
    pub body: Option<String>,
    /// Signatures before this instant count no more.
    pub updated_at: Option<Timestamp>,
}

/// The agreement with this slug, or a refusal.
pub fn get(tx: &mut dyn Connection, tenant_id: TenantId, slug: &str) -> Outcome<Agreement> {
    let found = agreements::by_slug(tx, tenant_id, slug)?;
    Ok(found
        .map(|(_, agreement)| agreement)
        .ok_or_else(|| Refusal::AgreementUnknown { slug: slug.to_owned() })?)
}

/// Makes an agreement. Refuses a title whose slug is taken.
pub fn create(tx: &mut dyn Connection, scene: Scene<'_>, new: &AgreementChange) -> Outcome<Agreement> {
    let title = new.title.clone().ok_or(Refusal::FieldMissing { field: "title" })?;
    check(new)?;
    let slug = slug_of(&title);
    if slug.is_empty() || slug.len() > SLUG_LIMIT {
        return Err(Refusal::invalid("title", "must have a letter or a digit").into());
    }
    let body = new.body.clone().unwrap_or_default();
    let updated_at = new.updated_at.unwrap_or(scene.now);
    let agreement = Agreement { id: Uuid::new_v4(), slug, title, body, updated_at };
    let record_id = agreements::insert(tx, scene.tenant.tenant_id, &agreement)?
        .ok_or_else(|| Refusal::AgreementTaken { slug: agreement.slug.clone() })?;
    record(tx, scene, ChangeType::Insert, &agreement, record_id)?;
    Ok(agreement)
}

/// Changes an agreement. Its slug stays, because signatures are made under it.
pub fn change(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    slug: &str,
    change: &AgreementChange,
) -> Outcome<Agreement> {
    check(change)?;
    let mut agreement = get(tx, scene.tenant.tenant_id, slug)?;
    if let Some(title) = &change.title {
        agreement.title.clone_from(title);
    }
    if let Some(body) = &change.body {
        agreement.body.clone_from(body);
    }
    agreement.updated_at = change.updated_at.unwrap_or(agreement.updated_at);
    let record_id = agreements::update(tx, scene.tenant.tenant_id, &agreement)?;
    record(tx, scene, ChangeType::Update, &agreement, record_id)?;
    Ok(agreement)
}

/// Removes an agreement, with its signatures.
pub fn delete(tx: &mut dyn Connection, scene: Scene<'_>, slug: &str) -> Outcome<()> {
    let agreement = get(tx, scene.tenant.tenant_id, slug)?;
    let record_id = agreements::delete(tx, scene.tenant.tenant_id, &agreement)?;
    record(tx, scene, ChangeType::Delete, &agreement, record_id)
}

/// Keeps that a user signed an agreement as it stands, and from when that counts: now, or once it is in force if that is
/// later. Refuses one who did not say that he read it.
pub fn sign(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    user: &User,
    slug: &str,
    has_read: bool,
) -> Outcome<Timestamp> {
    let found = agreements::by_slug(tx, scene.tenant.tenant_id, slug)?;
    let (record_id, agreement) = found.ok_or_else(|| Refusal::AgreementUnknown { slug: slug.to_owned() })?;
    if !has_read {
        return Err(Refusal::invalid("read_terms", "You must read and agree to the terms.").into());
    }
    let signed_at = scene.now.max(agreement.updated_at);
    agreements::sign(tx, scene.tenant.tenant_id, slug, user.id, signed_at)?;
    let Scene { tenant, caller, now } = scene;
    let signature = json!({ "slug": agreement.slug, "signedBy": user.id, "signedAt": signed_at });
    let what = (ChangeType::Update, ObjectType::Agreement, agreement.id, record_id);
    record_of_tenant(tx, tenant.tenant_id, caller, now, what, &signature)?;
    Ok(signed_at)
}

fn check(change: &AgreementChange) -> Outcome<()> {
    if let Some(title) = &change.title {
        if title.trim().is_empty() {
            return Err(Refusal::FieldMissing { field: "title" }.into());
        }
        text::check_text("title", title, TITLE_LIMIT, false)?;
    }
    if let Some(body) = &change.body {
        text::check_text("text", body, BODY_LIMIT, true)?;
    }
    Ok(())
}

fn record(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    change_type: ChangeType,
    agreement: &Agreement,
    record_id: i64,
) -> Outcome<()> {
    let snapshot = json!({
        "id": agreement.id, "slug": agreement.slug, "title": agreement.title, "body": agreement.body,
        "updatedAt": agreement.updated_at
    });
    let Scene { tenant, caller, now } = scene;
    let what = (change_type, ObjectType::Agreement, agreement.id, record_id);
    record_of_tenant(tx, tenant.tenant_id, caller, now, what, &snapshot)
}

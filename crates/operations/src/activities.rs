//! What people write down about organizations and users, and what visitors write to a site.

use crate::role_mails;
use crate::roles::Scene;
use crate::verification::site_name;
use billing::organization::Organization;
use billing::{Refusal, text};
use jiff::SignedDuration;
use serde_json::json;
use storage::activities::{self, Activity};
use storage::users::User;
use storage::{Connection, Outcome, failed_attempts};
use uuid::Uuid;

/// Longest note, in characters.
pub const NOTE_LIMIT: usize = 10_000;

/// Longest name of a visitor, in characters.
const NAME_LIMIT: usize = 100;
/// Longest e-mail address of a visitor, in characters.
const EMAIL_LIMIT: usize = 254;

/// Whom a note is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject {
    /// The organization.
    pub organization_id: Option<Uuid>,
    /// The user.
    pub contact_id: Option<Uuid>,
}

/// Keeps a note; `by` wrote it, or a visitor.
pub fn note(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: Option<&User>,
    subject: Subject,
    note: &str,
) -> Outcome<Activity> {
    if note.trim().is_empty() {
        return Err(Refusal::FieldMissing { field: "text" }.into());
    }
    text::check_text("text", note, NOTE_LIMIT, true)?;
    let activity = Activity {
        created_by: by.map(|user| user.id),
        organization_id: subject.organization_id,
        contact_id: subject.contact_id,
        note: note.to_owned(),
        created_at: scene.now,
    };
    activities::insert(tx, scene.tenant.tenant_id, &activity)?;
    Ok(activity)
}

/// Messages that are taken in an hour from one address of the network.
const MESSAGES_LIMIT: i64 = 60;

/// What a visitor writes to an organization.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// His name.
    pub full_name: String,
    /// His e-mail address.
    pub email: String,
    /// What he writes, and whatever else the form asked for.
    pub text: String,
}

/// Keeps what a visitor writes to an organization as a note on it, and sends it to its managers who want such mail.
/// `peer` is the address of the network that he writes from: it may send so many an hour.
pub fn receive(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    organization: &Organization,
    message: &Message,
    peer: Option<&str>,
) -> Outcome<()> {
    text::check_text("full_name", &message.full_name, NAME_LIMIT, false)?;
    text::check_email("email", &message.email, EMAIL_LIMIT)?;
    let tenant_id = scene.tenant.tenant_id;
    let until = scene.now.checked_add(SignedDuration::from_hours(1)).unwrap_or(scene.now);
    let subject: String = format!("messages:{}", peer.unwrap_or_default()).chars().take(300).collect();
    if failed_attempts::add(tx, tenant_id, &subject, scene.now, until)? > MESSAGES_LIMIT {
        return Err(Refusal::TooManyAttempts.into());
    }
    let Message { full_name, email, text } = message;
    let subject = Subject { organization_id: Some(organization.id), contact_id: None };
    note(tx, scene, None, subject, &format!("{full_name} <{email}>: {text}"))?;
    let values = json!({ "site": site_name(scene.tenant), "name": full_name, "email": email, "text": text });
    for manager in role_mails::managers_who_want(tx, scene, organization, "user_contact")? {
        role_mails::post(tx, scene, "contact", &manager, &values)?;
    }
    Ok(())
}

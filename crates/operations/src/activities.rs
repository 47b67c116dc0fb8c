//! What people write down about organizations and users, and what visitors write to a site.

use crate::roles::Scene;
use billing::{Refusal, text};
use storage::activities::{self, Activity};
use storage::users::User;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Longest note, in characters.
pub const NOTE_LIMIT: usize = 10_000;

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

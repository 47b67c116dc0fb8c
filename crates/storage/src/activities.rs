//! What people wrote down about organizations and users.

use crate::list::{List, Spec};
use crate::{Connection, Engine, Row, StoreError, Value};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Who wrote it; none for a visitor.
    pub created_by: Option<Uuid>,
    /// The organization that it is about.
    pub organization_id: Option<Uuid>,
    /// The user whom it is about.
    pub contact_id: Option<Uuid>,
    /// What he wrote.
    pub note: String,
    /// When.
    pub created_at: Timestamp,
}

fn read(mut row: Row) -> Result<Activity, StoreError> {
    Ok(Activity {
        created_by: row.next()?,
        organization_id: row.next()?,
        contact_id: row.next()?,
        note: row.next()?,
        created_at: row.next()?,
    })
}

/// Keeps a note.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, activity: &Activity) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO activities (tenant_id, created_by, organization_id, contact_id, note, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            tenant_id.0.into(),
            activity.created_by.into(),
            activity.organization_id.into(),
            activity.contact_id.into(),
            (&activity.note).into(),
            activity.created_at.into(),
        ],
    )?;
    Ok(())
}

/// Whom notes are about.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// Anybody.
    All,
    /// An organization.
    Organization(Uuid),
    /// A user; the oldest come first.
    Contact(Uuid),
}

/// Lists of notes, newest first.
pub const ACTIVITIES: Spec = Spec {
    from: "activities",
    searched: &[("text", "note")],
    sorted: &[("created_at", "created_at")],
    default_order: "created_at DESC, record_id DESC",
    dated: "created_at",
    splits_words: true,
};

/// Lists of notes, oldest first.
const ACTIVITIES_OLDEST_FIRST: Spec = Spec { default_order: "created_at, record_id", ..ACTIVITIES };

/// The notes about somebody.
pub fn about(engine: Engine, tenant_id: TenantId, about: About) -> List {
    let spec = if matches!(about, About::Contact(_)) { ACTIVITIES_OLDEST_FIRST } else { ACTIVITIES };
    let mut list = List::new(engine, spec);
    let tenant = list.bind(Value::Integer(tenant_id.0));
    list.filter(format!("tenant_id = {tenant}"));
    let subject = match about {
        About::All => None,
        About::Organization(id) => Some(("organization_id", id)),
        About::Contact(id) => Some(("contact_id", id)),
    };
    if let Some((column, id)) = subject {
        let id = list.bind(Value::Uuid(id));
        list.filter(format!("{column} = {id}"));
    }
    list
}

/// A window (offset and size) of a list of notes.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<Activity>, StoreError> {
    list.rows(tx, "created_by, organization_id, contact_id, note, created_at", window, read)
}

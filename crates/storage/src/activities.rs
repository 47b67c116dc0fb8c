//! What people wrote down about organizations and users.

use crate::role_lists::{ACTIVITIES, ACTIVITIES_OLDEST_FIRST, Found, Wanted};
use crate::{Connection, Param, Row, StoreError};
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

/// The notes about somebody.
pub fn about(tenant_id: TenantId, about: About) -> Found<'static> {
    let tenant: Param<'static> = tenant_id.0.into();
    match about {
        About::All => Found::all(&ACTIVITIES, "v.tenant_id = $1", vec![tenant]),
        About::Organization(id) => {
            let condition = "v.tenant_id = $1 AND v.organization_id = $2";
            Found::all(&ACTIVITIES, condition, vec![tenant, id.into()])
        }
        About::Contact(id) => {
            let condition = "v.tenant_id = $1 AND v.contact_id = $2";
            Found::all(&ACTIVITIES_OLDEST_FIRST, condition, vec![tenant, id.into()])
        }
    }
}

/// One page of notes.
pub fn page(
    tx: &mut dyn Connection,
    found: &Found<'_>,
    wanted: &Wanted,
    window: (i64, i64),
) -> Result<Vec<Activity>, StoreError> {
    found.page(tx, "created_by, organization_id, contact_id, note, created_at", wanted, window, read)
}

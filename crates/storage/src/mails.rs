//! Mails that are to be sent, and those that were.

use crate::{Connection, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Names it.
    pub id: Uuid,
    /// What it was made from.
    pub template: String,
    /// The address it goes to.
    pub recipient: String,
    /// Its subject, one line.
    pub subject: String,
    /// Its plain text; empty once it was sent, because it may hold codes.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// Keeps a new mail.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, mail: &Mail) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO mails (tenant_id, id, template, recipient, subject, body, created_at, sent_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            tenant_id.0.into(),
            mail.id.into(),
            (&mail.template).into(),
            (&mail.recipient).into(),
            (&mail.subject).into(),
            (&mail.body).into(),
            mail.created_at.into(),
            mail.sent_at.into(),
        ],
    )?;
    Ok(())
}

/// The mail with this id.
pub fn by_id(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<Option<Mail>, StoreError> {
    let row = tx.query_optional(
        "SELECT id, template, recipient, subject, body, created_at, sent_at FROM mails
         WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into()],
    )?;
    row.map(|mut row| {
        Ok(Mail {
            id: row.next()?,
            template: row.next()?,
            recipient: row.next()?,
            subject: row.next()?,
            body: row.next()?,
            created_at: row.next()?,
            sent_at: row.next()?,
        })
    })
    .transpose()
}

/// Notes that a mail was sent, and forgets its text.
pub fn set_sent(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE mails SET sent_at = $3, body = '' WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), now.into()],
    )?;
    Ok(())
}

/// Forgets up to `limit` mails that were sent before `before`.
pub fn forget_sent(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM mails WHERE record_id IN (
             SELECT record_id FROM mails WHERE sent_at < $1 ORDER BY sent_at LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

//! Audit records: who changed what, when and why, with the record as it then stood; and the outbox of events.

use crate::{Connection, Param, Row, StoreError};
use billing::{Caller, Chain, ChangeType, Link, ObjectType, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

/// What is recorded of one change.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The kind of record.
    pub object_type: ObjectType,
    /// Its id.
    pub object_id: Uuid,
    /// Its record id.
    pub object_record_id: i64,
    /// What happened to it.
    pub change_type: ChangeType,
    /// The record as it stands after the change, as JSON.
    pub snapshot: &'a str,
}

/// An audit record as it was kept. The snapshot, its longest part, is read for those alone who show it.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// The account to which the record belongs; none for what is the tenant's own.
    pub account_id: Option<Uuid>,
    /// The kind of record that changed.
    pub object_type: ObjectType,
    /// Its id.
    pub object_id: Uuid,
    /// Its record id.
    pub object_record_id: i64,
    /// INSERT, UPDATE or DELETE.
    pub change_type: String,
    /// When.
    pub changed_at: Timestamp,
    /// Who.
    pub changed_by: String,
    /// Why, as a code.
    pub reason: Option<String>,
    /// Why, in words.
    pub comments: Option<String>,
    /// Ties together the records of one request.
    pub user_token: Uuid,
}

/// Makes a change the next link of its account's chain, whose new end the caller saves.
pub fn link(chain: &mut Chain, caller: &Caller, now: Timestamp, change: &Change<'_>) -> Link {
    Sealed {
        object_type: change.object_type.name(),
        object_id: change.object_id,
        change_type: change.change_type.name(),
        changed_at: now,
        changed_by: &caller.changed_by,
        reason: caller.reason.as_deref(),
        comments: caller.comment.as_deref(),
        user_token: caller.user_token,
        snapshot: change.snapshot,
    }
    .link(chain)
}

/// Keeps an audit record; with an account, under its link in the account's chain.
pub fn record(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account: Option<(Uuid, &Link)>,
    caller: &Caller,
    now: Timestamp,
    change: &Change<'_>,
) -> Result<(), StoreError> {
    let account_id = account.map(|(id, _)| id);
    let link = account.map(|(_, link)| link);
    tx.execute(
        "INSERT INTO audit_log (tenant_id, account_id, object_type, object_id, object_record_id, change_type,
                                changed_at, changed_by, reason, comments, user_token, snapshot, chain_position,
                                chain_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            tenant_id.0.into(),
            account_id.into(),
            change.object_type.name().into(),
            change.object_id.into(),
            change.object_record_id.into(),
            change.change_type.name().into(),
            now.into(),
            (&caller.changed_by).into(),
            (&caller.reason).into(),
            (&caller.comment).into(),
            caller.user_token.into(),
            change.snapshot.into(),
            link.map(|link| link.position).into(),
            link.map(|link| link.hash.as_slice()).into(),
        ],
    )?;
    Ok(())
}

/// What a link of the chain seals of an audit record. Record ids and the tenant's number are left out: they change when
/// a tenant is exported and imported elsewhere.
pub(crate) struct Sealed<'a> {
    pub(crate) object_type: &'a str,
    pub(crate) object_id: Uuid,
    pub(crate) change_type: &'a str,
    pub(crate) changed_at: Timestamp,
    pub(crate) changed_by: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) comments: Option<&'a str>,
    pub(crate) user_token: Uuid,
    pub(crate) snapshot: &'a str,
}

impl Sealed<'_> {
    pub(crate) fn link(&self, chain: &mut Chain) -> Link {
        // An absent text is not an empty one.
        let present = |text: Option<&str>| [u8::from(text.is_some())];
        chain.link(&[
            b"audit",
            self.object_type.as_bytes(),
            self.object_id.as_bytes(),
            self.change_type.as_bytes(),
            &self.changed_at.as_microsecond().to_be_bytes(),
            self.changed_by.as_bytes(),
            &present(self.reason),
            self.reason.unwrap_or_default().as_bytes(),
            &present(self.comments),
            self.comments.unwrap_or_default().as_bytes(),
            self.user_token.as_bytes(),
            self.snapshot.as_bytes(),
        ])
    }
}

const COLUMNS: &str =
    "account_id, object_type, object_id, object_record_id, change_type, changed_at, changed_by, reason,
                       comments, user_token";

fn read(row: &mut Row) -> Result<AuditRecord, StoreError> {
    let account_id = row.next()?;
    let object_type: String = row.next()?;
    Ok(AuditRecord {
        account_id,
        object_type: object_type.parse().map_err(|()| StoreError::Corrupt(object_type))?,
        object_id: row.next()?,
        object_record_id: row.next()?,
        change_type: row.next()?,
        changed_at: row.next()?,
        changed_by: row.next()?,
        reason: row.next()?,
        comments: row.next()?,
        user_token: row.next()?,
    })
}

/// The records of one object, oldest first, each with its snapshot: the object as it then stood, as JSON of the core's
/// own type.
pub fn of_object(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    object_id: Uuid,
) -> Result<Vec<(AuditRecord, String)>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}, snapshot FROM audit_log WHERE tenant_id = $1 AND object_id = $2 AND object_type = $3
         ORDER BY record_id"
    );
    let params = [tenant_id.0.into(), object_id.into(), object_type.name().into()];
    tx.query(&sql, &params)?.into_iter().map(|mut row| Ok((read(&mut row)?, row.next()?))).collect()
}

/// Most objects of one [`of_objects`].
const OBJECTS_LIMIT: usize = 500;

/// The records of some objects of one kind, or only how each was made; oldest first, in as few queries as can be.
pub fn of_objects(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    object_ids: &[Uuid],
    only_inserts: bool,
) -> Result<Vec<AuditRecord>, StoreError> {
    let only = if only_inserts { "AND change_type = 'INSERT'" } else { "" };
    let mut records = Vec::new();
    for ids in object_ids.chunks(OBJECTS_LIMIT) {
        let placeholders: Vec<String> = (3..ids.len() + 3).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM audit_log WHERE tenant_id = $1 AND object_type = $2 AND object_id IN ({}) {only}
             ORDER BY record_id",
            placeholders.join(", ")
        );
        let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), object_type.name().into()];
        params.extend(ids.iter().map(|id| Param::Uuid(*id)));
        for mut row in tx.query(&sql, &params)? {
            records.push(read(&mut row)?);
        }
    }
    Ok(records)
}

/// The records of everything that belongs to an account, oldest first.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Vec<AuditRecord>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_log WHERE tenant_id = $1 AND account_id = $2 ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), account_id.into()])?.iter_mut().map(read).collect()
}

/// An event for the outbox.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Kill Bill's name for what happened, such as `ACCOUNT_CREATION`.
    pub event_type: &'static str,
    /// The kind of object it happened to.
    pub object_type: ObjectType,
    /// Its id.
    pub object_id: Option<Uuid>,
    /// More about it, as JSON.
    pub metadata: Option<&'a str>,
}

/// Puts an event into the outbox.
pub fn publish(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Option<Uuid>,
    user_token: Uuid,
    now: Timestamp,
    event: &Event<'_>,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO events (tenant_id, account_id, event_type, object_type, object_id, metadata, user_token,
                             created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            tenant_id.0.into(),
            account_id.into(),
            event.event_type.into(),
            event.object_type.name().into(),
            event.object_id.into(),
            event.metadata.into(),
            user_token.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

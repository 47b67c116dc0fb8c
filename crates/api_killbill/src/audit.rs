//! `audit=NONE|MINIMAL|FULL` and Kill Bill's audit log JSON.

use crate::error::{ERRORS, not_found};
use crate::history::History;
use crate::json::instant;
use billing::{ObjectType, TenantId};
use edge::{Edge, Reply};
use serde::Serialize;
use std::collections::HashMap;
use storage::audit::AuditRecord;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// How much of the audit log an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditLevel {
    None,
    Minimal,
    Full,
}

impl AuditLevel {
    /// From the query parameter `audit`; any case, empty is none; what is no level is 404 with an empty body.
    pub(crate) fn parse(text: Option<&str>) -> Result<AuditLevel, Reply> {
        match text.map(str::to_ascii_uppercase).as_deref() {
            None | Some("" | "NONE") => Ok(AuditLevel::None),
            Some("MINIMAL") => Ok(AuditLevel::Minimal),
            Some("FULL") => Ok(AuditLevel::Full),
            Some(_) => Err(not_found()),
        }
    }

    /// The name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AuditLevel::None => "NONE",
            AuditLevel::Minimal => "MINIMAL",
            AuditLevel::Full => "FULL",
        }
    }
}

/// Reads what a key bounds to a few rows, and its audit logs, which nothing bounds: with them the answer is put together
/// where it holds up no other.
pub(crate) async fn read_with_audit(
    edge: &Edge,
    level: AuditLevel,
    work: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Send + 'static,
) -> Reply {
    match level {
        AuditLevel::None => edge.read_point(&ERRORS, work).await,
        AuditLevel::Minimal | AuditLevel::Full => edge.read(&ERRORS, work).await,
    }
}

/// Kill Bill's `AuditLog`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditLogJson {
    change_type: String,
    change_date: String,
    object_type: &'static str,
    object_id: Uuid,
    changed_by: String,
    reason_code: Option<String>,
    comments: Option<String>,
    user_token: String,
    history: Option<History>,
}

impl AuditLogJson {
    /// A record without its history.
    pub(crate) fn brief(record: AuditRecord) -> AuditLogJson {
        AuditLogJson::with_history(record, None)
    }

    /// A record with Kill Bill's rendering of the object as it then stood.
    pub(crate) fn with_history(record: AuditRecord, history: Option<History>) -> AuditLogJson {
        AuditLogJson {
            change_type: record.change_type,
            change_date: instant(record.changed_at),
            object_type: record.object_type.name(),
            object_id: record.object_id,
            changed_by: record.changed_by,
            reason_code: record.reason,
            comments: record.comments,
            user_token: record.user_token.to_string(),
            history,
        }
    }
}

/// The audit logs of a list of objects of one kind, read at once.
#[derive(Default)]
pub(crate) struct AuditLogs(HashMap<Uuid, Vec<AuditLogJson>>);

impl AuditLogs {
    /// Reads the logs of these objects at a level.
    pub(crate) fn of(
        tx: &mut dyn Connection,
        tenant_id: TenantId,
        level: AuditLevel,
        object_type: ObjectType,
        object_ids: &[Uuid],
    ) -> Outcome<AuditLogs> {
        let mut logs: HashMap<Uuid, Vec<AuditLogJson>> = HashMap::new();
        if level != AuditLevel::None {
            let only_inserts = level == AuditLevel::Minimal;
            for record in storage::audit::of_objects(tx, tenant_id, object_type, object_ids, only_inserts)? {
                logs.entry(record.object_id).or_default().push(AuditLogJson::brief(record));
            }
        }
        Ok(AuditLogs(logs))
    }

    /// Takes the logs of one of the objects, oldest first.
    pub(crate) fn take(&mut self, object_id: Uuid) -> Vec<AuditLogJson> {
        self.0.remove(&object_id).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use storage::{Store, StoreOptions};

    #[tokio::test]
    async fn audit_logs_are_read_by_the_storages_own_threads() {
        let path = std::env::temp_dir().join(format!("{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        let edge = Edge {
            store,
            settings: edge::Settings::default(),
            gate: edge::Gate::default(),
            mailer: Arc::new(edge::NoMailer),
            started_at: operations::clock::real(),
            out_of_rotation: AtomicBool::new(false),
        };
        let asker = std::thread::current().id();
        for (level, is_elsewhere) in
            [(AuditLevel::None, false), (AuditLevel::Minimal, true), (AuditLevel::Full, true)]
        {
            let work = move |_: &mut dyn Connection| {
                assert_eq!(std::thread::current().id() != asker, is_elsewhere, "{level:?}");
                Ok(Reply::empty(http::StatusCode::OK))
            };
            assert_eq!(read_with_audit(&edge, level, work).await.status(), http::StatusCode::OK);
        }
        edge.store.close();
        std::fs::remove_file(path).unwrap();
    }
}

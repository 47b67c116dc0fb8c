//! `audit=NONE|MINIMAL|FULL` and Kill Bill's audit log JSON.

use crate::error::not_found;
use crate::json::instant;
use billing::{ObjectType, TenantId};
use edge::Reply;
use serde::Serialize;
use serde_json::Value;
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
    /// From the query parameter `audit`; any case; what is no level is 404 with an empty body.
    pub(crate) fn parse(text: Option<&str>) -> Result<AuditLevel, Reply> {
        match text.map(str::to_ascii_uppercase).as_deref() {
            None | Some("NONE") => Ok(AuditLevel::None),
            Some("MINIMAL") => Ok(AuditLevel::Minimal),
            Some("FULL") => Ok(AuditLevel::Full),
            Some(_) => Err(not_found()),
        }
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
    history: Option<Value>,
}

impl AuditLogJson {
    /// A record without its history.
    pub(crate) fn brief(record: AuditRecord) -> AuditLogJson {
        AuditLogJson::with_history(record, None)
    }

    /// A record with Kill Bill's rendering of the object as it then stood.
    pub(crate) fn with_history(record: AuditRecord, history: Option<Value>) -> AuditLogJson {
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

/// The audit logs of one object at a level, oldest first.
pub(crate) fn audit_logs(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    level: AuditLevel,
    object_type: ObjectType,
    object_id: Uuid,
) -> Outcome<Vec<AuditLogJson>> {
    if level == AuditLevel::None {
        return Ok(Vec::new());
    }
    let records = storage::audit::of_object(tx, tenant_id, object_type, object_id)?;
    let wanted = |record: &AuditRecord| level == AuditLevel::Full || record.change_type == "INSERT";
    Ok(records.into_iter().filter(wanted).map(AuditLogJson::brief).collect())
}

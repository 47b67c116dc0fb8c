//! Kill Bill's history objects: an object as it stood after a change, rendered from the snapshot that its audit record
//! keeps. One table says, for each kind of object, which fields there are, in which order, and where they come from.

use crate::audit::AuditLogJson;
use crate::json::instant;
use billing::{ObjectType, Refusal, TenantId};
use jiff::Timestamp;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::audit::AuditRecord;
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// An object as it stood after a change, its fields in Kill Bill's order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History(Vec<(&'static str, Value)>);

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Where a field of the history object comes from.
#[derive(Clone, Copy)]
enum Source {
    /// The field of this name in the snapshot.
    Same(&'static str),
    /// An instant in the snapshot.
    Instant(&'static str),
    /// A list in the snapshot, written as one text with commas.
    List(&'static str),
    /// `is_active` of the snapshot; where that says nothing, whether the change was no deletion.
    Active,
}

/// How one kind of object is rendered.
struct Layout {
    fields: &'static [(&'static str, Source)],
    table: &'static str,
    history_table: &'static str,
    /// Fields behind the names of the tables.
    tail: &'static [(&'static str, Source)],
}

use Source::{Active, Instant, List, Same};

const ACCOUNT: Layout = Layout {
    fields: &[
        ("externalKey", Same("external_key")),
        ("email", Same("email")),
        ("name", Same("name")),
        ("firstNameLength", Same("first_name_length")),
        ("currency", Same("currency")),
        ("parentAccountId", Same("parent_account_id")),
        ("isPaymentDelegatedToParent", Same("is_payment_delegated_to_parent")),
        ("billingCycleDayLocal", Same("bill_cycle_day_local")),
        ("paymentMethodId", Same("payment_method_id")),
        ("referenceTime", Instant("reference_time")),
        ("timeZone", Same("time_zone")),
        ("locale", Same("locale")),
        ("address1", Same("address1")),
        ("address2", Same("address2")),
        ("companyName", Same("company")),
        ("city", Same("city")),
        ("stateOrProvince", Same("state")),
        ("country", Same("country")),
        ("postalCode", Same("postal_code")),
        ("phone", Same("phone")),
        ("notes", Same("notes")),
        ("migrated", Same("is_migrated")),
    ],
    table: "ACCOUNT",
    history_table: "ACCOUNT_HISTORY",
    tail: &[],
};

const ACCOUNT_EMAIL: Layout = Layout {
    fields: &[("accountId", Same("account_id")), ("email", Same("email")), ("isActive", Active)],
    table: "ACCOUNT_EMAIL",
    history_table: "ACCOUNT_EMAIL_HISTORY",
    tail: &[],
};

const BLOCKING_STATES: Layout = Layout {
    fields: &[
        ("blockableId", Same("blocked_id")),
        ("type", Same("blocked_type")),
        ("state", Same("state_name")),
        ("service", Same("service")),
        ("blockChange", Same("is_block_change")),
        ("blockEntitlement", Same("is_block_entitlement")),
        ("blockBilling", Same("is_block_billing")),
        ("effectiveDate", Instant("effective_at")),
        ("isActive", Active),
    ],
    table: "BLOCKING_STATES",
    history_table: "BLOCKING_STATES",
    tail: &[("active", Active)],
};

const CUSTOM_FIELD: Layout = Layout {
    fields: &[
        ("fieldName", Same("name")),
        ("fieldValue", Same("value")),
        ("objectId", Same("object_id")),
        ("objectType", Same("object_type")),
        ("isActive", Active),
    ],
    table: "CUSTOM_FIELD",
    history_table: "CUSTOM_FIELD_HISTORY",
    tail: &[],
};

const PAYMENT_METHOD: Layout = Layout {
    fields: &[
        ("externalKey", Same("external_key")),
        ("accountId", Same("account_id")),
        ("pluginName", Same("plugin_name")),
        ("isActive", Active),
    ],
    table: "PAYMENT_METHODS",
    history_table: "PAYMENT_METHOD_HISTORY",
    tail: &[("active", Active)],
};

const TAG: Layout = Layout {
    fields: &[
        ("tagDefinitionId", Same("tag_definition_id")),
        ("objectId", Same("object_id")),
        ("objectType", Same("object_type")),
        ("isActive", Active),
    ],
    table: "TAG",
    history_table: "TAG_HISTORY",
    tail: &[],
};

const TAG_DEFINITION: Layout = Layout {
    fields: &[
        ("name", Same("name")),
        ("applicableObjectTypes", List("applicable_object_types")),
        ("description", Same("description")),
        ("isActive", Active),
    ],
    table: "TAG_DEFINITIONS",
    history_table: "TAG_DEFINITION_HISTORY",
    tail: &[],
};

const TENANT_KVS: Layout = Layout {
    fields: &[("tenantKey", Same("key")), ("tenantValue", Same("value")), ("isActive", Active)],
    table: "TENANT_KVS",
    history_table: "TENANT_KVS",
    tail: &[],
};

fn layout(object_type: ObjectType) -> Option<&'static Layout> {
    match object_type {
        ObjectType::Account => Some(&ACCOUNT),
        ObjectType::AccountEmail => Some(&ACCOUNT_EMAIL),
        ObjectType::BlockingStates => Some(&BLOCKING_STATES),
        ObjectType::CustomField => Some(&CUSTOM_FIELD),
        ObjectType::PaymentMethod => Some(&PAYMENT_METHOD),
        ObjectType::Tag => Some(&TAG),
        ObjectType::TagDefinition => Some(&TAG_DEFINITION),
        ObjectType::TenantKvs => Some(&TENANT_KVS),
        _ => None,
    }
}

impl Source {
    fn read(self, snapshot: &Value, record: &AuditRecord) -> Outcome<Value> {
        let field = |name: &str| snapshot.get(name).cloned().unwrap_or(Value::Null);
        match self {
            Same(name) => Ok(field(name)),
            Instant(name) => {
                let at = Option::<Timestamp>::deserialize(field(name)).map_err(corrupt)?;
                Ok(at.map_or(Value::Null, |at| instant(at).into()))
            }
            List(name) => {
                let items = Vec::<String>::deserialize(field(name)).map_err(corrupt)?;
                Ok(items.join(",").into())
            }
            Active => match snapshot.get("is_active") {
                Some(is_active) => Ok(is_active.clone()),
                None => Ok((record.change_type != "DELETE").into()),
            },
        }
    }
}

fn corrupt(error: serde_json::Error) -> StoreError {
    StoreError::Corrupt(format!("snapshot: {error}"))
}

/// The object of an audit record as it then stood; none for kinds that Kill Bill does not have.
fn render(
    tenant_id: TenantId,
    account_record_id: i64,
    layout: &Layout,
    (record, snapshot): (&AuditRecord, &str),
) -> Outcome<History> {
    let snapshot: Value = serde_json::from_str(snapshot).map_err(corrupt)?;
    let changed_at = Value::from(instant(record.changed_at));
    let mut fields = vec![
        ("id", Value::Null),
        ("createdDate", changed_at.clone()),
        ("updatedDate", changed_at),
        ("recordId", record.object_record_id.into()),
        ("accountRecordId", account_record_id.into()),
        ("tenantRecordId", tenant_id.0.into()),
    ];
    for (name, source) in layout.fields {
        fields.push((name, source.read(&snapshot, record)?));
    }
    fields.push(("tableName", layout.table.into()));
    fields.push(("historyTableName", layout.history_table.into()));
    for (name, source) in layout.tail {
        fields.push((name, source.read(&snapshot, record)?));
    }
    Ok(History(fields))
}

/// All audit logs of an object, oldest first, each with the object as it then stood: what every
/// `…/auditLogsWithHistory` answers. Refuses an object of which nothing was ever recorded in the tenant.
pub(crate) fn audit_logs_with_history(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    object_id: Uuid,
) -> Outcome<Vec<AuditLogJson>> {
    let records = storage::audit::of_object(tx, tenant_id, object_type, object_id)?;
    let Some((first, _)) = records.first() else {
        return Err(Refusal::ObjectUnknown { object_type, id: object_id }.into());
    };
    let account_record_id = match first.account_id {
        Some(account_id) => storage::accounts::record_id(tx, tenant_id, account_id)?,
        None => None,
    };
    let account_record_id = account_record_id.unwrap_or(first.object_record_id);
    let layout = layout(object_type);
    let log = |(record, snapshot): (AuditRecord, String)| {
        let render = |layout| render(tenant_id, account_record_id, layout, (&record, &snapshot));
        let history = layout.map(render).transpose()?;
        Ok(AuditLogJson::with_history(record, history))
    };
    records.into_iter().map(log).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use billing::Caller;
    use operations::tenant_values::{Keep, put};
    use operations::tenants::NewTenant;
    use storage::{Store, StoreOptions};

    #[test]
    fn a_value_of_a_tenant_is_shown_with_its_key() {
        let path = std::env::temp_dir().join(format!("{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        let work = |tx: &mut dyn Connection| {
            let (caller, now) = (Caller::system(Uuid::new_v4()), operations::clock::real());
            let new = NewTenant { api_key: "t".into(), ..NewTenant::default() };
            let tenant = operations::tenants::create(tx, &caller, now, &new)?;
            let tenant_id = tenant.tenant_id;
            put(tx, tenant_id, &caller, now, Keep::Append, ("catalog", "<xml/>"))?;
            let stored = storage::tenants::stored_values(tx, tenant_id, "catalog")?;
            let logs = audit_logs_with_history(tx, tenant_id, ObjectType::TenantKvs, stored[0].id)?;
            Ok(serde_json::to_value(logs).map_err(corrupt)?)
        };
        let logs = store.write_now(work).unwrap();
        store.close();
        std::fs::remove_file(path).unwrap();
        let history = &logs[0]["history"];
        assert_eq!(history["tenantKey"], "catalog");
        assert_eq!(history["tenantValue"], "<xml/>");
        assert_eq!(history["isActive"], true);
    }
}

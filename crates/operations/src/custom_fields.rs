//! Custom fields on any object.

use crate::journal::AccountJournal;
use crate::owner::{Object, account_of};
use billing::custom_field::{CustomField, CustomFieldChange, check_name, check_value, modify};
use billing::text::check_items;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use storage::audit::Event;
use storage::{Connection, Outcome, custom_fields};
use uuid::Uuid;

/// Adds fields, given as names and values, to an object. Refuses all if one is refused.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object: Object,
    caller: &Caller,
    now: Timestamp,
    fields: &[(String, String)],
) -> Outcome<()> {
    caller.require(Permission::CustomFieldAdd)?;
    check_items("custom fields", fields)?;
    let account_id = account_of(tx, tenant_id, object)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    for (name, value) in fields {
        check_name(name)?;
        check_value(value)?;
        let field = CustomField {
            id: Uuid::new_v4(),
            account_id: Some(account_id),
            object_id: object.id,
            object_type: object.object_type,
            name: name.clone(),
            value: value.clone(),
            is_active: true,
        };
        let record_id = custom_fields::insert(journal.tx(), tenant_id, &field, &caller.changed_by, now)?
            .ok_or_else(|| Refusal::CustomFieldTaken { name: name.clone(), object_id: object.id })?;
        record(&mut journal, ChangeType::Insert, record_id, &field)?;
        publish(&mut journal, "CUSTOM_FIELD_CREATION", field.id)?;
    }
    journal.close()
}

/// Changes the values of fields, given by id, of an object. Refuses all if one is refused.
pub fn change(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object: Object,
    caller: &Caller,
    now: Timestamp,
    changes: &[(Uuid, CustomFieldChange)],
) -> Outcome<()> {
    caller.require(Permission::CustomFieldUpdate)?;
    check_items("custom fields", changes)?;
    let account_id = account_of(tx, tenant_id, object)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    for (id, change) in changes {
        let (record_id, field) = custom_fields::by_id(journal.tx(), tenant_id, *id)?
            .ok_or(Refusal::CustomFieldUnknown { id: *id })?;
        let changed = modify(&field, object.id, change)?;
        custom_fields::update(journal.tx(), tenant_id, &changed, &caller.changed_by, now)?;
        record(&mut journal, ChangeType::Update, record_id, &changed)?;
    }
    journal.close()
}

/// Removes the fields with these ids from an object, or all its fields when `ids` is empty. Ids that are not of the
/// object are passed over, as Kill Bill does.
pub fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object: Object,
    caller: &Caller,
    now: Timestamp,
    ids: &[Uuid],
) -> Outcome<()> {
    caller.require(Permission::CustomFieldDelete)?;
    let account_id = account_of(tx, tenant_id, object)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    for (record_id, field) in
        custom_fields::of_object(journal.tx(), tenant_id, object.object_type, object.id)?
    {
        if !ids.is_empty() && !ids.contains(&field.id) {
            continue;
        }
        let removed = CustomField { is_active: false, ..field };
        custom_fields::update(journal.tx(), tenant_id, &removed, &caller.changed_by, now)?;
        record(&mut journal, ChangeType::Delete, record_id, &removed)?;
        publish(&mut journal, "CUSTOM_FIELD_DELETION", removed.id)?;
    }
    journal.close()
}

fn record(
    journal: &mut AccountJournal<'_>,
    change_type: ChangeType,
    record_id: i64,
    field: &CustomField,
) -> Outcome<()> {
    journal.record(change_type, ObjectType::CustomField, field.id, record_id, field)
}

fn publish(journal: &mut AccountJournal<'_>, event_type: &'static str, id: Uuid) -> Outcome<()> {
    journal.publish(&Event {
        event_type,
        object_type: ObjectType::CustomField,
        object_id: Some(id),
        metadata: None,
    })
}

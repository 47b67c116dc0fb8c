//! Tags on any object, and the tenant's own tag definitions.

use crate::journal::{AccountJournal, record_of_tenant};
use crate::owner::{Object, account_of};
use billing::tag::{ControlTag, Tag, TagDefinition, built_in, check_definition, check_wearable, is_built_in};
use billing::text::check_items;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use storage::audit::Event;
use storage::{Connection, Outcome, StoreError, tags};
use uuid::Uuid;

/// All definitions that the tenant can see: the built-in ones first, then its own, oldest first.
pub fn definitions(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Vec<TagDefinition>> {
    Ok(built_in().chain(tags::definitions(tx, tenant_id)?).collect())
}

/// The definition with this id, or a refusal.
pub fn definition(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<TagDefinition> {
    find_definition(tx, tenant_id, id, false)
}

/// The definition of a tag that was set once, also when it has been deleted since.
pub fn definition_of_tag(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<TagDefinition> {
    find_definition(tx, tenant_id, id, true)
}

fn find_definition(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    included_deleted: bool,
) -> Outcome<TagDefinition> {
    if let Some(definition) = built_in().find(|definition| definition.id == id) {
        return Ok(definition);
    }
    let own = tags::definition(tx, tenant_id, id, included_deleted)?;
    Ok(own.map(|(_, definition)| definition).ok_or(Refusal::TagDefinitionUnknown { id })?)
}

/// Makes a definition of the tenant's own. Refuses names that are taken or reserved.
pub fn define(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    definition: &TagDefinition,
) -> Outcome<()> {
    caller.require(Permission::TagCreateTagDefinition)?;
    check_definition(definition)?;
    let record_id = tags::insert_definition(tx, tenant_id, definition, now)?
        .ok_or_else(|| Refusal::TagDefinitionTaken { name: definition.name.clone() })?;
    let change = (ChangeType::Insert, ObjectType::TagDefinition, definition.id, record_id);
    record_of_tenant(tx, tenant_id, caller, now, change, definition)
}

/// Deletes a definition of the tenant's own. Refuses while an object wears a tag of it.
pub fn undefine(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    id: Uuid,
) -> Outcome<()> {
    caller.require(Permission::TagDeleteTagDefinition)?;
    tags::lock_definition(tx, tenant_id, id)?;
    // The built-in definitions are no tenant's own, so nobody can delete them.
    let (record_id, definition) =
        tags::definition(tx, tenant_id, id, false)?.ok_or(Refusal::TagDefinitionUnknown { id })?;
    if tags::is_worn(tx, tenant_id, id)? {
        return Err(Refusal::TagDefinitionInUse { id }.into());
    }
    tags::delete_definition(tx, tenant_id, id)?;
    let change = (ChangeType::Delete, ObjectType::TagDefinition, id, record_id);
    record_of_tenant(tx, tenant_id, caller, now, change, &definition)
}

/// Puts tags on an object. A tag that it wears already is passed over.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object: Object,
    caller: &Caller,
    now: Timestamp,
    definition_ids: &[Uuid],
) -> Outcome<()> {
    caller.require(Permission::TagAdd)?;
    check_items("tags", definition_ids)?;
    let account_id = account_of(tx, tenant_id, object)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    for id in definition_ids {
        if !is_built_in(*id) && !tags::lock_definition(journal.tx(), tenant_id, *id)? {
            return Err(Refusal::TagOfUnknownDefinition { definition_id: *id }.into());
        }
        let definition = definition(journal.tx(), tenant_id, *id)?;
        check_wearable(&definition, object.object_type)?;
        put(&mut journal, object, &definition)?;
    }
    journal.close()
}

/// Puts one tag on an object whose account is locked; nothing happens when it wears it already.
pub(crate) fn put(
    journal: &mut AccountJournal<'_>,
    object: Object,
    definition: &TagDefinition,
) -> Outcome<()> {
    let tag = Tag {
        id: Uuid::new_v4(),
        tag_definition_id: definition.id,
        object_id: object.id,
        object_type: object.object_type,
        account_id: Some(journal.account().id),
        is_active: true,
    };
    let (tenant_id, now) = (journal.tenant_id(), journal.now());
    if let Some(record_id) = tags::insert(journal.tx(), tenant_id, &tag, now)? {
        journal.record(ChangeType::Insert, ObjectType::Tag, tag.id, record_id, &tag)?;
        publish(journal, "TAG_CREATION", tag.id, definition)?;
    }
    Ok(())
}

/// Takes tags off an object. Refuses all if it does not wear one of them.
pub fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object: Object,
    caller: &Caller,
    now: Timestamp,
    definition_ids: &[Uuid],
) -> Outcome<()> {
    caller.require(Permission::TagDelete)?;
    check_items("tags", definition_ids)?;
    let account_id = account_of(tx, tenant_id, object)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    for id in definition_ids {
        let has_no_default = journal.account().details.payment_method_id.is_none();
        if *id == ControlTag::AutoPayOff.id() && object.object_type == ObjectType::Account && has_no_default {
            return Err(Refusal::TagNeedsDefaultPaymentMethod { id: account_id }.into());
        }
        let Some((record_id, tag)) = tags::delete(journal.tx(), tenant_id, object.id, *id, now)? else {
            let known = built_in().find(|definition| definition.id == *id);
            let name = known.map_or_else(|| id.to_string(), |definition| definition.name);
            return Err(Refusal::TagUnknown { name }.into());
        };
        journal.record(ChangeType::Delete, ObjectType::Tag, tag.id, record_id, &tag)?;
        let definition = definition_of_tag(journal.tx(), tenant_id, *id)?;
        publish(&mut journal, "TAG_DELETION", tag.id, &definition)?;
    }
    journal.close()
}

fn publish(
    journal: &mut AccountJournal<'_>,
    event_type: &'static str,
    tag_id: Uuid,
    definition: &TagDefinition,
) -> Outcome<()> {
    let metadata = serde_json::to_string(&serde_json::json!({ "tagDefinitionName": definition.name }))
        .map_err(|error| StoreError::Corrupt(error.to_string()))?;
    journal.publish(&Event {
        event_type,
        object_type: ObjectType::Tag,
        object_id: Some(tag_id),
        metadata: Some(&metadata),
    })
}

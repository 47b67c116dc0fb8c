//! Tags on objects, and tag definitions.

use crate::audit::{AuditLevel, AuditLogJson, AuditLogs, read_with_audit};
use crate::error::{ERRORS, bad_argument};
use crate::json::Body;
use crate::location::{Base, id};
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use billing::tag::{Tag, TagDefinition, is_control};
use billing::{ObjectType, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::owner::Object;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route("GET", "/1.0/kb/accounts/{accountId}/allTags", get(all_tags)),
        route("GET", "/1.0/kb/tagDefinitions", get(list_definitions)),
        route("POST", "/1.0/kb/tagDefinitions", post(create_definition)),
        route("GET", "/1.0/kb/tagDefinitions/{tagDefinitionId}", get(get_definition)),
        route("DELETE", "/1.0/kb/tagDefinitions/{tagDefinitionId}", delete(delete_definition)),
    ];
    routes.extend(routes_of(ObjectType::Account, "/accounts/{accountId}"));
    routes
}

/// The three tag operations beneath a kind of object, whose path has one parameter, its id.
pub(crate) fn routes_of(kind: ObjectType, parent: &'static str) -> [Route; 3] {
    let path = format!("/1.0/kb{parent}/tags");
    let list = move |state, session, Path(object): Path<String>, query| {
        list_tags(kind, object, state, session, query)
    };
    let add = move |state, session, Path(object): Path<String>, base, body| {
        add_tags(kind, parent, object, state, session, base, body)
    };
    let remove = move |state, session, Path(object): Path<String>, query| {
        remove_tags(kind, object, state, session, query)
    };
    [
        route("GET", &*path, get(list)),
        route("POST", &*path, post(add)),
        route("DELETE", &*path, delete(remove)),
    ]
}

/// Kill Bill's `Tag`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TagJson {
    tag_id: Uuid,
    object_type: &'static str,
    object_id: Uuid,
    tag_definition_id: Uuid,
    tag_definition_name: String,
    audit_logs: Vec<AuditLogJson>,
}

/// Tags as Kill Bill writes them.
pub(crate) fn render(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    tags: Vec<Tag>,
    audit: AuditLevel,
) -> Outcome<Vec<TagJson>> {
    let ids: Vec<Uuid> = tags.iter().map(|tag| tag.id).collect();
    let mut logs = AuditLogs::of(tx, tenant_id, audit, ObjectType::Tag, &ids)?;
    let mut names: HashMap<Uuid, String> = HashMap::new();
    for tag in &tags {
        if let Entry::Vacant(unknown) = names.entry(tag.tag_definition_id) {
            unknown.insert(operations::tags::definition_of_tag(tx, tenant_id, tag.tag_definition_id)?.name);
        }
    }
    let rendered = tags.into_iter().map(|tag| TagJson {
        tag_id: tag.id,
        object_type: tag.object_type.name(),
        object_id: tag.object_id,
        tag_definition_id: tag.tag_definition_id,
        tag_definition_name: names.get(&tag.tag_definition_id).cloned().unwrap_or_default(),
        audit_logs: logs.take(tag.id),
    });
    Ok(rendered.collect())
}

async fn list_tags(
    kind: ObjectType,
    object: String,
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    query: Query,
) -> Answer {
    let (object_id, audit) = (id(&object)?, query.audit()?);
    let included_deleted = query.flag("includedDeleted");
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let tags = storage::tags::of_object(tx, tenant_id, kind, object_id, included_deleted)?;
        Ok(Reply::json(StatusCode::OK, &render(tx, tenant_id, tags, audit)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn all_tags(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, audit) = (id(&account_id)?, query.audit()?);
    let kind: Option<ObjectType> = query.parsed("objectType")?;
    let included_deleted = query.flag("includedDeleted");
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let tags = storage::tags::of_account(tx, tenant_id, account_id, kind, included_deleted)?;
        Ok(Reply::json(StatusCode::OK, &render(tx, tenant_id, tags, audit)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn add_tags(
    kind: ObjectType,
    parent: &'static str,
    object: String,
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    Body(definition_ids): Body<Vec<Uuid>>,
) -> Answer {
    let object = Object { object_type: kind, id: id(&object)? };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::tags::add(tx, tenant_id, object, &writer.caller, writer.now, &definition_ids)?;
        Ok(base.created(&format!("{}/tags", crate::location::fill(parent, object.id))))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove_tags(
    kind: ObjectType,
    object: String,
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    query: Query,
) -> Answer {
    let object = Object { object_type: kind, id: id(&object)? };
    let definition_ids = query.all("tagDef").map(id).collect::<Result<Vec<Uuid>, Reply>>()?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::tags::remove(tx, tenant_id, object, &writer.caller, writer.now, &definition_ids)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// Kill Bill's `TagDefinition` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagDefinitionJson {
    id: Uuid,
    is_control_tag: bool,
    name: String,
    description: String,
    applicable_object_types: Vec<&'static str>,
    audit_logs: Vec<AuditLogJson>,
}

fn render_definitions(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    definitions: Vec<TagDefinition>,
    audit: AuditLevel,
) -> Outcome<Vec<TagDefinitionJson>> {
    let ids: Vec<Uuid> = definitions.iter().map(|definition| definition.id).collect();
    let mut logs = AuditLogs::of(tx, tenant_id, audit, ObjectType::TagDefinition, &ids)?;
    let rendered = definitions.into_iter().map(|definition| TagDefinitionJson {
        id: definition.id,
        is_control_tag: is_control(definition.id),
        name: definition.name,
        description: definition.description,
        applicable_object_types: definition
            .applicable_object_types
            .into_iter()
            .map(ObjectType::name)
            .collect(),
        audit_logs: logs.take(definition.id),
    });
    Ok(rendered.collect())
}

/// Kill Bill's `TagDefinition` as clients send it. What only the server sets is taken and ignored.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TagDefinitionRequest {
    #[serde(rename = "id")]
    _id: Option<Uuid>,
    #[serde(rename = "isControlTag")]
    _is_control_tag: Option<bool>,
    name: Option<String>,
    description: Option<String>,
    applicable_object_types: Option<Vec<ObjectType>>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

async fn list_definitions(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let audit = query.audit()?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let definitions = operations::tags::definitions(tx, tenant_id)?;
        Ok(Reply::json(StatusCode::OK, &render_definitions(tx, tenant_id, definitions, audit)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn get_definition(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(definition_id): Path<String>,
    query: Query,
) -> Answer {
    let (definition_id, audit) = (id(&definition_id)?, query.audit()?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let definition = operations::tags::definition(tx, tenant_id, definition_id)?;
        let rendered = render_definitions(tx, tenant_id, vec![definition], audit)?;
        Ok(Reply::json(StatusCode::OK, &rendered.first()))
    };
    Ok(read_with_audit(&edge, audit, work).await)
}

async fn create_definition(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    Body(request): Body<TagDefinitionRequest>,
) -> Answer {
    let Some(name) = request.name else { return Ok(bad_argument("TagDefinition name needs to be set")) };
    let Some(description) = request.description else {
        return Ok(bad_argument("TagDefinition description needs to be set"));
    };
    let definition = TagDefinition {
        id: Uuid::new_v4(),
        name,
        description,
        applicable_object_types: request.applicable_object_types.unwrap_or_default(),
    };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::tags::define(tx, tenant_id, &writer.caller, writer.now, &definition)?;
        Ok(base.created(&format!("/tagDefinitions/{}", definition.id)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn delete_definition(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Path(definition_id): Path<String>,
) -> Answer {
    let definition_id = id(&definition_id)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::tags::undefine(tx, tenant_id, &writer.caller, writer.now, definition_id)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

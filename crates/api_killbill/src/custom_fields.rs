//! Custom fields on objects.

use crate::audit::{AuditLevel, AuditLogJson, AuditLogs};
use crate::error::{ERRORS, bad_argument};
use crate::json::Body;
use crate::location::{Base, id};
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::custom_field::{CustomField, CustomFieldChange};
use billing::{ObjectType, Refusal, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::owner::Object;
use serde::{Deserialize, Serialize};
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    // The seed prints the path of the removal once without its last letter, and there wants to be told which fields; both
    // are served.
    let singular = move |state, session, Path(object): Path<String>, query: Query| async move {
        if query.text("customField").is_none() {
            return Ok(bad_argument("The parameter customField is required"));
        }
        remove_fields(ObjectType::Account, object, state, session, query).await
    };
    let mut routes = vec![
        route("GET", "/1.0/kb/accounts/{accountId}/allCustomFields", get(all_fields)),
        route("DELETE", "/1.0/kb/accounts/{accountId}/customField", delete(singular)),
    ];
    routes.extend(routes_of(ObjectType::Account, "/accounts/{accountId}"));
    routes.extend(routes_of(ObjectType::PaymentMethod, "/paymentMethods/{paymentMethodId}"));
    routes
}

/// The four operations beneath a kind of object, whose path has one parameter, its id.
pub(crate) fn routes_of(kind: ObjectType, parent: &'static str) -> [Route; 4] {
    let path = format!("/1.0/kb{parent}/customFields");
    let list = move |state, session, Path(object): Path<String>, query| {
        list_fields(kind, object, state, session, query)
    };
    let add = move |state, session, Path(object): Path<String>, base, body| {
        add_fields(kind, parent, object, state, session, base, body)
    };
    let change = move |state, session, Path(object): Path<String>, body| {
        change_fields(kind, object, state, session, body)
    };
    let remove = move |state, session, Path(object): Path<String>, query| {
        remove_fields(kind, object, state, session, query)
    };
    [
        route("GET", &*path, get(list)),
        route("POST", &*path, post(add)),
        route("PUT", &*path, put(change)),
        route("DELETE", &*path, delete(remove)),
    ]
}

/// Kill Bill's `CustomField` as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomFieldJson {
    custom_field_id: Uuid,
    object_id: Uuid,
    object_type: &'static str,
    name: String,
    value: String,
    audit_logs: Vec<AuditLogJson>,
}

/// Fields as Kill Bill writes them.
pub(crate) fn render(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    fields: Vec<CustomField>,
    audit: AuditLevel,
) -> Outcome<Vec<CustomFieldJson>> {
    let ids: Vec<Uuid> = fields.iter().map(|field| field.id).collect();
    let mut logs = AuditLogs::of(tx, tenant_id, audit, ObjectType::CustomField, &ids)?;
    let rendered = fields.into_iter().map(|field| CustomFieldJson {
        custom_field_id: field.id,
        object_id: field.object_id,
        object_type: field.object_type.name(),
        name: field.name,
        value: field.value,
        audit_logs: logs.take(field.id),
    });
    Ok(rendered.collect())
}

/// Kill Bill's `CustomField` as clients send it. The path says which object; what the body says of it is ignored.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CustomFieldRequest {
    custom_field_id: Option<Uuid>,
    #[serde(rename = "objectId")]
    _object_id: Option<Uuid>,
    #[serde(rename = "objectType")]
    _object_type: Option<ObjectType>,
    name: Option<String>,
    value: Option<String>,
    #[serde(rename = "auditLogs")]
    _audit_logs: Option<serde_json::Value>,
}

async fn list_fields(
    kind: ObjectType,
    object: String,
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    query: Query,
) -> Answer {
    let (object_id, audit) = (id(&object)?, query.audit()?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let fields = storage::custom_fields::of_object(tx, tenant_id, kind, object_id)?;
        let fields = fields.into_iter().map(|(_, field)| field).collect();
        Ok(Reply::json(StatusCode::OK, &render(tx, tenant_id, fields, audit)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn all_fields(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, audit) = (id(&account_id)?, query.audit()?);
    let kind: Option<ObjectType> = query.parsed("objectType")?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let fields = storage::custom_fields::of_account(tx, tenant_id, account_id, kind)?;
        Ok(Reply::json(StatusCode::OK, &render(tx, tenant_id, fields, audit)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn add_fields(
    kind: ObjectType,
    parent: &'static str,
    object: String,
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    Body(requests): Body<Vec<CustomFieldRequest>>,
) -> Answer {
    let object = Object { object_type: kind, id: id(&object)? };
    let fields: Vec<(String, String)> = requests
        .into_iter()
        .map(|request| (request.name.unwrap_or_default(), request.value.unwrap_or_default()))
        .collect();
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::custom_fields::add(tx, tenant_id, object, &writer.caller, writer.now, &fields)?;
        Ok(base.created(&format!("{}/customFields", crate::location::fill(parent, object.id))))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn change_fields(
    kind: ObjectType,
    object: String,
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    Body(requests): Body<Vec<CustomFieldRequest>>,
) -> Answer {
    let object = Object { object_type: kind, id: id(&object)? };
    let changes = requests
        .into_iter()
        .map(|request| {
            let id = request.custom_field_id.ok_or(Refusal::FieldMissing { field: "customFieldId" })?;
            Ok((id, CustomFieldChange { name: request.name, value: request.value.unwrap_or_default() }))
        })
        .collect::<Result<Vec<_>, Refusal>>()
        .map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::custom_fields::change(tx, tenant_id, object, &writer.caller, writer.now, &changes)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove_fields(
    kind: ObjectType,
    object: String,
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    query: Query,
) -> Answer {
    let object = Object { object_type: kind, id: id(&object)? };
    let ids = query.all("customField").map(id).collect::<Result<Vec<Uuid>, Reply>>()?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        operations::custom_fields::remove(tx, tenant_id, object, &writer.caller, writer.now, &ids)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

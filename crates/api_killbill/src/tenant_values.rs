//! What a tenant keeps under keys: its callback, the configuration of plugins and of itself, and values of its own.

use crate::error::{ERRORS, bad_argument, not_found};
use crate::json::TextBody;
use crate::location::{Base, segment};
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::{FromRequestParts, MatchedPath, Path, RawPathParams, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use edge::{Edge, Reply, Route, Session, SharedEdge, route};
use http::StatusCode;
use http::request::Parts;
use operations::tenant_values::{self, Keep};
use serde::Serialize;
use storage::Connection;

/// What stands before `/{name}` in the path, and before the name in the stored key.
const NAMED: [(&str, &str); 3] = [
    ("/tenants/uploadPluginConfig", "PLUGIN_CONFIG_"),
    ("/tenants/uploadPluginPaymentStateMachineConfig", "PLUGIN_PAYMENT_STATE_MACHINE_"),
    ("/tenants/userKeyValue", ""),
];

const CALLBACK: (&str, &str) = ("/tenants/registerNotificationCallback", "PUSH_NOTIFICATION_CB");
const CONFIGURATION: (&str, &str) = ("/tenants/uploadPerTenantConfig", "PER_TENANT_CONFIG");
const SEARCH: &str = "/1.0/kb/tenants/uploadPerTenantConfig/{keyPrefix}/search";

pub(crate) fn routes() -> Vec<Route> {
    let key_value = |path: &'static str, upload: MethodRouter<SharedEdge>| {
        [
            route("POST", path, upload),
            route("GET", path, get(get_values)),
            route("DELETE", path, axum::routing::delete(delete_values)),
        ]
    };
    let mut routes: Vec<Route> = [
        key_value("/1.0/kb/tenants/registerNotificationCallback", post(register_callback)),
        key_value("/1.0/kb/tenants/uploadPerTenantConfig", post(upload)),
        key_value("/1.0/kb/tenants/uploadPluginConfig/{pluginName}", post(upload)),
        key_value("/1.0/kb/tenants/uploadPluginPaymentStateMachineConfig/{pluginName}", post(upload)),
        key_value("/1.0/kb/tenants/userKeyValue/{keyName}", post(append)),
    ]
    .into_iter()
    .flatten()
    .collect();
    routes.push(route("GET", SEARCH, get(search)));
    routes
}

/// Kill Bill's `TenantKeyValue`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyValueJson {
    key: String,
    values: Vec<String>,
    audit_logs: [(); 0],
}

/// The key that a path speaks of.
struct Key {
    /// As it is stored.
    name: String,
    /// Where it is, beneath `/1.0/kb`.
    location: String,
}

impl FromRequestParts<SharedEdge> for Key {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Key, Response> {
        let matched = MatchedPath::from_request_parts(parts, edge).await;
        let params = RawPathParams::from_request_parts(parts, edge).await;
        let matched = matched.map_err(|_| not_found().into_response())?;
        let path = matched.as_str().strip_prefix("/1.0/kb").unwrap_or_default();
        if let Some((location, name)) =
            [CALLBACK, CONFIGURATION].into_iter().find(|(fixed, _)| path.trim_end_matches('/') == *fixed)
        {
            return Ok(Key { name: name.to_owned(), location: location.to_owned() });
        }
        let params = params.map_err(|_| not_found().into_response())?;
        let given = params.iter().next().map(|(_, name)| name).unwrap_or_default();
        let (before, prefix) = NAMED
            .into_iter()
            .find(|(before, _)| path.strip_prefix(before).is_some_and(|rest| rest.starts_with('/')))
            .ok_or_else(|| not_found().into_response())?;
        Ok(Key { name: format!("{prefix}{given}"), location: format!("{before}/{}", segment(given)) })
    }
}

async fn put(edge: &Edge, session: Session, base: Base, key: Key, keep: Keep, value: String) -> Answer {
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        tenant_values::put(tx, tenant_id, &writer.caller, writer.now, keep, (&key.name, &value))?;
        Ok(base.created(&key.location))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn register_callback(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    key: Key,
    query: Query,
    base: Base,
) -> Answer {
    let Some(url) = query.text("cb") else {
        return Ok(bad_argument("The parameter cb needs to be set"));
    };
    put(&edge, session, base, key, Keep::Replace, url.to_owned()).await
}

async fn upload(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    key: Key,
    base: Base,
    TextBody(value): TextBody,
) -> Answer {
    put(&edge, session, base, key, Keep::Replace, value).await
}

async fn append(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    key: Key,
    base: Base,
    TextBody(value): TextBody,
) -> Answer {
    put(&edge, session, base, key, Keep::Append, value).await
}

async fn get_values(State(edge): State<SharedEdge>, Reading(session): Reading, key: Key) -> Answer {
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let values = storage::tenants::values(tx, tenant_id, &key.name)?;
        let found = KeyValueJson { key: key.name.clone(), values, audit_logs: [] };
        Ok(Reply::json(StatusCode::OK, &found))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn delete_values(State(edge): State<SharedEdge>, Writing(session): Writing, key: Key) -> Answer {
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        tenant_values::delete(tx, writer.tenant.tenant_id, &writer.caller, writer.now, &key.name)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn search(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(prefix): Path<String>,
) -> Answer {
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let found: Vec<KeyValueJson> = storage::tenants::values_with_prefix(tx, tenant_id, &prefix)?
            .into_iter()
            .map(|(key, values)| KeyValueJson { key, values, audit_logs: [] })
            .collect();
        Ok(Reply::json(StatusCode::OK, &found))
    };
    Ok(edge.read(&ERRORS, work).await)
}

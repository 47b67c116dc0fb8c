//! The server itself: its nodes, plugins and health.

use crate::error::{ERRORS, bad_argument};
use crate::json::{Body, instant};
use crate::query::{Answer, Query};
use crate::session::{OperatorCall, Reading};
use axum::extract::State;
use axum::routing::{delete, get, post, put};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::nodes::Command;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::atomic::Ordering;
use storage::Connection;

/// The version of Kill Bill whose contract this desk speaks.
const CONTRACT_VERSION: &str = "0.25.0";

/// The version of Kill Bill's Java interfaces that goes with it.
const INTERFACE_VERSION: &str = "0.55.1";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/1.0/kb/nodesInfo", get(get_nodes)),
        route("POST", "/1.0/kb/nodesInfo", post(trigger_command)),
        route("GET", "/1.0/kb/pluginsInfo", get(get_plugins)),
        route("PUT", "/1.0/kb/admin/healthcheck", put(put_in_rotation)),
        route("DELETE", "/1.0/kb/admin/healthcheck", delete(put_out_of_rotation)),
        route("GET", "/1.0/healthcheck", get(check_health)),
    ]
}

/// Kill Bill's `NodeInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeJson {
    node_name: String,
    boot_time: String,
    last_updated_date: String,
    kb_version: &'static str,
    api_version: &'static str,
    plugin_api_version: &'static str,
    common_version: &'static str,
    platform_version: &'static str,
    plugins_info: [(); 0],
}

/// Kill Bill's `NodeCommand`.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CommandRequest {
    is_system_command_type: bool,
    node_command_type: Option<String>,
    node_command_properties: Option<Vec<PropertyRequest>>,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PropertyRequest {
    key: Option<String>,
    value: Option<serde_json::Value>,
}

async fn get_nodes(State(edge): State<SharedEdge>, _: OperatorCall) -> Answer {
    let started = instant(edge.started_at);
    let own_version = concat!("billhook-", env!("CARGO_PKG_VERSION"));
    let node = NodeJson {
        node_name: edge.settings.node_name.clone(),
        boot_time: started.clone(),
        last_updated_date: started,
        kb_version: CONTRACT_VERSION,
        api_version: INTERFACE_VERSION,
        plugin_api_version: own_version,
        common_version: own_version,
        platform_version: own_version,
        plugins_info: [],
    };
    Ok(Reply::json(StatusCode::OK, &[node]))
}

/// A command is told to whoever listens to events, as Kill Bill does; `localNodeOnly` keeps it from the others too.
async fn trigger_command(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    query: Query,
    Body(command): Body<CommandRequest>,
) -> Answer {
    let Some(kind) = command.node_command_type.clone().filter(|kind| !kind.is_empty()) else {
        return Ok(bad_argument("NodeCommandJson nodeCommandType needs to be set"));
    };
    if command.node_command_properties.is_none() {
        return Ok(bad_argument("NodeCommandJson nodeCommandProperties need to be set"));
    }
    let local_node_only = query.flag("localNodeOnly");
    let json = serde_json::to_string(&command).unwrap_or_default();
    let session = call.into_session_of_anyone();
    let (caller, now) = (session.caller.clone(), session.now);
    let work = move |tx: &mut dyn Connection| {
        let command = Command { kind: &kind, json: &json, local_node_only };
        operations::nodes::command(tx, &caller, now, command)?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// No plugins: what Kill Bill does in plugins is built in.
async fn get_plugins(_: Reading) -> Answer {
    Ok(Reply::json(StatusCode::OK, &json!([])))
}

async fn put_in_rotation(State(edge): State<SharedEdge>, _: Reading) -> Answer {
    edge.out_of_rotation.store(false, Ordering::Relaxed);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

async fn put_out_of_rotation(State(edge): State<SharedEdge>, _: Reading) -> Answer {
    edge.out_of_rotation.store(true, Ordering::Relaxed);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// The health of this node under the names that Kill Bill's operators watch; 500 when anything is unhealthy.
async fn check_health(State(edge): State<SharedEdge>) -> Answer {
    const SERVER: &str = "org.killbill.billing.server.healthchecks";
    let now = operations::clock::real();
    let asked = edge.store.read(move |tx| Ok(storage::due_work::statistics(tx, now)?)).await;
    let in_rotation = !edge.out_of_rotation.load(Ordering::Relaxed);
    let database = match &asked {
        Ok(_) => json!({ "healthy": true }),
        Err(error) => {
            tracing::error!(%error, "the health check did not reach the database");
            json!({ "healthy": false, "message": "The database does not answer" })
        }
    };
    let queues = asked.as_ref().map_or(json!({ "healthy": false }), |work| {
        json!({
            "healthy": true,
            "due-work": { "overdue": work.overdue, "lagSeconds": work.lag.as_secs(), "failed": work.failed },
        })
    });
    let rotation = if in_rotation { "OK" } else { "Out of rotation" };
    let health = json!({
        "main.pool.ConnectivityCheck": database,
        (format!("{SERVER}.KillbillHealthcheck")): { "healthy": in_rotation, "message": rotation },
        (format!("{SERVER}.KillbillPluginsHealthcheck")): { "healthy": true },
        (format!("{SERVER}.KillbillQueuesHealthcheck")): queues,
    });
    let healthy = asked.is_ok() && in_rotation;
    let status = if healthy { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    Ok(Reply::json(status, &health).with("Cache-Control", "must-revalidate,no-cache,no-store"))
}

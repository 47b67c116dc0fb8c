//! Commands to the nodes, for whoever listens to events.

use billing::{Caller, ObjectType, Permission, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use storage::audit::{self, Event};
use storage::{Connection, Outcome};

/// A command to the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// What to do.
    pub kind: &'a str,
    /// The whole command as it was given, as JSON.
    pub json: &'a str,
    /// Whether nobody but the node that was asked learns of it.
    pub local_node_only: bool,
}

/// What receivers of the event learn.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    service: &'a str,
    command_type: &'a str,
    event_json: &'a str,
}

/// Tells a command to whoever listens to events, unless it is for this node alone: a node has no plugins that could be
/// installed, started or stopped, so it does nothing itself. Refuses callers who may not give commands.
pub fn command(
    tx: &mut dyn Connection,
    caller: &Caller,
    now: Timestamp,
    command: Command<'_>,
) -> Outcome<()> {
    caller.require(Permission::AdminTriggerCommand)?;
    tracing::warn!(kind = command.kind, "a command for plugins, of which this server has none");
    if command.local_node_only {
        return Ok(());
    }
    let Command { kind: command_type, json: event_json, .. } = command;
    let metadata =
        crate::journal::snapshot(&Metadata { service: "nodes-service", command_type, event_json })?;
    let event = Event {
        event_type: "BROADCAST_SERVICE",
        object_type: ObjectType::ServiceBroadcast,
        object_id: None,
        metadata: Some(&metadata),
    };
    Ok(audit::publish(tx, TenantId::SERVER, None, caller.user_token, now, &event)?)
}

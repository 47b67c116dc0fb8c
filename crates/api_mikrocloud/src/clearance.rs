//! The check before a service is created: whether the organization may have one, paid or free, and why not.

use crate::error::ERRORS;
use crate::session::{Call, Reading};
use crate::wrong_method;
use axum::extract::State;
use axum::routing::get;
use billing::organization::Obstacle;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use serde::Serialize;
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    let handler = get(get_clearance).fallback(wrong_method);
    vec![route("GET", "/v1/subscription/clearance", handler)]
}

#[derive(Serialize)]
struct ClearanceJson {
    cleared: bool,
    reasons: Vec<ReasonJson>,
}

#[derive(Serialize)]
struct ReasonJson {
    code: &'static str,
    message: &'static str,
}

impl From<Vec<Obstacle>> for ClearanceJson {
    fn from(obstacles: Vec<Obstacle>) -> ClearanceJson {
        let reason = |obstacle: Obstacle| ReasonJson { code: obstacle.code(), message: obstacle.message() };
        ClearanceJson { cleared: obstacles.is_empty(), reasons: obstacles.into_iter().map(reason).collect() }
    }
}

async fn get_clearance(State(edge): State<SharedEdge>, Reading(call): Reading) -> Reply {
    let Call { session, organization_id, .. } = call;
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = session.tenant.tenant_id;
        let obstacles = operations::organizations::clearance(tx, tenant_id, session.now, organization_id)?;
        Ok(Reply::json(StatusCode::OK, &ClearanceJson::from(obstacles)))
    };
    edge.read_point(&ERRORS, work).await
}

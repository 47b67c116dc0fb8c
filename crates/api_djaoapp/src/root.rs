//! The version of the API.

use axum::routing::get;
use edge::{Reply, Route, route};
use http::StatusCode;
use serde_json::json;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/api", get(version))]
}

async fn version() -> Reply {
    Reply::json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") }))
}

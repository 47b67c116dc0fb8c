//! The version of the API.

use crate::cookies;
use crate::session::{self, Visitor};
use axum::extract::{FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::get;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::json;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/api", get(version))]
}

/// A browser that asks gets the token that it must repeat with every write. As at every public address, credentials that
/// prove nothing are refused; without any, no site is needed.
async fn version(State(edge): State<SharedEdge>, request: Request) -> Result<Reply, Response> {
    let (mut parts, _) = request.into_parts();
    if parts.headers.contains_key(AUTHORIZATION) {
        Visitor::from_request_parts(&mut parts, &edge).await?;
    }
    let reply = Reply::json(StatusCode::OK, &json!({ "version": env!("CARGO_PKG_VERSION") }));
    let token = cookies::csrf_token(&parts.headers);
    Ok(cookies::with_csrf(reply, &token, &session::base(&parts, &edge)))
}

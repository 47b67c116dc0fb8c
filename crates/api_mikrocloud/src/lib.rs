//! MikroCloud's desk: `/v1`. It translates between MikroCloud's contract and the book, and owns no rule.
//!
//! A bearer token says which organization of which tenant asks ([`session`]); what it may do, the token's scopes say.

mod account;
mod body;
mod clearance;
mod error;
mod session;

use axum::Router;
use axum::routing::any;
use edge::{Reply, Route, SharedEdge};
use http::StatusCode;

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [account::routes(), clearance::routes()].into_iter().flatten().collect()
}

/// The desk, with its own answer to the paths beneath `/v1` that it does not have.
pub fn router() -> Router<SharedEdge> {
    ["/v1", "/v1/", "/v1/{*path}"]
        .into_iter()
        .fold(edge::router(routes()), |router, path| router.route(path, any(unknown_path)))
}

async fn unknown_path() -> Reply {
    error::say(StatusCode::NOT_FOUND, "There is nothing here")
}

/// The answer to a method that a path does not take.
async fn wrong_method() -> Reply {
    error::say(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method")
}

/// The OpenAPI 3.1 document of this desk.
pub fn openapi() -> Result<serde_json::Value, String> {
    serde_json::from_str(include_str!("../openapi.json")).map_err(|error| error.to_string())
}

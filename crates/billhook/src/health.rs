//! Whether the server lives (`/healthz`), whether it can serve (`/readyz`), and how it does (`/metrics`).

use crate::front::Front;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use edge::{Reply, SharedEdge};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What is served here.
pub(crate) const PATHS: &[&str] = &["/healthz", "/readyz", "/metrics"];

/// How long the database may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn routes(front: Arc<Front>) -> Router<SharedEdge> {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready)).route(
        "/metrics",
        get(move |State(edge): State<SharedEdge>| async move {
            let mut text = front.metrics.render(&edge.store, &front.crowd);
            let now = operations::clock::real();
            let asked = edge.store.read(move |tx| Ok(storage::due_work::statistics(tx, now)?));
            // A database that does not answer must not take the other figures away.
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(work)) => crate::metrics::render_due_work(&mut text, &work),
                Ok(Err(error)) => tracing::warn!(%error, "due work could not be counted"),
                Err(_) => tracing::warn!("due work could not be counted in time"),
            }
            Reply::text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
        }),
    )
}

/// 200 when the database answers; otherwise 503, so that a load balancer sends requests elsewhere.
async fn ready(State(edge): State<SharedEdge>) -> Response {
    if edge.out_of_rotation.load(Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "an operator took this node out of rotation")
            .into_response();
    }
    let asked = edge.store.read(|tx| Ok(storage::tenants::by_api_key(tx, "")?.is_some()));
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(_)) => (StatusCode::OK, "ok").into_response(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer in time").into_response(),
    }
}

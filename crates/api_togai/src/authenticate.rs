//! `POST /authenticate`: an API token in, a bearer token for a day out.

use crate::error::{Answer, ERRORS};
use crate::session::Call;
use axum::extract::State;
use axum::routing::post;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::api_tokens;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("POST", "/authenticate", post(authenticate))]
}

/// A bearer token is answered with itself. No answer is kept under an `Idempotency-Key`: it would be a credential in
/// the book, and asking again does no harm.
async fn authenticate(State(edge): State<SharedEdge>, call: Call) -> Answer {
    let Call { session, credential, token } = call;
    let bearer = if api_tokens::is_api_token(&credential) {
        let now = operations::clock::real();
        let made =
            edge.store.write(move |tx| api_tokens::make_bearer(tx, &token, &session.tenant, now)).await;
        made.map_err(|error| ERRORS.reply(&error))?
    } else {
        credential
    };
    Ok(Reply::json(StatusCode::OK, &serde_json::json!({ "token": bearer })))
}

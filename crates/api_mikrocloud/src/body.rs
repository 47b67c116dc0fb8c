//! Bodies: JSON objects, whose every fault is told in the contract's shape.

use crate::error::{ERRORS, say};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use billing::Refusal;
use edge::{Reply, SharedEdge};
use http::StatusCode;
use serde_json::{Map, Value};

/// The JSON object that a request sends.
pub(crate) struct Body(pub(crate) Fields);

/// The members of a JSON object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The text under `name`, which the book calls `field`; none when it is absent. Anything but a text is refused,
    /// null too: `""` is how a value is unset.
    pub(crate) fn text(&self, name: &str, field: &'static str) -> Result<Option<String>, Refusal> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Refusal::invalid(field, "must be a string")),
        }
    }

    /// The object under `name`; an empty one when it is absent.
    pub(crate) fn object(&self, name: &str, field: &'static str) -> Result<Fields, Refusal> {
        match self.0.get(name) {
            None => Ok(Fields::default()),
            Some(Value::Object(members)) => Ok(Fields(members.clone())),
            Some(_) => Err(Refusal::invalid(field, "must be an object")),
        }
    }
}

impl FromRequest<SharedEdge> for Body {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<Body, Response> {
        read(request, edge).await.map(Body).map_err(Reply::into_response)
    }
}

async fn read(request: Request, edge: &SharedEdge) -> Result<Fields, Reply> {
    if !is_json(&request) {
        let message = "The body must be application/json";
        return Err(say(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let bytes = Bytes::from_request(request, edge).await.map_err(|rejection| {
        let message = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => "The body is too large",
            _ => "The body cannot be read",
        };
        say(rejection.status(), message)
    })?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(Fields(members)),
        Ok(_) => Err((ERRORS.refusal)(&Refusal::invalid("body", "must be a JSON object"))),
        Err(_) => Err((ERRORS.refusal)(&Refusal::invalid("body", "must be JSON"))),
    }
}

/// A request without a content type is taken for JSON, as from scripts that forget it.
fn is_json(request: &Request) -> bool {
    let Some(value) = request.headers().get(http::header::CONTENT_TYPE) else { return true };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

//! Bodies and dates.

use crate::error::{bad_field, detail};
use axum::extract::{FromRequest, Multipart, Request};
use axum::response::{IntoResponse, Response};
use edge::{Reply, SharedEdge};
use http::StatusCode;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The body of a request: JSON, or a form of either kind, whose members are texts. Members that the contract does not know
/// are ignored.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<SharedEdge> for Body<T> {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<Body<T>, Response> {
        let media = media_type(&request);
        if media.as_deref() == Some("multipart/form-data") {
            let members = parts(request, edge).await.map_err(IntoResponse::into_response)?;
            return read(Value::Object(members)).map(Body).map_err(Reply::into_response);
        }
        let is_form = media.as_deref() == Some("application/x-www-form-urlencoded");
        if !is_form && media.is_some_and(|media| media != "application/json") {
            let message = "Unsupported media type in request.";
            return Err(detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response());
        }
        let bytes = axum::body::Bytes::from_request(request, edge)
            .await
            .map_err(|rejection| detail(rejection.status(), &rejection.body_text()).into_response())?;
        parse(&bytes, is_form).map(Body).map_err(Reply::into_response)
    }
}

/// The texts of a form in parts. A file is no member that any body has.
async fn parts(request: Request, edge: &SharedEdge) -> Result<Map<String, Value>, Reply> {
    let broken =
        |message: String| detail(StatusCode::BAD_REQUEST, &format!("Multipart form parse error - {message}"));
    let form = Multipart::from_request(request, edge).await;
    let mut form = form.map_err(|rejection| broken(rejection.body_text()))?;
    let mut members = Map::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(error.body_text()))? {
        let name = field.name().map(str::to_owned).filter(|_| field.file_name().is_none());
        let text = field.bytes().await.map_err(|error| broken(error.body_text()))?;
        if let Some(name) = name {
            let text = String::from_utf8(text.to_vec()).map_err(|error| broken(error.to_string()))?;
            members.insert(name, Value::String(text));
        }
    }
    Ok(members)
}

/// What the body is said to be, without its parameters.
fn media_type(request: &Request) -> Option<String> {
    let value = request.headers().get(http::header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

fn parse<T: DeserializeOwned>(bytes: &[u8], is_form: bool) -> Result<T, Reply> {
    let value = if is_form {
        let members = form_urlencoded::parse(bytes);
        let members = members.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        Value::Object(members.collect())
    } else if bytes.iter().all(u8::is_ascii_whitespace) {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(bytes)
            .map_err(|error| detail(StatusCode::BAD_REQUEST, &format!("JSON parse error - {error}")))?
    };
    read(value)
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Reply> {
    serde_json::from_value(value).map_err(|error| {
        let message = error.to_string();
        // Serde names a missing field between backquotes.
        match message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            Some(field) => bad_field(field, "This field is required."),
            None => detail(StatusCode::BAD_REQUEST, &message),
        }
    })
}

/// An instant as this contract writes it: ISO 8601, UTC, with a `Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    at.to_string()
}

/// What callers keep as JSON or as a text, as it is given back.
pub(crate) fn extra(kept: Option<&str>) -> Value {
    kept.map_or(Value::Null, |text| {
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
    })
}

//! Bodies, instants and query parameters. Fields that the contract does not know are ignored, as its own clients do.

use crate::error::failure;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use billing::Refusal;
use edge::{Reply, SharedEdge, json_problem};
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use std::convert::Infallible;

/// The JSON body of a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<SharedEdge> for Body<T> {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<Body<T>, Response> {
        if !is_json(&request) {
            let message = "the body must be application/json";
            return Err(failure(StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response());
        }
        let bytes = axum::body::Bytes::from_request(request, edge)
            .await
            .map_err(|rejection| failure(rejection.status(), &rejection.body_text()).into_response())?;
        parse(&bytes).map(Body).map_err(Reply::into_response)
    }
}

/// A request without a content type is taken for JSON, as from scripts that forget it.
fn is_json(request: &Request) -> bool {
    let content_type =
        request.headers().get(http::header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    content_type.is_none_or(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reply> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(failure(StatusCode::BAD_REQUEST, "a body is required"));
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| {
        failure(StatusCode::BAD_REQUEST, &format!("the body is not JSON: {}", json_problem(&error)))
    })?;
    if !value.is_object() {
        return Err(failure(StatusCode::BAD_REQUEST, "the body must be a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        failure(StatusCode::BAD_REQUEST, &format!("the body does not fit: {}", json_problem(&error)))
    })
}

/// An instant as this desk writes it: UTC, milliseconds, `Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    let millis = at.as_millisecond().rem_euclid(1000);
    let seconds = at.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{seconds}.{millis:03}Z")
}

/// An ISO 8601 date-time; without an offset it is UTC, and a bare date is its midnight.
pub(crate) fn parse_instant(field: &'static str, text: &str) -> Result<Timestamp, Refusal> {
    let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(utc))
        .or_else(|_| text.parse::<Date>().and_then(|date| utc(date.at(0, 0, 0, 0))))
        .map_err(|_| Refusal::invalid(field, "must be an ISO 8601 date-time"))
}

/// The parameters behind the question mark, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<SharedEdge> for Query {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &SharedEdge) -> Result<Query, Infallible> {
        let text = parts.uri.query().unwrap_or_default();
        Ok(Query(form_urlencoded::parse(text.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    /// The first value of a parameter; an empty one is none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// A parameter that is `true` or `false`; false when absent.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Refusal::invalid(name, "must be true or false")),
        }
    }

    /// A parameter that is a date-time. A plus sign that was not escaped has become a space.
    pub(crate) fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        self.text(name).map(|text| parse_instant(name, &text.replace(' ', "+"))).transpose()
    }
}

//! Bodies and numbers: strict JSON in, with Kill Bill's errors; decimals out as plain JSON numbers.

use crate::error::bad_json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use edge::{Reply, SharedEdge};
use http::StatusCode;
use serde::de::DeserializeOwned;

/// The JSON body of a request.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<SharedEdge> for Body<T> {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<Body<T>, Response> {
        if !is_of_type(&request, "application/json") {
            return Err(Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response());
        }
        let bytes = axum::body::Bytes::from_request(request, edge).await.map_err(rejected)?;
        parse(&bytes).map(Body).map_err(Reply::into_response)
    }
}

fn rejected(rejection: BytesRejection) -> Response {
    Reply::empty(rejection.status()).into_response()
}

/// The plain text of a request.
pub(crate) struct TextBody(pub(crate) String);

impl FromRequest<SharedEdge> for TextBody {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<TextBody, Response> {
        if !is_of_type(&request, "text/plain") {
            return Err(Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response());
        }
        let bytes = axum::body::Bytes::from_request(request, edge).await.map_err(rejected)?;
        String::from_utf8(bytes.into())
            .map(TextBody)
            .map_err(|_| crate::error::bad_argument("The body must be UTF-8 text").into_response())
    }
}

/// A request without a content type is taken for what the operation wants, as from scripts that forget it.
fn is_of_type(request: &Request, wanted: &str) -> bool {
    let content_type =
        request.headers().get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_none_or(|value| {
        let essence = value.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(wanted)
    })
}

/// Parses a body, with the error class that Kill Bill's clients know for each way it can be wrong.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reply> {
    if bytes.is_empty() {
        return Err(crate::error::bad_argument("Body should be specified"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        let class_name = match error.classify() {
            serde_json::error::Category::Data if message.starts_with("unknown field") => {
                "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException"
            }
            serde_json::error::Category::Data => "com.fasterxml.jackson.databind.exc.InvalidFormatException",
            _ => "com.fasterxml.jackson.core.JsonParseException",
        };
        bad_json(class_name, message)
    })
}

/// An instant as Kill Bill writes it: UTC, milliseconds, `Z`.
pub(crate) fn instant(at: jiff::Timestamp) -> String {
    let millis = at.as_millisecond().rem_euclid(1000);
    let seconds = at.strftime("%Y-%m-%dT%H:%M:%S");
    format!("{seconds}.{millis:03}Z")
}

/// Money as a plain JSON number with the currency's decimals.
pub(crate) fn money(minor: i64, currency: Option<billing::Currency>) -> Box<serde_json::value::RawValue> {
    let digits = currency.map_or(2, billing::Currency::minor_digits);
    let amount = rust_decimal::Decimal::new(minor, digits);
    raw(amount.to_string())
}

fn raw(number: String) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(number).unwrap_or_default()
}

/// An ISO 8601 date-time; without a zone it is UTC, and a bare date is its midnight.
pub(crate) fn parse_instant(field: &'static str, text: &str) -> Result<jiff::Timestamp, billing::Refusal> {
    use jiff::civil::{Date, DateTime};
    let utc = |at: DateTime| at.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    text.parse::<jiff::Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(utc))
        .or_else(|_| text.parse::<Date>().and_then(|date| utc(date.at(0, 0, 0, 0))))
        .map_err(|_| billing::Refusal::invalid(field, format!("must be an ISO 8601 date-time, not {text}")))
}

//! Bodies and numbers: strict JSON in, with Kill Bill's errors; decimals out as plain JSON numbers.

use crate::error::bad_json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use edge::{Reply, SharedEdge};
use http::StatusCode;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

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
        text_of(request, edge, "text/plain").await.map(TextBody)
    }
}

/// The XML of a request.
pub(crate) struct XmlBody(pub(crate) String);

impl FromRequest<SharedEdge> for XmlBody {
    type Rejection = Response;
    async fn from_request(request: Request, edge: &SharedEdge) -> Result<XmlBody, Response> {
        text_of(request, edge, "text/xml").await.map(XmlBody)
    }
}

async fn text_of(request: Request, edge: &SharedEdge, wanted: &str) -> Result<String, Response> {
    if !is_of_type(&request, wanted) {
        return Err(Reply::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE).into_response());
    }
    let bytes = axum::body::Bytes::from_request(request, edge).await.map_err(rejected)?;
    String::from_utf8(bytes.into())
        .map_err(|_| crate::error::bad_argument("The body must be UTF-8 text").into_response())
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

/// Kill Bill's name of the type of a body: `AccountJson` for an `AccountRequest` of ours.
fn model_name<T>() -> String {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
    format!("{}Json", name.trim_end_matches('>').trim_end_matches("Request"))
}

/// Parses a body, with the error class that Kill Bill's clients know for each way it can be wrong.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reply> {
    if bytes.is_empty() || bytes.trim_ascii() == b"null" {
        return Err(crate::error::bad_argument(format!("{} body should be specified", model_name::<T>())));
    }
    // An object may not come as the list of its values, which the parser would take as well.
    let wants_list = std::any::type_name::<T>().starts_with("alloc::vec::Vec<");
    if bytes.trim_ascii_start().starts_with(b"[") && !wants_list {
        let message = format!("{} must be an object, not a list", model_name::<T>());
        return Err(bad_json("com.fasterxml.jackson.databind.exc.MismatchedInputException", message));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = edge::json_problem(&error);
        let class_name = match error.classify() {
            serde_json::error::Category::Data if message.starts_with("unknown field") => {
                "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException"
            }
            serde_json::error::Category::Data if message.contains("where an object is expected") => {
                "com.fasterxml.jackson.databind.exc.MismatchedInputException"
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

/// Money as a plain JSON number with the currency's decimals; nothing is `0`.
pub(crate) fn money(minor: i64, currency: Option<billing::Currency>) -> Box<serde_json::value::RawValue> {
    let digits = if minor == 0 { 0 } else { currency.map_or(2, billing::Currency::minor_digits) };
    let amount = rust_decimal::Decimal::new(minor, digits);
    raw(amount.to_string())
}

/// A decimal number as a plain JSON number, with the decimals that it has.
pub(crate) fn decimal(number: rust_decimal::Decimal) -> Box<serde_json::value::RawValue> {
    raw(number.to_string())
}

fn raw(number: String) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(number).unwrap_or_default()
}

/// What clients send where a text, a number or a flag belongs: Kill Bill takes each also in the clothes of another.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Whole(i64),
    Number(serde_json::Number),
    Text(String),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Scalar::Flag(flag) => flag.to_string(),
            Scalar::Whole(number) => number.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Text(text) => text,
        }
    }
}

/// A text, which may come as a number or a flag.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Scalar>::deserialize(deserializer)?.map(Scalar::into_text))
}

/// A flag, which may come as the text `true` or `false`, in any case.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let Some(scalar) = Option::<Scalar>::deserialize(deserializer)? else { return Ok(None) };
    let text = scalar.into_text();
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        "" => Ok(None),
        _ => Err(D::Error::custom(format!("only \"true\" or \"false\" recognized, not {text}"))),
    }
}

/// A whole number, which may come as a text.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i32>, D::Error> {
    let Some(scalar) = Option::<Scalar>::deserialize(deserializer)? else { return Ok(None) };
    let text = scalar.into_text();
    if text.trim().is_empty() {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|_| D::Error::custom(format!("not a valid integer value: {text}")))
}

/// An ISO 8601 date-time; without a zone it is UTC, and a bare date is its midnight. A bare number counts milliseconds
/// since 1970.
pub(crate) fn parse_instant(field: &'static str, text: &str) -> Result<jiff::Timestamp, billing::Refusal> {
    if let Ok(millis) = text.parse::<i64>() {
        let at = jiff::Timestamp::from_millisecond(millis);
        return at.map_err(|_| billing::Refusal::invalid(field, format!("is out of range: {text}")));
    }
    billing::time::parse_instant(text)
        .ok_or_else(|| billing::Refusal::invalid(field, format!("must be an ISO 8601 date-time, not {text}")))
}

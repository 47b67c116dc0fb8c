//! CORS for browsers on other origins, at all desks but Kill Bill's, whose contract has headers of its own.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

/// From where browsers may call. Credentials are never allowed: the desks' tokens are sent by scripts that have them,
/// not by the browser itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<String>,
}

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, x-request-id");
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static("location, retry-after, x-request-id");

impl Cors {
    /// Origins such as `https://shop.example.com`, or `*` for all.
    pub(crate) fn new(origins: Vec<String>) -> Cors {
        Cors { origins }
    }

    /// The origin of a request, if it comes from one that may call and this is not Kill Bill's desk.
    pub(crate) fn origin(&self, request: &Request) -> Option<HeaderValue> {
        if self.origins.is_empty() || request.uri().path().starts_with("/1.0/") {
            return None;
        }
        let origin = request.headers().get(ORIGIN)?;
        let is_allowed =
            self.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes());
        is_allowed.then(|| origin.clone())
    }

    /// The answer to a browser that asks whether it may ask.
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
            && self.origin(request).is_some();
        is_preflight.then(|| {
            let headers = [
                (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
                (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
            ];
            (StatusCode::NO_CONTENT, headers).into_response()
        })
    }

    /// Lets the origin read an answer.
    pub(crate) fn allow(&self, headers: &mut HeaderMap, origin: &HeaderValue) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

//! CORS for browsers on other origins. Kill Bill's desk has headers of its own, which its contract wants; they stay
//! for those origins alone that may call, where somebody named any.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

fn is_kill_bills(request: &Request) -> bool {
    request.uri().path().starts_with("/1.0/")
}

/// From where browsers may call. Scripts send the tokens that they have. No answer lets another origin read what a browser
/// got with its cookies (`Access-Control-Allow-Credentials`), but those of Kill Bill's desk, as its contract wants: its
/// cookie is `SameSite`, so that browsers do not send it for other sites.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<String>,
}

/// Whether a text is an origin as browsers write it, or `*`.
pub(crate) fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    let is_lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    is_scheme && is_lower && edge::is_host_and_port(host)
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

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// The origin of a request, if it comes from one that may call and this is not Kill Bill's desk.
    pub(crate) fn origin(&self, request: &Request) -> Option<HeaderValue> {
        if is_kill_bills(request) {
            return None;
        }
        request.headers().get(ORIGIN).filter(|origin| self.allows(origin)).cloned()
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin.as_bytes())
    }

    /// Whether what Kill Bill's desk says to browsers must not reach this one: origins are named, and not its own.
    pub(crate) fn silences(&self, request: &Request) -> bool {
        let origin = request.headers().get(ORIGIN);
        is_kill_bills(request)
            && !self.origins.is_empty()
            && origin.is_some_and(|origin| !self.allows(origin))
    }

    /// Takes from an answer what a desk says to browsers.
    pub(crate) fn silence(headers: &mut HeaderMap) {
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
        ] {
            headers.remove(name);
        }
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

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn origins_are_as_browsers_write_them() {
        for origin in
            ["*", "https://shop.example.com", "http://localhost:3000", "http://[::1]:80", "app+x://id"]
        {
            assert!(is_origin(origin), "{origin}");
        }
        for other in [
            "foo bar",
            "foo",
            "shop.example.com",
            "https://",
            "https://shop.example.com/",
            "https://shop.example.com/x",
            "https://a@shop.example.com",
            "https://shop.example.com:",
            "https://shop.example.com:x",
            "https://Shop.example.com",
            "HTTPS://shop.example.com",
            "https://*.example.com",
            "null",
            "**",
        ] {
            assert!(!is_origin(other), "{other}");
        }
    }
}

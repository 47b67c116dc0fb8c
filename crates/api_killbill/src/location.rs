//! `Location`: the full URL of what was made, as Kill Bill's clients follow it.

use crate::error::not_found;
use axum::extract::FromRequestParts;
use edge::{Reply, SharedEdge};
use http::StatusCode;
use http::request::Parts;
use std::convert::Infallible;

/// Where this server is, as the caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct Base(String);

impl FromRequestParts<SharedEdge> for Base {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, edge: &SharedEdge) -> Result<Base, Infallible> {
        if let Some(url) = &edge.settings.public_url {
            return Ok(Base(url.trim_end_matches('/').to_owned()));
        }
        // Anybody may have written these: what cannot be such a part of a URL counts as absent.
        let header = |name: &str, is_valid: &dyn Fn(&str) -> bool| {
            let text = parts.headers.get(name).and_then(|value| value.to_str().ok())?;
            // Of several proxies, the first is the one that the caller sees.
            let first = text.split(',').next().map(str::trim)?;
            is_valid(first).then_some(first)
        };
        let scheme = header("x-forwarded-proto", &|text| ["http", "https"].contains(&text)).unwrap_or("http");
        let forwarded_port = header("x-forwarded-port", &|text| edge::is_host_and_port(&format!("x:{text}")));
        let host = header("x-forwarded-host", &edge::is_host_and_port)
            .or_else(|| header("host", &edge::is_host_and_port))
            .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
            .filter(|host| edge::is_host_and_port(host))
            .unwrap_or("localhost");
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = forwarded_port.unwrap_or(if scheme == "https" { "443" } else { "80" });
        Ok(Base(if has_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }))
    }
}

impl Base {
    /// Whether the caller reaches this server over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// 201 with the location of `path`, which begins with `/`, beneath `/1.0/kb`.
    pub(crate) fn created(&self, path: &str) -> Reply {
        Reply::empty(StatusCode::CREATED).with("Location", format!("{}/1.0/kb{path}", self.0))
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// An id from the path. What is no id is no path of ours: 404.
pub(crate) fn id(text: &str) -> Result<uuid::Uuid, Reply> {
    uuid::Uuid::parse_str(text).map_err(|_| not_found())
}

/// A path with one parameter, such as `/accounts/{accountId}`, with the id in its place.
pub(crate) fn fill(path: &str, id: uuid::Uuid) -> String {
    let (before, after) = path.split_once('{').unwrap_or((path, ""));
    let rest = after.split_once('}').map_or("", |(_, rest)| rest);
    format!("{before}{id}{rest}")
}

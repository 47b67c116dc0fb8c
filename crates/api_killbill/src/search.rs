//! Search keys: all that stands behind `/search/` in a path, however much of it is encoded.

use crate::error::bad_argument;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use billing::Refusal;
use billing::search::{Clause, Column};
use edge::SharedEdge;
use http::request::Parts;

/// The search key of a request, decoded.
pub(crate) struct SearchKey(pub(crate) String);

impl FromRequestParts<SharedEdge> for SearchKey {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &SharedEdge) -> Result<SearchKey, Response> {
        let raw = parts.uri.path().split_once("/search/").map_or("", |(_, raw)| raw);
        decode(raw).map(SearchKey).map_err(|why| bad_argument(why).into_response())
    }
}

/// The text that `raw` encodes; no row has control characters, so neither has a key.
fn decode(raw: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err("The search key has a % that is not followed by two hexadecimal digits");
        };
        bytes.extend(u8::try_from(high * 16 + low));
    }
    let text = String::from_utf8(bytes).map_err(|_| "The search key is not UTF-8")?;
    if text.chars().any(char::is_control) {
        return Err("The search key must not contain control characters");
    }
    Ok(text)
}

/// What a search key asks for.
pub(crate) enum Wanted {
    /// A text that is a part of some columns.
    Text(String),
    /// Conditions: the key began with `_q=1&`.
    Clauses {
        /// The key itself.
        key: String,
        /// The conditions.
        clauses: Vec<Clause>,
    },
}

impl Wanted {
    /// Reads a key.
    pub(crate) fn parse(key: String, columns: &'static [Column]) -> Result<Wanted, Refusal> {
        match key.strip_prefix("_q=1&") {
            None => Ok(Wanted::Text(key)),
            Some(text) => {
                let clauses = billing::search::parse(text, columns)?;
                Ok(Wanted::Clauses { key, clauses })
            }
        }
    }

    /// The key as a text.
    pub(crate) fn text(&self) -> &str {
        match self {
            Wanted::Text(key) | Wanted::Clauses { key, .. } => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once_and_whole() {
        assert_eq!(decode("a/b%2Fc%252F=&+%20").as_deref(), Ok("a/b/c%2F=&+ "));
        assert_eq!(decode("%C3%BC").as_deref(), Ok("ü"));
        for wrong in ["%", "%4", "%zz", "%ff", "a%00b", "%0a", "%+1"] {
            assert!(decode(wrong).is_err(), "{wrong}");
        }
    }
}

//! `Idempotency-Key`: the same key gives the same answer, and the work is done at most once.

use crate::{ErrorShape, Reply};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use billing::{Refusal, TenantId};
use http::{Method, StatusCode, Uri};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use storage::{Connection, Error, Outcome, StoreError};

/// The key of a request and a digest of what it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    key: String,
    scope: String,
    request_digest: [u8; 32],
}

impl IdempotencyKey {
    /// The key of a request for `uri` with this body. Scheme and authority do not count: HTTP/2 and proxies name them,
    /// HTTP/1.1 does not. A path and the same path with a slash behind it are one resource.
    fn new(key: String, uri: &Uri, body: &[u8]) -> IdempotencyKey {
        let path = uri.path().trim_end_matches('/');
        let mut hasher = Sha256::new();
        for part in [path, "?", uri.query().unwrap_or_default()] {
            hasher.update(part.as_bytes());
        }
        hasher.update([0]);
        hasher.update(body);
        IdempotencyKey { key, scope: path.to_owned(), request_digest: hasher.finalize().into() }
    }

    /// The key as one of several callers of a tenant, each of whom has keys of his own.
    #[must_use]
    pub fn of(mut self, caller: &str) -> IdempotencyKey {
        self.scope = format!("{} of {caller}", self.scope);
        self
    }
}

/// Most characters of a key.
const KEY_LIMIT: usize = 255;

/// Notes the key of every POST that carries one, with a digest of its path, query and body. Bodies over `body_limit`
/// bytes are refused with 413. `refuse` makes the answer to a key that is none, of the request's path, a status and a
/// sentence.
pub async fn idempotency_layer(
    body_limit: usize,
    refuse: fn(&str, StatusCode, &str) -> Response,
    request: Request,
    next: Next,
) -> Response {
    let Some(header) = request.headers().get("idempotency-key").filter(|_| request.method() == Method::POST)
    else {
        return next.run(request).await;
    };
    let key = match header.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= KEY_LIMIT => key.to_owned(),
        _ => {
            let message = format!("Idempotency-Key must have 1 to {KEY_LIMIT} printable ASCII characters");
            return refuse(request.uri().path(), StatusCode::BAD_REQUEST, &message);
        }
    };
    let (mut parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, body_limit).await else {
        return Reply::empty(StatusCode::PAYLOAD_TOO_LARGE).into_response();
    };
    let key = IdempotencyKey::new(key, &parts.uri, &bytes);
    parts.extensions.insert(key);
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// Does `work` once for this key, within the transaction `tx`, and keeps its answer beside what it changed.
pub(crate) fn once(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &IdempotencyKey,
    now: Timestamp,
    errors: &ErrorShape,
    work: &dyn Fn(&mut dyn Connection) -> Outcome<Reply>,
) -> Outcome<Reply> {
    let request_digest = keyed(tx, &key.request_digest)?;
    let taken = storage::idempotency::claim(tx, tenant_id, &key.scope, &key.key, &request_digest, now)?;
    if let Some((digest, reply)) = taken {
        if digest != request_digest {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let reply: Reply = serde_json::from_str(&reply)
            .map_err(|error| StoreError::Corrupt(format!("kept answer: {error}")))?;
        return Ok(reply.with("idempotent-replayed", "true"));
    }
    let mut reply = None;
    let outcome = tx.savepoint(&mut |tx| {
        reply = Some(work(tx)?);
        Ok(())
    });
    let reply = match (outcome, reply) {
        (Ok(()), Some(reply)) => reply,
        // Who was not permitted may be so tomorrow.
        (Err(error @ Error::Refused(Refusal::NotPermitted(_))), _) => return Err(error),
        (Err(Error::Refused(refusal)), _) => (errors.refusal)(&refusal),
        (Err(error), _) => return Err(error),
        (Ok(()), None) => return Err(StoreError::Corrupt("a transaction without an answer".into()).into()),
    };
    let kept = serde_json::to_string(&reply).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    storage::idempotency::keep(tx, tenant_id, &key.scope, &key.key, &kept)?;
    Ok(reply)
}

/// The digest under a secret of the server: what is kept must not help to guess a password that was in the request.
fn keyed(tx: &mut dyn Connection, digest: &[u8; 32]) -> Outcome<[u8; 32]> {
    let secret = operations::credentials::server_secret(tx, "idempotency.digest")?;
    Ok(operations::credentials::keyed_digest(secret.as_bytes(), &[digest]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(uri: &str, body: &[u8]) -> IdempotencyKey {
        IdempotencyKey::new("k".into(), &uri.parse().unwrap(), body)
    }

    #[test]
    fn one_request_is_the_same_however_it_is_addressed() {
        let asked = key_of("/1.0/kb/accounts?a=b", b"{}");
        for uri in
            ["http://h/1.0/kb/accounts?a=b", "https://h:8/1.0/kb/accounts/?a=b", "/1.0/kb/accounts/?a=b"]
        {
            assert_eq!(key_of(uri, b"{}"), asked, "{uri}");
        }
        for (uri, body) in [
            ("/1.0/kb/accounts?a=c", &b"{}"[..]),
            ("/1.0/kb/accounts", b"{}"),
            ("/1.0/kb/account?a=b", b"{}"),
            ("/1.0/kb/accounts?a=b", b"[]"),
        ] {
            assert_ne!(key_of(uri, body), asked, "{uri}");
        }
    }
}

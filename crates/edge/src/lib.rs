//! What the desks share at the edge of the server: the state behind every request, answers, the `Idempotency-Key`,
//! credentials that were right a moment ago. It knows HTTP and the store, and no contract.

mod due_work;
mod gate;
mod host;
mod idempotency;
mod json_problem;
mod openapi;
mod reply;
mod request;
mod routes;

pub use due_work::work_forever;
pub use gate::{Gate, Operator, SESSION_IDLE};
pub use host::is_host_and_port;
pub use idempotency::{IdempotencyKey, idempotency_layer};
pub use json_problem::json_problem;
pub use openapi::{About, openapi_document};
pub use reply::Reply;
pub use request::{RequestContext, note_tenant, request_id, user_token};
pub use routes::{Route, options_of, route, router, router_with_slashes};

use billing::{Caller, Refusal, Tenant};
use http::StatusCode;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use storage::{Connection, Error, Outcome, Store, StoreError};

/// What the operator chose for the whole server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether tests may move tenants' clocks.
    pub test_mode: bool,
    /// Whether this is the demo, with its known passwords.
    pub demo: bool,
    /// Host and scheme for `Location`, such as `https://billing.example.com`, when the `Host` header must not be used.
    pub public_url: Option<String>,
    /// Name under which this node shows itself.
    pub node_name: String,
}

/// What sends mail. It may take its time: it is called on a thread for that, outside of any transaction.
pub trait Mailer: Send + Sync {
    /// Sends one mail, or says why it could not.
    fn send(&self, mail: &storage::mails::Mail) -> Result<(), String>;

    /// Whether mail can be sent at all.
    fn is_set_up(&self) -> bool {
        true
    }
}

/// What refuses to send, where no mail server is known.
pub struct NoMailer;

impl Mailer for NoMailer {
    fn send(&self, _: &storage::mails::Mail) -> Result<(), String> {
        Err("there is no mail server: give smtp_url".to_owned())
    }

    fn is_set_up(&self) -> bool {
        false
    }
}

/// The state behind every request.
pub struct Edge {
    /// The book.
    pub store: Store,
    /// What the operator chose.
    pub settings: Settings,
    /// Who may come in.
    pub gate: Gate,
    /// What sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// When this node started.
    pub started_at: Timestamp,
    /// Whether an operator took this node out of rotation: it works, and says that it wants no new requests.
    pub out_of_rotation: AtomicBool,
}

/// The state as handlers receive it.
pub type SharedEdge = Arc<Edge>;

/// Who asks in one request, of which tenant, at what time: the one clock read of the request.
#[derive(Clone, Debug)]
pub struct Session {
    /// The tenant whose book it is.
    pub tenant: Tenant,
    /// Who acts.
    pub caller: Caller,
    /// What time it is for the tenant.
    pub now: Timestamp,
    /// The key under which this request is done at most once.
    pub idempotency: Option<IdempotencyKey>,
}

/// How a desk says no.
pub struct ErrorShape {
    /// The answer to what the rules refuse.
    pub refusal: fn(&Refusal) -> Reply,
    /// The answer to what failed: a status of 500 and above, and a sentence.
    pub failure: fn(StatusCode, &str) -> Reply,
}

impl ErrorShape {
    /// The answer to an operation that did not happen.
    pub fn reply(&self, error: &Error) -> Reply {
        match error {
            Error::Refused(refusal) => (self.refusal)(refusal),
            Error::Store(StoreError::NulInText) => {
                (self.refusal)(&Refusal::invalid("a text", "must not contain control characters"))
            }
            Error::Store(StoreError::TooManyRows) => (self.refusal)(&Refusal::invalid(
                "the list",
                "is too long to be answered whole; ask for a part of it, or search",
            )),
            Error::Store(error) => {
                let status = match error {
                    StoreError::Overloaded
                    | StoreError::Timeout
                    | StoreError::Conflict(_)
                    | StoreError::Unreachable(_) => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                tracing::error!(%error, request_id = request_id(), "the storage failed");
                let sentence = match error {
                    StoreError::Overloaded => "The server is busy; try again shortly",
                    StoreError::Timeout => "The request took too long",
                    StoreError::Conflict(_) => "Another change was in the way; try again",
                    StoreError::Unreachable(_) => "The database cannot be reached; try again",
                    _ => "The server failed; its log has the reason under this request's id",
                };
                (self.failure)(status, sentence)
            }
        }
    }
}

impl Edge {
    /// Runs `work` in one transaction and answers once it is durable. With an `Idempotency-Key`, the answer, also a
    /// refusal, is kept in the same transaction and given again to the same request.
    pub async fn write(
        &self,
        session: &Session,
        errors: &'static ErrorShape,
        work: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Send + 'static,
    ) -> Reply {
        let outcome = match session.idempotency.clone() {
            None => self.store.write(work).await,
            Some(key) => {
                // Kept and forgotten by the real clock: a tenant's may stand anywhere.
                let (tenant_id, now) = (session.tenant.tenant_id, operations::clock::real());
                self.store.write(move |tx| idempotency::once(tx, tenant_id, &key, now, errors, &work)).await
            }
        };
        outcome.unwrap_or_else(|error| errors.reply(&error))
    }

    /// Reads in one consistent view and answers.
    pub async fn read(
        &self,
        errors: &'static ErrorShape,
        work: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Send + 'static,
    ) -> Reply {
        self.store.read(work).await.unwrap_or_else(|error| errors.reply(&error))
    }

    /// [`Edge::read`] for what is bounded by a key and answers in microseconds.
    pub async fn read_point(
        &self,
        errors: &'static ErrorShape,
        work: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Send + 'static,
    ) -> Reply {
        self.store.read_point(work).await.unwrap_or_else(|error| errors.reply(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    #[test]
    fn a_busy_storage_is_told_apart_from_a_broken_one() {
        fn said(status: StatusCode, sentence: &str) -> Reply {
            Reply::json(status, &sentence)
        }
        let errors =
            ErrorShape { refusal: |refusal| said(StatusCode::CONFLICT, &refusal.to_string()), failure: said };
        let status = |error: StoreError| errors.reply(&error.into()).into_response().status();
        for busy in [
            StoreError::Overloaded,
            StoreError::Timeout,
            StoreError::Conflict("x".into()),
            StoreError::Unreachable("x".into()),
        ] {
            assert_eq!(status(busy), StatusCode::SERVICE_UNAVAILABLE);
        }
        for broken in [StoreError::Corrupt("x".into()), StoreError::Engine("x".into())] {
            assert_eq!(status(broken), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}

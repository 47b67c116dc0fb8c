//! Togai's error body, `{"message": …}`, and the one mapping of refusals to statuses.

use axum::response::{IntoResponse, Response};
use billing::Refusal;
use edge::{ErrorShape, Reply};
use http::StatusCode;

/// How this desk says no.
pub(crate) static ERRORS: ErrorShape = ErrorShape { refusal, failure };

/// Most characters of a message.
const MESSAGE_LIMIT: usize = 500;

/// An error with its message, cut to what the contract allows.
pub(crate) fn failure(status: StatusCode, message: &str) -> Reply {
    let message: String = message.chars().take(MESSAGE_LIMIT).collect();
    Reply::json(status, &serde_json::json!({ "message": message }))
}

fn refusal(refusal: &Refusal) -> Reply {
    failure(status(refusal), &refusal.to_string())
}

/// A refusal of something inside `object`, such as the account in a request for a customer.
pub(crate) fn refused_in(object: &str, refusal: &Refusal) -> Reply {
    failure(status(refusal), &format!("{object}.{refusal}"))
}

fn status(refusal: &Refusal) -> StatusCode {
    use Refusal as R;
    match refusal {
        R::ObjectUnknown { .. }
        | R::AccountKeyUnknown { .. }
        | R::CustomerUnknown { .. }
        | R::AliasUnknown { .. } => StatusCode::NOT_FOUND,
        R::AccountKeyTaken { .. } | R::CustomerTaken { .. } | R::AliasTaken { .. } | R::UserTaken { .. } => {
            StatusCode::CONFLICT
        }
        R::NotPermitted(_) => StatusCode::FORBIDDEN,
        R::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A refusal found before the book was asked, as a handler's early answer.
pub(crate) struct Early(pub(crate) Reply);

impl From<Reply> for Early {
    fn from(reply: Reply) -> Early {
        Early(reply)
    }
}

impl From<Refusal> for Early {
    fn from(found: Refusal) -> Early {
        Early(refusal(&found))
    }
}

impl IntoResponse for Early {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// What a handler returns: an answer either way.
pub(crate) type Answer = Result<Reply, Early>;

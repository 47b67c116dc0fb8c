//! DjaoApp's error bodies, and the one mapping of refusals to them: `{"detail": …}`, or a member for each wrong field.

use crate::session::unauthorized;
use axum::response::{IntoResponse, Response};
use billing::Refusal;
use edge::{ErrorShape, Reply};
use http::StatusCode;
use http::header::RETRY_AFTER;
use serde_json::json;

/// When to try again after too many attempts, in seconds: most are counted for so long.
const RETRY_SECONDS: &str = "900";

/// How this desk says no.
pub(crate) static ERRORS: ErrorShape = ErrorShape { refusal, failure: detail };

/// An error that is about no field.
pub(crate) fn detail(status: StatusCode, message: &str) -> Reply {
    Reply::json(status, &json!({ "detail": message }))
}

/// 400 for one field.
pub(crate) fn bad_field(field: &str, message: &str) -> Reply {
    Reply::json(StatusCode::BAD_REQUEST, &json!({ wire_name(field): [message] }))
}

/// The contract's name of one of the book's fields.
fn wire_name(field: &str) -> &str {
    match field {
        "name" => "full_name",
        "time_zone" => "default_timezone",
        other => other,
    }
}

/// The answer to what the rules refuse.
pub(crate) fn refusal(refusal: &Refusal) -> Reply {
    use Refusal as R;
    let message = refusal.to_string();
    match refusal {
        R::FieldMissing { field } => bad_field(field, "This field is required."),
        R::FieldTooLong { field, limit } => {
            bad_field(field, &format!("Ensure this field has no more than {limit} characters."))
        }
        R::FieldTooShort { field, limit } => {
            bad_field(field, &format!("Ensure this field has at least {limit} characters."))
        }
        // What is wrong has no name of its own.
        R::FieldInvalid { field, .. } if field.contains(' ') => detail(StatusCode::BAD_REQUEST, &message),
        R::FieldInvalid { field, why } => bad_field(field, why),
        R::SlugTaken { .. } => taken("slug"),
        R::UserTaken { .. } => taken("username"),
        R::ValueTaken { field } => taken(field),
        R::RoleKindTaken { .. } | R::AgreementTaken { .. } => taken("title"),
        R::AgreementNotSigned { slug } => bad_field(slug, "You must read and agree to these terms."),
        R::LoginFailed => {
            // Whether there is anybody of that name is not told.
            let why = "The name and the password do not match.";
            unauthorized(&json!({ "username": why, "password": why, "detail": why }))
        }
        R::Unproven { field, why } => unauthorized(&json!({ *field: why })),
        R::TooManyAttempts => {
            detail(StatusCode::TOO_MANY_REQUESTS, &message).with(RETRY_AFTER.as_str(), RETRY_SECONDS)
        }
        R::TooManyCodes => detail(StatusCode::FORBIDDEN, &message),
        R::NotReady { .. } => detail(StatusCode::FORBIDDEN, &message),
        R::AccessDenied | R::NotPermitted(_) => detail(StatusCode::FORBIDDEN, "Permission denied"),
        R::ObjectUnknown { .. }
        | R::SlugUnknown { .. }
        | R::ApiKeyUnknown { .. }
        | R::UserUnknown { .. }
        | R::RoleKindUnknown { .. }
        | R::HeldRoleUnknown
        | R::AgreementUnknown { .. }
        | R::OrganizationUnknown { .. } => detail(StatusCode::NOT_FOUND, &message),
        R::IdempotencyKeyReused => detail(StatusCode::UNPROCESSABLE_ENTITY, &message),
        _ => detail(StatusCode::BAD_REQUEST, &message),
    }
}

fn taken(field: &str) -> Reply {
    let message = format!("This {field} is already taken.");
    Reply::json(StatusCode::BAD_REQUEST, &json!({ field: message }))
}

/// An answer found before the book was asked.
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

impl From<storage::Error> for Early {
    fn from(error: storage::Error) -> Early {
        Early(ERRORS.reply(&error))
    }
}

impl IntoResponse for Early {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// What a handler returns: an answer either way.
pub(crate) type Answer = Result<Reply, Early>;

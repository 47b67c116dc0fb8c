//! MikroCloud's error body, `{"message": …}`, and the one mapping of refusals to it.

use billing::Refusal;
use edge::{ErrorShape, Reply};
use http::StatusCode;
use serde::Serialize;
use std::collections::BTreeMap;

/// How this desk says no.
pub(crate) static ERRORS: ErrorShape = ErrorShape { refusal, failure: say };

/// Where the contract says how to create an account.
const ACCOUNT_DOCUMENTATION: &str = "https://docs.mikrocloud.com/api/accounts#create-an-account";

#[derive(Serialize, Default)]
struct ErrorJson<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<&'static str>,
    /// The fields that are wrong, each with what is wrong about it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<&'static str, Vec<&'a str>>,
}

/// An answer that says only why.
pub(crate) fn say(status: StatusCode, message: &str) -> Reply {
    Reply::json(status, &ErrorJson { message, ..ErrorJson::default() })
}

fn no_account() -> Reply {
    let message = "You need to create an account first";
    let documentation_url = Some(ACCOUNT_DOCUMENTATION);
    let error = ErrorJson { message, documentation_url, ..ErrorJson::default() };
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &error)
}

fn wrong_field(field: &'static str, message: &str) -> Reply {
    let errors = BTreeMap::from([(field, vec![message])]);
    let error = ErrorJson { message, errors, ..ErrorJson::default() };
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &error)
}

fn refusal(refusal: &Refusal) -> Reply {
    use Refusal as R;
    let message = &refusal.to_string();
    match refusal {
        R::TokenInvalid { why } => say(StatusCode::UNAUTHORIZED, why)
            .with("WWW-Authenticate", "Bearer realm=\"mikrocloud\", error=\"invalid_token\""),
        R::OrganizationHasNoAccount { .. } => no_account(),
        R::OrganizationHasAccount { .. } => {
            say(StatusCode::CONFLICT, "The organization has a billing account already")
        }
        R::AccountKeyTaken { .. } | R::AliasTaken { .. } => say(StatusCode::CONFLICT, message),
        R::NotPermitted(_) => say(StatusCode::FORBIDDEN, message),
        R::OrganizationIsNotTop { .. } => {
            let why = "Only the organization at the top of the tree has a billing account of its own";
            say(StatusCode::FORBIDDEN, why)
        }
        R::FieldMissing { field }
        | R::FieldTooLong { field, .. }
        | R::FieldTooShort { field, .. }
        | R::FieldInvalid { field, .. } => wrong_field(field, message),
        _ => say(StatusCode::UNPROCESSABLE_ENTITY, message),
    }
}

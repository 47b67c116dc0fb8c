//! Togai's desk, at the root: `/authenticate`, `/customers`, `/accounts`. It translates between Togai's contract and
//! the book, and owns no rule.
//!
//! One file a resource: its JSON, its handlers, its routes. [`session`] knows the tokens, [`error`] the error body,
//! [`paging`] the `nextToken`.

mod accounts;
mod aliases;
mod authenticate;
mod contacts;
mod customers;
mod error;
mod fields;
mod json;
mod paging;
mod session;

use edge::Route;
use serde_json::Value;

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [authenticate::routes(), customers::routes(), contacts::routes(), accounts::routes(), aliases::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// The router of this desk. A path answers 405 to methods that it does not take, with this desk's error body.
pub fn router() -> axum::Router<edge::SharedEdge> {
    edge::router(routes()).method_not_allowed_fallback(async || {
        error::failure(http::StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
    })
}

/// The OpenAPI 3.1 document of this desk. An error says what is broken in it.
pub fn openapi() -> Result<Value, String> {
    serde_json::from_str(include_str!("../openapi.json")).map_err(|error| format!("openapi.json: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_each_operation_and_no_other() {
        let document = openapi().unwrap();
        let documented: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
            })
            .collect();
        let served: BTreeSet<(String, String)> =
            routes().into_iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn the_document_refers_to_what_it_has() {
        let document = openapi().unwrap();
        let text = document.to_string();
        let references = text.split("\"#/components/schemas/").skip(1);
        let referred: BTreeSet<&str> = references.filter_map(|rest| rest.split('"').next()).collect();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        assert_eq!(referred, schemas.keys().map(String::as_str).collect());
    }
}

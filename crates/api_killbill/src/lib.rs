//! Kill Bill's desk: `/1.0/kb`. It translates between Kill Bill's REST contract and the book, and owns no rule.
//!
//! One file a resource: its JSON, its handlers, its routes. [`session`] knows the headers, [`error`] the error body.

mod account_lists;
mod accounts;
mod audit;
mod audit_routes;
mod blocking;
mod catalog;
mod children;
mod clock;
mod custom_field_lists;
mod custom_fields;
mod emails;
mod error;
mod history;
mod json;
mod location;
mod manners;
mod nodes;
mod openapi;
mod overdue;
mod pagination;
mod payment_methods;
mod query;
mod search;
mod security;
mod session;
mod tag_lists;
mod tags;
mod tenant_values;
mod tenants;
mod timeline;

use edge::Route;
pub use openapi::openapi;

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [
        accounts::routes(),
        audit_routes::routes(),
        blocking::routes(),
        catalog::routes(),
        children::routes(),
        clock::routes(),
        custom_field_lists::routes(),
        custom_fields::routes(),
        emails::routes(),
        nodes::routes(),
        overdue::routes(),
        security::routes(),
        tag_lists::routes(),
        tags::routes(),
        tenant_values::routes(),
        tenants::routes(),
        timeline::routes(),
        account_lists::routes(),
        payment_methods::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The desk, with the manners of its contract.
pub fn router() -> axum::Router<edge::SharedEdge> {
    manners::router(routes())
}

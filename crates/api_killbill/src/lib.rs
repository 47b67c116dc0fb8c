//! Kill Bill's desk: `/1.0/kb`. It translates between Kill Bill's REST contract and the book, and owns no rule.
//!
//! One file a resource: its JSON, its handlers, its routes. [`session`] knows the headers, [`error`] the error body.

mod accounts;
mod audit;
mod custom_fields;
mod error;
mod json;
mod location;
mod query;
mod session;
mod tags;
mod tenants;

use edge::Route;

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [accounts::routes(), custom_fields::routes(), tags::routes(), tenants::routes()]
        .into_iter()
        .flatten()
        .collect()
}

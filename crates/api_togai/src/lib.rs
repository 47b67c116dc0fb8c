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

/// All operations of this desk.
pub fn routes() -> Vec<Route> {
    [authenticate::routes(), customers::routes(), contacts::routes(), accounts::routes(), aliases::routes()]
        .into_iter()
        .flatten()
        .collect()
}

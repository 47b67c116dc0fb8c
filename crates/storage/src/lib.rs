//! The book's storage: SQL next to the function that runs it, one text for SQLite and PostgreSQL.
//!
//! [`Store`] owns the connections. An operation receives a `&mut dyn Connection` inside a transaction, calls the
//! functions of this crate's modules (one per aggregate) and returns; the transaction is committed before
//! [`Store::write`] answers, so an answer means durable.

mod connection;
mod error;
mod value;

pub use connection::{Connection, Engine};
pub use error::{Error, Outcome, StoreError};
pub use value::{FromValue, Param, Row, Value};

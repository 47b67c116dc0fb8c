//! The book's storage: SQL next to the function that runs it, one text for SQLite and PostgreSQL.
//!
//! [`Store`] owns the connections. An operation receives a `&mut dyn Connection` inside a transaction, calls the
//! functions of this crate's modules (one per aggregate) and returns; the transaction is committed before
//! [`Store::write`] answers, so an answer means durable.

pub mod account_emails;
pub mod accounts;
pub mod activities;
pub mod agreements;
pub mod aliases;
pub mod api_keys;
pub mod api_tokens;
pub mod audit;
pub mod blocking_states;
mod connection;
pub mod custom_fields;
pub mod customers;
pub mod due_work;
mod error;
pub mod failed_attempts;
pub mod filter;
pub mod held;
pub mod idempotency;
mod job;
pub mod ledger;
pub mod list;
pub mod mails;
mod migrations;
pub mod organization_roles;
pub mod organizations;
pub mod page;
pub mod payment_methods;
pub mod people;
pub mod positions;
mod postgres;
pub mod profiles;
pub mod role_lists;
pub mod search;
pub mod sessions;
mod sqlite;
mod statistics;
mod store;
pub mod tags;
pub mod tenants;
pub mod token_keys;
pub mod transfer;
pub mod users;
mod value;
pub mod verification_codes;
pub mod verify;

pub use connection::{Connection, Engine, ROWS_LIMIT};
pub use error::{Error, Outcome, StoreError};
pub use job::run_caught;
pub use migrations::schema_version;
pub use statistics::{GROUP_SIZE_BOUNDS, StoreStatistics};
pub use store::{Store, StoreOptions};
pub use value::{FromValue, Param, Row, Value};

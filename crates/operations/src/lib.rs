//! One plain function for each thing the product does. An operation receives a transaction, who calls, what is asked
//! and what time it is; it locks the account it changes, asks the rules in `billing`, writes through `storage`, and
//! leaves an audit record and an event for each change.

pub mod account_emails;
pub mod accounts;
pub mod aliases;
pub mod api_tokens;
pub mod blocking;
pub mod catalogs;
pub mod clock;
pub mod credentials;
pub mod custom_fields;
pub mod customers;
pub mod due_work;
pub mod housekeeping;
mod journal;
mod jwt;
pub mod ledger;
pub mod mikrocloud_tokens;
pub mod nodes;
pub mod organizations;
pub mod overdue;
pub mod owner;
pub mod payment_methods;
pub mod security;
pub mod tags;
pub mod tenant_values;
pub mod tenants;
pub mod transfer;
pub mod verify;

pub use journal::{AccountJournal, record_of_tenant};

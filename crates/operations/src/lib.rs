//! One plain function for each thing the product does. An operation receives a transaction, who calls, what is asked
//! and what time it is; it locks the account it changes, asks the rules in `billing`, writes through `storage`, and
//! leaves an audit record and an event for each change.

pub mod access;
pub mod account_emails;
pub mod accounts;
pub mod activities;
pub mod agreements;
pub mod aliases;
pub mod api_keys;
pub mod api_tokens;
pub mod blocking;
pub mod catalogs;
pub mod clock;
pub mod credentials;
pub mod custom_fields;
pub mod customers;
pub mod due_work;
pub mod guessing;
pub mod housekeeping;
mod journal;
mod jwt;
pub mod ledger;
pub mod logins;
pub mod mails;
pub mod mikrocloud_tokens;
pub mod nodes;
pub mod one_time_codes;
pub mod organizations;
pub mod overdue;
pub mod owner;
pub mod payment_methods;
pub mod profiles;
pub mod proofs;
pub mod registration;
pub mod role_kinds;
pub mod role_mails;
pub mod roles;
pub mod security;
pub mod sites;
pub mod tags;
pub mod tenant_values;
pub mod tenants;
pub mod transfer;
pub mod users;
pub mod verification;
pub mod verify;

pub use journal::{AccountJournal, record_of_tenant};

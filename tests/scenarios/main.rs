//! Stories that a client tells over HTTP, each played on SQLite and on PostgreSQL.
//!
//! All of them are modules of this one program: it links once, starts one server per engine, and every story has a
//! tenant of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod audit;
mod blocking_states;
mod catalog;
mod clock;
mod close_account;
mod command_line;
mod contract;
mod custom_fields;
mod djaoapp;
mod due_work;
mod durability;
mod emails;
mod export;
mod health;
mod http_manners;
mod ledger;
mod limits;
mod mikrocloud;
mod pagination;
mod payment_methods;
mod permissions;
mod raw;
mod search;
mod security;
mod server;
mod tag_and_field_lists;
mod tags;
mod tenants;
mod timeline;
mod togai;
mod verify;

use testkit::World;

/// The server under test.
const BILLHOOK: &str = env!("CARGO_BIN_EXE_billhook");

/// Plays a story on both engines, in a new tenant of the shared server.
#[track_caller]
pub(crate) fn scenario(story: impl Fn(&World)) {
    testkit::scenario(BILLHOOK, story);
}

/// Plays a story on both engines, on a server of its own that it may end and start again.
#[track_caller]
pub(crate) fn scenario_alone(story: impl Fn(&World)) {
    testkit::scenario_alone(BILLHOOK, story);
}

//! What the tests stand on: a private PostgreSQL, the real server, clients that speak to it, and [`scenario`], which
//! plays one story on both engines.
//!
//! Everything here belongs to one test process and ends with it, however it ends: the programs it starts get a signal
//! when it dies ([`process`]) and its files are removed ([`scratch`]). Nothing is shared between test processes, so
//! any number may run at once. What cannot be set up fails the test and says what to do; nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod http;
mod log;
mod postgres_cluster;
mod process;
mod scenario;
mod scratch;
mod server;

pub use http::{Http, Response};
pub use postgres_cluster::PostgresCluster;
pub use scenario::{Tenant, World, scenario, scenario_alone};
pub use scratch::new_directory;
pub use server::{ADMIN_PASSWORD, Engine, Server};

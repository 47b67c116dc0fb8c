//! PostgreSQL: worker threads, each with a connection, in a pool that writes and a pool that reads.
//!
//! Writes run at READ COMMITTED: an operation locks the row of the account it changes first, sees what the holder
//! before it committed, and unique keys settle races by `ON CONFLICT`. A stricter level would only add retries. Where
//! a distributed PostgreSQL is stricter by itself, a serialization failure makes the whole operation run again.
//! Reads run at REPEATABLE READ, READ ONLY: one snapshot, and no way to write.

mod connection;
mod tls;
mod url;
mod worker;

use crate::store::{Wiring, spawn};
use crate::{StoreError, StoreOptions, migrations};
pub(crate) use connection::{CommitError, PostgresConnection};
use std::sync::Arc;
use std::thread::JoinHandle;
use url::Target;
use worker::{Lane, Worker};

/// Migrates the database and starts the threads. Each thread connects with its first request.
pub(crate) fn start(url: &str, wiring: Wiring) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let target = Arc::new(url::parse(url)?);
    // On a thread of its own: the caller may be inside an async runtime, where one may not block on another.
    let (done, migrated) = crossbeam_channel::bounded(1);
    let (migrator, options) = (Arc::clone(&target), wiring.options.clone());
    spawn("pg-migrate".to_owned(), move || drop(done.send(migrate(migrator, options))))?;
    migrated.recv().unwrap_or_else(|_| Err(StoreError::Engine("the migration panicked".to_owned())))?;

    let mut threads = Vec::new();
    let lanes = [
        (Lane::Write, &wiring.write, wiring.options.writers),
        (Lane::Read, &wiring.read, wiring.options.readers),
    ];
    for (lane, queue, count) in lanes {
        for number in 0..count.max(1) {
            let connection = PostgresConnection::new(Arc::clone(&target), &wiring.options)?;
            let worker = Worker::new(lane, connection, queue.clone(), Arc::clone(&wiring.counters));
            threads.push(spawn(format!("pg-{}-{number}", lane.name()), move || worker.run())?);
        }
    }
    Ok(threads)
}

fn migrate(target: Arc<Target>, options: StoreOptions) -> Result<(), StoreError> {
    let must_exist = options.must_exist;
    let mut connection = PostgresConnection::new(target, &options)?;
    connection.connect()?;
    connection.lift_limits()?;
    if must_exist && !migrations::has_book(&mut connection)? {
        return Err(StoreError::NoBook);
    }
    migrations::migrate_postgres(&mut connection)
}

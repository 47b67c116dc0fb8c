//! SQLite: one writer thread that commits in groups, and readers on snapshots.

mod connection;
mod search_index;
mod writer;

use crate::job::{BoxedJob, Verdict, run_caught, verdict_of};
use crate::statistics::Busy;
use crate::store::{Wiring, spawn};
use crate::{Connection, Outcome, StoreError, StoreOptions, migrations};
use connection::Role;
pub(crate) use connection::SqliteConnection;
use crossbeam_channel::Receiver;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Opens and migrates the file and starts its threads.
pub(crate) fn start(path: &str, wiring: Wiring) -> Result<(Vec<JoinHandle<()>>, PointReaders), StoreError> {
    if path.is_empty() || path == ":memory:" {
        return Err(StoreError::Address("the address names no file: it must be sqlite:PATH".to_owned()));
    }
    let path = Path::new(path);
    if wiring.options.must_exist && !connection::has_book(path, &wiring.options)? {
        return Err(StoreError::NoBook);
    }
    make_private(path);
    let mut writer = SqliteConnection::open(path, Role::Writer, &wiring.options)?;
    migrations::migrate_sqlite(&mut writer)?;
    let readers: Vec<SqliteConnection> = (0..wiring.options.readers.max(1))
        .map(|_| SqliteConnection::open(path, Role::Reader, &wiring.options))
        .collect::<Result<_, _>>()?;
    let mut threads = Vec::with_capacity(readers.len() + 1);
    let (queue, counters) = (wiring.write, wiring.counters.clone());
    threads.push(spawn("sqlite-write".to_owned(), move || writer::run(writer, &queue, &counters))?);
    for (number, mut reader) in readers.into_iter().enumerate() {
        let (queue, counters) = (wiring.read.clone(), wiring.counters.clone());
        threads.push(spawn(format!("sqlite-read-{number}"), move || {
            read_all(&mut reader, &queue, &counters.busy_readers);
        })?);
    }
    Ok((threads, PointReaders::new(path.to_owned(), wiring.options)))
}

/// Makes a book that is not there yet for its owner alone: it has what is personal, and hashes of passwords. SQLite
/// gives the files beside it the same mode. Where this fails, SQLite fails too, and says why.
fn make_private(path: &Path) {
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

fn read_all(
    reader: &mut SqliteConnection,
    queue: &Receiver<BoxedJob>,
    busy: &std::sync::atomic::AtomicUsize,
) {
    while let Ok(mut job) = queue.recv() {
        let _busy = Busy::enter(busy);
        if job.is_abandoned() {
            continue;
        }
        if let Err(error) = reader.begin() {
            job.fail(error);
        } else if job.run(reader) == Verdict::Keep
            && let Some(error) = reader.take_failure()
        {
            job.fail(error);
        }
        reader.end_read();
        job.answer();
    }
}

/// Connections for look-ups on the caller's thread, opened as they are needed.
pub(crate) struct PointReaders {
    path: PathBuf,
    options: StoreOptions,
    idle: Mutex<Idle>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Idle {
    connections: Vec<SqliteConnection>,
    opened: usize,
}

impl PointReaders {
    fn new(path: PathBuf, options: StoreOptions) -> PointReaders {
        PointReaders { path, options, idle: Mutex::default(), closed: AtomicBool::new(false) }
    }

    /// An idle connection, or `None` when as many are in use as may be.
    pub(crate) fn take(&self) -> Option<PointReader<'_>> {
        if self.closed.load(Ordering::Acquire) {
            return None;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = idle.connections.pop() {
            return Some(PointReader { pool: self, connection: Some(connection) });
        }
        if idle.opened >= self.options.readers.max(1) {
            return None;
        }
        idle.opened += 1;
        drop(idle);
        let connection = SqliteConnection::open(&self.path, Role::Reader, &self.options);
        if let Err(error) = &connection {
            tracing::warn!(%error, "no connection for a look-up");
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).opened -= 1;
        }
        connection.ok().map(|connection| PointReader { pool: self, connection: Some(connection) })
    }

    /// Lets go of the connections, so that the file can be checkpointed and left.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).connections.clear();
    }
}

/// A connection on loan to one look-up.
pub(crate) struct PointReader<'a> {
    pool: &'a PointReaders,
    connection: Option<SqliteConnection>,
}

impl PointReader<'_> {
    /// Runs `work` on a snapshot.
    pub(crate) fn run<T>(&mut self, work: &dyn Fn(&mut dyn Connection) -> Outcome<T>) -> Outcome<T> {
        let Some(connection) = self.connection.as_mut() else {
            return Err(crate::job::closed().into());
        };
        connection.begin()?;
        let mut outcome = run_caught(work, connection);
        if verdict_of(&outcome) == Verdict::Keep
            && let Some(error) = connection.take_failure()
        {
            outcome = Err(error.into());
        }
        connection.end_read();
        outcome
    }
}

impl Drop for PointReader<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.pool.closed.load(Ordering::Acquire)
        {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).connections.push(connection);
        }
    }
}

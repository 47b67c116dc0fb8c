//! One connection to a SQLite file.

use crate::ROWS_LIMIT;
use crate::positions::Positions;
use crate::value::check_params;
use crate::{Connection, Engine, Outcome, Param, Row, StoreError, StoreOptions, Value};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ErrorCode, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Statements kept prepared by a connection. More than the program has.
const STATEMENTS: usize = 512;
/// In the place of a statement's number: it may take its time.
const UNWATCHED: u64 = u64::MAX;
/// Virtual machine instructions between two looks at the clock: about 50 µs.
const INSTRUCTIONS_PER_LOOK: i32 = 4000;
/// Pages in the write-ahead log that start a checkpoint: 16 MiB.
const CHECKPOINT_PAGES: u32 = 4000;
/// The log's file is cut down to this after a checkpoint.
const LOG_BYTES: u32 = 64 << 20;
/// How often a connection asks again for a lock that another process holds. SQLite's own handler asks every 100 ms
/// in the end and starves beside a busy server, whose gaps between two groups are short.
const BUSY_POLL: Duration = Duration::from_micros(500);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
}

pub(crate) struct SqliteConnection {
    connection: rusqlite::Connection,
    /// The first statement that failed outside a savepoint that was rolled back: the transaction must not commit.
    failure: Option<StoreError>,
    depth: u32,
    /// Counts statements, so that the progress handler can tell one from the next.
    statement: Arc<AtomicU64>,
    positions: Positions,
}

/// Whether the file is there and has the tables of a book. It is left as it is.
pub(crate) fn has_book(path: &Path, options: &StoreOptions) -> Result<bool, StoreError> {
    let cannot = |error: &dyn std::fmt::Display| {
        StoreError::Engine(format!("{} cannot be opened: {error}", path.display()))
    };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cannot(&error)),
        Ok(_) => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(|error| cannot(&error))?;
    connection.busy_timeout(options.busy_timeout).map_err(translate)?;
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'";
    let count: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(|error| cannot(&error))?;
    Ok(count > 0)
}

impl SqliteConnection {
    pub(crate) fn open(
        path: &Path,
        role: Role,
        options: &StoreOptions,
    ) -> Result<SqliteConnection, StoreError> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if role == Role::Writer {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let mut connection = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError::Engine(format!("{} cannot be opened: {error}", path.display())))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let busy_timeout = options.busy_timeout;
        let mut since: Option<Instant> = None;
        connection
            .busy_handler(Some(move |count| {
                let since = match (count, since) {
                    (1.., Some(since)) => since,
                    _ => *since.insert(Instant::now()),
                };
                std::thread::park_timeout(BUSY_POLL);
                since.elapsed() < busy_timeout
            }))
            .map_err(translate)?;
        let statement = Arc::new(AtomicU64::new(0));
        watch(&mut connection, Arc::clone(&statement), options.statement_timeout)?;
        configure(&connection, role, options)?;
        Ok(SqliteConnection {
            connection,
            failure: None,
            depth: 0,
            statement,
            positions: Positions::default(),
        })
    }

    /// Begins a transaction that reads.
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        self.failure = None;
        self.depth = 0;
        self.run("BEGIN")
    }

    /// Begins a transaction that writes: takes the write lock at once, so that no later statement finds it taken.
    pub(crate) fn begin_immediate(&mut self) -> Result<(), StoreError> {
        self.failure = None;
        self.depth = 0;
        self.run("BEGIN IMMEDIATE")
    }

    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        self.run("COMMIT")
    }

    pub(crate) fn rollback(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("ROLLBACK")
        {
            tracing::error!(%error, "SQLite did not roll back");
        }
    }

    /// Ends a transaction that only read.
    pub(crate) fn end_read(&mut self) {
        self.rollback();
    }

    /// Whether the transaction is still there: some errors make SQLite end it.
    pub(crate) fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Rows changed since the connection was opened.
    pub(crate) fn total_changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// The error that a closure passed over, if any.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.depth = 0;
        self.failure.take()
    }

    /// Runs a statement of the engine itself, without parameters.
    pub(crate) fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.statement.fetch_add(1, Relaxed);
        let mut statement = self.connection.prepare_cached(sql).map_err(translate)?;
        statement.raw_execute().map(drop).map_err(translate)
    }

    /// Runs several statements, of a migration, however long they take.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let number = self.statement.swap(UNWATCHED, Relaxed);
        let result = self.connection.execute_batch(sql).map_err(translate);
        self.statement.store(number + 1, Relaxed);
        result
    }

    /// Moves the log into the file and empties it.
    pub(crate) fn checkpoint(&self) {
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = moved {
            tracing::warn!(%error, "the write-ahead log stays until the next start");
        }
    }

    /// Makes every commit fail.
    #[cfg(test)]
    pub(crate) fn refuse_commits(&mut self) -> Result<(), StoreError> {
        self.connection.commit_hook(Some(|| true)).map_err(translate)
    }

    fn guarded<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    fn bound(&self, sql: &str, params: &[Param<'_>]) -> Result<CachedStatement<'_>, StoreError> {
        if self.connection.is_autocommit() {
            return Err(StoreError::Engine("an earlier failure ended the transaction".to_owned()));
        }
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        self.statement.fetch_add(1, Relaxed);
        let mut statement = self.connection.prepare_cached(sql).map_err(translate)?;
        for index in 1..=statement.parameter_count() {
            // SQLite numbers `$n` by first appearance, so the name says which parameter is meant.
            let number =
                statement.parameter_name(index).and_then(|name| name.get(1..)?.parse::<usize>().ok());
            let param = number
                .and_then(|number| params.get(number.checked_sub(1)?))
                .ok_or_else(|| StoreError::Engine(format!("a placeholder has no parameter: {sql}")))?;
            statement.raw_bind_parameter(index, Bound(param)).map_err(translate)?;
        }
        Ok(statement)
    }

    fn execute_inner(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.bound(sql, params)?;
        if statement.column_count() == 0 {
            return statement.raw_execute().map(|count| count as u64).map_err(translate);
        }
        let mut rows = statement.raw_query();
        let mut count = 0;
        while rows.next().map_err(translate)?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn query_inner(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut statement = self.bound(sql, params)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(translate)? {
            if answer.len() == ROWS_LIMIT {
                return Err(StoreError::TooManyRows);
            }
            let columns = (0..width)
                .map(|index| decode(index, row.get_ref(index).map_err(translate)?))
                .collect::<Result<Vec<_>, _>>()?;
            answer.push(Row::new(columns));
        }
        Ok(answer)
    }
}

impl Connection for SqliteConnection {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn positions(&mut self) -> &mut Positions {
        &mut self.positions
    }

    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let result = check_params(params).and_then(|()| self.execute_inner(sql, params));
        self.guarded(result)
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let result = check_params(params).and_then(|()| self.query_inner(sql, params));
        self.guarded(result)
    }

    fn savepoint(&mut self, work: &mut dyn FnMut(&mut dyn Connection) -> Outcome<()>) -> Outcome<()> {
        if let Some(error) = &self.failure {
            return Err(error.clone().into());
        }
        let name = self.depth;
        self.run(&format!("SAVEPOINT s{name}"))?;
        self.depth += 1;
        let outcome = work(self);
        self.depth = name;
        let lost = self.failure.take();
        match (outcome, lost) {
            (Ok(()), None) => {
                let released = self.run(&format!("RELEASE s{name}"));
                Ok(self.guarded(released)?)
            }
            (outcome, lost) => {
                let undone = self.run(&format!("ROLLBACK TO s{name}"));
                self.guarded(undone)?;
                let released = self.run(&format!("RELEASE s{name}"));
                self.guarded(released)?;
                outcome.and_then(|()| lost.map_or(Ok(()), |error| Err(error.into())))
            }
        }
    }
}

/// Interrupts a statement that runs longer than `limit`.
fn watch(
    connection: &mut rusqlite::Connection,
    statement: Arc<AtomicU64>,
    limit: Duration,
) -> Result<(), StoreError> {
    let mut seen: Option<(u64, Instant)> = None;
    let look = move || {
        let number = statement.load(Relaxed);
        match seen {
            _ if number == UNWATCHED => false,
            Some((seen, since)) if seen == number => since.elapsed() > limit,
            _ => {
                seen = Some((number, Instant::now()));
                false
            }
        }
    };
    connection.progress_handler(INSTRUCTIONS_PER_LOOK, Some(look)).map_err(translate)
}

fn configure(
    connection: &rusqlite::Connection,
    role: Role,
    options: &StoreOptions,
) -> Result<(), StoreError> {
    let cache = match role {
        Role::Writer => options.sqlite_cache_kib,
        Role::Reader => options.sqlite_cache_kib / 8,
    };
    if role == Role::Writer {
        enter_log_mode(connection, options.busy_timeout)?;
    }
    // No memory map: its pages count as this process's memory. Temporary data, the journals of savepoints among it,
    // stays in memory.
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0;
             PRAGMA cache_size=-{cache}; PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES};
             PRAGMA journal_size_limit={LOG_BYTES}; PRAGMA case_sensitive_like=ON;"
        ))
        .map_err(translate)?;
    if role == Role::Writer {
        // It looks up by keys alone: no value of a parameter is worth another plan.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(translate)?;
    }
    if role == Role::Reader {
        connection.execute_batch("PRAGMA query_only=ON;").map_err(translate)?;
    }
    Ok(())
}

/// Switches the file to write-ahead logging. SQLite does not ask the busy handler when two processes do so at once.
fn enter_log_mode(connection: &rusqlite::Connection, limit: Duration) -> Result<(), StoreError> {
    let since = Instant::now();
    loop {
        let mode = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get::<_, String>(0));
        match mode.map_err(translate) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Engine(format!(
                    "the file system allows no write-ahead log, only {mode}"
                )));
            }
            Err(StoreError::Conflict(_)) if since.elapsed() < limit => std::thread::park_timeout(BUSY_POLL),
            Err(error) => return Err(error),
        }
    }
}

fn translate(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Conflict(error.to_string()),
        Some(ErrorCode::OperationInterrupted) => StoreError::Timeout,
        _ => StoreError::Engine(error.to_string()),
    }
}

struct Bound<'a>(&'a Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Param::Null => ValueRef::Null,
            Param::Bool(flag) => ValueRef::Integer((*flag).into()),
            Param::Integer(number) => ValueRef::Integer(*number),
            Param::Text(text) => ValueRef::Text(text.as_bytes()),
            Param::Uuid(id) => ValueRef::Blob(id.as_bytes()),
            Param::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn decode(index: usize, value: ValueRef<'_>) -> Result<Value, StoreError> {
    let wrong = |found| StoreError::Decode { column: index + 1, found, wanted: "a type of the book" };
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(bytes) => {
            Value::Text(std::str::from_utf8(bytes).map_err(|_| wrong("text that is not UTF-8"))?.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_owned()),
        ValueRef::Real(_) => return Err(wrong("a floating point number")),
    })
}

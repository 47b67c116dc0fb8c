//! One connection to PostgreSQL, driven by the thread that owns it.
//!
//! What needs no answer of its own (BEGIN, SAVEPOINT, RELEASE) is kept back and sent in front of the next statement,
//! so that it costs no round trip.

use super::url::{Target, cause};
use crate::ROWS_LIMIT;
use crate::positions::Positions;
use crate::value::check_params;
use crate::{Connection, Engine, Outcome, Param, Row, StoreError, StoreOptions, Value};
use futures_util::TryStreamExt;
use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// Statements kept prepared by a connection. More than the program has.
const STATEMENTS: usize = 1000;
/// How much longer than the server's own limit the client waits, for a server that does not answer at all.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) struct PostgresConnection {
    target: Arc<Target>,
    runtime: Runtime,
    link: Option<Link>,
    statement_timeout: Duration,
    /// Statements to send in front of the next one.
    kept_back: String,
    /// The first statement that failed outside a savepoint that was rolled back: the transaction must not commit.
    failure: Option<StoreError>,
    depth: u32,
    /// The server or the network ended the connection while a transaction was open and COMMIT was not yet sent.
    was_lost: bool,
    positions: Positions,
}

struct Link {
    client: Client,
    statements: HashMap<Box<str>, Statement>,
}

/// How a commit ended.
pub(crate) enum CommitError {
    /// PostgreSQL answered that it did not commit.
    NotCommitted(StoreError),
    /// There was no answer: the transaction may or may not be durable.
    Unknown(StoreError),
}

impl PostgresConnection {
    /// A connection that is opened by [`PostgresConnection::connect`].
    pub(crate) fn new(target: Arc<Target>, options: &StoreOptions) -> Result<PostgresConnection, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Engine(format!("no runtime for a connection: {error}")))?;
        Ok(PostgresConnection {
            target,
            runtime,
            link: None,
            statement_timeout: options.statement_timeout,
            kept_back: String::new(),
            failure: None,
            depth: 0,
            was_lost: false,
            positions: Positions::default(),
        })
    }

    /// Whether the connection was opened and nobody noticed its end.
    pub(crate) fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.client.is_closed())
    }

    /// Whether the transaction ended with its connection, so that it is certain that nothing of it stays.
    pub(crate) fn was_lost(&self) -> bool {
        self.was_lost
    }

    /// Opens the connection anew.
    pub(crate) fn connect(&mut self) -> Result<(), StoreError> {
        self.disconnect();
        let target = Arc::clone(&self.target);
        let settings = format!(
            "SET statement_timeout = {limit}; SET idle_in_transaction_session_timeout = {idle}; \
             SET client_min_messages = warning",
            limit = self.statement_timeout.as_millis(),
            idle = (self.statement_timeout + GRACE).as_millis(),
        );
        let client = self.runtime.block_on(async {
            let client = match &target.tls {
                None => {
                    let (client, connection) = target.config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    client
                }
                Some(tls) => {
                    let (client, connection) = target.config.connect(tls.clone()).await?;
                    tokio::spawn(connection);
                    client
                }
            };
            client.batch_execute(&settings).await?;
            Ok::<_, tokio_postgres::Error>(client)
        });
        let client = client.map_err(|error| StoreError::Unreachable(cause(&error)))?;
        self.link = Some(Link { client, statements: HashMap::new() });
        Ok(())
    }

    /// Drops the connection; the server rolls back what it held.
    pub(crate) fn disconnect(&mut self) {
        self.link = None;
        self.kept_back.clear();
    }

    /// Lets statements take their time, for migrations.
    pub(crate) fn lift_limits(&mut self) -> Result<(), StoreError> {
        self.statement_timeout = Duration::from_secs(24 * 3600);
        self.batch("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    }

    /// Begins a transaction with the next statement. `begin` is the text that does.
    pub(crate) fn begin(&mut self, begin: &str) {
        self.failure = None;
        self.depth = 0;
        self.was_lost = false;
        self.kept_back.clear();
        self.kept_back.push_str(begin);
    }

    /// Commits. Nothing is sent when no statement was.
    pub(crate) fn commit(&mut self) -> Result<(), CommitError> {
        if self.has_not_begun() {
            self.kept_back.clear();
            return Ok(());
        }
        let mut text = std::mem::take(&mut self.kept_back);
        append(&mut text, "COMMIT");
        let Some(link) = &self.link else {
            return Err(CommitError::NotCommitted(lost()));
        };
        let limit = self.statement_timeout + GRACE;
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, link.client.batch_execute(&text)).await });
        match answer {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if !is_loss(&error) => Err(CommitError::NotCommitted(translate(&error))),
            Ok(Err(error)) => Err(self.unknown(&cause(&error))),
            Err(_) => Err(self.unknown("no answer")),
        }
    }

    fn unknown(&mut self, why: &str) -> CommitError {
        self.disconnect();
        CommitError::Unknown(StoreError::Unreachable(format!(
            "whether the transaction was committed is unknown: {why}"
        )))
    }

    /// Rolls back; a connection that cannot is dropped.
    pub(crate) fn rollback(&mut self) {
        let has_begun = !self.has_not_begun();
        self.kept_back.clear();
        self.failure = None;
        if has_begun && self.is_connected() && self.batch("ROLLBACK").is_err() {
            self.disconnect();
        }
    }

    /// The error that a closure passed over, if any.
    pub(crate) fn take_failure(&mut self) -> Option<StoreError> {
        self.depth = 0;
        self.failure.take()
    }

    /// Runs several statements without parameters.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        let before = std::mem::take(&mut self.kept_back);
        let link = self.link.as_ref().ok_or_else(lost)?;
        let limit = self.statement_timeout + GRACE;
        let result = send(&self.runtime, &link.client, &before, limit, link.client.batch_execute(sql));
        self.settle(result)
    }

    fn has_not_begun(&self) -> bool {
        self.kept_back.starts_with("BEGIN")
    }

    /// The statement, prepared on this connection once.
    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(error) = &self.failure {
            return Err(error.clone());
        }
        let link = self.link.as_mut().ok_or_else(lost)?;
        if let Some(statement) = link.statements.get(sql) {
            return Ok(statement.clone());
        }
        if link.statements.len() >= STATEMENTS {
            link.statements.clear();
        }
        let before = std::mem::take(&mut self.kept_back);
        let limit = self.statement_timeout + GRACE;
        let prepared = send(&self.runtime, &link.client, &before, limit, link.client.prepare(sql));
        let statement = self.settle(prepared)?;
        if let Some(link) = &mut self.link {
            link.statements.insert(sql.into(), statement.clone());
        }
        Ok(statement)
    }

    fn settle<T>(&mut self, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| match failure {
            Failure::Statement(error) if is_loss(&error) => {
                self.disconnect();
                self.was_lost = true;
                translate(&error)
            }
            Failure::Statement(error) if is_outdated(&error) => {
                // Another node changed the schema: prepare everything anew and run again.
                self.disconnect();
                StoreError::Conflict(cause(&error))
            }
            Failure::Statement(error) => translate(&error),
            Failure::Silence => {
                self.disconnect();
                StoreError::Timeout
            }
            // The statement may have run outside a transaction. Nothing may run it again.
            Failure::Before(error) => {
                self.disconnect();
                StoreError::Unreachable(format!("a transaction did not begin: {}", cause(&error)))
            }
        })
    }

    fn guarded<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.failure.get_or_insert_with(|| error.clone());
        }
        result
    }

    fn execute_inner(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        let before = std::mem::take(&mut self.kept_back);
        let link = self.link.as_ref().ok_or_else(lost)?;
        let limit = self.statement_timeout + GRACE;
        let request = link.client.execute_raw(&statement, params.iter().map(Bound));
        let result = send(&self.runtime, &link.client, &before, limit, request);
        self.settle(result)
    }

    fn query_inner(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let before = std::mem::take(&mut self.kept_back);
        let link = self.link.as_ref().ok_or_else(lost)?;
        let bound: Vec<Bound<'_, '_>> = params.iter().map(Bound).collect();
        let limit = self.statement_timeout + GRACE;
        let request = async {
            let mut stream = pin!(link.client.query_raw(&statement, &bound).await?);
            let mut rows = Vec::new();
            while let Some(row) = stream.try_next().await? {
                if rows.len() == ROWS_LIMIT {
                    return Ok(Err(StoreError::TooManyRows));
                }
                rows.push(row);
            }
            Ok(Ok(rows))
        };
        let rows = send(&self.runtime, &link.client, &before, limit, request);
        self.settle(rows)??.iter().map(decode).collect()
    }
}

enum Failure {
    Statement(tokio_postgres::Error),
    Before(tokio_postgres::Error),
    Silence,
}

/// Sends `before` and `request` together and waits for both answers.
fn send<T>(
    runtime: &Runtime,
    client: &Client,
    before: &str,
    limit: Duration,
    request: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    let both = async {
        if before.is_empty() {
            return request.await.map_err(Failure::Statement);
        }
        let (first, second) = tokio::join!(biased; client.batch_execute(before), request);
        match (first, second) {
            (Ok(()), second) => second.map_err(Failure::Statement),
            // A lost connection, or a transaction that was already spoiled: the statement failed as well.
            (Err(_), Err(second)) => Err(Failure::Statement(second)),
            (Err(first), Ok(_)) => Err(Failure::Before(first)),
        }
    };
    runtime.block_on(async { tokio::time::timeout(limit, both).await.unwrap_or(Err(Failure::Silence)) })
}

fn append(text: &mut String, statement: &str) {
    if !text.is_empty() {
        text.push_str("; ");
    }
    text.push_str(statement);
}

impl Connection for PostgresConnection {
    fn engine(&self) -> Engine {
        Engine::Postgres
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
        append(&mut self.kept_back, &format!("SAVEPOINT s{name}"));
        self.depth += 1;
        let outcome = work(self);
        self.depth = name;
        let lost = self.failure.take();
        match (outcome, lost) {
            (Ok(()), None) => {
                append(&mut self.kept_back, &format!("RELEASE SAVEPOINT s{name}"));
                Ok(())
            }
            (outcome, lost) => {
                let mut text = std::mem::take(&mut self.kept_back);
                append(&mut text, &format!("ROLLBACK TO SAVEPOINT s{name}; RELEASE SAVEPOINT s{name}"));
                let undone = self.batch(&text);
                self.guarded(undone)?;
                outcome.and_then(|()| lost.map_or(Ok(()), |error| Err(error.into())))
            }
        }
    }
}

fn lost() -> StoreError {
    StoreError::Unreachable("the connection was lost".to_owned())
}

/// Whether the connection ended with this error.
fn is_loss(error: &tokio_postgres::Error) -> bool {
    let is_broken = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    let is_fatal = error.as_db_error().is_some_and(|error| matches!(error.severity(), "FATAL" | "PANIC"));
    error.is_closed() || is_broken || is_fatal
}

/// Whether a prepared statement no longer fits the schema.
fn is_outdated(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"))
}

fn translate(error: &tokio_postgres::Error) -> StoreError {
    if is_loss(error) {
        return StoreError::Unreachable(cause(error));
    }
    let Some(state) = error.code() else {
        return StoreError::Engine(cause(error));
    };
    // Two who make or name the same thing at once do not see each other before the index does: run again, the second one
    // finds what the first one made.
    if [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::UNIQUE_VIOLATION,
    ]
    .contains(state)
    {
        StoreError::Conflict(cause(error))
    } else if *state == SqlState::QUERY_CANCELED {
        StoreError::Timeout
    } else {
        StoreError::Engine(cause(error))
    }
}

/// A parameter, written as the type that the statement wants.
#[derive(Debug)]
struct Bound<'a, 'b>(&'a Param<'b>);

impl ToSql for Bound<'_, '_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match (self.0, ty) {
            (Param::Null, _) => Ok(IsNull::Yes),
            (Param::Bool(flag), &Type::BOOL) => flag.to_sql(ty, out),
            (Param::Integer(number), &Type::INT8) => number.to_sql(ty, out),
            (Param::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out),
            (Param::Integer(number), &Type::INT2) => i16::try_from(*number)?.to_sql(ty, out),
            (Param::Text(text), ty) if <&str as ToSql>::accepts(ty) => text.to_sql(ty, out),
            (Param::Uuid(id), &Type::UUID) => id.to_sql(ty, out),
            (Param::Uuid(id), &Type::BYTEA) => id.as_bytes().as_slice().to_sql(ty, out),
            (Param::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(ty, out),
            (param, ty) => Err(format!("{param:?} is no {ty}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn decode(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let columns = (0..row.len()).map(|index| {
        row.try_get::<_, Column>(index).map(|column| column.0).map_err(|error| {
            StoreError::Engine(format!("column {}: {}; CAST a sum to BIGINT", index + 1, cause(&error)))
        })
    });
    Ok(Row::new(columns.collect::<Result<Vec<_>, _>>()?))
}

struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Column, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Column(match *ty {
            Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
            Type::INT2 => Value::Integer(i16::from_sql(ty, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
            Type::UUID => Value::Uuid(Uuid::from_sql(ty, raw)?),
            Type::BYTEA => Value::Bytes(raw.to_owned()),
            _ => Value::Text(<&str as FromSql>::from_sql(ty, raw)?.to_owned()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Column, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Column(Value::Null))
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::UUID | Type::BYTEA)
            || <&str as FromSql>::accepts(ty)
    }
}

//! What an operation sees of a database: SQL in, rows out, inside one transaction that it neither begins nor ends.

use crate::positions::Positions;
use crate::{Param, Row, StoreError};

/// Most rows that one query answers. A list is whole or refused, never cut silently; what may be longer is read in
/// pages.
pub const ROWS_LIMIT: usize = 50_000;

/// The database engine behind a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded SQLite.
    Sqlite,
    /// PostgreSQL 14 or newer.
    Postgres,
}

/// A connection inside a transaction. Placeholders are `$1`, `$2`, … on both engines.
pub trait Connection {
    /// Which engine answers, for the few texts that must differ.
    fn engine(&self) -> Engine;

    /// Runs a statement and says how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError>;

    /// Runs a query and returns all its rows; refuses more than [`ROWS_LIMIT`].
    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError>;

    /// The first row, if any.
    fn query_optional(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// The one row that must be there.
    fn query_one(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Row, StoreError> {
        self.query_optional(sql, params)?.ok_or_else(|| StoreError::Corrupt(format!("no row: {sql}")))
    }

    /// What this connection learnt about the lists of accounts.
    fn positions(&mut self) -> &mut Positions;

    /// Runs `work` so that nothing of it stays when it fails, inside the transaction that goes on.
    fn savepoint(
        &mut self,
        work: &mut dyn FnMut(&mut dyn Connection) -> crate::Outcome<()>,
    ) -> crate::Outcome<()>;
}

/// The ending of a SELECT that locks its rows until the transaction ends. SQLite has one writer, which needs none.
pub(crate) fn for_update(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR UPDATE",
    }
}

/// `count` placeholders from `$first` on, for a list after `IN`.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    let each: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    each.join(", ")
}

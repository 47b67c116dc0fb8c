//! What can go wrong between the book and its database.

use billing::Refusal;

/// Why the storage did not answer. What a caller could mend is a [`Refusal`], but for the two that only the storage sees.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine refused the statement.
    #[error("the database failed: {0}")]
    Engine(String),
    /// The database cannot be reached, or was lost on the way; whether a change was made may be unknown.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The address of the database cannot be one.
    #[error("{0}")]
    Address(String),
    /// The database has no book, and none was to be made.
    #[error("there is no book there")]
    NoBook,
    /// Another transaction was in the way (serialization failure, deadlock, busy): the whole operation can run again.
    #[error("another transaction was in the way: {0}")]
    Conflict(String),
    /// The statement ran longer than it may.
    #[error("the database took too long")]
    Timeout,
    /// More requests wait than may wait.
    #[error("too many requests wait for the database")]
    Overloaded,
    /// A text of the request holds a NUL character, which no column can: the caller can mend that.
    #[error("a text holds a NUL character")]
    NulInText,
    /// A statement answers more than [`crate::ROWS_LIMIT`] rows: the caller can ask for a part of them.
    #[error("the answer has too many rows")]
    TooManyRows,
    /// A column is not of the type the program expects.
    #[error("column {column} holds {found} where {wanted} was expected")]
    Decode {
        /// The column, counted from one.
        column: usize,
        /// What it holds.
        found: &'static str,
        /// What the program expects.
        wanted: &'static str,
    },
    /// A row that must exist does not, or a stored text cannot be understood.
    #[error("the stored data is not as it must be: {0}")]
    Corrupt(String),
}

/// Why an operation did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an operation answers.
pub type Outcome<T> = Result<T, Error>;

//! Values that cross the boundary to a database, the same for both engines.

use crate::StoreError;
use uuid::Uuid;

/// A value bound to `$n` of an SQL text. Instants are bound as microseconds, money as minor units, dates and
/// decimals as text: no engine ever sees a floating point number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Param<'a> {
    /// SQL NULL.
    Null,
    /// BOOLEAN (0 or 1 in SQLite).
    Bool(bool),
    /// BIGINT.
    Integer(i64),
    /// TEXT.
    Text(&'a str),
    /// UUID (a BLOB of 16 bytes in SQLite).
    Uuid(Uuid),
    /// BYTEA (BLOB in SQLite).
    Bytes(&'a [u8]),
}

/// Refuses texts that PostgreSQL cannot hold, on both engines alike.
pub(crate) fn check_params(params: &[Param<'_>]) -> Result<(), StoreError> {
    let holds_nul = |param: &Param<'_>| matches!(param, Param::Text(text) if text.contains('\0'));
    if params.iter().any(holds_nul) { Err(StoreError::NulInText) } else { Ok(()) }
}

/// A value read from a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BOOLEAN from PostgreSQL; SQLite returns [`Value::Integer`].
    Bool(bool),
    /// BIGINT and every other integer.
    Integer(i64),
    /// TEXT.
    Text(String),
    /// UUID from PostgreSQL; SQLite returns [`Value::Bytes`].
    Uuid(Uuid),
    /// BYTEA or BLOB.
    Bytes(Vec<u8>),
}

/// One row of an answer, read column by column in the order of the SELECT list.
#[derive(Clone, Debug)]
pub struct Row {
    columns: std::vec::IntoIter<Value>,
    read: usize,
}

impl Row {
    /// Wraps the columns of one row.
    pub fn new(columns: Vec<Value>) -> Row {
        Row { columns: columns.into_iter(), read: 0 }
    }

    /// The next column, as `T`. A column of another type is a bug in the SQL, reported as [`StoreError::Decode`].
    #[allow(clippy::should_implement_trait, reason = "each call names the type that it wants")]
    pub fn next<T: FromValue>(&mut self) -> Result<T, StoreError> {
        self.read += 1;
        let value = self.columns.next().unwrap_or(Value::Null);
        let shown = format_kind(&value);
        T::from_value(value).ok_or(StoreError::Decode { column: self.read, found: shown, wanted: T::NAME })
    }
}

fn format_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL",
        Value::Bool(_) => "BOOLEAN",
        Value::Integer(_) => "BIGINT",
        Value::Text(_) => "TEXT",
        Value::Uuid(_) => "UUID",
        Value::Bytes(_) => "BYTEA",
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// The name of the type, for the error message.
    const NAME: &'static str;
    /// The value, or `None` when it is of another type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    const NAME: &'static str = "BIGINT";
    fn from_value(value: Value) -> Option<i64> {
        match value {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    }
}

impl FromValue for i32 {
    const NAME: &'static str = "INTEGER";
    fn from_value(value: Value) -> Option<i32> {
        i64::from_value(value).and_then(|number| i32::try_from(number).ok())
    }
}

impl FromValue for bool {
    const NAME: &'static str = "BOOLEAN";
    fn from_value(value: Value) -> Option<bool> {
        match value {
            Value::Bool(flag) => Some(flag),
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

impl FromValue for String {
    const NAME: &'static str = "TEXT";
    fn from_value(value: Value) -> Option<String> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue for Uuid {
    const NAME: &'static str = "UUID";
    fn from_value(value: Value) -> Option<Uuid> {
        match value {
            Value::Uuid(id) => Some(id),
            Value::Bytes(bytes) => Uuid::from_slice(&bytes).ok(),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    const NAME: &'static str = "BYTEA";
    fn from_value(value: Value) -> Option<Vec<u8>> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromValue for jiff::Timestamp {
    const NAME: &'static str = "instant in microseconds";
    fn from_value(value: Value) -> Option<jiff::Timestamp> {
        i64::from_value(value).and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;
    fn from_value(value: Value) -> Option<Option<T>> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Param<'a> {
        Param::Text(text)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Param<'a> {
        Param::Text(text)
    }
}
impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Param::Integer(number)
    }
}
impl From<i32> for Param<'_> {
    fn from(number: i32) -> Self {
        Param::Integer(number.into())
    }
}
impl From<bool> for Param<'_> {
    fn from(flag: bool) -> Self {
        Param::Bool(flag)
    }
}
impl From<Uuid> for Param<'_> {
    fn from(id: Uuid) -> Self {
        Param::Uuid(id)
    }
}
impl From<jiff::Timestamp> for Param<'_> {
    fn from(at: jiff::Timestamp) -> Self {
        Param::Integer(at.as_microsecond())
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Param<'a> {
        Param::Bytes(bytes)
    }
}
impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(bytes: &'a Vec<u8>) -> Param<'a> {
        Param::Bytes(bytes)
    }
}
impl<'a> From<&'a Option<String>> for Param<'a> {
    fn from(text: &'a Option<String>) -> Param<'a> {
        text.as_deref().map_or(Param::Null, Param::Text)
    }
}
impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Param<'a> {
        value.map_or(Param::Null, Into::into)
    }
}

//! Pages of lists that are kept in the order in which their rows were made.

use crate::{Connection, Param, Row, StoreError};

/// Rows are counted up to here; a larger list is "more than that", so that no answer costs the whole table.
pub const COUNT_LIMIT: i64 = 20_000;

/// Most rows on one page.
pub const SIZE_LIMIT: i64 = 1_000;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many rows are passed over.
    pub offset: i64,
    /// How many rows are wanted.
    pub size: i64,
    /// Newest first.
    pub is_descending: bool,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of the window.
    pub items: Vec<T>,
    /// How many rows the list has, if at most [`COUNT_LIMIT`].
    pub total: Option<i64>,
    /// Whether rows follow this window.
    pub has_more: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Page { items: Vec::new(), total: Some(0), has_more: false }
    }
}

/// Selects a window of `from` (a table with its condition, whose parameters are `params`) by record id.
pub fn select<T>(
    tx: &mut dyn Connection,
    window: Window,
    columns: &str,
    from: &str,
    params: &[Param<'_>],
    read: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let size = window.size.clamp(0, SIZE_LIMIT);
    let direction = if window.is_descending { "DESC" } else { "ASC" };
    let next = params.len() + 1;
    let sql = format!(
        "SELECT {columns} FROM {from} ORDER BY record_id {direction} LIMIT ${next} OFFSET ${}",
        next + 1
    );
    let mut bound = params.to_vec();
    bound.push((size + 1).into());
    bound.push(window.offset.into());
    let mut rows = tx.query(&sql, &bound)?;
    let has_more = i64::try_from(rows.len()).is_ok_and(|found| found > size);
    if has_more {
        rows.pop();
    }
    let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page { items, total: count(tx, from, params)?, has_more })
}

/// How many rows `from` has, if at most [`COUNT_LIMIT`].
pub fn count(tx: &mut dyn Connection, from: &str, params: &[Param<'_>]) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {from} LIMIT {}) AS counted", COUNT_LIMIT + 1);
    let counted: i64 = tx.query_one(&sql, params)?.next()?;
    Ok((counted <= COUNT_LIMIT).then_some(counted))
}

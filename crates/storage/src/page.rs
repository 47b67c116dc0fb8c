//! Pages of lists that are kept in the order in which their rows were made.

use crate::{Connection, Param, Row, StoreError};

/// Rows are counted up to here; a larger list is "more than that", so that no answer costs the whole table.
pub const COUNT_LIMIT: i64 = 20_000;

/// Most rows on one page.
pub const SIZE_LIMIT: i64 = 5_000;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many rows are passed over.
    pub offset: i64,
    /// How many rows are wanted; at most [`SIZE_LIMIT`] come.
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

/// Selects a window of `from` (a table with its condition, whose parameters are `params`) by record id. An index that
/// has the columns of the condition and then `record_id` makes passing over rows cheap: only those of the window are
/// read whole.
pub fn select<T>(
    tx: &mut dyn Connection,
    window: Window,
    columns: &str,
    from: &str,
    params: &[Param<'_>],
    read: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let total = count(tx, from, params)?;
    select_counted(tx, window, columns, from, params, total, read)
}

/// [`select`] of a list whose rows were counted already.
pub(crate) fn select_counted<T>(
    tx: &mut dyn Connection,
    window: Window,
    columns: &str,
    from: &str,
    params: &[Param<'_>],
    total: Option<i64>,
    read: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let table = from.split_whitespace().next().unwrap_or_default();
    let rows = read_window(tx, window, columns, table, &format!("{from} ORDER BY record_id"), params)?;
    finish(rows, window, total, read)
}

/// What a search looks through.
pub struct Source<'a> {
    /// The table whose rows are found.
    pub table: &'static str,
    /// Tables and condition; one of the columns is the `record_id` of the rows found.
    pub from: String,
    /// The parameters of the condition.
    pub params: Vec<Param<'a>>,
}

/// Selects a window of what a search finds. Few matches are collected through the index of what was searched for and
/// sorted; of many the window is filled by walking the list in its order. Left to itself, an engine without statistics
/// walks the whole list for one match.
pub fn search<T>(
    tx: &mut dyn Connection,
    window: Window,
    columns: &str,
    source: &Source<'_>,
    read: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let Source { table, from, params } = source;
    let total = count(tx, from, params)?;
    if total.is_some_and(|total| total <= window.offset) {
        return Ok(Page { items: Vec::new(), total, has_more: false });
    }
    // The sign keeps an engine from walking the list just because it has the right order.
    let sign = if total.is_some() { "+" } else { "" };
    let rows = read_window(tx, window, columns, table, &format!("{from} ORDER BY {sign}record_id"), params)?;
    finish(rows, window, total, read)
}

fn read_window(
    tx: &mut dyn Connection,
    window: Window,
    columns: &str,
    table: &str,
    ordered: &str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, StoreError> {
    let direction = if window.is_descending { "DESC" } else { "ASC" };
    let next = params.len() + 1;
    let sql = format!(
        "SELECT {columns} FROM {table} WHERE record_id IN
             (SELECT record_id FROM {ordered} {direction} LIMIT ${next} OFFSET ${})
         ORDER BY record_id {direction}",
        next + 1
    );
    let mut bound = params.to_vec();
    bound.push((size(window) + 1).into());
    bound.push(window.offset.into());
    tx.query(&sql, &bound)
}

fn size(window: Window) -> i64 {
    window.size.clamp(0, SIZE_LIMIT)
}

fn finish<T>(
    mut rows: Vec<Row>,
    window: Window,
    total: Option<i64>,
    read: impl Fn(Row) -> Result<T, StoreError>,
) -> Result<Page<T>, StoreError> {
    let has_more = i64::try_from(rows.len()).is_ok_and(|found| found > size(window));
    if has_more {
        rows.pop();
    }
    let items = rows.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page { items, total, has_more })
}

/// How many rows `from` has, if at most [`COUNT_LIMIT`].
pub fn count(tx: &mut dyn Connection, from: &str, params: &[Param<'_>]) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {from} LIMIT {}) AS counted", COUNT_LIMIT + 1);
    let counted: i64 = tx.query_one(&sql, params)?.next()?;
    Ok((counted <= COUNT_LIMIT).then_some(counted))
}

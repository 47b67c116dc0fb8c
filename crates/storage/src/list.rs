//! Lists that callers search, sort and page through as they like, of columns that are known beforehand.

use crate::search::folded_pattern;
use crate::{Connection, Engine, Param, Row, StoreError, Value};
use jiff::Timestamp;
use std::cell::Cell;

/// A name that callers know, and the column or expression it stands for.
pub type Column = (&'static str, &'static str);

/// What a list may be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its tables.
    pub from: &'static str,
    /// What may be searched.
    pub searched: &'static [Column],
    /// What it may be sorted by.
    pub sorted: &'static [Column],
    /// The order behind the one asked for; whole, so that pages neither overlap nor leave a gap.
    pub default_order: &'static str,
    /// The instant that dates apply to.
    pub dated: &'static str,
    /// Whether search terms are split at spaces, too.
    pub splits_words: bool,
}

/// A list with its conditions, to be counted and read in pages.
#[derive(Clone, Debug)]
pub struct List {
    spec: Spec,
    engine: Engine,
    conditions: Vec<String>,
    params: Vec<Value>,
    order: Vec<String>,
    lookup: Option<Lookup>,
    counted_in: Option<&'static str>,
    counted: Cell<Option<i64>>,
}

/// A quick way to the few rows of a list that can meet one of its conditions.
#[derive(Clone, Debug)]
struct Lookup {
    from: &'static str,
    condition: String,
}

/// A list of more rows than this is sooner read in its order, up to the wanted page, than looked up and sorted.
const LOOKUP_LIMIT: i64 = 5_000;

impl List {
    /// All rows of the tables, in the default order.
    pub fn new(engine: Engine, spec: Spec) -> List {
        List {
            spec,
            engine,
            conditions: Vec::new(),
            params: Vec::new(),
            order: Vec::new(),
            lookup: None,
            counted_in: None,
            counted: Cell::new(None),
        }
    }

    /// Keeps a value for a condition, and says by which placeholder.
    pub fn bind(&mut self, value: Value) -> String {
        self.params.push(value);
        format!("${}", self.params.len())
    }

    /// Keeps only the rows that meet a condition.
    pub fn filter(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    /// Keeps only the rows where one of the columns holds one of the terms, in any case. Without terms, all stay.
    pub fn search(&mut self, fields: &[&str], terms: &[String]) {
        if terms.is_empty() {
            return;
        }
        self.counted_in = None;
        let columns: Vec<&'static str> = self
            .spec
            .searched
            .iter()
            .filter(|(name, _)| fields.contains(name))
            .map(|(_, column)| *column)
            .collect();
        let mut alternatives = Vec::new();
        for term in terms {
            let pattern = folded_pattern(term);
            let placeholder = self.bind(Value::Text(pattern));
            for column in &columns {
                alternatives.push(format!("LOWER({column}) LIKE {placeholder} ESCAPE '\\'"));
            }
        }
        self.filter(format!("({})", alternatives.join(" OR ")));
    }

    /// Keeps only the rows where `column`, which is in lower case, holds one of the terms.
    pub fn hold(&mut self, column: &str, terms: &[String]) {
        let each = terms.iter().map(|term| {
            let placeholder = self.bind(Value::Text(folded_pattern(term)));
            format!("{column} LIKE {placeholder} ESCAPE '\\'")
        });
        let alternatives: Vec<String> = each.collect();
        self.filter(format!("({})", alternatives.join(" OR ")));
    }

    /// Says where only rows stand that can meet the list's conditions: in `from`, which has its tables, where `condition`
    /// is met. It changes nothing but how quick few rows are found.
    pub fn look_up(&mut self, from: &'static str, condition: String) {
        self.lookup = Some(Lookup { from, condition });
    }

    /// Says which of its tables alone have all its rows and what its conditions name, as long as nothing is searched.
    pub fn count_in(&mut self, from: &'static str) {
        self.counted_in = Some(from);
    }

    /// Keeps only the rows from `since` on and before `until`.
    pub fn between(&mut self, since: Option<Timestamp>, until: Option<Timestamp>) {
        let dated = self.spec.dated;
        for (bound, operator) in [(since, ">="), (until, "<")] {
            if let Some(at) = bound {
                let placeholder = self.bind(Value::Integer(at.as_microsecond()));
                self.filter(format!("{dated} {operator} {placeholder}"));
            }
        }
    }

    /// Sorts by one more column, if it is known.
    pub fn order_by(&mut self, name: &str, is_reverse: bool) {
        if let Some((_, column)) = self.spec.sorted.iter().find(|(known, _)| *known == name) {
            self.order.push(format!("{column}{}", if is_reverse { " DESC" } else { "" }));
        }
    }

    /// How many rows there are.
    pub fn count(&self, tx: &mut dyn Connection) -> Result<i64, StoreError> {
        let count = self.total(tx, "COUNT(*)")?.next()?;
        self.counted.set(Some(count));
        Ok(count)
    }

    /// Aggregates over all rows.
    pub(crate) fn total(&self, tx: &mut dyn Connection, columns: &str) -> Result<Row, StoreError> {
        let sql = match self.counted_in {
            Some(from) => format!("SELECT {columns} FROM {}", self.filtered(from, None)),
            None => format!("SELECT {columns} FROM {}", self.source(true)),
        };
        tx.query_one(&self.dialect(sql), &self.bound())
    }

    /// How many rows there are, but no more than `limit`.
    pub fn count_to(&self, tx: &mut dyn Connection, limit: i64) -> Result<i64, StoreError> {
        let mut params = self.bound();
        params.push(limit.into());
        let place = params.len();
        let sql =
            format!("SELECT COUNT(*) FROM (SELECT 1 FROM {} LIMIT ${place}) AS found", self.source(true));
        tx.query_one(&self.dialect(sql), &params)?.next()
    }

    /// Up to `limit` rows behind the first `offset`.
    pub fn rows<T>(
        &self,
        tx: &mut dyn Connection,
        columns: &str,
        (offset, limit): (i64, i64),
        read: impl Fn(Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut order = self.order.clone();
        order.push(self.spec.default_order.to_owned());
        let mut params = self.bound();
        params.push(limit.into());
        params.push(offset.into());
        let sql = format!(
            "SELECT {columns} FROM {} ORDER BY {} LIMIT ${} OFFSET ${}",
            self.source(self.counted.get().is_none_or(|count| count <= LOOKUP_LIMIT)),
            order.join(", "),
            params.len() - 1,
            params.len()
        );
        tx.query(&self.dialect(sql), &params)?.into_iter().map(read).collect()
    }

    fn source(&self, is_looked_up: bool) -> String {
        match self.lookup.as_ref().filter(|_| is_looked_up) {
            Some(lookup) => self.filtered(lookup.from, Some(&lookup.condition)),
            None => self.filtered(self.spec.from, None),
        }
    }

    fn filtered(&self, from: &str, condition: Option<&String>) -> String {
        let conditions: Vec<&str> = self.conditions.iter().chain(condition).map(String::as_str).collect();
        let conditions = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
        format!("{from} WHERE {conditions}")
    }

    /// The one function of the columns that the engines call differently.
    fn dialect(&self, sql: String) -> String {
        match self.engine {
            Engine::Sqlite => sql,
            Engine::Postgres => sql.replace("INSTR(", "STRPOS("),
        }
    }

    fn bound(&self) -> Vec<Param<'_>> {
        self.params
            .iter()
            .map(|value| match value {
                Value::Null => Param::Null,
                Value::Bool(flag) => Param::Bool(*flag),
                Value::Integer(number) => Param::Integer(*number),
                Value::Text(text) => Param::Text(text),
                Value::Uuid(id) => Param::Uuid(*id),
                Value::Bytes(bytes) => Param::Bytes(bytes),
            })
            .collect()
    }
}

//! Finding accounts by a part of their name, e-mail, key or company.
//!
//! `accounts.search_text` holds these, lower-cased, a line each. SQLite finds substrings by an FTS5 index of
//! trigrams, to which the newest accounts are added many at a time; PostgreSQL by a GIN index of `pg_trgm`. A needle
//! of fewer than three characters has no trigram: then the tenant's accounts are read.

use crate::list::List;
use crate::{Connection, Engine, Param, StoreError, Value};
use std::collections::{BTreeSet, HashMap};

/// Trigrams of a needle that are considered.
const TRIGRAMS_CONSIDERED: usize = 64;
/// Trigrams of one needle that are looked up, the rarest. More make the look-up slower and hardly sharper.
const TRIGRAMS_LOOKED_UP: usize = 4;

/// Where to look for the accounts whose `search_text` holds a needle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Haystack {
    /// Tables and condition, with the account's `record_id`, whose placeholder `$1` is the tenant and `$2` and up are the texts.
    pub from: String,
    /// The values of the placeholders.
    pub texts: Vec<String>,
}

/// The tenant's accounts whose `search_text` holds `needle`, in any case. `%`, `_` and `\` have no special meaning.
pub fn accounts_with(tx: &mut dyn Connection, needle: &str) -> Result<Haystack, StoreError> {
    let needle = needle.to_lowercase();
    let pattern = like_pattern(&needle);
    let condition = "accounts.tenant_id = $1 AND accounts.search_text LIKE $2 ESCAPE '\\'";
    let trigrams = trigrams(&needle);
    if tx.engine() == Engine::Postgres || trigrams.is_empty() {
        let from = format!("accounts WHERE {condition}");
        return Ok(Haystack { from, texts: vec![pattern] });
    }
    let trigrams = fts_query(&rarest(tx, trigrams)?);
    // The index in front, in its own order: many matches are passed over without being collected first. What came too
    // late for it is read.
    let from = format!(
        "(SELECT account_search.rowid AS record_id
          FROM account_search CROSS JOIN accounts ON accounts.record_id = account_search.rowid
          WHERE account_search MATCH $3 AND {condition}
          UNION ALL SELECT accounts.record_id FROM accounts
          WHERE accounts.record_id > (SELECT indexed_until FROM account_search_state) AND {condition}) AS found"
    );
    Ok(Haystack { from, texts: vec![pattern, trigrams] })
}

/// An index of trigrams of the texts that a list's rows are found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextIndex {
    /// The column with the texts, in lower case, a field a line.
    pub(crate) column: &'static str,
    /// SQLite's index with the list's tables.
    pub(crate) from: &'static str,
    /// SQLite's index.
    pub(crate) table: &'static str,
}

/// Keeps only the rows of a list of which one of `fields` holds one of the terms, in any case. With the fields goes whether
/// they are all that the texts hold.
pub(crate) fn narrow(
    tx: &mut dyn Connection,
    list: &mut List,
    index: TextIndex,
    (fields, is_all): (&[&str], bool),
    terms: &[String],
) -> Result<(), StoreError> {
    if terms.is_empty() {
        return Ok(());
    }
    // No field has two lines, but the text in which they are put together has.
    let is_one_line = !terms.iter().any(|term| term.contains('\n'));
    if is_one_line {
        list.hold(index.column, terms);
    }
    if !is_one_line || !is_all {
        list.search(fields, terms);
    }
    if tx.engine() == Engine::Sqlite
        && let Some(query) = index_query(tx, terms)?
    {
        let query = list.bind(Value::Text(query));
        list.look_up(index.from, format!("{} MATCH {query}", index.table));
    }
    Ok(())
}

/// The FTS5 query for rows that can hold one of the terms, `a` to `z` in any case. `None` when one of them is too short to
/// be looked up. What is rare among the accounts is taken to be rare everywhere.
fn index_query(tx: &mut dyn Connection, terms: &[String]) -> Result<Option<String>, StoreError> {
    let mut alternatives = Vec::new();
    for term in terms {
        let trigrams = trigrams(&term.to_ascii_lowercase());
        if trigrams.is_empty() {
            return Ok(None);
        }
        alternatives.push(format!("({})", fts_query(&rarest(tx, trigrams)?)));
    }
    Ok(Some(alternatives.join(" OR ")))
}

/// The pattern for a `LOWER(column) LIKE` that finds `needle`, `a` to `z` in any case: `LOWER` knows no other letters, in
/// SQLite nor in PostgreSQL's collation C, which all columns have.
pub(crate) fn folded_pattern(needle: &str) -> String {
    like_pattern(&needle.to_ascii_lowercase())
}

fn like_pattern(needle: &str) -> String {
    let mut pattern = String::with_capacity(needle.len() + 2);
    pattern.push('%');
    for character in needle.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// The trigrams of a text, each once.
pub(crate) fn trigrams(text: &str) -> BTreeSet<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.windows(3).map(|three| three.iter().collect()).collect()
}

/// Those of the trigrams that the fewest accounts of the sample have.
fn rarest(tx: &mut dyn Connection, trigrams: BTreeSet<String>) -> Result<Vec<String>, StoreError> {
    let mut trigrams: Vec<String> = trigrams.into_iter().take(TRIGRAMS_CONSIDERED).collect();
    if trigrams.len() > TRIGRAMS_LOOKED_UP {
        let placeholders: Vec<String> = (1..=trigrams.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "SELECT trigram, occurrences FROM account_search_sample WHERE trigram IN ({})",
            placeholders.join(", ")
        );
        let params: Vec<Param<'_>> = trigrams.iter().map(Param::from).collect();
        let mut occurrences: HashMap<String, i64> = HashMap::new();
        for mut row in tx.query(&sql, &params)? {
            occurrences.insert(row.next()?, row.next()?);
        }
        trigrams.sort_by_key(|trigram| occurrences.get(trigram).copied().unwrap_or(0));
        trigrams.truncate(TRIGRAMS_LOOKED_UP);
    }
    Ok(trigrams)
}

/// Trigrams as an FTS5 query: each must occur. LIKE then says whether the needle does.
fn fts_query(trigrams: &[String]) -> String {
    let quoted = trigrams.iter().map(|trigram| format!("\"{}\"", trigram.replace('"', "\"\"")));
    quoted.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_quotes_are_literal() {
        assert_eq!(like_pattern("5%_\\\""), "%5\\%\\_\\\\\"%");
        let trigrams: Vec<String> = trigrams("5%_\"").into_iter().collect();
        assert_eq!(fts_query(&trigrams), "\"%_\"\"\" AND \"5%_\"");
    }

    #[test]
    fn trigrams_are_of_characters_and_come_once() {
        assert!(trigrams("Äb").is_empty());
        assert_eq!(trigrams("äbcäbc").into_iter().collect::<Vec<_>>(), ["bcä", "cäb", "äbc"]);
    }
}

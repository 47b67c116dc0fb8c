//! Finding accounts by a part of their name, e-mail, key or company.
//!
//! `accounts.search_text` holds these, lower-cased, a line each. SQLite finds substrings by an FTS5 index of
//! trigrams, to which the newest accounts are added many at a time; PostgreSQL by a GIN index of `pg_trgm`. A needle
//! of fewer than three characters has no trigram: then the tenant's accounts are read.

use crate::{Engine, Param};

/// A condition on `accounts` with the values of its placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPredicate {
    /// SQL text, true for the rows of `accounts` that hold the needle.
    pub sql: String,
    texts: Vec<String>,
}

impl SearchPredicate {
    /// The values of the placeholders, in order, to follow those that the query has before.
    pub fn params(&self) -> impl Iterator<Item = Param<'_>> {
        self.texts.iter().map(|text| Param::Text(text))
    }
}

/// The condition under which an account's `search_text` holds `needle`, which the caller lower-cased. Its
/// placeholders begin at `$first`. `%`, `_` and `\` have no special meaning.
pub fn search_accounts_predicate(engine: Engine, needle: &str, first: usize) -> SearchPredicate {
    let like = format!("accounts.search_text LIKE ${first} ESCAPE '\\'");
    let pattern = like_pattern(needle);
    let trigrams = trigrams(needle);
    if engine == Engine::Postgres || trigrams.is_empty() {
        return SearchPredicate { sql: like, texts: vec![pattern] };
    }
    let second = first + 1;
    SearchPredicate {
        sql: format!(
            "accounts.record_id IN (
                 SELECT rowid FROM account_search WHERE account_search MATCH ${second}
                 UNION ALL SELECT recent.record_id FROM accounts AS recent
                 WHERE recent.record_id > (SELECT indexed_until FROM account_search_state)
             ) AND {like}"
        ),
        texts: vec![pattern, trigrams],
    }
}

pub(crate) fn like_pattern(needle: &str) -> String {
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

/// The needle's trigrams as an FTS5 query: each must occur. LIKE then says whether they do so in a row.
fn trigrams(needle: &str) -> String {
    let characters: Vec<char> = needle.chars().collect();
    let quoted = characters.windows(3).map(|three| {
        let text: String = three.iter().collect();
        format!("\"{}\"", text.replace('"', "\"\""))
    });
    quoted.collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_quotes_are_literal() {
        let predicate = search_accounts_predicate(Engine::Sqlite, "5%_\\\"", 3);
        assert!(predicate.sql.contains("$3") && predicate.sql.contains("MATCH $4"), "{}", predicate.sql);
        let params: Vec<_> = predicate.params().collect();
        assert_eq!(
            params,
            [Param::Text("%5\\%\\_\\\\\"%"), Param::Text("\"5%_\" AND \"%_\\\" AND \"_\\\"\"\"")]
        );
    }

    #[test]
    fn a_short_needle_has_no_trigram() {
        let predicate = search_accounts_predicate(Engine::Sqlite, "äb", 1);
        assert_eq!(predicate.sql, "accounts.search_text LIKE $1 ESCAPE '\\'");
        assert_eq!(predicate.params().collect::<Vec<_>>(), [Param::Text("%äb%")]);
    }
}

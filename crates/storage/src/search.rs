//! Finding accounts by a part of their name, e-mail, key or company.
//!
//! `accounts.search_text` holds these, lower-cased, a line each. SQLite finds substrings by an FTS5 index of
//! trigrams, to which the newest accounts are added many at a time; PostgreSQL by a GIN index of `pg_trgm`. A needle
//! of fewer than three characters has no trigram: then the tenant's accounts are read.

use crate::Engine;

/// Trigrams that are looked up of one needle. More make the look-up slower and hardly sharper, and FTS5 takes no
/// more than some hundreds.
const TRIGRAMS_LIMIT: usize = 24;

/// Where to look for the accounts whose `search_text` holds a needle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Haystack {
    /// Tables and condition, with the account's `record_id`, whose placeholder `$1` is the tenant and `$2` and up are the texts.
    pub from: String,
    /// The values of the placeholders.
    pub texts: Vec<String>,
}

/// The tenant's accounts whose `search_text` holds `needle`, in any case. `%`, `_` and `\` have no special meaning.
pub fn accounts_with(engine: Engine, needle: &str) -> Haystack {
    let needle = needle.to_lowercase();
    let pattern = like_pattern(&needle);
    let condition = "accounts.tenant_id = $1 AND accounts.search_text LIKE $2 ESCAPE '\\'";
    let trigrams = trigrams(&needle);
    if engine == Engine::Postgres || trigrams.is_empty() {
        let from = format!("accounts WHERE {condition}");
        return Haystack { from, texts: vec![pattern] };
    }
    // The index in front, in its own order: many matches are passed over without being collected first. What came too
    // late for it is read.
    let from = format!(
        "(SELECT account_search.rowid AS record_id
          FROM account_search CROSS JOIN accounts ON accounts.record_id = account_search.rowid
          WHERE account_search MATCH $3 AND {condition}
          UNION ALL SELECT accounts.record_id FROM accounts
          WHERE accounts.record_id > (SELECT indexed_until FROM account_search_state) AND {condition}) AS found"
    );
    Haystack { from, texts: vec![pattern, trigrams] }
}

/// The pattern for a `LOWER(column) LIKE` that finds `needle` in any case. SQLite's `LOWER` knows the Latin alphabet only.
pub(crate) fn folded_pattern(engine: Engine, needle: &str) -> String {
    match engine {
        Engine::Sqlite => like_pattern(&needle.to_ascii_lowercase()),
        Engine::Postgres => like_pattern(&needle.to_lowercase()),
    }
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

/// The needle's trigrams as an FTS5 query: each must occur. LIKE then says whether they do so in a row.
fn trigrams(needle: &str) -> String {
    let characters: Vec<char> = needle.chars().collect();
    let quoted = characters.windows(3).take(TRIGRAMS_LIMIT).map(|three| {
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
        let haystack = accounts_with(Engine::Sqlite, "5%_\\\"");
        assert!(haystack.from.contains("MATCH $3"), "{}", haystack.from);
        assert_eq!(haystack.texts, ["%5\\%\\_\\\\\"%", "\"5%_\" AND \"%_\\\" AND \"_\\\"\"\""]);
    }

    #[test]
    fn a_short_needle_has_no_trigram() {
        let haystack = accounts_with(Engine::Sqlite, "Äb");
        assert!(!haystack.from.contains("MATCH"), "{}", haystack.from);
        assert_eq!(haystack.texts, ["%äb%"]);
    }

    #[test]
    fn a_long_needle_asks_for_some_of_its_trigrams() {
        let haystack = accounts_with(Engine::Sqlite, &"abc".repeat(1000));
        assert_eq!(haystack.texts[1].matches(" AND ").count(), TRIGRAMS_LIMIT - 1);
    }
}

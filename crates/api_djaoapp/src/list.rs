//! The conventions of every list: `page`, `page_size`, `q`, `q_f`, `o`, `start_at`, `ends_at`, and the envelope.

use crate::error::{Early, bad_field, detail};
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use edge::{Reply, SharedEdge};
use http::StatusCode;
use http::request::Parts;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Items on a page when nobody says how many.
const PAGE_SIZE_DEFAULT: i64 = 25;
/// Most items on a page.
const PAGE_SIZE_LIMIT: i64 = 100;

/// Most search terms that count; those behind them are passed over.
pub(crate) const TERMS_LIMIT: usize = 20;

/// Which page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageNumber {
    /// This one, counted from 1.
    Number(i64),
    /// The last one.
    Last,
}

/// What a request asks of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListQuery {
    pairs: Vec<(String, String)>,
    path: String,
    page: PageNumber,
    /// Items on a page, 1 to 100.
    pub(crate) page_size: i64,
}

impl FromRequestParts<SharedEdge> for ListQuery {
    type Rejection = Response;
    async fn from_request_parts(parts: &mut Parts, _: &SharedEdge) -> Result<ListQuery, Response> {
        ListQuery::parse(parts.uri.path(), parts.uri.query().unwrap_or_default())
            .map_err(Early::into_response)
    }
}

impl ListQuery {
    pub(crate) fn parse(path: &str, query: &str) -> Result<ListQuery, Early> {
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.replace('\0', "")))
            .collect();
        let last =
            |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let page = match last("page") {
            None | Some("") => PageNumber::Number(1),
            Some("last") => PageNumber::Last,
            Some(text) => match text.parse::<i64>() {
                Ok(number) if number >= 1 => PageNumber::Number(number),
                _ => return Err(invalid_page().into()),
            },
        };
        let page_size = last("page_size").and_then(|text| text.parse::<i64>().ok()).filter(|size| *size >= 1);
        let page_size = page_size.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_LIMIT);
        Ok(ListQuery { path: path.to_owned(), page, page_size, pairs })
    }

    /// The last value of a parameter; none when it is empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// Whether a parameter says yes.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(says_yes)
    }

    /// The texts of `q`, any of which is to be found: split at commas outside double quotes, and at spaces, too, where
    /// `splits_words`. Each is there once, and there are no more than [`TERMS_LIMIT`].
    pub(crate) fn terms(&self, splits_words: bool) -> Vec<String> {
        let mut terms = vec![String::new()];
        let mut is_quoted = false;
        for character in self.text("q").unwrap_or_default().chars() {
            match character {
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => terms.push(String::new()),
                other => {
                    if let Some(term) = terms.last_mut() {
                        term.push(other);
                    }
                }
            }
        }
        let mut kept: Vec<String> = Vec::new();
        for text in &terms {
            let words: Vec<&str> =
                if splits_words { text.split_whitespace().collect() } else { vec![text.trim()] };
            for word in words {
                if kept.len() < TERMS_LIMIT && !word.is_empty() && !kept.iter().any(|term| term == word) {
                    kept.push(word.to_owned());
                }
            }
        }
        kept
    }

    /// Those of the fields that `q_f` names; all of them when it names none.
    pub(crate) fn fields<'a>(&self, known: &'a [&'a str]) -> Vec<&'a str> {
        let wanted: Vec<&str> =
            self.pairs.iter().filter(|(key, _)| key == "q_f").map(|(_, value)| value.as_str()).collect();
        let named: Vec<&str> = known
            .iter()
            .copied()
            .filter(|field| wanted.iter().any(|name| name.trim_start_matches('=') == *field))
            .collect();
        if named.is_empty() { known.to_vec() } else { named }
    }

    /// The fields of `o` that are known, each once, with whether it sorts in reverse.
    pub(crate) fn order<'a>(&self, known: &'a [&'a str]) -> Vec<(&'a str, bool)> {
        let mut order: Vec<(&'a str, bool)> = Vec::new();
        for value in self.pairs.iter().filter(|(key, _)| key == "o").flat_map(|(_, value)| value.split(',')) {
            let (name, is_reverse) = value.strip_prefix('-').map_or((value, false), |name| (name, true));
            let field = known.iter().copied().find(|field| *field == name);
            // A second time it would change nothing.
            if let Some(field) = field.filter(|field| order.iter().all(|(name, _)| name != field)) {
                order.push((field, is_reverse));
            }
        }
        order
    }

    /// A date or date-time parameter; without an offset it is read in `zone`.
    pub(crate) fn instant(&self, name: &'static str, zone: &TimeZone) -> Result<Option<Timestamp>, Early> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let text = text.trim_matches('"');
        // What is written for "never": the last hours of that year are no instant.
        let never = || {
            let is_never = text.trim_end_matches('Z').parse::<DateTime>().is_ok_and(|at| at.year() == 9999);
            is_never.then_some(Timestamp::MAX)
        };
        let parsed = parse_instant(text, zone).or_else(never);
        parsed.map(Some).ok_or_else(|| bad_field(name, "must be an ISO 8601 date or date-time").into())
    }

    /// The offset and limit of the wanted page of a list of `count` items. Refuses a page that there is not.
    pub(crate) fn window(&self, count: i64) -> Result<(i64, i64), Early> {
        let pages = ((count + self.page_size - 1) / self.page_size).max(1);
        let number = match self.page {
            PageNumber::Number(number) => number,
            PageNumber::Last => pages,
        };
        if number > pages {
            return Err(invalid_page().into());
        }
        Ok(((number - 1) * self.page_size, self.page_size))
    }

    /// The answer with one page. `extra` goes in front of the members that every list has; `base` is scheme and host.
    pub(crate) fn envelope(
        &self,
        base: &str,
        extra: Map<String, Value>,
        count: i64,
        results: &[impl Serialize],
    ) -> Reply {
        let pages = ((count + self.page_size - 1) / self.page_size).max(1);
        let number = match self.page {
            PageNumber::Number(number) => number,
            PageNumber::Last => pages,
        };
        let link = |number: i64| json!(format!("{base}{}", self.uri(number)));
        let mut body = extra;
        body.insert("count".to_owned(), json!(count));
        body.insert("next".to_owned(), if number < pages { link(number + 1) } else { Value::Null });
        body.insert("previous".to_owned(), if number > 1 { link(number - 1) } else { Value::Null });
        body.insert("results".to_owned(), json!(results));
        Reply::json(StatusCode::OK, &body)
    }

    /// Path and query of another page of the same list.
    fn uri(&self, page: i64) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.pairs.iter().filter(|(name, _)| name != "page") {
            query.append_pair(name, value);
        }
        let query = query.finish();
        let mut uri = format!("{}?{query}", self.path);
        if !query.is_empty() {
            uri.push('&');
        }
        // Writing into a String does not fail.
        let _ = write!(uri, "page={page}");
        uri
    }
}

/// The instant of an ISO 8601 date or date-time, which is read in `zone` where it has no offset.
pub(crate) fn parse_instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let local = |at: DateTime| zone.to_timestamp(at).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(local))
        .or_else(|| text.parse::<Date>().ok().and_then(|date| local(date.at(0, 0, 0, 0))))
}

/// Whether a parameter of a query, such as `force=1`, says yes.
pub(crate) fn says_yes(value: &str) -> bool {
    !matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off")
}

fn invalid_page() -> Reply {
    detail(StatusCode::NOT_FOUND, "Invalid page.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> ListQuery {
        ListQuery::parse("/api/x", text).ok().unwrap()
    }

    #[test]
    fn terms_are_split_at_commas_outside_quotes() {
        assert_eq!(query("q=ann, \"Doe, J\" ,,bob").terms(false), ["ann", "Doe, J", "bob"]);
        assert_eq!(query("q=ann \"Doe, J\",bob").terms(true), ["ann", "Doe,", "J", "bob"]);
        assert!(query("q=").terms(false).is_empty());
    }

    #[test]
    fn terms_count_once_and_up_to_a_limit() {
        assert_eq!(query("q=ann,bob,ann bob,ann").terms(true), ["ann", "bob"]);
        let many = (0..30).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(query(&format!("q={}", many.join(","))).terms(false), many[..TERMS_LIMIT]);
    }

    #[test]
    fn fields_and_order_know_what_they_may() {
        let known = ["slug", "email"];
        assert_eq!(query("q_f=email&q_f=nothing").fields(&known), ["email"]);
        assert_eq!(query("q_f=nothing").fields(&known), known);
        assert_eq!(query("o=-email&o=x&o=slug").order(&known), [("email", true), ("slug", false)]);
        assert_eq!(query("o=slug,-email").order(&known), [("slug", false), ("email", true)]);
        assert_eq!(query("o=slug,-slug&o=slug").order(&known), [("slug", false)]);
    }

    #[test]
    fn a_parameter_says_yes_or_no() {
        for yes in ["force=1", "force=true", "force=0&force=yes"] {
            assert!(query(yes).flag("force"), "{yes}");
        }
        for no in
            ["", "force", "force=", "force=0", "force=False", "force=no", "force=off", "force=1&force=0"]
        {
            assert!(!query(no).flag("force"), "{no}");
        }
    }

    #[test]
    fn pages_are_counted_from_one() {
        assert_eq!(query("").window(0).ok(), Some((0, 25)));
        assert_eq!(query("page=2&page_size=10").window(11).ok(), Some((10, 10)));
        assert_eq!(query("page=last&page_size=10").window(21).ok(), Some((20, 10)));
        assert_eq!(query("page_size=1000").window(5).ok(), Some((0, 100)));
        assert!(query("page=2").window(25).is_err());
        for wrong in ["page=0", "page=-1", "page=x"] {
            assert!(ListQuery::parse("/", wrong).is_err(), "{wrong}");
        }
        assert_eq!(query("q=a b&page=2").uri(3), "/api/x?q=a+b&page=3");
    }

    #[test]
    fn dates_without_an_offset_are_local() {
        let zone = TimeZone::get("America/Los_Angeles").unwrap();
        let at = |text: &str| query(text).instant("start_at", &zone).ok().unwrap().map(|at| at.to_string());
        assert_eq!(at("start_at=2024-07-01").as_deref(), Some("2024-07-01T07:00:00Z"));
        assert_eq!(at("start_at=%222024-07-01T00:00:00Z%22").as_deref(), Some("2024-07-01T00:00:00Z"));
        assert_eq!(at(""), None);
        for never in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999Z"]
        {
            let never = format!("start_at={never}");
            assert_eq!(at(&never).map(|at| at.starts_with("9999-12-30")), Some(true), "{never}");
        }
        assert!(query("start_at=2024-02-31").instant("start_at", &zone).is_err());
    }
}

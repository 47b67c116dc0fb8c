//! Lists in parts: `offset` and `limit`, and the headers that say where the next part is.

use crate::error::{bad_argument, not_found};
use crate::query::Query;
use edge::Reply;
use http::StatusCode;
use serde::Serialize;
use std::fmt::Write;
use storage::page::{Page, SIZE_LIMIT, Window};

/// The part of a list that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    offset: i64,
    limit: i64,
}

impl Paging {
    /// From `offset` (0 when absent) and `limit` (100 when absent; a negative one counts from the newest). What is no
    /// number is 404, an offset before the beginning 400.
    pub(crate) fn from_query(query: &Query) -> Result<Paging, Reply> {
        let paging = Paging::lenient(query)?;
        if paging.offset < 0 { Err(bad_argument("offset must not be negative")) } else { Ok(paging) }
    }

    /// [`Paging::from_query`] of a search, where an offset of -1 with a limit of 1 asks for one exact match: `None`.
    pub(crate) fn unless_exact(query: &Query) -> Result<Option<Paging>, Reply> {
        let paging = Paging::lenient(query)?;
        if paging == (Paging { offset: -1, limit: 1 }) {
            return Ok(None);
        }
        Paging::from_query(query).map(Some)
    }

    fn lenient(query: &Query) -> Result<Paging, Reply> {
        let number = |name: &str, default: i64| match query.text(name) {
            None | Some("") => Ok(default),
            Some(text) => text.parse::<i64>().map_err(|_| not_found()),
        };
        Ok(Paging { offset: number("offset", 0)?, limit: number("limit", 100)? })
    }

    /// The window of the list.
    pub(crate) fn window(&self) -> Window {
        let size = i64::try_from(self.limit.unsigned_abs()).unwrap_or(i64::MAX).min(SIZE_LIMIT);
        Window { offset: self.offset, size, is_descending: self.limit < 0 }
    }

    /// The answer with one page of a list whose rows `items` are rendered from. `max` is how many the tenant has in
    /// all, `next` where the next page is.
    pub(crate) fn reply<T>(
        &self,
        page: &Page<T>,
        max: Option<i64>,
        next: &NextPage,
        items: &[impl Serialize],
    ) -> Reply {
        let window = self.window();
        let next_offset = self.offset.saturating_add(window.size);
        let has_next = page.has_more && window.size > 0;
        let header = |reply: Reply, name: &str, value: Option<String>| match value {
            Some(value) => reply.with(&format!("X-Killbill-Pagination-{name}"), value),
            None => reply,
        };
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        let reply = Reply::json(StatusCode::OK, &items);
        let reply = header(reply, "CurrentOffset", number(Some(self.offset)));
        let reply = header(reply, "NextOffset", has_next.then(|| next_offset.to_string()));
        let reply = header(reply, "TotalNbRecords", number(page.total));
        let reply = header(reply, "MaxNbRecords", number(max));
        let limit = if self.limit < 0 { -window.size } else { window.size };
        header(reply, "NextPageUri", has_next.then(|| next.uri(next_offset, limit)))
    }
}

/// The answer with the one exact match of a search, or none.
pub(crate) fn exact_reply(items: &[impl Serialize]) -> Reply {
    Reply::json(StatusCode::OK, &items)
        .with("X-Killbill-Pagination-CurrentOffset", "0")
        .with("X-Killbill-Pagination-TotalNbRecords", items.len().to_string())
}

/// Where the next page of a list is: a path, and the parameters that go along.
#[derive(Clone, Debug)]
pub(crate) struct NextPage {
    path: String,
    parameters: String,
}

impl NextPage {
    /// The list at `path`, which begins with `/1.0/kb` and needs no encoding.
    pub(crate) fn of(path: &str) -> NextPage {
        NextPage { path: path.to_owned(), parameters: String::new() }
    }

    /// The search for `key` at `path`, which ends with `/search/`.
    pub(crate) fn of_search(path: &str, key: &str) -> NextPage {
        NextPage { path: format!("{path}{}", encode(key, b"!$&'()*+,;=:@")), parameters: String::new() }
    }

    /// The same with one more parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> NextPage {
        // Writing into a String does not fail.
        let _ = write!(self.parameters, "&{name}={}", encode(value, b""));
        self
    }

    fn uri(&self, offset: i64, limit: i64) -> String {
        format!("{}?offset={offset}&limit={limit}{}", self.path, self.parameters)
    }
}

/// Percent-encodes all but unreserved characters and those of `plain`.
fn encode(text: &str, plain: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || plain.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str) -> Option<Window> {
        Paging::from_query(&Query::parse(query)).ok().map(|paging| paging.window())
    }

    #[test]
    fn limits_have_a_direction_and_a_cap() {
        let is = |offset, size, is_descending| Some(Window { offset, size, is_descending });
        assert_eq!(window(""), is(0, 100, false));
        assert_eq!(window("offset=&limit="), is(0, 100, false));
        assert_eq!(window("offset=7&limit=-3"), is(7, 3, true));
        assert_eq!(window("limit=9223372036854775807"), is(0, SIZE_LIMIT, false));
        assert_eq!(window("limit=-9223372036854775808"), is(0, SIZE_LIMIT, true));
        for wrong in ["offset=x", "limit=1.5", "limit=99999999999999999999", "offset=-1", "offset=-2&limit=1"]
        {
            assert_eq!(window(wrong), None, "{wrong}");
        }
        assert!(matches!(Paging::unless_exact(&Query::parse("offset=-1&limit=1")), Ok(None)));
        assert!(Paging::unless_exact(&Query::parse("offset=-1&limit=2")).is_err());
    }

    #[test]
    fn the_next_page_is_a_relative_uri_that_says_all_again() {
        let next = NextPage::of_search("/1.0/kb/accounts/search/", "_q=1&a[like]=ü/%@").with("audit", "FULL");
        assert_eq!(
            next.uri(20, -10),
            "/1.0/kb/accounts/search/_q=1&a%5Blike%5D=%C3%BC%2F%25@?offset=20&limit=-10&audit=FULL"
        );
    }

    #[test]
    fn a_page_without_rows_leads_nowhere() {
        let paging = Paging { offset: 0, limit: 0 };
        let page: Page<()> = Page { items: Vec::new(), total: Some(3), has_more: true };
        let reply = paging.reply(&page, Some(3), &NextPage::of("/1.0/kb/x"), &[] as &[i32]);
        assert!(!format!("{reply:?}").contains("NextPageUri"), "{reply:?}");
        assert!(format!("{reply:?}").contains("MaxNbRecords"), "{reply:?}");
    }
}

//! `pageSize` and `nextToken`: where a list goes on, opaque to clients.

use crate::json::Query;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use billing::Refusal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Default and most items of a page.
const PAGE_SIZE: usize = 50;

/// What is inside a `nextToken`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Token {
    list: String,
    last_item_id: Uuid,
    page_size: usize,
    sort_order: String,
}

/// Which page a request wants.
pub(crate) struct Page {
    /// How many items at most.
    pub(crate) size: usize,
    /// Behind which item, and in which part of the list.
    pub(crate) after: Option<(String, Uuid)>,
}

impl Page {
    /// From `pageSize` and `nextToken`. A size over the limit is the limit; without one, that of the page before
    /// counts. A token of another list is as unknown as one that was never given.
    pub(crate) fn from_query(query: &Query, lists: &[&str]) -> Result<Page, Refusal> {
        let wanted = query.text("pageSize").map(page_size).transpose()?;
        let token = query.text("nextToken").map(|text| parse(text, lists)).transpose()?;
        let size = wanted.or(token.as_ref().map(|token| token.page_size)).unwrap_or(PAGE_SIZE);
        Ok(Page { size, after: token.map(|token| (token.list, token.last_item_id)) })
    }

    /// The token for the page that follows this one.
    pub(crate) fn next_token(&self, list: &str, last_item_id: Uuid) -> Option<String> {
        let (list, sort_order) = (list.to_owned(), "asc".to_owned());
        let token = Token { list, last_item_id, page_size: self.size, sort_order };
        serde_json::to_vec(&token).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    /// A page as it is written, with its context.
    pub(crate) fn json<T>(&self, data: Vec<T>, next_token: Option<String>) -> PageJson<T> {
        let context = Some(ContextJson { page_size: self.size, sort_order: "ASC" });
        PageJson { data, next_token, context }
    }
}

fn page_size(text: &str) -> Result<usize, Refusal> {
    let size: Option<usize> = text.parse().ok().filter(|size| *size > 0);
    let digits_only = text.bytes().all(|byte| byte.is_ascii_digit());
    size.filter(|_| digits_only)
        .map(|size| size.min(PAGE_SIZE))
        .ok_or_else(|| Refusal::invalid("pageSize", "must be a whole number from 1 on"))
}

fn parse(text: &str, lists: &[&str]) -> Result<Token, Refusal> {
    URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|json| serde_json::from_slice::<Token>(&json).ok())
        .filter(|token| lists.contains(&token.list.as_str()))
        .filter(|token| (1..=PAGE_SIZE).contains(&token.page_size) && token.sort_order == "asc")
        .ok_or_else(|| Refusal::invalid("nextToken", "is not known"))
}

/// A page of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PageJson<T> {
    pub(crate) data: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context: Option<ContextJson>,
}

/// How the page was read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContextJson {
    page_size: usize,
    sort_order: &'static str,
}

//! Which accounts or profiles a server holds, learnt through its own list.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::http::{self, Desk, Target};

const TIMEOUT: Duration = Duration::from_secs(120);
/// Accounts per page while learning.
const PAGE: u64 = 100;

/// Some accounts of a server, spread evenly over all it has.
pub(crate) struct Book {
    /// How many accounts the tenant had when this was learnt.
    pub(crate) size: u64,
    /// JSON objects as the server shows them.
    pub(crate) accounts: Vec<Map<String, Value>>,
}

impl Book {
    /// Reads at most `wanted` accounts, in whole pages at even distances from the first to the last; at DjaoApp's desk
    /// profiles.
    pub(crate) fn learn(target: &Target, desk: Desk, wanted: u64) -> Result<Self> {
        let size = match desk {
            Desk::Killbill => count(target)?,
            Desk::Djaoapp => profiles(target, 0, 1)?.0,
        };
        let mut accounts = Vec::new();
        for offset in page_offsets(size, wanted) {
            accounts.append(&mut match desk {
                Desk::Killbill => page(target, offset, PAGE)?,
                Desk::Djaoapp => profiles(target, offset, PAGE)?.1,
            });
        }
        accounts.truncate(usize::try_from(wanted)?);
        ensure!(!accounts.is_empty(), "{}: no accounts; run create first, or `bench fill`", target.url);
        Ok(Self { size, accounts })
    }
}

/// Makes the tenant of the credentials; one that exists is as good.
pub(crate) fn create_tenant(target: &Target, api_key: &str, api_secret: &str) -> Result<()> {
    let body = serde_json::json!({ "apiKey": api_key, "apiSecret": api_secret }).to_string();
    let (status, _, answer) = http::call(target.address, &target.post("/1.0/kb/tenants", &body), TIMEOUT)?;
    let text = String::from_utf8_lossy(&answer);
    ensure!(matches!(status, 201 | 409), "{}: status {status} to creating the tenant: {text}", target.url);
    Ok(())
}

/// How many accounts the tenant has.
pub(crate) fn count(target: &Target) -> Result<u64> {
    size(|offset| Ok(!page(target, offset, 1)?.is_empty()))
}

fn page(target: &Target, offset: u64, limit: u64) -> Result<Vec<Map<String, Value>>> {
    let request = target.get(&format!("/1.0/kb/accounts/pagination?offset={offset}&limit={limit}"));
    let (status, _, body) = http::call(target.address, &request, TIMEOUT)?;
    let text = String::from_utf8_lossy(&body);
    ensure!(status == 200, "{}: status {status} to listing accounts: {text}", target.url);
    serde_json::from_slice(&body).with_context(|| format!("{}: the list of accounts", target.url))
}

/// How many profiles there are, and those of the page at this offset, a multiple of `limit`.
fn profiles(target: &Target, offset: u64, limit: u64) -> Result<(u64, Vec<Map<String, Value>>)> {
    let number = offset / limit + 1;
    let request = target.get(&format!("/api/profile?page={number}&page_size={limit}"));
    let (status, _, body) = http::call(target.address, &request, TIMEOUT)?;
    let text = String::from_utf8_lossy(&body);
    ensure!(status == 200, "{}: status {status} to listing profiles: {text}", target.url);
    let page: Value =
        serde_json::from_slice(&body).with_context(|| format!("{}: the list of profiles", target.url))?;
    let count = page["count"].as_u64().with_context(|| format!("{}: no count of profiles", target.url))?;
    let results = page["results"].as_array().cloned().unwrap_or_default();
    Ok((count, results.into_iter().filter_map(|profile| profile.as_object().cloned()).collect()))
}

/// The first offset where nothing is. The total in the answer's headers will not do: Kill Bill leaves it out when it
/// is large.
fn size(mut any_at: impl FnMut(u64) -> Result<bool>) -> Result<u64> {
    let (mut low, mut high) = (0, 1);
    if !any_at(0)? {
        return Ok(0);
    }
    while any_at(high)? {
        (low, high) = (high, high * 2);
    }
    // There is something at `low` and nothing at `high`.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if any_at(middle)? { low = middle } else { high = middle }
    }
    Ok(high)
}

fn page_offsets(size: u64, wanted: u64) -> Vec<u64> {
    let all = size.div_ceil(PAGE);
    let pages = wanted.div_ceil(PAGE).min(all);
    (0..pages).map(|index| index * all / pages * PAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_found_by_halving() {
        for truth in [0, 1, 2, 3, 99, 100, 28_001, 1_000_000] {
            let mut asked = 0;
            let found = size(|offset| {
                asked += 1;
                Ok(offset < truth)
            });
            assert_eq!(found.unwrap(), truth);
            assert!(asked <= 45, "{asked} questions for {truth}");
        }
    }

    #[test]
    fn pages_are_spread_and_never_repeat() {
        assert_eq!(page_offsets(250, 1000), [0, 100, 200]);
        assert_eq!(page_offsets(1000, 300), [0, 300, 600]);
        assert_eq!(page_offsets(0, 300), [0; 0]);
        assert_eq!(page_offsets(1_000_000, 200), [0, 500_000]);
    }
}

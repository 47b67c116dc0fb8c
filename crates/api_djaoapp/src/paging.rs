//! A list as the storage answers it, from what a request asks.

use crate::error::{Early, detail};
use crate::list::ListQuery;
use edge::Reply;
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, json};
use storage::list::{Column, List, Spec};
use storage::profiles::PROFILES;
use storage::{Connection, Outcome};

/// Puts `q`, `q_f`, `o`, `start_at` and `ends_at` onto a list. `until` is the end when the request names none.
pub(crate) fn apply(
    query: &ListQuery,
    list: &mut List,
    spec: &Spec,
    zone: &TimeZone,
    until: Option<Timestamp>,
) -> Result<(), Early> {
    list.search(&query.fields(&names(spec.searched)), &terms(query, spec));
    arrange(query, list, spec, zone, until)
}

/// [`apply`] to a list of profiles, whose search has an index.
pub(crate) fn apply_to_profiles(
    tx: &mut dyn Connection,
    query: &ListQuery,
    list: &mut List,
    zone: &TimeZone,
) -> Outcome<Result<(), Early>> {
    let searched = names(PROFILES.searched);
    storage::profiles::search(tx, list, &query.fields(&searched), &terms(query, &PROFILES))?;
    Ok(arrange(query, list, &PROFILES, zone, None))
}

/// [`apply`] to a list of users, whose search has an index.
pub(crate) fn apply_to_users(
    tx: &mut dyn Connection,
    query: &ListQuery,
    list: &mut List,
    spec: &Spec,
    zone: &TimeZone,
    until: Option<Timestamp>,
) -> Outcome<Result<(), Early>> {
    storage::people::search(tx, list, &query.fields(&names(spec.searched)), &terms(query, spec))?;
    Ok(arrange(query, list, spec, zone, until))
}

fn names(columns: &'static [Column]) -> Vec<&'static str> {
    columns.iter().map(|(name, _)| *name).collect()
}

fn arrange(
    query: &ListQuery,
    list: &mut List,
    spec: &Spec,
    zone: &TimeZone,
    until: Option<Timestamp>,
) -> Result<(), Early> {
    for (name, is_reverse) in query.order(&names(spec.sorted)) {
        list.order_by(name, is_reverse);
    }
    list.between(query.instant("start_at", zone)?, query.instant("ends_at", zone)?.or(until));
    Ok(())
}

/// The search terms, of some lists word by word.
pub(crate) fn terms(query: &ListQuery, spec: &Spec) -> Vec<String> {
    query.terms(spec.splits_words)
}

/// The time zone in which a site reads dates without an offset: its broker's.
pub(crate) fn zone(tx: &mut dyn Connection, tenant: &billing::Tenant) -> Outcome<TimeZone> {
    let broker = storage::organizations::by_id(tx, tenant.tenant_id, tenant.id)?;
    let zone = broker.and_then(|broker| billing::time::zone(&broker.organization.time_zone));
    Ok(zone.unwrap_or(TimeZone::UTC))
}

/// The answer with the wanted page of a list.
pub(crate) fn answer<T: Serialize>(
    tx: &mut dyn Connection,
    query: &ListQuery,
    base: &str,
    list: &List,
    page: impl FnOnce(&mut dyn Connection, (i64, i64)) -> Outcome<Vec<T>>,
) -> Outcome<Reply> {
    let count = list.count(tx)?;
    let window = match query.window(count) {
        Ok(window) => window,
        Err(early) => return Ok(early.0),
    };
    let items = page(tx, window)?;
    Ok(query.envelope(base, Map::new(), count, &items))
}

/// Most candidates that are proposed for what somebody types.
const CANDIDATES_LIMIT: usize = 5;

/// How many candidates a request may be answered with.
pub(crate) fn candidates_limit(query: &ListQuery, spec: &Spec) -> i64 {
    i64::try_from(terms(query, spec).len().max(CANDIDATES_LIMIT)).unwrap_or(i64::MAX - 1)
}

/// The answer with candidates; with none of them when there are too many, or nobody looked how many there are.
pub(crate) fn candidates<T: Serialize>(found: Option<Vec<T>>, limit: i64) -> Reply {
    let found = found.filter(|found| i64::try_from(found.len()).is_ok_and(|count| count <= limit));
    let found = found.unwrap_or_default();
    Reply::json(StatusCode::OK, &json!({ "count": found.len(), "results": found }))
}

/// 201 or 200 with a message for people beside what was made or changed.
pub(crate) fn with_detail(status: StatusCode, shown: &impl Serialize, message: &str) -> Reply {
    match serde_json::to_value(shown) {
        Ok(serde_json::Value::Object(mut members)) => {
            members.insert("detail".to_owned(), json!(message));
            Reply::json(status, &members)
        }
        _ => detail(status, message),
    }
}

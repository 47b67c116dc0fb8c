//! The test clock: moves the clock of the tenant in the headers, in test mode alone.

use crate::error::{ERRORS, bad_argument, not_found};
use crate::json::parse_instant;
use crate::query::{Answer, Early, Query};
use crate::session::Reading;
use axum::extract::State;
use axum::routing::{get, post, put};
use edge::{Edge, Reply, Route, SharedEdge, route};
use http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;
use std::time::Duration;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/1.0/kb/test/clock", get(get_clock)),
        route("POST", "/1.0/kb/test/clock", post(set_clock)),
        route("PUT", "/1.0/kb/test/clock", put(advance_clock)),
        route("GET", "/1.0/kb/test/queues", get(wait_for_queues)),
    ]
}

/// Kill Bill's `Clock`: to the second.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClockJson {
    current_utc_time: String,
    time_zone: String,
    local_date: String,
}

/// The parameter `timeZone`, under the name by which it was asked for.
struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    fn from_query(query: &Query) -> Result<Zone, Reply> {
        let name = query.text("timeZone").unwrap_or("UTC").to_owned();
        match billing::time::zone(&name) {
            Some(zone) => Ok(Zone { name, zone }),
            None => Err(bad_argument(format!("The datetime zone id '{name}' is not recognised"))),
        }
    }

    fn show(self, now: Timestamp) -> Reply {
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let clock = ClockJson {
            current_utc_time: crate::json::instant(second),
            local_date: billing::time::local_date(now, &self.zone).to_string(),
            time_zone: self.name,
        };
        Reply::json(StatusCode::OK, &clock)
    }
}

/// How long to wait for the work that falls due; without `timeoutSec` until all is done.
fn limit(query: &Query) -> Result<Option<Duration>, Reply> {
    let seconds: Option<i64> = query.parsed("timeoutSec")?;
    Ok(seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

fn check_test_mode(edge: &Edge) -> Result<(), Reply> {
    if edge.settings.test_mode { Ok(()) } else { Err(not_found()) }
}

async fn get_clock(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    check_test_mode(&edge)?;
    Ok(Zone::from_query(&query)?.show(session.now))
}

/// Sets the clock; without a date it shows the real time again.
async fn set_clock(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    check_test_mode(&edge)?;
    let (zone, limit) = (Zone::from_query(&query)?, limit(&query)?);
    let target = match query.text("requestedDate") {
        None => None,
        Some(text) => Some(
            parse_instant("requestedDate", text)
                .map_err(|_| bad_argument(format!("Invalid format: \"{text}\"")))?,
        ),
    };
    move_clock(&edge, session.tenant.tenant_id, target, limit).await?;
    Ok(zone.show(target.unwrap_or_else(operations::clock::real)))
}

async fn advance_clock(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    check_test_mode(&edge)?;
    let (zone, limit) = (Zone::from_query(&query)?, limit(&query)?);
    let target = advanced(session.now, &query)?;
    move_clock(&edge, session.tenant.tenant_id, Some(target), limit).await?;
    Ok(zone.show(target))
}

/// The time after the step that is asked for: the first of days, weeks, months and years that is there counts.
fn advanced(now: Timestamp, query: &Query) -> Result<Timestamp, Reply> {
    type Unit = fn(i32) -> Result<Span, jiff::Error>;
    let steps: [(&str, Unit); 4] = [
        ("days", |count| Span::new().try_days(count)),
        ("weeks", |count| Span::new().try_weeks(count)),
        ("months", |count| Span::new().try_months(count)),
        ("years", |count| Span::new().try_years(count)),
    ];
    let mut step = None;
    for (name, span) in steps {
        let count: Option<i32> = query.parsed(name)?;
        if let (None, Some(count)) = (&step, count) {
            step = Some(span(count));
        }
    }
    let moved = step.unwrap_or_else(|| Ok(Span::new()));
    moved
        .and_then(|step| now.to_zoned(TimeZone::UTC).checked_add(step))
        .map(|zoned| zoned.timestamp())
        .map_err(|_| bad_argument("The clock cannot be moved that far"))
}

/// Moves the clock, without `target` back to the real time, to the end even when the caller goes away meanwhile.
async fn move_clock(
    edge: &SharedEdge,
    tenant_id: billing::TenantId,
    target: Option<Timestamp>,
    limit: Option<Duration>,
) -> Result<(), Early> {
    let edge = SharedEdge::clone(edge);
    let moved = tokio::spawn(async move { edge.move_clock(tenant_id, target, limit).await }).await;
    match moved {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Early(ERRORS.reply(&error))),
        Err(error) => {
            tracing::error!(%error, "the clock was not moved");
            Err(Early((ERRORS.failure)(StatusCode::INTERNAL_SERVER_ERROR, "The clock was not moved")))
        }
    }
}

/// 200 once all work that is due for the tenant is done; 412 when that takes longer than `timeoutSec`.
async fn wait_for_queues(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    check_test_mode(&edge)?;
    let limit = limit(&query)?.unwrap_or(Duration::from_secs(5));
    let drained =
        edge.wait_for_due_work(session.tenant, limit).await.map_err(|error| ERRORS.reply(&error))?;
    Ok(Reply::empty(if drained { StatusCode::OK } else { StatusCode::PRECONDITION_FAILED }))
}

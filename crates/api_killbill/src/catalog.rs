//! The catalog: upload, download, check, and what can be bought.

mod shapes;

use crate::error::{ERRORS, bad_argument};
use crate::json::{Body, XmlBody, instant, parse_instant};
use crate::location::Base;
use crate::query::{Answer, Query};
use crate::session::{Reading, Writing};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use billing::TenantId;
use billing::catalog::{Catalog, available_add_ons, available_base_plans, write_all};
use edge::{Edge, Reply, Route, SharedEdge, route};
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use operations::catalogs;
use shapes::{CatalogJson, PlanDetailJson, SimplePlanRequest, ValidationJson};
use std::sync::Arc;
use storage::{Connection, Outcome};

const CATALOG: &str = "/1.0/kb/catalog";
const XML: &str = "/1.0/kb/catalog/xml";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", CATALOG, get(get_catalog)),
        route("POST", CATALOG, post(upload)),
        route("DELETE", CATALOG, axum::routing::delete(delete)),
        route("GET", XML, get(get_xml)),
        route("POST", XML, post(upload)),
        route("POST", "/1.0/kb/catalog/xml/validate", post(validate)),
        route("GET", "/1.0/kb/catalog/versions", get(get_versions)),
        route("GET", "/1.0/kb/catalog/availableBasePlans", get(get_available_base_plans)),
        route("GET", "/1.0/kb/catalog/availableAddons", get(get_available_add_ons)),
        route("POST", "/1.0/kb/catalog/simplePlan", post(add_simple_plan)),
    ]
}

/// The parameter `requestedDate`: only the version that holds then is asked for.
fn requested_date(query: &Query) -> Result<Option<Timestamp>, Reply> {
    let Some(text) = query.text("requestedDate") else {
        return Ok(None);
    };
    let date = parse_instant("requestedDate", text);
    date.map(Some).map_err(|_| bad_argument(format!("Invalid format: \"{text}\"")))
}

fn versions(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    at: Option<Timestamp>,
) -> Outcome<Vec<Arc<Catalog>>> {
    match at {
        None => catalogs::versions(tx, tenant_id),
        Some(at) => Ok(vec![catalogs::in_force(tx, tenant_id, at)?]),
    }
}

async fn read(
    edge: &Edge,
    tenant_id: TenantId,
    at: Option<Timestamp>,
    show: impl Fn(&[Arc<Catalog>]) -> Reply + Send + Sync + 'static,
) -> Reply {
    let work = move |tx: &mut dyn Connection| Ok(show(&versions(tx, tenant_id, at)?));
    edge.read(&ERRORS, work).await
}

fn show_xml(versions: &[Arc<Catalog>]) -> Reply {
    Reply::text(StatusCode::OK, "text/xml", write_all(versions))
}

/// JSON, or XML where that is what the caller accepts.
async fn get_catalog(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    headers: HeaderMap,
    query: Query,
) -> Answer {
    let at = requested_date(&query)?;
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.starts_with("text/xml") {
        return Ok(read(&edge, session.tenant.tenant_id, at, show_xml).await);
    }
    let show = |versions: &[Arc<Catalog>]| {
        let shown: Vec<CatalogJson<'_>> = versions.iter().map(|version| CatalogJson::of(version)).collect();
        Reply::json(StatusCode::OK, &shown)
    };
    Ok(read(&edge, session.tenant.tenant_id, at, show).await)
}

async fn get_xml(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    Ok(read(&edge, session.tenant.tenant_id, requested_date(&query)?, show_xml).await)
}

async fn get_versions(State(edge): State<SharedEdge>, Reading(session): Reading) -> Answer {
    let show = |versions: &[Arc<Catalog>]| {
        let dates: Vec<String> = versions.iter().map(|version| instant(version.effective_at)).collect();
        Reply::json(StatusCode::OK, &dates)
    };
    Ok(read(&edge, session.tenant.tenant_id, None, show).await)
}

async fn upload(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    XmlBody(xml): XmlBody,
) -> Answer {
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        catalogs::upload(tx, writer.tenant.tenant_id, &writer.caller, writer.now, &xml)?;
        Ok(base.created("/catalog"))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn validate(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    XmlBody(xml): XmlBody,
) -> Response {
    let work = move |tx: &mut dyn Connection| {
        let problems = catalogs::problems(tx, session.tenant.tenant_id, &xml)?;
        Ok(Reply::json(StatusCode::OK, &ValidationJson::of(&problems)))
    };
    edge.read(&ERRORS, work).await.into_response()
}

async fn delete(State(edge): State<SharedEdge>, Writing(session): Writing) -> Answer {
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        catalogs::delete(tx, writer.tenant.tenant_id, &writer.caller, writer.now)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn get_available_base_plans(State(edge): State<SharedEdge>, Reading(session): Reading) -> Answer {
    let now = session.now;
    let show = move |versions: &[Arc<Catalog>]| {
        let listings = catalogs::current(versions, now).map(available_base_plans).unwrap_or_default();
        let shown: Vec<PlanDetailJson<'_>> = listings.iter().map(PlanDetailJson::of).collect();
        Reply::json(StatusCode::OK, &shown)
    };
    Ok(read(&edge, session.tenant.tenant_id, None, show).await)
}

async fn get_available_add_ons(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    query: Query,
) -> Answer {
    let now = session.now;
    let base = query.text("baseProductName").unwrap_or_default().to_owned();
    let price_list = query.text("priceListName").filter(|name| !name.is_empty()).map(str::to_owned);
    let show = move |versions: &[Arc<Catalog>]| {
        let of = |catalog| available_add_ons(catalog, &base, price_list.as_deref());
        let listings = catalogs::current(versions, now).map(of).unwrap_or_default();
        let shown: Vec<PlanDetailJson<'_>> = listings.iter().map(PlanDetailJson::of).collect();
        Reply::json(StatusCode::OK, &shown)
    };
    Ok(read(&edge, session.tenant.tenant_id, None, show).await)
}

async fn add_simple_plan(
    State(edge): State<SharedEdge>,
    Writing(session): Writing,
    base: Base,
    Body(request): Body<SimplePlanRequest>,
) -> Answer {
    let (writer, simple) = (session.clone(), request.parsed()?);
    let work = move |tx: &mut dyn Connection| {
        catalogs::add_simple_plan(tx, writer.tenant.tenant_id, &writer.caller, writer.now, &simple)?;
        Ok(base.created("/catalog"))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

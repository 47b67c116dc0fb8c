//! Custom fields of a whole tenant: pages, search, and the history of one.

use crate::custom_fields::render;
use crate::error::{ERRORS, bad_argument};
use crate::pagination::{NextPage, Paging};
use crate::query::{Answer, Query};
use crate::search::{SearchKey, Wanted};
use crate::session::Reading;
use crate::tag_lists::history;
use axum::extract::{Path, State};
use axum::routing::get;
use billing::ObjectType;
use edge::{Route, SharedEdge, route};
use storage::Connection;
use storage::custom_fields::{self, SEARCH_COLUMNS};

const PAGINATION: &str = "/1.0/kb/customFields/pagination";
const SEARCH: &str = "/1.0/kb/customFields/search";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", PAGINATION, get(list_fields)),
        route("GET", SEARCH, get(fields_with_name)),
        route("GET", format!("{SEARCH}/{{*searchKey}}"), get(search_fields)),
        route("GET", "/1.0/kb/customFields/{customFieldId}/auditLogsWithHistory", get(field_history)),
    ]
}

async fn list_fields(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let (paging, audit) = (Paging::from_query(&query)?, query.audit()?);
    let next = NextPage::of(PAGINATION).with("audit", audit.name());
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let mut page = custom_fields::page(tx, tenant_id, paging.window())?;
        let rendered = render(tx, tenant_id, std::mem::take(&mut page.items), audit)?;
        Ok(paging.reply(&page, page.total, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// Fields on one kind of object by name, and by value if given: exact matches.
async fn fields_with_name(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let (paging, audit) = (Paging::from_query(&query)?, query.audit()?);
    let Some(kind) = query.text("objectType").and_then(|name| name.parse::<ObjectType>().ok()) else {
        return Ok(bad_argument("objectType must be given and be a kind of object"));
    };
    let Some(name) = query.text("fieldName").map(str::to_owned) else {
        return Ok(bad_argument("fieldName must be given"));
    };
    let value = query.text("fieldValue").map(str::to_owned);
    let mut next = NextPage::of(SEARCH).with("objectType", kind.name()).with("fieldName", &name);
    if let Some(value) = &value {
        next = next.with("fieldValue", value);
    }
    let next = next.with("audit", audit.name());
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let mut page =
            custom_fields::with_name(tx, tenant_id, kind, &name, value.as_deref(), paging.window())?;
        let max = custom_fields::count(tx, tenant_id)?;
        let rendered = render(tx, tenant_id, std::mem::take(&mut page.items), audit)?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// Fields by a part of their name, value or kind of object, or by the id of the field or object; or by conditions.
async fn search_fields(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    SearchKey(key): SearchKey,
    query: Query,
) -> Answer {
    let (paging, audit) = (Paging::from_query(&query)?, query.audit()?);
    let next = NextPage::of_search(&format!("{SEARCH}/"), &key).with("audit", audit.name());
    let wanted = Wanted::parse(key, SEARCH_COLUMNS).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let mut page = match &wanted {
            Wanted::Text(text) => custom_fields::search(tx, tenant_id, text, paging.window())?,
            Wanted::Clauses { clauses, .. } => {
                custom_fields::filter(tx, tenant_id, clauses, paging.window())?
            }
        };
        let max = custom_fields::count(tx, tenant_id)?;
        let rendered = render(tx, tenant_id, std::mem::take(&mut page.items), audit)?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn field_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(field_id): Path<String>,
) -> Answer {
    history(edge, session, ObjectType::CustomField, &field_id).await
}

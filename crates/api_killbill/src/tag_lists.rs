//! Tags of a whole tenant: pages, search, and the history of tags and their definitions.

use crate::error::ERRORS;
use crate::history::audit_logs_with_history;
use crate::location::id;
use crate::pagination::{NextPage, Paging};
use crate::query::{Answer, Query};
use crate::search::SearchKey;
use crate::session::Reading;
use crate::tags::render;
use axum::extract::{Path, State};
use axum::routing::get;
use billing::{ObjectType, TenantId};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use storage::page::Page;
use storage::{Connection, Outcome};
use uuid::Uuid;

const PAGINATION: &str = "/1.0/kb/tags/pagination";
const SEARCH: &str = "/1.0/kb/tags/search/";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", PAGINATION, get(list_tags)),
        route("GET", format!("{SEARCH}{{*searchKey}}"), get(search_tags)),
        route("GET", "/1.0/kb/tags/{tagId}/auditLogsWithHistory", get(tag_history)),
        route(
            "GET",
            "/1.0/kb/tagDefinitions/{tagDefinitionId}/auditLogsWithHistory",
            get(definition_history),
        ),
    ]
}

async fn list_tags(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let (paging, audit) = (Paging::from_query(&query)?, query.audit()?);
    let next = NextPage::of(PAGINATION).with("audit", audit.name());
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let mut page = storage::tags::page(tx, tenant_id, paging.window())?;
        let rendered = render(tx, tenant_id, std::mem::take(&mut page.items), audit)?;
        Ok(paging.reply(&page, page.total, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn search_tags(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    SearchKey(key): SearchKey,
    query: Query,
) -> Answer {
    let (paging, audit) = (Paging::from_query(&query)?, query.audit()?);
    let next = NextPage::of_search(SEARCH, &key).with("audit", audit.name());
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let window = paging.window();
        let mut page = matching(tx, tenant_id, &key, window)?;
        let max = storage::tags::count(tx, tenant_id)?;
        let rendered = render(tx, tenant_id, std::mem::take(&mut page.items), audit)?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// The tags whose id is `key`, or whose kind of object, or whose definition's name or description, contains it.
fn matching(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
    window: storage::page::Window,
) -> Outcome<Page<billing::tag::Tag>> {
    let needle = key.to_lowercase();
    let contains = |text: &str| text.to_lowercase().contains(&needle);
    let definitions: Vec<Uuid> = operations::tags::definitions(tx, tenant_id)?
        .into_iter()
        .filter(|definition| contains(&definition.name) || contains(&definition.description))
        .map(|definition| definition.id)
        .collect();
    let kinds: Vec<ObjectType> = ObjectType::ALL.into_iter().filter(|kind| contains(kind.name())).collect();
    let id = Uuid::parse_str(key).ok();
    Ok(storage::tags::search(tx, tenant_id, id, &definitions, &kinds, window)?)
}

async fn tag_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(tag_id): Path<String>,
) -> Answer {
    history(edge, session, ObjectType::Tag, &tag_id).await
}

async fn definition_history(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(definition_id): Path<String>,
) -> Answer {
    history(edge, session, ObjectType::TagDefinition, &definition_id).await
}

/// The audit logs of one object with its history.
pub(crate) async fn history(
    edge: SharedEdge,
    session: edge::Session,
    kind: ObjectType,
    object_id: &str,
) -> Answer {
    let (object_id, tenant_id) = (id(object_id)?, session.tenant.tenant_id);
    let work = move |tx: &mut dyn Connection| {
        let logs = audit_logs_with_history(tx, tenant_id, kind, object_id)?;
        Ok(Reply::json(StatusCode::OK, &logs))
    };
    Ok(edge.read(&ERRORS, work).await)
}

//! Lists of accounts: all of them in parts, and those that a search finds.

use crate::accounts::AccountView;
use crate::error::ERRORS;
use crate::pagination::{NextPage, Paging, exact_reply};
use crate::query::{Answer, Query};
use crate::search::{SearchKey, Wanted};
use crate::session::Reading;
use axum::extract::State;
use axum::routing::get;
use edge::{Route, SharedEdge, route};
use storage::Connection;
use storage::accounts::{self, SEARCH_COLUMNS};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/1.0/kb/accounts/pagination", get(list_accounts)),
        route("GET", "/1.0/kb/accounts/search/{*searchKey}", get(search_accounts)),
    ]
}

const LIST: &str = "/1.0/kb/accounts/pagination";
const SEARCH: &str = "/1.0/kb/accounts/search/";

/// The parameters that go along to the next page.
fn with_view(next: NextPage, query: &Query) -> Result<NextPage, edge::Reply> {
    let flag = |name| if query.flag(name) { "true" } else { "false" };
    Ok(next
        .with("accountWithBalance", flag("accountWithBalance"))
        .with("accountWithBalanceAndCBA", flag("accountWithBalanceAndCBA"))
        .with("audit", query.audit()?.name()))
}

async fn list_accounts(State(edge): State<SharedEdge>, Reading(session): Reading, query: Query) -> Answer {
    let (paging, view) = (Paging::from_query(&query)?, AccountView::from_query(&query)?);
    let next = with_view(NextPage::of(LIST), &query)?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let mut page = accounts::page(tx, tenant_id, paging.window())?;
        let rendered = view.render_all(tx, tenant_id, std::mem::take(&mut page.items))?;
        Ok(paging.reply(&page, page.total, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn search_accounts(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    SearchKey(key): SearchKey,
    query: Query,
) -> Answer {
    let (paging, view) = (Paging::unless_exact(&query)?, AccountView::from_query(&query)?);
    let next = with_view(NextPage::of_search(SEARCH, &key), &query)?;
    let wanted = Wanted::parse(key, SEARCH_COLUMNS).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let Some(paging) = &paging else {
            let found = accounts::exact(tx, tenant_id, wanted.text())?.into_iter().collect();
            return Ok(exact_reply(&view.render_all(tx, tenant_id, found)?));
        };
        let window = paging.window();
        let mut page = match &wanted {
            Wanted::Text(text) => accounts::search(tx, tenant_id, text, window)?,
            Wanted::Clauses { clauses, .. } => accounts::filter(tx, tenant_id, clauses, window)?,
        };
        let max = accounts::count(tx, tenant_id)?;
        let rendered = view.render_all(tx, tenant_id, std::mem::take(&mut page.items))?;
        Ok(paging.reply(&page, max, &next, &rendered))
    };
    Ok(edge.read(&ERRORS, work).await)
}

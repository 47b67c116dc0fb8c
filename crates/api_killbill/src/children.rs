//! The accounts beneath an account.

use crate::accounts::AccountView;
use crate::error::ERRORS;
use crate::location::id;
use crate::query::{Answer, Query};
use crate::session::Reading;
use axum::extract::{Path, State};
use axum::routing::get;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/1.0/kb/accounts/{accountId}/children", get(list_children))]
}

async fn list_children(
    State(edge): State<SharedEdge>,
    Reading(session): Reading,
    Path(account_id): Path<String>,
    query: Query,
) -> Answer {
    let (account_id, view) = (id(&account_id)?, AccountView::from_query(&query)?);
    let tenant_id = session.tenant.tenant_id;
    let work = move |tx: &mut dyn Connection| {
        let children = storage::accounts::children(tx, tenant_id, account_id)?;
        Ok(Reply::json(StatusCode::OK, &view.render_all(tx, tenant_id, children)?))
    };
    Ok(edge.read(&ERRORS, work).await)
}

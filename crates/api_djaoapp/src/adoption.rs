//! Accounts that were opened at other desks are profiles here: before they are listed or looked up, they become so.

use crate::error::{ERRORS, Early, detail};
use edge::{Session, SharedEdge};
use http::StatusCode;
use operations::organizations::adopt_accounts;

/// Accounts that become profiles in one transaction.
const BATCH: i64 = 1_000;
/// Batches that one request waits for.
const BATCHES: usize = 50;

/// Makes profiles of all accounts that are none. Of very many it does a part and asks to come again.
pub(crate) async fn adopt_all(edge: &SharedEdge, session: &Session) -> Result<(), Early> {
    let tenant_id = session.tenant.tenant_id;
    let failed = |error| Early(ERRORS.reply(&error));
    for _ in 0..BATCHES {
        let waiting = edge.store.read_point(move |tx| Ok(storage::profiles::accounts_wait(tx, tenant_id)?));
        if !waiting.await.map_err(failed)? {
            return Ok(());
        }
        edge.store.write(move |tx| adopt_accounts(tx, tenant_id, BATCH)).await.map_err(failed)?;
    }
    let busy = "Many accounts become profiles; try again shortly";
    Err(Early(detail(StatusCode::SERVICE_UNAVAILABLE, busy).with("Retry-After", "5")))
}

/// The same, if there is no profile with this slug.
pub(crate) async fn adopt_for(edge: &SharedEdge, session: &Session, slug: &str) -> Result<(), Early> {
    let (tenant_id, wanted) = (session.tenant.tenant_id, slug.to_owned());
    let known = edge
        .store
        .read_point(move |tx| Ok(storage::organizations::by_slug(tx, tenant_id, &wanted)?.is_some()))
        .await
        .map_err(|error| Early(ERRORS.reply(&error)))?;
    if known { Ok(()) } else { adopt_all(edge, session).await }
}

//! Accounts that were opened at other desks are profiles here: before they are listed or looked up, they become so.

use crate::error::{Answer, ERRORS, Early, detail};
use edge::{Reply, Session, SharedEdge};
use http::StatusCode;
use operations::organizations::adopt_accounts;
use storage::{Connection, Outcome};

/// Accounts that become profiles in one transaction.
const BATCH: i64 = 1_000;
/// Batches that one request waits for.
const BATCHES: usize = 50;

/// Makes profiles of all accounts that are none, and says whether there were any. Of very many it does a part and asks to
/// come again.
pub(crate) async fn adopt_all(edge: &SharedEdge, session: &Session) -> Result<bool, Early> {
    let tenant_id = session.tenant.tenant_id;
    let failed = |error| Early(ERRORS.reply(&error));
    for batch in 0..BATCHES {
        let waiting = edge.store.read_point(move |tx| Ok(storage::profiles::accounts_wait(tx, tenant_id)?));
        if !waiting.await.map_err(failed)? {
            return Ok(batch > 0);
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
    if !known {
        adopt_all(edge, session).await?;
    }
    Ok(())
}

/// What `look` finds; where that is nothing and accounts have waited, what it finds when they are profiles.
pub(crate) async fn find(
    edge: &SharedEdge,
    session: &Session,
    look: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Clone + Send + 'static,
) -> Answer {
    let reply = edge.read_point(&ERRORS, look.clone()).await;
    if reply.status() == StatusCode::NOT_FOUND && adopt_all(edge, session).await? {
        return Ok(edge.read_point(&ERRORS, look).await);
    }
    Ok(reply)
}

//! Accounts that were opened at other desks are profiles here: before they are listed or looked up, they become so.

use crate::error::{Answer, ERRORS, Early, detail};
use edge::{Reply, Session, SharedEdge};
use http::StatusCode;
use operations::organizations::{adopt_account, adopt_accounts, waiting_account};
use storage::{Connection, Outcome};

/// Accounts that become profiles in one transaction.
const BATCH: i64 = 1_000;
/// Batches that one request waits for.
const BATCHES: usize = 150;

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

/// Makes a profile of the account that will have this slug, if there is one that is none, and says whether it did.
pub(crate) async fn adopt_for(edge: &SharedEdge, session: &Session, slug: &str) -> Result<bool, Early> {
    let (tenant_id, slug) = (session.tenant.tenant_id, slug.to_owned());
    let failed = |error| Early(ERRORS.reply(&error));
    let waiting = edge.store.read_point(move |tx| waiting_account(tx, tenant_id, &slug)).await;
    let Some(account_id) = waiting.map_err(failed)? else { return Ok(false) };
    edge.store.write(move |tx| adopt_account(tx, tenant_id, account_id)).await.map_err(failed)?;
    Ok(true)
}

/// What `look` finds of the profile with this slug; where that is nothing, what it finds of the account that becomes one.
pub(crate) async fn find(
    edge: &SharedEdge,
    session: &Session,
    slug: &str,
    look: impl Fn(&mut dyn Connection) -> Outcome<Reply> + Clone + Send + 'static,
) -> Answer {
    let reply = edge.read_point(&ERRORS, look.clone()).await;
    if reply.status() == StatusCode::NOT_FOUND {
        adopt_for(edge, session, slug).await?;
        // Also where there is no account any more that waits: somebody else has just adopted it.
        return Ok(edge.read_point(&ERRORS, look).await);
    }
    Ok(reply)
}

//! Doing due work through the store: piece by piece, each in its own transaction.

use crate::{Edge, SharedEdge};
use billing::{Tenant, TenantId};
use jiff::Timestamp;
use operations::due_work::{self, Done, HANDLERS};
use operations::mails;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::due_work::{DueWork, Lane};
use storage::{Error, Outcome};

/// How long the worker rests when there was nothing to do. Work scheduled meanwhile is late by this at most.
const REST: Duration = Duration::from_secs(1);

/// How long a clock waits for what another node is doing before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Most pieces of one tenant in a row, so that the others have their turn.
const TURN: usize = 100;

/// Most tenants that one question finds.
const PAGE: usize = 1_000;

/// How many rounds pass until the server's own chores are looked after again.
const CHORES_EVERY: u32 = 600;

/// Does due work until the server ends. Any number of nodes may: each piece is done once. Mail has a lane of its own: a
/// mail server that is slow or silent holds nothing else up.
pub async fn work_forever(edge: SharedEdge) {
    tokio::spawn(work_in_lane(Arc::clone(&edge), Lane::Mail));
    work_in_lane(edge, Lane::Other).await;
}

async fn work_in_lane(edge: SharedEdge, lane: Lane) {
    for round in 0u32.. {
        if round % CHORES_EVERY == 0 && lane == Lane::Other {
            look_after_chores(&edge).await;
        }
        match edge.run_due_work(lane).await {
            Ok(true) => {}
            Ok(false) => tokio::time::sleep(REST).await,
            Err(error) => {
                tracing::error!(%error, "the tenants with due work could not be found");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

async fn look_after_chores(edge: &Edge) {
    let now = operations::clock::real();
    let scheduled = edge.store.write(move |tx| operations::housekeeping::schedule(tx, now, now)).await;
    if let Err(error) = scheduled {
        tracing::error!(%error, "the server's chores could not be scheduled");
    }
}

impl Edge {
    /// One round, in which each tenant that has work to do now has one turn. Says whether there may be more.
    async fn run_due_work(&self, lane: Lane) -> Outcome<bool> {
        let now = operations::clock::real();
        let (mut after, mut more) = (None, false);
        loop {
            let page = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let find = move |tx: &mut dyn storage::Connection| {
                Ok(storage::due_work::due_tenants(tx, lane, now, after, page)?)
            };
            let tenants = self.store.read(find).await?;
            for tenant_id in &tenants {
                more |= self.take_turn(*tenant_id, lane).await;
            }
            if tenants.len() < PAGE {
                return Ok(more);
            }
            after = tenants.last().copied();
        }
    }

    /// Does the piece that `step` takes, also what of it happens outside of the transaction. Says whether there was one.
    async fn do_next(
        &self,
        step: impl Fn(&mut dyn storage::Connection) -> Outcome<Option<Done>> + Send + 'static,
    ) -> Outcome<bool> {
        match self.store.write(step).await? {
            Some(Done::Outside(work)) => Ok(report(Some(self.send_mail(work).await?))),
            done => Ok(report(done)),
        }
    }

    /// Sends the mail that a piece of due work is about.
    async fn send_mail(&self, work: DueWork) -> Outcome<Done> {
        let asked = work.clone();
        let mail = match self.store.read_point(move |tx| mails::of_work(tx, &asked)).await {
            Err(error @ Error::Refused(_)) => Err(error.to_string()),
            found => Ok(found?),
        };
        let id = mail.as_ref().ok().and_then(|mail| mail.as_ref().map(|mail| mail.id));
        let result = match mail {
            Ok(Some(mail)) => {
                let mailer = Arc::clone(&self.mailer);
                let sent = tokio::task::spawn_blocking(move || mailer.send(&mail)).await;
                sent.unwrap_or_else(|error| Err(format!("the sending broke off: {error}")))
            }
            Ok(None) => Ok(()),
            Err(reason) => Err(reason),
        };
        let finish = move |tx: &mut dyn storage::Connection| {
            let now = due_work::now(tx, work.tenant_id)?;
            mails::finish(tx, &work, id, result.as_ref().copied().map_err(String::as_str), now)
        };
        self.store.write(finish).await
    }

    /// One tenant's turn. Says whether a piece was tried. What the storage keeps from being tried stays due; the others
    /// have their turns all the same.
    async fn take_turn(&self, tenant_id: TenantId, lane: Lane) -> bool {
        for tried in 0..TURN {
            match self.do_next(move |tx| due_work::run_next(tx, tenant_id, lane, HANDLERS)).await {
                Ok(true) => {}
                Ok(false) => return tried > 0,
                Err(error) => {
                    tracing::error!(%error, tenant = tenant_id.0, "due work could not be done; it stays due");
                    return tried > 0;
                }
            }
        }
        true
    }

    /// Moves a tenant's clock to `target`, without one back to the real time; it ticks on from there. Forwards, all work
    /// that falls due on the way is done first, in order, each piece at its time. What is not done when `limit` has
    /// passed is left to the worker.
    pub async fn move_clock(
        &self,
        tenant_id: TenantId,
        target: Option<Timestamp>,
        limit: Option<Duration>,
    ) -> Outcome<()> {
        let until = target.unwrap_or_else(operations::clock::real);
        let begun = Instant::now();
        while limit.is_none_or(|limit| begun.elapsed() < limit) {
            let step = move |tx: &mut dyn storage::Connection| {
                due_work::run_next_until(tx, tenant_id, until, HANDLERS)
            };
            let found = self.do_next(step).await?;
            let wanting =
                move |tx: &mut dyn storage::Connection| Ok(storage::due_work::is_due(tx, tenant_id, until)?);
            if !found && !self.store.read(wanting).await? {
                break;
            }
            if !found {
                // Another node is at the last pieces.
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        let arrive = move |tx: &mut dyn storage::Connection| match target {
            Some(target) => due_work::set_clock(tx, tenant_id, target).map(|_| ()),
            None => due_work::reset_clock(tx, tenant_id),
        };
        self.store.write(arrive).await
    }

    /// Waits until all work that is due for a tenant now is done, but no longer than `limit`. Says whether it is.
    pub async fn wait_for_due_work(&self, tenant: Tenant, limit: Duration) -> Outcome<bool> {
        let (tenant_id, until) = (tenant.tenant_id, operations::clock::now(&tenant));
        let begun = Instant::now();
        loop {
            let step = move |tx: &mut dyn storage::Connection| {
                due_work::run_next(tx, tenant_id, Lane::All, HANDLERS)
            };
            let wanting = move |tx: &mut dyn storage::Connection| {
                let is_under_way = storage::due_work::is_under_way(tx, tenant_id, until)?;
                Ok(is_under_way || storage::due_work::is_due(tx, tenant_id, until)?)
            };
            if !self.store.read(wanting).await? {
                return Ok(true);
            }
            if begun.elapsed() >= limit {
                return Ok(false);
            }
            if !self.do_next(step).await? {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

/// Logs what came of a piece. Says whether there was one.
fn report(done: Option<Done>) -> bool {
    match done {
        Some(Done::Failed(work, reason)) => {
            let DueWork { record_id, tenant_id: TenantId(tenant), kind, attempts, .. } = work;
            tracing::warn!(record_id, tenant, kind, attempts, reason, "a piece of due work failed");
            true
        }
        Some(Done::Succeeded(_) | Done::Outside(_)) => true,
        None => false,
    }
}

//! Due work: scheduled in the transaction of the change that asks for it, and done once, in order of time.
//!
//! One piece is one transaction: what it changes and that it is done become durable together. A node that dies in the
//! middle leaves the piece as it was, and another does it. A failure is kept with its reason and tried again, later and
//! later; meanwhile what comes after it in the same account waits. After [`ATTEMPTS`] the piece is FAILED: it is shown, a
//! person can let it run again, and the rest of the account's work goes on without it.

use crate::{blocking, clock, housekeeping, mails, verification};
use billing::time::to_micros;
use billing::{Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use storage::due_work::{self, DueWork, Lane, NewDueWork};
use storage::{Connection, Error, Outcome, StoreError};
use uuid::Uuid;

/// How often a piece is tried before it is FAILED.
pub const ATTEMPTS: usize = BACK_OFF_SECONDS.len() + 1;

/// How long to wait after the first failure, the second, and so on.
const BACK_OFF_SECONDS: [i64; 7] = [10, 60, 300, 1_800, 7_200, 21_600, 86_400];

/// Longest reason of a failure that is kept, in characters.
const ERROR_LIMIT: usize = 1_000;

/// Does one piece of work of a tenant, at `now`. It may be tried again after it failed, but never after it succeeded.
pub type Handler =
    fn(tx: &mut dyn Connection, tenant: &Tenant, work: &DueWork, now: Timestamp) -> Outcome<()>;

/// The kinds of work and who does them.
#[derive(Clone, Copy)]
pub struct Handlers(pub &'static [(&'static str, Handler)]);

/// The kinds that this server knows.
pub const HANDLERS: Handlers = Handlers(&[
    (blocking::BEGINNING, blocking::begin),
    (housekeeping::KIND, housekeeping::run),
    (verification::RECOVERY, verification::send_requested),
]);

/// The kinds of work that are the server's own: no tenant has any.
pub(crate) const CHORES: &[&str] = &[housekeeping::KIND];

impl Handlers {
    fn of(self, kind: &str) -> Option<Handler> {
        self.0.iter().find(|(name, _)| *name == kind).map(|(_, handler)| *handler)
    }
}

/// What came of one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was done.
    Succeeded(DueWork),
    /// It failed, for this reason, and was put back or marked FAILED.
    Failed(DueWork, String),
    /// It is a mail, to be sent after the transaction: [`mails::of_work`], then [`mails::finish`]. Unless that is done
    /// soon, it is tried again.
    Outside(DueWork),
}

/// Schedules work of a tenant in the transaction of the change that asks for it, for `due_at` on the tenant's clock.
pub fn schedule(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Option<Uuid>,
    kind: &str,
    payload: &impl Serialize,
    due_at: Timestamp,
) -> Outcome<()> {
    let payload = crate::journal::snapshot(payload)?;
    let work = NewDueWork { account_id, kind, payload: &payload, due_at };
    due_work::schedule(tx, tenant_id, &work, clock::real())?;
    Ok(())
}

/// Does the tenant's next piece of a lane whose time has come, if there is one. The work of a tenant who cannot be read fails,
/// piece by piece, for that reason.
pub fn run_next(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    lane: Lane,
    handlers: Handlers,
) -> Outcome<Option<Done>> {
    let tenant = match tenant(tx, tenant_id) {
        Ok(tenant) => tenant,
        Err(Error::Store(error @ (StoreError::Corrupt(_) | StoreError::Decode { .. }))) => {
            return fail_next(tx, tenant_id, lane, &error.into());
        }
        Err(error) => return Err(error),
    };
    let now = clock::now(&tenant);
    match due_work::claim(tx, tenant_id, lane, now)? {
        Some(work) => {
            // On a clock that was moved, time is a story: a piece sees the time at which it was due.
            let now = if tenant.clock_offset.is_zero() { now } else { work.run_at };
            run(tx, &tenant, work, now, handlers).map(Some)
        }
        None => Ok(None),
    }
}

/// Does the tenant's next piece on the way of its clock to `target`: the clock moves to the piece's time, and the piece
/// is done, in one transaction.
pub fn run_next_until(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    target: Timestamp,
    handlers: Handlers,
) -> Outcome<Option<Done>> {
    let mut tenant = tenant(tx, tenant_id)?;
    let Some(work) = due_work::claim(tx, tenant_id, Lane::All, target)? else { return Ok(None) };
    let now = work.run_at;
    if now > clock::now(&tenant) {
        tenant.clock_offset = set_clock(tx, tenant_id, now)?;
    }
    run(tx, &tenant, work, now, handlers).map(Some)
}

/// What time it is for the tenant of this number.
pub fn now(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Timestamp> {
    Ok(clock::now(&tenant(tx, tenant_id)?))
}

/// Lets the tenant's clock show `target` now and tick on from there.
pub fn set_clock(tx: &mut dyn Connection, tenant_id: TenantId, target: Timestamp) -> Outcome<SignedDuration> {
    let offset = to_micros(target).duration_since(clock::real());
    storage::tenants::set_clock_offset(tx, tenant_id, offset)?;
    Ok(offset)
}

/// Lets the tenant's clock show the real time again, exactly, as if it had never been moved.
pub fn reset_clock(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<()> {
    Ok(storage::tenants::set_clock_offset(tx, tenant_id, SignedDuration::ZERO)?)
}

fn tenant(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Tenant> {
    if tenant_id == TenantId::SERVER {
        return Ok(Tenant::server());
    }
    let known = storage::tenants::by_number(tx, tenant_id)?;
    Ok(known
        .ok_or_else(|| StoreError::Corrupt(format!("due work of tenant {}, who is unknown", tenant_id.0)))?)
}

fn run(
    tx: &mut dyn Connection,
    tenant: &Tenant,
    work: DueWork,
    now: Timestamp,
    handlers: Handlers,
) -> Outcome<Done> {
    if work.kind == mails::KIND {
        let run_at = work.run_at.max(now).checked_add(mails::LEASE).unwrap_or(work.run_at);
        due_work::postpone(tx, &work, run_at)?;
        return Ok(Done::Outside(work));
    }
    // Marked first, so that a chore of the server may schedule its next turn.
    due_work::finish(tx, &work, clock::real())?;
    let outcome = match handlers.of(&work.kind) {
        Some(handler) => tx.savepoint(&mut |tx| {
            storage::run_caught(&|tx: &mut dyn Connection| handler(tx, tenant, &work, now), tx)
        }),
        None => Err(StoreError::Corrupt(format!("this server knows no work {}", work.kind)).into()),
    };
    match outcome {
        Ok(()) => Ok(Done::Succeeded(work)),
        // Another transaction was in the way: the whole transaction runs again.
        Err(error @ Error::Store(StoreError::Conflict(_))) => Err(error),
        Err(error) => fail(tx, work, now, &error),
    }
}

/// Keeps what became of a piece that was done outside of its transaction.
pub(crate) fn finish_outside(
    tx: &mut dyn Connection,
    work: &DueWork,
    result: Result<(), &str>,
    now: Timestamp,
) -> Outcome<Done> {
    match result {
        Ok(()) => {
            due_work::finish(tx, work, clock::real())?;
            Ok(Done::Succeeded(work.clone()))
        }
        Err(reason) => fail(tx, work.clone(), now, &StoreError::Engine(reason.to_owned()).into()),
    }
}

/// Keeps why a piece failed.
fn fail(tx: &mut dyn Connection, work: DueWork, now: Timestamp, error: &Error) -> Outcome<Done> {
    let reason: String = error.to_string().chars().take(ERROR_LIMIT).collect();
    due_work::fail(tx, &work, &reason, retry_at(&work, now), clock::real())?;
    Ok(Done::Failed(work, reason))
}

/// Fails the next piece of a tenant of whom no more is known than perhaps how far his clock stands from the real one.
fn fail_next(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    lane: Lane,
    error: &Error,
) -> Outcome<Option<Done>> {
    let offset = storage::tenants::clock_offset(tx, tenant_id).unwrap_or(SignedDuration::ZERO);
    let now = clock::now(&Tenant { clock_offset: offset, ..Tenant::server() });
    due_work::claim(tx, tenant_id, lane, now)?.map(|work| fail(tx, work, now, error)).transpose()
}

/// When a piece that failed once more is tried again; `None` when it was tried often enough.
fn retry_at(work: &DueWork, now: Timestamp) -> Option<Timestamp> {
    let attempt = usize::try_from(work.attempts).ok()?;
    let seconds = BACK_OFF_SECONDS.get(attempt)?;
    now.checked_add(SignedDuration::from_secs(*seconds)).ok()
}

//! Due work: what is to be done at a time, once, by whichever node comes first.

use crate::{Connection, Engine, Row, StoreError};
use billing::TenantId;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The kind of work that sends mail: a mail server may let it wait long.
pub const MAIL: &str = "MAIL";

/// Which work is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Any.
    All,
    /// Mail.
    Mail,
    /// All but mail.
    Other,
}

impl Lane {
    /// The condition, as the indexes spell it.
    fn condition(self) -> &'static str {
        match self {
            Lane::All => "",
            Lane::Mail => "AND kind = 'MAIL'",
            Lane::Other => "AND kind <> 'MAIL'",
        }
    }
}

/// A piece of work to schedule.
#[derive(Clone, Copy, Debug)]
pub struct NewDueWork<'a> {
    /// The account it concerns. The work of one account is done in order of time.
    pub account_id: Option<Uuid>,
    /// Which handler does it.
    pub kind: &'a str,
    /// What the handler needs to know, as JSON.
    pub payload: &'a str,
    /// When it falls due.
    pub due_at: Timestamp,
}

/// A piece of work that waits, or that failed too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueWork {
    /// The order in which work was scheduled; names the piece.
    pub record_id: i64,
    /// Whose work it is.
    pub tenant_id: TenantId,
    /// The account it concerns.
    pub account_id: Option<Uuid>,
    /// Which handler does it.
    pub kind: String,
    /// What the handler needs to know, as JSON.
    pub payload: String,
    /// When it fell due.
    pub due_at: Timestamp,
    /// When it is tried next: when it falls due, or later after a failure.
    pub run_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

const COLUMNS: &str = "tenant_id, account_id, kind, payload, due_at, run_at, attempts, last_error";

fn read(record_id: i64, mut row: Row) -> Result<DueWork, StoreError> {
    Ok(DueWork {
        record_id,
        tenant_id: TenantId(row.next()?),
        account_id: row.next()?,
        kind: row.next()?,
        payload: row.next()?,
        due_at: row.next()?,
        run_at: row.next()?,
        attempts: row.next()?,
        last_error: row.next()?,
    })
}

/// Schedules a piece of a tenant's work, in the transaction of the change that asks for it. Returns its record id.
/// When it falls due the tenant's clock tells; `real_now` notes when that was decided, by the real one. Of the chores of [`TenantId::SERVER`] each kind waits at most once: `None` when it does already.
pub fn schedule(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    new: &NewDueWork<'_>,
    real_now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO due_work (tenant_id, account_id, kind, payload, due_at, run_at, state, attempts, created_at)
         VALUES ($1, $2, $3, $4, $5, $5, 'WAITING', 0, $6) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            new.account_id.into(),
            new.kind.into(),
            new.payload.into(),
            new.due_at.into(),
            real_now.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// That no piece of the same account fell due earlier and waits, for its first attempt or for the next: the work of an
/// account is never done out of order. A piece that is FAILED for good holds nothing back, for that could be for ever;
/// once a person lets it run again, it is the first again.
const IS_FIRST_OF_ACCOUNT: &str = "NOT EXISTS (
    SELECT 1 FROM due_work earlier
    WHERE earlier.tenant_id = due_work.tenant_id AND earlier.account_id = due_work.account_id
      AND earlier.state = 'WAITING' AND (earlier.due_at, earlier.record_id) < (due_work.due_at, due_work.record_id))";

/// Takes the tenant's next piece of a lane that is to be tried at `until` or before, for this transaction alone: other nodes pass
/// over it until the transaction ends. It is the first of its account that is not done. A piece that cannot be read is
/// marked FAILED, so that the others have their turns.
pub fn claim(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    lane: Lane,
    until: Timestamp,
) -> Result<Option<DueWork>, StoreError> {
    let (skip_locked, kinds) = (skip_locked(tx.engine()), lane.condition());
    let sql = format!(
        "SELECT record_id, {COLUMNS} FROM due_work
         WHERE tenant_id = $1 AND state = 'WAITING' AND run_at <= $2 {kinds} AND {IS_FIRST_OF_ACCOUNT}
         ORDER BY run_at, record_id LIMIT 1 {skip_locked}"
    );
    while let Some(mut row) = tx.query_optional(&sql, &[tenant_id.0.into(), until.into()])? {
        let record_id = row.next()?;
        match read(record_id, row) {
            Err(error @ (StoreError::Decode { .. } | StoreError::Corrupt(_))) => {
                give_up(tx, tenant_id, record_id, &error)?;
            }
            work => return work.map(Some),
        }
    }
    Ok(None)
}

/// Marks a piece as FAILED of which no more is known than its record id.
fn give_up(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    record_id: i64,
    error: &StoreError,
) -> Result<(), StoreError> {
    tracing::error!(%error, record_id, tenant = tenant_id.0, "a piece of due work cannot be read");
    tx.execute(
        "UPDATE due_work SET state = 'FAILED', attempts = attempts + 1, last_error = $3
         WHERE tenant_id = $1 AND record_id = $2",
        &[tenant_id.0.into(), record_id.into(), (&error.to_string()).into()],
    )?;
    Ok(())
}

/// The ending of a SELECT that locks those of its rows that nobody else holds, and leaves out the others. SQLite has
/// one writer, which needs none.
fn skip_locked(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR UPDATE SKIP LOCKED",
    }
}

/// Puts a claimed piece off until `run_at`: whoever claimed it does it meanwhile, outside of the transaction.
pub fn postpone(tx: &mut dyn Connection, work: &DueWork, run_at: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE due_work SET run_at = $3 WHERE tenant_id = $1 AND record_id = $2",
        &[work.tenant_id.0.into(), work.record_id.into(), run_at.into()],
    )?;
    Ok(())
}

/// Marks a claimed piece as done at the real time `real_now`, by which it is forgotten one day.
pub fn finish(tx: &mut dyn Connection, work: &DueWork, real_now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE due_work SET state = 'DONE', finished_at = $3 WHERE tenant_id = $1 AND record_id = $2",
        &[work.tenant_id.0.into(), work.record_id.into(), real_now.into()],
    )?;
    Ok(())
}

/// Records why an attempt failed. The piece is tried again at `retry_at`; without that it stays FAILED since the
/// real time `real_now`, for a person to see.
pub fn fail(
    tx: &mut dyn Connection,
    work: &DueWork,
    error: &str,
    retry_at: Option<Timestamp>,
    real_now: Timestamp,
) -> Result<(), StoreError> {
    let state = if retry_at.is_some() { "WAITING" } else { "FAILED" };
    tx.execute(
        "UPDATE due_work SET state = $3, attempts = $4, last_error = $5, run_at = $6, finished_at = $7
         WHERE tenant_id = $1 AND record_id = $2",
        &[
            work.tenant_id.0.into(),
            work.record_id.into(),
            state.into(),
            (work.attempts + 1).into(),
            error.into(),
            retry_at.unwrap_or(work.run_at).into(),
            retry_at.is_none().then_some(real_now).into(),
        ],
    )?;
    Ok(())
}

/// The tenants behind `after` that have work of a lane to try now, in order of their numbers, at most `limit`; `real_now` is the
/// real time, and each tenant's clock counts. A tenant whose work all waits for an earlier piece's next attempt is found
/// as well, and then has nothing to claim. Page by page one comes by every tenant, however much others have to do.
pub fn due_tenants(
    tx: &mut dyn Connection,
    lane: Lane,
    real_now: Timestamp,
    after: Option<TenantId>,
    limit: i64,
) -> Result<Vec<TenantId>, StoreError> {
    let (after, kinds) = (after.map_or(i64::MIN, |tenant_id| tenant_id.0), lane.condition());
    let sql = format!(
        "SELECT tenant_id FROM due_work
         WHERE state = 'WAITING' AND run_at <= $1 {kinds} AND tenant_id > $2 AND NOT EXISTS (
             SELECT 1 FROM tenants t WHERE t.record_id = due_work.tenant_id AND t.clock_offset_micros <> 0)
         UNION
         SELECT t.record_id FROM tenants t
         WHERE t.clock_offset_micros <> 0 AND t.record_id > $2 AND EXISTS (
             SELECT 1 FROM due_work w WHERE w.tenant_id = t.record_id AND w.state = 'WAITING' {kinds}
                                        AND w.run_at <= $1 + t.clock_offset_micros)
         ORDER BY 1 LIMIT $3"
    );
    let rows = tx.query(&sql, &[real_now.into(), after.into(), limit.into()])?;
    rows.into_iter().map(|mut row| Ok(TenantId(row.next()?))).collect()
}

/// The tenants of which a piece failed too often, in order of their numbers.
pub fn tenants_with_failed(tx: &mut dyn Connection) -> Result<Vec<TenantId>, StoreError> {
    let rows =
        tx.query("SELECT DISTINCT tenant_id FROM due_work WHERE state = 'FAILED' ORDER BY tenant_id", &[])?;
    rows.into_iter().map(|mut row| Ok(TenantId(row.next()?))).collect()
}

/// How the work stands, for `/metrics` and health checks. Tenants whose clock was moved are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueWorkStatistics {
    /// Pieces whose time has come and that are not done yet.
    pub overdue: i64,
    /// For how long the oldest of them has been waiting; zero when there is none.
    pub lag: SignedDuration,
    /// Pieces that failed too often and wait for a person.
    pub failed: i64,
}

/// How the work of all tenants stands at `real_now`.
pub fn statistics(tx: &mut dyn Connection, real_now: Timestamp) -> Result<DueWorkStatistics, StoreError> {
    let mut due = tx.query_one(
        "SELECT COUNT(*), MIN(run_at) FROM due_work
         WHERE state = 'WAITING' AND run_at <= $1 AND NOT EXISTS (
             SELECT 1 FROM tenants t WHERE t.record_id = due_work.tenant_id AND t.clock_offset_micros <> 0)",
        &[real_now.into()],
    )?;
    let overdue = due.next()?;
    let oldest: Option<Timestamp> = due.next()?;
    let mut failed = tx.query_one("SELECT COUNT(*) FROM due_work WHERE state = 'FAILED'", &[])?;
    Ok(DueWorkStatistics {
        overdue,
        lag: oldest.map_or(SignedDuration::ZERO, |oldest| real_now.duration_since(oldest)),
        failed: failed.next()?,
    })
}

/// Whether the tenant has work to try at `until` or before. What waits behind a piece that failed is not to be tried.
pub fn is_due(tx: &mut dyn Connection, tenant_id: TenantId, until: Timestamp) -> Result<bool, StoreError> {
    let sql = format!(
        "SELECT 1 FROM due_work
         WHERE tenant_id = $1 AND state = 'WAITING' AND run_at <= $2 AND {IS_FIRST_OF_ACCOUNT} LIMIT 1"
    );
    Ok(tx.query_optional(&sql, &[tenant_id.0.into(), until.into()])?.is_some())
}

/// Whether a piece that was due at `until` or before was put off because it is being done.
pub fn is_under_way(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    until: Timestamp,
) -> Result<bool, StoreError> {
    let row = tx.query_optional(
        "SELECT 1 FROM due_work
         WHERE tenant_id = $1 AND state = 'WAITING' AND attempts = 0 AND run_at > due_at AND due_at <= $2 LIMIT 1",
        &[tenant_id.0.into(), until.into()],
    )?;
    Ok(row.is_some())
}

/// A piece that failed too often, as a person is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedWork {
    /// Names the piece.
    pub record_id: i64,
    /// Which handler does it.
    pub kind: String,
    /// When it fell due; none when that cannot be read.
    pub due_at: Option<Timestamp>,
    /// How often it was tried in vain.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// The tenant's pieces that failed too often, oldest first: at most `limit` behind the record id `after`.
pub fn failed(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<FailedWork>, StoreError> {
    let rows = tx.query(
        "SELECT record_id, kind, due_at, attempts, last_error FROM due_work
         WHERE tenant_id = $1 AND state = 'FAILED' AND record_id > $2 ORDER BY record_id LIMIT $3",
        &[tenant_id.0.into(), after.into(), limit.into()],
    )?;
    let shown = |mut row: Row| {
        Ok(FailedWork {
            record_id: row.next()?,
            kind: row.next()?,
            due_at: Timestamp::from_microsecond(row.next()?).ok(),
            attempts: row.next()?,
            last_error: row.next()?,
        })
    };
    rows.into_iter().map(shown).collect()
}

/// Lets a piece that failed too often be tried again from `now` on. Returns whether there was one.
pub fn run_again(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    record_id: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE due_work SET state = 'WAITING', attempts = 0, run_at = $3, finished_at = NULL
         WHERE tenant_id = $1 AND record_id = $2 AND state = 'FAILED'",
        &[tenant_id.0.into(), record_id.into(), now.into()],
    )?;
    Ok(changed == 1)
}

/// Locks what waits to be done about an account until the transaction ends. Whoever removes it takes this lock before
/// the account's, in the order in which the worker takes the two; the other way round each could wait for the other.
pub fn lock_waiting_of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<(), StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT record_id FROM due_work WHERE tenant_id = $1 AND account_id = $2 AND state = 'WAITING'
         ORDER BY record_id {for_update}"
    );
    tx.query(&sql, &[tenant_id.0.into(), account_id.into()])?;
    Ok(())
}

/// Removes what waits to be done about an account; says how much that was. For the holder of the account's lock: a
/// piece that a worker has begun meanwhile stays, because the worker in turn waits for the account.
pub fn remove_waiting_of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<u64, StoreError> {
    let sql = format!(
        "DELETE FROM due_work WHERE record_id IN (
             SELECT record_id FROM due_work WHERE tenant_id = $1 AND account_id = $2 AND state = 'WAITING' {})",
        skip_locked(tx.engine())
    );
    tx.execute(&sql, &[tenant_id.0.into(), account_id.into()])
}

/// Forgets up to `limit` pieces that were done before `before`.
pub fn forget_done(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM due_work WHERE record_id IN (
             SELECT record_id FROM due_work WHERE state = 'DONE' AND finished_at < $1
             ORDER BY finished_at LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

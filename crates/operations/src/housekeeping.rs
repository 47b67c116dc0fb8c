//! What the server throws away by itself: idempotency keys, sessions that ended, mail and work that were done long
//! ago.

use billing::{Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use storage::due_work::{DueWork, NewDueWork};
use storage::{Connection, Outcome};

/// The kind of due work.
pub const KIND: &str = "HOUSEKEEPING";

/// Most rows of a kind that one transaction removes.
const BATCH: i64 = 1_000;

/// How long the answer to an `Idempotency-Key` is kept.
const IDEMPOTENCY_KEYS_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How long work that was done can be looked at.
const DONE_WORK_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long it is known to whom which mail was sent.
const MAILS_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// From one turn to the next.
const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// From one turn to the next while there is more to remove than one turn may.
const SHORT_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Sees to it that a turn waits.
pub fn schedule(tx: &mut dyn Connection, due_at: Timestamp, now: Timestamp) -> Outcome<()> {
    let chore = NewDueWork { account_id: None, kind: KIND, payload: "{}", due_at };
    storage::due_work::schedule(tx, TenantId::SERVER, &chore, now)?;
    Ok(())
}

/// One turn, and the next one is scheduled.
pub(crate) fn run(tx: &mut dyn Connection, _: &Tenant, _: &DueWork, now: Timestamp) -> Outcome<()> {
    let before = |kept: SignedDuration| now.checked_sub(kept).unwrap_or(Timestamp::MIN);
    let removed = [
        storage::idempotency::forget(tx, before(IDEMPOTENCY_KEYS_KEPT), BATCH)?,
        storage::sessions::forget(tx, now, BATCH)?,
        storage::verification_codes::forget(tx, now, BATCH)?,
        storage::failed_attempts::forget(tx, now, BATCH)?,
        storage::mails::forget_sent(tx, before(MAILS_KEPT), BATCH)?,
        storage::due_work::forget_done(tx, before(DONE_WORK_KEPT), BATCH)?,
    ];
    let more = removed.iter().any(|rows| i64::try_from(*rows).is_ok_and(|rows| rows >= BATCH));
    let pause = if more { SHORT_PAUSE } else { PAUSE };
    schedule(tx, now.checked_add(pause).unwrap_or(Timestamp::MAX), now)
}

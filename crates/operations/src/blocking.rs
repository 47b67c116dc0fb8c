//! Setting blocking states, and telling of them when they begin to hold.

use crate::due_work;
use crate::journal::AccountJournal;
use billing::blocking::{
    Blocked, BlockedType, BlockingState, NewBlockingState, Placement, ServiceState, place, transition,
};
use billing::time::{instant_on, to_micros, zone};
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, Tenant, TenantId};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use storage::audit::Event;
use storage::due_work::DueWork;
use storage::{Connection, Outcome, StoreError, blocking_states};
use uuid::Uuid;

/// What is to be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blockable {
    /// Its kind.
    pub blocked_type: BlockedType,
    /// Its id.
    pub id: Uuid,
    /// The account to which it belongs, or which it is.
    pub account_id: Uuid,
}

impl Blockable {
    /// An account.
    pub fn account(id: Uuid) -> Blockable {
        Blockable { blocked_type: BlockedType::Account, id, account_id: id }
    }
}

/// From when on a state shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectiveFrom {
    /// From now on.
    Now,
    /// From an instant on, past or future.
    Instant(Timestamp),
    /// From a day on, in the account's time zone and at its reference time of day.
    Day(Date),
}

/// Sets a state. It replaces one that says the same later, and is left out where it holds already. Refuses reserved
/// and missing names, and an account that does not exist.
pub fn set(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    blockable: Blockable,
    caller: &Caller,
    now: Timestamp,
    new: &NewBlockingState,
    from: EffectiveFrom,
) -> Outcome<()> {
    caller.require(Permission::EntitlementPauseResume)?;
    let state = ServiceState::requested(new)?;
    let mut journal = AccountJournal::open(tx, tenant_id, blockable.account_id, caller, now)?;
    let effective_at = effective_at(&journal, now, from)?;
    put(&mut journal, blockable, state, effective_at, now)?;
    journal.close()
}

fn effective_at(journal: &AccountJournal<'_>, now: Timestamp, from: EffectiveFrom) -> Outcome<Timestamp> {
    let account = journal.account();
    match from {
        EffectiveFrom::Now => Ok(now),
        EffectiveFrom::Instant(at) => Ok(to_micros(at)),
        EffectiveFrom::Day(day) => {
            let zone = zone(&account.time_zone)
                .ok_or_else(|| StoreError::Corrupt(format!("time zone {}", account.time_zone)))?;
            let at = instant_on(day, account.reference_time, &zone);
            Ok(at.ok_or_else(|| Refusal::invalid("requestedDate", "is out of range"))?)
        }
    }
}

/// Sets a state of something whose account is locked.
pub(crate) fn put(
    journal: &mut AccountJournal<'_>,
    blockable: Blockable,
    state: ServiceState,
    effective_at: Timestamp,
    now: Timestamp,
) -> Outcome<()> {
    let (tenant_id, account_id) = (journal.tenant_id(), blockable.account_id);
    let stored = blocking_states::stream(journal.tx(), tenant_id, account_id, blockable.id, &state.service)?;
    let stream: Vec<BlockingState> = stored.iter().map(|stored| stored.state.clone()).collect();
    let Placement::Add { instead_of } = place(&stream, &state, effective_at) else { return Ok(()) };
    if let Some(replaced) = instead_of.and_then(|index| stored.get(index)) {
        let state = BlockingState { is_active: false, ..replaced.state.clone() };
        blocking_states::deactivate(journal.tx(), tenant_id, state.id, now)?;
        let object = (ObjectType::BlockingStates, state.id, replaced.record_id);
        journal.record(ChangeType::Delete, object.0, object.1, object.2, &state)?;
    }
    let state = BlockingState {
        id: Uuid::new_v4(),
        account_id,
        blocked_id: blockable.id,
        blocked_type: blockable.blocked_type,
        service: state.service,
        state_name: state.state_name,
        is_block_change: state.blocked.change,
        is_block_entitlement: state.blocked.entitlement,
        is_block_billing: state.blocked.billing,
        effective_at,
        is_active: true,
    };
    let record_id = blocking_states::insert(journal.tx(), tenant_id, &state, now)?;
    journal.record(ChangeType::Insert, ObjectType::BlockingStates, state.id, record_id, &state)?;
    if effective_at > now {
        return schedule(journal, &state);
    }
    publish(journal, &state)
}

/// The kind of due work that tells of a state once it begins to hold.
pub(crate) const BEGINNING: &str = "BLOCKING_STATE_BEGINS";

/// Which state begins to hold.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beginning {
    blocking_state_id: Uuid,
}

fn schedule(journal: &mut AccountJournal<'_>, state: &BlockingState) -> Outcome<()> {
    let beginning = Beginning { blocking_state_id: state.id };
    let (tenant_id, account_id) = (journal.tenant_id(), Some(state.account_id));
    due_work::schedule(journal.tx(), tenant_id, account_id, BEGINNING, &beginning, state.effective_at)
}

/// Tells of a state that begins to hold now. Nothing is told of one that another has replaced meanwhile.
pub(crate) fn begin(tx: &mut dyn Connection, tenant: &Tenant, work: &DueWork, now: Timestamp) -> Outcome<()> {
    let Beginning { blocking_state_id } = serde_json::from_str(&work.payload)
        .map_err(|error| StoreError::Corrupt(format!("{BEGINNING}: {error}")))?;
    let tenant_id = tenant.tenant_id;
    let Some(account_id) = work.account_id else {
        return Err(StoreError::Corrupt(format!("{BEGINNING} without an account")).into());
    };
    let caller = Caller::system(Uuid::new_v4());
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, &caller, now)?;
    let found = blocking_states::by_id(journal.tx(), tenant_id, blocking_state_id)?;
    if let Some(stored) = found.filter(|stored| stored.state.is_active) {
        publish(&mut journal, &stored.state)?;
    }
    Ok(())
}

/// What receivers of the event learn beside the state's own account.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    blockable_id: Uuid,
    service: &'a str,
    state_name: &'a str,
    blocking_type: BlockedType,
    effective_date: Timestamp,
    transitioned_to_blocked_billing: bool,
    transitioned_to_unblocked_billing: bool,
    transitioned_to_blocked_entitlement: bool,
    transitioned_to_unblocked_entitlement: bool,
}

fn publish(journal: &mut AccountJournal<'_>, state: &BlockingState) -> Outcome<()> {
    let tenant_id = journal.tenant_id();
    let stored = blocking_states::of_blocked(journal.tx(), tenant_id, state.account_id, state.blocked_id)?;
    let states: Vec<BlockingState> = stored.into_iter().map(|stored| stored.state).collect();
    let (before, since) = transition(&states, state.id).unwrap_or((Blocked::default(), Blocked::default()));
    let metadata = Metadata {
        blockable_id: state.blocked_id,
        service: &state.service,
        state_name: &state.state_name,
        blocking_type: state.blocked_type,
        effective_date: state.effective_at,
        transitioned_to_blocked_billing: !before.billing && since.billing,
        transitioned_to_unblocked_billing: before.billing && !since.billing,
        transitioned_to_blocked_entitlement: !before.entitlement && since.entitlement,
        transitioned_to_unblocked_entitlement: before.entitlement && !since.entitlement,
    };
    let metadata = crate::journal::snapshot(&metadata)?;
    let object_type = match state.blocked_type {
        BlockedType::Account => ObjectType::Account,
        BlockedType::SubscriptionBundle => ObjectType::Bundle,
        BlockedType::Subscription => ObjectType::Subscription,
    };
    journal.publish(&Event {
        event_type: "BLOCKING_STATE",
        object_type,
        object_id: Some(state.blocked_id),
        metadata: Some(&metadata),
    })
}

//! Closing an account: nothing of it is deleted and its data may still change, but it is billed no more.

use crate::blocking::{self, Blockable};
use crate::journal::AccountJournal;
use crate::owner::Object;
use crate::tags;
use billing::blocking::ServiceState;
use billing::tag::ControlTag;
use billing::{Caller, Permission, TenantId};
use jiff::Timestamp;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// What becomes of what an account still has when it is closed. The book holds no subscriptions and no invoices yet:
/// whether those are cancelled, written off or adjusted will be said here, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// What is due to be done about it later is not done.
    pub remove_future_notifications: bool,
}

/// Closes an account: sets AUTO_INVOICING_OFF and the blocking state of closed accounts, which stand already when it
/// is closed again. Asks for the permissions of what it does, and of no more.
pub fn close(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    closing: Closing,
) -> Outcome<()> {
    caller.require(Permission::TagAdd)?;
    caller.require(Permission::EntitlementPauseResume)?;
    if closing.remove_future_notifications {
        storage::due_work::lock_waiting_of_account(tx, tenant_id, id)?;
    }
    let mut journal = AccountJournal::open(tx, tenant_id, id, caller, now)?;
    tags::put(&mut journal, Object::account(id), &ControlTag::AutoInvoicingOff.definition())?;
    blocking::put(&mut journal, Blockable::account(id), ServiceState::closed_account(), now, now)?;
    if closing.remove_future_notifications {
        storage::due_work::remove_waiting_of_account(journal.tx(), tenant_id, id)?;
    }
    journal.close()
}

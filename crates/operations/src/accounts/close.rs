//! Closing an account: nothing of it is deleted, but it is billed no more and may not change.

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

/// What becomes of what an account still has when it is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Its subscriptions end.
    pub cancel_all_subscriptions: bool,
    /// What it has not paid is written off. Wins over the next.
    pub write_off_unpaid_invoices: bool,
    /// What it has not paid is adjusted to nothing.
    pub item_adjust_unpaid_invoices: bool,
    /// What is due to be done about it later is not done.
    pub remove_future_notifications: bool,
}

impl Closing {
    /// What a caller must be permitted.
    fn permissions(self) -> impl Iterator<Item = Permission> {
        [
            (true, Permission::TagAdd),
            (true, Permission::EntitlementPauseResume),
            (self.cancel_all_subscriptions, Permission::EntitlementCancel),
            (self.write_off_unpaid_invoices, Permission::InvoiceWriteOff),
            (self.item_adjust_unpaid_invoices, Permission::InvoiceItemAdjust),
        ]
        .into_iter()
        .filter_map(|(is_needed, permission)| is_needed.then_some(permission))
    }
}

/// Closes an account: sets AUTO_INVOICING_OFF and the blocking state of closed accounts, which stand already when it
/// is closed again. The book holds no subscriptions and no invoices yet, so there are none to cancel, write off or
/// adjust; their steps belong between these two.
pub fn close(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    closing: Closing,
) -> Outcome<()> {
    closing.permissions().try_for_each(|permission| caller.require(permission))?;
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

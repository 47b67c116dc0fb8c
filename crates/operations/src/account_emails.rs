//! Adding and removing e-mail addresses of an account.

use crate::journal::AccountJournal;
use billing::account::refuse_archived;
use billing::account_email;
use billing::{Caller, ChangeType, ObjectType, Permission, TenantId};
use jiff::Timestamp;
use storage::{Connection, Outcome, account_emails};
use uuid::Uuid;

/// Adds an address to an account; nothing happens when it has it already. Refuses an unknown account and
/// an archived one: nobody will be written to about it.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    now: Timestamp,
    email: &str,
) -> Outcome<()> {
    caller.require(Permission::AccountAddEmails)?;
    let email = account_email::add(Uuid::new_v4(), account_id, email)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    refuse_archived(journal.account())?;
    if account_emails::find(journal.tx(), tenant_id, account_id, &email.email)?.is_some() {
        return Ok(());
    }
    let record_id = account_emails::insert(journal.tx(), tenant_id, &email, now)?;
    journal.record(ChangeType::Insert, ObjectType::AccountEmail, email.id, record_id, &email)?;
    journal.close()
}

/// Removes an address from an account; nothing happens when it does not have it.
pub fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    now: Timestamp,
    email: &str,
) -> Outcome<()> {
    caller.require(Permission::AccountDeleteEmails)?;
    if storage::accounts::by_id(tx, tenant_id, account_id)?.is_none() {
        return Ok(());
    }
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    let Some((record_id, mut found)) = account_emails::find(journal.tx(), tenant_id, account_id, email)?
    else {
        return Ok(());
    };
    account_emails::remove(journal.tx(), tenant_id, found.id)?;
    found.is_active = false;
    journal.record(ChangeType::Delete, ObjectType::AccountEmail, found.id, record_id, &found)?;
    journal.close()
}

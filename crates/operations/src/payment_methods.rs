//! Payment methods of accounts: adding, choosing the default, refreshing, deleting.

use crate::journal::AccountJournal;
use crate::owner::Object;
use billing::account::refuse_archived;
use billing::payment_method::{self, NewPaymentMethod, PaymentMethod};
use billing::tag::ControlTag;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use storage::audit::Event;
use storage::payment_methods::{self, StoredPaymentMethod};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// What happens to the account when its default payment method is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DefaultDeletion {
    /// It is not deleted.
    #[default]
    Refuse,
    /// The account is left without a default.
    Clear,
    /// The account is left without a default and wears AUTO_PAY_OFF.
    ClearWithAutoPayOff,
}

/// What adding a payment method, or making it the default, brings about beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// It becomes the account's default.
    pub is_default: bool,
    /// All that the account owes is paid with it.
    pub pays_unpaid_invoices: bool,
}

impl Choice {
    fn require(self, caller: &Caller) -> Result<(), Refusal> {
        caller.require(Permission::PaymentMethodCreate)?;
        if self.pays_unpaid_invoices { caller.require(Permission::PaymentTrigger) } else { Ok(()) }
    }
}

/// Adds a payment method to an account. Refuses an archived one: nothing will be collected of it.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    now: Timestamp,
    (new, choice): (&NewPaymentMethod, Choice),
) -> Outcome<Uuid> {
    choice.require(caller)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    refuse_archived(journal.account())?;
    let others = payment_methods::of_account(journal.tx(), tenant_id, account_id, false)?;
    let others: Vec<PaymentMethod> = others.into_iter().map(|stored| stored.payment_method).collect();
    let id = Uuid::new_v4();
    let mut method = payment_method::add(id, account_id, new, &others, &caller.changed_by, now)?;
    let may_rename = new.external_key.as_deref().is_none_or(str::is_empty);
    let mut record_id = payment_methods::insert(journal.tx(), tenant_id, &method)?;
    if record_id.is_none() && may_rename {
        method.external_key = id.to_string();
        record_id = payment_methods::insert(journal.tx(), tenant_id, &method)?;
    }
    let record_id =
        record_id.ok_or_else(|| Refusal::PaymentMethodKeyTaken { key: method.external_key.clone() })?;
    journal.record(ChangeType::Insert, ObjectType::PaymentMethod, id, record_id, &method)?;
    choose(&mut journal, id, choice)?;
    journal.close()?;
    Ok(id)
}

/// Makes one of the account's payment methods its default. Refuses an archived account.
pub fn set_default(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    (account_id, id): (Uuid, Uuid),
    caller: &Caller,
    now: Timestamp,
    pays_unpaid_invoices: bool,
) -> Outcome<()> {
    let choice = Choice { is_default: true, pays_unpaid_invoices };
    choice.require(caller)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    refuse_archived(journal.account())?;
    check_own(journal.tx(), tenant_id, account_id, id)?;
    choose(&mut journal, id, choice)?;
    journal.close()
}

/// Refuses a payment method that does not exist, was deleted or belongs to another account. For the holder of the
/// account's lock, without which none is deleted.
pub(crate) fn check_own(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    id: Uuid,
) -> Outcome<()> {
    let stored = payment_methods::by_id(tx, tenant_id, id)?;
    match stored.map(|stored| stored.payment_method).filter(|method| method.is_active) {
        None => Err(Refusal::PaymentMethodUnknown { id }.into()),
        Some(method) if method.account_id != account_id => {
            Err(Refusal::PaymentMethodOfAnotherAccount { id }.into())
        }
        Some(_) => Ok(()),
    }
}

/// Does what was chosen of a payment method. Accounts have no invoices yet, so there is none to pay: paying them
/// begins here.
fn choose(journal: &mut AccountJournal<'_>, id: Uuid, choice: Choice) -> Outcome<()> {
    if choice.is_default { set_account_default(journal, Some(id)) } else { Ok(()) }
}

/// Asks the plugins anew what they know of the account's payment methods. The external plugin has no gateway behind
/// it: the book itself is all it knows.
pub fn refresh(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    plugin_names: &[String],
) -> Outcome<()> {
    caller.require(Permission::PaymentMethodUpdate)?;
    plugin_names.iter().try_for_each(|name| payment_method::check_plugin(name))?;
    crate::accounts::get(tx, tenant_id, account_id)?;
    Ok(())
}

/// Deletes a payment method; its key stays taken. Also of an archived account: what is kept of a payer may go.
pub fn delete(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    deletion: DefaultDeletion,
) -> Outcome<()> {
    caller.require(Permission::PaymentMethodDelete)?;
    let unknown = Refusal::ObjectUnknown { object_type: ObjectType::PaymentMethod, id };
    let account_id = payment_methods::account_of(tx, tenant_id, id)?.ok_or(unknown)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    let stored = get(journal.tx(), tenant_id, id, false)?;
    if journal.account().details.payment_method_id == Some(id) {
        match deletion {
            DefaultDeletion::Refuse => return Err(Refusal::PaymentMethodIsDefault { account_id }.into()),
            DefaultDeletion::Clear => {}
            DefaultDeletion::ClearWithAutoPayOff => {
                let definition =
                    crate::tags::definition(journal.tx(), tenant_id, ControlTag::AutoPayOff.id())?;
                crate::tags::put(&mut journal, Object::account(account_id), &definition)?;
            }
        }
        set_account_default(&mut journal, None)?;
    }
    let StoredPaymentMethod { record_id, mut payment_method, .. } = stored;
    payment_method.is_active = false;
    payment_method.updated_by = caller.changed_by.clone();
    payment_method.updated_at = now;
    payment_methods::update(journal.tx(), tenant_id, &payment_method)?;
    journal.record(ChangeType::Delete, ObjectType::PaymentMethod, id, record_id, &payment_method)?;
    journal.close()
}

/// Changes the account's default payment method, unless it is that already.
fn set_account_default(journal: &mut AccountJournal<'_>, default: Option<Uuid>) -> Outcome<()> {
    if journal.account().details.payment_method_id == default {
        return Ok(());
    }
    let (tenant_id, record_id) = (journal.tenant_id(), journal.account_record_id());
    let mut changed = journal.account().clone();
    changed.details.payment_method_id = default;
    changed.updated_by = journal.caller().changed_by.clone();
    changed.updated_at = journal.now();
    storage::accounts::update(journal.tx(), tenant_id, &changed)?;
    journal.record(ChangeType::Update, ObjectType::Account, changed.id, record_id, &changed)?;
    let (object_type, object_id) = (ObjectType::Account, Some(changed.id));
    journal.publish(&Event { event_type: "ACCOUNT_CHANGE", object_type, object_id, metadata: None })
}

/// The payment method with this id; a deleted one only when asked for.
pub fn get(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    included_deleted: bool,
) -> Outcome<StoredPaymentMethod> {
    let stored = payment_methods::by_id(tx, tenant_id, id)?
        .ok_or(Refusal::ObjectUnknown { object_type: ObjectType::PaymentMethod, id })?;
    if included_deleted || stored.payment_method.is_active {
        Ok(stored)
    } else {
        Err(Refusal::PaymentMethodUnknown { id }.into())
    }
}

/// The payment method with this external key; a deleted one only when asked for.
pub fn get_by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
    included_deleted: bool,
) -> Outcome<StoredPaymentMethod> {
    let stored = payment_methods::by_key(tx, tenant_id, key)?;
    let found = stored.filter(|stored| included_deleted || stored.payment_method.is_active);
    Ok(found.ok_or_else(|| Refusal::PaymentMethodKeyUnknown { key: key.to_owned() })?)
}

//! Opening, reading and changing accounts.

pub mod close;

use crate::journal::{AccountJournal, snapshot};
use billing::account::{self, AccountChange, NewAccount};
use billing::{Caller, Chain, ChangeType, Currency, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use storage::accounts::StoredAccount;
use storage::audit::{self, Change, Event};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Most levels of accounts beneath accounts.
const TREE_DEPTH_LIMIT: usize = 32;

/// Opens an account. Refuses an external key that another account or an alias has, an unknown parent, one that stands
/// so deep that nothing more fits beneath it, and any default payment method: it has none of its own yet.
pub fn open(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    new: &NewAccount,
) -> Outcome<StoredAccount> {
    caller.require(Permission::AccountCreate)?;
    let id = new_id(now);
    let account = account::open(id, new, &caller.changed_by, now)?;
    if let Some(method_id) = account.details.payment_method_id {
        crate::payment_methods::check_own(tx, tenant_id, id, method_id)?;
    }
    if let Some(parent_id) = account.details.parent_account_id {
        check_parent(tx, tenant_id, id, parent_id)?;
    }
    if let Some(key) = &new.external_key {
        crate::aliases::refuse_key(tx, tenant_id, key, now)?;
    }
    let mut chain = Chain::start(id);
    let snapshot = snapshot(&account)?;
    let (object_type, change_type) = (ObjectType::Account, ChangeType::Insert);
    let mut change =
        Change { object_type, object_id: id, object_record_id: 0, change_type, snapshot: &snapshot };
    let link = audit::link(&mut chain, caller, now, &change);
    change.object_record_id = storage::accounts::insert(tx, tenant_id, &account, &chain)?
        .ok_or_else(|| Refusal::AccountKeyTaken { key: account.external_key.clone() })?;
    audit::record(tx, tenant_id, Some((id, &link)), caller, now, &change)?;
    audit::publish(tx, tenant_id, Some(id), caller.user_token, now, &account_event("ACCOUNT_CREATION", id))?;
    Ok(StoredAccount {
        record_id: change.object_record_id,
        balance_minor: 0,
        credit_minor: 0,
        organization_id: None,
        account,
    })
}

/// An id that begins with the time, so that those made together stand together in every index.
fn new_id(now: Timestamp) -> Uuid {
    let millisecond = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let nanosecond = u32::try_from(millisecond % 1000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, millisecond / 1000, nanosecond))
}

fn account_event(event_type: &'static str, id: Uuid) -> Event<'static> {
    Event { event_type, object_type: ObjectType::Account, object_id: Some(id), metadata: None }
}

/// The account with this id, or a refusal.
pub fn get(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<StoredAccount> {
    Ok(storage::accounts::by_id(tx, tenant_id, id)?.ok_or_else(|| Refusal::account_unknown(id))?)
}

/// The account with this external key, or a refusal.
pub fn get_by_key(tx: &mut dyn Connection, tenant_id: TenantId, key: &str) -> Outcome<StoredAccount> {
    Ok(storage::accounts::by_key(tx, tenant_id, key)?
        .ok_or_else(|| Refusal::AccountKeyUnknown { key: key.to_owned() })?)
}

/// Changes an account. `change` receives the locked account and says how it shall be; refuses what is fixed, an
/// archived account, a new parent that is unknown, stands too deep, or beneath the account itself, and a new default
/// payment method that is not one of the account's.
pub fn change(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
    change: &dyn Fn(&account::Account) -> Result<AccountChange, Refusal>,
) -> Outcome<StoredAccount> {
    caller.require(Permission::AccountUpdate)?;
    let mut journal = AccountJournal::open(tx, tenant_id, id, caller, now)?;
    let wanted = change(journal.account())?;
    let changed = account::change(journal.account(), &wanted, &caller.changed_by, now)?;
    let (method_id, method_id_before) =
        (changed.details.payment_method_id, journal.account().details.payment_method_id);
    if let Some(method_id) = method_id.filter(|_| method_id != method_id_before) {
        crate::payment_methods::check_own(journal.tx(), tenant_id, id, method_id)?;
    }
    let (parent_id, parent_id_before) =
        (changed.details.parent_account_id, journal.account().details.parent_account_id);
    if let Some(parent_id) = parent_id.filter(|_| parent_id != parent_id_before) {
        // Two moves at once could close a circle that neither sees: the tenant's accounts move one after the other.
        storage::tenants::lock(journal.tx(), tenant_id)?;
        check_parent(journal.tx(), tenant_id, id, parent_id)?;
    }
    save(journal, &changed)?;
    get(tx, tenant_id, id)
}

/// Writes a changed account with its record and event, and closes the journal.
fn save(mut journal: AccountJournal<'_>, changed: &account::Account) -> Outcome<()> {
    let (tenant_id, record_id) = (journal.tenant_id(), journal.account_record_id());
    storage::accounts::update(journal.tx(), tenant_id, changed)?;
    if let Some(organization_id) = journal.organization_id() {
        crate::organizations::follow(journal.tx(), tenant_id, organization_id, changed)?;
    }
    journal.record(ChangeType::Update, ObjectType::Account, changed.id, record_id, changed)?;
    journal.publish(&account_event("ACCOUNT_CHANGE", changed.id))?;
    journal.close()
}

/// The tenant's setting that names the currencies it supports: codes between commas, such as `USD, AUD`.
pub const CURRENCIES_SETTING: &str = "mikrocloud.currencies";

/// The currency of an account that is about to be charged for the first time: its own, or, when it has none yet, that of
/// its country among the tenant's supported currencies, which it then keeps. Whoever may charge the account may call
/// this: no permission of its own is asked for.
pub fn settle_currency(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    caller: &Caller,
    now: Timestamp,
) -> Outcome<Currency> {
    let mut journal = AccountJournal::open(tx, tenant_id, id, caller, now)?;
    if let Some(currency) = journal.account().currency {
        return Ok(currency);
    }
    let settings = storage::tenants::values(journal.tx(), tenant_id, CURRENCIES_SETTING)?.join(",");
    let supported = billing::parse_currencies(&settings)?;
    let account = journal.account();
    let currency = billing::first_currency(account.details.country.as_deref(), &supported);
    let wanted = AccountChange {
        currency: Some(currency.code().to_owned()),
        may_set_currency: true,
        details: account.details.clone(),
        ..AccountChange::default()
    };
    let changed = account::change(account, &wanted, &caller.changed_by, now)?;
    save(journal, &changed)?;
    Ok(currency)
}

/// Refuses a parent that does not exist, stands beneath the account itself, or so deep that nothing more fits.
fn check_parent(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid, parent_id: Uuid) -> Outcome<()> {
    let mut above = Some(parent_id);
    for _ in 0..TREE_DEPTH_LIMIT {
        match above {
            None => return Ok(()),
            Some(ancestor) if ancestor == id => return Err(Refusal::AccountTreeCycle { id }.into()),
            Some(ancestor) => {
                let stored = storage::accounts::by_id(tx, tenant_id, ancestor)?;
                let stored = stored.ok_or(Refusal::ParentAccountUnknown { id: ancestor })?;
                above = stored.account.details.parent_account_id;
            }
        }
    }
    Err(Refusal::invalid("parentAccountId", format!("has more than {TREE_DEPTH_LIMIT} accounts above it"))
        .into())
}

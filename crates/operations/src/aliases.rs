//! Aliases of accounts: adding, removing, finding by them.

use crate::journal::AccountJournal;
use billing::account::{Account, refuse_archived};
use billing::alias::{ALIAS_LIMIT, Alias, NewAlias};
use billing::time::to_micros;
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use storage::accounts::StoredAccount;
use storage::aliases::StoredAlias;
use storage::audit::Event;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// The account with this external key, else the one for which this alias stands at an instant.
pub fn resolve(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    name: &str,
    at: Timestamp,
) -> Outcome<StoredAccount> {
    if let Some(stored) = storage::accounts::by_key(tx, tenant_id, name)? {
        return Ok(stored);
    }
    match storage::aliases::account_at(tx, tenant_id, name, at)? {
        Some(id) => crate::accounts::get(tx, tenant_id, id),
        None => Err(Refusal::AccountKeyUnknown { key: name.to_owned() }.into()),
    }
}

/// Gives an account aliases. Refuses a value that stands for another account, or for this one, at any time of its
/// range, one that is another account's key, and more than [`ALIAS_LIMIT`] at a time.
pub fn add(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    now: Timestamp,
    new: &[NewAlias],
) -> Outcome<()> {
    caller.require(Permission::AccountUpdate)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    refuse_archived(journal.account())?;
    let held = storage::aliases::ending_after(journal.tx(), tenant_id, account_id, now)?;
    if held.len() + new.len() > ALIAS_LIMIT {
        return Err(Refusal::invalid("aliases", format!("of an account are at most {ALIAS_LIMIT}")).into());
    }
    let mut new: Vec<&NewAlias> = new.iter().collect();
    new.sort_by(|one, other| one.value.cmp(&other.value)); // Values are locked in one order, against deadlocks.
    for alias in new {
        let alias = NewAlias::new(alias.value.clone(), alias.validity);
        alias.check("alias")?;
        refuse_taken(journal.tx(), tenant_id, account_id, &alias)?;
        let id = Uuid::new_v4();
        let NewAlias { value, validity } = alias;
        let alias = Alias { id, account_id, value, validity, created_at: now, updated_at: now };
        let record_id = storage::aliases::insert(journal.tx(), tenant_id, &alias)?;
        journal.record(ChangeType::Insert, ObjectType::AccountAlias, id, record_id, &alias)?;
    }
    close(journal, caller, now)
}

/// Locks the value, then refuses it where somebody has it.
fn refuse_taken(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    alias: &NewAlias,
) -> Outcome<()> {
    let taken = || Refusal::AliasTaken { alias: alias.value.clone() };
    storage::aliases::lock_value(tx, tenant_id, &alias.value)?;
    let same_value = storage::aliases::by_value(tx, tenant_id, &alias.value, alias.validity.from)?;
    if same_value.iter().any(|stored| stored.alias.validity.overlaps(alias.validity)) {
        return Err(taken().into());
    }
    match storage::accounts::by_key(tx, tenant_id, &alias.value)? {
        Some(stored) if stored.account.id != account_id => Err(taken().into()),
        _ => Ok(()),
    }
}

/// Refuses a key for a new account that is an alias in use, now or later: it would mean another account from then on.
/// The key is locked until the transaction ends, so that nobody makes it one meanwhile.
pub(crate) fn refuse_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
    now: Timestamp,
) -> Outcome<()> {
    storage::aliases::lock_value(tx, tenant_id, key)?;
    if storage::aliases::by_value(tx, tenant_id, key, Some(now))?.is_empty() {
        return Ok(());
    }
    Err(Refusal::AliasTaken { alias: key.to_owned() }.into())
}

/// What is to be taken from an account.
#[derive(Clone, Debug, Default)]
pub struct Removal {
    /// Values, which it loses with their past.
    pub values: Vec<String>,
    /// Aliases by id, which end at an instant, now when absent; what would only begin then goes away.
    pub ids: Vec<(Uuid, Option<Timestamp>)>,
}

/// Takes aliases from an account. Refuses those that it does not have.
pub fn remove(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    caller: &Caller,
    now: Timestamp,
    removal: &Removal,
) -> Outcome<()> {
    caller.require(Permission::AccountUpdate)?;
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    refuse_archived(journal.account())?;
    for value in &removal.values {
        let held = storage::aliases::by_value(journal.tx(), tenant_id, value, None)?;
        let own: Vec<StoredAlias> =
            held.into_iter().filter(|stored| stored.alias.account_id == account_id).collect();
        if own.is_empty() {
            return Err(Refusal::AliasUnknown { alias: value.clone() }.into());
        }
        for stored in own {
            delete(&mut journal, &stored)?;
        }
    }
    for (id, from) in &removal.ids {
        let stored = storage::aliases::by_id(journal.tx(), tenant_id, account_id, *id)?
            .ok_or_else(|| Refusal::AliasUnknown { alias: id.to_string() })?;
        cut_off(&mut journal, stored, from.map_or(now, to_micros))?;
    }
    close(journal, caller, now)
}

fn cut_off(journal: &mut AccountJournal<'_>, stored: StoredAlias, at: Timestamp) -> Outcome<()> {
    let Some(validity) = stored.alias.validity.cut_off(at) else { return delete(journal, &stored) };
    let alias = Alias { validity, updated_at: journal.now(), ..stored.alias };
    let tenant_id = journal.tenant_id();
    storage::aliases::update(journal.tx(), tenant_id, &alias)?;
    journal.record(ChangeType::Update, ObjectType::AccountAlias, alias.id, stored.record_id, &alias)
}

fn delete(journal: &mut AccountJournal<'_>, stored: &StoredAlias) -> Outcome<()> {
    let (tenant_id, alias) = (journal.tenant_id(), &stored.alias);
    storage::aliases::delete(journal.tx(), tenant_id, alias.id)?;
    journal.record(ChangeType::Delete, ObjectType::AccountAlias, alias.id, stored.record_id, alias)
}

/// Notes on the account that its aliases changed, and closes the journal. Each alias has records of its own.
fn close(mut journal: AccountJournal<'_>, caller: &Caller, now: Timestamp) -> Outcome<()> {
    let (tenant_id, record_id) = (journal.tenant_id(), journal.account_record_id());
    let account =
        Account { updated_by: caller.changed_by.clone(), updated_at: now, ..journal.account().clone() };
    storage::accounts::update(journal.tx(), tenant_id, &account)?;
    journal.record(ChangeType::Update, ObjectType::Account, account.id, record_id, &account)?;
    let event_type = "ACCOUNT_CHANGE";
    let (object_type, object_id) = (ObjectType::Account, Some(account.id));
    journal.publish(&Event { event_type, object_type, object_id, metadata: None })?;
    journal.close()
}

/// Up to `limit` aliases of an account, past ones included, behind the one with the id `after`; and whether there are
/// more.
pub fn list(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    after: Option<Uuid>,
    limit: usize,
) -> Outcome<(Vec<Alias>, bool)> {
    let after = match after {
        None => 0,
        Some(id) => {
            let place = storage::aliases::by_id(tx, tenant_id, account_id, id)?;
            place.ok_or_else(crate::customers::place_unknown)?.record_id
        }
    };
    let (found, more) = crate::customers::page(limit, |limit| {
        storage::aliases::made_after(tx, tenant_id, account_id, after, limit)
    })?;
    Ok((found.into_iter().map(|stored| stored.alias).collect(), more))
}

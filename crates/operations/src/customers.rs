//! Customers, their contacts, and the accounts that belong to them.
//!
//! An account that belongs to no customer, because another desk opened it, stands for one: the implied customer of the
//! same id and key. The first change of an implied customer makes it explicit.

use crate::journal::AccountJournal;
use billing::account::{Account, AccountChange, AccountStatus, NewAccount};
use billing::alias::NewAlias;
use billing::customer::{Address, Contact, Customer, CustomerStatus};
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, TenantId};
use jiff::Timestamp;
use std::collections::HashMap;
use storage::accounts::StoredAccount;
use storage::audit::{self, Event};
use storage::customers::StoredCustomer;
use storage::{Connection, Error, Outcome, StoreError};
use uuid::Uuid;

/// The tenant's value that names the currency of accounts that are opened without one. The last one added counts.
pub const BASE_CURRENCY: &str = "togai.base_currency";

/// The base currency of a tenant that never chose one.
const DEFAULT_BASE_CURRENCY: &str = "USD";

/// Most accounts that are archived together with their customer, in one transaction.
pub const ARCHIVED_TOGETHER_LIMIT: usize = 500;

/// A request to make a customer.
#[derive(Clone, Debug, Default)]
pub struct NewCustomer {
    /// The caller's id, unique in the tenant.
    pub external_key: String,
    /// Name.
    pub name: String,
    /// Primary e-mail.
    pub email: String,
    /// Billing address.
    pub address: Address,
    /// Settings; the wire objects.
    pub settings: Vec<serde_json::Value>,
}

/// A request to open an account under a customer.
#[derive(Clone, Debug, Default)]
pub struct NewCustomerAccount {
    /// The account; without a currency it gets the tenant's base currency.
    pub account: NewAccount,
    /// Its aliases.
    pub aliases: Vec<NewAlias>,
}

/// Makes a customer, and its first account if there is one. Refuses a taken id.
pub fn open(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    new: &NewCustomer,
    account: Option<&NewCustomerAccount>,
) -> Outcome<(Customer, Option<StoredAccount>)> {
    caller.require(Permission::AccountCreate)?;
    let taken = || Refusal::CustomerTaken { key: new.external_key.clone() };
    if implied(tx, tenant_id, &new.external_key)?.is_some() {
        return Err(taken().into());
    }
    let customer = Customer {
        id: Uuid::new_v4(),
        external_key: new.external_key.clone(),
        name: new.name.clone(),
        email: new.email.clone(),
        address: new.address.clone(),
        settings: new.settings.clone(),
        status: CustomerStatus::Active,
        created_at: now,
        updated_at: now,
    };
    let record_id = storage::customers::insert(tx, tenant_id, &customer)?.ok_or_else(taken)?;
    record(tx, tenant_id, caller, now, ChangeType::Insert, (record_id, &customer))?;
    let account =
        account.map(|account| open_beneath(tx, tenant_id, caller, now, customer.id, account)).transpose()?;
    Ok((customer, account))
}

fn record(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    change_type: ChangeType,
    (record_id, customer): (i64, &Customer),
) -> Outcome<()> {
    let change = (change_type, ObjectType::Customer, customer.id, record_id);
    crate::record_of_tenant(tx, tenant_id, caller, now, change, customer)?;
    let event_type = match change_type {
        ChangeType::Insert => "CUSTOMER_CREATION",
        ChangeType::Update | ChangeType::Delete => "CUSTOMER_CHANGE",
    };
    let (object_type, object_id) = (ObjectType::Customer, Some(customer.id));
    let event = Event { event_type, object_type, object_id, metadata: None };
    Ok(audit::publish(tx, tenant_id, None, caller.user_token, now, &event)?)
}

/// Opens an account under the customer with this key. Refuses an unknown or archived customer, and what
/// [`crate::accounts::open`] refuses.
pub fn open_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    customer_key: &str,
    new: &NewCustomerAccount,
) -> Outcome<StoredAccount> {
    caller.require(Permission::AccountCreate)?;
    let StoredCustomer { customer, .. } = lock_active(tx, tenant_id, caller, now, customer_key)?;
    open_beneath(tx, tenant_id, caller, now, customer.id, new)
}

fn open_beneath(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    customer_id: Uuid,
    new: &NewCustomerAccount,
) -> Outcome<StoredAccount> {
    let mut account = NewAccount { customer_id: Some(customer_id), ..new.account.clone() };
    if account.currency.is_none() {
        account.currency = Some(base_currency(tx, tenant_id)?);
    }
    let stored = crate::accounts::open(tx, tenant_id, caller, now, &account)?;
    if !new.aliases.is_empty() {
        crate::aliases::add(tx, tenant_id, stored.account.id, caller, now, &new.aliases)?;
    }
    Ok(stored)
}

fn base_currency(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<String> {
    let chosen = storage::tenants::last_value(tx, tenant_id, BASE_CURRENCY)?;
    let code = chosen.unwrap_or_else(|| DEFAULT_BASE_CURRENCY.to_owned());
    billing::Currency::parse(BASE_CURRENCY, code.trim())?;
    Ok(code.trim().to_owned())
}

/// The account that stands for a customer with this key, if there is one.
fn implied(tx: &mut dyn Connection, tenant_id: TenantId, key: &str) -> Outcome<Option<StoredAccount>> {
    let found = storage::accounts::by_key(tx, tenant_id, key)?;
    Ok(found.filter(|stored| stored.account.customer_id.is_none()))
}

/// The customer with this key, explicit or implied.
pub fn get(tx: &mut dyn Connection, tenant_id: TenantId, key: &str) -> Outcome<Customer> {
    if let Some(stored) = storage::customers::by_key(tx, tenant_id, key)? {
        return Ok(stored.customer);
    }
    let stored = implied(tx, tenant_id, key)?.ok_or_else(|| unknown(key))?;
    Ok(Customer::implied_by(&stored.account))
}

fn unknown(key: &str) -> Refusal {
    Refusal::CustomerUnknown { key: key.to_owned() }
}

/// Locks the customer with this key, making it explicit if it was only implied.
fn lock(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
) -> Outcome<StoredCustomer> {
    if let Some(stored) = storage::customers::lock_by_key(tx, tenant_id, key)? {
        return Ok(stored);
    }
    if let Some(stored) = implied(tx, tenant_id, key)? {
        make_explicit(tx, tenant_id, caller, now, stored.account.id)?;
    }
    Ok(storage::customers::lock_by_key(tx, tenant_id, key)?.ok_or_else(|| unknown(key))?)
}

fn lock_active(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
) -> Outcome<StoredCustomer> {
    let stored = lock(tx, tenant_id, caller, now, key)?;
    if stored.customer.status == CustomerStatus::Archived {
        return Err(Refusal::Archived { what: "customer", key: key.to_owned() }.into());
    }
    Ok(stored)
}

fn make_explicit(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    account_id: Uuid,
) -> Outcome<()> {
    let mut journal = AccountJournal::open(tx, tenant_id, account_id, caller, now)?;
    if journal.account().customer_id.is_some() {
        return Ok(()); // Somebody was faster.
    }
    let customer = Customer::implied_by(journal.account());
    let Some(customer_record_id) = storage::customers::insert(journal.tx(), tenant_id, &customer)? else {
        return Ok(()); // A customer of that key was made meanwhile.
    };
    let record_id = journal.account_record_id();
    let account = Account {
        customer_id: Some(customer.id),
        updated_by: caller.changed_by.clone(),
        updated_at: now,
        ..journal.account().clone()
    };
    storage::accounts::update(journal.tx(), tenant_id, &account)?;
    journal.record(ChangeType::Update, ObjectType::Account, account_id, record_id, &account)?;
    let (object_type, object_id) = (ObjectType::Account, Some(account_id));
    journal.publish(&Event { event_type: "ACCOUNT_CHANGE", object_type, object_id, metadata: None })?;
    record(journal.tx(), tenant_id, caller, now, ChangeType::Insert, (customer_record_id, &customer))?;
    journal.close()
}

/// A request to change a customer; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct CustomerChange {
    /// A new name.
    pub name: Option<String>,
    /// A new primary e-mail.
    pub email: Option<String>,
    /// A new address, in place of the old one.
    pub address: Option<Address>,
}

/// Changes a customer. Refuses an unknown or archived one.
pub fn change(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
    change: &CustomerChange,
) -> Outcome<Customer> {
    caller.require(Permission::AccountUpdate)?;
    let StoredCustomer { record_id, customer } = lock_active(tx, tenant_id, caller, now, key)?;
    let changed = Customer {
        name: change.name.clone().unwrap_or(customer.name),
        email: change.email.clone().unwrap_or(customer.email),
        address: change.address.clone().unwrap_or(customer.address),
        updated_at: now,
        ..customer
    };
    storage::customers::update(tx, tenant_id, &changed)?;
    record(tx, tenant_id, caller, now, ChangeType::Update, (record_id, &changed))?;
    Ok(changed)
}

/// Archives a customer with its accounts. Archiving it again changes nothing. Refuses a customer with more than
/// [`ARCHIVED_TOGETHER_LIMIT`] accounts: the accounts are to be archived first.
pub fn archive(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
) -> Outcome<()> {
    caller.require(Permission::AccountUpdate)?;
    let StoredCustomer { record_id, customer } = lock(tx, tenant_id, caller, now, key)?;
    if customer.status == CustomerStatus::Archived {
        return Ok(());
    }
    let limit = i64::try_from(ARCHIVED_TOGETHER_LIMIT + 1).unwrap_or(i64::MAX);
    let mut accounts = storage::accounts::ids_of_customer(tx, tenant_id, customer.id, limit)?;
    accounts.extend(implied(tx, tenant_id, key)?.map(|stored| stored.account.id));
    if accounts.len() > ARCHIVED_TOGETHER_LIMIT {
        let why = format!("has more than {ARCHIVED_TOGETHER_LIMIT} accounts; archive them first");
        return Err(Refusal::invalid("customer", why).into());
    }
    for account_id in accounts {
        archive_account(tx, tenant_id, caller, now, account_id)?;
    }
    let changed = Customer { status: CustomerStatus::Archived, updated_at: now, ..customer };
    storage::customers::update(tx, tenant_id, &changed)?;
    record(tx, tenant_id, caller, now, ChangeType::Update, (record_id, &changed))
}

/// Archives an account. Archiving it again changes nothing.
pub fn archive_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    account_id: Uuid,
) -> Outcome<()> {
    caller.require(Permission::AccountUpdate)?;
    let stored = crate::accounts::get(tx, tenant_id, account_id)?;
    if stored.account.status == AccountStatus::Archived {
        return Ok(());
    }
    let change = |account: &Account| {
        let (status, details) = (Some(AccountStatus::Archived), account.details.clone());
        Ok(AccountChange { status, details, ..AccountChange::default() })
    };
    match crate::accounts::change(tx, tenant_id, account_id, caller, now, &change) {
        Ok(_) | Err(Error::Refused(Refusal::Archived { .. })) => Ok(()), // Or somebody was faster.
        Err(error) => Err(error),
    }
}

/// A request to add a contact to a customer.
#[derive(Clone, Debug, Default)]
pub struct NewContact {
    /// The login name that is asked for; one is made when absent.
    pub preferred_username: Option<String>,
    /// Name of the person.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Telephone.
    pub phone: Option<String>,
    /// argon2 hash of the password, made before the transaction because it is slow on purpose.
    pub password_hash: Option<String>,
    /// Whether somebody has verified the e-mail.
    pub is_verified: bool,
    /// Whether the person may log in.
    pub may_log_in: bool,
}

/// Adds a contact. Refuses an unknown or archived customer and a user name that another contact of the tenant has.
pub fn add_contact(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    key: &str,
    new: &NewContact,
) -> Outcome<Contact> {
    caller.require(Permission::AccountUpdate)?;
    let StoredCustomer { customer, .. } = lock_active(tx, tenant_id, caller, now, key)?;
    let id = Uuid::new_v4();
    let username = new.preferred_username.clone().unwrap_or_else(|| id.to_string());
    let contact = Contact {
        id,
        customer_id: customer.id,
        username: username.clone(),
        preferred_username: new.preferred_username.clone(),
        name: new.name.clone(),
        email: new.email.clone(),
        phone: new.phone.clone(),
        is_verified: new.is_verified,
        may_log_in: new.may_log_in,
        created_by: caller.changed_by.clone(),
        created_at: now,
    };
    let record_id =
        storage::customers::insert_contact(tx, tenant_id, &contact, new.password_hash.as_deref())?
            .ok_or(Refusal::UserTaken { username })?;
    let change = (ChangeType::Insert, ObjectType::User, id, record_id);
    crate::record_of_tenant(tx, tenant_id, caller, now, change, &contact)?;
    Ok(contact)
}

/// Where a list of customers goes on: behind which customer, and of which kind it was when it was listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind an explicit customer.
    Explicit(Uuid),
    /// Behind an implied customer. These come last.
    Implied(Uuid),
}

pub(crate) fn place_unknown() -> Refusal {
    Refusal::invalid("nextToken", "is not known")
}

/// Up to `limit` customers behind `after`: first the explicit ones in the order of their making, then the implied
/// ones in the order in which their accounts were opened. And where the list goes on, if it does.
pub fn list(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: Option<Place>,
    limit: usize,
) -> Outcome<(Vec<Customer>, Option<Place>)> {
    let (after_explicit, after_implied) = match after {
        None => (Some(0), 0),
        Some(Place::Explicit(id)) => {
            let place = storage::customers::by_id(tx, tenant_id, id)?;
            (Some(place.ok_or_else(place_unknown)?.record_id), 0)
        }
        Some(Place::Implied(id)) => (None, account_place(tx, tenant_id, Some(id))?),
    };
    let (mut found, more) = page(limit, |limit| {
        let mut found: Vec<(Place, Customer)> = Vec::new();
        if let Some(after) = after_explicit {
            for StoredCustomer { customer, .. } in
                storage::customers::made_after(tx, tenant_id, after, limit)?
            {
                found.push((Place::Explicit(customer.id), customer));
            }
        }
        let wanted = limit.saturating_sub(i64::try_from(found.len()).unwrap_or(i64::MAX));
        if wanted > 0 {
            let implied =
                storage::accounts::without_customer_opened_after(tx, tenant_id, after_implied, wanted)?;
            for StoredAccount { account, .. } in implied {
                found.push((Place::Implied(account.id), Customer::implied_by(&account)));
            }
        }
        Ok(found)
    })?;
    let next = found.last().map(|(place, _)| *place).filter(|_| more);
    Ok((found.drain(..).map(|(_, customer)| customer).collect(), next))
}

/// Reads one more than `limit` and says whether it was there.
pub(crate) fn page<T>(
    limit: usize,
    read: impl FnOnce(i64) -> Result<Vec<T>, StoreError>,
) -> Outcome<(Vec<T>, bool)> {
    let mut found = read(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1)?;
    let more = found.len() > limit;
    found.truncate(limit);
    Ok((found, more))
}

fn account_place(tx: &mut dyn Connection, tenant_id: TenantId, after: Option<Uuid>) -> Outcome<i64> {
    let Some(id) = after else { return Ok(0) };
    let place = storage::accounts::by_id(tx, tenant_id, id)?;
    Ok(place.ok_or_else(place_unknown)?.record_id)
}

/// An account with what is said of it beside: its customer, its aliases.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Its customer's id, explicit or implied.
    pub customer_id: Uuid,
    /// Its customer's external key.
    pub customer_key: String,
    /// Its aliases at the instant asked for.
    pub aliases: Vec<String>,
}

/// Up to `limit` accounts behind the one with the id `after`, in the order in which they were opened; and whether
/// there are more.
pub fn list_accounts(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    after: Option<Uuid>,
    limit: usize,
) -> Outcome<(Vec<AccountView>, bool)> {
    let after = account_place(tx, tenant_id, after)?;
    let (found, more) = page(limit, |limit| storage::accounts::opened_after(tx, tenant_id, after, limit))?;
    Ok((views(tx, tenant_id, found, now)?, more))
}

/// One account with its customer and its aliases in force at an instant.
pub fn view(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    stored: StoredAccount,
    at: Timestamp,
) -> Outcome<AccountView> {
    let mut views = views(tx, tenant_id, vec![stored], at)?;
    Ok(views.pop().ok_or_else(|| StoreError::Corrupt("an account without a view".to_owned()))?)
}

/// A page of accounts with their customers and aliases, in a fixed number of queries.
fn views(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    stored: Vec<StoredAccount>,
    at: Timestamp,
) -> Outcome<Vec<AccountView>> {
    let ids: Vec<Uuid> = stored.iter().map(|stored| stored.account.id).collect();
    let mut aliases: HashMap<Uuid, Vec<String>> = HashMap::new();
    for (account_id, value) in storage::aliases::in_force(tx, tenant_id, &ids, at)? {
        aliases.entry(account_id).or_default().push(value);
    }
    let customer_ids: Vec<Uuid> = stored.iter().filter_map(|stored| stored.account.customer_id).collect();
    let own: HashMap<Uuid, String> =
        storage::customers::keys_of_ids(tx, tenant_id, &customer_ids)?.into_iter().collect();
    let without = stored.iter().filter(|stored| stored.account.customer_id.is_none());
    let keys: Vec<&str> = without.map(|stored| stored.account.external_key.as_str()).collect();
    let same_key: HashMap<String, Uuid> = storage::customers::keys_of_keys(tx, tenant_id, &keys)?
        .into_iter()
        .map(|(id, key)| (key, id))
        .collect();
    let view = |stored: StoredAccount| {
        let account = stored.account;
        let key = || account.external_key.clone();
        let (customer_id, customer_key) = match account.customer_id {
            Some(id) => (id, own.get(&id).cloned().unwrap_or_else(key)),
            None => (same_key.get(&account.external_key).copied().unwrap_or(account.id), key()),
        };
        let aliases = aliases.remove(&account.id).unwrap_or_default();
        AccountView { account, customer_id, customer_key, aliases }
    };
    Ok(stored.into_iter().map(view).collect())
}

//! Accounts.

use crate::filter::condition;
use crate::page::{self, Page, Source, Window};
use crate::positions;
use crate::{Connection, Param, Row, StoreError};
use billing::account::{Account, AccountDetails, AccountStatus, search_text};
use billing::search::{Clause, Column, Kind};
use billing::{Chain, Currency, TenantId};
use uuid::Uuid;

/// The columns of an account, in the order in which [`read`] reads them, behind its record id, its two cached
/// totals and its organization.
pub(crate) const COLUMNS: &str = "record_id, balance_minor, credit_minor, organization_id, id, external_key, currency, bill_cycle_day_local,
    reference_time, time_zone, status, customer_id, extras, name, first_name_length, email, parent_account_id,
    is_payment_delegated_to_parent, payment_method_id, locale, address1, address2, company, city, state, country,
    postal_code, phone, notes, is_migrated, created_by, created_at, updated_by, updated_at";

/// An account with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccount {
    /// The order in which accounts were opened.
    pub record_id: i64,
    /// What the account owes, in minor units of its currency; the ledger's sum, cached.
    pub balance_minor: i64,
    /// Credit it may use, in minor units; the ledger's sum, cached.
    pub credit_minor: i64,
    /// The organization that is billed through it; none until somebody asked for it.
    pub organization_id: Option<Uuid>,
    /// The account.
    pub account: Account,
}

pub(crate) fn read(mut row: Row) -> Result<StoredAccount, StoreError> {
    let stored = StoredAccount {
        record_id: row.next()?,
        balance_minor: row.next()?,
        credit_minor: row.next()?,
        organization_id: row.next()?,
        account: read_account(&mut row)?,
    };
    Ok(stored)
}

fn read_account(row: &mut Row) -> Result<Account, StoreError> {
    Ok(Account {
        id: row.next()?,
        external_key: row.next()?,
        currency: row.next::<Option<String>>()?.map(currency).transpose()?,
        bill_cycle_day_local: row.next()?,
        reference_time: row.next()?,
        time_zone: row.next()?,
        status: status(row.next()?)?,
        customer_id: row.next()?,
        extras: row
            .next::<Option<String>>()?
            .map(|json| serde_json::from_str(&json).map_err(|error| StoreError::Corrupt(error.to_string())))
            .transpose()?,
        details: AccountDetails {
            name: row.next()?,
            first_name_length: row.next()?,
            email: row.next()?,
            parent_account_id: row.next()?,
            is_payment_delegated_to_parent: row.next()?,
            payment_method_id: row.next()?,
            locale: row.next()?,
            address1: row.next()?,
            address2: row.next()?,
            company: row.next()?,
            city: row.next()?,
            state: row.next()?,
            country: row.next()?,
            postal_code: row.next()?,
            phone: row.next()?,
            notes: row.next()?,
            is_migrated: row.next()?,
        },
        created_by: row.next()?,
        created_at: row.next()?,
        updated_by: row.next()?,
        updated_at: row.next()?,
    })
}

fn currency(code: String) -> Result<Currency, StoreError> {
    Currency::known(&code).ok_or(StoreError::Corrupt(code))
}

fn status(name: String) -> Result<AccountStatus, StoreError> {
    AccountStatus::known(&name).ok_or(StoreError::Corrupt(name))
}

fn extras_json(account: &Account) -> Result<Option<String>, StoreError> {
    account
        .extras
        .as_ref()
        .map(|extras| serde_json::to_string(extras).map_err(|error| StoreError::Corrupt(error.to_string())))
        .transpose()
}

/// Inserts an account and returns its record id, or `None` when its external key is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account: &Account,
    chain: &Chain,
) -> Result<Option<i64>, StoreError> {
    let details = &account.details;
    let extras = extras_json(account)?;
    let search = search_text(account);
    let row = tx.query_optional(
        "INSERT INTO accounts (tenant_id, id, external_key, currency, bill_cycle_day_local, reference_time, time_zone,
             status, customer_id, extras, name, first_name_length, email, parent_account_id,
             is_payment_delegated_to_parent, payment_method_id, locale, address1, address2, company, city, state,
             country, postal_code, phone, notes, is_migrated, search_text, balance_minor, credit_minor, chain_length,
             chain_head, created_by, created_at, updated_by, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25, $26, $27, $28, 0, 0, $29, $30, $31, $32, $33, $34)
         ON CONFLICT (tenant_id, external_key) DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            account.id.into(),
            (&account.external_key).into(),
            account.currency.map(Currency::code).into(),
            account.bill_cycle_day_local.into(),
            account.reference_time.into(),
            (&account.time_zone).into(),
            account.status.name().into(),
            account.customer_id.into(),
            (&extras).into(),
            (&details.name).into(),
            details.first_name_length.into(),
            (&details.email).into(),
            details.parent_account_id.into(),
            details.is_payment_delegated_to_parent.into(),
            details.payment_method_id.into(),
            (&details.locale).into(),
            (&details.address1).into(),
            (&details.address2).into(),
            (&details.company).into(),
            (&details.city).into(),
            (&details.state).into(),
            (&details.country).into(),
            (&details.postal_code).into(),
            (&details.phone).into(),
            (&details.notes).into(),
            details.is_migrated.into(),
            (&search).into(),
            chain.length().into(),
            chain.head().as_slice().into(),
            (&account.created_by).into(),
            account.created_at.into(),
            (&account.updated_by).into(),
            account.updated_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Writes all that may change of an account.
pub fn update(tx: &mut dyn Connection, tenant_id: TenantId, account: &Account) -> Result<(), StoreError> {
    let details = &account.details;
    let extras = extras_json(account)?;
    let search = search_text(account);
    tx.execute(
        "UPDATE accounts SET currency = $3, bill_cycle_day_local = $4, status = $5, customer_id = $6, extras = $7,
             name = $8, first_name_length = $9, email = $10, parent_account_id = $11,
             is_payment_delegated_to_parent = $12, payment_method_id = $13, locale = $14, address1 = $15,
             address2 = $16, company = $17, city = $18, state = $19, country = $20, postal_code = $21, phone = $22,
             notes = $23, is_migrated = $24, search_text = $25, updated_by = $26, updated_at = $27
         WHERE tenant_id = $1 AND id = $2",
        &[
            tenant_id.0.into(),
            account.id.into(),
            account.currency.map(Currency::code).into(),
            account.bill_cycle_day_local.into(),
            account.status.name().into(),
            account.customer_id.into(),
            (&extras).into(),
            (&details.name).into(),
            details.first_name_length.into(),
            (&details.email).into(),
            details.parent_account_id.into(),
            details.is_payment_delegated_to_parent.into(),
            details.payment_method_id.into(),
            (&details.locale).into(),
            (&details.address1).into(),
            (&details.address2).into(),
            (&details.company).into(),
            (&details.city).into(),
            (&details.state).into(),
            (&details.country).into(),
            (&details.postal_code).into(),
            (&details.phone).into(),
            (&details.notes).into(),
            details.is_migrated.into(),
            (&search).into(),
            (&account.updated_by).into(),
            account.updated_at.into(),
        ],
    )?;
    Ok(())
}

/// Notes the organization that is billed through an account.
pub fn set_organization(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    organization_id: Uuid,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET organization_id = $3 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), organization_id.into()],
    )?;
    Ok(())
}

/// Up to `limit` accounts that have no organization, oldest first, locked until the transaction ends.
pub fn without_organization(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    limit: i64,
) -> Result<Vec<StoredAccount>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND organization_id IS NULL
         ORDER BY record_id LIMIT $2 {for_update}"
    );
    tx.query(&sql, &[tenant_id.0.into(), limit.into()])?.into_iter().map(read).collect()
}

/// The account with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredAccount>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// The account with this external key.
pub fn by_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    external_key: &str,
) -> Result<Option<StoredAccount>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND external_key = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), external_key.into()])?.map(read).transpose()
}

/// The record id of the account with this id.
pub fn record_id(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "SELECT record_id FROM accounts WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// The accounts directly beneath this one, oldest first.
pub fn children(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    parent_id: Uuid,
) -> Result<Vec<StoredAccount>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND parent_account_id = $2 ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), parent_id.into()])?.into_iter().map(read).collect()
}

/// Up to `limit` accounts opened after the one with record id `after`, in that order.
pub fn opened_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredAccount>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?.into_iter().map(read).collect()
}

/// As [`opened_after`], but only accounts that belong to no customer and whose key no customer has as its own.
pub fn without_customer_opened_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredAccount>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE tenant_id = $1 AND record_id > $2 AND customer_id IS NULL
             AND NOT EXISTS (SELECT 1 FROM customers
                             WHERE customers.tenant_id = $1 AND customers.external_key = accounts.external_key)
         ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?.into_iter().map(read).collect()
}

/// Ids of up to `limit` accounts of a customer that are not archived, oldest first.
pub fn ids_of_customer(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    customer_id: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    tx.query(
        "SELECT id FROM accounts WHERE tenant_id = $1 AND customer_id = $2 AND status <> $3
         ORDER BY record_id LIMIT $4",
        &[tenant_id.0.into(), customer_id.into(), AccountStatus::Archived.name().into(), limit.into()],
    )?
    .into_iter()
    .map(|mut row| row.next())
    .collect()
}

/// Locks the account's row until the transaction ends and returns the account with the end of its chain. Every
/// operation that changes an account, or anything that belongs to it, begins here: one account, one writer.
pub fn lock(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<(StoredAccount, Chain)>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT chain_length, chain_head, {COLUMNS} FROM accounts WHERE tenant_id = $1 AND id = $2 {for_update}"
    );
    let Some(mut row) = tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])? else { return Ok(None) };
    let length = row.next()?;
    let head: Vec<u8> = row.next()?;
    let head = head.try_into().map_err(|_| StoreError::Corrupt(format!("chain head of account {id}")))?;
    Ok(Some((read(row)?, Chain::resume(length, head))))
}

/// Saves the end of the account's chain.
pub fn save_chain(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    chain: &Chain,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET chain_length = $3, chain_head = $4 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), chain.length().into(), chain.head().as_slice().into()],
    )?;
    Ok(())
}

const OF_TENANT: &str = "accounts WHERE tenant_id = $1";

/// One page of the tenant's accounts.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    window: Window,
) -> Result<Page<StoredAccount>, StoreError> {
    if window.is_descending {
        return page::select(tx, window, COLUMNS, OF_TENANT, &[tenant_id.0.into()], read);
    }
    let total = count(tx, tenant_id)?;
    let (passed, last) = positions::before(tx, tenant_id, window.offset)?;
    let rest = Window { offset: window.offset - passed, ..window };
    let from = format!("{OF_TENANT} AND record_id > $2");
    page::select_counted(tx, rest, COLUMNS, &from, &[tenant_id.0.into(), last.into()], total, read)
}

/// How many accounts the tenant has, if at most [`page::COUNT_LIMIT`].
///
/// Accounts are never removed, so a connection that once found too many need not count them again.
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<i64>, StoreError> {
    if tx.positions().large_tenants.contains(&tenant_id) {
        return Ok(None);
    }
    let counted = page::count(tx, OF_TENANT, &[tenant_id.0.into()])?;
    if counted.is_none() {
        tx.positions().large_tenants.insert(tenant_id);
    }
    Ok(counted)
}

/// Longest needle that can be a part of a text that is searched, in characters.
const NEEDLE_LIMIT: usize = 600;

/// One page of the accounts whose id is the needle, or whose name, e-mail, external key or company holds it, in any
/// case.
pub fn search(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    needle: &str,
    window: Window,
) -> Result<Page<StoredAccount>, StoreError> {
    if needle.is_empty() {
        return page(tx, tenant_id, window);
    }
    if needle.chars().count() > NEEDLE_LIMIT {
        return Ok(Page::default());
    }
    let haystack = crate::search::accounts_with(tx, needle)?;
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    params.extend(haystack.texts.iter().map(|text| Param::Text(text)));
    let mut source = Source { table: "accounts", from: haystack.from, params };
    if let Ok(id) = Uuid::parse_str(needle) {
        source.params.push(id.into());
        let (id, from) = (source.params.len(), &source.from);
        source.from = format!(
            "(SELECT record_id FROM {from} UNION
              SELECT record_id FROM accounts WHERE tenant_id = $1 AND id = ${id}) AS found"
        );
    }
    page::search(tx, window, COLUMNS, &source, read)
}

/// The first account whose id, name, e-mail, external key or company is exactly `text`.
pub fn exact(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    text: &str,
) -> Result<Option<StoredAccount>, StoreError> {
    let lookups = ["name", "email", "external_key", "company"]
        .map(|column| format!("SELECT record_id FROM accounts WHERE tenant_id = $1 AND {column} = $2"));
    let mut lookups = lookups.join(" UNION ALL ");
    let mut params = vec![tenant_id.0.into(), text.into()];
    if let Ok(id) = Uuid::parse_str(text) {
        lookups.push_str(" UNION ALL SELECT record_id FROM accounts WHERE tenant_id = $1 AND id = $3");
        params.push(id.into());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM accounts WHERE record_id = (SELECT MIN(record_id) FROM ({lookups}) AS found)"
    );
    tx.query_optional(&sql, &params)?.map(read).transpose()
}

/// The columns by which accounts can be filtered, under Kill Bill's names.
pub static SEARCH_COLUMNS: &[Column] = &[
    Column { name: "id", stored: "id", kind: Kind::Id },
    Column { name: "external_key", stored: "external_key", kind: Kind::Text },
    Column { name: "email", stored: "email", kind: Kind::Text },
    Column { name: "name", stored: "name", kind: Kind::Text },
    Column { name: "first_name_length", stored: "first_name_length", kind: Kind::Integer },
    Column { name: "currency", stored: "currency", kind: Kind::Text },
    Column { name: "billing_cycle_day_local", stored: "bill_cycle_day_local", kind: Kind::Integer },
    Column { name: "parent_account_id", stored: "parent_account_id", kind: Kind::Id },
    Column {
        name: "is_payment_delegated_to_parent",
        stored: "is_payment_delegated_to_parent",
        kind: Kind::Boolean,
    },
    Column { name: "payment_method_id", stored: "payment_method_id", kind: Kind::Id },
    Column { name: "reference_time", stored: "reference_time", kind: Kind::Instant },
    Column { name: "time_zone", stored: "time_zone", kind: Kind::Text },
    Column { name: "locale", stored: "locale", kind: Kind::Text },
    Column { name: "address1", stored: "address1", kind: Kind::Text },
    Column { name: "address2", stored: "address2", kind: Kind::Text },
    Column { name: "company_name", stored: "company", kind: Kind::Text },
    Column { name: "city", stored: "city", kind: Kind::Text },
    Column { name: "state_or_province", stored: "state", kind: Kind::Text },
    Column { name: "country", stored: "country", kind: Kind::Text },
    Column { name: "postal_code", stored: "postal_code", kind: Kind::Text },
    Column { name: "phone", stored: "phone", kind: Kind::Text },
    Column { name: "notes", stored: "notes", kind: Kind::Text },
    Column { name: "migrated", stored: "is_migrated", kind: Kind::Boolean },
    Column { name: "balance", stored: "balance_minor", kind: Kind::Money },
    Column { name: "created_by", stored: "created_by", kind: Kind::Text },
    Column { name: "created_date", stored: "created_at", kind: Kind::Instant },
    Column { name: "updated_by", stored: "updated_by", kind: Kind::Text },
    Column { name: "updated_date", stored: "updated_at", kind: Kind::Instant },
];

/// One page of the accounts for which all clauses hold; their columns are of [`SEARCH_COLUMNS`].
pub fn filter(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    clauses: &[Clause],
    window: Window,
) -> Result<Page<StoredAccount>, StoreError> {
    let condition = condition(tx.engine(), clauses, 2);
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    params.extend(condition.params());
    let from = format!("{OF_TENANT} AND {}", condition.sql);
    page::search(tx, window, COLUMNS, &Source { table: "accounts", from, params }, read)
}

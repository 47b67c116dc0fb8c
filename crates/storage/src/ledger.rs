//! The entries of the ledger, and the totals of them that are kept on the account's row.

use crate::{Connection, Row, StoreError};
use billing::ledger::{Entry, LedgerAccount, Posting, StoredPosting, Totals};
use billing::{Chain, Currency, Link, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

/// One entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRow {
    /// The billed account.
    pub account_id: Uuid,
    /// The posting it is part of.
    pub posting_id: Uuid,
    /// Its place in the posting, from zero.
    pub position: i64,
    /// The account of the ledger, under its stored name.
    pub ledger_account: String,
    /// Minor units; a debit is positive.
    pub amount_minor: i64,
    /// Currency code.
    pub currency: String,
    /// When it was posted.
    pub posted_at: Timestamp,
    /// Why, as a code.
    pub reason: String,
    /// What it is about.
    pub object_id: Option<Uuid>,
    /// The posting that it undoes.
    pub reverses_posting_id: Option<Uuid>,
}

impl LedgerRow {
    /// Makes the entry the next link of its account's chain. Record ids and the tenant's number are left out: they
    /// change when a tenant is imported elsewhere.
    pub fn link(&self, chain: &mut Chain) -> Link {
        let id = |id: Option<Uuid>| id.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        chain.link(&[
            b"ledger",
            self.posting_id.as_bytes(),
            &self.position.to_be_bytes(),
            self.ledger_account.as_bytes(),
            &self.amount_minor.to_be_bytes(),
            self.currency.as_bytes(),
            &self.posted_at.as_microsecond().to_be_bytes(),
            self.reason.as_bytes(),
            &id(self.object_id),
            &id(self.reverses_posting_id),
        ])
    }
}

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str =
    "account_id, posting_id, position, ledger_account, amount_minor, currency, posted_at,
    reason, object_id, reverses_posting_id";

pub(crate) fn read(row: &mut Row) -> Result<LedgerRow, StoreError> {
    Ok(LedgerRow {
        account_id: row.next()?,
        posting_id: row.next()?,
        position: row.next()?,
        ledger_account: row.next()?,
        amount_minor: row.next()?,
        currency: row.next()?,
        posted_at: row.next()?,
        reason: row.next()?,
        object_id: row.next()?,
        reverses_posting_id: row.next()?,
    })
}

/// Writes the entries of a posting as the next links of the account's chain, whose new end the caller saves.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    chain: &mut Chain,
    now: Timestamp,
    posting: &Posting,
) -> Result<(), StoreError> {
    for (position, entry) in (0i64..).zip(posting.entries()) {
        let row = LedgerRow {
            account_id,
            posting_id: posting.id(),
            position,
            ledger_account: entry.account.name().to_owned(),
            amount_minor: entry.amount_minor,
            currency: posting.currency().code().to_owned(),
            posted_at: now,
            reason: posting.reason().to_owned(),
            object_id: posting.object_id(),
            reverses_posting_id: posting.reverses(),
        };
        let link = row.link(chain);
        insert_row(tx, tenant_id, &row, &link)?;
    }
    Ok(())
}

fn insert_row(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    row: &LedgerRow,
    link: &Link,
) -> Result<(), StoreError> {
    let inserted = tx.execute(
        "INSERT INTO ledger_entries (tenant_id, account_id, posting_id, position, ledger_account, amount_minor,
             currency, posted_at, reason, object_id, reverses_posting_id, chain_position, chain_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        &[
            tenant_id.0.into(),
            row.account_id.into(),
            row.posting_id.into(),
            row.position.into(),
            (&row.ledger_account).into(),
            row.amount_minor.into(),
            (&row.currency).into(),
            row.posted_at.into(),
            (&row.reason).into(),
            row.object_id.into(),
            row.reverses_posting_id.into(),
            link.position.into(),
            link.hash.as_slice().into(),
        ],
    )?;
    if inserted == 1 {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "posting {} of account {} exists already",
        row.posting_id, row.account_id
    )))
}

/// The account's posting with this id, if it has one.
pub fn posting(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    posting_id: Uuid,
) -> Result<Option<Posting>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ledger_entries WHERE tenant_id = $1 AND account_id = $2 AND posting_id = $3
         ORDER BY position"
    );
    let rows = tx.query(&sql, &[tenant_id.0.into(), account_id.into(), posting_id.into()])?;
    let rows = rows.into_iter().map(|mut row| read(&mut row)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = rows.first() else { return Ok(None) };
    let corrupt = || StoreError::Corrupt(format!("posting {posting_id} of account {account_id}"));
    let entries = rows.iter().map(|row| {
        let account = LedgerAccount::known(&row.ledger_account)?;
        Some(Entry { account, amount_minor: row.amount_minor })
    });
    let stored = StoredPosting {
        id: posting_id,
        reason: first.reason.clone(),
        currency: Currency::known(&first.currency).ok_or_else(corrupt)?,
        object_id: first.object_id,
        entries: entries.collect::<Option<_>>().ok_or_else(corrupt)?,
        reverses: first.reverses_posting_id,
    };
    Posting::stored(stored).map(Some).map_err(|_| corrupt())
}

/// The posting that undid this one, if any.
pub fn reversal_of(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    posting_id: Uuid,
) -> Result<Option<Uuid>, StoreError> {
    tx.query_optional(
        "SELECT posting_id FROM ledger_entries
         WHERE tenant_id = $1 AND account_id = $2 AND reverses_posting_id = $3 LIMIT 1",
        &[tenant_id.0.into(), account_id.into(), posting_id.into()],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// The balance of each account of the ledger that has entries, under its stored name; debits are positive.
pub fn balances(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Vec<(String, i64)>, StoreError> {
    tx.query(
        "SELECT ledger_account, CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries
         WHERE tenant_id = $1 AND account_id = $2 GROUP BY ledger_account ORDER BY ledger_account",
        &[tenant_id.0.into(), account_id.into()],
    )?
    .into_iter()
    .map(|mut row| Ok((row.next()?, row.next()?)))
    .collect()
}

/// Keeps the totals on the account's row, which the caller has locked.
pub fn save_totals(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    totals: Totals,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET balance_minor = $3, credit_minor = $4 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), account_id.into(), totals.balance_minor.into(), totals.credit_minor.into()],
    )?;
    Ok(())
}

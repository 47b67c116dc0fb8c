//! Reading the whole book a page at a time, to see whether it is as it must be.

use crate::accounts::StoredAccount;
use crate::audit::Sealed;
use crate::ledger::LedgerRow;
use crate::{Connection, Row, StoreError, accounts, ledger};
use billing::{Chain, Link, TenantId};
use jiff::Timestamp;
use std::collections::VecDeque;
use uuid::Uuid;

/// Records of a chain read at a time.
const PAGE: i64 = 1000;

/// An account with the end of its chain.
#[derive(Clone, Debug)]
pub struct AccountEnd {
    /// The account.
    pub stored: StoredAccount,
    /// How many links its chain has.
    pub chain_length: i64,
    /// The hash of the last.
    pub chain_head: Vec<u8>,
}

/// At most `limit` accounts of a tenant that follow `after` in the order of their ids.
pub fn accounts_after(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<AccountEnd>, StoreError> {
    let sql = format!(
        "SELECT chain_length, chain_head, {} FROM accounts WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        accounts::COLUMNS
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?
        .into_iter()
        .map(|mut row| {
            let (chain_length, chain_head) = (row.next()?, row.next()?);
            Ok(AccountEnd { chain_length, chain_head, stored: accounts::read(row)? })
        })
        .collect()
}

/// How many accounts a tenant has.
pub fn count_accounts(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<i64, StoreError> {
    tx.query_one("SELECT COUNT(*) FROM accounts WHERE tenant_id = $1", &[tenant_id.0.into()])?.next()
}

/// An audit record as raw as it is stored: whatever stands there is to be judged, not understood.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// The kind of record that changed.
    pub object_type: String,
    /// Its id.
    pub object_id: Uuid,
    /// What happened to it.
    pub change_type: String,
    /// The record as it then stood, as JSON.
    pub snapshot: String,
    changed_at: Timestamp,
    changed_by: String,
    reason: Option<String>,
    comments: Option<String>,
    user_token: Uuid,
}

/// What a link of a chain seals.
#[derive(Clone, Debug)]
pub enum Content {
    /// A record of the audit log.
    Audit(AuditRow),
    /// An entry of the ledger.
    Ledger(LedgerRow),
}

/// A record that is a link of its account's chain, or should be.
#[derive(Clone, Debug)]
pub struct ChainRecord {
    /// Its number in its table.
    pub record_id: i64,
    /// The account whose chain it is in.
    pub account_id: Uuid,
    /// Where it says that it stands in the chain.
    pub position: Option<i64>,
    /// The hash that it was sealed with.
    pub hash: Option<Vec<u8>>,
    /// The record.
    pub content: Content,
}

impl ChainRecord {
    /// Makes the record, as it stands now, the next link.
    pub fn link(&self, chain: &mut Chain) -> Link {
        match &self.content {
            Content::Ledger(row) => row.link(chain),
            Content::Audit(row) => Sealed {
                object_type: &row.object_type,
                object_id: row.object_id,
                change_type: &row.change_type,
                changed_at: row.changed_at,
                changed_by: &row.changed_by,
                reason: row.reason.as_deref(),
                comments: row.comments.as_deref(),
                user_token: row.user_token,
                snapshot: &row.snapshot,
            }
            .link(chain),
        }
    }
}

/// Which of the two tables that hold links.
#[derive(Clone, Copy)]
enum Source {
    Audit,
    Ledger,
}

/// The records of one table, account after account, read a page at a time.
struct Feed {
    source: Source,
    page: VecDeque<ChainRecord>,
    after: (Uuid, i64),
    is_read: bool,
}

impl Feed {
    fn fill(&mut self, tx: &mut dyn Connection, tenant_id: TenantId, last: Uuid) -> Result<(), StoreError> {
        if !self.page.is_empty() || self.is_read {
            return Ok(());
        }
        let (table, columns) = match self.source {
            Source::Audit => (
                "audit_log",
                "account_id, object_type, object_id, change_type, snapshot, changed_at, changed_by, reason, comments,
                 user_token",
            ),
            Source::Ledger => ("ledger_entries", ledger::COLUMNS),
        };
        let sql = format!(
            "SELECT record_id, chain_position, chain_hash, {columns} FROM {table}
             WHERE tenant_id = $1 AND (account_id, record_id) > ($2, $3) AND account_id <= $4
             ORDER BY account_id, record_id LIMIT $5"
        );
        let (account_id, record_id) = self.after;
        let params = [tenant_id.0.into(), account_id.into(), record_id.into(), last.into(), PAGE.into()];
        let rows = tx.query(&sql, &params)?;
        self.is_read = rows.len() < PAGE as usize;
        let source = self.source;
        self.page = rows.into_iter().map(|row| read(source, row)).collect::<Result<_, _>>()?;
        if let Some(record) = self.page.back() {
            self.after = (record.account_id, record.record_id);
        }
        Ok(())
    }
}

fn read(source: Source, mut row: Row) -> Result<ChainRecord, StoreError> {
    let (record_id, position, hash) = (row.next()?, row.next()?, row.next()?);
    let (account_id, content) = match source {
        Source::Ledger => {
            let entry = ledger::read(&mut row)?;
            (entry.account_id, Content::Ledger(entry))
        }
        Source::Audit => (
            row.next()?,
            Content::Audit(AuditRow {
                object_type: row.next()?,
                object_id: row.next()?,
                change_type: row.next()?,
                snapshot: row.next()?,
                changed_at: row.next()?,
                changed_by: row.next()?,
                reason: row.next()?,
                comments: row.next()?,
                user_token: row.next()?,
            }),
        ),
    };
    Ok(ChainRecord { record_id, account_id, position, hash, content })
}

/// The records of accounts in the order of the accounts' ids, those of one account in the order of its chain.
pub struct Records {
    tenant_id: TenantId,
    last: Uuid,
    audit: Feed,
    ledger: Feed,
}

impl Records {
    /// The records of the accounts after `after` up to and with `last`, also of accounts that do not exist.
    pub fn between(tenant_id: TenantId, after: Uuid, last: Uuid) -> Records {
        let feed = |source| Feed { source, page: VecDeque::new(), after: (after, i64::MAX), is_read: false };
        Records { tenant_id, last, audit: feed(Source::Audit), ledger: feed(Source::Ledger) }
    }

    /// The next record of an account up to and with `account_id`, if there is one.
    pub fn next_up_to(
        &mut self,
        tx: &mut dyn Connection,
        account_id: Uuid,
    ) -> Result<Option<ChainRecord>, StoreError> {
        self.audit.fill(tx, self.tenant_id, self.last)?;
        self.ledger.fill(tx, self.tenant_id, self.last)?;
        let place = |feed: &Feed| {
            feed.page
                .front()
                .filter(|record| record.account_id <= account_id)
                .map(|record| (record.account_id, record.position))
        };
        let feed = match (place(&self.audit), place(&self.ledger)) {
            (None, None) => return Ok(None),
            (Some(audit), Some(ledger)) if audit <= ledger => &mut self.audit,
            (Some(_), None) => &mut self.audit,
            _ => &mut self.ledger,
        };
        Ok(feed.page.pop_front())
    }
}

/// A column that holds the id of a row of another table.
#[derive(Clone, Copy, Debug)]
pub struct Reference {
    /// The table with the column.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The table that has the id.
    pub target: &'static str,
}

const fn reference(table: &'static str, column: &'static str, target: &'static str) -> Reference {
    Reference { table, column, target }
}

/// The columns whose ids must exist in their tenant, beside those that the chains cover.
pub const REFERENCES: &[Reference] = &[
    reference("accounts", "parent_account_id", "accounts"),
    reference("accounts", "customer_id", "customers"),
    reference("accounts", "organization_id", "organizations"),
    reference("accounts", "payment_method_id", "payment_methods"),
    reference("account_aliases", "account_id", "accounts"),
    reference("account_emails", "account_id", "accounts"),
    reference("blocking_states", "account_id", "accounts"),
    reference("custom_fields", "account_id", "accounts"),
    reference("tags", "account_id", "accounts"),
    reference("payment_methods", "account_id", "accounts"),
    reference("events", "account_id", "accounts"),
    reference("due_work", "account_id", "accounts"),
    reference("customer_contacts", "customer_id", "customers"),
    reference("organizations", "parent_id", "organizations"),
    reference("organizations", "account_id", "accounts"),
    reference("organizations", "owner_id", "users"),
    reference("users", "current_organization_id", "organizations"),
    reference("role_descriptions", "organization_id", "organizations"),
    reference("organization_roles", "organization_id", "organizations"),
    reference("organization_roles", "user_id", "users"),
    reference("organization_roles", "role_description_id", "role_descriptions"),
    reference("api_keys", "user_id", "users"),
    reference("signatures", "user_id", "users"),
    reference("muted_notifications", "user_id", "users"),
    reference("activities", "created_by", "users"),
    reference("activities", "organization_id", "organizations"),
    reference("activities", "contact_id", "users"),
];

/// A row whose reference leads nowhere.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// The tenant's number.
    pub tenant_id: TenantId,
    /// The row's number in its table.
    pub record_id: i64,
    /// The id that does not exist.
    pub missing: Uuid,
}

/// The highest record id of a table.
pub fn last_record_id(tx: &mut dyn Connection, table: &'static str) -> Result<i64, StoreError> {
    tx.query_one(&format!("SELECT COALESCE(MAX(record_id), 0) FROM {table}"), &[])?.next()
}

/// At most `limit` orphans of one tenant, or of all, among the rows with record ids after `after` up to `last`.
pub fn orphans(
    tx: &mut dyn Connection,
    tenant_id: Option<TenantId>,
    Reference { table, column, target }: Reference,
    (after, last): (i64, i64),
    limit: i64,
) -> Result<Vec<Orphan>, StoreError> {
    // Record ids bound the rows that are read, so no index by tenant may be taken: hence the plus.
    let sql = format!(
        "SELECT o.tenant_id, o.record_id, o.{column} FROM {table} o
         WHERE (+o.tenant_id = $1 OR $1 = -1) AND o.record_id > $2 AND o.record_id <= $3 AND o.{column} IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM {target} t WHERE t.tenant_id = o.tenant_id AND t.id = o.{column})
         ORDER BY o.record_id LIMIT $4"
    );
    let tenant = tenant_id.map_or(-1, |tenant_id| tenant_id.0);
    tx.query(&sql, &[tenant.into(), after.into(), last.into(), limit.into()])?
        .into_iter()
        .map(|mut row| {
            Ok(Orphan { tenant_id: TenantId(row.next()?), record_id: row.next()?, missing: row.next()? })
        })
        .collect()
}

//! Is the book as it must be? Every chain, sum and reference is computed anew and compared with what is stored.

use billing::ledger::{Balances, Entry, LedgerAccount};
use billing::{Chain, ChangeType, Currency, ObjectType, TenantId};
use std::collections::BTreeMap;
use std::fmt;
use storage::held::{self, HeldRow, HeldRows};
use storage::verify::{self, AccountEnd, ChainRecord, Content, REFERENCES, Records, Reference};
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// Most differences that are reported.
pub const DIFFERENCES_LIMIT: usize = 20;

/// Accounts that are verified on one snapshot.
pub const ACCOUNTS_PER_STEP: i64 = 500;

/// Rows whose references are followed on one snapshot.
const ROWS_PER_STEP: i64 = 20_000;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The tenant's number.
    pub tenant_id: TenantId,
    /// The account, where it is about one.
    pub account_id: Option<Uuid>,
    /// The record, in words.
    pub record: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = self.account_id {
            write!(f, "account {id}: ")?;
        }
        write!(f, "{}: expected {}, found {}", self.record, self.expected, self.found)
    }
}

/// What was looked at, and what was found to differ.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Accounts looked at.
    pub accounts: u64,
    /// Audit records of accounts looked at.
    pub audit_records: u64,
    /// Ledger entries looked at.
    pub entries: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
}

impl Findings {
    /// Whether there are as many differences as are reported.
    pub fn is_full(&self) -> bool {
        self.differences.len() >= DIFFERENCES_LIMIT
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Findings) {
        self.accounts += other.accounts;
        self.audit_records += other.audit_records;
        self.entries += other.entries;
        self.differences.extend(other.differences);
        self.differences.truncate(DIFFERENCES_LIMIT);
    }

    fn differs(&mut self, difference: Difference) {
        if !self.is_full() {
            self.differences.push(difference);
        }
    }
}

/// Verifies the accounts of a tenant that follow `after` in the order of their ids, [`ACCOUNTS_PER_STEP`] of them, on
/// the snapshot of this transaction. Returns where to go on; `None` after the last.
pub fn accounts(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: Uuid,
) -> Outcome<(Findings, Option<Uuid>)> {
    let ends = verify::accounts_after(tx, tenant_id, after, ACCOUNTS_PER_STEP)?;
    let next =
        ends.last().filter(|_| ends.len() as i64 == ACCOUNTS_PER_STEP).map(|end| end.stored.account.id);
    let last = next.unwrap_or(Uuid::max());
    let mut records = Records::between(tenant_id, after, last);
    let mut held = HeldRows::between(tenant_id, after, last);
    let mut findings = Findings::default();
    for end in &ends {
        let mut check = AccountCheck::new(tenant_id, end);
        while let Some(record) = records.next_up_to(tx, end.stored.account.id)? {
            if record.account_id == end.stored.account.id {
                check.take(&record, &mut findings);
            } else {
                findings.differs(without_account(tenant_id, &record));
            }
        }
        // Rows of accounts that do not exist are among the references that lead nowhere.
        while let Some(row) = held.next_up_to(tx, end.stored.account.id)? {
            if row.account_id == end.stored.account.id {
                check.compare(row, &mut findings);
            }
        }
        check.end(&mut findings)?;
        findings.accounts += 1;
    }
    while let Some(record) = records.next_up_to(tx, last)? {
        findings.differs(without_account(tenant_id, &record));
        if findings.is_full() {
            break;
        }
    }
    Ok((findings, next))
}

fn without_account(tenant_id: TenantId, record: &ChainRecord) -> Difference {
    Difference {
        tenant_id,
        account_id: Some(record.account_id),
        record: name(record),
        expected: "an account with this id".into(),
        found: "none".into(),
    }
}

fn name(record: &ChainRecord) -> String {
    let number = record.record_id;
    match &record.content {
        Content::Audit(row) => {
            format!("audit record {number} ({} of {} {})", row.change_type, row.object_type, row.object_id)
        }
        Content::Ledger(row) => {
            format!("ledger entry {number} ({} of posting {})", row.ledger_account, row.posting_id)
        }
    }
}

/// The last record of a row that belongs to an account.
struct LastRecord {
    /// The record, in words.
    name: String,
    is_removal: bool,
    snapshot: String,
}

/// Goes through the records of one account.
struct AccountCheck<'a> {
    tenant_id: TenantId,
    end: &'a AccountEnd,
    chain: Chain,
    /// After the first wrong link nothing can be said of those that follow.
    is_broken: bool,
    balances: Balances,
    posting: Option<(Uuid, i128)>,
    latest: Option<String>,
    /// By kind and id, the last records of rows that are not found yet.
    last_records: BTreeMap<(&'static str, Uuid), LastRecord>,
}

impl<'a> AccountCheck<'a> {
    fn new(tenant_id: TenantId, end: &'a AccountEnd) -> AccountCheck<'a> {
        AccountCheck {
            tenant_id,
            end,
            chain: Chain::start(end.stored.account.id),
            is_broken: false,
            balances: Balances::default(),
            posting: None,
            latest: None,
            last_records: BTreeMap::new(),
        }
    }

    fn differs(&self, findings: &mut Findings, record: String, expected: String, found: String) {
        let account_id = Some(self.end.stored.account.id);
        findings.differs(Difference { tenant_id: self.tenant_id, account_id, record, expected, found });
    }

    fn take(&mut self, record: &ChainRecord, findings: &mut Findings) {
        self.check_link(record, findings);
        match &record.content {
            Content::Audit(row) => {
                findings.audit_records += 1;
                if row.object_type == "ACCOUNT" {
                    self.latest = Some(row.snapshot.clone());
                } else if let Some(kind) = held::kind(&row.object_type) {
                    let last = LastRecord {
                        name: name(record),
                        is_removal: row.change_type == ChangeType::Delete.name(),
                        snapshot: row.snapshot.clone(),
                    };
                    self.last_records.insert((kind.name(), row.object_id), last);
                }
            }
            Content::Ledger(row) => {
                findings.entries += 1;
                let currency = self.end.stored.account.currency.map_or("none", Currency::code);
                if row.currency != currency {
                    self.differs(findings, name(record), currency.to_owned(), row.currency.clone());
                }
                match LedgerAccount::known(&row.ledger_account) {
                    Some(account) => {
                        self.balances.add(&Entry { account, amount_minor: row.amount_minor });
                    }
                    None => {
                        let expected = "an account of the ledger".to_owned();
                        self.differs(findings, name(record), expected, row.ledger_account.clone());
                    }
                }
                self.sum_posting(row.posting_id, row.amount_minor, findings);
            }
        }
    }

    fn check_link(&mut self, record: &ChainRecord, findings: &mut Findings) {
        if self.is_broken {
            return;
        }
        let link = record.link(&mut self.chain);
        if record.position == Some(link.position) && record.hash.as_deref() == Some(&link.hash) {
            return;
        }
        self.is_broken = true;
        let at = record.position.map_or("no position".to_owned(), |position| format!("position {position}"));
        let hash = record.hash.as_deref().map_or("none".to_owned(), hex);
        self.differs(
            findings,
            name(record),
            format!("position {} with hash {}", link.position, hex(&link.hash)),
            format!("{at} with hash {hash}"),
        );
    }

    /// The entries of a posting follow each other, so one sum at a time will do.
    fn sum_posting(&mut self, posting_id: Uuid, amount_minor: i64, findings: &mut Findings) {
        match &mut self.posting {
            Some((id, sum)) if *id == posting_id => *sum += i128::from(amount_minor),
            _ => {
                self.end_posting(findings);
                self.posting = Some((posting_id, amount_minor.into()));
            }
        }
    }

    fn end_posting(&mut self, findings: &mut Findings) {
        if let Some((id, sum)) = self.posting.take()
            && sum != 0
        {
            self.differs(findings, format!("posting {id}"), "a sum of 0".into(), sum.to_string());
        }
    }

    /// A row must be as its last record says.
    fn compare(&mut self, row: HeldRow, findings: &mut Findings) {
        let kind = row.object_type.name();
        let what = format!("the row of {kind} {}", row.id);
        let Some(last) = self.last_records.remove(&(kind, row.id)) else {
            return self.differs(findings, what, "an audit record of it".into(), "none".into());
        };
        let what = format!("{what} against its last audit record");
        if last.is_removal && leaves_no_row(kind) {
            return self.differs(findings, what, "no row, since it was removed".into(), "a row".into());
        }
        let expected: Result<serde_json::Value, _> = serde_json::from_str(&last.snapshot);
        match (expected, row.json) {
            (Ok(expected), Ok(found)) if expected == found => {}
            (Ok(expected), Ok(found)) => {
                let (expected, found) = first_difference(&expected, &found);
                self.differs(findings, what, expected, found);
            }
            (Ok(expected), Err(error)) => {
                self.differs(findings, what, expected.to_string(), error.to_string());
            }
            (Err(error), _) => {
                self.differs(findings, last.name, "a snapshot".into(), error.to_string());
            }
        }
    }

    /// Records whose rows were not found.
    fn check_missing(&mut self, findings: &mut Findings) {
        for ((kind, id), last) in std::mem::take(&mut self.last_records) {
            if !(last.is_removal && leaves_no_row(kind)) {
                let expected = format!("the row of {kind} {id}");
                self.differs(findings, last.name, expected, "none".into());
            }
        }
    }

    fn end(mut self, findings: &mut Findings) -> Outcome<()> {
        self.end_posting(findings);
        self.check_missing(findings);
        let (length, head) = (self.end.chain_length, self.end.chain_head.as_slice());
        if !self.is_broken && (self.chain.length() != length || self.chain.head() != head) {
            let expected = format!("{} links up to {}", self.chain.length(), hex(self.chain.head()));
            self.differs(
                findings,
                "end of the chain".into(),
                expected,
                format!("{length} up to {}", hex(head)),
            );
        }
        self.check_totals(findings);
        self.check_history(findings)
    }

    fn check_totals(&self, findings: &mut Findings) {
        let stored = &self.end.stored;
        let found = format!("balance {} and credit {}", stored.balance_minor, stored.credit_minor);
        let expected = match self.balances.totals() {
            Ok(totals) => format!("balance {} and credit {}", totals.balance_minor, totals.credit_minor),
            Err(_) => "totals that fit".to_owned(),
        };
        if expected != found {
            self.differs(findings, "totals in minor units".into(), expected, found);
        }
    }

    /// The last audited state of the account must be the state of its row.
    fn check_history(&self, findings: &mut Findings) -> Outcome<()> {
        let row = serde_json::to_value(&self.end.stored.account)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let audited = self.latest.as_deref().map(serde_json::from_str::<serde_json::Value>);
        let audited = match audited {
            Some(Ok(audited)) if audited == row => return Ok(()),
            Some(Ok(audited)) => audited,
            Some(Err(_)) => serde_json::Value::String("a snapshot that is no JSON".into()),
            None => serde_json::Value::String("no audit record of the account".into()),
        };
        let (expected, found) = first_difference(&audited, &row);
        self.differs(findings, "the account's row against its last audit record".into(), expected, found);
        Ok(())
    }
}

/// Whether removing something of this kind removes its row; the rows of others stay and say so.
fn leaves_no_row(kind: &str) -> bool {
    kind == ObjectType::AccountAlias.name()
}

/// The first field of two objects that is not the same, on both sides.
fn first_difference(audited: &serde_json::Value, row: &serde_json::Value) -> (String, String) {
    if let (Some(audited), Some(row)) = (audited.as_object(), row.as_object()) {
        for field in audited.keys().chain(row.keys()) {
            let (one, other) = (audited.get(field), row.get(field));
            if one != other {
                let shown = |value: Option<&serde_json::Value>| {
                    value.map_or(format!("no {field}"), |value| format!("{field} {value}"))
                };
                return (shown(one), shown(other));
            }
        }
    }
    (audited.to_string(), row.to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where [`references`] stands: which reference, after which record id.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    reference: usize,
    after: i64,
}

/// Follows some references of one tenant, or of all. Returns where to go on; `None` after the last.
pub fn references(
    tx: &mut dyn Connection,
    tenant_id: Option<TenantId>,
    place: Place,
) -> Outcome<(Findings, Option<Place>)> {
    let mut findings = Findings::default();
    let Some(reference) = REFERENCES.get(place.reference) else { return Ok((findings, None)) };
    let until = place.after.saturating_add(ROWS_PER_STEP);
    let limit = DIFFERENCES_LIMIT as i64;
    let Reference { table, column, target } = *reference;
    for orphan in verify::orphans(tx, tenant_id, *reference, (place.after, until), limit)? {
        findings.differs(Difference {
            tenant_id: orphan.tenant_id,
            account_id: None,
            record: format!("{column} in record {} of {table}", orphan.record_id),
            expected: format!("an id of {target}"),
            found: format!("{}, which does not exist", orphan.missing),
        });
    }
    let next = if until < verify::last_record_id(tx, table)? {
        Place { after: until, ..place }
    } else {
        Place { reference: place.reference + 1, after: 0 }
    };
    Ok((findings, Some(next)))
}

/// Verifies a whole tenant on the snapshot of this transaction.
pub fn tenant(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Findings> {
    let mut findings = Findings::default();
    let mut after = Some(Uuid::nil());
    while let Some(from) = after {
        let (found, next) = accounts(tx, tenant_id, from)?;
        findings.add(found);
        after = next;
    }
    let mut place = Some(Place::default());
    while let Some(from) = place {
        let (found, next) = references(tx, Some(tenant_id), from)?;
        findings.add(found);
        place = next;
    }
    Ok(findings)
}

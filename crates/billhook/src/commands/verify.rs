//! `billhook verify`: is the book as it must be?

use crate::{Book, progress};
use anyhow::{Context, bail};
use billing::Tenant;
use clap::Args;
use operations::verify::{self, Findings, Place};
use storage::Store;
use uuid::Uuid;

/// Check the book: postings balance, totals are sums, hash chains hold, rows are as their history says, no orphans
///
/// Works while a server runs. Ends with status 1 and the first differences when something is not as it must be.
///
/// Accounts, their e-mails, aliases, tags, custom fields, blocking states and payment methods are compared with their
/// audit records, which the account's hash chain seals, as it does ledger entries. What belongs to no account is in no
/// chain, and a change of it is not found: the tenant, its values and catalogs, users, tokens, keys, organizations,
/// customers, contacts, tag definitions, and their audit records. Nor are changes found of events, due work and the
/// times at which rows were written, nor that an account is gone with all its records.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// API key of the one tenant to check; all when absent
    #[arg(long, value_name = "API_KEY")]
    tenant: Option<String>,
}

impl Verify {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open_for_long_work()?;
        let is_of_one = self.tenant.is_some();
        let tenants = match self.tenant {
            Some(api_key) => vec![find_tenant(&store, api_key)?],
            None => store.read_now(|tx| Ok(storage::tenants::all(tx)?))?,
        };
        // Without --tenant all records are looked at: there may be some of a tenant who is not there.
        let only = tenants.first().filter(|_| is_of_one);
        let findings = look_at(&store, &tenants, only).context("the check could not be finished")?;
        store.close();
        report(&tenants, &findings)
    }
}

/// The tenant with this API key.
pub(crate) fn find_tenant(store: &Store, api_key: String) -> anyhow::Result<Tenant> {
    Ok(store.read_now(move |tx| super::tenant_with_key(tx, &api_key))?)
}

fn look_at(store: &Store, tenants: &[Tenant], only: Option<&Tenant>) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let numbers: Vec<_> = tenants.iter().map(|tenant| tenant.tenant_id).collect();
    let accounts = store.read_now(move |tx| {
        let counts = numbers.iter().map(|number| storage::verify::count_accounts(tx, *number));
        Ok(counts.sum::<Result<i64, _>>()?)
    })?;
    let bar = progress::bar(u64::try_from(accounts).unwrap_or(0), "accounts");
    for tenant_id in tenants.iter().map(|tenant| tenant.tenant_id) {
        let mut after = Some(Uuid::nil());
        while let Some(from) = after.filter(|_| !findings.is_full()) {
            let (found, next) = store.read_now(move |tx| verify::accounts(tx, tenant_id, from))?;
            bar.inc(found.accounts);
            findings.add(found);
            after = next;
        }
    }
    bar.set_message("references");
    let only = only.map(|tenant| tenant.tenant_id);
    let mut place = Some(Place::default());
    while let Some(from) = place.filter(|_| !findings.is_full()) {
        let (found, next) = store.read_now(move |tx| verify::references(tx, only, from))?;
        findings.add(found);
        place = next;
    }
    bar.finish_and_clear();
    Ok(findings)
}

fn report(tenants: &[Tenant], findings: &Findings) -> anyhow::Result<()> {
    for difference in &findings.differences {
        let tenant = tenants.iter().find(|tenant| tenant.tenant_id == difference.tenant_id);
        println!("tenant {}: {difference}", tenant.map_or("unknown", |tenant| &tenant.api_key));
    }
    if !findings.differences.is_empty() {
        bail!("the book is not as it must be; the first differences are above");
    }
    println!(
        "verified: {} tenants, {} accounts, {} audit records and {} ledger entries are as they must be",
        tenants.len(),
        findings.accounts,
        findings.audit_records,
        findings.entries
    );
    Ok(())
}

//! Where the accounts of a list stand, so that a page far behind its beginning is found without a walk from there.
//!
//! Accounts are never removed and are listed in the order in which they were opened, so that one keeps its position:
//! every 4,096th is remembered. Not the newest: a transaction may still be open that has taken a lower record id.

use crate::{Connection, StoreError};
use billing::TenantId;
use std::collections::{HashMap, HashSet};

/// Which accounts are remembered.
struct Spacing {
    /// Accounts from one that is remembered to the next.
    step: i64,
    /// Accounts behind the newest that have surely found their position.
    settled: i64,
}

const SPACING: Spacing = Spacing { step: 4096, settled: 100_000 };

/// What a connection learnt about the lists of accounts.
#[derive(Debug, Default)]
pub struct Positions {
    /// The record ids of each tenant's accounts at the positions 4,096, twice that and so on, counted from 1.
    marks: HashMap<TenantId, Vec<i64>>,
    /// The tenants that have more accounts than are counted.
    pub(crate) large_tenants: HashSet<TenantId>,
}

/// How many of the tenant's accounts can be passed over at once on the way to `offset`, and the record id of the last of
/// them.
pub(crate) fn before(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    offset: i64,
) -> Result<(i64, i64), StoreError> {
    before_spaced(tx, tenant_id, offset, &SPACING)
}

fn before_spaced(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    offset: i64,
    spacing: &Spacing,
) -> Result<(i64, i64), StoreError> {
    let wanted = usize::try_from(offset / spacing.step).unwrap_or(0);
    let known = tx.positions().marks.get(&tenant_id).map_or(0, Vec::len);
    if wanted > known {
        learn(tx, tenant_id, wanted, spacing)?;
    }
    let marks = tx.positions().marks.entry(tenant_id).or_default();
    let passed = wanted.min(marks.len());
    let last = passed.checked_sub(1).and_then(|index| marks.get(index)).copied().unwrap_or(0);
    Ok((i64::try_from(passed).unwrap_or(0) * spacing.step, last))
}

fn learn(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    wanted: usize,
    spacing: &Spacing,
) -> Result<(), StoreError> {
    let newest: i64 = tx.query_one("SELECT COALESCE(MAX(record_id), 0) FROM accounts", &[])?.next()?;
    loop {
        let marks = tx.positions().marks.entry(tenant_id).or_default();
        let (known, last) = (marks.len(), marks.last().copied().unwrap_or(0));
        if known >= wanted {
            return Ok(());
        }
        let next = tx.query_optional(
            "SELECT record_id FROM accounts WHERE tenant_id = $1 AND record_id > $2 ORDER BY record_id
             LIMIT 1 OFFSET $3",
            &[tenant_id.0.into(), last.into(), (spacing.step - 1).into()],
        )?;
        match next.map(|mut row| row.next::<i64>()).transpose()? {
            Some(record_id) if record_id <= newest - spacing.settled => {
                tx.positions().marks.entry(tenant_id).or_default().push(record_id);
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, Store, StoreOptions, accounts};
    use billing::Chain;
    use billing::account::{NewAccount, open};
    use uuid::Uuid;

    const TENANT: TenantId = TenantId(1);

    fn add(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<i64> {
        let id = Uuid::new_v4();
        let account = open(id, &NewAccount::default(), "test", jiff::Timestamp::UNIX_EPOCH)?;
        Ok(accounts::insert(tx, tenant_id, &account, &Chain::start(id))?.unwrap())
    }

    #[test]
    fn settled_positions_are_remembered() {
        let path = std::env::temp_dir().join(format!("billhook-positions-{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        let found = store.write_now(|tx| {
            let mut ids = Vec::new();
            for _ in 0..20 {
                add(tx, TenantId(2))?;
                ids.push(add(tx, TENANT)?);
            }
            let spacing = Spacing { step: 3, settled: 10 };
            let mut found = Vec::new();
            for offset in [0, 2, 3, 8, 12, 14, 16, 1000] {
                let (passed, last) = before_spaced(tx, TENANT, offset, &spacing)?;
                let position = usize::try_from(passed).ok().and_then(|passed| passed.checked_sub(1));
                assert_eq!(position.map_or(0, |position| ids[position]), last);
                found.push(passed);
            }
            Ok(found)
        });
        store.close();
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
        }
        // The fifteenth account of the tenant is the thirtieth of all, ten before the newest; the eighteenth is not settled.
        assert_eq!(found.unwrap(), [0, 0, 3, 6, 12, 12, 15, 15]);
    }
}

//! The journal of one change: audit records, chain and events, written together with the change itself.

use billing::ledger::{Posting, Totals};
use billing::{Caller, Chain, ChangeType, ObjectType, Refusal, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use storage::accounts::{self, StoredAccount};
use storage::audit::{self, Change, Event};
use storage::{Connection, Outcome, StoreError, ledger};
use uuid::Uuid;

/// An account that is locked for this transaction, and the journal of what happens to it. Every operation that changes
/// an account, or anything that belongs to it, goes through one, and ends it with [`AccountJournal::close`].
pub struct AccountJournal<'a> {
    tx: &'a mut dyn Connection,
    tenant_id: TenantId,
    caller: &'a Caller,
    now: Timestamp,
    stored: StoredAccount,
    chain: Chain,
}

impl<'a> AccountJournal<'a> {
    /// Locks the account; refuses when there is none with this id in the tenant.
    pub fn open(
        tx: &'a mut dyn Connection,
        tenant_id: TenantId,
        account_id: Uuid,
        caller: &'a Caller,
        now: Timestamp,
    ) -> Outcome<AccountJournal<'a>> {
        let (stored, chain) =
            accounts::lock(tx, tenant_id, account_id)?.ok_or_else(|| Refusal::account_unknown(account_id))?;
        Ok(AccountJournal { tx, tenant_id, caller, now, stored, chain })
    }

    /// The account as it was when it was locked.
    pub fn account(&self) -> &billing::account::Account {
        &self.stored.account
    }

    /// The organization that is billed through the account.
    pub fn organization_id(&self) -> Option<Uuid> {
        self.stored.organization_id
    }

    /// The account's record id.
    pub fn account_record_id(&self) -> i64 {
        self.stored.record_id
    }

    /// The connection, to read and write what belongs to the account.
    pub fn tx(&mut self) -> &mut dyn Connection {
        self.tx
    }

    /// What time it is for this change.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who acts.
    pub fn caller(&self) -> &Caller {
        self.caller
    }

    /// The tenant's number.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Records a change of the account or of something that belongs to it. `record` is the thing as it now stands.
    pub fn record(
        &mut self,
        change_type: ChangeType,
        object_type: ObjectType,
        object_id: Uuid,
        object_record_id: i64,
        record: &impl Serialize,
    ) -> Outcome<()> {
        let snapshot = snapshot(record)?;
        let change = Change { object_type, object_id, object_record_id, change_type, snapshot: &snapshot };
        let link = audit::link(&mut self.chain, self.caller, self.now, &change);
        let account = Some((self.stored.account.id, &link));
        Ok(audit::record(self.tx, self.tenant_id, account, self.caller, self.now, &change)?)
    }

    /// Puts an event about the account, or something that belongs to it, into the outbox.
    pub fn publish(&mut self, event: &Event<'_>) -> Outcome<()> {
        let account_id = Some(self.stored.account.id);
        Ok(audit::publish(self.tx, self.tenant_id, account_id, self.caller.user_token, self.now, event)?)
    }

    /// The account's totals, with what was posted through this journal.
    pub fn totals(&self) -> Totals {
        Totals { balance_minor: self.stored.balance_minor, credit_minor: self.stored.credit_minor }
    }

    /// Writes a posting's entries and the totals after it. [`crate::ledger::post`] checks its currency.
    pub(crate) fn post(&mut self, posting: &Posting) -> Outcome<()> {
        let totals = self.totals().after(posting)?;
        let account_id = self.stored.account.id;
        ledger::insert(self.tx, self.tenant_id, account_id, &mut self.chain, self.now, posting)?;
        ledger::save_totals(self.tx, self.tenant_id, account_id, totals)?;
        self.stored.balance_minor = totals.balance_minor;
        self.stored.credit_minor = totals.credit_minor;
        Ok(())
    }

    /// Saves the end of the account's chain.
    pub fn close(self) -> Outcome<()> {
        Ok(accounts::save_chain(self.tx, self.tenant_id, self.stored.account.id, &self.chain)?)
    }
}

/// Records a change of something that belongs to the tenant but to no account, such as a tag definition.
pub fn record_of_tenant(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    (change_type, object_type, object_id, object_record_id): (ChangeType, ObjectType, Uuid, i64),
    record: &impl Serialize,
) -> Outcome<()> {
    let snapshot = snapshot(record)?;
    let change = Change { object_type, object_id, object_record_id, change_type, snapshot: &snapshot };
    Ok(audit::record(tx, tenant_id, None, caller, now, &change)?)
}

pub(crate) fn snapshot(record: &impl Serialize) -> Outcome<String> {
    Ok(serde_json::to_string(record).map_err(|error| StoreError::Corrupt(error.to_string()))?)
}

//! Booking money: every event that is about money posts here, in its own transaction.

use crate::AccountJournal;
use billing::Refusal;
use billing::ledger::Posting;
use storage::Outcome;
use storage::ledger;
use uuid::Uuid;

/// Books a posting on the journal's account and keeps its totals. Refuses another currency than the account's, an
/// account without one, and totals that do not fit.
pub fn post(journal: &mut AccountJournal<'_>, posting: &Posting) -> Outcome<()> {
    posting.check_currency(journal.account().currency)?;
    journal.post(posting)
}

/// Undoes a posting of the journal's account and returns the new one. Refuses one that the account does not have, and
/// one that was undone before.
pub fn reverse(journal: &mut AccountJournal<'_>, posting_id: Uuid) -> Outcome<Posting> {
    let (tenant_id, account_id) = (journal.tenant_id(), journal.account().id);
    let posting = ledger::posting(journal.tx(), tenant_id, account_id, posting_id)?.ok_or_else(|| {
        Refusal::invalid("postingId", format!("must be a posting of the account, not {posting_id}"))
    })?;
    if let Some(by) = ledger::reversal_of(journal.tx(), tenant_id, account_id, posting_id)? {
        return Err(Refusal::invalid(
            "postingId",
            format!("must not be undone already, as {posting_id} is by {by}"),
        )
        .into());
    }
    let reversal = posting.reversal(Uuid::new_v4())?;
    post(journal, &reversal)?;
    Ok(reversal)
}

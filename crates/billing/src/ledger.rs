//! The ledger: double entries that sum to zero. `docs/ledger.md` has the table of what each event debits and credits.

use crate::{Currency, Refusal};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most entries of one posting.
pub const ENTRIES_LIMIT: usize = 10_000;

/// Longest reason of a posting, in characters.
pub const REASON_LIMIT: usize = 50;

/// The accounts of the ledger that each billed account has. A debit is positive, a credit negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerAccount {
    /// What is owed on committed invoices.
    Receivable,
    /// Credit that the account may use (Kill Bill's CBA); a debt of ours, so it stands negative.
    Credit,
    /// Payments that belong to no invoice yet; a debt of ours.
    Unallocated,
    /// Income from what was charged.
    Revenue,
    /// Taxes charged, owed to the authorities.
    Tax,
    /// Charges taken back: repairs, item adjustments.
    Adjustment,
    /// Credit given without payment.
    Goodwill,
    /// Receivables given up.
    WriteOff,
    /// Money received.
    Cash,
    /// Money given back.
    Refund,
    /// Money taken back by the payer's bank.
    Chargeback,
    /// What moves between a parent and its children; zero over both.
    Transfer,
}

impl LedgerAccount {
    /// Every account of the ledger.
    pub const ALL: [LedgerAccount; 12] = [
        LedgerAccount::Receivable,
        LedgerAccount::Credit,
        LedgerAccount::Unallocated,
        LedgerAccount::Revenue,
        LedgerAccount::Tax,
        LedgerAccount::Adjustment,
        LedgerAccount::Goodwill,
        LedgerAccount::WriteOff,
        LedgerAccount::Cash,
        LedgerAccount::Refund,
        LedgerAccount::Chargeback,
        LedgerAccount::Transfer,
    ];

    /// The name in the database and in exports.
    pub fn name(self) -> &'static str {
        match self {
            LedgerAccount::Receivable => "RECEIVABLE",
            LedgerAccount::Credit => "CREDIT",
            LedgerAccount::Unallocated => "UNALLOCATED",
            LedgerAccount::Revenue => "REVENUE",
            LedgerAccount::Tax => "TAX",
            LedgerAccount::Adjustment => "ADJUSTMENT",
            LedgerAccount::Goodwill => "GOODWILL",
            LedgerAccount::WriteOff => "WRITE_OFF",
            LedgerAccount::Cash => "CASH",
            LedgerAccount::Refund => "REFUND",
            LedgerAccount::Chargeback => "CHARGEBACK",
            LedgerAccount::Transfer => "TRANSFER",
        }
    }

    /// The account with this name; case matters.
    pub fn known(name: &str) -> Option<LedgerAccount> {
        LedgerAccount::ALL.into_iter().find(|account| account.name() == name)
    }
}

/// One side of a posting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is booked.
    pub account: LedgerAccount,
    /// Minor units; a debit is positive, a credit negative.
    pub amount_minor: i64,
}

impl Entry {
    /// A debit of `amount_minor`.
    pub fn debit(account: LedgerAccount, amount_minor: i64) -> Entry {
        Entry { account, amount_minor }
    }

    /// A credit of `amount_minor`. Refuses the one amount that has no opposite.
    pub fn credit(account: LedgerAccount, amount_minor: i64) -> Result<Entry, Refusal> {
        let amount_minor = amount_minor.checked_neg().ok_or(Refusal::PostingUnbalanced)?;
        Ok(Entry { account, amount_minor })
    }
}

/// What one event books: entries of one currency that sum to zero. It is never changed, only reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    id: Uuid,
    reason: String,
    currency: Currency,
    object_id: Option<Uuid>,
    entries: Vec<Entry>,
    reverses: Option<Uuid>,
}

impl Posting {
    /// A posting for `reason`, a code such as `PAYMENT`, about the object with `object_id`. Refuses entries that do
    /// not sum to zero, none at all, an entry of nothing, and a sum of debits that does not fit.
    pub fn new(
        id: Uuid,
        reason: &str,
        currency: Currency,
        object_id: Option<Uuid>,
        entries: Vec<Entry>,
    ) -> Result<Posting, Refusal> {
        Posting::checked(Posting {
            id,
            reason: reason.to_owned(),
            currency,
            object_id,
            entries,
            reverses: None,
        })
    }

    /// A posting as it was stored, under the same rules.
    pub fn stored(posting: StoredPosting) -> Result<Posting, Refusal> {
        let StoredPosting { id, reason, currency, object_id, entries, reverses } = posting;
        Posting::checked(Posting { id, reason, currency, object_id, entries, reverses })
    }

    fn checked(posting: Posting) -> Result<Posting, Refusal> {
        crate::text::check_text("reason", &posting.reason, REASON_LIMIT, false)?;
        if posting.reason.is_empty() {
            return Err(Refusal::FieldMissing { field: "reason" });
        }
        let entries = &posting.entries;
        let is_sound = !entries.is_empty()
            && entries.len() <= ENTRIES_LIMIT
            && entries.iter().all(|entry| entry.amount_minor != 0);
        let sum = |side: fn(&i128) -> bool| -> i128 {
            entries.iter().map(|entry| i128::from(entry.amount_minor)).filter(side).sum()
        };
        let (debits, credits) = (sum(|amount| *amount > 0), sum(|amount| *amount < 0));
        if is_sound && debits + credits == 0 && i64::try_from(debits).is_ok() {
            Ok(posting)
        } else {
            Err(Refusal::PostingUnbalanced)
        }
    }

    /// The posting that undoes this one: every entry the other way.
    pub fn reversal(&self, id: Uuid) -> Result<Posting, Refusal> {
        let undo = |entry: &Entry| Entry::credit(entry.account, entry.amount_minor);
        let entries = self.entries.iter().map(undo).collect::<Result<_, _>>()?;
        Posting::checked(Posting { id, entries, reverses: Some(self.id), ..self.clone() })
    }

    /// Refuses an account of another currency, or of none yet.
    pub fn check_currency(&self, account_currency: Option<Currency>) -> Result<(), Refusal> {
        if account_currency == Some(self.currency) {
            return Ok(());
        }
        Err(Refusal::CurrencyDiffers {
            found: self.currency.code().to_owned(),
            expected: account_currency.map_or("no currency yet", Currency::code).to_owned(),
        })
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Why it was made, as a code.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The currency of all its entries.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The invoice, payment or other thing that it is about.
    pub fn object_id(&self) -> Option<Uuid> {
        self.object_id
    }

    /// Its entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The posting that it undoes, if any.
    pub fn reverses(&self) -> Option<Uuid> {
        self.reverses
    }
}

/// The parts of a posting as they are stored, to be checked by [`Posting::stored`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct StoredPosting {
    pub id: Uuid,
    pub reason: String,
    pub currency: Currency,
    pub object_id: Option<Uuid>,
    pub entries: Vec<Entry>,
    pub reverses: Option<Uuid>,
}

/// The sum of the entries on each account of the ledger. Entries may come in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    sums: BTreeMap<LedgerAccount, i128>,
}

impl Balances {
    /// The balances after these entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Balances {
        let mut balances = Balances::default();
        entries.into_iter().for_each(|entry| balances.add(entry));
        balances
    }

    /// Adds one entry.
    pub fn add(&mut self, entry: &Entry) {
        // 128 bits hold more entries of 64 bits than any disk.
        *self.sums.entry(entry.account).or_default() += i128::from(entry.amount_minor);
    }

    /// The balance of one account of the ledger, in minor units; debits are positive.
    pub fn on(&self, account: LedgerAccount) -> i128 {
        self.sums.get(&account).copied().unwrap_or(0)
    }

    /// What Kill Bill calls the account's balance and its credit. Refuses totals that do not fit.
    pub fn totals(&self) -> Result<Totals, Refusal> {
        let fit = |sum: i128| i64::try_from(sum).map_err(|_| Refusal::PostingUnbalanced);
        let credit = self.on(LedgerAccount::Credit);
        Ok(Totals {
            balance_minor: fit(self.on(LedgerAccount::Receivable) + credit)?,
            credit_minor: fit(-credit)?,
        })
    }
}

/// The two totals that are kept on the account's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// What the account owes less the credit it has: the sum over `RECEIVABLE` and `CREDIT`. Minor units.
    pub balance_minor: i64,
    /// The credit it may use: the sum over `CREDIT`, the other way. Minor units.
    pub credit_minor: i64,
}

impl Totals {
    /// The totals once `posting` is booked. Refuses totals that do not fit.
    pub fn after(self, posting: &Posting) -> Result<Totals, Refusal> {
        let change = Balances::of(posting.entries()).totals()?;
        let add = |total: i64, change: i64| total.checked_add(change).ok_or(Refusal::PostingUnbalanced);
        Ok(Totals {
            balance_minor: add(self.balance_minor, change.balance_minor)?,
            credit_minor: add(self.credit_minor, change.credit_minor)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LedgerAccount::{Cash, Credit, Goodwill, Receivable, Refund, Revenue};
    use proptest::prelude::*;

    fn usd() -> Currency {
        Currency::known("USD").unwrap()
    }

    fn posting(entries: &[(LedgerAccount, i64)]) -> Result<Posting, Refusal> {
        let entries =
            entries.iter().map(|(account, amount_minor)| Entry::debit(*account, *amount_minor)).collect();
        Posting::new(Uuid::from_u128(1), "TEST", usd(), None, entries)
    }

    #[test]
    fn only_what_balances_is_a_posting() {
        assert!(posting(&[(Receivable, 100), (Revenue, -100)]).is_ok());
        assert!(posting(&[(Receivable, 100), (Revenue, -90), (Credit, -10)]).is_ok());
        for wrong in [
            &[][..],
            &[(Receivable, 100)],
            &[(Receivable, 100), (Revenue, -99)],
            &[(Receivable, 0), (Revenue, 0)],
            &[(Receivable, i64::MAX), (Cash, i64::MAX), (Revenue, i64::MIN), (Credit, i64::MIN + 2)],
        ] {
            assert_eq!(posting(wrong), Err(Refusal::PostingUnbalanced), "{wrong:?}");
        }
    }

    #[test]
    fn an_accountant_reads_a_month() {
        let mut totals = Totals::default();
        let mut book = |entries: &[(LedgerAccount, i64)]| {
            totals = totals.after(&posting(entries).unwrap()).unwrap();
            (totals.balance_minor, totals.credit_minor)
        };
        assert_eq!(book(&[(Receivable, 3000), (Revenue, -3000)]), (3000, 0), "invoice of 30");
        assert_eq!(book(&[(Goodwill, 500), (Credit, -500)]), (2500, 500), "5 for the trouble");
        assert_eq!(book(&[(Credit, 500), (Receivable, -500)]), (2500, 0), "used on the invoice");
        assert_eq!(book(&[(Cash, 2500), (Receivable, -2500)]), (0, 0), "paid");
        assert_eq!(book(&[(Receivable, 1000), (Refund, -1000)]), (1000, 0), "refunded, still owed");
    }

    #[test]
    fn currencies_must_agree() {
        let posting = posting(&[(Receivable, 1), (Revenue, -1)]).unwrap();
        assert_eq!(posting.check_currency(Some(usd())), Ok(()));
        let refused = |expected: &str| {
            Err(Refusal::CurrencyDiffers { found: "USD".into(), expected: expected.to_owned() })
        };
        assert_eq!(posting.check_currency(Currency::known("EUR")), refused("EUR"));
        assert_eq!(posting.check_currency(None), refused("no currency yet"));
    }

    #[test]
    fn names_read_back() {
        for account in LedgerAccount::ALL {
            assert_eq!(LedgerAccount::known(account.name()), Some(account));
        }
        assert_eq!(LedgerAccount::known("receivable"), None);
    }

    fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
        let entry = (prop::sample::select(LedgerAccount::ALL.to_vec()), -1_000_000_000i64..1_000_000_000);
        prop::collection::vec(entry, 1..12).prop_map(|entries| {
            entries.into_iter().map(|(account, amount)| Entry::debit(account, amount)).collect()
        })
    }

    /// Entries that balance: the last one makes up for the others.
    fn any_posting() -> impl Strategy<Value = Posting> {
        any_entries().prop_filter_map("sums to zero by itself", |mut entries| {
            entries.retain(|entry| entry.amount_minor != 0);
            let rest: i64 = entries.iter().map(|entry| entry.amount_minor).sum();
            if rest != 0 {
                entries.push(Entry::debit(Cash, -rest));
            }
            Posting::new(Uuid::from_u128(7), "TEST", usd(), None, entries).ok()
        })
    }

    proptest! {
        #[test]
        fn entries_are_taken_exactly_when_they_balance(entries in any_entries()) {
            let sum: i128 = entries.iter().map(|entry| i128::from(entry.amount_minor)).sum();
            let expected = sum == 0 && entries.iter().all(|entry| entry.amount_minor != 0);
            let posting = Posting::new(Uuid::nil(), "TEST", usd(), None, entries);
            prop_assert_eq!(posting.is_ok(), expected);
        }

        #[test]
        fn all_balances_together_are_zero(postings in prop::collection::vec(any_posting(), 0..8)) {
            let balances = Balances::of(postings.iter().flat_map(Posting::entries));
            let sum: i128 = LedgerAccount::ALL.iter().map(|account| balances.on(*account)).sum();
            prop_assert_eq!(sum, 0);
        }

        #[test]
        fn a_reversal_takes_all_back(posting in any_posting()) {
            let reversal = posting.reversal(Uuid::from_u128(8)).unwrap();
            prop_assert_eq!(reversal.reverses(), Some(posting.id()));
            let balances = Balances::of(posting.entries().iter().chain(reversal.entries()));
            prop_assert!(LedgerAccount::ALL.iter().all(|account| balances.on(*account) == 0));
            let again = reversal.reversal(Uuid::from_u128(9)).unwrap();
            prop_assert_eq!(again.entries(), posting.entries());
            prop_assert_eq!(again.reverses(), Some(reversal.id()));
        }

        #[test]
        fn the_order_does_not_matter(
            (postings, shuffled) in prop::collection::vec(any_posting(), 0..8)
                .prop_flat_map(|postings| (Just(postings.clone()), Just(postings).prop_shuffle()))
        ) {
            let cached = |postings: &[Posting]| {
                postings.iter().try_fold(Totals::default(), |totals, posting| totals.after(posting)).unwrap()
            };
            prop_assert_eq!(cached(&postings), cached(&shuffled));
            let summed = Balances::of(postings.iter().flat_map(Posting::entries)).totals().unwrap();
            prop_assert_eq!(cached(&postings), summed);
        }
    }
}

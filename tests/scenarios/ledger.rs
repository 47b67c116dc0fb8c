//! What is posted to the ledger shows at the desks, and only what fits is posted.

use crate::scenario;
use billing::ledger::LedgerAccount::{Credit, Goodwill, Receivable, Revenue};
use billing::ledger::{Entry, LedgerAccount, Posting};
use billing::{Caller, Currency, Refusal, TenantId};
use operations::{AccountJournal, clock, ledger};
use serde_json::json;
use storage::{Error, Outcome, Store, StoreOptions};
use testkit::World;
use uuid::Uuid;

/// The world's database, reached past the server: nothing over HTTP posts to the ledger yet.
pub(crate) struct Books {
    store: Store,
    tenant_id: TenantId,
}

impl Books {
    pub(crate) fn of(world: &World) -> Books {
        let options = StoreOptions { writers: 1, readers: 1, ..StoreOptions::default() };
        let store = Store::open(world.server().database(), options).unwrap();
        let api_key = world.tenant().api_key.clone();
        let found = store.read_now(move |tx| Ok(storage::tenants::by_api_key(tx, &api_key)?)).unwrap();
        Books { store, tenant_id: found.unwrap().0.tenant_id }
    }

    /// Posts entries of `code` to an account and returns the posting's id.
    pub(crate) fn post(
        &self,
        account: &str,
        code: &str,
        entries: &[(LedgerAccount, i64)],
    ) -> Result<Uuid, Error> {
        let entries = entries.iter().map(|(account, amount)| Entry::debit(*account, *amount)).collect();
        let currency = Currency::known(code).unwrap();
        let posting = Posting::new(Uuid::new_v4(), "TEST", currency, None, entries)?;
        let id = posting.id();
        self.change(account, move |journal| ledger::post(journal, &posting))?;
        Ok(id)
    }

    fn reverse(&self, account: &str, posting_id: Uuid) -> Result<Uuid, Error> {
        self.change(account, move |journal| Ok(ledger::reverse(journal, posting_id)?.id()))
    }

    fn change<T: Send + 'static>(
        &self,
        account: &str,
        change: impl Fn(&mut AccountJournal<'_>) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (tenant_id, account_id) = (self.tenant_id, account.parse::<Uuid>().unwrap());
        self.store.write_now(move |tx| {
            let caller = Caller::system(Uuid::new_v4());
            let mut journal = AccountJournal::open(tx, tenant_id, account_id, &caller, clock::real())?;
            let done = change(&mut journal)?;
            journal.close()?;
            Ok(done)
        })
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Balance and credit of an account at Kill Bill's desk.
fn totals(world: &World, account: &str) -> (f64, f64) {
    let path = format!("/accounts/{account}?accountWithBalanceAndCBA=true");
    let shown = world.killbill().get(path).status(200).json();
    (shown["accountBalance"].as_f64().unwrap(), shown["accountCBA"].as_f64().unwrap())
}

fn open(world: &World, currency: &str) -> String {
    world.killbill().post("/accounts", json!({ "name": "Ann", "currency": currency })).status(201).id()
}

#[test]
fn postings_show_as_balance_and_credit() {
    scenario(|world| {
        let account = open(world, "USD");
        let books = Books::of(world);
        assert_eq!(totals(world, &account), (0.0, 0.0));
        books.post(&account, "USD", &[(Receivable, 3000), (Revenue, -3000)]).unwrap();
        assert_eq!(totals(world, &account), (30.0, 0.0));
        let gift = books.post(&account, "USD", &[(Goodwill, 505), (Credit, -505)]).unwrap();
        assert_eq!(totals(world, &account), (24.95, 5.05));

        let reversal = books.reverse(&account, gift).unwrap();
        assert_eq!(totals(world, &account), (30.0, 0.0));
        books.reverse(&account, reversal).unwrap();
        assert_eq!(totals(world, &account), (24.95, 5.05));

        let again = refusal(books.reverse(&account, gift));
        assert!(again.to_string().contains("must not be undone already"), "{again}");
        let unknown = refusal(books.reverse(&account, Uuid::new_v4()));
        assert!(unknown.to_string().contains("must be a posting of the account"), "{unknown}");
        let other = open(world, "USD");
        refusal(books.reverse(&other, reversal));
        world.billhook(["verify", "--tenant", &world.tenant().api_key]);
    });
}

#[test]
fn minor_units_follow_the_currency() {
    scenario(|world| {
        for (currency, minor, shown) in
            [("JPY", 1234, 1234.0), ("KWD", 1234, 1.234), ("BTC", 1234, 0.000_012_34)]
        {
            let account = open(world, currency);
            let entries = [(Receivable, minor), (Revenue, -minor)];
            Books::of(world).post(&account, currency, &entries).unwrap();
            assert_eq!(totals(world, &account), (shown, 0.0), "{currency}");
        }
    });
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    scenario(|world| {
        let books = Books::of(world);
        let account = open(world, "USD");
        let entries = |amount: i64| [(Receivable, amount), (Revenue, -amount)];
        let differs =
            |expected: &str| Refusal::CurrencyDiffers { found: "EUR".into(), expected: expected.into() };
        assert_eq!(refusal(books.post(&account, "EUR", &entries(1))), differs("USD"));
        let without = world.killbill().post("/accounts", json!({ "name": "No currency" })).status(201).id();
        assert_eq!(refusal(books.post(&without, "EUR", &entries(1))), differs("no currency yet"));

        books.post(&account, "USD", &entries(i64::MAX)).unwrap();
        assert_eq!(refusal(books.post(&account, "USD", &entries(1))), Refusal::PostingUnbalanced);

        let stranger = world.another_tenant();
        let theirs =
            world.killbill_of(&stranger).post("/accounts", json!({ "currency": "USD" })).status(201).id();
        assert_eq!(
            refusal(books.post(&theirs, "USD", &entries(1))),
            Refusal::account_unknown(theirs.parse().unwrap())
        );
        let summary = world.billhook(["verify", "--tenant", &world.tenant().api_key]);
        assert!(summary.contains("2 accounts") && summary.contains("2 ledger entries"), "{summary}");
    });
}

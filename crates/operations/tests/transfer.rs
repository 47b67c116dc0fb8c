//! Whatever happens to a tenant: the book verifies, and export and import give the same book.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use billing::account::{AccountChange, AccountDetails, NewAccount};
use billing::ledger::{Entry, LedgerAccount, Posting};
use billing::tag::TagDefinition;
use billing::{Caller, Currency, ObjectType, Tenant, TenantId};
use operations::owner::Object;
use operations::tenants::NewTenant;
use operations::{AccountJournal, accounts, clock, custom_fields, ledger, tags, tenants, transfer, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use storage::{Connection, Error, Outcome, Store, StoreOptions};
use testkit::PostgresCluster;
use uuid::Uuid;

/// One thing that happens in a tenant.
#[derive(Clone, Debug)]
enum Step {
    Open { currency: Option<&'static str>, text: String, parent: Option<Index> },
    Change { account: Index, text: String },
    Define { name: String },
    Tag { account: Index, definition: Index, is_removed: bool },
    Field { account: Index, name: String, value: String },
    Post { account: Index, amount: i64, from: LedgerAccount, to: LedgerAccount },
    Keep { name: String, value: String },
}

fn any_text() -> impl Strategy<Value = String> {
    "[a-zäß佐\u{1F600}\"'\\\\%<>{} ]{1,12}"
}

fn any_step() -> impl Strategy<Value = Step> {
    let currency = prop::option::of(prop::sample::select(vec!["USD", "JPY", "KWD", "BTC"]));
    let ledger_account = || prop::sample::select(LedgerAccount::ALL.to_vec());
    let index = any::<Index>;
    prop_oneof![
        3 => (currency, any_text(), prop::option::of(index()))
            .prop_map(|(currency, text, parent)| Step::Open { currency, text, parent }),
        2 => (index(), any_text()).prop_map(|(account, text)| Step::Change { account, text }),
        1 => "[a-z]{3,8}".prop_map(|name| Step::Define { name }),
        2 => (index(), index(), any::<bool>())
            .prop_map(|(account, definition, is_removed)| Step::Tag { account, definition, is_removed }),
        2 => (index(), "[a-z]{1,2}", any_text())
            .prop_map(|(account, name, value)| Step::Field { account, name, value }),
        2 => (index(), 1..1_000_000i64, ledger_account(), ledger_account())
            .prop_map(|(account, amount, from, to)| Step::Post { account, amount, from, to }),
        1 => ("[A-Z]{1,4}", any_text()).prop_map(|(name, value)| Step::Keep { name, value }),
    ]
}

/// What has been made so far.
#[derive(Clone, Default)]
struct Made {
    accounts: Vec<Uuid>,
    definitions: Vec<Uuid>,
}

fn pick(index: Index, ids: &[Uuid]) -> Option<Uuid> {
    (!ids.is_empty()).then(|| *index.get(ids))
}

fn take(tx: &mut dyn Connection, tenant_id: TenantId, made: &mut Made, step: &Step) -> Outcome<()> {
    let (caller, now) = (Caller::system(Uuid::new_v4()), clock::real());
    let account = |index: &Index| pick(*index, &made.accounts);
    match step {
        Step::Open { currency, text, parent } => {
            let details = AccountDetails {
                name: Some(text.clone()),
                parent_account_id: parent.and_then(|parent| pick(parent, &made.accounts)),
                ..AccountDetails::default()
            };
            let new = NewAccount { currency: currency.map(str::to_owned), details, ..NewAccount::default() };
            made.accounts.push(accounts::open(tx, tenant_id, &caller, now, &new)?.account.id);
        }
        Step::Change { account: index, text } => {
            let Some(id) = account(index) else { return Ok(()) };
            accounts::change(tx, tenant_id, id, &caller, now, &|account| {
                let details = AccountDetails { company: Some(text.clone()), ..account.details.clone() };
                Ok(AccountChange { details, ..AccountChange::default() })
            })?;
        }
        Step::Define { name } => {
            let definition = TagDefinition {
                id: Uuid::new_v4(),
                name: name.clone(),
                description: "d".into(),
                applicable_object_types: vec![ObjectType::Account],
            };
            tags::define(tx, tenant_id, &caller, now, &definition)?;
            made.definitions.push(definition.id);
        }
        Step::Tag { account: index, definition, is_removed } => {
            let (Some(id), Some(tag)) = (account(index), pick(*definition, &made.definitions)) else {
                return Ok(());
            };
            let change = if *is_removed { tags::remove } else { tags::add };
            change(tx, tenant_id, Object::account(id), &caller, now, &[tag])?;
        }
        Step::Field { account: index, name, value } => {
            let Some(id) = account(index) else { return Ok(()) };
            let fields = [(name.clone(), value.clone())];
            custom_fields::add(tx, tenant_id, Object::account(id), &caller, now, &fields)?;
        }
        Step::Post { account: index, amount, from, to } => {
            let Some(id) = account(index) else { return Ok(()) };
            let mut journal = AccountJournal::open(tx, tenant_id, id, &caller, now)?;
            let currency = journal.account().currency.or(Currency::known("USD")).unwrap();
            let entries = vec![Entry::debit(*from, *amount), Entry::credit(*to, *amount)?];
            let posting = Posting::new(Uuid::new_v4(), "TEST", currency, None, entries)?;
            ledger::post(&mut journal, &posting)?;
            if amount % 3 == 0 {
                ledger::reverse(&mut journal, posting.id())?;
            }
            journal.close()?;
        }
        Step::Keep { name, value } => {
            storage::tenants::add_value(tx, tenant_id, Uuid::new_v4(), name, value, now)?;
        }
    }
    Ok(())
}

/// Makes a tenant and lets the steps happen to it. What is refused leaves nothing.
fn play(store: &Store, steps: &[Step]) -> Tenant {
    let new = NewTenant {
        api_key: Uuid::new_v4().to_string(),
        api_secret_hash: "hash".into(),
        ..NewTenant::default()
    };
    let tenant =
        store.write_now(move |tx| tenants::create(tx, &Caller::system(Uuid::new_v4()), clock::real(), &new));
    let tenant = tenant.unwrap();
    let (tenant_id, steps) = (tenant.tenant_id, steps.to_vec());
    let played = store.write_now(move |tx| {
        let mut made = Made::default();
        for step in &steps {
            let mut after = made.clone();
            match tx.savepoint(&mut |tx| take(tx, tenant_id, &mut after, step)) {
                Ok(()) => made = after,
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
    played.unwrap();
    tenant
}

fn export(store: &Store, tenant_id: TenantId) -> String {
    let exported = store.read_now(move |tx| {
        let mut lines = Vec::new();
        let rows = transfer::export(tx, &Caller::system(Uuid::nil()), tenant_id, &mut lines, &|| {})?;
        assert_eq!(rows, transfer::count(tx, tenant_id)?);
        Ok(lines)
    });
    String::from_utf8(exported.unwrap()).unwrap()
}

fn import(store: &Store, lines: &str) -> Outcome<Tenant> {
    let lines = lines.to_owned();
    store.write_now(move |tx| {
        transfer::import(tx, &Caller::system(Uuid::nil()), &mut lines.as_bytes(), None, &|_| {})
    })
}

fn differences(store: &Store, tenant_id: TenantId) -> Vec<verify::Difference> {
    store.read_now(move |tx| verify::tenant(tx, tenant_id)).unwrap().differences
}

/// A new book of each engine.
fn books() -> [Store; 2] {
    let file = testkit::new_directory("book").join("book.db");
    let options = || StoreOptions { writers: 1, readers: 1, ..StoreOptions::default() };
    [
        Store::open(&format!("sqlite:{}", file.display()), options()).unwrap(),
        Store::open(&PostgresCluster::shared().create_database(), options()).unwrap(),
    ]
}

#[test]
fn a_tenant_survives_the_way_out_and_in_again() {
    let [one, other] = books();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
    let cases = prop::collection::vec(any_step(), 0..40);
    let kept = runner.run(&(cases, any::<bool>()), |(steps, is_swapped)| {
        let (from, to) = if is_swapped { (&other, &one) } else { (&one, &other) };
        let tenant = play(from, &steps);
        prop_assert_eq!(differences(from, tenant.tenant_id), []);
        let exported = export(from, tenant.tenant_id);
        let imported = import(to, &exported).unwrap();
        prop_assert_eq!(imported.id, tenant.id);
        prop_assert_eq!(differences(to, imported.tenant_id), []);
        prop_assert_eq!(export(to, imported.tenant_id), exported);
        Ok(())
    });
    kept.unwrap();
}

#[test]
fn pages_and_groups_of_rows_join_without_a_gap() {
    let [one, other] = books();
    let open = |index: usize| Step::Open { currency: Some("USD"), text: index.to_string(), parent: None };
    // More accounts than one page of reading and one step of verifying.
    let tenant = play(&one, &(0..1_033).map(open).collect::<Vec<_>>());
    let exported = export(&one, tenant.tenant_id);
    assert_eq!(exported.lines().filter(|line| line.starts_with("{\"accounts\"")).count(), 1_033);
    let imported = import(&other, &exported).unwrap();
    assert_eq!(export(&other, imported.tenant_id), exported);
    let tenant_id = imported.tenant_id;
    let findings = other.read_now(move |tx| verify::tenant(tx, tenant_id)).unwrap();
    assert_eq!((findings.accounts, findings.audit_records), (1_033, 1_033));
    assert_eq!(findings.differences, []);
}

#[test]
fn roles_of_many_users_are_whole() {
    let [one, other] = books();
    let tenant = play(&one, &[]);
    let tenant_id = tenant.tenant_id;
    let filled = one.write_now(move |tx| {
        for number in 0..700 {
            let user = storage::users::User {
                id: Uuid::new_v4(),
                tenant_id,
                username: format!("user-{number}"),
                email: None,
                password_hash: None,
                current_organization_id: None,
                is_active: number % 2 == 0,
            };
            storage::users::insert(tx, &user, "test", clock::real())?;
            storage::users::set_roles(tx, user.id, &["b".to_owned(), "a".to_owned()])?;
        }
        Ok(())
    });
    filled.unwrap();
    let exported = export(&one, tenant_id);
    assert_eq!(exported.lines().filter(|line| line.starts_with("{\"user_roles\"")).count(), 1_400);
    let imported = import(&other, &exported).unwrap();
    assert_eq!(export(&other, imported.tenant_id), exported);
}

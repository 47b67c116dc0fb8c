//! `billhook verify` finds whatever was changed behind the product's back.

use crate::ledger::Books;
use crate::scenario_alone;
use crate::togai::togai;
use billing::ledger::LedgerAccount::{Receivable, Revenue};
use serde_json::json;
use testkit::{Engine, World};

/// Changes the database as somebody would who has its password.
pub(crate) fn tamper(world: &World, sql: &str) {
    let database = world.server().database();
    match world.engine() {
        Engine::Sqlite => {
            let connection = rusqlite::Connection::open(database.strip_prefix("sqlite:").unwrap()).unwrap();
            connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
            let changed = connection.execute(sql, []).unwrap();
            assert!(changed > 0, "changes nothing: {sql}");
        }
        Engine::Postgres => {
            let mut client = postgres::Client::connect(database, postgres::NoTls).unwrap();
            let changed = client.execute(sql, &[]).unwrap();
            assert!(changed > 0, "changes nothing: {sql}");
        }
    }
}

/// What `billhook verify` prints when it finds differences.
fn differences(world: &World) -> String {
    let output = world.billhook_output(["verify"]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "nothing was found\n{printed}{complaint}");
    assert!(complaint.contains("not as it must be"), "{complaint}");
    printed
}

/// An account with a history, tags, a custom field and money; its id.
fn make_book(world: &World) -> String {
    let kb = world.killbill();
    let body = json!({ "externalKey": "ann", "name": "Ann Whitaker", "currency": "USD" });
    let id = kb.post("/accounts", body).status(201).id();
    kb.put(format!("/accounts/{id}"), json!({ "name": "Ann W." })).status(204);
    kb.post(format!("/accounts/{id}/tags"), json!(["00000000-0000-0000-0000-000000000002"])).status(201);
    kb.post(format!("/accounts/{id}/customFields"), json!([{ "name": "a", "value": "b" }])).status(201);
    let books = Books::of(world);
    books.post(&id, "USD", &[(Receivable, 1000), (Revenue, -1000)]).unwrap();
    kb.put(format!("/accounts/{id}"), json!({ "company": "Whitaker Inc." })).status(204);
    books.post(&id, "USD", &[(Receivable, 500), (Revenue, -500)]).unwrap();
    let other = kb.post("/accounts", json!({ "externalKey": "bob", "currency": "EUR" })).status(201).id();
    books.post(&other, "EUR", &[(Receivable, 700), (Revenue, -700)]).unwrap();
    id
}

const ANN: &str = "account_id = (SELECT id FROM accounts WHERE external_key = 'ann')";

#[test]
fn a_book_that_nobody_touched_is_as_it_must_be() {
    scenario_alone(|world| {
        make_book(world);
        let stranger = world.another_tenant();
        world.killbill_of(&stranger).post("/accounts", json!({ "currency": "USD" })).status(201);
        let all = world.billhook(["verify"]);
        assert!(all.contains("2 tenants, 3 accounts") && all.contains("6 ledger entries"), "{all}");
        let one = world.billhook(["verify", "--tenant", &stranger.api_key]);
        assert!(one.contains("1 tenants, 1 accounts, 1 audit records and 0 ledger entries"), "{one}");
        let output = world.billhook_output(["verify", "--tenant", "nobody"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("no tenant has API key nobody"));
    });
}

/// What is done to the database, how it is undone, and what the report says.
type Tampering = (String, String, &'static str);

fn swap(table: &str, undo: &str, change: &str, condition: &str, report: &'static str) -> Tampering {
    let set = |value: &str| format!("UPDATE {table} SET {value} WHERE {condition}");
    (set(change), set(undo), report)
}

#[rustfmt::skip] // A table.
fn tamperings_with_audit_records() -> Vec<Tampering> {
    let history = &format!("object_type = 'ACCOUNT' AND change_type = 'INSERT' AND {ANN}");
    let tag = &format!("object_type = 'TAG' AND {ANN}");
    let log = "audit_log";
    vec![
        swap(log, "snapshot = REPLACE(snapshot, 'Eve', 'Ann')", "snapshot = REPLACE(snapshot, 'Ann', 'Eve')", history, "INSERT of ACCOUNT"),
        swap(log, "changed_by = 'testkit'", "changed_by = 'somebody'", tag, "INSERT of TAG"),
        swap(log, "reason = NULL", "reason = ''", tag, "INSERT of TAG"),
        swap(log, "changed_at = changed_at - 1", "changed_at = changed_at + 1", tag, "INSERT of TAG"),
        // As good as deleted, but to be undone.
        swap(log, "tenant_id = tenant_id - 1000", "tenant_id = tenant_id + 1000", tag, "expected position 3"),
    ]
}

#[rustfmt::skip] // A table.
fn tamperings_with_money() -> Vec<Tampering> {
    let last = &format!("chain_position = (SELECT MAX(chain_position) FROM ledger_entries WHERE {ANN}) AND {ANN}");
    let charged = &format!("amount_minor IN (1000, 1001) AND {ANN}");
    let entries = "ledger_entries";
    let ann = "external_key = 'ann'";
    vec![
        swap(entries, "amount_minor = 1000", "amount_minor = 1001", charged, "a sum of 0, found 1"),
        swap(entries, "amount_minor = -amount_minor", "amount_minor = -amount_minor", ANN, "expected balance -1500"),
        swap(entries, "ledger_account = 'RECEIVABLE'", "ledger_account = 'CASH'", charged, "ledger entry"),
        swap(entries, "ledger_account = 'RECEIVABLE'", "ledger_account = 'POCKET'", charged, "an account of the ledger"),
        swap(entries, "currency = 'USD'", "currency = 'EUR'", charged, "expected USD, found EUR"),
        swap(entries, "tenant_id = tenant_id - 1000", "tenant_id = tenant_id + 1000", last, "end of the chain"),
        swap("accounts", "balance_minor = balance_minor - 1", "balance_minor = balance_minor + 1", ann, "expected balance 1500 and credit 0, found balance 1501"),
        swap("accounts", "credit_minor = 0", "credit_minor = 7", ann, "credit 7"),
        swap("accounts", "name = 'Ann W.'", "name = 'Eve'", ann, "expected name \"Ann W.\", found name \"Eve\""),
        swap("accounts", "chain_length = chain_length - 1", "chain_length = chain_length + 1", ann, "end of the chain"),
    ]
}

#[test]
fn every_tampering_with_an_account_is_found() {
    scenario_alone(|world| {
        let id = make_book(world);
        for (change, undo, report) in
            tamperings_with_audit_records().into_iter().chain(tamperings_with_money())
        {
            tamper(world, &change);
            let found = differences(world);
            assert!(found.contains(report), "{change}\n{found}");
            assert!(found.lines().all(|line| line.contains(&id)), "another account: {change}\n{found}");
            tamper(world, &undo);
            world.billhook(["verify"]);
        }
    });
}

#[test]
fn added_deleted_and_reordered_records_are_found() {
    scenario_alone(|world| {
        let id = make_book(world);
        let columns =
            "tenant_id, account_id, object_type, object_id, object_record_id, change_type, changed_at,
            changed_by, reason, comments, user_token, snapshot, chain_position, chain_hash";
        tamper(
            world,
            &format!(
                "INSERT INTO audit_log ({columns}) SELECT {columns} FROM audit_log WHERE object_type = 'TAG'"
            ),
        );
        assert!(differences(world).contains(&id));
        tamper(world, "DELETE FROM audit_log WHERE record_id = (SELECT MAX(record_id) FROM audit_log)");
        world.billhook(["verify"]);

        let swap = "UPDATE audit_log SET chain_position = 7 - chain_position WHERE chain_position IN (3, 4)";
        tamper(world, &format!("{swap} AND {ANN}"));
        assert!(differences(world).contains("expected position 3"));
        tamper(world, &format!("{swap} AND {ANN}"));
        world.billhook(["verify"]);

        tamper(world, &format!("DELETE FROM audit_log WHERE object_type = 'CUSTOM_FIELD' AND {ANN}"));
        let found = differences(world);
        assert!(found.contains(&id) && found.contains("expected position 4"), "{found}");
    });
}

#[test]
fn records_of_a_tenant_who_is_not_there_are_found_beside_the_only_one() {
    scenario_alone(|world| {
        make_book(world);
        let only = world.tenant().api_key.as_str();
        tamper(world, "UPDATE tags SET tenant_id = tenant_id + 1000");
        let found = differences(world);
        assert!(found.contains("tenant unknown") && found.contains("of tags"), "{found}");
        assert!(!world.billhook_output(["verify", "--tenant", only]).stdout.is_empty());
    });
}

#[test]
fn orphans_are_found() {
    scenario_alone(|world| {
        make_book(world);
        // A tag's own id is no account's.
        tamper(world, "UPDATE tags SET account_id = id");
        let found = differences(world);
        assert!(found.contains("account_id in record") && found.contains("of tags"), "{found}");
        tamper(world, "UPDATE tags SET account_id = object_id");
        tamper(world, "UPDATE events SET account_id = user_token WHERE event_type = 'ACCOUNT_CREATION'");
        assert!(differences(world).contains("of events"));
        tamper(world, "UPDATE events SET account_id = object_id WHERE event_type = 'ACCOUNT_CREATION'");
        world.billhook(["verify"]);

        let id = world.killbill().get("/accounts?externalKey=bob").status(200).json();
        tamper(world, "DELETE FROM accounts WHERE external_key = 'bob'");
        let found = differences(world);
        assert!(found.contains(id["accountId"].as_str().unwrap()), "{found}");
        assert!(found.contains("expected an account with this id, found none"), "{found}");
    });
}

/// [`make_book`] with a row of each kind that belongs to an account; the account's id.
fn make_rows(world: &World) -> String {
    let id = make_book(world);
    let kb = world.killbill();
    kb.post(format!("/accounts/{id}/emails"), json!({ "accountId": id, "email": "a@x.org" })).status(201);
    let state = json!({ "stateName": "STOP", "service": "fraud", "isBlockChange": true });
    kb.post(format!("/accounts/{id}/block"), state).status(201);
    let method = json!({ "pluginName": "__EXTERNAL_PAYMENT__" });
    kb.post(format!("/accounts/{id}/paymentMethods"), method).status(201);
    let aliases = json!({ "accountAliases": [{ "value": "nickname" }, { "value": "dropped" }] });
    togai(world).post("/accounts/ann/add_aliases", aliases).status(200);
    id
}

#[rustfmt::skip] // A table.
fn tamperings_with_rows() -> Vec<Tampering> {
    let not = "is_active = NOT is_active";
    let block = "is_block_change = NOT is_block_change";
    let nickname = &format!("value IN ('nickname', 'other') AND {ANN}");
    let mut all = vec![
        swap("custom_fields", "value = 'b'", "value = 'c'", ANN, "expected value \"b\", found value \"c\""),
        swap("custom_fields", not, not, ANN, "found is_active false"),
        swap("custom_fields", "object_type = 'ACCOUNT'", "object_type = 'NONSENSE'", ANN, "object type NONSENSE"),
        swap("tags", not, not, ANN, "the row of TAG"),
        swap("account_emails", "email = 'a@x.org'", "email = 'eve@x.org'", ANN, "found email \"eve@x.org\""),
        swap("account_aliases", "value = 'nickname'", "value = 'other'", nickname, "found value \"other\""),
        swap("blocking_states", block, block, ANN, "the row of BLOCKING_STATES"),
        swap("payment_methods", "plugin_name = '__EXTERNAL_PAYMENT__'", "plugin_name = 'x'", ANN, "found plugin_name \"x\""),
    ];
    for table in ["custom_fields", "tags", "account_emails", "account_aliases", "blocking_states", "payment_methods"] {
        // As good as deleted, but to be undone.
        let (away, back) = ("tenant_id = tenant_id + 1000", "tenant_id = tenant_id - 1000");
        all.push(swap(table, back, away, ANN, "expected the row of"));
    }
    let stray = "INSERT INTO account_aliases (tenant_id, account_id, id, value, created_at, updated_at)
                 SELECT tenant_id, id, id, 'stray', created_at, updated_at FROM accounts WHERE external_key = 'ann'";
    all.push((stray.into(), "DELETE FROM account_aliases WHERE value = 'stray'".into(), "expected an audit record of it"));
    all
}

#[test]
fn every_tampering_with_what_belongs_to_an_account_is_found() {
    scenario_alone(|world| {
        let id = make_rows(world);
        world.billhook(["verify"]);
        for (change, undo, report) in tamperings_with_rows() {
            tamper(world, &change);
            let found = differences(world);
            assert!(found.contains(report) && found.contains(&id), "{change}\n{found}");
            tamper(world, &undo);
            world.billhook(["verify"]);
        }
    });
}

#[test]
fn a_removed_row_that_comes_back_is_found() {
    scenario_alone(|world| {
        let id = make_rows(world);
        let columns = "account_id, id, value, effective_from, effective_until, created_at, updated_at";
        let keep = format!(
            "INSERT INTO account_aliases (tenant_id, {columns})
             SELECT tenant_id + 1000, {columns} FROM account_aliases WHERE value = 'dropped'"
        );
        tamper(world, &keep);
        let removal = json!({ "aliases": ["dropped"] });
        togai(world).post("/accounts/ann/remove_aliases", removal).status(200);
        tamper(world, "UPDATE account_aliases SET tenant_id = tenant_id - 1000 WHERE tenant_id > 1000");
        let found = differences(world);
        assert!(found.contains(&id) && found.contains("no row, since it was removed"), "{found}");
        tamper(world, "DELETE FROM account_aliases WHERE value = 'dropped'");
        world.billhook(["verify"]);
    });
}

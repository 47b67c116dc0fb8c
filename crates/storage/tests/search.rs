//! Finding accounts by parts of their texts, on both engines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use billing::Chain;
use billing::TenantId;
use billing::account::{AccountDetails, NewAccount, open};
use storage::page::Window;
use storage::search::accounts_with;
use storage::{Connection, Engine, Outcome, Param, Store, StoreOptions, accounts};
use testkit::PostgresCluster;
use uuid::Uuid;

const TENANT: TenantId = TenantId(1);

fn databases() -> [String; 2] {
    let file = testkit::new_directory("book").join("book.db");
    [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()]
}

fn add(store: &Store, tenant: TenantId, name: &str) -> Uuid {
    let id = Uuid::new_v4();
    let details = AccountDetails { name: Some(name.to_owned()), ..AccountDetails::default() };
    let new = NewAccount { external_key: Some(format!("key of {id}")), details, ..NewAccount::default() };
    let account = open(id, &new, "test", jiff::Timestamp::UNIX_EPOCH).unwrap();
    let added = store.write_now(move |tx| Ok(accounts::insert(tx, tenant, &account, &Chain::start(id))?));
    added.unwrap().unwrap();
    id
}

fn find(store: &Store, needle: &str) -> Vec<Uuid> {
    let needle = needle.to_owned();
    let window = Window { offset: 0, size: 100, is_descending: false };
    let found = store.read_now(move |tx| Ok(accounts::search(tx, TENANT, &needle, window)?)).unwrap();
    assert_eq!(found.total, Some(i64::try_from(found.items.len()).unwrap()));
    found.items.into_iter().map(|stored| stored.account.id).collect()
}

#[test]
fn parts_of_a_name_find_it_whatever_its_characters() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let plain = add(&store, TENANT, "Wile E. Coyote");
        let odd = add(&store, TENANT, "50%_off \\ \"Söhne & Co\" 東京都港区");
        let shuffled = add(&store, TENANT, "coyote e. wile abcxbcd");
        add(&store, TenantId(2), "Wile E. Coyote of another tenant");
        assert_eq!(find(&store, "WILE E"), [plain], "{url}");
        assert_eq!(find(&store, "coyote"), [plain, shuffled], "{url}");
        for needle in ["0%_o", "%_", "\\ \"s", "söhne", "\" 東", "東京都", "京", "& co"] {
            assert_eq!(find(&store, needle), [odd], "{url}: {needle}");
        }
        for needle in ["50x_off", "0_off", "%off", "abcd", "' OR 1=1", "\"", "nowhere"] {
            let expected: &[Uuid] = if needle == "\"" { &[odd] } else { &[] };
            assert_eq!(find(&store, needle), expected, "{url}: {needle}");
        }
        assert_eq!(find(&store, ""), [plain, odd, shuffled], "{url}");
    }
}

#[test]
fn a_changed_account_is_found_by_its_new_name_alone() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let id = add(&store, TENANT, "Road Runner");
        let changed = store.write_now(move |tx| {
            let mut stored = accounts::by_id(tx, TENANT, id)?.unwrap();
            stored.account.details.name = Some("Beep Beep".to_owned());
            Ok(accounts::update(tx, TENANT, &stored.account)?)
        });
        changed.unwrap();
        assert_eq!(find(&store, "runner"), Vec::<Uuid>::new(), "{url}");
        assert_eq!(find(&store, "p bee"), [id], "{url}");
        let removed =
            store.write_now(move |tx| Ok(tx.execute("DELETE FROM accounts WHERE id = $1", &[id.into()])?));
        assert_eq!(removed.unwrap(), 1);
        assert_eq!(find(&store, "p bee"), Vec::<Uuid>::new(), "{url}");
    }
}

/// Opens so many accounts of another tenant that SQLite indexes those before them.
fn open_many(store: &Store) {
    let added = store.write_now(|tx| {
        for _ in 0..2100 {
            let id = Uuid::new_v4();
            let account = open(id, &NewAccount::default(), "test", jiff::Timestamp::UNIX_EPOCH)?;
            accounts::insert(tx, TenantId(3), &account, &Chain::start(id))?;
        }
        Ok(())
    });
    added.unwrap();
}

fn rename(store: &Store, id: Uuid, name: &'static str) {
    let changed = store.write_now(move |tx| {
        let mut stored = accounts::by_id(tx, TENANT, id)?.unwrap();
        stored.account.details.name = Some(name.to_owned());
        Ok(accounts::update(tx, TENANT, &stored.account)?)
    });
    changed.unwrap();
}

#[test]
fn accounts_are_found_before_and_after_they_are_indexed() {
    for url in databases() {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let old = add(&store, TENANT, "Road Runner");
        assert_eq!(find(&store, "runner"), [old], "{url}");
        open_many(&store);
        let new = add(&store, TENANT, "Front Runner");
        assert_eq!(find(&store, "runner"), [old, new], "{url}");
        rename(&store, old, "Beep Beep");
        rename(&store, new, "Beep");
        assert_eq!(find(&store, "runner"), Vec::<Uuid>::new(), "{url}");
        assert_eq!(find(&store, "beep"), [old, new], "{url}");
        if store.engine() == Engine::Sqlite {
            let until = store.read_now(|tx| {
                Ok(tx.query_one("SELECT indexed_until FROM account_search_state", &[])?.next::<i64>()?)
            });
            assert!(until.unwrap() >= 2048);
        }
        open_many(&store);
        assert_eq!(find(&store, "beep"), [old, new], "{url}");
        assert_eq!(find(&store, "runner"), Vec::<Uuid>::new(), "{url}");
    }
}

fn plan(tx: &mut dyn Connection, needle: &str) -> Outcome<String> {
    let haystack = accounts_with(tx, needle)?;
    let explain = match tx.engine() {
        Engine::Sqlite => "EXPLAIN QUERY PLAN",
        Engine::Postgres => "EXPLAIN",
    };
    if tx.engine() == Engine::Postgres {
        // A small table is read faster without any index.
        tx.execute("SET LOCAL enable_seqscan = off", &[])?;
    }
    // Of a small table PostgreSQL reads the whole tenant; the sum keeps it from that.
    let from = haystack.from.replace("accounts.tenant_id = ", "accounts.tenant_id + 0 = ");
    let sql = format!("{explain} SELECT record_id FROM {from}");
    let mut params = vec![Param::Integer(TENANT.0)];
    params.extend(haystack.texts.iter().map(|text| Param::Text(text)));
    let mut text = String::new();
    for mut row in tx.query(&sql, &params)? {
        if tx.engine() == Engine::Sqlite {
            for _ in 0..3 {
                row.next::<i64>()?;
            }
        }
        text.push_str(&row.next::<String>()?);
        text.push('\n');
    }
    Ok(text)
}

#[test]
fn a_search_looks_up_the_rare_parts_of_its_needle() {
    let store = Store::open(&databases()[0], StoreOptions::default()).unwrap();
    let wanted = add(&store, TENANT, "account 77 of many@example.com");
    store
        .write_now(|tx| {
            for number in 0..4200 {
                let id = Uuid::new_v4();
                let name = format!("account of many@example.com {number}");
                let details = AccountDetails { name: Some(name), ..AccountDetails::default() };
                let new = NewAccount { details, ..NewAccount::default() };
                let account = open(id, &new, "test", jiff::Timestamp::UNIX_EPOCH)?;
                accounts::insert(tx, TENANT, &account, &Chain::start(id))?;
            }
            Ok(())
        })
        .unwrap();
    // The writer indexes what waits before it takes the next request.
    add(&store, TENANT, "somebody else");
    assert_eq!(find(&store, "account 77 of many@example.com"), [wanted]);
    let query = store.read_now(|tx| Ok(accounts_with(tx, "account 77 of many@example.com")?)).unwrap();
    assert!(query.texts[1].contains("\"77 \"") && !query.texts[1].contains("\"exa\""), "{query:?}");
}

#[test]
fn three_characters_use_the_index() {
    for (url, index) in databases().iter().zip(["VIRTUAL TABLE INDEX", "accounts_by_search_text"]) {
        let store = Store::open(url, StoreOptions::default()).unwrap();
        let long = store.read_now(|tx| plan(tx, "abc")).unwrap();
        assert!(long.contains(index), "{long}");
    }
}

#[test]
fn without_the_extension_search_reads_more_and_works() {
    let url = PostgresCluster::shared().create_database();
    let owner = Store::open(&url, StoreOptions::default()).unwrap();
    let made = owner.write_now(|tx| {
        for statement in [
            "DROP EXTENSION pg_trgm CASCADE",
            "CREATE ROLE without_extension LOGIN",
            "GRANT ALL ON SCHEMA public TO without_extension",
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO without_extension",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO without_extension",
        ] {
            tx.execute(statement, &[])?;
        }
        Ok(())
    });
    made.unwrap();
    let store =
        Store::open(&url.replace("//billhook@", "//without_extension@"), StoreOptions::default()).unwrap();
    let user =
        store.read_now(|tx| Ok(tx.query_one("SELECT CAST(current_user AS TEXT)", &[])?.next::<String>()?));
    assert_eq!(user.unwrap(), "without_extension");
    let id = add(&store, TENANT, "Wile E. Coyote");
    assert_eq!(find(&store, "coyo"), [id]);
    // Who may create it gets the index with the next start.
    drop(Store::open(&url, StoreOptions::default()).unwrap());
    let plan = store.read_now(|tx| plan(tx, "coyo")).unwrap();
    assert!(plan.contains("accounts_by_search_text"), "{plan}");
}

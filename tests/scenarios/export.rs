//! A tenant moves from book to book, whole or not at all.

use crate::ledger::Books;
use crate::mikrocloud::{organization, token};
use crate::togai::togai;
use crate::{BILLHOOK, scenario};
use billing::Caller;
use billing::ledger::LedgerAccount::{Credit, Goodwill, Receivable, Revenue};
use operations::activities::{self, Subject};
use operations::agreements::{self, AgreementChange};
use operations::registration::{self, Registration};
use operations::role_kinds::Scene;
use operations::{api_keys, clock, profiles, proofs, sites, users};
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use storage::profiles::Picture;
use storage::transfer::TABLES;
use storage::{Store, StoreOptions};
use testkit::{Engine, World};
use uuid::Uuid;

/// Runs the command line on any database.
pub(crate) fn billhook(database: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(BILLHOOK)
        .args(arguments)
        .args(["--database", database])
        .current_dir(testkit::new_directory("run"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses early does not read to the end.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

#[track_caller]
fn succeeds(database: &str, arguments: &[&str], input: &str) -> String {
    let output = billhook(database, arguments, input);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A tenant with something in many tables; its export.
fn make_book(world: &World) -> String {
    let kb = world.killbill();
    let body = json!({ "externalKey": "ann", "name": "Ann \"Ä\" <b>O'Neil</b>\u{1F600}", "currency": "USD",
        "notes": "two\nlines", "timeZone": "Asia/Tokyo", "billCycleDayLocal": 31 });
    let id = kb.post("/accounts", body).status(201).id();
    let child = json!({ "externalKey": "child", "parentAccountId": id, "isPaymentDelegatedToParent": true });
    let child = kb.post("/accounts", child).status(201).id();
    kb.put(format!("/accounts/{id}"), json!({ "company": "佐藤" })).status(204);
    let definition = json!({ "name": "vip", "description": "d", "applicableObjectTypes": ["ACCOUNT"] });
    let vip = kb.post("/tagDefinitions", definition).status(201).id();
    kb.post(format!("/accounts/{child}/tags"), json!([vip])).status(201);
    kb.post(format!("/accounts/{id}/tags"), json!([vip])).status(201);
    kb.delete(format!("/accounts/{id}/tags?tagDef={vip}")).status(204);
    kb.post(format!("/accounts/{id}/customFields"), json!([{ "name": "a", "value": "'; DROP" }])).status(201);
    let books = Books::of(world);
    books.post(&id, "USD", &[(Receivable, 1000), (Revenue, -1000)]).unwrap();
    books.post(&id, "USD", &[(Goodwill, 55), (Credit, -55)]).unwrap();
    fill_more(world, &child);
    fill_site(world);
    // The mail that this wrote goes out before the book is looked at.
    kb.get("/test/queues?timeoutSec=30").status(200);
    export(world)
}

/// What the other desks keep of a tenant, and what hangs on an account.
fn fill_more(world: &World, id: &str) {
    let (kb, client) = (world.killbill(), togai(world));
    let acme = json!({ "id": "acme", "name": "Acme", "primaryEmail": "a@acme.example", "address": {},
        "account": { "id": "acme-1", "name": "Main", "aliases": ["nick"] } });
    client.post("/customers", acme).status(201);
    let dated = json!({ "value": "later", "effectiveFrom": "2991-01-01T00:00:00.123456789Z" });
    let added = client.post("/accounts/child/add_aliases", json!({ "accountAliases": [dated] }));
    added.status(200);
    let aliases = client.get("/accounts/acme-1/account_aliases").status(200).json();
    let ended = json!({ "accountAliases": [{ "id": aliases["data"][0]["id"] }] });
    client.post("/accounts/acme-1/remove_aliases", ended).status(200);
    let contact = json!({ "name": "Eve", "email": "eve@acme.example", "preferredUsername": "eve" });
    client.post("/customers/acme/contacts", contact).status(201);
    client.delete("/accounts/acme-1").status(200);

    let email = json!({ "accountId": id, "email": "bills@x.org" });
    kb.post(format!("/accounts/{id}/emails"), email).status(201);
    kb.delete(format!("/accounts/{id}/emails/bills@x.org")).status(204);
    let state = json!({ "stateName": "STOP", "service": "fraud", "isBlockChange": true });
    kb.post(format!("/accounts/{id}/block?requestedDate=2991-01-01"), state).status(201);
    let method = json!({ "pluginName": "__EXTERNAL_PAYMENT__" });
    kb.post(format!("/accounts/{id}/paymentMethods?isDefault=true"), method).status(201);
    let top = organization(world, &["--account", id, "--owner", "boss@x.org"]);
    let beneath = organization(world, &["--parent", &top]);
    token(world, &beneath, &[]);
}

/// What the people of a site keep. It is done in the book itself: the tenant has no domain by which its site is called.
fn fill_site(world: &World) {
    let store = Store::open(world.server().database(), StoreOptions::default()).unwrap();
    let api_key = world.tenant().api_key.clone();
    let filled = store.write_now(move |tx| {
        let (tenant, _) = storage::tenants::by_api_key(tx, &api_key)?.expect("the world has a tenant");
        let (caller, now) = (Caller::system(Uuid::new_v4()), clock::real());
        sites::ensure(tx, &tenant, now)?;
        let scene = Scene { tenant: &tenant, caller: &caller, now };
        let asked = Registration {
            username: Some("xia".to_owned()),
            email: Some("xia@x.org".to_owned()),
            password_hash: Some("hash".to_owned()),
            ..Registration::default()
        };
        let user = registration::register(tx, scene, &asked, false, None)??;
        api_keys::make(tx, scene, &user, Some("shop"))?;
        proofs::set_email_demand(tx, scene, &user, true)?;
        users::set_notifications(tx, &caller, now, &user, &[])?;
        let new = AgreementChange { title: Some("Terms".to_owned()), ..AgreementChange::default() };
        let agreement = agreements::create(tx, scene, &new)?;
        agreements::sign(tx, scene, &user, &agreement.slug, true)?;
        let subject = Subject { organization_id: None, contact_id: Some(user.id) };
        activities::note(tx, scene, Some(&user), subject, "called\ntwice")?;
        let content = vec![0, 255, 128];
        let name = profiles::picture_name(&content, "png");
        let picture = Picture { name, content_type: "image/png".into(), content };
        Ok(storage::profiles::set_picture(tx, tenant.tenant_id, user.id, &picture, now)?)
    });
    store.close();
    filled.unwrap();
}

fn export(world: &World) -> String {
    let api_key = &world.tenant().api_key;
    world.billhook(["export", "--tenant", api_key]) + "\n"
}

#[test]
fn a_tenant_is_the_same_on_either_engine() {
    scenario(|world| {
        let exported = make_book(world);
        let api_key = world.tenant().api_key.as_str();
        for engine in Engine::ALL {
            let database = engine.create_database();
            // Another tenant first, so that record ids and numbers differ.
            succeeds(&database, &["tenant", "create", "--api-key", "other", "--api-secret", "s"], "");
            let id = succeeds(&database, &["import"], &exported);
            assert_eq!(id.trim(), world.tenant().id);
            let verified = succeeds(&database, &["verify", "--tenant", api_key], "");
            assert!(verified.contains("3 accounts") && verified.contains("4 ledger entries"), "{verified}");
            for table in TABLES.iter().filter(|table| table.name != "user_roles") {
                let start = format!("{{\"{}\":{{", table.name);
                assert!(exported.lines().any(|line| line.starts_with(&start)), "nothing in {}", table.name);
            }
            let again = succeeds(&database, &["export", "--tenant", api_key], "");
            assert!(again == exported, "the export differs on {engine}:\n{exported}\n{again}");
            assert_eq!(wrong_record_ids(&database), 0);
        }
    });
}

/// Audit records of accounts and tags that do not name the record id of their object, and others that name none. Tokens,
/// which are recorded as credentials of users, are no rows of that table.
fn wrong_record_ids(database: &str) -> i64 {
    let store = Store::open(database, StoreOptions::default()).unwrap();
    let counted = store.read_now(|tx| {
        let mut row = tx.query_one(
            "SELECT COUNT(*) FROM audit_log l
             LEFT JOIN accounts a ON a.tenant_id = l.tenant_id AND a.id = l.object_id
             LEFT JOIN tags t ON t.tenant_id = l.tenant_id AND t.id = l.object_id
             WHERE (l.object_type = 'ACCOUNT' AND a.record_id <> l.object_record_id)
                OR (l.object_type = 'TAG' AND t.record_id <> l.object_record_id)
                OR (l.object_record_id = 0 AND l.object_type <> 'USER')",
            &[],
        )?;
        Ok(row.next()?)
    });
    counted.unwrap()
}

#[test]
fn secrets_of_the_server_stay() {
    scenario(|world| {
        let exported = make_book(world);
        assert!(exported.contains("\"api_secret_hash\":\"$argon2"));
        assert!(!exported.contains(&world.tenant().api_secret));
        let stranger = world.another_tenant();
        assert!(!exported.contains(&stranger.api_key) && !exported.contains(&stranger.id));
        for table in ["server_secrets", "sessions", "role_permissions", "idempotency_keys"] {
            assert!(!exported.contains(&format!("{{\"{table}\"")), "{table}");
        }
        assert!(exported.starts_with("{\"billhook_export\":{\"version\":1}}\n{\"tenants\":{"));
        let rows = exported.lines().count() - 2;
        assert!(exported.ends_with(&format!("{{\"end\":{{\"rows\":{rows}}}}}\n")));
    });
}

#[test]
fn a_file_is_for_its_owner_alone_and_imports_under_another_key() {
    scenario(|world| {
        let exported = make_book(world);
        let file = testkit::new_directory("export").join("tenant.jsonl");
        let path = file.to_str().unwrap();
        world.billhook(["export", "--tenant", &world.tenant().api_key, "--output", path]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), exported);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);

        let database = Engine::Sqlite.create_database();
        succeeds(&database, &["import", "--input", path, "--api-key", "new"], "");
        let again = succeeds(&database, &["export", "--tenant", "new"], "");
        let own = format!("\"api_key\":\"{}\"", world.tenant().api_key);
        assert_eq!(again, exported.replacen(&own, "\"api_key\":\"new\"", 1));
        let output = billhook(&database, &["export", "--tenant", "nobody"], "");
        assert!(!output.status.success() && output.stdout.is_empty());
    });
}

/// The export with one line changed.
fn with_line(exported: &str, number: usize, change: impl Fn(&str) -> String) -> String {
    let lines = exported.lines().enumerate();
    lines.map(|(index, line)| if index + 1 == number { change(line) } else { line.into() } + "\n").collect()
}

fn broken_exports(exported: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = exported.lines().collect();
    let find = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap() + 1;
    let (account, audit, entry) =
        (find("{\"accounts\""), find("{\"audit_log\":{\"account_id\""), find("{\"ledger_entries\""));
    let field = find("{\"custom_fields\"");
    let at = |number: usize, why: &str| format!("line {number}: {why}");
    let change = |number: usize, from: &'static str, to: &'static str| {
        with_line(exported, number, |line| {
            assert!(line.contains(from), "{line}");
            line.replacen(from, to, 1)
        })
    };
    vec![
        (String::new(), at(1, "the export ends")),
        ("{\"accounts\":{}}\n".into(), at(1, "this is no export")),
        (change(1, "1", "2"), at(1, "the version must be 1, not 2")),
        (with_line(exported, 2, |_| lines[account - 1].into()), at(2, "the tenant must stand here")),
        (
            change(account, "\"external_key\"", "\"externalkey\""),
            at(account, "accounts has no column externalkey"),
        ),
        (change(account, "\"external_key\":\"ann\",", ""), at(account, "external_key is missing")),
        (change(account, "\"chain_length\":", "\"chain_length\":1.5,\"chain_length\":\"\""), at(account, "")),
        (
            change(account, "{\"accounts\":{\"id\":\"", "{\"accounts\":{\"id\":\"x"),
            at(account, "id is not of its kind"),
        ),
        (change(account, "\"ann\"", "\"a\\u0000n\""), at(account, "external_key is not of its kind")),
        (change(account, "{\"accounts\"", "{\"acounts\""), at(account, "there is no table acounts")),
        (with_line(exported, account, |line| line[..line.len() - 1].into()), at(account, "")),
        (change(account + 1, "\"child\"", "\"ann\""), "has a key of accounts that is taken".into()),
        (change(audit, "O'Neil", "O'Neal"), "is not sound: account".into()),
        (change(entry, "\"amount_minor\":1000", "\"amount_minor\":1001"), "is not sound: account".into()),
        (change(field, "'; DROP", "'; DRAP"), "found value \"'; DRAP\"".into()),
        (change(account, "\"balance_minor\":", "\"balance_minor\":1"), "is not sound: account".into()),
        (
            with_line(exported, entry, |_| String::new()).replacen("\n\n", "\n", 1),
            "not as many as it says".into(),
        ),
        (lines[..lines.len() - 1].join("\n") + "\n", at(lines.len(), "the export ends before its last line")),
        (exported.to_owned() + "{}\n", at(lines.len() + 1, "nothing may follow")),
    ]
}

#[test]
fn what_is_broken_leaves_nothing() {
    scenario(|world| {
        let exported = make_book(world);
        let database = world.engine().create_database();
        for (broken, why) in broken_exports(&exported) {
            let output = billhook(&database, &["import"], &broken);
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{why}: {complaint}");
            assert!(complaint.contains(&why) && !complaint.contains("database failed"), "{why}: {complaint}");
            assert_eq!(succeeds(&database, &["tenant", "list"], "").lines().count(), 1, "{why}");
        }
        // Whole, it goes in: nothing of the others was in its way.
        succeeds(&database, &["import"], &exported);
        for arguments in [&["import"][..], &["import", "--api-key", "new"]] {
            let output = billhook(&database, arguments, &exported);
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(complaint.contains("already"), "{complaint}");
            assert_eq!(output.status.code(), Some(1));
        }
        assert_eq!(succeeds(&database, &["tenant", "list"], "").lines().count(), 2);
    });
}

#[test]
fn a_moved_clock_stays_behind_unless_told() {
    scenario(|world| {
        world.killbill().send("PUT", "/test/clock?days=2", None::<&str>).status(200);
        let exported = export(world);
        for (options, is_moved) in [(&["import"][..], false), (&["import", "--keep-clock"], true)] {
            let database = Engine::Sqlite.create_database();
            succeeds(&database, options, &exported);
            let store = Store::open(&database, StoreOptions::default()).unwrap();
            let tenants = store.read_now(|tx| Ok(storage::tenants::all(tx)?)).unwrap();
            assert_eq!(!tenants[0].clock_offset.is_zero(), is_moved, "{options:?}");
        }
    });
}

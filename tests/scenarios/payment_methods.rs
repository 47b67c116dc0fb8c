//! Payment methods of accounts.

use crate::scenario;
use serde_json::{Value, json};
use testkit::{Http, World};

const EXTERNAL: &str = "__EXTERNAL_PAYMENT__";
const NOBODY: &str = "9254283b-be25-45f1-97c3-b902f4d18bab";

fn account(kb: &Http, key: &str) -> String {
    kb.post("/accounts", json!({ "externalKey": key, "currency": "USD" })).status(201).id()
}

fn add(kb: &Http, account: &str, key: &str, query: &str) -> String {
    let body = json!({ "pluginName": EXTERNAL, "externalKey": key });
    kb.post(format!("/accounts/{account}/paymentMethods{query}"), body).status(201).id()
}

fn default_of(kb: &Http, account: &str) -> Value {
    kb.get(format!("/accounts/{account}")).status(200).json()["paymentMethodId"].clone()
}

fn kinds(logs: &Value) -> Vec<(String, String)> {
    let text = |log: &Value, name: &str| log[name].as_str().unwrap_or_default().to_owned();
    let logs = logs.as_array().cloned().unwrap_or_default();
    logs.iter().map(|log| (text(log, "objectType"), text(log, "changeType"))).collect()
}

#[test]
fn a_payment_method_is_added_read_and_listed() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let account = account(&kb, "a");
        let made = kb.post(
            format!("/accounts/{account}/paymentMethods?pluginProperty=a=b"),
            json!({ "pluginName": EXTERNAL, "externalKey": "k", "accountId": NOBODY, "isDefault": true }),
        );
        let id = made.status(201).id();
        let plain = json!({ "paymentMethodId": id, "externalKey": "k", "accountId": account, "isDefault": false,
            "pluginName": EXTERNAL, "pluginInfo": null, "auditLogs": [] });
        assert_eq!(kb.get(format!("/paymentMethods/{id}")).status(200).json(), plain);
        assert_eq!(kb.get("/paymentMethods?externalKey=k").status(200).json(), plain);
        let list = format!("/accounts/{account}/paymentMethods");
        assert_eq!(kb.get(&list).status(200).json(), json!([plain]));
        let info = json!({ "externalPaymentMethodId": "unknown", "isDefaultPaymentMethod": false, "properties": [] });
        let full = kb.get(format!("{list}?withPluginInfo=true&audit=FULL")).status(200).json();
        assert_eq!(full[0]["pluginInfo"], info);
        assert_eq!(kinds(&full[0]["auditLogs"]), [("PAYMENT_METHOD".to_owned(), "INSERT".to_owned())]);
        let elsewhere = world.killbill_of(&world.another_tenant());
        elsewhere.get(format!("/paymentMethods/{id}")).status(404);
        elsewhere.get("/paymentMethods?externalKey=k").status(404);
        elsewhere.get(&list).status(404);
        elsewhere.delete(format!("/paymentMethods/{id}?forceDefaultPmDeletion=true")).status(404);
        elsewhere.put(format!("{list}/{id}/setDefault"), json!({})).status(404);
        assert_eq!(elsewhere.get("/paymentMethods/pagination").status(200).json(), json!([]));
    });
}

#[test]
fn what_the_plugin_shall_know_comes_back() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let account = account(&kb, "a");
        let info = json!({ "externalPaymentMethodId": "iban <b>'; --", "isDefaultPaymentMethod": true,
            "properties": [{ "key": "bank", "value": "Sparkasse Köln", "isUpdatable": true }] });
        let body = json!({ "pluginName": EXTERNAL, "pluginInfo": info });
        let id = kb.post(format!("/accounts/{account}/paymentMethods"), body).status(201).id();
        let read = kb.get(format!("/paymentMethods/{id}?withPluginInfo=true")).status(200).json();
        assert_eq!((&read["pluginInfo"], &read["externalKey"]), (&info, &json!("iban <b>'; --")));
    });
}

#[test]
fn keys_default_and_stay_taken() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let (one, two, three) = (account(&kb, "1"), account(&kb, "2"), account(&kb, "3"));
        let unnamed = json!({ "pluginName": EXTERNAL });
        let first = kb.post(format!("/accounts/{one}/paymentMethods"), unnamed.clone()).status(201).id();
        let second = kb.post(format!("/accounts/{two}/paymentMethods"), unnamed).status(201).id();
        let key =
            |id: &str| kb.get(format!("/paymentMethods/{id}")).status(200).json()["externalKey"].clone();
        assert_eq!((key(&first), key(&second)), (json!("unknown"), json!(second)));
        kb.delete(format!("/paymentMethods/{first}")).status(204);
        let taken = json!({ "pluginName": EXTERNAL, "externalKey": "unknown" });
        let refused = kb.post(format!("/accounts/{three}/paymentMethods"), taken).status(400).json();
        assert_eq!(refused["code"], 7019, "{refused}");
        let path = format!("/accounts/{three}/paymentMethods");
        let long = |length: usize| json!({ "pluginName": EXTERNAL, "externalKey": "é".repeat(length) });
        assert_eq!(kb.post(&path, long(256)).status(400).json()["code"], 5);
        kb.post(&path, json!({ "pluginName": EXTERNAL, "externalKey": "a\u{0}b" })).status(400);
        kb.post(&path, long(255)).status(201);
    });
}

#[test]
fn bad_requests_are_refused_with_kill_bills_codes() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let account = account(&kb, "a");
        let path = format!("/accounts/{account}/paymentMethods");
        let code = |body: Value, status: u16| kb.post(&path, body).status(status).json()["code"].clone();
        assert_eq!(code(json!({ "pluginName": "stripe" }), 400), 7028);
        assert_eq!(code(json!({}), 400), Value::Null);
        assert_eq!(code(json!({ "pluginName": EXTERNAL, "color": "red" }), 400), Value::Null);
        kb.post(format!("/accounts/{NOBODY}/paymentMethods"), json!({ "pluginName": EXTERNAL })).status(404);
        kb.post("/accounts/nonsense/paymentMethods", json!({ "pluginName": EXTERNAL })).status(404);
        kb.without("X-Killbill-CreatedBy").post(&path, json!({ "pluginName": EXTERNAL })).status(400);
        add(&kb, &account, "k", "");
        let second = kb.post(&path, json!({ "pluginName": EXTERNAL })).status(400).json();
        assert_eq!(second["code"], 7023);
        assert_eq!(
            second["message"],
            format!("External payment method already exists for account {account}")
        );
        let code_of = |path: &str| kb.get(path).status(404).json()["code"].clone();
        assert_eq!(code_of("/paymentMethods?externalKey=none"), 7000);
        assert_eq!(code_of("/paymentMethods"), 7000);
        assert_eq!(code_of(&format!("/paymentMethods/{NOBODY}")), Value::Null);
        kb.get("/paymentMethods/nonsense").status(404);
        kb.get(format!("/accounts/{NOBODY}/paymentMethods")).status(404);
        kb.delete(format!("/paymentMethods/{NOBODY}")).status(404);
    });
}

#[test]
fn an_account_has_one_default() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let (one, two) = (account(&kb, "1"), account(&kb, "2"));
        let first = add(&kb, &one, "k1", "?isDefault=true&payAllUnpaidInvoices=true");
        assert_eq!(default_of(&kb, &one), json!(first));
        let logs = kb.get(format!("/accounts/{one}?audit=FULL")).status(200).json()["auditLogs"].clone();
        assert_eq!(kinds(&logs).len(), 2, "opened, then given a default: {logs}");
        let other = add(&kb, &two, "k2", "");
        assert_eq!(default_of(&kb, &two), Value::Null);
        let choose = |account: &str, id: &str| {
            kb.put(format!("/accounts/{account}/paymentMethods/{id}/setDefault"), json!({}))
        };
        choose(&two, &other).status(204);
        choose(&two, &other).status(204);
        let logs = kb.get(format!("/accounts/{two}?audit=FULL")).status(200).json()["auditLogs"].clone();
        assert_eq!(kinds(&logs).len(), 2, "choosing it again changes nothing: {logs}");
        assert_eq!(kb.get(format!("/paymentMethods/{other}")).status(200).json()["isDefault"], true);
        let refused = choose(&two, &first).status(400).json();
        assert_eq!(refused["code"], 7019);
        assert_eq!(refused["causeMessage"], format!("Payment method {first} has a different account id"));
        let refused = choose(&two, NOBODY).status(404).json();
        assert_eq!(
            refused["message"],
            format!("Internal payment error : Payment method {NOBODY} does not exist")
        );
        choose(NOBODY, &other).status(404);
    });
}

#[test]
fn only_an_accounts_own_method_becomes_its_default() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let (one, two) = (account(&kb, "1"), account(&kb, "2"));
        let (own, other) = (add(&kb, &one, "k1", ""), add(&kb, &two, "k2", ""));
        let stranger = world.killbill_of(&world.another_tenant());
        let strange = add(&stranger, &account(&stranger, "1"), "k1", "");
        let wish = |id: &str| kb.put(format!("/accounts/{one}"), json!({ "paymentMethodId": id }));
        for unknown in [NOBODY, &strange] {
            let refused = wish(unknown).status(404).json();
            assert_eq!(refused["message"], format!("Payment method {unknown} does not exist"));
            kb.post("/accounts", json!({ "paymentMethodId": unknown })).status(404);
        }
        assert_eq!(wish(&other).status(400).json()["code"], 7019);
        assert_eq!(
            kb.post("/accounts", json!({ "paymentMethodId": other })).status(400).json()["code"],
            7019
        );
        assert_eq!(default_of(&kb, &one), Value::Null);
        wish(&own).status(204);
        assert_eq!(default_of(&kb, &one), json!(own));
        wish(&own).status(204);
        kb.put(
            format!("/accounts/{one}?treatNullAsReset=true"),
            json!({ "externalKey": "1", "currency": "USD" }),
        )
        .status(204);
        assert_eq!(default_of(&kb, &one), Value::Null);
        kb.delete(format!("/paymentMethods/{own}")).status(204);
        wish(&own).status(404);
        let all = world.billhook(["verify", "--tenant", &world.tenant().api_key]);
        assert!(all.contains("2 accounts"), "{all}");
    });
}

#[test]
fn a_default_is_deleted_only_when_told_so() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let account = account(&kb, "a");
        let id = add(&kb, &account, "k", "?isDefault=true");
        let refused = kb.delete(format!("/paymentMethods/{id}")).status(400).json();
        assert_eq!(refused["code"], 7019);
        assert_eq!(
            refused["causeMessage"],
            format!("Cannot delete default payment method for account {account}")
        );
        kb.delete(format!("/paymentMethods/{id}?deleteDefaultPmWithAutoPayOff=true")).status(204);
        assert_eq!(default_of(&kb, &account), Value::Null);
        let tags = kb.get(format!("/accounts/{account}/tags")).status(200).json();
        assert_eq!(tags[0]["tagDefinitionName"], "AUTO_PAY_OFF", "{tags}");
        assert_eq!(kb.get(format!("/paymentMethods/{id}")).status(404).json()["code"], 7000);
        let deleted =
            kb.get(format!("/paymentMethods/{id}?includedDeleted=true&audit=FULL")).status(200).json();
        assert_eq!(kinds(&deleted["auditLogs"])[1].1, "DELETE");
        let list = format!("/accounts/{account}/paymentMethods");
        assert_eq!(kb.get(&list).status(200).json(), json!([]));
        let all = kb.get(format!("{list}?includedDeleted=true")).status(200).json();
        assert_eq!(all.as_array().map(Vec::len), Some(1));
        kb.get("/paymentMethods?externalKey=k").status(404);
        kb.get("/paymentMethods?externalKey=k&includedDeleted=true").status(200);
        kb.delete(format!("/paymentMethods/{id}")).status(404);
        let next = add(&kb, &account, "l", "?isDefault=true");
        kb.delete(format!("/paymentMethods/{next}?forceDefaultPmDeletion=true")).status(204);
        assert_eq!(default_of(&kb, &account), Value::Null);
    });
}

#[test]
fn plugins_are_asked_anew_and_the_book_stays() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let account = account(&kb, "a");
        let id = add(&kb, &account, "k", "?isDefault=true");
        let refresh =
            |query: &str| kb.put(format!("/accounts/{account}/paymentMethods/refresh{query}"), json!({}));
        refresh("").status(204);
        refresh("?PluginName=__EXTERNAL_PAYMENT__&pluginProperty=a=b").status(204);
        refresh("?pluginName=__EXTERNAL_PAYMENT__").status(204);
        assert_eq!(refresh("?pluginName=stripe").status(400).json()["code"], 7028);
        assert_eq!(refresh("?PluginName=stripe").status(400).json()["code"], 7028);
        kb.put(format!("/accounts/{NOBODY}/paymentMethods/refresh"), json!({})).status(404);
        assert_eq!(default_of(&kb, &account), json!(id));
    });
}

#[test]
fn payment_methods_are_listed_and_found_in_parts() {
    scenario(|world: &World| {
        let kb = world.killbill();
        let accounts: Vec<String> = (0..3).map(|n| account(&kb, &format!("a{n}"))).collect();
        for (n, account) in accounts.iter().enumerate() {
            add(&kb, account, &format!("Key-{n} 50%_'\"<i>"), "");
        }
        let page = kb.get("/paymentMethods/pagination?limit=2&withPluginInfo=true&audit=minimal").status(200);
        assert_eq!(page.header("X-Killbill-Pagination-TotalNbRecords"), Some("3"));
        assert_eq!(page.header("X-Killbill-Pagination-MaxNbRecords"), Some("3"));
        let next = page.header("X-Killbill-Pagination-NextPageUri").unwrap_or_default().to_owned();
        assert_eq!(next, "/1.0/kb/paymentMethods/pagination?offset=2&limit=2&pluginName=&audit=MINIMAL");
        let rest = kb.get(next.trim_start_matches("/1.0/kb")).status(200);
        assert_eq!(rest.json()[0]["externalKey"], "Key-2 50%_'\"<i>");
        assert_eq!(rest.header("X-Killbill-Pagination-NextPageUri"), None);
        let none = kb.get("/paymentMethods/pagination?pluginName=stripe").status(200);
        assert_eq!((none.json(), none.header("X-Killbill-Pagination-MaxNbRecords")), (json!([]), Some("3")));
        let found = |key: &str| {
            let rows = kb.get(format!("/paymentMethods/search/{key}")).status(200).json();
            rows.as_array().map_or(0, Vec::len)
        };
        assert_eq!(found("key-"), 3);
        assert_eq!(found("EXTERNAL_PAY"), 3);
        assert_eq!(found("KEY-1"), 1);
        assert_eq!(found("0%25_'%22%3Ci"), 3);
        assert_eq!(found("0x_"), 0);
        add(&kb, &account(&kb, "Ä"), "CAFÉ-1", "");
        // Letters beyond `a` to `z` are found as they are written, on both engines.
        assert_eq!((found("caf%C3%89-1"), found("caf%C3%A9-1")), (1, 0));
        assert_eq!(found(&accounts[1]), 1);
        assert_eq!(found("_q=1&external_key%5Blike%5D=Key-1%25"), 1);
        assert_eq!(found(&format!("_q=1&account_id={}&plugin_name=__EXTERNAL_PAYMENT__", accounts[2])), 1);
        kb.get("/paymentMethods/search/_q=1&email=x").status(400);
        kb.get("/paymentMethods/search/x?pluginName=stripe").status(400);
        kb.get("/paymentMethods/search/x?offset=-1&limit=1").status(400);
    });
}

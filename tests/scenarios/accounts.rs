//! Opening, reading and changing accounts, in Kill Bill's words.

use crate::scenario;
use crate::togai::{customer, togai};
use serde_json::{Value, json};
use testkit::{Http, Response};

const NOBODY: &str = "00000000-0000-0000-0000-0000000000ff";

/// What Kill Bill says why it does not change a field.
fn says(refused: &Response, field: &str, new: &str, current: &str) {
    let error = refused.clone().status(400).json();
    assert_eq!(error["className"], "java.lang.IllegalArgumentException");
    let message =
        format!("Killbill doesn't support updating the account {field}: new={new}, current={current}");
    assert_eq!(error["message"], message);
}

fn open(kb: &Http, body: Value) -> Value {
    let made = kb.post("/accounts", body).status(201);
    kb.get(made.location()).status(200).json()
}

#[test]
fn an_account_is_opened_with_every_field() {
    scenario(|world| {
        let kb = world.killbill();
        let body = json!({
            "name": "John Doe", "firstNameLength": 4, "externalKey": "john", "email": "john@laposte.com",
            "billCycleDayLocal": 31, "currency": "KWD", "isPaymentDelegatedToParent": true,
            "referenceTime": "2020-02-28T10:11:12.345+02:00", "timeZone": "Europe/Paris", "address1": "7, yoyo road",
            "address2": "Apt 5", "postalCode": "94105", "company": "Unemployed", "city": "San Francisco",
            "state": "California", "country": "Nowhere", "locale": "fr_FR", "phone": "x42", "notes": "a\nb",
            "isMigrated": false, "paymentMethodId": null, "accountId": NOBODY, "accountBalance": 5, "accountCBA": "7",
            "auditLogs": [{ "changeType": "INSERT" }],
        });
        let made = kb.post("/accounts", body.clone()).status(201);
        assert_eq!((made.bytes(), made.header("Content-Type")), (&b""[..], Some("application/json")));
        let account = kb.get(made.location()).status(200);
        let mut expected = body;
        for (name, value) in [
            ("accountId", json!(made.id())),
            ("parentAccountId", Value::Null),
            ("referenceTime", json!("2020-02-28T08:11:12.345Z")),
            ("accountBalance", Value::Null),
            ("accountCBA", Value::Null),
            ("auditLogs", json!([])),
        ] {
            expected[name] = value;
        }
        assert_eq!(account.json(), expected);
        let order = [
            "accountId",
            "name",
            "firstNameLength",
            "externalKey",
            "email",
            "billCycleDayLocal",
            "currency",
            "parentAccountId",
            "isPaymentDelegatedToParent",
            "paymentMethodId",
            "referenceTime",
            "timeZone",
            "address1",
            "address2",
            "postalCode",
            "company",
            "city",
            "state",
            "country",
            "locale",
            "phone",
            "notes",
            "isMigrated",
            "accountBalance",
            "accountCBA",
            "auditLogs",
        ];
        let positions: Vec<_> =
            order.iter().map(|name| account.text().find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(positions.is_sorted(), "{account}");
        let funds = kb.get(format!("/accounts/{}?accountWithBalanceAndCBA=true", made.id()));
        assert!(funds.text().contains("\"accountBalance\":0,\"accountCBA\":0,"), "{funds}");
        let balance = kb.get("/accounts?externalKey=john&accountWithBalance=TRUE").json();
        assert_eq!((&balance["accountBalance"], &balance["accountCBA"]), (&json!(0), &Value::Null));
    });
}

#[test]
fn what_is_not_said_has_a_default() {
    scenario(|world| {
        let kb = world.killbill();
        let account = open(&kb, json!({ "timeZone": "" }));
        assert_eq!(account["externalKey"], account["accountId"]);
        assert_eq!(account["timeZone"], "UTC");
        assert_eq!(account["billCycleDayLocal"], 0);
        assert_eq!(account["isPaymentDelegatedToParent"], false);
        assert!(account["referenceTime"].as_str().unwrap().ends_with('Z'));
        for name in ["name", "currency", "isMigrated", "locale", "paymentMethodId", "parentAccountId"] {
            assert_eq!(account[name], Value::Null, "{name}");
        }
    });
}

#[test]
fn numbers_flags_and_texts_come_in_each_others_clothes() {
    scenario(|world| {
        let kb = world.killbill();
        let body = json!({
            "name": 5, "firstNameLength": "3", "billCycleDayLocal": "4", "isMigrated": "True",
            "referenceTime": 1_500_000_000_000_i64,
        });
        let account = open(&kb, body);
        assert_eq!(account["name"], "5");
        assert_eq!((&account["firstNameLength"], &account["billCycleDayLocal"]), (&json!(3), &json!(4)));
        assert_eq!(account["isMigrated"], true);
        assert_eq!(account["referenceTime"], "2017-07-14T02:40:00.000Z");
        assert_eq!(
            open(&kb, json!({ "referenceTime": "2020-02-28" }))["referenceTime"],
            "2020-02-28T00:00:00.000Z"
        );
        for zone in ["-08:00", "Etc/GMT+8", "EST", "America/New_York"] {
            assert_eq!(open(&kb, json!({ "timeZone": zone }))["timeZone"], zone);
        }
    });
}

#[test]
fn each_text_has_its_limit() {
    scenario(|world| {
        let kb = world.killbill();
        let limits = [
            ("name", 100),
            ("email", 128),
            ("company", 50),
            ("city", 50),
            ("state", 50),
            ("country", 50),
            ("address1", 100),
            ("address2", 100),
            ("postalCode", 16),
            ("phone", 25),
            ("locale", 5),
            ("notes", 4096),
            ("externalKey", 255),
        ];
        let id = open(&kb, json!({}))["accountId"].as_str().unwrap().to_owned();
        for (name, limit) in limits {
            let text = "é".repeat(limit);
            assert_eq!(open(&kb, json!({ name: text }))[name], text.as_str());
            let over = json!({ name: "é".repeat(limit + 1) });
            kb.post("/accounts", over.clone()).status(400);
            kb.put(format!("/accounts/{id}"), over).status(400);
            kb.post("/accounts", json!({ name: "a\u{0}b" })).status(400);
        }
        let error = kb.post("/accounts", json!({ "externalKey": "x".repeat(256) })).status(400).json();
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(5), &json!("External key exceeded 255 characters"))
        );
        assert_eq!(error["className"], "org.killbill.billing.account.api.AccountApiException");
    });
}

#[test]
fn what_cannot_be_understood_is_refused() {
    scenario(|world| {
        let kb = world.killbill();
        for body in [
            json!({ "currency": "XXX" }),
            json!({ "currency": "usd" }),
            json!({ "currency": "" }),
            json!({ "timeZone": "Mars/Base" }),
            json!({ "timeZone": "america/new_york" }),
            json!({ "referenceTime": "garbage" }),
            json!({ "referenceTime": "2020-02-30" }),
            json!({ "billCycleDayLocal": 32 }),
            json!({ "billCycleDayLocal": -1 }),
            json!({ "isMigrated": "maybe" }),
            json!({ "parentAccountId": "zzz" }),
            json!([]),
            json!("x"),
        ] {
            let error = kb.post("/accounts", body.clone()).status(400).json();
            assert!(error["className"].is_string() && error["code"].is_null(), "{body}");
        }
        let unknown = kb.post("/accounts", json!({ "foo": 1 })).status(400).json();
        assert_eq!(unknown["className"], "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException");
        let json = kb.with("Content-Type", "application/json");
        for (body, status) in [("{bad", 400), ("", 400), ("null", 400), ("{}", 201)] {
            json.send("POST", "/accounts", Some(body)).status(status);
        }
        let nothing = json.send("POST", "/accounts", Some("null")).json();
        assert_eq!(nothing["message"], "AccountJson body should be specified");
        kb.with("Content-Type", "text/plain").send("POST", "/accounts", Some("{}")).status(415);
        kb.with("Content-Type", "application/json; charset=UTF-8")
            .send("POST", "/accounts", Some("{}"))
            .status(201);
        let orphan = kb.post("/accounts", json!({ "parentAccountId": NOBODY })).status(404).json();
        assert_eq!(
            (&orphan["code"], &orphan["className"]),
            (&json!(3002), &json!("org.killbill.billing.account.api.AccountApiException"))
        );
    });
}

#[test]
fn a_key_names_one_account_of_a_tenant() {
    scenario(|world| {
        let kb = world.killbill();
        let account = open(&kb, json!({ "externalKey": "key with % and ü" }));
        let error = kb.post("/accounts", json!({ "externalKey": "key with % and ü" })).status(409).json();
        assert_eq!(error["code"], 3000);
        assert_eq!(error["message"], "Account already exists for key key with % and ü");
        let found = kb.get("/accounts?externalKey=key+with+%25+and+%C3%BC").status(200).json();
        assert_eq!(found, account);
        let error = kb.get("/accounts?externalKey=nokey").status(404).json();
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!(3003), &json!("Account does not exist for key nokey"))
        );
        assert_eq!(kb.get("/accounts").status(404).json()["message"], "Account does not exist for key null");
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.get("/accounts?externalKey=key+with+%25+and+%C3%BC").status(404);
        open(&stranger, json!({ "externalKey": "key with % and ü" }));
    });
}

#[test]
fn an_id_is_found_in_its_tenant_alone() {
    scenario(|world| {
        let kb = world.killbill();
        let id = open(&kb, json!({ "name": "John" }))["accountId"].as_str().unwrap().to_owned();
        let path = format!("/accounts/{id}");
        let error = kb.get(format!("/accounts/{NOBODY}")).status(404).json();
        assert_eq!(error["message"], format!("Object id={NOBODY} type=ACCOUNT doesn't exist!"));
        assert_eq!(
            (&error["code"], &error["causeClassName"], &error["stackTrace"]),
            (&Value::Null, &Value::Null, &json!([]))
        );
        assert_eq!(kb.get("/accounts/nobody").status(404).text(), "");
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.get(&path).status(404);
        stranger.put(&path, json!({ "name": "Jane" })).status(404);
        assert_eq!(kb.get(&path).json()["name"], "John");
    });
}

#[test]
fn headers_say_who_calls() {
    scenario(|world| {
        let kb = world.killbill();
        let body = json!({});
        let unsaid = kb.without("X-Killbill-CreatedBy").post("/accounts", body.clone()).status(400).json();
        assert_eq!(unsaid["message"], "Header X-Killbill-CreatedBy needs to be set");
        for name in ["X-Killbill-ApiKey", "X-Killbill-ApiSecret", "Authorization"] {
            kb.without(name).post("/accounts", body.clone()).status(401);
            kb.without(name).get(format!("/accounts/{NOBODY}")).status(401);
        }
        kb.with("X-Killbill-ApiSecret", "wrong").get(format!("/accounts/{NOBODY}")).status(401);
        kb.with_user("admin", "wrong").get(format!("/accounts/{NOBODY}")).status(401);
        for (name, limit) in
            [("X-Killbill-CreatedBy", 50), ("X-Killbill-Reason", 255), ("X-Killbill-Comment", 255)]
        {
            kb.with(name, "x".repeat(limit)).post("/accounts", body.clone()).status(201);
            kb.with(name, "x".repeat(limit + 1)).post("/accounts", body.clone()).status(400);
        }
        // Zoë, and the word why.
        let encoded = kb
            .with("X-Killbill-Encoding", "base64")
            .with("X-Killbill-CreatedBy", "Wm/Dqw==")
            .with("X-Killbill-Reason", "d2h5");
        let id = encoded.post("/accounts", body).status(201).id();
        let log = kb.get(format!("/accounts/{id}?audit=minimal")).json()["auditLogs"][0].take();
        assert_eq!((&log["changedBy"], &log["reasonCode"]), (&json!("Zoë"), &json!("why")));
    });
}

#[test]
fn what_is_not_mentioned_stays_as_it_is() {
    scenario(|world| {
        let kb = world.killbill();
        let before = open(&kb, json!({ "name": "John", "currency": "USD", "email": "a@b.c", "notes": "n" }));
        let path = format!("/accounts/{}", before["accountId"].as_str().unwrap());
        kb.put(&path, json!({ "name": "Jane", "accountId": NOBODY, "notes": null, "billCycleDayLocal": 0 }))
            .status(204);
        let mut expected = before;
        expected["name"] = json!("Jane");
        assert_eq!(kb.get(&path).json(), expected);
        kb.put(&path, json!({})).status(204);
        assert_eq!(kb.get(&path).json(), expected);
        let levels = [("", 0), ("?audit=NONE", 0), ("?audit=MINIMAL", 1), ("?audit=full", 3), ("?audit=", 0)];
        for (query, count) in levels {
            let logs = kb.get(format!("{path}{query}")).status(200).json();
            assert_eq!(logs["auditLogs"].as_array().unwrap().len(), count, "{query}");
        }
        kb.get(format!("{path}?audit=foo")).status(404);
        kb.put(format!("/accounts/{NOBODY}"), json!({})).status(404);
        kb.put("/accounts/nobody", json!({})).status(404);
        kb.without("X-Killbill-CreatedBy").put(&path, json!({})).status(400);
        kb.send("PUT", &path, None::<&str>).status(400);
    });
}

#[test]
fn what_another_desk_made_longer_than_kill_bill_may_be_repeated() {
    scenario(|world| {
        let (kb, client) = (world.killbill(), togai(world));
        let (name, email) = ("n".repeat(200), format!("{}@acme.example", "e".repeat(130)));
        let made = json!({ "id": "long", "name": name, "primaryEmail": email, "address": { "city": "c".repeat(200) } });
        let mut customer = customer("c");
        customer["account"] = made;
        client.post("/customers", customer).status(201);
        let mut read = kb.get("/accounts?externalKey=long").status(200).json();
        assert_eq!((&read["name"], &read["email"]), (&json!(name), &json!(email)));
        let path = format!("/accounts/{}", read["accountId"].as_str().unwrap());
        read["company"] = json!("Acme");
        kb.put(&path, read.clone()).status(204);
        kb.put(format!("{path}?treatNullAsReset=true"), read.clone()).status(204);
        assert_eq!(kb.get(&path).status(200).json()["company"], "Acme");
        kb.put(&path, json!({ "name": "m".repeat(101) })).status(400);
        read["city"] = json!("d".repeat(200));
        kb.put(&path, read).status(400);
    });
}

#[test]
fn some_fields_are_fixed() {
    scenario(|world| {
        let kb = world.killbill();
        let reference = "2020-02-28T10:11:12.345Z";
        let body = json!({ "externalKey": "k", "currency": "USD", "referenceTime": reference });
        let path = format!("/accounts/{}", kb.post("/accounts", body).status(201).id());
        let put = |body: Value| kb.put(&path, body);
        says(&put(json!({ "externalKey": "other" })), "external key", "other", "k");
        says(&put(json!({ "currency": "EUR" })), "currency", "EUR", "USD");
        says(&put(json!({ "timeZone": "Europe/Paris" })), "timeZone", "Europe/Paris", "UTC");
        let new = "2021-01-01T00:00:00.000Z";
        says(&put(json!({ "referenceTime": new })), "referenceTime", new, reference);
        put(json!({ "referenceTime": "2020-02-28T10:11:12.999Z" })).status(204);
        put(json!({ "externalKey": "k", "currency": "USD", "timeZone": "UTC" })).status(204);
        put(json!({ "billCycleDayLocal": 5 })).status(204);
        says(&put(json!({ "billCycleDayLocal": 6 })), "BCD", "6", "5");
        put(json!({ "billCycleDayLocal": 0 })).status(204);
        put(json!({ "billCycleDayLocal": 32 })).status(400);
        let account = kb.get(&path).json();
        assert_eq!(
            (&account["billCycleDayLocal"], &account["referenceTime"]),
            (&json!(5), &json!(reference))
        );
    });
}

#[test]
fn a_currency_is_chosen_once() {
    scenario(|world| {
        let kb = world.killbill();
        let path = format!("/accounts/{}", kb.post("/accounts", json!({})).status(201).id());
        kb.put(&path, json!({ "currency": "EUR" })).status(204);
        assert_eq!(kb.get(&path).json()["currency"], "EUR");
        says(&kb.put(&path, json!({ "currency": "USD" })), "currency", "USD", "EUR");
    });
}

#[test]
fn null_resets_when_it_is_told_to() {
    scenario(|world| {
        let kb = world.killbill();
        let body = json!({
            "externalKey": "k", "currency": "USD", "timeZone": "Europe/Paris", "billCycleDayLocal": 5, "name": "John",
            "email": "a@b.c", "notes": "n", "isMigrated": true, "isPaymentDelegatedToParent": true,
        });
        let path = format!("/accounts/{}", kb.post("/accounts", body).status(201).id());
        let reset = |body: Value| kb.put(format!("{path}?treatNullAsReset=true"), body);
        says(&reset(json!({})), "external key", "null", "k");
        says(&reset(json!({ "externalKey": "k" })), "currency", "null", "USD");
        says(&reset(json!({ "externalKey": "k", "currency": "USD" })), "timeZone", "null", "Europe/Paris");
        let mut body = json!({ "externalKey": "k", "currency": "USD", "timeZone": "Europe/Paris" });
        says(&reset(body.clone()), "BCD", "0", "5");
        body["billCycleDayLocal"] = json!(5);
        body["name"] = json!("Jane");
        reset(body).status(204);
        let account = kb.get(&path).json();
        assert_eq!(account["name"], "Jane");
        for name in ["email", "notes", "isMigrated"] {
            assert_eq!(account[name], Value::Null, "{name}");
        }
        assert_eq!(account["isPaymentDelegatedToParent"], false);
    });
}

#[test]
fn no_account_stands_beneath_itself() {
    scenario(|world| {
        let kb = world.killbill();
        let top = kb.post("/accounts", json!({})).status(201).id();
        let child = kb.post("/accounts", json!({ "parentAccountId": top })).status(201).id();
        let put =
            |id: &str, above: &str| kb.put(format!("/accounts/{id}"), json!({ "parentAccountId": above }));
        put(&top, &top).status(400);
        put(&top, &child).status(400);
        assert_eq!(put(&top, NOBODY).status(404).json()["code"], 3002);
        let other = kb.post("/accounts", json!({})).status(201).id();
        put(&child, &other).status(204);
        put(&top, &child).status(204);
        let stranger = world.killbill_of(&world.another_tenant());
        stranger.post("/accounts", json!({ "parentAccountId": top })).status(404);
    });
}

#[test]
fn an_account_is_not_opened_too_deep_and_may_change_wherever_it_stands() {
    scenario(|world| {
        let kb = world.killbill();
        let mut chain = vec![kb.post("/accounts", json!({})).status(201).id()];
        for _ in 1..32 {
            let above = chain.last().unwrap();
            chain.push(kb.post("/accounts", json!({ "parentAccountId": above })).status(201).id());
        }
        let lowest = chain.last().unwrap();
        kb.post("/accounts", json!({ "parentAccountId": lowest })).status(400);
        kb.put(format!("/accounts/{lowest}"), json!({ "name": "Deep" })).status(204);
        // A tree may sink beneath another account; whoever stands deep in it still takes a new name.
        let top = kb.post("/accounts", json!({})).status(201).id();
        kb.put(format!("/accounts/{}", chain[0]), json!({ "parentAccountId": top })).status(204);
        let same_parent = json!({ "name": "Deeper", "parentAccountId": chain[30] });
        kb.put(format!("/accounts/{lowest}"), same_parent).status(204);
        assert_eq!(kb.get(format!("/accounts/{lowest}")).status(200).json()["name"], "Deeper");
        kb.put(format!("/accounts/{top}"), json!({ "parentAccountId": lowest })).status(400);
    });
}

#[test]
fn two_moves_at_once_close_no_circle() {
    scenario(|world| {
        let kb = world.killbill();
        for _ in 0..5 {
            let [one, other] = [(); 2].map(|()| kb.post("/accounts", json!({})).status(201).id());
            let put = |id: &str, above: &str| {
                kb.put(format!("/accounts/{id}"), json!({ "parentAccountId": above }))
            };
            let mut statuses = std::thread::scope(|scope| {
                let first = scope.spawn(|| put(&one, &other).code());
                let second = scope.spawn(|| put(&other, &one).code());
                [first.join().unwrap(), second.join().unwrap()]
            });
            statuses.sort_unstable();
            assert_eq!(statuses, [204, 400]);
        }
    });
}

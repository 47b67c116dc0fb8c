//! Accounts: create, retrieve, list, update, delete.

use super::{account_of, customer, each, refused, togai, walk, with};
use crate::scenario;
use serde_json::{Value, json};

#[test]
fn an_account_is_opened_under_a_customer() {
    scenario(|world| {
        let client = togai(world);
        let made = client.post("/customers", customer("c")).status(201).json();
        let opened = client.post("/accounts", account_of("c", "a")).status(201).json();
        assert_eq!(opened["customerId"], "c");
        assert_eq!(opened["togaiCustomerId"], made["togaiCustomerId"]);
        assert_eq!(client.get("/accounts/a").status(200).json(), opened);
        assert_eq!(client.get("/accounts/a?includeGroupDetails=true").status(200).json(), opened);
        refused(client.get("/accounts/a?includeGroupDetails=perhaps"), 400);
        refused(client.get("/accounts/a?effectiveOn=yesterday"), 400);
        refused(client.get("/accounts/none"), 404);
        refused(client.get("/accounts/a%00"), 404);
        refused(client.post("/accounts", account_of("c", "a")), 409);
        refused(client.post("/accounts", account_of("none", "b")), 404);
        refused(client.post("/accounts", with(account_of("c", "b"), "/customerId", Value::Null)), 400);
        refused(client.post("/accounts", with(account_of("c", "b"), "/customerId", json!(""))), 400);
    });
}

#[test]
fn every_field_of_an_account_has_its_limits() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", customer("c")).status(201);
        client.post("/accounts", account_of("c", "patched")).status(201);
        let aliases =
            |count: usize, from: usize| (from..from + count).map(|n| format!("al-{n}")).collect::<Vec<_>>();
        let many =
            |count: usize| (0..count).map(|n| (n.to_string(), json!("v"))).collect::<serde_json::Map<_, _>>();
        let taken: Vec<(&str, Value)> = vec![
            ("/name", json!("é".repeat(255))),
            ("/invoiceCurrency", json!("JPY")),
            ("/netTermDays", json!(0)),
            ("/netTermDays", json!(3650)),
            ("/status", json!("ACTIVE")),
            ("/metadata", json!({ "k": "" })),
            ("/metadata", json!(many(100))),
            ("/tags", json!([])),
            ("/aliases", json!(aliases(10, 0))),
            ("/aliases", json!(["é".repeat(50), "abc"])),
        ];
        for (number, (pointer, value)) in taken.into_iter().enumerate() {
            let body = with(account_of("c", &format!("taken-{number}")), pointer, value);
            client.post("/accounts", body).status(201);
        }
        let either: Vec<(&str, Value)> = vec![
            ("/name", json!("ab")),
            ("/name", json!("x".repeat(256))),
            ("/invoiceCurrency", json!("usd")),
            ("/invoiceCurrency", json!("US")),
            ("/invoiceCurrency", json!("USDX")),
            ("/invoiceCurrency", json!("ABC")),
            ("/invoiceCurrency", json!("")),
            ("/netTermDays", json!(-1)),
            ("/netTermDays", json!(3651)),
            ("/netTermDays", json!(1.5)),
            ("/netTermDays", json!("30")),
            ("/status", json!("active")),
            ("/status", json!("ARCHIVED")),
            ("/status", json!("")),
            ("/primaryEmail", json!("nobody")),
            ("/primaryEmail", json!(format!("{}@x.io", "e".repeat(316)))),
            ("/address", json!({ "country": "ZZ" })),
            ("/metadata", json!({ "k": 5 })),
            ("/metadata", json!({ "": "v" })),
            ("/metadata", json!({ "k": "a\u{0}" })),
            ("/metadata", json!(many(101))),
            ("/metadata", json!([])),
            ("/tags", json!("vip")),
            ("/tags", json!([5])),
            ("/tags", json!([""])),
            ("/tags", json!(vec!["t"; 101])),
            ("/billingInformation", json!({ "emailRecipients": ["nobody"] })),
            ("/billingInformation", json!({ "additionalEmailRecipients": "a@x.io" })),
        ];
        for (pointer, value) in &either {
            refused(client.post("/accounts", with(account_of("c", "refused"), pointer, value.clone())), 400);
            refused(client.patch("/accounts/patched", with(json!({}), pointer, value.clone())), 400);
        }
        let only_new: Vec<(&str, Value)> = vec![
            ("/id", Value::Null),
            ("/id", json!("x".repeat(51))),
            ("/name", Value::Null),
            ("/aliases", json!(["ab"])),
            ("/aliases", json!(["x".repeat(51)])),
            ("/aliases", json!(aliases(11, 100))),
            ("/aliases", json!("abc")),
            ("/accountAliases", json!([{ "value": "ab" }])),
            ("/accountAliases", json!([{ "effectiveFrom": "2024-01-01T00:00:00Z" }])),
            ("/accountAliases", json!([{ "value": "abc", "effectiveFrom": "soon" }])),
        ];
        for (pointer, value) in only_new {
            refused(client.post("/accounts", with(account_of("c", "refused"), pointer, value)), 400);
        }
        refused(client.get("/accounts/refused"), 404);
    });
}

#[test]
fn an_account_changes_in_parts() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", customer("c")).status(201);
        let full = json!({
            "id": "a", "customerId": "c", "name": "Acme Main", "invoiceCurrency": "EUR", "netTermDays": 30,
            "primaryEmail": "a@acme.example", "address": { "city": "Berlin", "country": "DE" },
            "metadata": { "k": "v" }, "tags": ["One"], "status": "DRAFT",
        });
        let opened = client.post("/accounts", full).status(201).json();
        let change = |body: Value| client.patch("/accounts/a", body).status(200).json();
        assert_eq!(change(json!({})), opened);
        assert_eq!(change(json!({ "metadata": null, "tags": null, "name": null })), opened);
        assert_eq!(change(json!({ "metadata": { "x": "y" } }))["metadata"], json!({ "x": "y" }));
        assert_eq!(change(json!({ "metadata": {} }))["metadata"], json!({}));
        assert_eq!(change(json!({ "tags": ["TWO", "Two", "three"] }))["tags"], json!(["two", "three"]));
        assert_eq!(change(json!({ "status": "ACTIVE" }))["status"], "ACTIVE");
        assert_eq!(change(json!({ "address": { "country": "FR" } }))["address"], json!({ "country": "FR" }));
        let changed = change(json!({
            "name": "Acme Two", "netTermDays": 0, "primaryEmail": "b@acme.example", "invoiceCurrency": "EUR",
            "billingInformation": { "additionalEmailRecipients": ["c@acme.example"] },
            "id": "ignored", "customerId": "ignored", "aliases": ["ignored"],
        }));
        let expected = json!({
            "id": "a", "togaiAccountId": opened["togaiAccountId"], "togaiCustomerId": opened["togaiCustomerId"],
            "customerId": "c", "name": "Acme Two", "status": "ACTIVE", "address": { "country": "FR" },
            "aliases": [], "invoiceCurrency": "EUR", "metadata": {}, "primaryEmail": "b@acme.example",
            "tags": ["two", "three"], "netTermDays": 0,
            "billingInformation": { "additionalEmailRecipients": ["c@acme.example"] },
        });
        assert_eq!(changed, expected);
        assert_eq!(client.get("/accounts/a").status(200).json(), expected);
        // A currency once chosen stays.
        refused(client.patch("/accounts/a", json!({ "invoiceCurrency": "USD" })), 400);
        refused(client.patch("/accounts/none", json!({ "name": "Acme" })), 404);
    });
}

#[test]
fn an_account_without_a_currency_gets_that_of_the_organisation() {
    scenario(|world| {
        let client = togai(world);
        let text = world.killbill().with("Content-Type", "text/plain");
        let choose = |code: &str| {
            text.send("POST", "/tenants/userKeyValue/togai.base_currency", Some(code)).status(201);
        };
        client.post("/customers", customer("c")).status(201);
        for (code, id) in [("CHF", "a"), ("JPY", "b")] {
            choose(code);
            let opened = client.post("/accounts", account_of("c", id)).status(201).json();
            assert_eq!(opened["invoiceCurrency"], code);
        }
        let own = with(account_of("c", "d"), "/invoiceCurrency", json!("EUR"));
        assert_eq!(client.post("/accounts", own).status(201).json()["invoiceCurrency"], "EUR");
        choose("BANANA");
        let why = refused(client.post("/accounts", account_of("c", "e")), 400);
        assert!(why.contains("togai.base_currency"), "{why}");
    });
}

#[test]
fn a_deleted_account_is_archived() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", customer("c")).status(201);
        client.post("/accounts", account_of("c", "a")).status(201);
        assert_eq!(client.delete("/accounts/a").status(200).json(), json!({ "success": true }));
        assert_eq!(client.get("/accounts/a").status(200).json()["status"], "ARCHIVED");
        client.delete("/accounts/a").status(200);
        refused(client.patch("/accounts/a", json!({ "status": "ACTIVE" })), 400);
        refused(client.post("/accounts/a/add_aliases", json!({ "aliases": ["abc"] })), 400);
        refused(client.post("/accounts", account_of("c", "a")), 409);
        refused(client.delete("/accounts/none"), 404);
        assert_eq!(client.get("/customers/c").status(200).json()["status"], "ACTIVE");
    });
}

#[test]
fn accounts_are_listed_page_by_page() {
    scenario(|world| {
        let client = togai(world);
        let ids: Vec<String> = (0..7).map(|number| format!("a{number}")).collect();
        for (number, id) in ids.iter().enumerate() {
            let customer_id = format!("c{}", number % 2);
            if number < 2 {
                client.post("/customers", customer(&customer_id)).status(201);
            }
            let body = with(account_of(&customer_id, id), "/aliases", json!([format!("alias-{id}")]));
            client.post("/accounts", body).status(201);
        }
        for page_size in [1, 3, 7, 50] {
            let all = walk(&client, "/accounts", page_size);
            assert_eq!(each(&all, "id"), ids);
            assert_eq!(each(&all, "customerId"), ["c0", "c1", "c0", "c1", "c0", "c1", "c0"]);
            for account in &all {
                let id = account["id"].as_str().unwrap();
                assert_eq!(account["aliases"], json!([{ "alias": format!("alias-{id}") }]));
                assert_eq!(*account, client.get(format!("/accounts/{id}")).status(200).json());
            }
        }
        let page = client.get("/accounts?pageSize=2").status(200).json();
        assert_eq!(page["context"], json!({ "pageSize": 2, "sortOrder": "ASC" }));
        refused(client.get("/accounts?pageSize=0"), 400);
        refused(client.get("/accounts?nextToken=unknown"), 400);
    });
}

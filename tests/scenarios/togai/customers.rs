//! Customers: create, retrieve, list, update, delete, and their contacts.

use super::{account, customer, each, refused, togai, walk, with};
use crate::scenario;
use serde_json::{Value, json};

fn address() -> Value {
    json!({
        "line1": "1 Main St", "line2": "Unit 2", "city": "Sydney", "state": "NSW", "postalCode": "2000",
        "country": "AU", "phoneNumber": "+61 2 1234",
    })
}

#[test]
fn a_customer_is_made_with_its_first_account_in_one_call() {
    scenario(|world| {
        let client = togai(world);
        let setting = json!({
            "id": "s1", "value": "7", "namespace": "billing", "name": "Grace", "dataType": "NUMERIC",
        });
        let body = json!({
            "id": "ACME", "name": "Acme Corp", "primaryEmail": "billing@acme.example", "address": address(),
            "settings": [setting],
            "account": {
                "id": "ACME-1", "name": "Acme Main", "invoiceCurrency": "AUD", "aliases": ["acme-main"],
                "accountAliases": [{ "value": "acme-2024", "effectiveFrom": "2024-01-01T00:00:00Z" }],
                "address": { "country": "NZ" }, "primaryEmail": "main@acme.example",
                "billingInformation": { "emailRecipients": ["a@acme.example"] },
                "settings": [setting], "netTermDays": 30, "metadata": { "GSTN": "42", "quote": "'\"<b>" },
                "tags": ["VIP", "vip", "Größe"], "status": "DRAFT",
            },
        });
        let made = client.post("/customers", body).status(201).json();
        let account = json!({
            "id": "ACME-1", "togaiAccountId": made["account"]["togaiAccountId"],
            "togaiCustomerId": made["togaiCustomerId"], "customerId": "ACME", "name": "Acme Main",
            "status": "DRAFT", "address": { "country": "NZ" },
            "aliases": [{ "alias": "acme-2024" }, { "alias": "acme-main" }], "invoiceCurrency": "AUD",
            "metadata": { "GSTN": "42", "quote": "'\"<b>" }, "primaryEmail": "main@acme.example",
            "tags": ["vip", "größe"], "netTermDays": 30,
            "billingInformation": { "emailRecipients": ["a@acme.example"] }, "settings": [setting],
        });
        let expected = json!({
            "id": "ACME", "togaiCustomerId": made["togaiCustomerId"], "name": "Acme Corp",
            "primaryEmail": "billing@acme.example", "address": address(),
            "billingAddress": "1 Main St, Unit 2, Sydney, NSW, 2000, AU", "account": account,
            "settings": [setting],
        });
        assert_eq!(made, expected);
        assert!(made["togaiCustomerId"].as_str().unwrap().len() == 36);
        assert_eq!(client.get("/accounts/ACME-1").status(200).json(), account);
        let read = client.get("/customers/ACME").status(200).json();
        assert_eq!(read["status"], "ACTIVE");
        assert_eq!(read["address"], address());
        assert_eq!(read["billingAddress"], made["billingAddress"]);
        assert!(read["createdAt"].as_str().unwrap().ends_with('Z'));
        assert_eq!(read["createdAt"], read["updatedAt"]);
        assert_eq!(read.as_object().unwrap().len(), 9, "{read}");
    });
}

#[test]
fn a_small_customer_gets_the_defaults() {
    scenario(|world| {
        let client = togai(world);
        let made = client.post("/customers", customer("small")).status(201).json();
        assert_eq!(made["address"], json!({}));
        assert!(made.get("account").is_none() && made.get("settings").is_none(), "{made}");
        let body = with(customer("c"), "/account", account("a"));
        let made = client.post("/customers", body).status(201).json();
        let account = &made["account"];
        assert_eq!(account["status"], "ACTIVE");
        assert_eq!(account["invoiceCurrency"], "USD");
        for absent in ["address", "primaryEmail", "netTermDays", "billingInformation", "invoiceGroupDetails"]
        {
            assert!(account.get(absent).is_none(), "{account}");
        }
        // Fields that nobody knows are ignored, and null is the same as absent.
        let body = with(with(customer("d"), "/unknown", json!(1)), "/account", json!(null));
        client.post("/customers", body).status(201);
    });
}

#[test]
fn every_field_of_a_customer_has_its_limits() {
    scenario(|world| {
        let client = togai(world);
        let email = |length: usize| format!("{}@x.io", "e".repeat(length - 5));
        let taken: Vec<(&str, Value)> = vec![
            ("/id", json!("é".repeat(50))),
            ("/name", json!("abc")),
            ("/name", json!("é".repeat(255))),
            ("/primaryEmail", json!(email(320))),
            ("/address", json!({ "country": "DE", "line1": "x".repeat(255) })),
            ("/settings", json!([])),
        ];
        for (number, (pointer, value)) in taken.into_iter().enumerate() {
            let body = with(customer(&format!("taken-{number}")), pointer, value);
            client.post("/customers", body).status(201);
        }
        let setting = json!({ "id": "s", "value": "v", "namespace": "n", "name": "m", "dataType": "STRING" });
        let refused_values: Vec<(&str, Value)> = vec![
            ("/id", Value::Null),
            ("/id", json!("")),
            ("/id", json!("x".repeat(51))),
            ("/id", json!(5)),
            ("/id", json!("a\u{0}b")),
            ("/name", Value::Null),
            ("/name", json!("ab")),
            ("/name", json!("x".repeat(256))),
            ("/name", json!("tab\there")),
            ("/primaryEmail", Value::Null),
            ("/primaryEmail", json!("")),
            ("/primaryEmail", json!("nobody")),
            ("/primaryEmail", json!(email(321))),
            ("/address", Value::Null),
            ("/address", json!("1 Main St")),
            ("/address", json!({ "country": "XX" })),
            ("/address", json!({ "country": "au" })),
            ("/address", json!({ "country": "AUS" })),
            ("/address", json!({ "line1": "x".repeat(256) })),
            ("/address", json!({ "city": 5 })),
            ("/settings", json!(vec![setting.clone(); 11])),
            ("/settings", json!([with(setting.clone(), "/name", Value::Null)])),
            ("/settings", json!([with(setting, "/dataType", json!("string"))])),
            ("/account", json!([])),
            ("/account", json!({})),
        ];
        for (pointer, value) in refused_values {
            let body = with(customer("refused"), pointer, value);
            refused(client.post("/customers", body), 400);
        }
        refused(client.get("/customers/refused"), 404);
    });
}

#[test]
fn bodies_that_are_no_customers_are_refused() {
    scenario(|world| {
        let client = togai(world);
        let json = client.with("Content-Type", "application/json");
        for body in
            ["", "   ", "{", "[]", "null", "\"x\"", "{\"id\": \"a\", \"id\": \"b\"}", "{\"id\": \"\\ud800\"}"]
        {
            refused(json.send("POST", "/customers", Some(body)), 400);
        }
        refused(json.send("POST", "/customers", Some(&b"{\"id\": \"\xff\"}"[..])), 400);
        let text = client.with("Content-Type", "text/plain");
        refused(text.send("POST", "/customers", Some(customer("c").to_string())), 415);
        let charset = client.with("Content-Type", "application/json; charset=utf-8");
        charset.send("POST", "/customers", Some(customer("c").to_string())).status(201);
        // However long the offending text is, the message is not.
        let body = with(customer("d"), "/account", with(account("a"), "/status", json!("X".repeat(5000))));
        refused(client.post("/customers", body), 400);
        let wrong = client.request("PUT", "/customers", Some(&customer("d")));
        assert!(wrong.header("Allow").is_some_and(|allow| allow.contains("POST")), "{wrong}");
        refused(wrong, 405);
    });
}

#[test]
fn nothing_is_made_when_the_account_is_refused() {
    scenario(|world| {
        let client = togai(world);
        let first = with(customer("c1"), "/account", with(account("a1"), "/aliases", json!(["alias-1"])));
        client.post("/customers", first).status(201);
        let conflicts = [
            account("a1"),
            with(account("a2"), "/aliases", json!(["alias-1"])),
            with(account("a2"), "/aliases", json!(["twice", "twice"])),
            account("alias-1"),
        ];
        for (number, account) in conflicts.into_iter().enumerate() {
            let id = format!("c2-{number}");
            refused(client.post("/customers", with(customer(&id), "/account", account)), 409);
            refused(client.get(format!("/customers/{id}")), 404);
        }
        let message = refused(
            client.post(
                "/customers",
                with(customer("c3"), "/account", with(account("a3"), "/status", json!("ARCHIVED"))),
            ),
            400,
        );
        assert!(message.starts_with("account.status"), "{message}");
        refused(client.get("/customers/c3"), 404);
    });
}

#[test]
fn of_racing_creates_one_wins() {
    scenario(|world| {
        let client = togai(world);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|number| {
                    let client = client.clone();
                    // The customer, the account or the alias is the same.
                    let id = if number % 2 == 0 { "race".to_owned() } else { format!("race-{number}") };
                    let account = match number % 4 {
                        1 => with(account("race-account"), "/aliases", json!(["race-alias"])),
                        3 => with(account(&format!("a-{number}")), "/aliases", json!(["race-alias"])),
                        _ => account("race-account"),
                    };
                    let body = with(customer(&id), "/account", account);
                    scope.spawn(move || client.post("/customers", body).code())
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let won = statuses.iter().filter(|status| **status == 201).count();
        assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
        // At most one account "race-account" and one owner of the alias.
        assert!((1..=2).contains(&won), "{statuses:?}");
        assert_eq!(walk(&client, "/accounts", 50).len(), won);
    });
}

#[test]
fn the_same_key_gives_the_same_answer() {
    scenario(|world| {
        let client = togai(world).with("Idempotency-Key", "once");
        let made = client.post("/customers", customer("c")).status(201).json();
        let again = client.post("/customers", customer("c")).status(201).json();
        assert_eq!(made, again);
        refused(client.post("/customers", customer("d")), 422);
        // Another token has keys of its own.
        let other = togai(world).with("Idempotency-Key", "once");
        other.post("/customers", customer("d")).status(201);
        refused(togai(world).with("Idempotency-Key", "once").post("/customers", customer("d")), 409);
    });
}

#[test]
fn a_customer_changes_in_parts() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", with(customer("c"), "/address", address())).status(201);
        let changed = client.patch("/customers/c", json!({ "name": "Acme Ltd" })).status(200).json();
        assert_eq!(changed["name"], "Acme Ltd");
        assert_eq!(changed["address"], address());
        assert_eq!(changed["primaryEmail"], "billing@acme.example");
        // An address replaces the old one whole; what is not updatable is ignored.
        let body = json!({
            "primaryEmail": "new@acme.example", "address": { "country": "NZ" }, "id": "d", "status": "ARCHIVED",
            "name": null,
        });
        let changed = client.patch("/customers/c", body).status(200).json();
        assert_eq!(changed["address"], json!({ "country": "NZ" }));
        assert_eq!(changed["billingAddress"], "NZ");
        assert_eq!(changed["primaryEmail"], "new@acme.example");
        assert_eq!((&changed["id"], &changed["status"]), (&json!("c"), &json!("ACTIVE")));
        assert_eq!(client.get("/customers/c").status(200).json(), changed);
        let bad = [
            json!({ "name": "ab" }),
            json!({ "name": "x".repeat(256) }),
            json!({ "name": 5 }),
            json!({ "primaryEmail": "nobody" }),
            json!({ "address": { "country": "XX" } }),
        ];
        for body in bad {
            refused(client.patch("/customers/c", body), 400);
        }
        refused(client.patch("/customers/none", json!({ "name": "Acme" })), 404);
        refused(client.get("/customers/a%00b"), 404);
        refused(client.get(format!("/customers/{}", "x".repeat(300))), 404);
        assert_eq!(client.get("/customers/c").status(200).json(), changed);
    });
}

#[test]
fn a_deleted_customer_is_archived_with_its_accounts() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", with(customer("c"), "/account", account("a1"))).status(201);
        client.post("/accounts", super::account_of("c", "a2")).status(201);
        client.post("/customers", with(customer("d"), "/account", account("a3"))).status(201);
        assert_eq!(client.delete("/customers/c").status(200).json(), json!({ "success": true }));
        assert_eq!(client.get("/customers/c").status(200).json()["status"], "ARCHIVED");
        for (id, status) in [("a1", "ARCHIVED"), ("a2", "ARCHIVED"), ("a3", "ACTIVE")] {
            assert_eq!(client.get(format!("/accounts/{id}")).status(200).json()["status"], status);
        }
        // Its id stays taken, it does not change, and nothing new goes under it.
        refused(client.post("/customers", customer("c")), 409);
        refused(client.patch("/customers/c", json!({ "name": "Acme" })), 400);
        refused(client.post("/accounts", super::account_of("c", "a4")), 400);
        refused(client.post("/customers/c/contacts", json!({ "name": "Bo", "email": "b@x.io" })), 400);
        client.delete("/customers/c").status(200);
        refused(client.delete("/customers/none"), 404);
    });
}

#[test]
fn customers_are_listed_page_by_page() {
    scenario(|world| {
        let client = togai(world);
        assert_eq!(
            client.get("/customers").status(200).json(),
            json!({ "data": [], "context": { "pageSize": 50, "sortOrder": "ASC" } })
        );
        let ids: Vec<String> = (0..7).map(|number| format!("c{number}")).collect();
        for id in &ids {
            client.post("/customers", customer(id)).status(201);
        }
        for page_size in [1, 2, 3, 7, 50] {
            assert_eq!(each(&walk(&client, "/customers", page_size), "id"), ids);
        }
        let page = client.get("/customers?pageSize=3").status(200).json();
        assert_eq!(page["context"], json!({ "pageSize": 3, "sortOrder": "ASC" }));
        assert_eq!(page["data"].as_array().unwrap().len(), 3);
        let token = page["nextToken"].as_str().unwrap();
        let smaller = client.get(format!("/customers?pageSize=1&nextToken={token}")).status(200).json();
        assert_eq!(each(smaller["data"].as_array().unwrap(), "id"), ["c3"]);
        let cut = client.get("/customers?pageSize=51").status(200).json();
        assert_eq!(cut["context"]["pageSize"], 50);
        for bad in
            ["pageSize=0", "pageSize=-1", "pageSize=ten", "pageSize=1.5", "nextToken=x", "nextToken=e30"]
        {
            refused(client.get(format!("/customers?{bad}")), 400);
        }
        // A token of another list is unknown here.
        refused(client.get(format!("/accounts?nextToken={token}")), 400);
    });
}

#[test]
fn contacts_are_added_to_customers() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", customer("c")).status(201);
        let body = json!({
            "preferredUsername": "Bo1", "name": "Bo", "password": "a long password", "email": "bo@acme.example",
            "phone": "+61 2 1234", "verified": true, "loginAccess": true,
        });
        let made = client.post("/customers/c/contacts", body).status(201).json();
        let expected = json!({
            "username": "Bo1", "preferredUsername": "Bo1", "name": "Bo", "email": "bo@acme.example",
            "phone": "+61 2 1234", "loginAccess": true, "createdBy": "tests", "createdAt": made["createdAt"],
            "verified": true,
        });
        assert_eq!(made, expected);
        let small = json!({ "name": "Al", "email": "al@acme.example" });
        let made = client.post("/customers/c/contacts", small.clone()).status(201).json();
        assert_eq!((&made["loginAccess"], &made["verified"]), (&json!(false), &json!(false)));
        assert!(!made["username"].as_str().unwrap().is_empty());
        assert!(made.get("preferredUsername").is_none() && made.get("phone").is_none());
        let taken = with(small.clone(), "/preferredUsername", json!("Bo1"));
        refused(client.post("/customers/c/contacts", taken), 409);
        let bad: Vec<(&str, Value)> = vec![
            ("/name", Value::Null),
            ("/name", json!("x".repeat(51))),
            ("/email", Value::Null),
            ("/email", json!("al@acme")),
            ("/email", json!("a l@acme.example")),
            ("/email", json!(format!("{}@x.io", "e".repeat(316)))),
            ("/preferredUsername", json!("ab")),
            ("/preferredUsername", json!("x".repeat(51))),
            ("/preferredUsername", json!("a_b")),
            ("/password", json!("x".repeat(101))),
            ("/password", json!("")),
            ("/phone", json!("1".repeat(21))),
            ("/verified", json!("yes")),
        ];
        for (pointer, value) in bad {
            refused(client.post("/customers/c/contacts", with(small.clone(), pointer, value)), 400);
        }
        refused(client.post("/customers/none/contacts", small), 404);
    });
}

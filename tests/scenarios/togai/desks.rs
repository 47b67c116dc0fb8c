//! Across desks: an account opened at one is the same account at the others.

use super::{account, account_of, customer, each, refused, togai, walk, with};
use crate::mikrocloud::{hannes, organization, token};
use crate::scenario;
use serde_json::json;

#[test]
fn an_account_of_this_desk_is_an_account_at_kill_bills() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        let body = json!({
            "id": "a", "name": "Acme Main", "invoiceCurrency": "EUR", "primaryEmail": "a@acme.example",
            "address": {
                "line1": "1 Main St", "line2": "Unit 2", "city": "Berlin", "state": "BE", "postalCode": "10115",
                "country": "DE", "phoneNumber": "+49 30 1",
            },
        });
        let made = client.post("/customers", with(customer("c"), "/account", body)).status(201).json();
        let found = killbill.get("/accounts?externalKey=a").status(200).json();
        assert_eq!(found["accountId"], made["account"]["togaiAccountId"]);
        let expected = [
            ("name", "Acme Main"),
            ("email", "a@acme.example"),
            ("currency", "EUR"),
            ("address1", "1 Main St"),
            ("address2", "Unit 2"),
            ("city", "Berlin"),
            ("state", "BE"),
            ("postalCode", "10115"),
            ("country", "DE"),
            ("phone", "+49 30 1"),
        ];
        for (field, value) in expected {
            assert_eq!(found[field], value, "{field}");
        }
        // Changes flow both ways, and what only this desk knows stays.
        client.patch("/accounts/a", json!({ "metadata": { "k": "v" }, "name": "Acme Two" })).status(200);
        let path = format!("/accounts/{}", found["accountId"].as_str().unwrap());
        assert_eq!(killbill.get(&path).status(200).json()["name"], "Acme Two");
        killbill.put(&path, json!({ "name": "Acme Three", "email": "three@acme.example" })).status(204);
        let read = client.get("/accounts/a").status(200).json();
        assert_eq!(read["name"], "Acme Three");
        assert_eq!(read["primaryEmail"], "three@acme.example");
        assert_eq!(read["metadata"], json!({ "k": "v" }));
        assert_eq!(read["customerId"], "c");
    });
}

#[test]
fn an_archived_account_changes_at_no_desk() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        let id = killbill.post("/accounts", json!({ "externalKey": "kb", "name": "Ann" })).status(201).id();
        let organization = organization(world, &["--account", &id]);
        let mikrocloud = world.http().with_bearer(&token(world, &organization, &[]));
        client.delete("/accounts/kb").status(200);
        killbill.put(format!("/accounts/{id}"), json!({ "name": "Bob" })).status(400);
        mikrocloud.patch("/v1/account", json!({ "name": "Bob" })).status(422);
        refused(client.patch("/accounts/kb", json!({ "name": "Bob" })), 400);
        assert_eq!(killbill.get(format!("/accounts/{id}")).status(200).json()["name"], "Ann");
        client.delete("/accounts/kb").status(200);
        let cleared = mikrocloud.get("/v1/subscription/clearance").status(200).json();
        assert_eq!(cleared["cleared"], false);
        assert_eq!(cleared["reasons"][0]["code"], "account_archived");
    });
}

#[test]
fn an_archived_account_gets_notes_but_nothing_to_bill_with() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        let id = killbill.post("/accounts", json!({ "externalKey": "kb" })).status(201).id();
        let at = |rest: &str| format!("/accounts/{id}/{rest}");
        let email = |name: &str| json!({ "accountId": id, "email": format!("{name}@x.org") });
        let method = || json!({ "pluginName": "__EXTERNAL_PAYMENT__" });
        killbill.post(at("emails"), email("a")).status(201);
        let held = killbill.post(at("paymentMethods?isDefault=true"), method()).status(201).id();
        client.delete("/accounts/kb").status(200);

        killbill.post(at("emails"), email("b")).status(400);
        killbill.post(at("paymentMethods"), method()).status(400);
        killbill.put(at(&format!("paymentMethods/{held}/setDefault")), json!({})).status(400);
        killbill.post(at("tags"), json!(["00000000-0000-0000-0000-000000000002"])).status(201);
        killbill.post(at("customFields"), json!([{ "name": "why", "value": "moved" }])).status(201);
        let state = json!({ "stateName": "STOP", "service": "fraud", "isBlockChange": true });
        killbill.post(at("block"), state).status(201);
        killbill.delete(at("emails/a@x.org")).status(204);
        killbill.delete(format!("/paymentMethods/{held}?forceDefaultPmDeletion=true")).status(204);
        let account = killbill.get(format!("/accounts/{id}")).status(200).json();
        assert_eq!(account["paymentMethodId"], json!(null));
        world.billhook(["verify", "--tenant", &world.tenant().api_key]);
    });
}

#[test]
fn a_new_name_forgets_a_first_name_that_is_longer() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        let body = json!({ "externalKey": "kb", "name": "Albert Camus", "firstNameLength": 6 });
        let path = format!("/accounts/{}", killbill.post("/accounts", body).status(201).id());
        let first = || killbill.get(&path).status(200).json()["firstNameLength"].clone();
        client.patch("/accounts/kb", json!({ "name": "Albert" })).status(200);
        assert_eq!(first(), 6);
        client.patch("/accounts/kb", json!({ "name": "Ali" })).status(200);
        assert_eq!(first(), json!(null));
        // Kill Bill takes what it is told, and so does its desk.
        killbill.put(&path, json!({ "name": "Ali", "firstNameLength": 9 })).status(204);
        assert_eq!(first(), 9);
    });
}

#[test]
fn a_token_of_one_desk_opens_no_other() {
    scenario(|world| {
        let api_token = world.billhook(["token", "togai", "--tenant", &world.tenant().api_key]);
        let api_token = api_token.split_whitespace().last().unwrap();
        let bearer = world.http().with_bearer(api_token).post("/authenticate", json!({})).status(200).json();
        let organization = organization(world, &[]);
        let mikrocloud = token(world, &organization, &[]);
        world.http().with_bearer(&mikrocloud).post("/v1/account", hannes()).status(201);
        for token in [api_token, bearer["token"].as_str().unwrap()] {
            let client = world.http().with_bearer(token);
            client.get("/customers").status(200);
            client.get("/v1/account").status(401);
            client.patch("/v1/account", json!({ "name": "Mine now" })).status(401);
            client.get(format!("/1.0/kb/accounts?externalKey={organization}")).status(401);
        }
        let client = world.http().with_bearer(&mikrocloud);
        assert_eq!(client.get("/v1/account").status(200).json()["name"], "Hannes Kruger");
        refused(client.get("/customers"), 401);
        refused(client.get(format!("/accounts/{organization}")), 401);
        refused(client.send("POST", "/authenticate", None::<&str>), 401);
        client.get(format!("/1.0/kb/accounts?externalKey={organization}")).status(401);
    });
}

#[test]
fn a_key_is_taken_at_every_desk() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        killbill.post("/accounts", json!({ "externalKey": "kb" })).status(201);
        client.post("/customers", customer("c")).status(201);
        refused(client.post("/accounts", account_of("c", "kb")), 409);
        // The account stands for a customer of that id.
        refused(client.post("/customers", customer("kb")), 409);
        refused(client.post("/customers", with(customer("d"), "/account", account("kb"))), 409);
        refused(client.get("/customers/d"), 404);
        client.post("/accounts", account_of("c", "tg")).status(201);
        killbill.post("/accounts", json!({ "externalKey": "tg" })).status(409);
        // A customer's id alone is no account's key.
        killbill.post("/accounts", json!({ "externalKey": "c" })).status(201);
        let account = client.get("/accounts/c").status(200).json();
        assert_eq!(account["customerId"], "c");
        assert_eq!(client.get("/customers/c").status(200).json()["name"], "Acme Corp");
        assert_eq!(each(&walk(&client, "/customers", 1), "id"), ["c", "kb"]);
    });
}

#[test]
fn an_account_of_kill_bills_desk_stands_for_a_customer() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        let body = json!({
            "externalKey": "kb1", "name": "Ann", "email": "ann@x.io", "currency": "JPY", "city": "Tokyo",
            "country": "JP",
        });
        let id = killbill.post("/accounts", body).status(201).id();
        let read = client.get("/accounts/kb1").status(200).json();
        let expected = json!({
            "id": "kb1", "togaiAccountId": id, "togaiCustomerId": id, "customerId": "kb1", "name": "Ann",
            "status": "ACTIVE", "address": { "city": "Tokyo", "country": "JP" }, "aliases": [],
            "invoiceCurrency": "JPY", "metadata": {}, "primaryEmail": "ann@x.io", "tags": [],
        });
        assert_eq!(read, expected);
        let implied = client.get("/customers/kb1").status(200).json();
        assert_eq!(implied["name"], "Ann");
        assert_eq!(implied["primaryEmail"], "ann@x.io");
        assert_eq!(implied["billingAddress"], "Tokyo, JP");
        assert_eq!(implied["togaiCustomerId"], id.as_str());
        // An account without a name, an e-mail, a currency is shown in any case; so is a long key.
        let key = "k".repeat(255);
        killbill.post("/accounts", json!({ "externalKey": key, "company": "" })).status(201);
        let bare = client.get(format!("/accounts/{key}")).status(200).json();
        assert_eq!((&bare["name"], &bare["customerId"]), (&json!(key), &json!(key)));
        assert!(bare.get("invoiceCurrency").is_none() && bare.get("address").is_none(), "{bare}");
        let implied = client.get(format!("/customers/{key}")).status(200).json();
        assert_eq!(implied["primaryEmail"], "");
        killbill.post("/accounts", json!({ "externalKey": "co", "company": "Umbrella" })).status(201);
        assert_eq!(client.get("/accounts/co").status(200).json()["name"], "Umbrella");
        // An account without a currency takes one, once.
        client.patch("/accounts/co", json!({ "invoiceCurrency": "CHF" })).status(200);
        refused(client.patch("/accounts/co", json!({ "invoiceCurrency": "EUR" })), 400);
        assert_eq!(killbill.get("/accounts?externalKey=co").status(200).json()["currency"], "CHF");
    });
}

#[test]
fn customers_come_before_those_that_accounts_stand_for() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        for number in 0..3 {
            killbill.post("/accounts", json!({ "externalKey": format!("kb{number}") })).status(201);
            let body = with(customer(&format!("c{number}")), "/account", account(&format!("a{number}")));
            client.post("/customers", body).status(201);
        }
        let expected = ["c0", "c1", "c2", "kb0", "kb1", "kb2"];
        for page_size in [1, 2, 3, 4, 6, 50] {
            assert_eq!(each(&walk(&client, "/customers", page_size), "id"), expected);
        }
        let accounts = walk(&client, "/accounts", 2);
        assert_eq!(each(&accounts, "id"), ["kb0", "a0", "kb1", "a1", "kb2", "a2"]);
        assert_eq!(each(&accounts, "customerId"), ["kb0", "c0", "kb1", "c1", "kb2", "c2"]);
    });
}

#[test]
fn a_change_makes_an_implied_customer_a_real_one() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        for key in ["kb1", "kb2", "kb3", "kb4"] {
            killbill
                .post("/accounts", json!({ "externalKey": key, "name": "Ann", "city": "Rome" }))
                .status(201);
        }
        let before = client.get("/customers/kb1").status(200).json();
        let changed = client.patch("/customers/kb1", json!({ "name": "Ann Ltd" })).status(200).json();
        assert_eq!(changed["name"], "Ann Ltd");
        assert_eq!(changed["address"], json!({ "city": "Rome" }));
        assert_eq!(changed["togaiCustomerId"], before["togaiCustomerId"]);
        // The account keeps its own name.
        let account = client.get("/accounts/kb1").status(200).json();
        assert_eq!((&account["name"], &account["customerId"]), (&json!("Ann"), &json!("kb1")));
        // A second account and a contact go under one that was only implied.
        client.post("/accounts", account_of("kb2", "second")).status(201);
        assert_eq!(client.get("/accounts/kb2").status(200).json()["customerId"], "kb2");
        let contact = json!({ "name": "Bo", "email": "bo@x.io" });
        client.post("/customers/kb3/contacts", contact).status(201);
        client.delete("/customers/kb4").status(200);
        assert_eq!(client.get("/customers/kb4").status(200).json()["status"], "ARCHIVED");
        assert_eq!(client.get("/accounts/kb4").status(200).json()["status"], "ARCHIVED");
        assert_eq!(each(&walk(&client, "/customers", 3), "id"), ["kb1", "kb2", "kb3", "kb4"]);
    });
}

#[test]
fn racing_changes_make_an_implied_customer_real_once() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        killbill.post("/accounts", json!({ "externalKey": "kb" })).status(201);
        std::thread::scope(|scope| {
            for number in 0..6 {
                let client = client.clone();
                scope.spawn(move || {
                    client.post("/accounts", account_of("kb", &format!("a{number}"))).status(201);
                });
            }
        });
        assert_eq!(each(&walk(&client, "/customers", 50), "id"), ["kb"]);
        let accounts = walk(&client, "/accounts", 50);
        assert_eq!(accounts.len(), 7);
        assert!(accounts.iter().all(|account| account["customerId"] == "kb"));
    });
}

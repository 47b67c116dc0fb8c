//! Aliases: other names that stand for an account, each within a range of time.

use super::{account, account_of, customer, each, refused, togai, walk, with};
use crate::mikrocloud::{hannes, organization, token};
use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

fn dated(value: &str, from: &str, until: &str) -> Value {
    let mut alias = json!({ "value": value });
    for (field, at) in [("effectiveFrom", from), ("effectiveUntil", until)] {
        if !at.is_empty() {
            alias[field] = json!(format!("{at}T00:00:00Z"));
        }
    }
    alias
}

fn add(client: &Http, id: &str, alias: Value) -> testkit::Response {
    client.post(format!("/accounts/{id}/add_aliases"), json!({ "accountAliases": [alias] }))
}

fn aliases(account: &Value) -> Vec<&str> {
    each(account["aliases"].as_array().unwrap(), "alias")
}

/// Accounts `a` and `b` of one customer.
fn two_accounts(client: &Http) {
    client.post("/customers", customer("c")).status(201);
    for id in ["a", "b"] {
        client.post("/accounts", account_of("c", id)).status(201);
    }
}

#[test]
fn an_alias_stands_for_its_account() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        let body = json!({ "aliases": ["one", "two"] });
        let account = client.post("/accounts/a/add_aliases", body).status(200).json();
        assert_eq!(aliases(&account), ["one", "two"]);
        assert_eq!(client.get("/accounts/one").status(200).json(), account);
        let changed = client.patch("/accounts/two", json!({ "name": "By alias" })).status(200).json();
        assert_eq!((&changed["id"], &changed["name"]), (&json!("a"), &json!("By alias")));
        client.delete("/accounts/one").status(200);
        assert_eq!(client.get("/accounts/a").status(200).json()["status"], "ARCHIVED");
    });
}

#[test]
fn an_alias_belongs_to_one_account_at_a_time() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        add(&client, "a", dated("moving", "2024-01-01", "2024-07-01")).status(200);
        for (from, until) in [("2024-06-30", ""), ("", "2024-01-02"), ("", ""), ("2024-02-01", "2024-03-01")]
        {
            refused(add(&client, "b", dated("moving", from, until)), 409);
            refused(add(&client, "a", dated("moving", from, until)), 409);
        }
        // Ranges that only touch share no instant.
        add(&client, "b", dated("moving", "2024-07-01", "")).status(200);
        add(&client, "b", dated("moving", "", "2024-01-01")).status(200);
        let owner = |at: &str| {
            let found = client.get(format!("/accounts/moving?effectiveOn={at}")).status(200).json();
            assert!(aliases(&found).contains(&"moving"), "{found}");
            found["id"].as_str().unwrap().to_owned()
        };
        assert_eq!(owner("2023-12-31T23:59:59.999Z"), "b");
        assert_eq!(owner("2024-01-01T00:00:00Z"), "a");
        assert_eq!(owner("2024-07-01T01:59:59%2B02:00"), "a");
        assert_eq!(owner("2024-07-01T00:00:00Z"), "b");
        let then = client.get("/accounts/a?effectiveOn=2024-03-01T00:00:00Z").status(200).json();
        assert_eq!(aliases(&then), ["moving"]);
        let later = client.get("/accounts/a?effectiveOn=2025-01-01T00:00:00Z").status(200).json();
        assert!(aliases(&later).is_empty());
        // Another account's id is no alias, and an alias is no account's id.
        refused(client.post("/accounts/a/add_aliases", json!({ "aliases": ["abc", "moving"] })), 409);
        client.post("/accounts", account_of("c", "long-id")).status(201);
        refused(client.post("/accounts/a/add_aliases", json!({ "aliases": ["long-id"] })), 409);
        client.post("/accounts/a/add_aliases", json!({ "aliases": ["taken-id"] })).status(200);
        refused(client.post("/accounts", account_of("c", "taken-id")), 409);
    });
}

#[test]
fn a_new_account_takes_no_alias_for_its_key_at_any_desk() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        killbill.post("/accounts", json!({ "externalKey": "before" })).status(201);
        two_accounts(&client);
        client.post("/accounts/a/add_aliases", json!({ "aliases": ["nick"] })).status(200);
        add(&client, "a", dated("over", "2001-01-01", "2001-02-01")).status(200);
        add(&client, "a", dated("later", "2991-01-01", "")).status(200);
        for key in ["nick", "later"] {
            let error = killbill.post("/accounts", json!({ "externalKey": key })).status(409).json();
            assert_eq!(error["code"], 3000, "{error}");
            killbill.get(format!("/accounts?externalKey={key}")).status(404);
        }
        assert_eq!(client.get("/accounts/nick").status(200).json()["id"], "a");
        refused(client.post("/customers", with(customer("c2"), "/account", account("nick"))), 409);
        let organization = organization(world, &[]);
        client.post("/accounts/a/add_aliases", json!({ "aliases": [organization] })).status(200);
        let mikrocloud = world.http().with_bearer(&token(world, &organization, &[]));
        mikrocloud.post("/v1/account", hannes()).status(409);
        mikrocloud.get("/v1/account").status(422);
        // What was an alias once is free, as are the keys of other tenants and accounts without one.
        killbill.post("/accounts", json!({ "externalKey": "over" })).status(201);
        killbill.post("/accounts", json!({})).status(201);
        let other = world.killbill_of(&world.another_tenant());
        other.post("/accounts", json!({ "externalKey": "nick" })).status(201);
        client.post("/accounts/a/remove_aliases", json!({ "aliases": ["nick"] })).status(200);
        killbill.post("/accounts", json!({ "externalKey": "nick" })).status(201);
    });
}

#[test]
fn a_key_and_an_alias_of_one_name_are_not_given_at_once() {
    scenario(|world| {
        let (client, killbill) = (togai(world), world.killbill());
        two_accounts(&client);
        for round in 0..5 {
            let name = format!("wanted-{round}");
            let statuses = std::thread::scope(|scope| {
                let alias = scope.spawn(|| add(&client, "a", dated(&name, "", "")).code());
                let key = scope.spawn(|| killbill.post("/accounts", json!({ "externalKey": name })).code());
                [alias.join().unwrap(), key.join().unwrap()]
            });
            assert!([[200, 409], [409, 201]].contains(&statuses), "{statuses:?}");
        }
    });
}

#[test]
fn a_range_ends_after_it_begins_and_aliases_have_limits() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        refused(add(&client, "a", dated("abc", "2024-02-01", "2024-01-01")), 400);
        refused(add(&client, "a", dated("abc", "2024-02-01", "2024-02-01")), 400);
        let add_plain = |values: Value| client.post("/accounts/a/add_aliases", json!({ "aliases": values }));
        for bad in [
            json!(["ab"]),
            json!(["x".repeat(51)]),
            json!([]),
            json!([5]),
            json!(["a\u{0}bc"]),
            json!([null]),
        ] {
            refused(add_plain(bad), 400);
        }
        for body in [json!({}), json!({ "accountAliases": [] }), json!({ "accountAliases": [{}] })] {
            refused(client.post("/accounts/a/add_aliases", body), 400);
        }
        let values: Vec<String> = (0..10).map(|number| format!("alias-{number}")).collect();
        let eleven: Vec<String> = (0..11).map(|number| format!("alias-{number}")).collect();
        refused(add_plain(json!(eleven)), 400);
        add_plain(json!(values[..9])).status(200);
        refused(add_plain(json!(["alias-9", "alias-10"])), 400);
        add_plain(json!(["alias-9"])).status(200);
        refused(add_plain(json!(["alias-10"])), 400);
        // What is over counts no more: one of the ten goes, one more comes.
        let body = json!({ "aliases": ["alias-3"] });
        let left = client.post("/accounts/a/remove_aliases", body).status(200).json();
        assert_eq!(aliases(&left).len(), 9);
        add_plain(json!(["alias-10"])).status(200);
        // Nothing of a refused request stays.
        refused(client.post("/accounts/b/add_aliases", json!({ "aliases": ["free", "alias-1"] })), 409);
        assert!(aliases(&client.get("/accounts/b").status(200).json()).is_empty());
        refused(client.post("/accounts/none/add_aliases", json!({ "aliases": ["abc"] })), 404);
    });
}

#[test]
fn aliases_are_removed_by_value_and_by_id() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        let body = json!({
            "aliases": ["plain"],
            "accountAliases": [dated("ending", "2020-01-01", ""), dated("coming", "2999-01-01", "")],
        });
        client.post("/accounts/a/add_aliases", body).status(200);
        let list = client.get("/accounts/a/account_aliases").status(200).json();
        let list = list["data"].as_array().unwrap().clone();
        let alias = |value: &str| list.iter().find(|alias| alias["value"] == value).unwrap();
        assert_eq!(alias("plain")["effectiveFrom"], "0001-01-01T00:00:00.000Z");
        assert_eq!(alias("plain")["effectiveUntil"], "9999-12-31T23:59:59.000Z");
        assert_eq!(alias("ending")["effectiveFrom"], "2020-01-01T00:00:00.000Z");
        let remove = |body: Value| client.post("/accounts/a/remove_aliases", body);
        let by_id = |value: &str, from: Option<&str>| {
            let mut removed = json!({ "id": alias(value)["id"] });
            if let Some(from) = from {
                removed["from"] = json!(from);
            }
            json!({ "accountAliases": [removed] })
        };
        let account = remove(by_id("ending", Some("2024-01-01T00:00:00Z"))).status(200).json();
        assert_eq!(aliases(&account), ["plain"]);
        let found = client.get("/accounts/ending?effectiveOn=2023-12-31T00:00:00Z").status(200).json();
        assert_eq!(found["id"], "a");
        refused(client.get("/accounts/ending?effectiveOn=2024-01-01T00:00:00Z"), 404);
        // From then on it is free for another account.
        add(&client, "b", dated("ending", "2024-01-01", "")).status(200);
        // What has not begun by then goes away; without a date it is now.
        remove(by_id("coming", None)).status(200);
        let left = client.get("/accounts/a/account_aliases").status(200).json();
        assert_eq!(each(left["data"].as_array().unwrap(), "value").len(), 2);
        remove(json!({ "aliases": ["plain"] })).status(200);
        refused(client.get("/accounts/plain"), 404);
        client.post("/accounts/b/add_aliases", json!({ "aliases": ["plain"] })).status(200);
        refused(remove(json!({ "aliases": ["plain"] })), 404);
        refused(remove(by_id("plain", None)), 404);
        for bad in [
            json!({}),
            json!({ "aliases": [] }),
            json!({ "aliases": [""] }),
            json!({ "accountAliases": [{ "id": "no-uuid" }] }),
            json!({ "accountAliases": [{}] }),
            json!({ "accountAliases": [{ "id": alias("ending")["id"], "from": "soon" }] }),
        ] {
            refused(remove(bad), 400);
        }
    });
}

#[test]
fn a_far_future_end_is_no_end() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        let listed = |path: &str| client.get(path).status(200).json()["data"][0].clone();
        client.post("/accounts/a/add_aliases", json!({ "aliases": ["abc"] })).status(200);
        let open = listed("/accounts/a/account_aliases");
        let copied = json!({
            "value": "def", "effectiveFrom": open["effectiveFrom"], "effectiveUntil": open["effectiveUntil"],
        });
        add(&client, "b", copied).status(200);
        let copy = listed("/accounts/b/account_aliases");
        assert_eq!(copy["effectiveFrom"], open["effectiveFrom"]);
        assert_eq!(copy["effectiveUntil"], open["effectiveUntil"]);
    });
}

#[test]
fn aliases_are_listed_page_by_page() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        let values: Vec<String> = (0..7).map(|number| format!("alias-{number}")).collect();
        client.post("/accounts/a/add_aliases", json!({ "aliases": values })).status(200);
        for page_size in [1, 3, 50] {
            let all = walk(&client, "/accounts/a/account_aliases", page_size);
            assert_eq!(each(&all, "value"), values);
        }
        let page = client.get("/accounts/a/account_aliases?pageSize=1").status(200).json();
        let token = page["nextToken"].as_str().unwrap();
        refused(client.get(format!("/accounts/b/account_aliases?nextToken={token}")), 400);
        assert_eq!(client.get("/accounts/b/account_aliases").status(200).json(), json!({ "data": [] }));
        refused(client.get("/accounts/none/account_aliases"), 404);
    });
}

#[test]
fn of_racing_accounts_one_gets_the_alias() {
    scenario(|world| {
        let client = togai(world);
        client.post("/customers", customer("c")).status(201);
        for number in 0..6 {
            client.post("/accounts", account_of("c", &format!("a{number}"))).status(201);
        }
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..6)
                .map(|number| {
                    let client = client.clone();
                    let path = format!("/accounts/a{number}/add_aliases");
                    let body = json!({ "aliases": ["race-one", "race-two"] });
                    scope.spawn(move || client.post(path, body).code())
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 5, "{statuses:?}");
        let owners = walk(&client, "/accounts", 50);
        let owners = owners.iter().filter(|account| !account["aliases"].as_array().unwrap().is_empty());
        assert_eq!(owners.count(), 1);
    });
}

#[test]
fn who_reads_a_page_of_history_finds_the_aliases() {
    scenario(|world| {
        let client = togai(world);
        two_accounts(&client);
        client.post("/accounts/a/add_aliases", json!({ "aliases": ["abc"] })).status(200);
        let id = client.get("/accounts/a").status(200).json()["togaiAccountId"].as_str().unwrap().to_owned();
        let audited = world.killbill().get(format!("/accounts/{id}?audit=FULL")).status(200).json();
        let logs = audited["auditLogs"].as_array().unwrap();
        assert_eq!(each(logs, "changeType"), ["INSERT", "UPDATE"]);
        assert_eq!(each(logs, "changedBy"), ["tests", "tests"]);
        let other = with(json!({}), "/aliases", json!(["abc"]));
        client.post("/accounts/a/remove_aliases", other).status(200);
        let audited = world.killbill().get(format!("/accounts/{id}?audit=FULL")).status(200).json();
        assert_eq!(audited["auditLogs"].as_array().unwrap().len(), 3);
    });
}

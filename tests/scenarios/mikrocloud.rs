//! MikroCloud's desk: the billing account of an organization, the tree, the clearance check.

mod tokens;

use serde_json::{Value, json};
use testkit::{Http, Tenant, World};

use crate::scenario;

/// An organization of this world's tenant.
#[track_caller]
pub(crate) fn organization(world: &World, more: &[&str]) -> String {
    organization_of(world, world.tenant(), more)
}

#[track_caller]
fn organization_of(world: &World, tenant: &Tenant, more: &[&str]) -> String {
    let command = ["organization", "create", "--tenant", &tenant.api_key, "--name", "Acme"];
    last_word(&world.billhook(command.iter().chain(more).copied()))
}

/// A token of the desk for an organization.
#[track_caller]
pub(crate) fn token(world: &World, organization: &str, more: &[&str]) -> String {
    let tenant = &world.tenant().api_key;
    let command = ["token", "mikrocloud", "--tenant", tenant, "--organization", organization];
    last_word(&world.billhook(command.iter().chain(more).copied()))
}

fn last_word(printed: &str) -> String {
    printed.split_whitespace().last().unwrap_or_default().to_owned()
}

/// A client that speaks for an organization, with both scopes.
#[track_caller]
fn client(world: &World, organization: &str) -> Http {
    world.http().with_bearer(&token(world, organization, &[]))
}

/// The smallest account that is taken.
pub(crate) fn hannes() -> Value {
    json!({ "name": "Hannes Kruger", "email": "hannes@mikrocloud.com", "address": { "country": "AU" } })
}

/// A new organization with its account, and its client.
#[track_caller]
fn hannes_client(world: &World) -> Http {
    let client = client(world, &organization(world, &[]));
    client.post("/v1/account", hannes()).status(201);
    client
}

#[track_caller]
fn check_message(body: &Value) {
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "no message in {body}");
}

#[test]
fn an_account_is_created_read_and_updated() {
    scenario(|world| {
        let client = client(world, &organization(world, &[]));
        let missing = client.get("/v1/account").status(422).json();
        let no_account = json!({
            "message": "You need to create an account first",
            "documentation_url": "https://docs.mikrocloud.com/api/accounts#create-an-account",
        });
        assert_eq!(missing, no_account);
        assert_eq!(client.put("/v1/account", json!({})).status(422).json(), no_account);

        let made = client.post("/v1/account", hannes()).status(201).json();
        let id = made["id"].as_str().unwrap();
        assert!(id.starts_with("cus_") && id.len() == 18, "{id}");
        let wanted = json!({
            "id": id,
            "name": "Hannes Kruger",
            "email": "hannes@mikrocloud.com",
            "currency": "",
            "balance": 0,
            "address": { "city": "", "country": "AU", "line1": "", "line2": "", "postal_code": "", "state": "" },
            "created_at": made["created_at"],
        });
        assert_eq!(made, wanted);
        assert_eq!(client.get("/v1/account").status(200).json(), made);

        let address = json!({
            "city": "Melbourne", "country": "NZ", "line1": "123 Mikro St", "line2": "Apt 4B",
            "postal_code": "3000", "state": "VIC",
        });
        let change = json!({ "name": "H. Kruger", "email": "HKruger@MikroCloud.com", "address": address });
        let changed = client.put("/v1/account", change).status(200).json();
        let wanted = json!({
            "id": id, "name": "H. Kruger", "email": "hkruger@mikrocloud.com", "currency": "", "balance": 0,
            "address": address, "created_at": made["created_at"],
        });
        assert_eq!(changed, wanted);
        assert_eq!(client.get("/v1/account").status(200).json(), changed);
    });
}

#[test]
fn put_and_patch_change_only_what_they_name_and_empty_text_unsets() {
    scenario(|world| {
        let client = hannes_client(world);
        let whole =
            json!({ "city": "Perth", "line1": "1 A St", "line2": "B", "postal_code": "6000", "state": "WA" });
        for method in ["PUT", "PATCH"] {
            client.request(method, "/v1/account", Some(&json!({ "address": whole }))).status(200);
            let body = json!({ "name": method, "address": { "line2": "", "city": "" } });
            let address = client.request(method, "/v1/account", Some(&body)).status(200).json();
            assert_eq!(address["name"], method);
            assert_eq!(address["email"], "hannes@mikrocloud.com");
            let wanted = json!({
                "city": "", "country": "AU", "line1": "1 A St", "line2": "", "postal_code": "6000", "state": "WA",
            });
            assert_eq!(address["address"], wanted);
            let same = client.request(method, "/v1/account", Some(&json!({}))).status(200).json();
            assert_eq!(same, address);
        }
        for body in [json!({ "name": "" }), json!({ "email": "" }), json!({ "address": { "country": "" } })] {
            check_message(&client.patch("/v1/account", body).status(422).json());
        }
    });
}

#[test]
fn a_creation_needs_its_three_fields_and_ignores_the_others() {
    scenario(|world| {
        let client = client(world, &organization(world, &[]));
        let wrong = [
            json!({}),
            json!({ "name": "A", "email": "a@b.com" }),
            json!({ "name": "A", "email": "a@b.com", "address": {} }),
            json!({ "name": "A", "address": { "country": "AU" } }),
            json!({ "email": "a@b.com", "address": { "country": "AU" } }),
            json!({ "name": "", "email": "a@b.com", "address": { "country": "AU" } }),
            json!({ "name": " ", "email": "a@b.com", "address": { "country": "AU" } }),
            json!({ "name": null, "email": "a@b.com", "address": { "country": "AU" } }),
            json!({ "name": 5, "email": "a@b.com", "address": { "country": "AU" } }),
            json!({ "name": "A", "email": ["a@b.com"], "address": { "country": "AU" } }),
            json!({ "name": "A", "email": "a.b.com", "address": { "country": "AU" } }),
            json!({ "name": "A", "email": "a@b.com", "address": "AU" }),
            json!({ "name": "A", "email": "a@b.com", "address": { "country": 61 } }),
            json!({ "name": "A", "email": "a@b.com", "address": { "country": "ZZ" } }),
            json!({ "name": "A", "email": "a@b.com", "address": { "country": "AUS" } }),
            json!(["A"]),
            json!("A"),
        ];
        for body in wrong {
            check_message(&client.post("/v1/account", body.clone()).status(422).json());
        }
        client.get("/v1/account").status(422);
        let body = json!({
            "name": "A", "email": "a@b.com", "currency": "EUR", "balance": 7, "id": "cus_1",
            "address": { "country": "AU", "city": "x".repeat(51), "line1": 5, "state": "VIC" },
        });
        let made = client.post("/v1/account", body).status(201).json();
        assert_eq!(made["currency"], "");
        assert_eq!(made["balance"], 0);
        assert_eq!(made["address"]["state"], "");
        assert_eq!(made["address"]["line1"], "");
    });
}

#[test]
fn each_text_may_reach_its_limit_in_characters_and_not_pass_it() {
    scenario(|world| {
        let client = hannes_client(world);
        let limits =
            [("name", 100), ("city", 50), ("line1", 100), ("line2", 100), ("postal_code", 10), ("state", 50)];
        for (field, limit) in limits {
            let body = |text: &str| match field {
                "name" => json!({ "name": text }),
                _ => json!({ "address": { field: text } }),
            };
            let longest = "é".repeat(limit);
            let kept = client.patch("/v1/account", body(&longest)).status(200).json();
            let kept = if field == "name" { &kept["name"] } else { &kept["address"][field] };
            assert_eq!(*kept, longest.as_str());
            let over = client.patch("/v1/account", body(&format!("{longest}é"))).status(422).json();
            check_message(&over);
            for wrong in ["a\u{0}b", "a\nb", "a\u{7f}b"] {
                client.patch("/v1/account", body(wrong)).status(422);
            }
            let quoted = "<'\";--";
            client.patch("/v1/account", body(quoted)).status(200);
        }
        let email = |length: usize| format!("{}@example.com", "a".repeat(length - "@example.com".len()));
        client.patch("/v1/account", json!({ "email": email(250) })).status(200);
        client.patch("/v1/account", json!({ "email": email(251) })).status(422);
        let body = json!({ "name": "é".repeat(101), "email": "a@b.com", "address": { "country": "AU" } });
        let other = world.http().with_bearer(&token(world, &organization(world, &[]), &[]));
        other.post("/v1/account", body).status(422);
    });
}

#[test]
fn wrong_types_and_countries_are_refused_in_updates() {
    scenario(|world| {
        let client = hannes_client(world);
        let before = client.get("/v1/account").status(200).json();
        let wrong = [
            json!({ "name": null }),
            json!({ "name": { "first": "A" } }),
            json!({ "email": 1 }),
            json!({ "email": "a@" }),
            json!({ "address": null }),
            json!({ "address": [] }),
            json!({ "address": { "city": false } }),
            json!({ "address": { "country": "au" } }),
            json!({ "address": { "country": "XX" } }),
        ];
        for body in wrong {
            let answer = client.put("/v1/account", body).status(422).json();
            check_message(&answer);
            assert_eq!(answer["errors"].as_object().map(serde_json::Map::len), Some(1), "{answer}");
        }
        assert_eq!(client.get("/v1/account").status(200).json(), before);
    });
}

#[test]
fn a_second_account_is_refused_and_emails_need_not_be_unique() {
    scenario(|world| {
        let first = hannes_client(world);
        check_message(&first.post("/v1/account", hannes()).status(409).json());
        let second = hannes_client(world);
        let [first, second] = [first, second].map(|client| client.get("/v1/account").status(200).json());
        assert_eq!(first["email"], second["email"]);
        assert_ne!(first["id"], second["id"]);
    });
}

#[test]
fn of_two_racing_creations_one_wins() {
    scenario(|world| {
        let client = client(world, &organization(world, &[]));
        let codes: Vec<u16> = std::thread::scope(|scope| {
            let create = || client.post("/v1/account", hannes()).code();
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == 409).count(), 3, "{codes:?}");
    });
}

#[test]
fn an_idempotency_key_belongs_to_one_organization() {
    scenario(|world| {
        let [first, second] =
            [(); 2].map(|()| client(world, &organization(world, &[])).with("Idempotency-Key", "one"));
        let made = first.post("/v1/account", hannes()).status(201).json();
        assert_eq!(first.post("/v1/account", hannes()).status(201).json(), made);
        assert_ne!(second.post("/v1/account", hannes()).status(201).json()["id"], made["id"]);
    });
}

#[test]
fn bodies_that_are_no_json_objects_are_refused_with_a_message() {
    scenario(|world| {
        let client = hannes_client(world);
        let json = client.with("Content-Type", "application/json");
        for method in ["POST", "PUT", "PATCH"] {
            for body in ["", "{", "{\"name\": \"A\"} x", "null", "\u{1}"] {
                check_message(&json.send(method, "/v1/account", Some(body)).status(422).json());
            }
            let form = client.with("Content-Type", "application/x-www-form-urlencoded");
            check_message(&form.send(method, "/v1/account", Some("name=A")).status(415).json());
            let large = json!({ "name": "x".repeat(1 << 20) }).to_string();
            check_message(&json.send(method, "/v1/account", Some(large)).status(413).json());
        }
        let utf8 = client.with("Content-Type", "application/json; charset=utf-8");
        utf8.send("PATCH", "/v1/account", Some("{\"name\": \"Zoë\"}")).status(200);
    });
}

#[test]
fn deletion_other_methods_and_other_paths_say_why_not() {
    scenario(|world| {
        let client = hannes_client(world);
        let refused = client.delete("/v1/account").status(405).json();
        assert!(refused["message"].as_str().unwrap().contains("contact support"), "{refused}");
        for (method, path) in [("OPTIONS", "/v1/account"), ("POST", "/v1/subscription/clearance")] {
            let response = client.request(method, path, None).status(405);
            assert!(response.header("Allow").is_some_and(|allow| allow.contains("GET")), "{response}");
            check_message(&response.json());
        }
        for path in ["/v1", "/v1/", "/v1/accounts", "/v1/account/1", "/v1/subscription"] {
            check_message(&client.get(path).status(404).json());
        }
        client.get("/v1/account").status(200);
    });
}

#[test]
fn a_token_is_needed_with_the_scope_of_the_request() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let scope = |scope| world.http().with_bearer(&token(world, &organization, &["--scope", scope]));
        let (reads, writes) = (scope("account:read"), scope("account:write"));
        check_message(&reads.post("/v1/account", hannes()).status(403).json());
        writes.post("/v1/account", hannes()).status(201);
        check_message(&writes.get("/v1/account").status(403).json());
        check_message(&writes.get("/v1/subscription/clearance").status(403).json());
        reads.get("/v1/account").status(200);
        check_message(&reads.put("/v1/account", json!({ "name": "B" })).status(403).json());
        check_message(&reads.patch("/v1/account", json!({ "name": "B" })).status(403).json());
        writes.patch("/v1/account", json!({ "name": "B" })).status(200);

        let nobody = world.http();
        let strangers = [
            nobody.clone(),
            nobody.with_bearer("x"),
            nobody.with_bearer("a.b.c"),
            nobody.with_user("admin", "x"),
            nobody.with("Authorization", "Bearer"),
            nobody.with("Authorization", token(world, &organization, &[])),
        ];
        for stranger in strangers {
            let response = stranger.get("/v1/account").status(401);
            assert!(response.header("WWW-Authenticate").is_some_and(|value| value.starts_with("Bearer")));
            check_message(&response.json());
            stranger.post("/v1/account", hannes()).status(401);
        }
        let lower = format!("bearer {}", token(world, &organization, &[]));
        nobody.with("Authorization", lower).get("/v1/account").status(200);
    });
}

#[test]
fn times_are_written_in_the_tokens_zone() {
    scenario(|world| {
        let organization = organization(world, &[]);
        client(world, &organization).post("/v1/account", hannes()).status(201);
        let created_at = |more: &[&str]| {
            let token = token(world, &organization, more);
            let account = world.http().with_bearer(&token).get("/v1/account").status(200).json();
            account["created_at"].as_str().unwrap().parse::<jiff::civil::DateTime>().unwrap()
        };
        let utc = created_at(&[]);
        let minutes_east =
            |zone| (created_at(&["--timezone", zone]) - utc).total(jiff::Unit::Minute).unwrap();
        assert_eq!(minutes_east("Asia/Kolkata"), 330.0);
        assert_eq!(minutes_east("Pacific/Honolulu"), -600.0);
    });
}

#[test]
fn only_the_top_of_a_tree_is_billed_and_those_beneath_read() {
    scenario(|world| {
        let top = organization(world, &[]);
        let middle = organization(world, &["--parent", &top]);
        let bottom = organization(world, &["--parent", &middle]);
        let [top, middle, bottom] = [top, middle, bottom].map(|id| client(world, &id));
        for beneath in [&middle, &bottom] {
            check_message(&beneath.get("/v1/account").status(422).json());
            check_message(&beneath.post("/v1/account", hannes()).status(403).json());
            check_message(&beneath.put("/v1/account", json!({ "name": "B" })).status(403).json());
        }
        let account = top.post("/v1/account", hannes()).status(201).json();
        for beneath in [&middle, &bottom] {
            assert_eq!(beneath.get("/v1/account").status(200).json(), account);
            beneath.post("/v1/account", hannes()).status(403);
            beneath.put("/v1/account", json!({ "name": "B" })).status(403);
            beneath.patch("/v1/account", json!({ "name": "B" })).status(403);
            beneath.delete("/v1/account").status(405);
        }
        assert_eq!(top.get("/v1/account").status(200).json(), account);
    });
}

#[test]
fn the_command_line_makes_and_lists_organizations() {
    scenario(|world| {
        let key = world.tenant().api_key.as_str();
        let top = organization(world, &["--owner", "Boss@Example.com"]);
        let beneath = organization(world, &["--parent", &top, "--owner", "boss@example.com"]);
        let listed = world.billhook(["organization", "list", "--tenant", key]);
        let lines: Vec<&str> = listed.lines().collect();
        let header = "ID\tPARENT\tACCOUNT\tNAME".to_owned();
        assert_eq!(lines, [header, format!("{top}\t-\t-\tAcme"), format!("{beneath}\t{top}\t-\tAcme")]);

        let other = world.another_tenant();
        let foreign = organization_of(world, &other, &[]);
        let create = |more: &[&str]| {
            let command = ["organization", "create", "--tenant", key];
            world.billhook_output(command.iter().chain(more).copied()).status.success()
        };
        assert!(!create(&["--name", "A", "--parent", &foreign]), "a parent of another tenant");
        assert!(!create(&["--name", "A", "--parent", "00000000-0000-4000-8000-000000000000"]));
        assert!(!create(&["--name", " "]));
        assert!(!create(&["--name", &"x".repeat(101)]));
        assert!(!create(&["--name", "A", "--owner", "nobody"]));
        assert!(create(&["--name", &"é".repeat(100)]));
        let token = |more: &[&str]| {
            let command = ["token", "mikrocloud", "--tenant", key];
            world.billhook_output(command.iter().chain(more).copied()).status.success()
        };
        assert!(token(&["--organization", &top]));
        assert!(!token(&["--organization", &foreign]), "an organization of another tenant");
        assert!(!token(&["--organization", &top, "--timezone", "Mars/Base"]));
        assert!(!token(&["--organization", &top, "--scope", "account:all"]));
        assert!(!token(&["--organization", &top, "--expires-in", "0s"]));
        assert!(!token(&["--organization", &top, "--expires-in", "-1h"]));
        assert!(token(&["--organization", &top, "--expires-in", "30d"]));
    });
}

#[test]
fn an_account_is_the_same_at_kill_bills_desk() {
    scenario(|world| {
        let organization = organization(world, &[]);
        let token = token(world, &organization, &["--user", "hannes@mikrocloud.com"]);
        let client = world.http().with_bearer(&token);
        client.post("/v1/account", hannes()).status(201);
        let path = format!("/accounts?externalKey={organization}&audit=FULL");
        let found = world.killbill().get(&path).status(200).json();
        assert_eq!(found["name"], "Hannes Kruger");
        assert_eq!(found["email"], "hannes@mikrocloud.com");
        assert_eq!(found["country"], "AU");
        assert_eq!(found["currency"], Value::Null);
        assert_eq!(found["auditLogs"][0]["changedBy"], "hannes@mikrocloud.com");

        let body = json!({ "address": { "line1": "1 A St", "postal_code": "3000" } });
        client.patch("/v1/account", body).status(200);
        let found = world.killbill().get(&path).status(200).json();
        assert_eq!(found["address1"], "1 A St");
        assert_eq!(found["postalCode"], "3000");
        assert_eq!(found["auditLogs"].as_array().map(Vec::len), Some(2));

        let account_id = found["accountId"].as_str().unwrap();
        world.killbill().put(format!("/accounts/{account_id}"), json!({ "city": "Perth" })).status(204);
        assert_eq!(client.get("/v1/account").status(200).json()["address"]["city"], "Perth");
    });
}

#[test]
fn an_account_of_kill_bills_desk_can_be_an_organizations() {
    scenario(|world| {
        let body = json!({ "currency": "EUR", "country": "Utopia", "company": "Acme" });
        let account_id = world.killbill().post("/accounts", body).status(201).id();
        let organization = organization(world, &["--account", &account_id]);
        let client = client(world, &organization);
        let shown = client.get("/v1/account").status(200).json();
        assert_eq!(shown["name"], "");
        assert_eq!(shown["email"], "");
        assert_eq!(shown["currency"], "EUR");
        assert_eq!(shown["address"]["country"], "Utopia");
        client.post("/v1/account", hannes()).status(409);
        client.patch("/v1/account", json!({ "name": "Acme" })).status(200);
        let found = world.killbill().get(format!("/accounts/{account_id}")).status(200).json();
        assert_eq!(found["name"], "Acme");
        assert_eq!(found["company"], "Acme", "what this desk does not know stays as it was");
    });
}

#[test]
fn the_clearance_check_says_what_is_in_the_way() {
    scenario(|world| {
        let top = organization(world, &[]);
        let beneath = organization(world, &["--parent", &top]);
        let [top_client, beneath] = [&top, &beneath].map(|id| client(world, id));
        let check = |client: &Http| client.get("/v1/subscription/clearance").status(200).json();
        for client in [&top_client, &beneath] {
            let refused = check(client);
            assert_eq!(refused["cleared"], false);
            assert_eq!(refused["reasons"][0]["code"], "no_account");
            check_message(&refused["reasons"][0]);
        }
        top_client.post("/v1/account", hannes()).status(201);
        for client in [&top_client, &beneath] {
            assert_eq!(check(client), json!({ "cleared": true, "reasons": [] }));
        }
        let account = world.killbill().get(format!("/accounts?externalKey={top}")).status(200).json();
        let block = format!("/accounts/{}/block", account["accountId"].as_str().unwrap());
        let say = |name: &str, change: bool, billing: bool| {
            let state = json!({
                "stateName": name, "service": "fraud", "isBlockChange": change, "isBlockEntitlement": false,
                "isBlockBilling": billing,
            });
            world.killbill().post(&block, state).status(201);
        };
        say("UNBILLED", false, true);
        assert_eq!(check(&beneath)["cleared"], true, "who is not billed for a while may still buy");
        say("STOPPED", true, true);
        for client in [&top_client, &beneath] {
            let refused = check(client);
            assert_eq!(refused["cleared"], false);
            assert_eq!(refused["reasons"][0]["code"], "account_blocked");
            check_message(&refused["reasons"][0]);
        }
        say("CLEAR", false, false);
        assert_eq!(check(&beneath)["cleared"], true);
        check_message(&world.http().get("/v1/subscription/clearance").status(401).json());
    });
}

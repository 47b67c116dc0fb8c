//! Who may come in.

use super::{refused, togai, togai_of};
use crate::scenario;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn an_api_token_is_exchanged_for_a_bearer_token_that_works_as_well() {
    scenario(|world| {
        let client = togai(world);
        let bearer = client.post("/authenticate", json!({})).status(200).json();
        let bearer = bearer["token"].as_str().unwrap().to_owned();
        assert_eq!(bearer.split('.').count(), 3, "{bearer}");
        let by_bearer = world.http().with_bearer(&bearer);
        by_bearer.get("/customers").status(200);
        // A bearer token is answered with itself; no body is needed.
        let again = by_bearer.send("POST", "/authenticate", None::<&str>).status(200).json();
        assert_eq!(again, json!({ "token": bearer }));
        let other = client.send("POST", "/authenticate", None::<&str>).status(200).json();
        assert_ne!(other["token"], bearer.as_str());
    });
}

#[test]
fn whoever_has_no_token_of_this_desk_is_turned_away() {
    scenario(|world| {
        let nobody = world.http();
        refused(nobody.get("/customers"), 401);
        refused(nobody.send("POST", "/authenticate", None::<&str>), 401);
        let forged = [
            "togai_0000000000000000000000000000000000000000000000000000000000000000",
            "nonsense",
            "a.b.c",
            // {"alg":"none"}
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJiaWxsaG9vazp0b2dhaSJ9.",
        ];
        for token in forged {
            refused(nobody.with_bearer(token).get("/customers"), 401);
        }
        let token = world.billhook(["token", "togai", "--tenant", &world.tenant().api_key]);
        refused(nobody.with("Authorization", format!("Basic {token}")).get("/customers"), 401);
        refused(nobody.with("Authorization", "Bearer").get("/customers"), 401);
        refused(nobody.with_bearer(&token[..token.len() - 1]).get("/customers"), 401);
        let killbill = world.killbill();
        let location = killbill.post("/accounts", json!({ "name": "Ann" })).status(201).location().to_owned();
        refused(nobody.with_user("admin", "password").get("/customers"), 401);
        // Nor does a token of this desk open another.
        nobody.with_bearer(&token).get(location).status(401);
    });
}

#[test]
fn a_changed_bearer_token_is_refused() {
    scenario(|world| {
        let bearer = togai(world).post("/authenticate", json!({})).status(200).json();
        let bearer = bearer["token"].as_str().unwrap();
        let other = togai_of(world, &world.another_tenant().api_key);
        let other = other.post("/authenticate", json!({})).status(200).json();
        let other = other["token"].as_str().unwrap();
        let parts: Vec<&str> = bearer.split('.').collect();
        let others: Vec<&str> = other.split('.').collect();
        let mixed = [
            format!("{}.{}.{}", parts[0], others[1], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("eyJhbGciOiJub25lIn0.{}.", parts[1]),
        ];
        for forged in mixed {
            refused(world.http().with_bearer(&forged).get("/customers"), 401);
        }
    });
}

#[test]
fn an_expired_token_is_refused_with_what_was_made_from_it() {
    scenario(|world| {
        let key = &world.tenant().api_key;
        let token = world.billhook(["token", "togai", "--tenant", key, "--expires-in", "2s"]);
        let client = world.http().with_bearer(&token);
        let bearer = client.post("/authenticate", json!({})).status(200).json();
        let bearer = world.http().with_bearer(bearer["token"].as_str().unwrap());
        // Real time has to pass: tokens do not follow the tenant's clock.
        let end = Instant::now() + Duration::from_secs(30);
        while client.get("/customers").code() == 200 {
            assert!(Instant::now() < end, "the token never expired");
        }
        refused(client.get("/customers"), 401);
        refused(bearer.get("/customers"), 401);
        refused(client.send("POST", "/authenticate", None::<&str>), 401);
    });
}

#[test]
fn a_token_that_is_taken_back_is_refused_at_once_with_what_was_made_from_it() {
    scenario(|world| {
        let key = world.tenant().api_key.clone();
        let (client, kept) = (togai(world), togai(world));
        let bearer = client.post("/authenticate", json!({})).status(200).json();
        let bearer = world.http().with_bearer(bearer["token"].as_str().unwrap());
        let list = || world.billhook(["token", "list", "--tenant", &key]);
        let before = list();
        assert_eq!(before.lines().count(), 3, "{before}");
        assert_eq!(before.lines().next(), Some("ID\tNAME\tMADE\tENDS"));
        let line: Vec<&str> = before.lines().nth(1).unwrap().split('\t').collect();
        assert_eq!((line[1], line[3]), ("tests", "-"), "{before}");
        let revoke = |tenant: &str, id: &str| {
            world.billhook_output(["token", "revoke", "--tenant", tenant, "--id", id])
        };
        // Of another tenant it is not, and so it cannot be taken back there.
        assert!(!revoke(&world.another_tenant().api_key, line[0]).status.success());
        client.get("/customers").status(200);
        assert!(revoke(&key, line[0]).status.success());
        for refused_now in [&client, &bearer] {
            refused(refused_now.get("/customers"), 401);
            refused(refused_now.send("POST", "/authenticate", None::<&str>), 401);
        }
        kept.get("/customers").status(200);
        assert!(!revoke(&key, line[0]).status.success(), "once is enough");
        assert!(!revoke(&key, "00000000-0000-0000-0000-0000000000ff").status.success());
        assert_eq!(list().lines().nth(1), before.lines().nth(2));
        assert_eq!(list().lines().count(), 2);
    });
}

#[test]
fn the_command_refuses_what_it_cannot_do() {
    scenario(|world| {
        let key = world.tenant().api_key.clone();
        let failing = [
            vec!["token", "togai"],
            vec!["token", "togai", "--tenant", "nobody"],
            vec!["token", "togai", "--tenant", &key, "--expires-in", "soon"],
            vec!["token", "togai", "--tenant", &key, "--expires-in", "0s"],
        ];
        for arguments in failing {
            assert!(!world.billhook_output(arguments.clone()).status.success(), "{arguments:?}");
        }
    });
}

#[test]
fn tenants_do_not_see_each_other() {
    scenario(|world| {
        let (own, other) = (togai(world), togai_of(world, &world.another_tenant().api_key));
        let body = super::with(super::customer("c1"), "/account", super::account("a1"));
        own.post("/customers", body.clone()).status(201);
        for path in ["/customers/c1", "/accounts/a1", "/accounts/a1/account_aliases"] {
            refused(other.get(path), 404);
        }
        for path in ["/customers/c1", "/accounts/a1"] {
            refused(other.patch(path, json!({ "name": "Mine now" })), 404);
            refused(other.delete(path), 404);
        }
        refused(other.post("/customers/c1/contacts", json!({ "name": "Bo", "email": "b@x.io" })), 404);
        refused(other.post("/accounts", super::account_of("c1", "a2")), 404);
        for path in ["/customers", "/accounts"] {
            assert_eq!(other.get(path).status(200).json()["data"], json!([]));
        }
        // The same ids are free in the other tenant, and a page token of one is unknown in the other.
        own.post("/customers", super::customer("c2")).status(201);
        let page = own.get("/customers?pageSize=1").status(200).json();
        let next = format!("/customers?nextToken={}", page["nextToken"].as_str().unwrap());
        own.get(&next).status(200);
        refused(other.get(&next), 400);
        other.post("/customers", body).status(201);
    });
}

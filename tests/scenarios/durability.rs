//! What was answered stays, what two nodes race for is won once, and what is asked twice under one key happens once.

use crate::{scenario, scenario_alone};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

/// The address of the accounts on this node.
fn accounts_at(url: &str) -> String {
    format!("{url}/1.0/kb/accounts")
}

#[test]
fn two_nodes_that_race_for_one_key_make_one_account() {
    scenario_alone(|world| {
        let second = world.server().another_node();
        let addresses = [accounts_at(&world.server().url()), accounts_at(&second.url())];
        let kb = world.killbill();
        for round in 0..20 {
            let body = json!({"externalKey": format!("race-{round}"), "currency": "USD"});
            let statuses: Vec<u16> = thread::scope(|scope| {
                let racers: Vec<_> = (0..4)
                    .map(|racer| {
                        let (kb, body, address) = (&kb, body.clone(), &addresses[racer % 2]);
                        scope.spawn(move || kb.post(address, body).code())
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            let mut sorted = statuses.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [201, 409, 409, 409], "round {round}");
        }
        assert!(second.terminate().success());
    });
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    scenario_alone(|world| {
        let (acknowledged, news) = mpsc::channel::<String>();
        let crashed = AtomicBool::new(false);
        let kb = world.killbill();
        let mut kept = thread::scope(|scope| {
            for _ in 0..4 {
                let (kb, crashed, acknowledged) = (&kb, &crashed, acknowledged.clone());
                scope.spawn(move || {
                    while !crashed.load(Ordering::Relaxed) {
                        let body = json!({"name": "racer", "currency": "USD"}).to_string();
                        let json = kb.with("Content-Type", "application/json");
                        let Ok(answer) = json.try_send("POST", "/accounts", Some(body)) else { return };
                        if answer.code() == 201 {
                            let _ =
                                acknowledged.send(answer.location().rsplit('/').next().unwrap().to_owned());
                        }
                    }
                });
            }
            let kept: Vec<String> = news.iter().take(150).collect();
            world.server().kill9();
            crashed.store(true, Ordering::Relaxed);
            kept
        });
        drop(acknowledged);
        kept.extend(news.iter());
        world.server().start_again();
        let kb = world.killbill();
        for id in &kept {
            let account = kb.get(format!("/accounts/{id}?audit=FULL")).status(200).json();
            assert_eq!(account["auditLogs"].as_array().map(Vec::len), Some(1), "{account}");
        }
        world.billhook(["verify"]);
    });
}

#[test]
fn the_same_key_gives_the_same_answer() {
    scenario(|world| {
        let kb = world.killbill().with("Idempotency-Key", "order-1");
        let first = kb.post("/accounts", json!({"name": "racer"})).status(201);
        let again = kb.post("/accounts", json!({"name": "racer"})).status(201);
        assert_eq!(first.location(), again.location());
        assert_eq!(again.header("idempotent-replayed"), Some("true"));

        kb.post("/accounts", json!({"name": "another"})).status(422);
        let other_key = kb.with("Idempotency-Key", "order-2");
        assert_ne!(
            other_key.post("/accounts", json!({"name": "racer"})).status(201).location(),
            first.location()
        );
        let other_tenant = world.killbill_of(&world.another_tenant()).with("Idempotency-Key", "order-1");
        assert_ne!(
            other_tenant.post("/accounts", json!({"name": "racer"})).status(201).location(),
            first.location()
        );
        kb.with("Idempotency-Key", "k".repeat(256)).post("/accounts", json!({})).status(400);
    });
}

#[test]
fn a_refusal_is_remembered_with_its_key() {
    scenario(|world| {
        let kb = world.killbill();
        kb.post("/accounts", json!({"externalKey": "taken"})).status(201);
        let keyed = kb.with("Idempotency-Key", "order-1");
        let refused = keyed.post("/accounts", json!({"externalKey": "taken"})).status(409).json();
        let again = keyed.post("/accounts", json!({"externalKey": "taken"})).status(409).json();
        assert_eq!(refused, again);
        kb.post("/accounts", json!({"externalKey": "taken"})).status(409);
    });
}

#[test]
fn one_key_used_on_two_nodes_at_once_is_used_once() {
    scenario_alone(|world| {
        let second = world.server().another_node();
        let addresses = [accounts_at(&world.server().url()), accounts_at(&second.url())];
        let kb = world.killbill();
        for round in 0..10 {
            let keyed = kb.with("Idempotency-Key", format!("order-{round}"));
            let locations: Vec<String> = thread::scope(|scope| {
                let racers: Vec<_> = (0..4)
                    .map(|racer| {
                        let (keyed, address) = (&keyed, &addresses[racer % 2]);
                        scope.spawn(move || keyed.post(address, json!({"currency": "USD"})).status(201).id())
                    })
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            assert!(locations.iter().all(|id| *id == locations[0]), "round {round}: {locations:?}");
        }
        assert!(second.terminate().success());
    });
}

#[test]
fn nul_in_a_text_is_bad_input_at_every_desk() {
    scenario(|world| {
        let kb = world.killbill();
        for path in [
            "/accounts?externalKey=%00",
            "/tenants?apiKey=%00",
            "/security/roles/a%00",
            "/security/users/a%00/roles",
        ] {
            kb.get(path).status(400);
        }
        kb.with_user("ad\0min", "password").get("/tagDefinitions").status(400);
    });
}

#[test]
fn an_answer_is_kept_for_the_one_who_asked() {
    scenario(|world| {
        let kb = world.killbill();
        let keyed_user = format!("keyed-{}", world.tenant().api_key);
        let body = json!({"username": keyed_user, "password": "wonderful", "roles": ["nothing"]});
        kb.post("/security/users", body).status(201);
        let keyed = kb.with("Idempotency-Key", "order-1");
        keyed.post("/accounts", json!({"currency": "USD"})).status(201);
        keyed.with_user(&keyed_user, "wonderful").post("/accounts", json!({"currency": "USD"})).status(401);
        kb.delete(format!("/security/users/{keyed_user}")).status(204);
    });
}

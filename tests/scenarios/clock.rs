//! The test clock: one tenant's alone, forwards and backwards.

use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

fn clock(kb: &Http) -> Value {
    kb.get("/test/clock").status(200).json()
}

/// Seconds from one of the clock's times to another.
fn seconds_between(earlier: &Value, later: &Value) -> i64 {
    let second = |clock: &Value| {
        clock["currentUtcTime"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
    };
    second(later) - second(earlier)
}

#[test]
fn the_clock_is_set_and_ticks_on() {
    scenario(|world| {
        let kb = world.killbill();
        let expected = json!({
            "currentUtcTime": "2031-02-03T04:05:06.000Z", "timeZone": "UTC", "localDate": "2031-02-03",
        });
        let set = |text: &str| kb.send("POST", format!("/test/clock?requestedDate={text}"), None::<&str>);
        for text in ["2031-02-03T04:05:06.789Z", "2031-02-03T04:05:06", "2031-02-03T06:05:06%2B02:00"] {
            assert_eq!(set(text).status(200).json(), expected, "{text}");
        }
        let later = clock(&kb);
        assert!((0..60).contains(&seconds_between(&expected, &later)), "{later}");
        assert_eq!(set("2031-02-03").status(200).json()["currentUtcTime"], "2031-02-03T00:00:00.000Z");

        let account = kb.post("/accounts", json!({"currency": "USD"})).status(201);
        let opened = kb.get(account.location()).json()["referenceTime"].as_str().unwrap().to_owned();
        assert!(opened.starts_with("2031-02-03T00:"), "{opened}");
        set("1999-12-31T23:59:59Z").status(200);
        assert!(clock(&kb)["currentUtcTime"].as_str().unwrap() < "2000-01-02", "backwards too");
    });
}

#[test]
fn the_clock_returns_to_the_real_time() {
    scenario(|world| {
        let kb = world.killbill();
        let real = clock(&kb);
        kb.send("PUT", "/test/clock?years=1", None::<&str>).status(200);
        let back = kb.send("POST", "/test/clock", None::<&str>).status(200).json();
        assert!((0..60).contains(&seconds_between(&real, &back)), "{real} {back}");
    });
}

#[test]
fn the_first_unit_that_is_there_moves_the_clock() {
    scenario(|world| {
        let kb = world.killbill();
        let moved = |query: &str| {
            kb.send("POST", "/test/clock?requestedDate=2024-01-31T10:00:00Z", None::<&str>).status(200);
            let put = kb.send("PUT", format!("/test/clock?{query}"), None::<&str>).status(200).json();
            put["currentUtcTime"].as_str().unwrap()[..13].to_owned()
        };
        for (query, expected) in [
            ("days=1", "2024-02-01T10"),
            ("days=-31", "2023-12-31T10"),
            ("weeks=2", "2024-02-14T10"),
            ("months=1", "2024-02-29T10"),
            ("years=-1", "2023-01-31T10"),
            ("years=1&months=1&weeks=1&days=2", "2024-02-02T10"),
            ("years=1&months=1", "2024-02-29T10"),
            ("timeoutSec=9", "2024-01-31T10"),
        ] {
            assert_eq!(moved(query), expected, "{query}");
        }
    });
}

#[test]
fn the_local_date_depends_on_the_zone() {
    scenario(|world| {
        let kb = world.killbill();
        let path = "/test/clock?requestedDate=2031-02-03T01:00:00Z&timeZone=America/New_York";
        let there = kb.send("POST", path, None::<&str>).status(200).json();
        assert_eq!(there["timeZone"], "America/New_York");
        assert_eq!(there["localDate"], "2031-02-02");
        let here = kb.get("/test/clock?timeZone=%2B02:00").status(200).json();
        assert_eq!(here["localDate"], "2031-02-03");
    });
}

#[test]
fn what_is_no_time_is_refused() {
    scenario(|world| {
        let kb = world.killbill();
        let before = clock(&kb);
        let wrong_zone = kb.get("/test/clock?timeZone=Mars/Base").status(400).json();
        assert_eq!(wrong_zone["message"], "The datetime zone id 'Mars/Base' is not recognised");
        for (method, query, status) in [
            ("POST", "requestedDate=tomorrow", 400),
            ("POST", "requestedDate=", 400),
            ("POST", "requestedDate=2031-02-30", 400),
            ("POST", "requestedDate=2031-02-03&timeZone=Mars/Base", 400),
            ("PUT", "days=1&timeZone=Mars/Base", 400),
            ("PUT", "days=x", 404),
            ("PUT", "days=99999999999", 404),
            ("PUT", "days=999999999", 400),
            ("PUT", "years=2147483647", 400),
            ("POST", "timeoutSec=x", 404),
        ] {
            kb.send(method, format!("/test/clock?{query}"), None::<&str>).status(status);
        }
        assert!((0..60).contains(&seconds_between(&before, &clock(&kb))), "it did not move");
    });
}

#[test]
fn one_tenants_clock_moves_no_others() {
    scenario(|world| {
        let (ours, theirs) = (world.killbill(), world.killbill_of(&world.another_tenant()));
        let before = clock(&theirs);
        ours.send("PUT", "/test/clock?years=5", None::<&str>).status(200);
        assert!((0..60).contains(&seconds_between(&before, &clock(&theirs))));
        assert!(seconds_between(&before, &clock(&ours)) > 5 * 365 * 86_400 - 60);
        ours.without("X-Killbill-ApiKey").get("/test/clock").status(401);
        ours.without("X-Killbill-CreatedBy").send("PUT", "/test/clock?days=1", None::<&str>).status(200);
    });
}

#[test]
fn the_queues_run_dry() {
    scenario(|world| {
        let kb = world.killbill();
        kb.get("/test/queues").status(200);
        kb.get("/test/queues?timeoutSec=1").status(200);
        kb.get("/test/queues?timeoutSec=soon").status(404);
    });
}

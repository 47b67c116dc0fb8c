//! The kinds of roles: every profile's and a profile's own.

use super::{Site, check_field, column, profile};
use crate::scenario;
use serde_json::json;

#[test]
fn every_profile_has_the_kinds_that_are_built_in() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let describe = format!("/api/profile/{acme}/roles/describe");
        let list = ann.get(&describe).status(200).json();
        assert_eq!(
            (&list["count"], &list["next"], &list["previous"]),
            (&json!(2), &json!(null), &json!(null))
        );
        assert_eq!(column(&list, "/slug"), ["contributor", "manager"]);
        let manager = json!({
            "created_at": list["results"][1]["created_at"], "slug": "manager", "title": "Profile Manager",
            "skip_optin_on_grant": false, "implicit_create_on_none": false, "otp_required": false,
            "is_global": true, "profile": null, "extra": null, "editable": false
        });
        assert_eq!(list["results"][1], manager);
        for name in ["manager", "managers", "Manager"] {
            assert_eq!(ann.get(format!("{describe}/{name}")).status(200).json(), manager);
        }
        ann.get(format!("{describe}/nothing")).status(404);

        // They are the site's: a profile's manager neither changes nor removes them, and the site removes none built in.
        ann.put(format!("{describe}/manager"), json!({ "title": "Boss" })).status(403);
        ann.delete(format!("{describe}/contributor")).status(403);
        let boss = site.manager("boss");
        boss.delete(format!("/api/profile/{}/roles/describe/contributor", site.broker())).status(403);
        let path = format!("{describe}/manager");
        let changed = boss.patch(&path, json!({ "title": "Boss" })).status(200).json();
        let wanted = (&json!("Boss"), &json!("manager"), &json!(true));
        assert_eq!((&changed["title"], &changed["slug"], &changed["editable"]), wanted);
    });
}

#[test]
fn a_profile_makes_changes_and_removes_kinds_of_its_own() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let describe = format!("/api/profile/{acme}/roles/describe");
        let body = json!({
            "title": "Support Desk", "skip_optin_on_grant": true, "otp_required": true, "extra": { "rank": 1 }
        });
        let made = ann.post(&describe, body).status(201).json();
        let mut wanted = json!({
            "created_at": made["created_at"], "slug": "support-desk", "title": "Support Desk",
            "skip_optin_on_grant": true, "implicit_create_on_none": false, "otp_required": true,
            "is_global": false, "profile": made["profile"], "extra": { "rank": 1 }, "editable": true
        });
        assert_eq!(made, wanted);
        let short = &made["profile"];
        assert_eq!((&short["slug"], &short["type"]), (&json!("acme"), &json!("organization")));
        assert_eq!(short["printable_name"], "Acme");

        let path = format!("{describe}/support-desk");
        assert_eq!(ann.get(&path).status(200).json(), wanted);
        let changed = ann.put(&path, json!({ "title": "Help", "otp_required": false })).status(200).json();
        wanted["title"] = json!("Help");
        wanted["otp_required"] = json!(false);
        assert_eq!(changed, wanted);
        let changed = ann.patch(&path, json!({ "extra": null })).status(200).json();
        wanted["extra"] = json!(null);
        assert_eq!(changed, wanted);

        // Another profile does not know it, and cannot take its slug.
        let bob = site.user("bob");
        let zeta = profile(&bob, "bob", "Zeta");
        bob.get(format!("/api/profile/{zeta}/roles/describe/support-desk")).status(404);
        let taken = json!({ "title": "Support desk" });
        check_field(
            &bob.post(format!("/api/profile/{zeta}/roles/describe"), taken).status(400).json(),
            "title",
        );

        // One that somebody has stays.
        let grant = json!({ "slug": "bob" });
        ann.post(format!("/api/profile/{acme}/roles/support-desk"), grant).status(201);
        let refused = ann.delete(&path).status(400).json();
        assert!(refused["detail"].is_string(), "{refused}");
        ann.delete(format!("/api/profile/{acme}/roles/support-desk/bob")).status(204);
        assert!(ann.delete(&path).status(204).bytes().is_empty());
        ann.get(&path).status(404);
    });
}

#[test]
fn the_sites_own_profile_makes_kinds_for_all() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        let acme = profile(&ann, "ann", "Acme");
        let of_site = format!("/api/profile/{}/roles/describe", site.broker());
        let made = boss.post(&of_site, json!({ "title": "Auditor" })).status(201).json();
        assert_eq!((&made["is_global"], &made["profile"]), (&json!(true), &json!(null)));
        let describe = format!("/api/profile/{acme}/roles/describe");
        ann.post(&describe, json!({ "title": "Zookeeper" })).status(201);
        let list = ann.get(&describe).status(200).json();
        assert_eq!(column(&list, "/slug"), ["auditor", "contributor", "manager", "zookeeper"]);
        let list = ann.get(format!("{describe}?o=-title&page_size=2&page=2")).status(200).json();
        assert_eq!(column(&list, "/slug"), ["contributor", "auditor"]);
        let list = ann.get(format!("{describe}?q=KEEPER,audi&q_f=title")).status(200).json();
        assert_eq!(column(&list, "/slug"), ["auditor", "zookeeper"]);
        ann.get(format!("{describe}?page=2")).status(404);
    });
}

#[test]
fn bad_kinds_are_refused() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let describe = format!("/api/profile/{acme}/roles/describe");
        let long = "x".repeat(21);
        for (body, field) in [
            (json!({}), "title"),
            (json!({ "title": "" }), "title"),
            (json!({ "title": "!!!" }), "title"),
            (json!({ "title": long }), "title"),
            (json!({ "title": 1 }), "title"),
            (json!({ "title": "Manager" }), "title"),
            (json!({ "title": "Managers" }), "title"),
            (json!({ "title": "Describe" }), "title"),
            (json!({ "title": "Accept" }), "title"),
            (json!({ "title": "x", "otp_required": "perhaps" }), "otp_required"),
            (json!({ "title": "x", "extra": 5 }), "extra"),
        ] {
            check_field(&ann.post(&describe, body).status(400).json(), field);
        }
        let longest = "x".repeat(20);
        ann.post(&describe, json!({ "title": longest })).status(201);
        check_field(&ann.put(format!("{describe}/{longest}"), json!({})).status(400).json(), "title");
        ann.get("/api/profile/nobody/roles/describe").status(404);
    });
}

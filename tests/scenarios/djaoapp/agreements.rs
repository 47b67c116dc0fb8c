//! Legal agreements: kept by the site, read by anybody, signed by users, asked for by guards.

use super::{Site, check_field, column, profile};
use crate::scenario;
use serde_json::json;

#[test]
fn agreements_are_made_read_changed_and_deleted() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let body = json!({ "title": "Privacy", "updated_at": "2024-02-01", "text": "<p>We keep it</p>" });
        let made = boss.post("/api/agreements", body).status(201);
        assert_eq!(made.location(), format!("{}/api/agreements/privacy", site.base()));
        let short = json!({ "slug": "privacy", "title": "Privacy", "updated_at": "2024-02-01T00:00:00Z" });
        assert_eq!(made.json(), short);
        let mut detail = short.clone();
        detail["text"] = json!("<p>We keep it</p>");
        assert_eq!(boss.get("/api/agreements/privacy").status(200).json(), detail);
        assert_eq!(site.visitor().get("/api/legal/privacy").status(200).json(), detail);

        let change = json!({ "title": "Privacy policy", "updated_at": "2024-03-01T12:00:00+02:00" });
        detail["title"] = json!("Privacy policy");
        detail["updated_at"] = json!("2024-03-01T10:00:00Z");
        assert_eq!(boss.put("/api/agreements/privacy", change).status(200).json(), detail);
        detail["text"] = json!("");
        assert_eq!(boss.patch("/api/agreements/privacy", json!({ "text": "" })).status(200).json(), detail);

        boss.post("/api/agreements", json!({ "title": "Security" })).status(201);
        for list in [site.visitor().get("/api/legal?o=-title"), boss.get("/api/agreements?o=-title")] {
            let list = list.status(200).json();
            assert_eq!(
                (column(&list, "/slug"), &list["count"]),
                (vec!["security".to_owned(), "privacy".to_owned()], &json!(2))
            );
            assert_eq!(list["results"][1].get("text"), None);
        }
        assert_eq!(
            column(&site.visitor().get("/api/legal?q=POLICY").status(200).json(), "/slug"),
            ["privacy"]
        );
        assert_eq!(
            column(&site.visitor().get("/api/legal?page_size=1&page=2").status(200).json(), "/slug"),
            ["security"]
        );

        assert!(boss.delete("/api/agreements/privacy").status(204).bytes().is_empty());
        boss.delete("/api/agreements/privacy").status(404);
        site.visitor().get("/api/legal/privacy").status(404);
        let other = Site::new(world);
        other.visitor().get("/api/legal/security").status(404);
    });
}

#[test]
fn bad_agreements_are_refused() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        for (body, field) in [
            (json!({}), "title"),
            (json!({ "title": "" }), "title"),
            (json!({ "title": "???" }), "title"),
            (json!({ "title": "x".repeat(151) }), "title"),
            (json!({ "title": "Terms", "updated_at": "yesterday" }), "updated_at"),
            (json!({ "title": "Terms", "updated_at": "2024-02-30" }), "updated_at"),
            (json!({ "title": "Terms", "text": 1 }), "text"),
        ] {
            check_field(&boss.post("/api/agreements", body).status(400).json(), field);
        }
        boss.post("/api/agreements", json!({ "title": "Security" })).status(201);
        check_field(
            &boss.post("/api/agreements", json!({ "title": "SECURITY!" })).status(400).json(),
            "title",
        );
        check_field(
            &boss.put("/api/agreements/security", json!({ "title": "x" })).status(400).json(),
            "updated_at",
        );
        check_field(
            &boss.put("/api/agreements/security", json!({ "updated_at": "2024-01-01" })).status(400).json(),
            "title",
        );
        boss.put("/api/agreements/nothing", json!({ "title": "x", "updated_at": "2024-01-01" })).status(404);
        site.visitor().post("/api/legal/nothing", json!({})).status(404);
        check_field(
            &site.visitor().post("/api/legal/security", json!({ "analytics": "?" })).status(400).json(),
            "analytics",
        );
    });
}

#[test]
fn the_terms_are_signed_before_anything_else_and_again_when_they_change() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        let acme = profile(&ann, "ann", "Acme");
        let roles = format!("/api/profile/{acme}/roles");
        ann.get(&roles).status(200);
        boss.post("/api/agreements", json!({ "title": "Terms of Use" })).status(201);
        // Now they are closed to everybody, those who manage the site among them; some calls stay open.
        for client in [&ann, &boss] {
            let refused = client.get(&roles).status(403).json();
            assert!(refused["detail"].as_str().unwrap().contains("sign the terms"), "{refused}");
        }
        ann.get(format!("/api/profile/{acme}")).status(200);
        ann.get("/api/users/ann").status(200);

        let sign = "/api/legal/terms-of-use/sign";
        check_field(&ann.post(sign, json!({})).status(400).json(), "read_terms");
        check_field(&ann.post(sign, json!({ "read_terms": false })).status(400).json(), "read_terms");
        ann.get(&roles).status(403);
        ann.post("/api/legal/nothing/sign", json!({ "read_terms": true })).status(404);
        site.visitor().post(sign, json!({ "read_terms": true })).status(403);
        let signed = ann.post(sign, json!({ "read_terms": true })).status(200).json();
        assert_eq!(signed["read_terms"], true);
        assert!(signed["last_signed"].as_str().unwrap().ends_with('Z'), "{signed}");
        ann.get(&roles).status(200);
        boss.get(&roles).status(403);
        boss.post(sign, json!({ "read_terms": true })).status(200);

        // Later terms are signed anew, also when they are still to come; earlier ones are covered.
        let change = |at: &str| boss.patch("/api/agreements/terms-of-use", json!({ "updated_at": at }));
        change("2020-01-01").status(200);
        ann.get(&roles).status(200);
        change("2090-01-01").status(200);
        ann.get(&roles).status(403);
        let signed = ann.post(sign, json!({ "read_terms": true })).status(200).json();
        assert_eq!(signed["last_signed"], "2090-01-01T00:00:00Z");
        ann.get(&roles).status(200);
        boss.post(sign, json!({ "read_terms": true })).status(200);

        // With the agreement its signatures go.
        boss.delete("/api/agreements/terms-of-use").status(204);
        ann.get(&roles).status(200);
        boss.post("/api/agreements", json!({ "title": "Terms of use" })).status(201);
        ann.get(&roles).status(403);
    });
}

#[test]
fn a_visitor_chooses_which_cookies_to_allow() {
    scenario(|world| {
        let site = Site::new(world);
        site.manager("boss").post("/api/agreements", json!({ "title": "Privacy" })).status(201);
        let visitor = site.visitor();
        let body = json!({ "analytics": false, "social_media": true });
        let chosen = visitor.post("/api/legal/privacy", body).status(200);
        assert_eq!(chosen.json()["slug"], "privacy");
        let cookie = chosen.header("Set-Cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(cookie, "cookie_choice=analytics:no.social_media:yes");
        // What he chose before stays unless he changes it; what else the cookie has is dropped.
        let known = visitor.with("Cookie", format!("x=1; {cookie}.spam:yes"));
        let chosen = known.post("/api/legal/privacy", json!({ "analytics": true })).status(200);
        assert!(
            chosen.header("Set-Cookie").unwrap().starts_with("cookie_choice=analytics:yes.social_media:yes;")
        );
    });
}

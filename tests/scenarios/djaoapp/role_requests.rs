//! Roles that users ask for.

use super::{Site, check_field, column, path_of, profile};
use crate::scenario;
use serde_json::json;

#[test]
fn a_request_is_granted() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        let body = json!({ "slug": acme, "message": "Let me in" });
        let asked = bob.post("/api/users/bob/accessibles", body).status(201).json();
        let key = asked["request_key"].as_str().unwrap();
        assert!(key.len() == 40 && asked["role_description"].is_null(), "{asked}");
        assert_eq!(asked["accept_grant_api_url"], json!(null));
        assert_eq!(asked["profile"]["slug"], json!(acme));
        let base = site.base();
        assert_eq!(asked["remove_api_url"], format!("{base}/api/users/bob/accessibles/manager/acme"));
        bob.get(format!("/api/profile/{acme}/roles")).status(403);
        let text = &site.mails_to("ann@people.test")[0];
        assert!(text.contains("bob asks for a role on Acme") && text.contains("Let me in"), "{text}");

        // The manager sees it beneath every kind, and grants it where it says.
        let list = ann.get(format!("/api/profile/{acme}/roles/contributor")).status(200).json();
        assert_eq!(
            (&list["count"], &list["requested_count"], &list["invited_count"]),
            (&json!(1), &json!(1), &json!(0))
        );
        let role = &list["results"][0];
        assert_eq!((&role["user"]["slug"], &role["role_description"]), (&json!("bob"), &json!(null)));
        assert_eq!(path_of(&role["accept_request_api_url"]), "/api/profile/acme/roles/manager");
        assert_eq!(path_of(&role["remove_api_url"]), "/api/profile/acme/roles/manager/bob");
        // Sent again, it reaches the manager again, unless she does not want such mail.
        bob.post("/api/users/bob/accessibles/manager/acme", json!({})).status(200);
        assert_eq!(site.mails_to("ann@people.test").len(), 2);
        ann.put("/api/users/ann/notifications", json!({ "notifications": [] })).status(200);
        bob.post("/api/users/bob/accessibles", json!({ "slug": acme })).status(200);
        assert_eq!(site.mails_to("ann@people.test").len(), 2);

        let path = format!("/api/profile/{acme}/roles/contributor");
        let granted = ann.post(&path, json!({ "slug": "bob" })).status(200).json();
        assert_eq!((&granted["grant_key"], &granted["accept_request_api_url"]), (&json!(null), &json!(null)));
        assert_eq!(granted["role_description"]["slug"], "contributor");
        let list = bob.get("/api/users/bob/accessibles").status(200).json();
        assert_eq!((&list["requested_count"], &list["results"][0]["request_key"]), (&json!(0), &json!(null)));
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
        // Asked for again, it is there; another kind beside it is refused.
        bob.post("/api/users/bob/accessibles/contributor", json!({ "slug": acme })).status(200);
        bob.post("/api/users/bob/accessibles/manager", json!({ "slug": acme })).status(400);
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
    });
}

#[test]
fn a_request_is_refused_or_withdrawn() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        bob.post("/api/users/bob/accessibles/contributor", json!({ "slug": acme })).status(201);
        let role = ann.get(format!("/api/profile/{acme}/roles/contributor/bob")).status(200).json();
        assert_eq!(path_of(&role["accept_request_api_url"]), "/api/profile/acme/roles/contributor");
        ann.delete(path_of(&role["remove_api_url"])).status(204);
        assert_eq!(bob.get("/api/users/bob/accessibles").status(200).json()["count"], 0);

        bob.post("/api/users/bob/accessibles", json!({ "slug": acme })).status(201);
        bob.delete("/api/users/bob/accessibles/manager/acme").status(204);
        bob.delete("/api/users/bob/accessibles/manager/acme").status(404);
        bob.get("/api/users/bob/accessibles/manager/acme").status(404);
        bob.post("/api/users/bob/accessibles/manager/acme", json!({})).status(404);
        assert_eq!(ann.get(format!("/api/profile/{acme}/roles")).status(200).json()["count"], 1);
    });
}

#[test]
fn a_request_of_who_is_invited_accepts() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, carl) = (site.user("ann"), site.user("bob"), site.user("carl"));
        let acme = profile(&ann, "ann", "Acme");
        for name in ["bob", "carl"] {
            ann.post(format!("/api/profile/{acme}/roles/contributor"), json!({ "slug": name })).status(201);
        }
        let mine = bob.post("/api/users/bob/accessibles", json!({ "slug": acme })).status(200).json();
        assert_eq!((&mine["request_key"], &mine["accept_grant_api_url"]), (&json!(null), &json!(null)));
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
        // Another kind than he is invited to is a request.
        let mine =
            carl.post("/api/users/carl/accessibles/manager", json!({ "slug": acme })).status(200).json();
        assert!(mine["request_key"].is_string() && mine["accept_grant_api_url"].is_null(), "{mine}");
        carl.get(format!("/api/profile/{acme}/roles")).status(403);
    });
}

#[test]
fn a_profile_that_is_unknown_is_made_when_forced() {
    scenario(|world| {
        let site = Site::new(world);
        let (bob, boss) = (site.user("bob"), site.manager("boss"));
        let path = "/api/users/bob/accessibles";
        let body = json!({ "slug": "future-inc", "email": "office@future.test" });
        bob.post(path, body.clone()).status(404);
        let asked = bob.post(format!("{path}?force=1"), body).status(201).json();
        assert_eq!(asked["profile"]["slug"], "future-inc");
        assert!(asked["request_key"].is_string());
        // By its address it is found now.
        bob.post(path, json!({ "email": "Office@future.test" })).status(200);
        bob.get("/api/profile/future-inc/roles").status(403);
        let list = boss.get("/api/profile/future-inc/roles").status(200).json();
        assert_eq!(
            (column(&list, "/user/slug"), &list["requested_count"]),
            (vec!["bob".to_owned()], &json!(1))
        );
        boss.post("/api/profile/future-inc/roles/manager", json!({ "slug": "bob" })).status(200);
        bob.get("/api/profile/future-inc/roles").status(200);

        for (body, field) in [
            (json!({}), "slug"),
            (json!({ "slug": "other" }), "email"),
            (json!({ "email": "no address" }), "email"),
            (json!({ "slug": "future-inc", "message": "x".repeat(256) }), "message"),
        ] {
            check_field(&bob.post(format!("{path}?force=1"), body).status(400).json(), field);
        }
        bob.post(format!("{path}/nothing"), json!({ "slug": "future-inc" })).status(404);
        bob.post("/api/users/boss/accessibles", json!({ "slug": "future-inc" })).status(403);
    });
}

#[test]
fn a_persons_own_profile_is_hidden() {
    scenario(|world| {
        let site = Site::new(world);
        let bob = site.user("bob");
        let body = json!({ "full_name": "Bob", "type": "personal", "slug": "bob" });
        bob.post("/api/users/bob/profiles", body).status(201);
        let list = |query: &str| bob.get(format!("/api/users/bob/accessibles{query}")).status(200).json();
        assert_eq!(list("")["count"], 0);
        assert_eq!(list("?include_personal_profile=0")["count"], 0);
        let whole = list("?include_personal_profile=1");
        assert_eq!(
            (column(&whole, "/profile/slug"), column(&whole, "/profile/type")),
            (vec!["bob".to_owned()], vec!["personal".to_owned()])
        );
        assert_eq!(whole["results"][0]["profile"]["credentials"], true);
        assert_eq!(list("/manager?include_personal_profile=true")["count"], 1);
    });
}

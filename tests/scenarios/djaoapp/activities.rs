//! What is written down about profiles and users, and what visitors write.

use super::{Site, check_field, column, profile};
use crate::scenario;
use serde_json::json;

#[test]
fn notes_are_kept_about_profiles_and_users() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        let acme = profile(&ann, "ann", "Acme");
        let body = json!({ "text": "Phone call", "contact": "ann" });
        let made = boss.post(format!("/api/activities/{acme}"), body).status(201).json();
        let short =
            |name: &str| json!({ "slug": name, "username": name, "printable_name": name, "picture": null });
        let wanted = json!({
            "created_at": made["created_at"], "created_by": short("boss"), "text": "Phone call",
            "account": made["account"], "contact": short("ann"), "extra": null
        });
        assert_eq!(made, wanted);
        assert_eq!(
            (&made["account"]["slug"], &made["account"]["type"]),
            (&json!("acme"), &json!("organization"))
        );
        let body = json!({ "text": "Follow up", "account": null });
        let made = boss.post("/api/contacts/ann/activities", body).status(201).json();
        assert_eq!((&made["account"], &made["contact"]["slug"]), (&json!(null), &json!("ann")));
        let body = json!({ "text": "Third", "account": acme });
        boss.post("/api/contacts/ann/activities", body).status(201);
        boss.post(format!("/api/activities/{acme}"), json!({ "text": "Alone", "contact": null })).status(201);

        let texts = |path: &str| column(&boss.get(path).status(200).json(), "/text").join(",");
        assert_eq!(texts("/api/activities"), "Alone,Third,Follow up,Phone call");
        assert_eq!(texts("/api/activities/acme"), "Alone,Third,Phone call");
        assert_eq!(texts("/api/contacts/ann/activities"), "Phone call,Follow up,Third");
        assert_eq!(texts("/api/contacts/ann/activities?page_size=2&page=2"), "Third");
        assert_eq!(texts("/api/activities?q=up%20phone&o=created_at"), "Phone call,Follow up");
        assert_eq!(boss.get("/api/activities/acme").status(200).json()["results"][2], wanted);
        // The profile itself brings them, too, but not to its own managers.
        let whole =
            |client: &testkit::Http| client.get("/api/profile/acme").status(200).json()["activities"].clone();
        assert_eq!(whole(&boss)[2], wanted);
        assert_eq!((whole(&boss).as_array().map(Vec::len), whole(&ann)), (Some(3), json!([])));
        let contacts = boss.get("/api/activities/acme/contacts").status(200).json();
        assert_eq!(contacts["results"], json!([short("ann")]));
        site.user("bob");
        boss.post("/api/activities/acme", json!({ "text": "x", "contact": "bob" })).status(201);
        assert_eq!(
            column(&boss.get("/api/activities/acme/contacts?q=o&q_f=username").status(200).json(), "/slug"),
            ["bob"]
        );
    });
}

#[test]
fn contacts_are_the_users_of_the_site() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        let body = json!({ "full_name": "Xia Lee", "email": "xia@else.test" });
        let made = boss.post("/api/contacts", body).status(201).json();
        assert_eq!((&made["full_name"], &made["credentials"]), (&json!("Xia Lee"), &json!(false)));
        let path = format!("/api/contacts/{}", made["username"].as_str().unwrap());
        assert_eq!(boss.get(&path).status(200).json(), made);
        let changed = boss.patch(&path, json!({ "nick_name": "Xi" })).status(200).json();
        assert_eq!((&changed["nick_name"], &changed["full_name"]), (&json!("Xi"), &json!("Xia Lee")));
        check_field(&boss.put(&path, json!({ "nick_name": "Xi" })).status(400).json(), "full_name");
        check_field(&boss.post(format!("{path}/picture"), json!({})).status(400).json(), "file");
        let list = boss.get("/api/contacts?q=xia").status(200).json();
        assert_eq!(list, boss.get("/api/contacts?q=xia").status(200).json());
        assert_eq!(column(&list, "/printable_name").len(), 1);
        // Even about herself, only the site's managers see a contact.
        ann.get("/api/contacts/ann").status(403);
        boss.delete(&path).status(204);
        boss.get(&path).status(404);
    });
}

#[test]
fn bad_notes_are_refused() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        profile(&ann, "ann", "Acme");
        for (path, body, field) in [
            ("/api/activities/acme", json!({}), "text"),
            ("/api/activities/acme", json!({ "text": " " }), "text"),
            ("/api/activities/acme", json!({ "text": "x".repeat(10_001) }), "text"),
            ("/api/activities/acme", json!({ "text": "x", "contact": "nobody" }), "contact"),
            ("/api/contacts/ann/activities", json!({ "account": "acme" }), "text"),
            ("/api/contacts/ann/activities", json!({ "text": "x", "account": "nothing" }), "account"),
        ] {
            check_field(&boss.post(path, body).status(400).json(), field);
        }
        boss.post("/api/activities/acme", json!({ "text": "x".repeat(10_000) })).status(201);
        boss.post("/api/activities/nothing", json!({ "text": "x" })).status(404);
        boss.get("/api/activities/nothing/contacts").status(404);
        boss.get("/api/contacts/nobody/activities").status(404);
        boss.post("/api/contacts/nobody/activities", json!({ "text": "x" })).status(404);
    });
}

#[test]
fn visitors_write_to_the_site() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let visitor = site.visitor();
        let body = json!({
            "full_name": "Xia Lee", "email": "xia@else.test", "message": "Hello\nthere", "company": "Lee & Co",
            "g-recaptcha-response": "abc"
        });
        let sent = visitor.post("/api/contact", body).status(200).json();
        assert!(sent["detail"].is_string(), "{sent}");
        let list = boss.get("/api/activities").status(200).json();
        assert_eq!(list["results"][0]["text"], "Xia Lee <xia@else.test>: Hello\nthere\ncompany: Lee & Co");
        assert_eq!(list["results"][0]["created_by"], json!(null));
        assert_eq!(list["results"][0]["account"]["slug"], json!(site.broker()));
        let text = &site.mails_to("boss@people.test")[0];
        assert!(text.contains("Lee & Co") && !text.contains("abc"), "{text}");

        // To a profile, if it is named.
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let body = json!({ "full_name": "Xia", "email": "xia@else.test", "provider": acme });
        visitor.post("/api/contact", body).status(200);
        assert_eq!(site.mails_to("ann@people.test").len(), 1);
        ann.put("/api/users/ann/notifications", json!({ "notifications": [] })).status(200);
        let form = visitor.with("Content-Type", "application/x-www-form-urlencoded");
        let form =
            form.send("POST", "/api/contact", Some("full_name=Xia&email=xia%40else.test&provider=acme"));
        form.status(200);
        assert_eq!(site.mails_to("ann@people.test").len(), 1);
        assert_eq!(boss.get(format!("/api/activities/{acme}")).status(200).json()["count"], 2);

        for (body, field) in [
            (json!({ "email": "xia@else.test" }), "full_name"),
            (json!({ "full_name": "Xia" }), "email"),
            (json!({ "full_name": "Xia", "email": "xia" }), "email"),
            (json!({ "full_name": "x".repeat(101), "email": "xia@else.test" }), "full_name"),
        ] {
            check_field(&visitor.post("/api/contact", body).status(400).json(), field);
        }
        let body = json!({ "full_name": "Xia", "email": "xia@else.test", "provider": "nothing" });
        visitor.post("/api/contact", body).status(404);
    });
}

#[test]
fn nobody_floods_the_site_with_messages() {
    scenario(|world| {
        let site = Site::new(world);
        let body = json!({ "full_name": "Eve", "email": "eve@else.test", "message": "Spam" });
        for _ in 0..60 {
            site.visitor().post("/api/contact", body.clone()).status(200);
        }
        let refused = site.visitor().post("/api/contact", body).status(429);
        assert_eq!(refused.header("retry-after"), Some("900"));
        let refused = refused.json();
        assert!(refused["detail"].is_string(), "{refused}");
    });
}

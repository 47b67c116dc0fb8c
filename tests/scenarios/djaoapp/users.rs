//! Users: listed, made, changed, their mail, their leaving; and candidates for what somebody types.

use super::{PASSWORD, Site, check_field, path_of};
use crate::scenario;
use operations::guessing::{self, Subject};
use serde_json::{Value, json};

#[test]
fn a_user_is_made_read_changed_and_deleted() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let body = json!({
            "username": "ann.b+c_y-z", "email": "Ann@People.test", "phone": "650-253-0000", "full_name": "Ann Doe",
            "lang": "fr", "extra": { "k": 1 }
        });
        let made = boss.post("/api/users", body).status(201);
        assert_eq!(made.location(), format!("{}/api/users/ann.b+c_y-z", site.base()));
        let made = made.json();
        let mut wanted = json!({
            "slug": "ann.b+c_y-z", "username": "ann.b+c_y-z", "printable_name": "Ann", "picture": null,
            "email": "ann@people.test", "phone": "+16502530000", "full_name": "Ann Doe", "nick_name": "Ann",
            "lang": "fr", "credentials": false, "otp_enabled": false, "extra": { "k": 1 },
            "created_at": made["created_at"], "last_login": null
        });
        assert_eq!(made, wanted);
        let path = "/api/users/ann.b+c_y-z";
        assert_eq!(boss.get(path).status(200).json(), wanted);

        let change =
            json!({ "full_name": "Ann Roe", "nick_name": "Annie", "phone": null, "username": "ann" });
        let mut changed = boss.put(path, change).status(200).json();
        assert!(changed["detail"].is_string());
        changed.as_object_mut().unwrap().remove("detail");
        for (name, value) in [
            ("slug", json!("ann")),
            ("username", json!("ann")),
            ("printable_name", json!("Annie")),
            ("full_name", json!("Ann Roe")),
            ("nick_name", json!("Annie")),
            ("phone", json!(null)),
        ] {
            wanted[name] = value;
        }
        assert_eq!(changed, wanted);
        boss.get(path).status(404);
        assert_eq!(boss.get("/api/users/ann").status(200).json(), wanted);
        check_field(&boss.put("/api/users/ann", json!({ "lang": "en" })).status(400).json(), "full_name");

        assert!(boss.delete("/api/users/ann").status(204).bytes().is_empty());
        boss.get("/api/users/ann").status(404);
        boss.patch("/api/users/ann", json!({})).status(404);
        boss.delete("/api/users/ann").status(404);
        // His name and address can be had again.
        let again = json!({ "username": "ann", "email": "ann@people.test", "full_name": "Another" });
        boss.post("/api/users", again).status(201);
    });
}

#[test]
fn a_user_may_be_named_after_his_address_and_have_a_password() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let make = |body: Value| boss.post("/api/users", body).status(201).json();
        let first = make(json!({ "full_name": "Ann", "email": "ann@a.test", "new_password": "0123456789" }));
        assert_eq!((&first["username"], &first["credentials"]), (&json!("ann"), &json!(true)));
        let second = make(json!({ "full_name": "Ann", "email": "ann@b.test" }));
        let name = second["username"].as_str().unwrap();
        assert!(name.starts_with("ann-") && name.len() == 16, "{name}");
        let third = make(json!({ "full_name": "Ann", "phone": "+33 1 42 68 53 00" }));
        assert!(third["username"].as_str().unwrap().starts_with("ann-"), "{third}");
        let fourth = make(json!({ "full_name": "Bob", "email": "4155552671@a.test" }));
        assert!(fourth["username"].as_str().unwrap().starts_with("user"), "{fourth}");
        assert_eq!(third["phone"], "+33142685300");

        let neither = boss.post("/api/users", json!({ "full_name": "Ann" })).status(400).json();
        assert!(neither["email"][0].is_string() && neither["phone"][0].is_string(), "{neither}");
        let short = json!({ "full_name": "Ann", "email": "c@c.test", "new_password": "012345678" });
        check_field(&boss.post("/api/users", short).status(400).json(), "new_password");
        check_field(&boss.post("/api/users", json!({ "email": "c@c.test" })).status(400).json(), "full_name");
    });
}

#[test]
fn names_addresses_and_phones_are_one_users() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        ann.patch("/api/users/ann", json!({ "phone": "+33142685300" })).status(200);
        site.user("bob");
        for (field, value) in [
            ("username", "ann"),
            ("username", site.broker()),
            ("email", "ANN@people.test"),
            ("phone", "+33 1 42 68 53 00"),
        ] {
            let refused = boss.patch("/api/users/bob", json!({ field: value })).status(400).json();
            assert_eq!(refused, json!({ field: format!("This {field} is already taken.") }));
            let mut new = json!({ "username": "new", "email": "new@x.test", "full_name": "New" });
            new[field] = json!(value);
            check_field(&boss.post("/api/users", new).status(400).json(), field);
        }
        // What is his own is not taken.
        ann.patch("/api/users/ann", json!({ "username": "ann", "email": "ann@people.test" })).status(200);
        // Another site has its own.
        Site::new(world).user("ann").patch("/api/users/ann", json!({ "phone": "+33142685300" })).status(200);
    });
}

#[test]
fn every_field_of_a_user_has_its_limits() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let email = |length: usize| format!("a@{}.test", "x".repeat(length - 7));
        let taken = [
            ("full_name", json!("é".repeat(60))),
            ("nick_name", json!("é".repeat(60))),
            ("email", json!(email(254))),
            ("lang", json!("zh-hans")),
            ("phone", json!(null)),
            ("picture", json!("https://x.test/a.png")),
            ("extra", json!("text")),
        ];
        for (field, value) in taken {
            let shown = ann.patch("/api/users/ann", json!({ field: value })).status(200).json();
            assert_eq!(shown[field], value, "{field}");
            assert_eq!(ann.get("/api/users/ann").status(200).json()[field], value, "{field}");
        }
        let before = ann.get("/api/users/ann").status(200).json();
        let refused = [
            ("username", json!("x".repeat(151))),
            ("username", json!("")),
            ("username", json!("a b")),
            ("username", json!("bob@people.test")),
            ("username", json!("+14155552671")),
            ("full_name", json!("é".repeat(61))),
            ("full_name", json!("")),
            ("nick_name", json!("é".repeat(61))),
            ("email", json!(email(255))),
            ("email", json!("ann")),
            ("phone", json!("12")),
            ("lang", json!("english")),
            ("picture", json!("/x.png")),
            ("extra", json!(7)),
        ];
        for (field, value) in refused {
            check_field(&ann.patch("/api/users/ann", json!({ field: value })).status(400).json(), field);
            let mut new = json!({ "username": "new", "email": "new@x.test", "full_name": "New" });
            check_field(
                &ann.put("/api/users/ann", json!({ "full_name": "A", field: value })).status(400).json(),
                field,
            );
            new[field] = value;
            check_field(&boss.post("/api/users", new).status(400).json(), field);
        }
        assert_eq!(ann.get("/api/users/ann").status(200).json(), before);
        let long = json!({ "username": "x".repeat(150) });
        ann.patch("/api/users/ann", long).status(200);
        ann.get(format!("/api/users/{}", "x".repeat(150))).status(200);
    });
}

#[test]
fn who_may_do_what_with_a_user() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, cid) = (site.user("ann"), site.user("bob"), site.user("cid"));
        let (boss, aide) = (site.manager("boss"), site.user("aide"));
        site.give_role("aide", site.broker(), "contributor");
        for reader in [&ann, &boss, &aide] {
            reader.get("/api/users/ann").status(200);
            reader.get("/api/users/ann/notifications").status(200);
        }
        for stranger in [&bob, &site.visitor()] {
            let denied = stranger.get("/api/users/ann").status(403).json();
            assert_eq!(denied, json!({ "detail": "Permission denied" }));
            stranger.get("/api/users/ann/notifications").status(403);
            stranger.get("/api/users").status(403);
        }
        for silent in [&bob, &aide, &site.visitor()] {
            silent.patch("/api/users/ann", json!({ "full_name": 1 })).status(403);
            silent.put("/api/users/ann", json!({})).status(403);
            silent.delete("/api/users/ann").status(403);
            silent.put("/api/users/ann/notifications", json!({})).status(403);
            silent.post("/api/users", json!({})).status(403);
        }
        aide.get("/api/users").status(200);
        boss.patch("/api/users/ann", json!({ "full_name": "Ann" })).status(200);

        // Whoever manages a profile of hers may act for her, a contributor look.
        ann.post("/api/users/ann/profiles", json!({ "full_name": "Acme" })).status(201);
        site.give_role("cid", "acme", "contributor");
        cid.get("/api/users/ann").status(200);
        cid.patch("/api/users/ann", json!({ "full_name": "C" })).status(403);
        site.give_role("cid", "acme", "manager");
        cid.patch("/api/users/ann", json!({ "full_name": "C" })).status(200);

        // But he does not become her: not by what she logs in with, nor by where she recovers her password.
        let same = json!({ "username": "ann", "email": "Ann@people.test", "phone": "" });
        cid.patch("/api/users/ann", same).status(200);
        for change in [
            json!({ "email": "cid2@people.test" }),
            json!({ "email": null }),
            json!({ "phone": "+33142685300" }),
            json!({ "username": "ann2" }),
        ] {
            cid.patch("/api/users/ann", change.clone()).status(403);
            boss.patch("/api/users/ann", change).status(200);
            boss.patch("/api/users/ann2", json!({ "username": "ann" }));
        }

        // Another site knows nobody here.
        let other = Site::new(world);
        other.manager("boss").get("/api/users/ann").status(404);
        assert_eq!(other.manager("chief").get("/api/users").status(200).json()["count"], 2);
        boss.get("/api/users/nobody").status(404);
    });
}

#[test]
fn a_deleted_user_is_forgotten_but_by_the_books() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, killbill) = (site.user("ann"), site.killbill());
        let said = json!({ "type": "personal", "full_name": "Ann Doe", "phone": "+16502530000",
            "street_address": "1 Main St", "extra": "secret" });
        ann.post("/api/users/ann/profiles", said.clone()).status(201);
        check_field(&ann.post("/api/users/ann/profiles", said).status(400).json(), "type");
        ann.delete("/api/users/ann").status(204);
        let kept: String = site.inside(|tx, scene| {
            let sql = "SELECT slug || name || COALESCE(email, '') || COALESCE(phone, '') || COALESCE(street_address, '')
                    || COALESCE(extra, '') || search_text
                 FROM organizations WHERE tenant_id = $1 AND kind = 'personal' AND slug LIKE '_archive_%'";
            let mut row = tx.query_optional(sql, &[scene.tenant.tenant_id.0.into()])?.unwrap();
            Ok(row.next()?)
        });
        for known in ["ann", "Doe", "650253", "Main", "main", "secret"] {
            assert!(!kept.contains(known), "{known} in {kept}");
        }
        let account = killbill.get("/accounts?externalKey=ann").status(200).json();
        assert_eq!((&account["name"], &account["address1"]), (&json!("Ann Doe"), &json!("1 Main St")));
    });
}

#[test]
fn a_deleted_user_is_logged_out() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        ann.post("/api/users/ann/profiles", json!({ "full_name": "Acme" })).status(201);
        ann.delete("/api/users/ann").status(204);
        ann.get("/api/profile/acme").status(403);
        ann.get("/api/accounts").status(403);
        // A new user of that name has nothing of the old one.
        let again = site.user("ann");
        again.get("/api/profile/acme").status(403);
        assert_eq!(again.get("/api/users/ann/profiles").status(200).json()["count"], 0);
        boss.get("/api/profile/acme").status(200);
    });
}

#[test]
fn users_are_searched_sorted_and_paged() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, killbill) = (site.manager("boss"), site.killbill());
        for (day, (name, full_name)) in
            [("dan", "Zoe Dan"), ("bea", "Bea Young"), ("cid", "Cid Xerxes")].into_iter().enumerate()
        {
            killbill.post(format!("/test/clock?requestedDate=2030-01-0{}", day + 1), json!({})).status(200);
            let body = json!({ "username": name, "email": format!("{name}@x.test"), "full_name": full_name });
            boss.post("/api/users", body).status(201);
        }
        killbill.post("/test/clock?requestedDate=2030-02-01", json!({})).status(200);
        let list = |query: &str| boss.get(format!("/api/users?{query}")).status(200).json();
        let found = |query: &str| {
            let page = list(query);
            let names: Vec<&str> = page["results"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["slug"].as_str().unwrap())
                .collect();
            names.join(",")
        };
        assert_eq!(found(""), "bea,cid,dan,boss");
        assert_eq!(found("o=-created_at&start_at=2030-01-01"), "cid,bea,dan");
        assert_eq!(found("o=-full_name,created_at"), "boss,dan,cid,bea");
        assert_eq!(found("o=date_joined&ends_at=2030-01-03&start_at=2030-01-01"), "dan,bea");
        assert_eq!(found("q=dan+BEA"), "bea,dan");
        assert_eq!(found("q=x.test&q_f=username"), "");
        assert_eq!(found("q=x.test&q_f=email"), "bea,cid,dan");
        let page = list("page_size=3&page=last");
        assert_eq!((page["count"].clone(), page["next"].clone()), (json!(4), json!(null)));
        assert_eq!(
            boss.get(path_of(&page["previous"])).status(200).json()["results"].as_array().unwrap().len(),
            3
        );
        let wanted =
            json!({ "slug": "bea", "username": "bea", "printable_name": "Bea Young", "picture": null });
        assert_eq!(list("q=bea")["results"], json!([wanted]));
        boss.get("/api/users?page=2").status(404);
    });
}

#[test]
fn a_user_chooses_his_mail() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let path = "/api/users/ann/notifications";
        let all = ann.get(path).status(200).json();
        let kinds = all["notifications"].as_array().unwrap().clone();
        assert!(kinds.len() == 12 && kinds.contains(&json!("profile_updated")), "{all}");
        let few = json!({ "notifications": ["user_contact", "card_updated"] });
        let kept = json!({ "notifications": ["card_updated", "user_contact"] });
        assert_eq!(ann.put(path, few).status(200).json(), kept);
        assert_eq!(ann.get(path).status(200).json(), kept);
        for wrong in [json!({ "notifications": ["nothing"] }), json!({ "notifications": "x" }), json!({})] {
            check_field(&ann.put(path, wrong).status(400).json(), "notifications");
        }
        assert_eq!(ann.get(path).status(200).json(), kept);
        assert_eq!(
            ann.patch(path, json!({ "notifications": [] })).status(200).json(),
            json!({ "notifications": [] })
        );
        assert_eq!(ann.patch(path, all.clone()).status(200).json(), all);
    });
}

/// The slugs of candidates.
#[track_caller]
fn candidates(client: &testkit::Http, path: &str) -> String {
    let answer = client.get(path).status(200).json();
    let found = answer["results"].as_array().unwrap_or_else(|| panic!("{answer} has no candidates"));
    assert!(answer["count"] == found.len() && answer.as_object().unwrap().len() == 2, "{answer}");
    found.iter().map(|item| item["slug"].as_str().unwrap()).collect::<Vec<_>>().join(",")
}

#[test]
fn candidates_are_few_or_none() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, killbill) = (site.user("ann"), site.killbill());
        for number in 1..=6 {
            let email = if number > 1 { json!(format!("k{number}@shop.test")) } else { Value::Null };
            let body = json!({ "externalKey": format!("k{number}"), "name": format!("Shop {number}"), "email": email });
            killbill.post("/accounts", body).status(201);
        }
        let profiles = |query: &str| candidates(&ann, &format!("/api/accounts/profiles?{query}"));
        assert_eq!(profiles("q=shop&q_f=full_name"), "");
        assert_eq!(profiles("q=Shop+2,Shop+3&o=-full_name"), "k3,k2");
        assert_eq!(profiles("q=k1,k2,k3,k4,k5,k6&q_f=slug"), "k1,k2,k3,k4,k5,k6");
        assert_eq!(profiles("q=k1,k2,k3,k4,k5&q_f=slug"), "k1,k2,k3,k4,k5");
        // Nobody has this address, but somebody of the same domain.
        killbill.post("/accounts", json!({ "externalKey": "work", "email": "boss@work.test" })).status(201);
        assert_eq!(profiles("q=new%40work.test"), "work");
        assert_eq!(profiles("q=new%40gmail.com"), "");

        // Only those with an address; users who have no profile among them.
        assert_eq!(candidates(&ann, "/api/accounts?q=k1"), "");
        assert_eq!(candidates(&ann, "/api/accounts?q=k2,ann"), "k2,ann");
        assert_eq!(candidates(&ann, "/api/accounts?q=test"), "");
        let found = ann.get("/api/accounts?q=ann").status(200).json();
        let kind = &found["results"][0];
        assert_eq!((&kind["type"], &kind["credentials"]), (&json!("user"), &json!(true)));
        ann.post(
            "/api/users/ann/profiles",
            json!({ "full_name": "Ann", "type": "personal", "email": "ann@people.test" }),
        )
        .status(201);
        let found = ann.get("/api/accounts?q=ann").status(200).json();
        assert_eq!((&found["count"], &found["results"][0]["type"]), (&json!(1), &json!("personal")));

        site.user("bob");
        let users = |query: &str| candidates(&ann, &format!("/api/accounts/users?{query}"));
        assert_eq!(users("q=people.test&q_f=email&o=-email"), "bob,ann");
        assert_eq!(users("q=ann+bob"), "ann,bob");
        assert_eq!(users("q=ann&ends_at=2001-01-01"), "");
        for path in
            ["/api/accounts", "/api/accounts/profiles", "/api/accounts/users", "/api/accounts/profiles/k1"]
        {
            site.visitor().get(path).status(403);
        }
        check_field(&ann.get("/api/accounts?start_at=x").status(400).json(), "start_at");
    });
}

#[test]
fn a_profile_that_nobody_manages_is_made_for_later() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let made = ann
            .post("/api/accounts/profiles", json!({ "full_name": "Acme", "type": "organization" }))
            .status(201);
        assert_eq!(made.json()["slug"], "acme");
        ann.get("/api/profile/acme").status(403);
        let short = ann.get("/api/accounts/profiles/acme").status(200).json();
        let wanted = json!({
            "slug": "acme", "printable_name": "Acme", "picture": null, "type": "organization", "credentials": false,
            "created_at": short["created_at"]
        });
        assert_eq!(short, wanted);
        site.killbill().get("/accounts?externalKey=acme").status(200);

        let person = json!({ "full_name": "Bob", "type": "personal", "email": "bob@x.test", "slug": "bob" });
        let made = ann.post("/api/accounts/profiles", person.clone()).status(201).json();
        assert_eq!(
            (&made["slug"], &made["type"], &made["credentials"]),
            (&json!("bob"), &json!("personal"), &json!(false))
        );
        assert_eq!(boss.get("/api/users/bob").status(200).json()["credentials"], false);
        check_field(&ann.post("/api/accounts/profiles", person).status(400).json(), "slug");
        check_field(
            &ann.post("/api/accounts/profiles", json!({ "full_name": "X", "type": "x" })).status(400).json(),
            "type",
        );
        ann.post("/api/accounts/profiles", json!({ "full_name": "X", "is_provider": true })).status(403);
        site.visitor().post("/api/accounts/profiles", json!({ "full_name": "X" })).status(403);
        ann.get("/api/accounts/profiles/nobody").status(404);
        boss.delete("/api/profile/acme").status(204);
        ann.get("/api/accounts/profiles/acme").status(404);
    });
}

#[test]
fn nobody_makes_profiles_without_end() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        for _ in 0..2 {
            ann.post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(201);
        }
        // All but the last of a hundred in an hour; what is refused does not count.
        site.inside(|tx, scene| {
            let ann = operations::access::user(tx, scene.tenant.tenant_id, "ann")?;
            let made = [Subject::Making(ann.id)];
            for _ in 2..99 {
                guessing::count(tx, scene.tenant.tenant_id, scene.now, &made)?;
            }
            Ok(())
        });
        ann.post("/api/accounts/profiles", json!({})).status(400);
        ann.post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(201);
        let full = ann.post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(429).json();
        assert!(full["detail"].is_string(), "{full}");
        boss.post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(201);
        site.user("bob").post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(201);
        site.wait_minutes(61);
        ann.post("/api/accounts/profiles", json!({ "full_name": "Acme" })).status(201);
    });
}

#[test]
fn a_new_address_is_proved_by_a_code() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let ask = json!({ "email": "new@people.test", "full_name": "Ann", "check_email": true });
        site.visitor().post("/api/auth/register", ask).status(401);
        let mails = site.mails_to("new@people.test");
        let is_code = |word: &&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let code = mails[0].split_whitespace().find(is_code).expect("a code was sent");
        let wrong = format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000);

        let change =
            |code: &str| json!({ "email": "New@people.test", "full_name": "Ann New", "email_code": code });
        let refused = ann.put("/api/users/ann", change(&wrong)).status(400).json();
        assert!(refused["detail"].is_string(), "{refused}");
        // The code is that of the new address, not of the old one.
        ann.patch("/api/users/ann", json!({ "email_code": code })).status(400);
        ann.patch("/api/users/ann", json!({ "email": null, "email_code": code })).status(400);
        check_field(
            &ann.patch("/api/users/ann", json!({ "email_code": [1] })).status(400).json(),
            "email_code",
        );
        assert_eq!(ann.get("/api/users/ann").status(200).json()["email"], "ann@people.test");
        let changed = ann.put("/api/users/ann", change(code)).status(200).json();
        assert_eq!(
            (&changed["email"], &changed["full_name"]),
            (&json!("new@people.test"), &json!("Ann New"))
        );
        // Whoever reads at the old address is told.
        let told = site.mails_to("ann@people.test");
        let is_warning = |mail: &&String| mail.contains("changed to new@people.test");
        assert_eq!(told.iter().filter(is_warning).count(), 1, "{told:?}");
        // It counts once; and no code is ever sent to a phone.
        ann.put("/api/users/ann", change(code)).status(400);
        ann.patch("/api/users/ann", json!({ "phone": "+33142685300", "phone_code": 123_456 })).status(400);
        assert!(ann.get("/api/users/ann").status(200).json()["phone"].is_null());
    });
}

#[test]
fn who_manages_a_persons_profile_does_not_become_him() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("ann");
        let (bob, boss) = (site.user("bob"), site.manager("boss"));
        site.give_role("bob", "ann", "manager");
        let path = "/api/profile/ann";
        for change in
            [json!({ "email": "eve@b.test" }), json!({ "phone": "650-253-0000" }), json!({ "slug": "eve" })]
        {
            bob.patch(path, change).status(403);
        }
        let change =
            json!({ "full_name": "Ann B.", "email": "ann@people.test", "slug": "ann", "locality": "Bonn" });
        bob.put(path, change).status(200);
        boss.patch(path, json!({ "email": "ann@b.test" })).status(200);
    });
}

#[test]
fn a_program_changes_no_address() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.registered("ann");
        let made = ann.post("/api/users/ann/api-keys", json!({ "password": PASSWORD })).status(201).json();
        let program = site.visitor().with_user(made["secret"].as_str().unwrap(), "");
        for email in [json!("eve@people.test"), json!(null)] {
            for path in ["/api/users/ann", "/api/profile/ann"] {
                check_field(&program.patch(path, json!({ "email": email })).status(401).json(), "email");
            }
        }
        let same = json!({ "email": "Ann@people.test", "full_name": "Ann B." });
        program.put("/api/users/ann", same.clone()).status(200);
        program.put("/api/profile/ann", same).status(200);
        ann.patch("/api/profile/ann", json!({ "email": "ann@b.test" })).status(200);
        assert_eq!(program.get("/api/users/ann").status(200).json()["email"], "ann@b.test");
    });
}

#[test]
fn contacts_are_the_users_for_those_who_manage_the_site() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let aide = site.user("aide");
        site.give_role("aide", site.broker(), "contributor");
        assert_eq!(boss.get("/api/contacts").status(200).json(), {
            let mut users = boss.get("/api/users").status(200).json();
            assert_eq!(users["count"], 3);
            users["next"] = Value::Null;
            users
        });
        let made = boss
            .post("/api/contacts", json!({ "email": "bob@x.test", "full_name": "Bob" }))
            .status(201)
            .json();
        assert_eq!(boss.get("/api/contacts/bob").status(200).json(), made);
        assert_eq!(aide.get("/api/users/bob").status(200).json(), made);
        aide.get("/api/contacts/bob").status(200);
        let changed = boss.put("/api/contacts/bob", json!({ "full_name": "Robert" })).status(200).json();
        assert_eq!(changed["printable_name"], "Robert");
        check_field(&boss.put("/api/contacts/bob", json!({ "lang": "fr" })).status(400).json(), "full_name");
        assert_eq!(boss.patch("/api/contacts/bob", json!({ "lang": "fr" })).status(200).json()["lang"], "fr");
        let picture = super::profiles::form(&boss, "/api/contacts/bob/picture", "file", b"\xff\xd8\xff\xe0")
            .status(201);
        assert_eq!(boss.get("/api/contacts/bob").status(200).json()["picture"], picture.json()["location"]);
        check_field(&boss.post("/api/contacts/bob/picture", json!({})).status(400).json(), "file");

        // Not for the contact himself, nor for those who only look.
        for stranger in [&ann, &site.visitor()] {
            stranger.get("/api/contacts").status(403);
            stranger.get("/api/contacts/ann").status(403);
        }
        for stranger in [&ann, &aide, &site.visitor()] {
            stranger.post("/api/contacts", json!({ "email": "c@x.test", "full_name": "C" })).status(403);
            stranger.put("/api/contacts/ann", json!({ "full_name": "A" })).status(403);
            stranger.patch("/api/contacts/ann", json!({ "full_name": "A" })).status(403);
            stranger.delete("/api/contacts/ann").status(403);
            stranger.post("/api/contacts/ann/picture", json!({})).status(403);
        }
        boss.delete("/api/contacts/bob").status(204);
        boss.get("/api/contacts/bob").status(404);
        Site::new(world).manager("boss").get("/api/contacts/ann").status(404);
    });
}

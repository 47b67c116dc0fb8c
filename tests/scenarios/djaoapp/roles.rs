//! Roles on a profile: given, accepted, listed, changed, taken away; the last manager; roles that come by themselves.

use super::{Site, check_field, column, path_of, profile};
use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

/// Invites a user, and answers the key of the invitation.
#[track_caller]
fn invite(manager: &Http, slug: &str, kind: &str, username: &str) -> String {
    let path = format!("/api/profile/{slug}/roles/{kind}");
    let made = manager.post(path, json!({ "slug": username })).status(201).json();
    made["grant_key"].as_str().unwrap_or_else(|| panic!("no key in {made}")).to_owned()
}

#[track_caller]
fn accept(user: &Http, username: &str, key: &str) -> Value {
    user.put(format!("/api/users/{username}/accessibles/accept/{key}"), json!({})).status(200).json()
}

#[test]
fn a_role_is_granted_and_accepted() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        let body = json!({ "slug": "bob", "extra": { "desk": 4 }, "message": "Welcome aboard" });
        let made = ann.post(format!("/api/profile/{acme}/roles/contributor"), body).status(201).json();
        let key = made["grant_key"].as_str().unwrap().to_owned();
        assert!(key.len() == 40 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
        let mut wanted = json!({
            "created_at": made["created_at"],
            "user": {
                "slug": "bob", "username": "bob", "printable_name": "bob", "picture": null,
                "email": null, "phone": null, "full_name": "bob", "nick_name": "bob", "lang": "en",
                "credentials": true, "otp_enabled": false, "extra": null,
                "created_at": made["user"]["created_at"], "last_login": null
            },
            "extra": { "desk": 4 }, "grant_key": key, "role_description": made["role_description"],
            "accept_request_api_url": null,
            "remove_api_url": format!("{}/api/profile/acme/roles/contributor/bob", site.base()),
        });
        assert_eq!(made, wanted);
        assert_eq!(made["role_description"]["slug"], "contributor");
        assert_eq!(made["role_description"]["editable"], false);
        let path = format!("/api/profile/{acme}/roles/contributor/bob");
        assert_eq!(ann.get(&path).status(200).json(), wanted);

        // The invitation opens nothing, and bob learns of it.
        bob.get(format!("/api/profile/{acme}/roles")).status(403);
        let list = bob.get("/api/users/bob/accessibles").status(200).json();
        assert_eq!(
            (&list["invited_count"], &list["requested_count"], &list["count"]),
            (&json!(1), &json!(0), &json!(1))
        );
        let accessible = list["results"][0].clone();
        let base = site.base();
        let mut wanted_accessible = json!({
            "created_at": made["created_at"], "request_key": null, "profile": accessible["profile"],
            "role_description": made["role_description"], "home_url": format!("{base}/app/acme/"),
            "settings_url": format!("{base}/profile/acme/contact/"),
            "accept_grant_api_url": format!("{base}/api/users/bob/accessibles/accept/{key}"),
            "remove_api_url": format!("{base}/api/users/bob/accessibles/contributor/acme"),
        });
        assert_eq!(accessible, wanted_accessible);
        let short = &accessible["profile"];
        assert_eq!((&short["slug"], &short["printable_name"]), (&json!("acme"), &json!("Acme")));
        assert_eq!((&short["type"], &short["credentials"]), (&json!("organization"), &json!(false)));
        let mails = site.mails_to("bob@people.test");
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert!(mails[0].contains("Welcome aboard") && mails[0].contains(&key), "{mails:?}");

        // He accepts, once.
        let accepted = bob.put(path_of(&accessible["accept_grant_api_url"]), json!({})).status(200).json();
        wanted_accessible["accept_grant_api_url"] = json!(null);
        assert_eq!(accepted, wanted_accessible);
        bob.put(path_of(&accessible["accept_grant_api_url"]), json!({})).status(404);
        assert_eq!(
            bob.get("/api/users/bob/accessibles/contributor/acme").status(200).json(),
            wanted_accessible
        );
        assert!(site.mails_to("ann@people.test")[0].contains("bob accepted the role Contributor on Acme"));
        wanted["grant_key"] = json!(null);
        // Now that he has said yes, all is known of him.
        let known = ann.get(&path).status(200).json();
        wanted["user"] = bob.get("/api/users/bob").status(200).json();
        assert_eq!(wanted["user"]["email"], "bob@people.test");
        assert_eq!(known, wanted);
        // A contributor reads and does not write.
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
        bob.post(format!("/api/profile/{acme}/roles/manager"), json!({ "slug": "bob" })).status(403);

        // Another kind in the address is another role.
        ann.get(format!("/api/profile/{acme}/roles/manager/bob")).status(404);
        ann.get(format!("/api/profile/{acme}/roles/nothing/bob")).status(404);
        ann.get(format!("/api/profile/{acme}/roles/contributor/nobody")).status(404);

        let changed = ann.put(&path, json!({ "extra": "a text" })).status(200).json();
        assert_eq!(changed["extra"], "a text");
        assert_eq!(ann.put(&path, json!({})).status(200).json()["extra"], "a text");
        assert!(ann.delete(&path).status(204).bytes().is_empty());
        ann.delete(&path).status(404);
        bob.get(format!("/api/profile/{acme}/roles")).status(403);
    });
}

#[test]
fn an_invitation_is_sent_again_retyped_and_refused() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        let key = invite(&ann, &acme, "contributor", "bob");
        let again =
            ann.post(format!("/api/profile/{acme}/roles/contributor/bob"), json!({})).status(200).json();
        assert_eq!(again["detail"], "Invite for bob has been sent");
        assert_eq!(again["grant_key"], json!(key));
        let mails = site.mails_to("bob@people.test");
        assert!(mails.len() == 2 && mails.iter().all(|text| text.contains(&key)), "{mails:?}");

        // Given another kind, it is the same invitation.
        let path = format!("/api/profile/{acme}/roles/managers");
        let retyped = ann.post(&path, json!({ "email": "BOB@people.test" })).status(200).json();
        assert_eq!(
            (&retyped["grant_key"], &retyped["role_description"]["slug"]),
            (&json!(key), &json!("manager"))
        );
        bob.delete(format!("/api/users/bob/accessibles/manager/{acme}")).status(204);
        bob.put(format!("/api/users/bob/accessibles/accept/{key}"), json!({})).status(404);
        assert_eq!(ann.get(format!("/api/profile/{acme}/roles")).status(200).json()["count"], 1);

        // Once he has it, there is nothing to send.
        let key = invite(&ann, &acme, "manager", "bob");
        accept(&bob, "bob", &key);
        let sent = site.mails_to("bob@people.test").len();
        let again = ann.post(format!("/api/profile/{acme}/roles/manager/bob"), json!({})).status(200).json();
        assert!(again["grant_key"].is_null() && again["detail"].is_string(), "{again}");
        assert_eq!(site.mails_to("bob@people.test").len(), sent);
    });
}

#[test]
fn nobody_fills_a_mailbox_with_invitations_or_requests() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        invite(&ann, &acme, "contributor", "bob");
        let again = format!("/api/profile/{acme}/roles/contributor/bob");
        for _ in 0..9 {
            ann.post(&again, json!({})).status(200);
        }
        assert!(ann.post(&again, json!({})).status(429).json()["detail"].is_string());
        // Giving it once more, or anew, does no more than give it.
        let path = format!("/api/profile/{acme}/roles/contributor");
        ann.post(&path, json!({ "slug": "bob" })).status(200);
        ann.delete(&again).status(204);
        ann.post(&path, json!({ "slug": "bob" })).status(201);
        ann.delete(&again).status(204);
        assert_eq!(site.mails_to("bob@people.test").len(), 10);
        let asked = "/api/users/bob/accessibles";
        bob.post(asked, json!({ "slug": acme })).status(201);
        for _ in 0..9 {
            bob.post(format!("{asked}/manager/{acme}"), json!({})).status(200);
        }
        bob.post(format!("{asked}/manager/{acme}"), json!({})).status(429);
        assert_eq!(site.mails_to("ann@people.test").len(), 10);
    });
}

#[test]
fn people_who_are_unknown_are_invited_by_mail_when_forced() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let path = format!("/api/profile/{acme}/roles/manager");
        let body = json!({ "email": "Zoe.Doe@else.test", "full_name": "Zoe Doe", "message": "Come in" });
        assert!(ann.post(&path, body.clone()).status(404).json()["detail"].is_string());
        for force in ["0", "false"] {
            ann.post(format!("{path}?force={force}"), body.clone()).status(404);
        }
        let made = ann.post(format!("{path}?force=1"), body.clone()).status(201).json();
        assert_eq!(
            (&made["user"]["email"], &made["user"]["credentials"]),
            (&json!("zoe.doe@else.test"), &json!(false))
        );
        assert_eq!(made["user"]["full_name"], "Zoe Doe");
        let key = made["grant_key"].as_str().unwrap();
        let mails = site.mails_to("zoe.doe@else.test");
        let text = mails.iter().find(|text| text.contains("a role on Acme")).unwrap();
        assert!(text.contains("Come in") && text.contains("no password yet") && text.contains(key), "{text}");
        // The other mail lets her choose a password; then she accepts.
        let begin = format!("{}/api/auth/", site.base());
        let link =
            mails.iter().flat_map(|text| text.split_whitespace()).find(|word| word.starts_with(&begin));
        let chosen = json!({ "new_password": "a password of mine" });
        let token = site.visitor().post(path_of(&json!(link)), chosen).status(201).json()["token"].clone();
        let zoe = site.visitor().with_bearer(token.as_str().unwrap());
        let name = made["user"]["username"].as_str().unwrap();
        zoe.get(format!("/api/profile/{acme}/roles")).status(403);
        accept(&zoe, name, key);
        zoe.get(format!("/api/profile/{acme}/roles")).status(200);
        // A second time she is known.
        let again = ann.post(format!("{path}?force=1"), body).status(200).json();
        assert_eq!(again["user"]["username"], made["user"]["username"]);
        assert_eq!(ann.get(&path).status(200).json()["count"], 2);

        for (body, field) in [
            (json!({}), "slug"),
            (json!({ "slug": "nobody" }), "email"),
            (json!({ "email": "no address" }), "email"),
            (json!({ "email": "x@else.test", "full_name": "x".repeat(61) }), "full_name"),
            (json!({ "email": "x@else.test", "message": "x".repeat(256) }), "message"),
            (json!({ "email": 1 }), "email"),
        ] {
            check_field(&ann.post(format!("{path}?force=1"), body).status(400).json(), field);
        }
        assert_eq!(ann.get(&path).status(200).json()["count"], 2);
        ann.post(format!("/api/profile/{acme}/roles/nothing"), json!({ "slug": "ann" })).status(404);
    });
}

#[test]
fn a_key_gives_the_role_to_whoever_presents_it_and_to_nobody_else() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, eve) = (site.user("ann"), site.user("bob"), site.user("eve"));
        let acme = profile(&ann, "ann", "Acme");
        let key = invite(&ann, &acme, "contributor", "bob");
        let accept_path = |name: &str, key: &str| format!("/api/users/{name}/accessibles/accept/{key}");
        eve.put(accept_path("eve", &"0".repeat(40)), json!({})).status(404);
        eve.put(accept_path("eve", "x"), json!({})).status(404);
        // Eve does not act for bob, and nobody does without logging in.
        eve.put(accept_path("bob", &key), json!({})).status(403);
        site.visitor().put(accept_path("bob", &key), json!({})).status(403);
        // Who has a role there cannot take another; it stays bob's invitation.
        let refused = ann.put(accept_path("ann", &key), json!({})).status(400).json();
        assert!(refused["detail"].is_string(), "{refused}");
        // The address that bob was invited under reaches eve's mailbox: it is hers.
        let mine = eve.put(accept_path("eve", &key), json!({})).status(200).json();
        assert_eq!(mine["profile"]["slug"], json!(acme));
        eve.get(format!("/api/profile/{acme}/roles")).status(200);
        assert_eq!(bob.get("/api/users/bob/accessibles").status(200).json()["count"], 0);
        bob.put(accept_path("bob", &key), json!({})).status(404);

        // Keys are shown to those who could give the role themselves, and to those who are invited.
        let key = invite(&ann, &acme, "manager", "bob");
        let seen = eve.get(format!("/api/profile/{acme}/roles/manager/bob")).status(200).json();
        assert_eq!(seen["grant_key"], json!(null));
        let zeta = profile(&site.user("zoe"), "zoe", "Zeta");
        site.give_role("bob", &zeta, "contributor");
        site.give_role("eve", &zeta, "manager");
        let seen = eve.get("/api/users/bob/accessibles?role_status=invited").status(200).json();
        assert_eq!(
            (column(&seen, "/profile/slug"), &seen["results"][0]["accept_grant_api_url"]),
            (vec![acme], &json!(null))
        );
        assert!(!seen.to_string().contains(&key));
    });
}

#[test]
fn roles_are_listed_filtered_searched_and_sorted() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        for name in ["bob", "carl", "dora", "emil"] {
            site.user(name);
        }
        site.give_role("bob", &acme, "contributor");
        invite(&ann, &acme, "contributor", "carl");
        invite(&ann, &acme, "manager", "dora");
        let emil = site.user("emil2");
        emil.post("/api/users/emil2/accessibles", json!({ "slug": acme })).status(201);
        let roles = format!("/api/profile/{acme}/roles");
        let list = |query: &str| {
            let list = ann.get(format!("{roles}{query}")).status(200).json();
            let counts =
                (list["count"].clone(), list["invited_count"].clone(), list["requested_count"].clone());
            let mut users = column(&list, "/user/slug");
            if !query.contains("o=") {
                users.sort();
            }
            (users, counts)
        };
        let all = (json!(5), json!(2), json!(1));
        assert_eq!(
            list(""),
            (vec!["ann".into(), "bob".into(), "carl".into(), "dora".into(), "emil2".into()], all)
        );
        for (query, wanted) in [
            ("?role_status=active", "ann bob"),
            ("?role_status=invited", "carl dora"),
            ("?role_status=requested", "emil2"),
            ("?role_status=active,requested", "ann bob emil2"),
            ("?role_status=", "ann bob carl dora emil2"),
            ("/contributor", "bob carl emil2"),
            ("/contributor?role_status=active", "bob"),
            ("/manager?role_status=invited,requested", "dora emil2"),
            ("?q=BOB,dora", "bob dora"),
            ("?q=contributor&q_f=role", "bob carl"),
            ("?q=contributor&q_f=user", ""),
            ("?q=acme", ""),
            ("?o=-user", "emil2 dora carl bob ann"),
            ("?o=user&page_size=2&page=2", "carl dora"),
        ] {
            assert_eq!(list(query).0.join(" "), wanted, "{query}");
        }
        assert_eq!(list("/manager?role_status=active").1, (json!(1), json!(1), json!(1)));
        check_field(&ann.get(format!("{roles}?role_status=absent")).status(400).json(), "role_status");
        ann.get(format!("{roles}?page=3")).status(404);
        let page = ann.get(format!("{roles}?o=user&page_size=2")).status(200).json();
        let next = ann.get(path_of(&page["next"])).status(200).json();
        assert_eq!(column(&next, "/user/slug"), ["carl", "dora"]);
        assert_eq!(path_of(&next["previous"]), format!("{roles}?o=user&page_size=2&page=1"));
    });
}

#[test]
fn the_last_manager_cannot_leave() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, boss) = (site.user("ann"), site.user("bob"), site.manager("boss"));
        let acme = profile(&ann, "ann", "Acme");
        let of_ann = format!("/api/profile/{acme}/roles/manager/ann");
        for refused in [
            ann.delete(&of_ann),
            ann.delete(format!("/api/users/ann/accessibles/manager/{acme}")),
            ann.post(format!("/api/profile/{acme}/roles/contributor"), json!({ "slug": "ann" })),
        ] {
            let body = refused.status(400).json();
            assert!(body["detail"].as_str().unwrap().contains("last manager"), "{body}");
        }
        // An invitation is no second manager.
        let key = invite(&ann, &acme, "manager", "bob");
        ann.delete(&of_ann).status(400);
        accept(&bob, "bob", &key);
        ann.delete(format!("/api/users/ann/accessibles/manager/{acme}")).status(204);
        ann.get(format!("/api/profile/{acme}/roles")).status(403);
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
        // Those who manage the site may take away even the last one.
        boss.delete(format!("/api/profile/{acme}/roles/manager/bob")).status(204);
        bob.get(format!("/api/profile/{acme}/roles")).status(403);
        boss.post(format!("/api/profile/{acme}/roles/manager"), json!({ "slug": "ann" })).status(201);
    });
}

#[test]
fn a_role_that_has_ended_opens_nothing_and_can_be_given_again() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        site.give_role("bob", &acme, "manager");
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
        let slug = acme.clone();
        site.inside(move |tx, scene| {
            let tenant_id = scene.tenant.tenant_id;
            let user = operations::access::user(tx, tenant_id, "bob")?;
            let organization = operations::access::organization(tx, tenant_id, &slug)?;
            let mut role = operations::roles::get(tx, scene, &user, &organization)?;
            role.ends_at = Some(scene.now);
            Ok(storage::organization_roles::update(tx, tenant_id, &role)?)
        });
        bob.get(format!("/api/profile/{acme}/roles")).status(403);
        let active = ann.get(format!("/api/profile/{acme}/roles?role_status=active")).status(200).json();
        assert_eq!(column(&active, "/user/slug"), ["ann"]);
        // It is no second manager either.
        ann.delete(format!("/api/profile/{acme}/roles/manager/ann")).status(400);
        let path = format!("/api/profile/{acme}/roles/manager");
        let again = ann.post(path, json!({ "slug": "bob" })).status(200).json();
        accept(&bob, "bob", again["grant_key"].as_str().unwrap());
        bob.get(format!("/api/profile/{acme}/roles")).status(200);
    });
}

#[test]
fn kinds_that_need_no_acceptance_are_in_force_at_once() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        let describe = format!("/api/profile/{acme}/roles/describe");
        ann.post(&describe, json!({ "title": "Guest", "skip_optin_on_grant": true })).status(201);
        let path = format!("/api/profile/{acme}/roles/guest");
        let made = ann.post(&path, json!({ "slug": "bob" })).status(201).json();
        assert_eq!(made["grant_key"], json!(null));
        assert_eq!(bob.get("/api/users/bob/accessibles?role_status=active").status(200).json()["count"], 1);
        // He never said yes: it does not open him to acme's managers.
        ann.get("/api/users/bob").status(403);

        // Somebody who was only just made must accept; when the kind changes so, an invitation is accepted by itself.
        let made =
            ann.post(format!("{path}?force=1"), json!({ "email": "zoe@else.test" })).status(201).json();
        assert!(made["grant_key"].is_string(), "{made}");
        let carl = site.user("carl");
        ann.post(&describe, json!({ "title": "Helper" })).status(201);
        invite(&ann, &acme, "helper", "carl");
        ann.patch(format!("{describe}/helper"), json!({ "skip_optin_on_grant": true })).status(200);
        let list = carl.get("/api/users/carl/accessibles").status(200).json();
        assert_eq!((&list["count"], &list["invited_count"]), (&json!(1), &json!(0)));
        assert_eq!(list["results"][0]["accept_grant_api_url"], json!(null));
    });
}

#[test]
fn roles_come_by_the_address_of_an_organization() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        let set_email = |slug: &str, email: &str| {
            ann.patch(format!("/api/profile/{slug}"), json!({ "email": email })).status(200);
        };
        set_email(&acme, "Office@People.test");
        let describe = format!("/api/profile/{acme}/roles/describe");
        let slugs = |user: &Http, name: &str| {
            let mut slugs = column(
                &user.get(format!("/api/users/{name}/accessibles")).status(200).json(),
                "/profile/slug",
            );
            slugs.sort();
            slugs
        };
        let bob = site.user("bob");
        assert!(slugs(&bob, "bob").is_empty());
        ann.post(&describe, json!({ "title": "Colleague", "implicit_create_on_none": true })).status(201);
        assert_eq!(slugs(&bob, "bob").join(" "), acme);
        let role = ann.get(format!("/api/profile/{acme}/roles/colleague/bob")).status(200).json();
        assert_eq!(role["grant_key"], json!(null));
        assert_eq!(slugs(&bob, "bob").join(" "), acme);
        // Whoever has a role keeps it.
        assert_eq!(ann.get("/api/users/ann/accessibles/manager").status(200).json()["count"], 1);

        // Two such kinds are none, and a profile can do without.
        ann.post(&describe, json!({ "title": "Comrade", "implicit_create_on_none": true })).status(201);
        let carl = site.user("carl");
        assert!(slugs(&carl, "carl").is_empty());
        ann.delete(format!("{describe}/comrade")).status(204);
        ann.patch(format!("/api/profile/{acme}"), json!({ "no_implicit_role": true })).status(200);
        assert!(slugs(&carl, "carl").is_empty());
        ann.patch(format!("/api/profile/{acme}"), json!({ "no_implicit_role": false })).status(200);

        // Of five profiles with that domain none is meant.
        let more: Vec<String> =
            (0..4).map(|number| profile(&ann, "ann", &format!("More {number}"))).collect();
        for slug in &more {
            set_email(slug, &format!("{slug}@people.test"));
        }
        assert!(slugs(&carl, "carl").is_empty());
        set_email(&more[0], "office@else.test");
        assert_eq!(slugs(&carl, "carl"), [acme.as_str()]);
        // Also who asks for a role by the address of a profile may write it otherwise.
        let (dora, zeta) = (site.user("dora"), profile(&ann, "ann", "Zeta"));
        set_email(&zeta, "Zeta@Gmail.com");
        dora.post("/api/users/dora/accessibles", json!({ "email": "zeta@gmail.com" })).status(201);
        assert_eq!(slugs(&dora, "dora"), [acme, zeta]);
    });
}

#[test]
fn one_person_has_roles_on_several_profiles() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let (acme, zeta) = (profile(&ann, "ann", "Acme"), profile(&bob, "bob", "Zeta"));
        let both = profile(&ann, "ann", "Both");
        accept(&ann, "ann", &invite(&bob, &zeta, "contributor", "ann"));
        let list = |query: &str| {
            let list = ann.get(format!("/api/users/ann/accessibles{query}")).status(200).json();
            column(&list, "/profile/slug").join(" ")
        };
        for (query, wanted) in [
            ("?o=profile__full_name", "acme both zeta"),
            ("?o=-profile__full_name&page_size=2", "zeta both"),
            ("?q=zeta", "zeta"),
            ("?q=ann", ""),
            ("?q=contributor&q_f=role", "zeta"),
            ("/manager?o=profile__full_name", "acme both"),
            ("/contributors", "zeta"),
            ("/contributor?role_status=invited", ""),
        ] {
            assert_eq!(list(query), wanted, "{query}");
        }
        ann.get("/api/users/ann/accessibles/nothing").status(404);
        // What she may do is told by each role: she reads here and manages there.
        ann.get(format!("/api/profile/{zeta}/roles")).status(200);
        ann.put(format!("/api/profile/{zeta}/roles/manager/bob"), json!({ "extra": "x" })).status(403);
        ann.delete(format!("/api/profile/{zeta}/roles/contributor/ann")).status(403);
        ann.delete(format!("/api/users/ann/accessibles/contributor/{zeta}")).status(204);
        ann.get(format!("/api/profile/{zeta}/roles")).status(403);
        assert_eq!(list("?o=profile__full_name"), "acme both");
        ann.delete(format!("/api/profile/{both}")).status(204);
        assert_eq!(list(""), acme);
    });
}

#[test]
fn who_shares_a_profile_with_somebody_does_not_cut_him_off_from_others() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let (acme, zeta) = (profile(&ann, "ann", "Acme"), profile(&bob, "bob", "Zeta"));
        accept(&bob, "bob", &invite(&ann, &acme, "contributor", "bob"));
        ann.get("/api/users/bob/accessibles").status(200);
        ann.delete(format!("/api/users/bob/accessibles/manager/{zeta}")).status(403);
        bob.get(format!("/api/profile/{zeta}/roles")).status(200);
        ann.delete(format!("/api/users/bob/accessibles/contributor/{acme}")).status(204);
        ann.get("/api/users/bob/accessibles").status(403);
    });
}

#[test]
fn roles_of_other_sites_are_not_seen() {
    scenario(|world| {
        let (here, there) = (Site::new(world), Site::new(world));
        let (ann, eve) = (here.user("ann"), there.manager("eve"));
        let acme = profile(&ann, "ann", "Acme");
        here.user("bob");
        let key = invite(&ann, &acme, "manager", "bob");
        eve.get(format!("/api/profile/{acme}/roles")).status(404);
        eve.get("/api/users/ann/accessibles").status(404);
        eve.put(format!("/api/users/eve/accessibles/accept/{key}"), json!({})).status(404);
        eve.post("/api/users/eve/accessibles", json!({ "slug": acme })).status(404);
        let zeta = profile(&eve, "eve", "Zeta");
        eve.post(format!("/api/profile/{zeta}/roles/manager"), json!({ "slug": "bob" })).status(404);
        // A token of one site is nobody's on the other.
        let stranger = there.visitor().with("Authorization", "Bearer x");
        stranger.get(format!("/api/profile/{zeta}/roles")).status(403);
        ann.with("Host", there.base().trim_start_matches("http://"))
            .get("/api/users/eve/accessibles")
            .status(403);
    });
}

#[test]
fn of_two_managers_who_leave_at_once_one_stays() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        for number in 0..5 {
            let slug = profile(&ann, "ann", &format!("Acme {number}"));
            site.give_role("bob", &slug, "manager");
            let path = |name: &str| format!("/api/users/{name}/accessibles/manager/{slug}");
            let mut codes = std::thread::scope(|threads| {
                let leaving = [(&ann, "ann"), (&bob, "bob")]
                    .map(|(client, name)| threads.spawn(move || client.delete(path(name)).code()));
                leaving.map(|thread| thread.join().unwrap())
            });
            codes.sort_unstable();
            assert_eq!(codes, [204, 400]);
        }
    });
}

#[test]
fn of_two_who_present_a_key_at_once_one_gets_the_role() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, carl) = (site.user("ann"), site.user("bob"), site.user("carl"));
        for number in 0..5 {
            let slug = profile(&ann, "ann", &format!("Acme {number}"));
            let key = invite(&ann, &slug, "contributor", "bob");
            let path = |name: &str| format!("/api/users/{name}/accessibles/accept/{key}");
            let mut codes = std::thread::scope(|threads| {
                let accepting = [(&bob, "bob"), (&carl, "carl")]
                    .map(|(client, name)| threads.spawn(move || client.put(path(name), json!({})).code()));
                accepting.map(|thread| thread.join().unwrap())
            });
            codes.sort_unstable();
            assert_eq!(codes, [200, 404]);
            let roles = ann.get(format!("/api/profile/{slug}/roles/contributor")).status(200).json();
            assert_eq!((&roles["count"], &roles["invited_count"]), (&json!(1), &json!(0)));
        }
    });
}

#[test]
fn one_user_who_is_invited_by_two_at_once_has_one_role() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let acme = profile(&ann, "ann", "Acme");
        site.give_role("bob", &acme, "manager");
        for name in ["carl", "dora", "emil"] {
            site.user(name);
            let path = format!("/api/profile/{acme}/roles/contributor");
            let mut codes = std::thread::scope(|threads| {
                let inviting = [&ann, &bob].map(|client| {
                    let path = &path;
                    threads.spawn(move || client.post(path, json!({ "slug": name })).code())
                });
                inviting.map(|thread| thread.join().unwrap())
            });
            codes.sort_unstable();
            assert_eq!(codes, [200, 201]);
        }
    });
}

#[test]
fn one_user_who_looks_several_times_at_once_gets_one_role_by_his_address() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let kind = json!({ "title": "Colleague", "implicit_create_on_none": true });
        let slugs = ["Acme", "Beta"].map(|name| {
            let slug = profile(&ann, "ann", name);
            ann.patch(format!("/api/profile/{slug}"), json!({ "email": "office@people.test" })).status(200);
            slug
        });
        site.manager("boss").post(format!("/api/profile/{}/roles/describe", site.broker()), kind).status(201);
        let found = std::thread::scope(|threads| {
            let looking = [&bob; 4]
                .map(|bob| threads.spawn(|| bob.get("/api/users/bob/accessibles?o=profile__full_name")));
            looking.map(|thread| thread.join().unwrap())
        });
        for list in found {
            assert_eq!(column(&list.status(200).json(), "/profile/slug"), slugs);
        }
        for slug in &slugs {
            let list = ann.get(format!("/api/profile/{slug}/roles/colleague")).status(200).json();
            assert_eq!(column(&list, "/user/slug"), ["bob"]);
        }
    });
}

#[test]
fn an_account_of_another_desk_gets_its_manager() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        for key in ["acme-1", "acme-2"] {
            site.killbill().post("/accounts", json!({ "externalKey": key, "name": key })).status(201);
        }
        // Asked for by the user, or given by the site, before anybody has looked at the profiles.
        ann.post("/api/users/ann/accessibles/manager", json!({ "slug": "acme-1" })).status(201);
        boss.post("/api/profile/acme-1/roles/manager", json!({ "slug": "ann" })).status(200);
        accept(&ann, "ann", &invite(&boss, "acme-2", "manager", "ann"));
        for slug in ["acme-1", "acme-2"] {
            ann.patch(format!("/api/profile/{slug}"), json!({ "full_name": "Acme" })).status(200);
            let account = site.killbill().get(format!("/accounts?externalKey={slug}")).status(200).json();
            assert_eq!(account["name"], "Acme");
        }
    });
}

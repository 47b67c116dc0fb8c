//! What nobody gets at by giving, asking for or accepting roles in another's name.

use super::{Site, column, profile};
use crate::scenario;
use operations::roles::{self, NewRole};
use operations::{access, role_kinds};
use serde_json::{Value, json};
use storage::users::User;

/// Gives whom a manager names the role manager on a profile, as it is done where addresses must be proved: his user name,
/// and whether he must accept; or why not.
fn grant_to_proven(site: &Site<'_>, slug: &str, new: NewRole) -> Result<(String, bool), String> {
    let slug = slug.to_owned();
    site.inside(move |tx, scene| {
        let tenant_id = scene.tenant.tenant_id;
        let by = access::user(tx, tenant_id, "ann")?;
        let organization = access::organization(tx, tenant_id, &slug)?;
        let kind = role_kinds::find(tx, tenant_id, None, "manager")?;
        let new = NewRole { must_be_proven: true, ..new.clone() };
        match roles::grant(tx, scene, &by, &organization, &kind, &new) {
            Ok(granted) => Ok(Ok((granted.user.username, granted.role.grant_key.is_some()))),
            Err(storage::Error::Refused(refusal)) => Ok(Err(refusal.to_string())),
            Err(error) => Err(error),
        }
    })
}

/// Changes a user beside all rules.
fn set_user(site: &Site<'_>, name: &str, change: impl Fn(&mut User) + Send + 'static) {
    let name = name.to_owned();
    site.inside(move |tx, scene| {
        let mut user = access::user(tx, scene.tenant.tenant_id, &name)?;
        change(&mut user);
        assert!(storage::people::update(tx, &user, scene.now)?);
        Ok(())
    });
}

#[test]
fn an_address_that_nobody_proved_brings_no_role() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let acme = profile(&ann, "ann", "Acme");
        site.user("eve");
        site.user_without_password("zoe");
        set_user(&site, "eve", |user| user.email = Some("bob@corp.test".to_owned()));
        let by_email =
            |email: &str, force| NewRole { email: Some(email.to_owned()), force, ..NewRole::default() };
        let by_name = |name: &str| NewRole { username: Some(name.to_owned()), ..NewRole::default() };
        for new in
            [by_email("Bob@corp.test", false), by_email("bob@corp.test", true), by_name("bob@corp.test")]
        {
            let refused = grant_to_proven(&site, &acme, new).unwrap_err();
            assert!(refused.contains("has not proved"), "{refused}");
        }
        // Nor does a name that looks like an address.
        set_user(&site, "eve", |user| user.username = "carl@corp.test".to_owned());
        assert!(grant_to_proven(&site, &acme, by_name("carl@corp.test")).is_err());
        set_user(&site, "carl@corp.test", |user| user.username = "eve".to_owned());
        assert_eq!(grant_to_proven(&site, &acme, by_name("eve")), Ok(("eve".to_owned(), true)));

        // Who has no password proves it when he chooses one, by a mail; who is unknown, too.
        let invited = Ok(("zoe".to_owned(), true));
        assert_eq!(grant_to_proven(&site, &acme, by_email("zoe@people.test", false)), invited);
        assert_eq!(
            grant_to_proven(&site, &acme, by_email("new@corp.test", true)),
            Ok(("new".to_owned(), true))
        );
        let zeta = profile(&ann, "ann", "Zeta");
        set_user(&site, "eve", |user| user.person.email_verified_at = Some(user.person.created_at));
        let invited = Ok(("eve".to_owned(), true));
        assert_eq!(grant_to_proven(&site, &zeta, by_email("bob@corp.test", false)), invited);
    });
}

#[test]
fn nobody_says_yes_in_anothers_name() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let (acme, zeta, beta) =
            (profile(&ann, "ann", "Acme"), profile(&ann, "ann", "Zeta"), profile(&ann, "ann", "Beta"));
        site.give_role("bob", &acme, "contributor");
        // She acts for him while they share a profile: she asks for him, and accepts for him.
        ann.post("/api/users/bob/accessibles/contributor", json!({ "slug": zeta })).status(201);
        ann.post(format!("/api/profile/{zeta}/roles/contributor"), json!({ "slug": "bob" })).status(200);
        let path = format!("/api/profile/{beta}/roles/contributor");
        let key = ann.post(path, json!({ "slug": "bob" })).status(201).json()["grant_key"].clone();
        let accept = format!("/api/users/bob/accessibles/accept/{}", key.as_str().unwrap());
        ann.put(accept, json!({})).status(200);
        bob.get(format!("/api/profile/{zeta}/roles")).status(200);
        bob.get(format!("/api/profile/{beta}/roles")).status(200);
        bob.delete(format!("/api/users/bob/accessibles/contributor/{acme}")).status(204);
        ann.get("/api/users/bob").status(403);
        ann.post("/api/users/bob/accessibles", json!({ "slug": acme })).status(403);

        // What he asks for himself stays his, whoever asks again.
        bob.post("/api/users/bob/accessibles", json!({ "slug": acme })).status(201);
        ann.post(format!("/api/profile/{acme}/roles/contributor"), json!({ "slug": "bob" })).status(200);
        ann.get("/api/users/bob").status(200);
    });
}

#[test]
fn a_role_that_is_forced_on_somebody_demands_codes_only_where_it_is() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        let (acme, zeta) = (profile(&ann, "ann", "Acme"), profile(&bob, "bob", "Zeta"));
        let kind = json!({ "title": "Vault", "otp_required": true, "skip_optin_on_grant": true });
        ann.post(format!("/api/profile/{acme}/roles/describe"), kind).status(201);
        ann.post(format!("/api/profile/{acme}/roles/vault"), json!({ "slug": "bob" })).status(201);
        bob.get(format!("/api/profile/{zeta}/roles")).status(200);
        bob.get("/api/users/bob/accessibles").status(200);
        ann.delete(format!("/api/profile/{acme}/roles/vault/bob")).status(204);

        // A manager who must have codes, and has none, gets in nowhere by that role.
        let boss = site.manager("boss");
        let path = format!("/api/profile/{}/roles/describe/manager", site.broker());
        let strict = json!({ "title": "Manager", "otp_required": true, "skip_optin_on_grant": true });
        boss.put(&path, strict).status(200);
        site.inside(move |tx, scene| {
            let tenant_id = scene.tenant.tenant_id;
            let (by, user) = (access::user(tx, tenant_id, "ann")?, access::user(tx, tenant_id, "bob")?);
            let organization = access::organization(tx, tenant_id, &acme)?;
            let kind = role_kinds::find(tx, tenant_id, None, "manager")?;
            let new = NewRole { username: Some(user.username), ..NewRole::default() };
            roles::grant(tx, scene, &by, &organization, &kind, &new)
        });
        let refused = bob.get("/api/profile/acme/roles").status(403).json();
        assert!(refused["detail"].as_str().unwrap().contains("one-time codes"), "{refused}");
    });
}

#[test]
fn what_is_somebodys_own_has_no_colleagues() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, boss) = (site.user("ann"), site.user("bob"), site.manager("boss"));
        let own = json!({ "full_name": "Ann", "type": "personal", "email": "bob@people.test" });
        ann.post("/api/users/ann/profiles", own).status(201);
        let kind = json!({ "title": "Colleague", "implicit_create_on_none": true });
        boss.post(format!("/api/profile/{}/roles/describe", site.broker()), kind).status(201);
        let mine = || {
            let list = bob.get("/api/users/bob/accessibles?include_personal_profile=1").status(200).json();
            column(&list, "/profile/slug")
        };
        assert!(mine().is_empty());
        let acme = profile(&ann, "ann", "Acme");
        ann.patch(format!("/api/profile/{acme}"), json!({ "email": "office@people.test" })).status(200);
        assert_eq!(mine(), [acme]);
    });
}

/// How many roles of a site were recorded as ended.
fn ended_roles(site: &Site<'_>) -> Value {
    site.inside(|tx, scene| {
        let tenant_id = scene.tenant.tenant_id.0;
        let sql = "SELECT COUNT(*) FROM events WHERE tenant_id = $1 AND event_type = 'ROLE_DELETION'";
        let count: i64 = tx.query_one(sql, &[tenant_id.into()])?.next()?;
        Ok(json!(count))
    })
}

#[test]
fn roles_end_with_the_profile_and_with_the_user() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let (acme, zeta) = (profile(&ann, "ann", "Acme"), profile(&ann, "ann", "Zeta"));
        site.user("bob");
        for slug in [&acme, &zeta] {
            let path = format!("/api/profile/{slug}/roles/contributor");
            ann.post(path, json!({ "slug": "bob" })).status(201);
        }
        ann.delete(format!("/api/profile/{acme}")).status(204);
        assert_eq!(ended_roles(&site), 2);
        ann.delete("/api/users/ann").status(204);
        assert_eq!(ended_roles(&site), 3);

        // The site does not lose its last manager.
        let refused = boss.delete("/api/users/boss").status(400).json();
        assert!(refused["detail"].as_str().unwrap().contains("last manager"), "{refused}");
        boss.get("/api/users/boss").status(200);
        let aide = site.manager("aide");
        boss.delete("/api/users/boss").status(204);
        aide.delete("/api/users/aide").status(400);
    });
}

#[test]
fn naming_somebody_tells_no_more_of_him_than_anybody_knows() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let acme = profile(&ann, "ann", "Acme");
        let secret = json!({ "phone": "+33142685300", "extra": "secret", "lang": "fr" });
        site.user("bob").patch("/api/users/bob", secret).status(200);
        let whole = boss.get("/api/users/bob").status(200).json();
        let mut short = whole.clone();
        for (name, value) in short.as_object_mut().unwrap() {
            match name.as_str() {
                "email" | "phone" | "extra" | "last_login" => *value = Value::Null,
                "lang" => *value = json!("en"),
                _ => {}
            }
        }
        let guest = json!({ "title": "Guest", "skip_optin_on_grant": true });
        ann.post(format!("/api/profile/{acme}/roles/describe"), guest).status(201);
        for kind in ["contributor", "guest"] {
            let path = format!("/api/profile/{acme}/roles/{kind}");
            let user = |value: Value| value["user"].clone();
            assert_eq!(user(ann.post(&path, json!({ "slug": "bob" })).status(201).json()), short);
            let mut named = short.clone();
            named["email"] = json!("bob@people.test");
            assert_eq!(
                user(ann.post(&path, json!({ "email": "BOB@people.test" })).status(200).json()),
                named
            );
            assert_eq!(user(ann.get(format!("{path}/bob")).status(200).json()), short);
            assert_eq!(ann.get(format!("{path}?q=bob")).status(200).json()["results"][0]["user"], short);
            assert_eq!(user(boss.get(format!("{path}/bob")).status(200).json()), whole);
            ann.delete(format!("{path}/bob")).status(204);
        }
    });
}

#[test]
fn who_shares_a_profile_with_somebody_neither_becomes_him_nor_ends_him() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, boss) = (site.user("ann"), site.user("bob"), site.manager("boss"));
        let acme = profile(&ann, "ann", "Acme");
        site.give_role("bob", &acme, "contributor");
        let own = json!({ "full_name": "bob", "type": "personal", "email": "bob@people.test" });
        bob.post("/api/users/bob/profiles", own).status(201);
        site.give_role("ann", "bob", "manager");
        for change in [
            json!({ "email": "ann2@people.test" }),
            json!({ "phone": "+33142685300" }),
            json!({ "slug": "bob2" }),
        ] {
            ann.patch("/api/profile/bob", change.clone()).status(403);
            boss.patch("/api/profile/bob", change).status(200);
            let before = json!({ "email": "bob@people.test", "phone": null, "slug": "bob" });
            boss.patch("/api/profile/bob2", before.clone());
            boss.patch("/api/profile/bob", before).status(200);
        }
        let harmless = json!({ "full_name": "Bob", "email": "bob@people.test", "locality": "Rome" });
        ann.put("/api/profile/bob", harmless).status(200);
        assert_eq!(bob.get("/api/users/bob").status(200).json()["full_name"], "Bob");
        ann.delete("/api/users/bob").status(403);
        ann.delete("/api/profile/bob").status(403);
        bob.patch("/api/profile/bob", json!({ "email": "bob2@people.test" })).status(200);
        assert_eq!(bob.get("/api/users/bob").status(200).json()["email"], "bob2@people.test");
        boss.delete("/api/profile/bob").status(204);
        bob.get("/api/users/bob").status(403);
        site.user("carl").delete("/api/users/carl").status(204);
    });
}

#[test]
fn nobody_sends_mail_to_the_world_by_giving_roles() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let acme = profile(&ann, "ann", "Acme");
        let path = format!("/api/profile/{acme}/roles/contributor?force=1");
        let stranger = |number: u32| json!({ "email": format!("s{number}@else.test") });
        for number in 0..50 {
            ann.post(&path, stranger(number)).status(201);
        }
        ann.post(&path, stranger(50)).status(429);
        boss.get("/api/users/s50").status(404);
        // The site goes on; and so does she after an hour.
        boss.post(&path, stranger(50)).status(201);
        site.wait_minutes(61);
        ann.post(&path, stranger(51)).status(201);

        // Of many profiles, too, one address gets twenty an hour.
        site.user("bob");
        for name in ["Beta", "Gamma"] {
            let role = format!("/api/profile/{}/roles/contributor", profile(&boss, "boss", name));
            boss.post(&role, json!({ "slug": "bob" })).status(201);
            for _ in 0..9 {
                boss.post(format!("{role}/bob"), json!({})).status(200);
            }
        }
        let role = format!("/api/profile/{acme}/roles/contributor");
        ann.post(&role, json!({ "slug": "bob" })).status(201);
        ann.post(format!("{role}/bob"), json!({})).status(429);
        assert_eq!(site.mails_to("bob@people.test").len(), 20);
    });
}

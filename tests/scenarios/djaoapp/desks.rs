//! Across desks: a profile is an organization of MikroCloud's desk, and its account one of Kill Bill's and Togai's.

use super::Site;
use crate::scenario;
use serde_json::{Value, json};
use testkit::{Http, World};

/// A client of Togai's desk in a site's tenant.
fn togai(world: &World, site: &Site<'_>) -> Http {
    world.http().with_bearer(&world.billhook(["token", "togai", "--tenant", site.broker()]))
}

/// The id of the organization of this name.
fn organization(world: &World, site: &Site<'_>, name: &str) -> String {
    let listed = world.billhook(["organization", "list", "--tenant", site.broker()]);
    let line = listed.lines().find(|line| line.ends_with(&format!("\t{name}")));
    line.and_then(|line| line.split('\t').next())
        .unwrap_or_else(|| panic!("no {name} in {listed}"))
        .to_owned()
}

/// A client of MikroCloud's desk that speaks for an organization.
fn mikrocloud(world: &World, site: &Site<'_>, organization: &str) -> Http {
    let command = ["token", "mikrocloud", "--tenant", site.broker(), "--organization", organization];
    world.http().with_bearer(&world.billhook(command))
}

#[test]
fn a_profile_is_an_account_at_every_desk() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, killbill, togai) = (site.user("ann"), site.killbill(), togai(world, &site));
        let body =
            json!({ "full_name": "Acme", "email": "a@acme.test", "country": "DE", "locality": "Bonn" });
        ann.post("/api/users/ann/profiles", body).status(201);
        let account = killbill.get("/accounts?externalKey=acme").status(200).json();
        let path = format!("/accounts/{}", account["accountId"].as_str().unwrap());
        assert_eq!(togai.get("/accounts/acme").status(200).json()["name"], "Acme");
        let mikrocloud = mikrocloud(world, &site, &organization(world, &site, "Acme"));
        let shown = mikrocloud.get("/v1/account").status(200).json();
        assert_eq!((&shown["name"], &shown["address"]["city"]), (&json!("Acme"), &json!("Bonn")));

        // On the command line, a user's token speaks for the profile that he has current.
        let body = json!({
            "email": "xia@people.test", "full_name": "Xia Lee", "locality": "Bonn", "country": "DE",
            "new_password": super::PASSWORD
        });
        site.visitor().post("/api/auth/register", body).status(201);
        let command = ["token", "mikrocloud", "--tenant", site.broker(), "--user", "xia@people.test"];
        let own = world.http().with_bearer(&world.billhook(command));
        assert_eq!(own.get("/v1/account").status(200).json()["name"], "Xia Lee");

        // Whoever changes it, all see it.
        let names = || -> Vec<Value> {
            vec![
                ann.get("/api/profile/acme").status(200).json()["full_name"].clone(),
                killbill.get(&path).status(200).json()["name"].clone(),
                togai.get("/accounts/acme").status(200).json()["name"].clone(),
                mikrocloud.get("/v1/account").status(200).json()["name"].clone(),
            ]
        };
        ann.patch("/api/profile/acme", json!({ "full_name": "One" })).status(200);
        assert_eq!(names(), ["One"; 4]);
        killbill.put(&path, json!({ "name": "Two" })).status(204);
        assert_eq!(names(), ["Two"; 4]);
        togai.patch("/accounts/acme", json!({ "name": "Three" })).status(200);
        assert_eq!(names(), ["Three"; 4]);
        mikrocloud.patch("/v1/account", json!({ "name": "Four" })).status(200);
        assert_eq!(names(), ["Four"; 4]);

        // Its time zone and slug are the profile's own.
        let own = json!({ "default_timezone": "Europe/Berlin", "slug": "acme-gmbh" });
        ann.patch("/api/profile/acme", own).status(200);
        let kept = killbill.get(&path).status(200).json();
        assert_eq!((&kept["externalKey"], &kept["timeZone"]), (&json!("acme"), &json!("UTC")));

        // Archived at one desk, it is gone from this one.
        togai.delete("/accounts/acme").status(200);
        ann.get("/api/profile/acme-gmbh").status(404);
        ann.patch("/api/profile/acme-gmbh", json!({ "full_name": "Five" })).status(404);
        assert_eq!(ann.get("/api/users/ann/profiles").status(200).json()["count"], 0);
    });
}

#[test]
fn what_other_desks_opened_is_a_profile() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, togai) = (site.manager("boss"), togai(world, &site));
        let customer = json!({
            "id": "cust", "name": "Shop", "primaryEmail": "shop@x.test", "address": {},
            "account": { "id": "shop", "name": "Shop Main", "invoiceCurrency": "EUR" },
        });
        togai.post("/customers", customer).status(201);
        assert_eq!(boss.get("/api/profile/shop").status(200).json()["full_name"], "Shop Main");

        let id = world.billhook(["organization", "create", "--tenant", site.broker(), "--name", "Cloud"]);
        let shown = boss.get("/api/profile/cloud").status(200).json();
        assert_eq!((&shown["full_name"], &shown["email"]), (&json!("Cloud"), &json!(null)));
        let own = json!({ "locality": "Perth", "country": "NZ", "default_timezone": "Australia/Perth" });
        boss.patch("/api/profile/cloud", own).status(200);
        let account = json!({ "name": "Cloud Ltd", "email": "cloud@x.test", "address": { "country": "AU" } });
        mikrocloud(world, &site, &id).post("/v1/account", account).status(201);
        let shown = boss.get("/api/profile/cloud").status(200).json();
        assert_eq!((&shown["full_name"], &shown["country"]), (&json!("Cloud Ltd"), &json!("AU")));
        assert_eq!(
            (&shown["locality"], &shown["default_timezone"]),
            (&json!("Perth"), &json!("Australia/Perth"))
        );
        boss.patch("/api/profile/cloud", json!({ "locality": "Sydney" })).status(200);
        let account = mikrocloud(world, &site, &id).get("/v1/account").status(200).json();
        assert_eq!(account["address"]["city"], "Sydney");
    });
}

#[test]
fn a_registered_user_has_a_personal_profile() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let own = xia.get("/api/users/xia/profiles").status(200).json();
        assert_eq!((&own["count"], &own["results"][0]["slug"]), (&json!(1), &json!("xia")), "{own}");
        assert_eq!(own["results"][0]["type"], "personal");
        xia.patch("/api/profile/xia", json!({ "full_name": "Xia Two", "locality": "Lima" })).status(200);
        assert_eq!(xia.get("/api/users/xia").status(200).json()["full_name"], "Xia Two");
        let made =
            xia.post("/api/users/xia/profiles?convert_from_personal=1", json!({ "full_name": "Xia Ltd" }));
        assert!(made.status(200).json()["detail"].is_string());
        assert_eq!(xia.get("/api/profile/xia").status(200).json()["type"], "organization");
        // As an organization it has an account.
        let account = site.killbill().get("/accounts?externalKey=xia").status(200).json();
        assert_eq!((&account["name"], &account["city"]), (&json!("Xia Ltd"), &json!("Lima")));
    });
}

//! Profiles: made, listed, changed, shown at every desk, and deleted without losing the books.

use super::{Site, check_field, path_of};
use crate::scenario;
use serde_json::{Value, json};

/// A whole body for a new profile.
fn acme() -> Value {
    json!({
        "full_name": "Acme, Inc.", "email": "billing@acme.test", "phone": "(650) 253-0000",
        "street_address": "1 Main St", "locality": "San Francisco", "region": "CA", "postal_code": "94105",
        "country": "US", "default_timezone": "America/Los_Angeles", "is_bulk_buyer": true,
        "extra": { "tax": [1, 2] }
    })
}

#[test]
fn a_profile_is_made_read_changed_and_deleted() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let made = ann.post("/api/users/ann/profiles", acme()).status(201);
        assert_eq!(made.location(), format!("{}/api/profile/acme-inc", site.base()));
        let made = made.json();
        let mut wanted = json!({
            "slug": "acme-inc", "printable_name": "Acme, Inc.", "picture": null, "type": "organization",
            "credentials": false, "created_at": made["created_at"], "full_name": "Acme, Inc.",
            "email": "billing@acme.test", "phone": "+16502530000", "street_address": "1 Main St",
            "locality": "San Francisco", "region": "CA", "postal_code": "94105", "country": "US",
            "default_timezone": "America/Los_Angeles", "is_provider": false, "is_bulk_buyer": true,
            "no_implicit_role": false, "extra": { "tax": [1, 2] }
        });
        assert_eq!(made, wanted);
        assert!(made["created_at"].as_str().unwrap().ends_with('Z'));

        wanted["subscriptions"] = json!([]);
        wanted["activities"] = json!([]);
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json(), wanted);

        let change = json!({ "full_name": "Acme", "phone": "", "extra": "a text", "no_implicit_role": true });
        let mut changed = ann.put("/api/profile/acme-inc", change).status(200).json();
        assert!(changed["detail"].is_string());
        changed.as_object_mut().unwrap().remove("detail");
        for (name, value) in
            [("full_name", "Acme"), ("printable_name", "Acme"), ("phone", ""), ("extra", "a text")]
        {
            wanted[name] = json!(value);
        }
        wanted["no_implicit_role"] = json!(true);
        assert_eq!(changed, wanted);
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json(), wanted);

        ann.patch("/api/profile/acme-inc", json!({ "slug": "Acme_2", "country": "" })).status(200);
        ann.get("/api/profile/acme-inc").status(404);
        let renamed = ann.get("/api/profile/Acme_2").status(200).json();
        assert_eq!((&renamed["slug"], &renamed["country"]), (&json!("Acme_2"), &json!("")));

        assert!(ann.delete("/api/profile/Acme_2").status(204).bytes().is_empty());
        let gone = ann.get("/api/profile/Acme_2").status(404).json();
        assert!(gone["detail"].is_string(), "{gone}");
        ann.delete("/api/profile/Acme_2").status(404);
        ann.patch("/api/profile/Acme_2", json!({})).status(404);
    });
}

#[test]
fn a_profile_and_its_account_tell_the_same() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, killbill) = (site.user("ann"), site.killbill());
        ann.post("/api/users/ann/profiles", acme()).status(201);
        let account = killbill.get("/accounts?externalKey=acme-inc").status(200).json();
        let told = |account: &Value, wanted: &[(&str, &str)]| {
            for (field, value) in wanted {
                assert_eq!(account[*field], *value, "{field}");
            }
        };
        told(
            &account,
            &[
                ("name", "Acme, Inc."),
                ("email", "billing@acme.test"),
                ("phone", "+16502530000"),
                ("address1", "1 Main St"),
                ("city", "San Francisco"),
                ("state", "CA"),
                ("postalCode", "94105"),
                ("country", "US"),
                ("timeZone", "America/Los_Angeles"),
            ],
        );
        let path = format!("/accounts/{}", account["accountId"].as_str().unwrap());
        ann.patch(
            "/api/profile/acme-inc",
            json!({ "full_name": "Acme", "locality": "Oakland", "email": null }),
        )
        .status(200);
        let changed = killbill.get(&path).status(200).json();
        told(&changed, &[("name", "Acme"), ("city", "Oakland"), ("state", "CA")]);
        assert!(changed["email"].is_null());
        killbill
            .put(&path, json!({ "name": "Acme Two", "email": "two@acme.test", "phone": "(650) 253-0001" }))
            .status(204);
        let shown = ann.get("/api/profile/acme-inc").status(200).json();
        let wanted = [
            ("full_name", "Acme Two"),
            ("email", "two@acme.test"),
            ("phone", "+16502530001"),
            ("region", "CA"),
        ];
        told(&shown, &wanted);

        // The books of a deleted profile stay, and its slug can be had again.
        ann.delete("/api/profile/acme-inc").status(204);
        let kept = killbill.get(&path).status(200).json();
        told(&kept, &[("name", "Acme Two"), ("externalKey", "acme-inc"), ("city", "Oakland")]);
        assert!(kept["email"].as_str().unwrap().starts_with("_archive_"), "{kept}");
        killbill.put(&path, json!({ "name": "Acme Three" })).status(400);
        let again =
            ann.post("/api/users/ann/profiles", json!({ "full_name": "Acme Inc" })).status(201).json();
        assert_eq!(again["slug"], "acme-inc");
        assert_eq!(
            killbill.get("/accounts/search/Acme%20Inc").status(200).json().as_array().unwrap().len(),
            1
        );
    });
}

#[test]
fn accounts_of_other_desks_are_profiles() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, killbill) = (site.manager("boss"), site.killbill());
        let opened = json!({ "externalKey": "kb-1", "name": "Opened There", "email": "x@there.test", "country": "DE" });
        let id = killbill.post("/accounts", opened).status(201).id();
        killbill.post("/accounts", json!({ "externalKey": "with space", "name": "B" })).status(201);
        let shown = boss.get("/api/profile/kb-1").status(200).json();
        assert_eq!((&shown["full_name"], &shown["country"]), (&json!("Opened There"), &json!("DE")));
        assert_eq!(shown["type"], "organization");
        let found = boss.get("/api/profile?o=created_at").status(200).json();
        assert_eq!(found["count"], 3, "{found}");
        boss.patch("/api/profile/kb-1", json!({ "full_name": "Changed Here" })).status(200);
        let account = killbill.get(format!("/accounts/{id}")).status(200).json();
        assert_eq!(account["name"], "Changed Here");

        // The key of an account is taken as a slug, also before anybody looked.
        killbill.post("/accounts", json!({ "externalKey": "kb-2" })).status(201);
        let body = json!({ "full_name": "Kb", "slug": "kb-2" });
        check_field(&boss.post("/api/users/boss/profiles", body).status(400).json(), "slug");
        let nameless = boss.get("/api/accounts/profiles/kb-2").status(200).json();
        assert_eq!(nameless["printable_name"], "kb-2");
        // Nothing was made of what was refused.
        assert_eq!(boss.get("/api/profile").status(200).json()["count"], 4);
        // A slug that is made of a name is no waiting account's; an account whose key is no slug is found by its id.
        killbill.post("/accounts", json!({ "externalKey": "waits" })).status(201);
        let made = boss.post("/api/users/boss/profiles", json!({ "full_name": "Waits" })).status(201).json();
        assert!(made["slug"].as_str().unwrap().starts_with("waits-"), "{made}");
        let id =
            killbill.post("/accounts", json!({ "externalKey": "no slug", "name": "C" })).status(201).id();
        assert_eq!(boss.get(format!("/api/profile/{id}")).status(200).json()["slug"], id);
        assert_eq!(boss.get("/api/profile/waits").status(200).json()["slug"], "waits");
    });
}

#[test]
fn who_may_do_what_with_a_profile() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob, cid) = (site.user("ann"), site.user("bob"), site.user("cid"));
        let (boss, aide) = (site.manager("boss"), site.user("aide"));
        site.give_role("aide", site.broker(), "contributor");
        ann.post("/api/users/ann/profiles", acme()).status(201);
        site.give_role("cid", "acme-inc", "contributor");
        let path = "/api/profile/acme-inc";
        let denied = json!({ "detail": "Permission denied" });

        for reader in [&ann, &cid, &boss, &aide] {
            reader.get(path).status(200);
        }
        for writer in [&ann, &boss] {
            writer.patch(path, json!({ "region": "CA" })).status(200);
        }
        for stranger in [&bob, &site.visitor()] {
            assert_eq!(stranger.get(path).status(403).json(), denied);
            stranger.get("/api/profile").status(403);
            stranger.get("/api/users/ann/profiles").status(403);
            stranger.post("/api/users/ann/profiles", acme()).status(403);
        }
        for silent in [&bob, &site.visitor(), &cid, &aide] {
            assert_eq!(silent.patch(path, json!({ "region": 1 })).status(403).json(), denied);
            silent.put(path, json!({})).status(403);
            silent.delete(path).status(403);
            silent.post(format!("{path}/picture"), json!({})).status(403);
        }
        for reader in [&boss, &aide] {
            reader.get("/api/profile").status(200);
        }
        ann.get("/api/profile").status(403);
        // A contributor of one of her profiles may see which these are, and a manager of the site everything.
        cid.get("/api/users/ann/profiles").status(200);
        boss.post("/api/users/ann/profiles", json!({ "full_name": "More" })).status(201);
        assert_eq!(ann.get("/api/users/ann/profiles").status(200).json()["count"], 2);

        // Only the site's managers say who is a provider.
        ann.patch(path, json!({ "is_provider": true })).status(403);
        ann.post("/api/users/ann/profiles", json!({ "full_name": "P", "is_provider": true })).status(403);
        assert_eq!(ann.get(path).status(200).json()["is_provider"], false);
        assert_eq!(boss.patch(path, json!({ "is_provider": true })).status(200).json()["is_provider"], true);
        // The site itself stays.
        boss.delete(format!("/api/profile/{}", site.broker())).status(400);

        // Another site knows none of them.
        let other = Site::new(world);
        let (stranger, boss) = (other.user("ann"), other.manager("boss"));
        stranger.get(path).status(404);
        boss.get(path).status(404);
        assert_eq!(boss.get("/api/profile").status(200).json()["count"], 1);
        ann.with("Host", other.base().trim_start_matches("http://")).get("/api/users/ann").status(403);
    });
}

/// An address of this many characters.
fn email(length: usize) -> String {
    format!("a@{}.test", "x".repeat(length - 7))
}

#[test]
fn every_field_of_a_profile_may_go_to_its_limit() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        ann.post("/api/users/ann/profiles", json!({ "full_name": "A", "slug": "a" })).status(201);
        let taken = [
            ("full_name", json!("é".repeat(100))),
            ("email", json!(email(254))),
            ("street_address", json!("é".repeat(150))),
            ("locality", json!("é".repeat(50))),
            ("region", json!("é".repeat(50))),
            ("postal_code", json!("é".repeat(50))),
            ("country", json!("FR")),
            ("country", json!("")),
            ("phone", json!("+33142685300")),
            ("default_timezone", json!("Europe/Paris")),
            ("picture", json!("https://x.test/a.png")),
            ("picture", json!(null)),
            ("extra", json!({ "a": { "b": [1, "2", null] } })),
            ("is_bulk_buyer", json!(true)),
        ];
        for (field, value) in taken {
            let body = json!({ field: value });
            let shown = ann.patch("/api/profile/a", body).status(200).json();
            assert_eq!(shown[field], value, "{field}");
            assert_eq!(ann.get("/api/profile/a").status(200).json()[field], value, "{field}");
        }
    });
}

#[test]
fn no_field_of_a_profile_goes_over_its_limit() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        ann.post("/api/users/ann/profiles", json!({ "full_name": "A", "slug": "a" })).status(201);
        let refused = [
            ("slug", json!("x".repeat(51))),
            ("slug", json!("a b")),
            ("slug", json!("")),
            ("slug", json!(site.broker())),
            ("full_name", json!("é".repeat(101))),
            ("full_name", json!(" ")),
            ("full_name", json!(7)),
            ("email", json!(email(255))),
            ("email", json!("nobody")),
            ("phone", json!("555-5555")),
            ("phone", json!("x")),
            ("street_address", json!("é".repeat(151))),
            ("locality", json!("é".repeat(51))),
            ("region", json!("é".repeat(51))),
            ("postal_code", json!("é".repeat(51))),
            ("country", json!("XX")),
            ("country", json!("FRA")),
            ("default_timezone", json!("Mars/Olympus")),
            ("default_timezone", json!("")),
            ("picture", json!("javascript:alert(1)")),
            ("is_bulk_buyer", json!("perhaps")),
            ("no_implicit_role", json!(1)),
            ("extra", json!([1])),
            ("extra", json!("x".repeat(16 * 1024 + 1))),
        ];
        let before = ann.get("/api/profile/a").status(200).json();
        for (field, value) in refused {
            let mut body = json!({ "full_name": "A", field: value });
            check_field(&ann.patch("/api/profile/a", json!({ field: value })).status(400).json(), field);
            check_field(&ann.put("/api/profile/a", body.clone()).status(400).json(), field);
            body["type"] = json!("organization");
            check_field(&ann.post("/api/users/ann/profiles", body).status(400).json(), field);
        }
        assert_eq!(ann.get("/api/profile/a").status(200).json(), before);
        check_field(&ann.put("/api/profile/a", json!({ "region": "X" })).status(400).json(), "full_name");
        check_field(&ann.post("/api/users/ann/profiles", json!({})).status(400).json(), "full_name");
        for kind in ["user", "provider", "x"] {
            let body = json!({ "full_name": "A", "type": kind });
            check_field(&ann.post("/api/users/ann/profiles", body).status(400).json(), "type");
        }
        assert_eq!(ann.get("/api/users/ann/profiles").status(200).json()["count"], 1);
    });
}

#[test]
fn bodies_are_json_or_forms() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        ann.post("/api/users/ann/profiles", json!({ "full_name": "A", "slug": "a" })).status(201);
        for body in ["[]", "{", "7"] {
            let answer =
                ann.with("Content-Type", "application/json").send("PATCH", "/api/profile/a", Some(body));
            assert!(answer.status(400).json()["detail"].is_string());
        }
        let form = ann.with("Content-Type", "application/x-www-form-urlencoded");
        let shown =
            form.send("PATCH", "/api/profile/a", Some("locality=Paris&is_bulk_buyer=false")).status(200);
        assert_eq!(
            (&shown.json()["locality"], &shown.json()["is_bulk_buyer"]),
            (&json!("Paris"), &json!(false))
        );
        let parts = ann.with("Content-Type", "multipart/form-data; boundary=edge");
        let part = |head: &str, text: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name={head}\r\n\r\n{text}\r\n")
        };
        let body =
            part("full_name", "Ä B") + &part("region; filename=x", "X") + &part("phone", "") + "--edge--\r\n";
        let shown = parts.send("PUT", "/api/profile/a", Some(body)).status(200).json();
        assert_eq!((&shown["full_name"], &shown["region"]), (&json!("Ä B"), &json!("")));
        for broken in ["--edge\r\n", "nothing"] {
            let answer = parts.send("PUT", "/api/profile/a", Some(broken)).status(400).json();
            assert!(answer["detail"].is_string(), "{answer}");
        }
        ann.with("Content-Type", "text/plain").send("PUT", "/api/profile/a", Some("x")).status(415);
    });
}

#[test]
fn slugs_are_made_of_names() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        let make = |body: Value| {
            let made = ann.post("/api/users/ann/profiles", body).status(201).json();
            made["slug"].as_str().unwrap().to_owned()
        };
        assert_eq!(make(json!({ "full_name": "Söhne & Co" })), "s-hne-co");
        let second = make(json!({ "full_name": "Söhne & Co" }));
        assert!(second.starts_with("s-hne-co-") && second.len() == "s-hne-co-".len() + 12, "{second}");
        assert_eq!(make(json!({ "full_name": "東京", "email": "tokyo@x.test" })), "tokyo");
        assert!(make(json!({ "full_name": "東京" })).len() > 5);
        assert_eq!(make(json!({ "full_name": "X", "slug": "My_Slug-1" })), "My_Slug-1");
        let taken = json!({ "full_name": "X", "slug": "My_Slug-1" });
        check_field(&ann.post("/api/users/ann/profiles", taken).status(400).json(), "slug");
    });
}

/// The slugs of a page.
#[track_caller]
fn slugs(page: &Value) -> Vec<String> {
    let items = page["results"].as_array().unwrap_or_else(|| panic!("{page} is no page"));
    items.iter().map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn profiles_are_searched_sorted_and_paged() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let killbill = site.killbill();
        for (day, (key, name, city)) in [
            ("d", "Delta", "Rome"),
            ("b", "beta", "Oslo"),
            ("c", "Gamma", "Rome"),
            ("a", "Alpha, Ltd", "50%_"),
        ]
        .into_iter()
        .enumerate()
        {
            killbill.post(format!("/test/clock?requestedDate=2030-01-0{}", day + 1), json!({})).status(200);
            let body = json!({ "externalKey": key, "name": name, "city": city, "email": format!("{key}@{city}.test") });
            killbill.post("/accounts", body).status(201);
        }
        killbill.post("/test/clock?requestedDate=2030-02-01", json!({})).status(200);
        let list = |query: &str| boss.get(format!("/api/profile?{query}")).status(200).json();
        let found = |query: &str| slugs(&list(query)).join(",");
        let broker = site.broker();

        // Capitals come first, whatever the database.
        assert_eq!(found(""), format!("a,d,c,b,{broker}"));
        assert_eq!(found("o=-full_name"), format!("{broker},b,c,d,a"));
        assert_eq!(found("start_at=2030-01-01"), "a,d,c,b");
        assert_eq!(found("o=created_at&start_at=2030-01-01"), "d,b,c,a");
        assert_eq!(found("o=-created_at&start_at=2030-01-01"), "a,c,b,d");
        assert_eq!(found("o=nothing&start_at=2030-01-01"), "a,d,c,b");
        assert_eq!(found("start_at=2030-01-02&ends_at=2030-01-04"), "c,b");
        assert_eq!(found("start_at=%222030-01-04T00:00:00Z%22"), "a");
        assert_eq!(found("q=ROME"), "d,c");
        assert_eq!(found("q=ROME,oslo"), "d,c,b");
        assert_eq!(found("q=rome&q_f=full_name"), "");
        assert_eq!(found("q=rome&q_f=full_name&q_f=locality"), "d,c");
        assert_eq!(found("q=rome&q_f=nothing"), "d,c");
        assert_eq!(found("q=%22alpha,+ltd%22"), "a");
        assert_eq!(found("q=50%25_"), "a");
        assert_eq!(found("q=5_%25"), "");
        assert_eq!(found("q=ro%00me"), "d,c");
        assert_eq!(found("q=lp"), "a");
        assert_eq!(found("q=nobody"), "");

        let page = list("page_size=2&q=e&q_f=email&o=-created_at");
        assert_eq!(page["count"], 4);
        assert_eq!(slugs(&page), ["a", "c"]);
        assert!(page["previous"].is_null());
        let next = boss.get(path_of(&page["next"])).status(200).json();
        assert_eq!(slugs(&next), ["b", "d"]);
        assert!(next["next"].is_null());
        assert_eq!(slugs(&boss.get(path_of(&next["previous"])).status(200).json()), ["a", "c"]);
        assert!(next["previous"].as_str().unwrap().starts_with(&format!("{}/api/profile?", site.base())));
        assert_eq!(slugs(&list("page_size=2&page=last")), [broker]);
        assert_eq!(list("page_size=1000")["count"], 5);
        let item = &list("q=delta")["results"][0];
        assert_eq!((&item["printable_name"], &item["locality"]), (&json!("Delta"), &json!("Rome")));
        for wrong in ["page=0", "page=4&page_size=2", "page=x", "page=-1"] {
            let answer = boss.get(format!("/api/profile?{wrong}")).status(404).json();
            assert_eq!(answer, json!({ "detail": "Invalid page." }));
        }
        for wrong in ["start_at=yesterday", "ends_at=2030-02-31"] {
            let field = wrong.split('=').next().unwrap();
            check_field(&boss.get(format!("/api/profile?{wrong}")).status(400).json(), field);
        }
        // Dates without an offset are the site's.
        boss.patch(format!("/api/profile/{broker}"), json!({ "default_timezone": "Asia/Tokyo" })).status(200);
        assert_eq!(found("start_at=2030-01-04T10:00:00"), "");
        assert_eq!(found("start_at=2030-01-04T09:00:00"), "a");
    });
}

/// The beginning of a picture that is `length` bytes long.
fn png(length: usize) -> Vec<u8> {
    let mut content = b"\x89PNG\r\n\x1a\n".to_vec();
    content.resize(length, 0);
    content
}

/// A form with one file.
pub(crate) fn form(client: &testkit::Http, path: &str, name: &str, content: &[u8]) -> testkit::Response {
    let head = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"x.svg\"\r\nContent-Type: image/svg+xml\r\n\r\n"
    );
    let body = [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat();
    client.with("Content-Type", "multipart/form-data; boundary=edge").send("POST", path, Some(body))
}

#[test]
fn a_profile_has_a_picture() {
    scenario(|world| {
        let site = Site::new(world);
        let ann = site.user("ann");
        ann.post("/api/users/ann/profiles", acme()).status(201);
        let path = "/api/profile/acme-inc/picture";
        let made = form(&ann, path, "file", &png(900 * 1024)).status(201).json();
        assert!(made["location"].as_str().unwrap().ends_with(".png"), "{made}");
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json()["picture"], made["location"]);
        let served = site.visitor().get(path_of(&made["location"])).status(200);
        assert_eq!(served.bytes(), png(900 * 1024));
        assert_eq!(served.header("Content-Type"), Some("image/png"));
        assert_eq!(served.header("X-Content-Type-Options"), Some("nosniff"));
        // The same content is the same picture.
        assert_eq!(form(&ann, path, "file", &png(900 * 1024)).status(201).json(), made);
        let jpeg = form(&ann, path, "file", b"\xff\xd8\xff\xe0...").status(201).json();
        assert!(jpeg["location"].as_str().unwrap().ends_with(".jpg"), "{jpeg}");
        // What was replaced is not kept.
        site.visitor().get(path_of(&made["location"])).status(404);

        for (name, content) in
            [("file", &b"<svg/>"[..]), ("file", b""), ("other", &png(99)), ("file", &png(900 * 1024 + 1))]
        {
            check_field(&form(&ann, path, name, content).status(400).json(), "file");
        }
        check_field(&ann.post(path, json!({})).status(400).json(), "file");
        check_field(&ann.request("POST", path, None).status(400).json(), "file");
        assert_eq!(ann.get("/api/profile/acme-inc").status(200).json()["picture"], jpeg["location"]);
        let bob = site.user("bob");
        form(&bob, path, "file", &png(99)).status(403);
        form(&bob, "/api/users/ann/picture", "file", &png(99)).status(403);
        form(&site.visitor(), path, "file", &png(99)).status(403);
        form(&ann, "/api/profile/nobody/picture", "file", &png(99)).status(404);
        // Nobody's picture, and another site's.
        site.visitor().get("/api/pictures/x.png").status(404);
        Site::new(world).visitor().get(path_of(&jpeg["location"])).status(404);

        let own = form(&ann, "/api/users/ann/picture", "file", &png(20)).status(201).json();
        assert_eq!(ann.get("/api/users/ann").status(200).json()["picture"], own["location"]);
        // Each of two has his own copy of the same picture, until it is his no more.
        let again = form(&ann, path, "file", &png(20)).status(201).json();
        assert_eq!(again, own);
        ann.patch("/api/profile/acme-inc", json!({ "locality": "Oslo" })).status(200);
        ann.patch("/api/users/ann", json!({ "picture": null })).status(200);
        site.visitor().get(path_of(&own["location"])).status(200);
        ann.delete("/api/profile/acme-inc").status(204);
        site.visitor().get(path_of(&own["location"])).status(404);
        let last = form(&ann, "/api/users/ann/picture", "file", &png(30)).status(201).json();
        ann.delete("/api/users/ann").status(204);
        site.visitor().get(path_of(&last["location"])).status(404);
    });
}

#[test]
fn a_personal_profile_follows_its_user() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        let body = json!({ "full_name": "Ann Doe", "type": "personal", "email": "ann@people.test", "slug": "other" });
        let made = ann.post("/api/users/ann/profiles", body.clone()).status(201).json();
        assert_eq!((&made["slug"], &made["type"]), (&json!("ann"), &json!("personal")));
        assert_eq!((&made["credentials"], &made["lang"]), (&json!(true), &json!("en")));
        check_field(&ann.post("/api/users/ann/profiles", body).status(400).json(), "type");

        let change =
            json!({ "full_name": "Ann Roe", "phone": "650-253-0000", "nick_name": "Annie", "lang": "fr" });
        ann.patch("/api/users/ann", change).status(200);
        let shown = ann.get("/api/profile/ann").status(200).json();
        assert_eq!((&shown["full_name"], &shown["phone"]), (&json!("Ann Roe"), &json!("+16502530000")));
        let names = (&shown["printable_name"], &shown["nick_name"], &shown["lang"]);
        assert_eq!(names, (&json!("Annie"), &json!("Annie"), &json!("fr")));

        ann.patch(
            "/api/profile/ann",
            json!({ "full_name": "Ann Poe", "email": "Poe@x.test", "slug": "poe" }),
        )
        .status(200);
        let user = ann.get("/api/users/poe").status(200).json();
        assert_eq!((&user["full_name"], &user["email"]), (&json!("Ann Poe"), &json!("poe@x.test")));
        ann.get("/api/users/ann").status(404);
        site.user("taken");
        let refused =
            ann.patch("/api/profile/poe", json!({ "email": "taken@people.test" })).status(400).json();
        check_field(&refused, "email");
        check_field(
            &ann.patch("/api/profile/poe", json!({ "slug": "taken" })).status(400).json(),
            "username",
        );
        for query in
            ["q=Poe&q_f=first_name", "q=nn+Poe", "q=ann+poe&q_f=full_name", "q=OE&q_f=username", "q=poe,no"]
        {
            assert_eq!(boss.get(format!("/api/profile?{query}")).status(200).json()["count"], 1, "{query}");
        }
        for query in ["q=Ann+Doe", "q=Ann&q_f=last_name", "q=poe%0Aann", "q=ann&q_f=username"] {
            assert_eq!(boss.get(format!("/api/profile?{query}")).status(200).json()["count"], 0, "{query}");
        }

        // It becomes an organization, and the user has none any more.
        let path = "/api/users/poe/profiles?convert_from_personal=1";
        let answer =
            ann.post(path, json!({ "full_name": "Poe & Sons", "slug": "poe-sons" })).status(200).json();
        assert!(answer["detail"].is_string());
        let shown = ann.get("/api/profile/poe-sons").status(200).json();
        assert_eq!((&shown["type"], &shown["full_name"]), (&json!("organization"), &json!("Poe & Sons")));
        ann.post(path, json!({ "full_name": "X" })).status(400);
        assert_eq!(ann.get("/api/users/poe").status(200).json()["full_name"], "Ann Poe");
    });
}

#[test]
fn the_user_of_a_personal_profile_goes_with_it() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss) = (site.user("ann"), site.manager("boss"));
        ann.post("/api/users/ann/profiles", json!({ "full_name": "Ann", "type": "personal" })).status(201);
        ann.post("/api/users/ann/profiles", acme()).status(201);
        ann.delete("/api/profile/ann").status(204);
        ann.get("/api/profile/acme-inc").status(403);
        boss.get("/api/users/ann").status(404);
        boss.get("/api/profile/ann").status(404);
        boss.get("/api/profile/acme-inc").status(200);
        // The name is free.
        site.user("ann").get("/api/users/ann").status(200);
    });
}

#[test]
fn the_other_managers_are_told_what_changed() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, bob) = (site.user("ann"), site.user("bob"));
        ann.post("/api/users/ann/profiles", acme()).status(201);
        site.give_role("bob", "acme-inc", "manager");
        site.user("cid");
        site.give_role("cid", "acme-inc", "contributor");
        ann.patch(
            "/api/profile/acme-inc",
            json!({ "locality": "Oakland", "is_bulk_buyer": false, "extra": "kept" }),
        )
        .status(200);
        let mails = site.mails_to("bob@people.test");
        let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
        for part in
            ["ann changed the profile Acme, Inc.", "locality: Oakland", "is_bulk_buyer: false", "extra"]
        {
            assert!(mail.contains(part), "{part} in {mail}");
        }
        assert!(!mail.contains("kept") && !mail.contains("region"), "{mail}");
        assert!(site.mails_to("ann@people.test").is_empty() && site.mails_to("cid@people.test").is_empty());

        // Not of what was no change, nor to whom wants no such mail.
        ann.patch("/api/profile/acme-inc", json!({ "locality": "Oakland" })).status(200);
        bob.put("/api/users/bob/notifications", json!({ "notifications": ["user_contact"] })).status(200);
        ann.patch("/api/profile/acme-inc", json!({ "locality": "Berkeley" })).status(200);
        assert_eq!(site.mails_to("bob@people.test").len(), 1);
        bob.patch("/api/profile/acme-inc", json!({ "locality": "Albany" })).status(200);
        assert_eq!(site.mails_to("ann@people.test").len(), 1);
    });
}

#[test]
fn callers_at_the_same_time_do_not_hurt_each_other() {
    scenario(|world| {
        let site = Site::new(world);
        let (ann, boss, killbill) = (site.user("ann"), site.manager("boss"), site.killbill());
        let at_once = |call: &(dyn Fn(usize) -> u16 + Sync)| -> Vec<u16> {
            std::thread::scope(|scope| {
                let calls: Vec<_> = (0..8).map(|number| scope.spawn(move || call(number))).collect();
                calls.into_iter().map(|call| call.join().unwrap()).collect()
            })
        };
        let body = json!({ "full_name": "Race", "slug": "race" });
        let mut made = at_once(&|_| ann.post("/api/users/ann/profiles", body.clone()).code());
        made.sort_unstable();
        assert_eq!(made, [201, 400, 400, 400, 400, 400, 400, 400]);
        let nameless = json!({ "full_name": "No Slug" });
        assert_eq!(at_once(&|_| ann.post("/api/users/ann/profiles", nameless.clone()).code()), [201; 8]);

        for number in 0..8 {
            killbill.post("/accounts", json!({ "externalKey": format!("kb-{number}") })).status(201);
        }
        let look = |number: usize| match number % 2 {
            0 => boss.get(format!("/api/profile/kb-{number}")).code(),
            _ => boss.get("/api/profile").code(),
        };
        assert_eq!(at_once(&look), [200; 8]);
        assert_eq!(boss.get("/api/profile?q=kb-&q_f=slug").status(200).json()["count"], 8);

        // A person, the profile that is he, and its account are changed from all sides.
        ann.post("/api/users/ann/profiles", json!({ "full_name": "Ann", "type": "personal" })).status(201);
        let account = killbill.get("/accounts?externalKey=ann").status(200).json();
        let path = format!("/accounts/{}", account["accountId"].as_str().unwrap());
        let change = |number: usize| match number % 3 {
            0 => ann.patch("/api/users/ann", json!({ "full_name": format!("User {number}") })).code(),
            1 => ann.patch("/api/profile/ann", json!({ "full_name": format!("Profile {number}") })).code(),
            _ => killbill.put(&path, json!({ "name": format!("Account {number}") })).code() - 4,
        };
        assert_eq!(at_once(&change), [200; 8]);
        let name = ann.get("/api/profile/ann").status(200).json()["full_name"].clone();
        assert_eq!(killbill.get(&path).status(200).json()["name"], name);
        world.billhook(["verify", "--tenant", site.broker()]);
    });
}

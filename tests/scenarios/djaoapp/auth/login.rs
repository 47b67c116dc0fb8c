//! Registering, logging in and out, by token and by cookie.

use super::{claims, cookie, logged_in, with_token_of};
use crate::djaoapp::{PASSWORD, Site, check_field};
use crate::scenario;
use serde_json::{Value, json};

#[test]
fn who_registers_is_logged_in_with_a_profile_of_his_own() {
    scenario(|world| {
        let site = Site::new(world);
        let body = json!({
            "username": "xia", "email": "Xia@People.test", "phone": "(650) 253-0000", "full_name": "Xia Lee",
            "nick_name": "X", "lang": "fr", "new_password": PASSWORD, "user_source": "ad"
        });
        let made = site.visitor().post("/api/auth/register", body).status(201).json();
        let xia = with_token_of(&site, &made);
        let session = xia.get("/api/auth/tokens").status(200).json();
        for (name, value) in [
            ("slug", json!("xia")),
            ("username", json!("xia")),
            ("printable_name", json!("X")),
            ("email", json!("xia@people.test")),
            ("phone", json!("+16502530000")),
            ("full_name", json!("Xia Lee")),
            ("nick_name", json!("X")),
            ("lang", json!("fr")),
            ("credentials", json!(true)),
            ("otp_enabled", json!(false)),
            ("extra", json!({ "source": "ad" })),
        ] {
            assert_eq!(session[name], value, "{name} in {session}");
        }
        let role = &session["roles"][0];
        assert_eq!(session["roles"].as_array().map(Vec::len), Some(1), "{session}");
        assert_eq!(role["profile"]["slug"], "xia");
        assert_eq!(role["profile"]["type"], "personal");
        assert_eq!(role["role_description"]["slug"], "manager");

        let mut shown = xia.get("/api/users/xia").status(200).json();
        assert!(shown["last_login"].is_string(), "{shown}");
        let claims = claims(&made);
        shown.as_object_mut().unwrap().remove("extra");
        for (name, value) in shown.as_object().unwrap().iter().filter(|(name, _)| *name != "last_login") {
            assert_eq!(&claims[name], value, "{name} in {claims}");
        }
        assert!(claims["exp"].is_i64(), "{claims}");

        let profile = xia.get("/api/profile/xia").status(200).json();
        assert_eq!((&profile["type"], &profile["full_name"]), (&json!("personal"), &json!("Xia Lee")));
        assert_eq!(profile["email"], "xia@people.test");
        for name in ["xia", "xia@people.test", "XIA@people.test", "+16502530000", "650-253-0000"] {
            logged_in(&site, name, PASSWORD).get("/api/users/xia").status(200);
        }
        let mails = site.mails_to("xia@people.test");
        assert!(mails.len() == 1 && mails[0].contains("Welcome") && mails[0].contains("xia"), "{mails:?}");
    });
}

#[test]
fn an_organization_registers_with_its_account() {
    scenario(|world| {
        let site = Site::new(world);
        let body = json!({
            "email": "ann.lee@acme.test", "full_name": "Ann Lee", "new_password": PASSWORD,
            "organization_name": "Acme, Inc.", "type": "organization", "organization_size": 7,
            "role_title": "CEO", "street_address": "1 Main St", "locality": "Berlin", "postal_code": "10115",
            "country": "DE"
        });
        let made = site.visitor().post("/api/auth/register", body).status(201).json();
        let ann = with_token_of(&site, &made);
        assert_eq!(claims(&made)["username"], "ann-lee");
        let acme = ann.get("/api/profile/acme-inc").status(200).json();
        assert_eq!((&acme["type"], &acme["full_name"]), (&json!("organization"), &json!("Acme, Inc.")));
        assert_eq!((&acme["extra"], &acme["is_provider"]), (&json!({ "size": 7 }), &json!(false)));
        let person = ann.get("/api/profile/ann-lee").status(200).json();
        assert_eq!((&person["locality"], &person["country"]), (&json!("Berlin"), &json!("DE")));
        assert_eq!(person["extra"], Value::Null);
        for (key, name) in [("acme-inc", "Acme, Inc."), ("ann-lee", "Ann Lee")] {
            let account = site.killbill().get(format!("/accounts?externalKey={key}")).status(200).json();
            assert_eq!(account["name"], name);
        }
        // The name alone is enough, and a second one of that name is another.
        let body = json!({
            "username": "bob", "email": "bob@acme.test", "full_name": "Acme, Inc.", "new_password": PASSWORD,
            "type": "organization"
        });
        let bob = with_token_of(&site, &site.visitor().post("/api/auth/register", body).status(201).json());
        let roles = bob.get("/api/auth/tokens").status(200).json()["roles"].clone();
        let slugs: Vec<String> =
            roles.as_array().unwrap().iter().map(|role| role["profile"]["slug"].to_string()).collect();
        assert!(slugs.iter().any(|slug| slug == "\"bob\""), "{slugs:?}");
        assert!(slugs.iter().any(|slug| slug.starts_with("\"acme-inc-")), "{slugs:?}");
        bob.get("/api/profile/acme-inc").status(403);

        let body = json!({
            "username": "eve", "email": "eve@p.test", "full_name": "Eve", "new_password": PASSWORD, "type": "provider"
        });
        let eve = with_token_of(&site, &site.visitor().post("/api/auth/register", body).status(201).json());
        assert_eq!(eve.get("/api/profile/eve").status(200).json()["is_provider"], true);
    });
}

#[test]
fn a_registration_is_checked() {
    scenario(|world| {
        let site = Site::new(world);
        let visitor = site.visitor();
        let right = json!({
            "username": "xia", "email": "xia@people.test", "full_name": "Xia Lee", "new_password": PASSWORD
        });
        let with = |more: Value| {
            let mut body = right.clone();
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        for (more, field) in [
            (json!({ "full_name": "" }), "full_name"),
            (json!({ "full_name": null }), "full_name"),
            (json!({ "full_name": 5 }), "full_name"),
            (json!({ "full_name": "x".repeat(61) }), "full_name"),
            (json!({ "full_name": "a\u{7}b" }), "full_name"),
            (json!({ "nick_name": "x".repeat(61) }), "nick_name"),
            (json!({ "username": "" }), "username"),
            (json!({ "username": "a b" }), "username"),
            (json!({ "username": "x".repeat(151) }), "username"),
            (json!({ "username": "eve@people.test" }), "username"),
            (json!({ "email": "xia" }), "email"),
            (json!({ "phone": "12" }), "phone"),
            (json!({ "phone_code": 123_456 }), "phone_code"),
            (json!({ "email_code": 123_456 }), "email_code"),
            (json!({ "email_code": "x", "check_email": true }), "email_code"),
            (json!({ "lang": "French" }), "lang"),
            (json!({ "new_password": "123456789" }), "new_password"),
            (json!({ "new_password": 1_234_567_890 }), "new_password"),
            (json!({ "new_password": "a line\nand another" }), "new_password"),
            (json!({ "type": "company" }), "type"),
            (json!({ "country": "ZZ" }), "country"),
            (json!({ "user_note": "x".repeat(16 * 1024) }), "extra"),
            (json!({ "role_note": "x".repeat(16 * 1024) }), "extra"),
            (json!({ "organization_note": "x".repeat(16 * 1024) }), "extra"),
            (json!({ "username": "415-555-2671" }), "username"),
            (json!({ "postal_code": "x".repeat(51) }), "postal_code"),
            (json!({ "organization_name": "x".repeat(101) }), "organization_name"),
        ] {
            let answer = visitor.post("/api/auth/register", with(more)).status(400).json();
            check_field(&answer, field);
        }
        let nowhere = json!({ "full_name": "Xia", "new_password": PASSWORD });
        let answer = visitor.post("/api/auth/register", nowhere).status(400).json();
        assert!(answer["email"].is_array() && answer["phone"].is_array(), "{answer}");
        for body in [json!([]), json!("x"), json!(null)] {
            visitor.post("/api/auth/register", body).status(400);
        }
        // Without a password, the address is to be verified, also in test mode.
        let answer = visitor.post("/api/auth/register", with(json!({ "new_password": null }))).status(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        check_field(&answer.json(), "email");

        visitor.post("/api/auth/register", right.clone()).status(201);
        for (more, field) in [
            (json!({ "email": "other@people.test" }), "username"),
            (json!({ "username": "other" }), "email"),
            (json!({ "username": "other", "email": "XIA@people.test" }), "email"),
            // A profile has that slug.
            (json!({ "username": site.broker(), "email": "other@people.test" }), "username"),
        ] {
            check_field(&visitor.post("/api/auth/register", with(more)).status(400).json(), field);
        }
        // A form says the same.
        let form = "email=b%40people.test&full_name=Bo&new_password=the+cat+sat+on&cookie=";
        let client = visitor.with("Content-Type", "application/x-www-form-urlencoded");
        client.send("POST", "/api/auth/register", Some(form)).status(201);
    });
}

#[test]
fn who_registers_agrees_to_what_he_is_asked() {
    scenario(|world| {
        let site = Site::new(world);
        site.make_terms();
        let body = |name: &str, agreed: Value| {
            json!({
                "username": name, "email": format!("{name}@people.test"), "full_name": name,
                "new_password": PASSWORD, "terms-of-use": agreed, "no-such-agreement": false
            })
        };
        for no in [json!(false), json!("false"), json!("perhaps"), json!(0)] {
            let answer = site.visitor().post("/api/auth/register", body("xia", no)).status(400).json();
            check_field(&answer, "terms-of-use");
        }
        let made = site.visitor().post("/api/auth/register", body("xia", json!(true))).status(201).json();
        with_token_of(&site, &made).get("/api/users/xia/profiles").status(200);
        // Who said nothing has signed nothing yet.
        let unsigned = site.registered("bob").get("/api/users/bob/profiles").status(403).json();
        assert!(unsigned["detail"].as_str().unwrap().contains("terms"), "{unsigned}");
    });
}

#[test]
fn a_wrong_password_and_an_unknown_name_look_alike() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("xia");
        let visitor = site.visitor();
        let attempt = |name: &str, password: &str| {
            visitor.post("/api/auth", json!({ "username": name, "password": password }))
        };
        let wrong = attempt("xia", "a wrong password").status(401);
        assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
        let wrong = wrong.json();
        assert!(wrong["username"].is_string() && wrong["password"].is_string(), "{wrong}");
        assert_eq!(attempt("nobody", "a wrong password").status(401).json(), wrong);
        for name in ["xia", "nobody"] {
            let missing = visitor.post("/api/auth", json!({ "username": name })).status(401).json();
            assert_eq!(missing, json!({ "password": "Password is required." }));
            let code = json!({ "username": name, "email_code": 123_456 });
            check_field(&visitor.post("/api/auth", code).status(400).json(), "email_code");
            let code = json!({ "username": name, "phone_code": 123_456 });
            check_field(&visitor.post("/api/auth", code).status(400).json(), "phone_code");
        }
        check_field(
            &visitor.post("/api/auth", json!({ "password": PASSWORD })).status(400).json(),
            "username",
        );
        check_field(&visitor.post("/api/auth", json!({ "username": 5 })).status(400).json(), "username");
        let number = json!({ "username": "xia", "password": 1_234_567_890 });
        check_field(&visitor.post("/api/auth", number).status(400).json(), "password");
    });
}

#[test]
fn guessing_ends_after_ten_attempts_and_goes_on_after_a_quarter_of_an_hour() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("xia");
        site.registered("bob");
        let attempt = |name: &str, password: &str| {
            site.visitor().post("/api/auth", json!({ "username": name, "password": password }))
        };
        for name in ["xia", "nobody"] {
            for _ in 0..10 {
                attempt(name, "a wrong password").status(401);
            }
            // Also with the right one; nobody learns that it is.
            let locked = attempt(name, PASSWORD).status(429).json();
            assert!(locked["detail"].is_string(), "{locked}");
        }
        attempt("XIA", PASSWORD).status(429);
        // By whichever of his names.
        attempt("xia@people.test", PASSWORD).status(429);
        attempt("bob", PASSWORD).status(201);
        site.wait_minutes(16);
        attempt("xia", PASSWORD).status(201);
        // What was right forgives what was wrong before.
        for _ in 0..3 {
            for _ in 0..6 {
                attempt("xia", "a wrong password").status(401);
            }
            attempt("xia", PASSWORD).status(201);
        }
    });
}

#[test]
fn tokens_are_verified_renewed_and_end_with_their_session() {
    scenario(|world| {
        let site = Site::new(world);
        let (xia, bob) = (site.registered("xia"), site.registered("bob"));
        let body = json!({ "username": "xia", "password": PASSWORD });
        let token = site.visitor().post("/api/auth", body).status(201).json();
        let holder = with_token_of(&site, &token);

        assert_eq!(xia.post("/api/auth/tokens/verify", token.clone()).status(200).json(), token);
        assert_eq!(bob.post("/api/auth/tokens/verify", token.clone()).status(200).json(), token);
        let text = token["token"].as_str().unwrap();
        for wrong in [text.get(..text.len() - 4).unwrap(), "x", "a.b.c", &format!("{text}AAAA")] {
            let answer = xia.post("/api/auth/tokens/verify", json!({ "token": wrong })).status(400).json();
            assert_eq!(answer, json!(["token is invalid"]));
            let denied = xia.post("/api/auth/tokens", json!({ "token": wrong })).status(403).json();
            assert_eq!(denied, json!({ "detail": "Permission denied" }));
            site.visitor().with_bearer(wrong).get("/api/users/xia").status(403);
        }
        for path in ["/api/auth/tokens", "/api/auth/tokens/verify"] {
            check_field(&xia.post(path, json!({})).status(400).json(), "token");
            check_field(&xia.post(path, json!({ "token": 5 })).status(400).json(), "token");
            site.visitor().post(path, token.clone()).status(403);
        }

        bob.post("/api/auth/tokens", token.clone()).status(403);
        let renewed = xia.post("/api/auth/tokens", token.clone()).status(201).json();
        assert!(claims(&renewed)["exp"].as_i64() >= claims(&token)["exp"].as_i64());
        let renewed_holder = with_token_of(&site, &renewed);
        renewed_holder.get("/api/users/xia").status(200);
        holder.get("/api/users/xia").status(200);

        assert!(renewed_holder.delete("/api/auth/tokens").status(204).bytes().is_empty());
        for ended in [&holder, &renewed_holder] {
            ended.get("/api/users/xia").status(403);
            ended.get("/api/auth/tokens").status(403);
            ended.delete("/api/auth/tokens").status(403);
        }
        xia.post("/api/auth/tokens/verify", renewed.clone()).status(400);
        xia.post("/api/auth/tokens", renewed).status(403);
        // The other session goes on.
        xia.get("/api/users/xia").status(200);
        site.visitor().get("/api/auth/tokens").status(403);
    });
}

#[test]
fn a_header_that_proves_nothing_is_refused_at_public_addresses_and_counts_for_nothing_at_others() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("xia");
        let body = json!({ "username": "xia", "password": PASSWORD });
        for header in ["Bearer x", "Bearer", "Basic !", "Basic eGlhOnB3", "Digest x", "x"] {
            let client = site.visitor().with("Authorization", header);
            let denied = client.get("/api/users/xia").status(403).json();
            assert_eq!(denied, json!({ "detail": "Permission denied" }));
            for answer in [client.post("/api/auth", body.clone()), client.get("/api")] {
                let answer = answer.status(401);
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
                assert!(answer.json()["detail"].is_string());
            }
        }
        site.visitor().get("/api").status(200);
    });
}

#[test]
fn a_browser_logs_in_by_cookie_and_writes_with_the_token_against_forgery() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("xia");
        let hello = site.visitor().get("/api").status(200);
        let csrf = cookie(&hello, "csrftoken");
        assert_eq!(csrf.len(), 32);
        let same = site.visitor().with("Cookie", format!("csrftoken={csrf}")).get("/api").status(200);
        assert_eq!(cookie(&same, "csrftoken"), csrf);

        let body = json!({ "username": "xia", "password": PASSWORD });
        let plain = site.visitor().post("/api/auth", body.clone()).status(201);
        assert!(plain.headers("set-cookie").is_empty(), "{plain}");
        let foreign = site.visitor().with("Origin", "http://evil.test");
        foreign.post("/api/auth?cookie=1", body.clone()).status(403);
        let start = site.visitor().with("Cookie", format!("csrftoken={csrf}"));
        let answer = start.post("/api/auth?cookie=1", body).status(201);
        assert!(answer.json()["token"].is_string());
        assert_eq!(cookie(&answer, "csrftoken"), csrf);
        let lines = answer.headers("set-cookie");
        let line = lines.iter().find(|line| line.starts_with("sessionid=")).unwrap();
        for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
            assert!(line.contains(attribute), "{line}");
        }
        let session = cookie(&answer, "sessionid");

        // Whoever reads a token has not what the browser keeps.
        let claims = claims(&answer.json());
        assert!(!claims.to_string().contains(&session), "{claims}");
        let id = claims["jti"].as_str().unwrap();
        site.visitor().with("Cookie", format!("sessionid={id}")).get("/api/users/xia").status(403);

        let browser = site.visitor().with("Cookie", format!("csrftoken={csrf}; sessionid={session}"));
        browser.get("/api/users/xia").status(200);
        let change = json!({ "nick_name": "X" });
        for client in [
            browser.clone(),
            browser.with("X-CSRFToken", "a".repeat(32)),
            browser.with("X-CSRFToken", &csrf).with("Origin", "http://evil.test"),
            site.visitor().with("Cookie", format!("sessionid={session}")).with("X-CSRFToken", &csrf),
        ] {
            let answer = client.patch("/api/users/xia", change.clone()).status(403).json();
            assert!(answer["detail"].as_str().unwrap().starts_with("CSRF Failed"), "{answer}");
        }
        // A header that proves nothing does not stand for the token, and one that does needs none.
        let forged = browser.with("Authorization", "Bearer x");
        forged.patch("/api/users/xia", change.clone()).status(403);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        browser.with_bearer(&token).patch("/api/users/xia", change.clone()).status(200);
        let writer = browser.with("X-CSRFToken", &csrf);
        writer.patch("/api/users/xia", change.clone()).status(200);
        writer.with("Origin", site.base()).patch("/api/users/xia", change).status(200);
        browser.delete("/api/auth/tokens").status(403);
        let gone = writer.delete("/api/auth/tokens").status(204);
        assert_eq!((cookie(&gone, "sessionid"), cookie(&gone, "csrftoken")), (String::new(), String::new()));
        browser.get("/api/users/xia").status(403);
    });
}

#[test]
fn sites_know_nothing_of_each_other() {
    scenario(|world| {
        let (one, other) = (Site::new(world), Site::new(world));
        let body = json!({
            "username": "xia", "email": "xia@people.test", "full_name": "Xia", "new_password": PASSWORD
        });
        let made = one.visitor().post("/api/auth/register", body).status(201).json();
        let login = json!({ "username": "xia", "password": PASSWORD });
        other.visitor().post("/api/auth", login.clone()).status(401);
        let token = made["token"].as_str().unwrap();
        other.visitor().with_bearer(token).get("/api/auth/tokens").status(403);
        let there = other.registered("xia");
        there.post("/api/auth/tokens/verify", made.clone()).status(400);
        there.post("/api/auth/tokens", made.clone()).status(403);
        let cookies = one.visitor().post("/api/auth?cookie=1", login).status(201);
        let stolen = format!("sessionid={}", cookie(&cookies, "sessionid"));
        one.visitor().with("Cookie", &stolen).get("/api/users/xia").status(200);
        other.visitor().with("Cookie", &stolen).get("/api/users/xia").status(403);
    });
}

#[test]
fn of_many_who_want_one_name_at_once_one_gets_it() {
    scenario(|world| {
        let site = Site::new(world);
        let visitor = site.visitor();
        let register = |number: usize| {
            let body = json!({
                "username": "xia", "email": format!("xia{number}@people.test"), "full_name": "Xia",
                "new_password": PASSWORD
            });
            visitor.post("/api/auth/register", body)
        };
        let answers: Vec<testkit::Response> = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..4).map(|number| scope.spawn(move || register(number))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.json()["token"].is_string());
        assert_eq!((made.len(), refused.len()), (1, 3), "{refused:?}");
        for answer in refused {
            check_field(&answer.status(400).json(), "username");
        }
    });
}

#[test]
fn who_asks_too_often_from_one_address_is_stopped() {
    scenario(|world| {
        let site = Site::new(world);
        site.registered("xia");
        let from = |address: &str| site.visitor().with("X-Forwarded-For", address);
        let guesser = from("203.0.113.9, 198.51.100.7");
        let ask = |client: &testkit::Http, name: &str| {
            client.post("/api/auth/recover", json!({ "username": name }))
        };
        for number in 0..300 {
            ask(&guesser, &format!("nobody{number}")).status(200);
        }
        ask(&guesser, "nobody").status(429);
        // What the last proxy says counts.
        ask(&from("198.51.100.7"), "nobody").status(429);
        let login = json!({ "username": "xia", "password": PASSWORD });
        guesser.post("/api/auth", login.clone()).status(429);
        from("203.0.113.9").post("/api/auth", login).status(201);
    });
}

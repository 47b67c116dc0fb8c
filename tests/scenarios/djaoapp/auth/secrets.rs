//! What users log in with: passwords, one-time codes, API keys, and the proof that is asked of who changes it.

use super::{cookie, logged_in, with_token_of};
use crate::djaoapp::{PASSWORD, Site, check_field};
use crate::scenario;
use jiff::Timestamp;
use serde_json::{Value, json};
use testkit::{Http, Response};

const OTHER: &str = "another password";

#[test]
fn a_password_is_changed_and_other_sessions_end() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let other = logged_in(&site, "xia", PASSWORD);
        let login = json!({ "username": "xia", "password": PASSWORD });
        let cookies = site.visitor().post("/api/auth?cookie=1", login.clone()).status(201);
        let browser = site.visitor().with("Cookie", format!("sessionid={}", cookie(&cookies, "sessionid")));
        let path = "/api/users/xia/password";
        let change = json!({ "new_password": OTHER, "password": PASSWORD });
        let changed = xia.put(path, change.clone()).status(200).json();
        assert!(changed["detail"].is_string(), "{changed}");
        xia.get("/api/users/xia").status(200);
        other.get("/api/users/xia").status(403);
        browser.get("/api/users/xia").status(403);
        site.visitor().post("/api/auth", login).status(401);
        logged_in(&site, "xia", OTHER);
        xia.put(path, change).status(401);
        let told = site.mails_to("xia@people.test");
        assert!(told.iter().any(|mail| mail.contains("password was changed")), "{told:?}");

        assert!(xia.delete(path).status(204).bytes().is_empty());
        xia.get("/api/users/xia").status(403);
        site.visitor().post("/api/auth", json!({ "username": "xia", "password": OTHER })).status(401);
    });
}

/// The calls that change what a user logs in with, without the proof.
fn changes(client: &Http, user: &str, proof: &Value) -> Vec<Response> {
    let whole = |mut body: Value| {
        body.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
        body
    };
    let base = format!("/api/users/{user}");
    vec![
        client.put(format!("{base}/password"), whole(json!({ "new_password": OTHER }))),
        client.put(format!("{base}/otp"), whole(json!({ "otp_enabled": true }))),
        client.post(format!("{base}/api-keys"), whole(json!({ "title": "shop" }))),
        client.post(format!("{base}/api-keys/{}", "a".repeat(32)), whole(json!({}))),
        client.put(format!("{base}/ssh-keys"), whole(json!({ "pubkey": "ssh-ed25519 AAAA" }))),
    ]
}

#[test]
fn who_changes_what_he_logs_in_with_proves_once_more_who_he_is() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        for answer in changes(&xia, "xia", &json!({})) {
            let answer = answer.status(401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            check_field(&answer.json(), "detail");
        }
        for (proof, field) in [
            (json!({ "password": "a wrong password" }), "password"),
            (json!({ "email_code": 123_456 }), "email_code"),
            (json!({ "phone_code": 123_456 }), "phone_code"),
            (json!({ "otp_code": 123_456 }), "otp_code"),
        ] {
            check_field(&changes_one(&xia, &proof).status(401).json(), field);
        }
        // A code that was sent by mail does.
        site.visitor().post("/api/auth/recover", json!({ "username": "xia" })).status(200);
        let mails = site.mails_to("xia@people.test");
        let code = mails.iter().find_map(|mail| mail.split("your code is ").nth(1)?.get(..6)).unwrap();
        let body = json!({ "title": "shop", "email_code": code });
        xia.post("/api/users/xia/api-keys", body.clone()).status(201);
        xia.post("/api/users/xia/api-keys", body).status(401);
        // Guessing ends here, too; sessions go on.
        for _ in 0..10 {
            changes_one(&xia, &json!({ "password": "a wrong password" }));
        }
        changes_one(&xia, &json!({ "password": PASSWORD })).status(429);
        xia.get("/api/users/xia").status(200);
    });
}

fn changes_one(client: &Http, proof: &Value) -> Response {
    client.put("/api/users/xia/ssh-keys", {
        let mut body = json!({ "pubkey": "ssh-ed25519 AAAA" });
        body.as_object_mut().unwrap().extend(proof.as_object().unwrap().clone());
        body
    })
}

#[test]
fn nobody_but_who_manages_the_site_changes_what_another_logs_in_with() {
    scenario(|world| {
        let site = Site::new(world);
        let (xia, bob) = (site.registered("xia"), site.registered("bob"));
        let boss = site.registered("boss");
        site.give_role("boss", site.broker(), "manager");
        site.registered("carl");
        site.give_role("carl", site.broker(), "contributor");
        let carl = logged_in(&site, "carl", PASSWORD);
        // Bob manages a profile that Xia has a role on: he sees her keys, and is not her.
        bob.post("/api/users/bob/profiles", json!({ "full_name": "Acme", "slug": "acme" })).status(201);
        site.give_role("xia", "acme", "contributor");
        let proof = json!({ "password": PASSWORD });
        for client in [&bob, &carl, &site.visitor()] {
            for answer in changes(client, "xia", &proof) {
                assert_eq!(answer.status(403).json(), json!({ "detail": "Permission denied" }));
            }
            client.delete("/api/users/xia/password").status(403);
            client.post("/api/users/xia/mikrocloud-token", json!({})).status(403);
        }
        bob.get("/api/users/xia/api-keys").status(200);
        carl.get("/api/users/xia/api-keys").status(200);
        site.visitor().get("/api/users/xia/api-keys").status(403);
        site.registered("eve").get("/api/users/xia/api-keys").status(403);
        for answer in changes(&boss, "nobody", &proof) {
            answer.status(404);
        }
        // The proof is the caller's own.
        let change = json!({ "new_password": OTHER, "password": "a wrong password" });
        boss.put("/api/users/xia/password", change).status(401);
        boss.put("/api/users/xia/password", json!({ "new_password": OTHER, "password": PASSWORD }))
            .status(200);
        xia.get("/api/users/xia").status(403);
        boss.get("/api/users/boss").status(200);
        logged_in(&site, "xia", OTHER);
        boss.delete("/api/users/xia/password").status(204);
    });
}

#[test]
fn what_is_changed_is_checked() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        for (path, body, field) in [
            ("password", json!({}), "new_password"),
            ("password", json!({ "new_password": "123456789" }), "new_password"),
            ("password", json!({ "new_password": "x".repeat(1025) }), "new_password"),
            ("otp", json!({}), "otp_enabled"),
            ("otp", json!({ "otp_enabled": "perhaps" }), "otp_enabled"),
            (
                "otp",
                json!({ "otp_enabled": true, "phone_verification_enabled": true }),
                "phone_verification_enabled",
            ),
            (
                "otp",
                json!({ "otp_enabled": true, "email_verification_enabled": 7 }),
                "email_verification_enabled",
            ),
            ("ssh-keys", json!({}), "pubkey"),
            ("ssh-keys", json!({ "pubkey": "x".repeat(501) }), "pubkey"),
            ("ssh-keys", json!({ "pubkey": 5 }), "pubkey"),
        ] {
            let mut body = body;
            body["password"] = json!(PASSWORD);
            check_field(&xia.put(format!("/api/users/xia/{path}"), body).status(400).json(), field);
        }
        let key = json!({ "pubkey": "x".repeat(500), "password": PASSWORD });
        assert!(xia.put("/api/users/xia/ssh-keys", key).status(200).json()["detail"].is_string());
        for title in [json!("x".repeat(101)), json!("a\u{7}b"), json!(5)] {
            let body = json!({ "title": title, "password": PASSWORD });
            check_field(&xia.post("/api/users/xia/api-keys", body).status(400).json(), "title");
        }
    });
}

#[test]
fn a_program_logs_in_by_api_key() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let path = "/api/users/xia/api-keys";
        let make = |title: Value| {
            let body = json!({ "title": title, "password": PASSWORD });
            let made = xia.with("Idempotency-Key", "one").post(path, body).status(201).json();
            let secret = made["secret"].as_str().unwrap().to_owned();
            let is_plain = |c: char| c.is_ascii_alphanumeric() && !"ilo01IO".contains(c);
            assert!(secret.len() == 64 && secret.chars().all(is_plain), "{secret}");
            secret
        };
        let (shop, other) = (make(json!("shop")), make(json!("books")));
        let nameless = make(Value::Null);
        let keys = xia.get(path).status(200).json();
        assert_eq!(keys["count"], 3);
        let titles: Vec<&Value> =
            keys["results"].as_array().unwrap().iter().map(|key| &key["title"]).collect();
        assert_eq!(titles, ["", "books", "shop"]);
        let last = &keys["results"][2];
        assert_eq!(last["api_pub_key"], shop[..32]);
        assert!(last["ends_at"].is_string() && last.as_object().unwrap().len() == 3, "{last}");
        assert!(!keys.to_string().contains(&shop[32..]));
        let page = xia.get(format!("{path}?o=-title&page_size=1")).status(200).json();
        assert_eq!((&page["results"][0]["title"], &page["count"]), (&json!("shop"), &json!(3)));
        assert_eq!(xia.get(format!("{path}?q=BOO")).status(200).json()["count"], 1);
        xia.get(format!("{path}?page=2")).status(404);

        let program = site.visitor().with_user(&shop, "");
        program.get("/api/users/xia").status(200);
        assert_eq!(program.get("/api/auth/tokens").status(200).json()["username"], "xia");
        program.patch("/api/users/xia", json!({ "nick_name": "X" })).status(200);
        program.delete("/api/auth/tokens").status(204);
        program.get("/api/users/xia").status(200);
        let mixed = format!("{}{}", &shop[..32], &other[32..]);
        for (user, password) in
            [(shop[..32].to_owned(), ""), (mixed, ""), (shop.clone(), "x"), (String::new(), "")]
        {
            let client = site.visitor().with_user(&user, password);
            client.get("/api/users/xia").status(403);
            client.get("/api").status(401);
        }

        let remove = |key: &str| xia.post(format!("{path}/{key}"), json!({ "password": PASSWORD }));
        remove(&"a".repeat(32)).status(404);
        assert!(remove(&shop[..32]).status(200).json()["detail"].is_string());
        remove(&shop[..32]).status(404);
        program.get("/api/users/xia").status(403);
        let program = site.visitor().with_user(&other, "");
        program.get("/api/users/xia").status(200);
        site.wait_minutes(365 * 24 * 60 + 1);
        for ended in [other, nameless] {
            site.visitor().with_user(&ended, "").get("/api/users/xia").status(403);
        }
    });
}

#[test]
fn keys_end_when_a_password_is_recovered_or_taken_away() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let new_key = |client: &Http, password: &str| {
            let made =
                client.post("/api/users/xia/api-keys", json!({ "password": password })).status(201).json();
            site.visitor().with_user(made["secret"].as_str().unwrap(), "")
        };
        let key = new_key(&xia, PASSWORD);
        let path = "/api/users/xia/password";
        // Who knows his password changes it, and goes on.
        xia.put(path, json!({ "new_password": OTHER, "password": PASSWORD })).status(200);
        key.get("/api/users/xia").status(200);

        let mut seen = site.mails_to("xia@people.test");
        let mut recover = || {
            site.visitor().post("/api/auth/recover", json!({ "username": "xia" })).status(200);
            let mails = site.mails_to("xia@people.test");
            let mail = mails.iter().find(|mail| !seen.contains(mail)).unwrap().clone();
            seen = mails;
            let code = mail.split("your code is ").nth(1).unwrap().get(..6).unwrap().to_owned();
            let link = mail.split_whitespace().find_map(|word| word.strip_prefix(&site.base())).unwrap();
            (code, link.to_owned())
        };
        let (code, _) = recover();
        xia.put(path, json!({ "new_password": PASSWORD, "email_code": code })).status(200);
        key.get("/api/users/xia").status(403);
        let key = new_key(&xia, PASSWORD);
        let (_, link) = recover();
        let made = site.visitor().post(link, json!({ "new_password": OTHER })).status(201).json();
        key.get("/api/users/xia").status(403);

        let xia = with_token_of(&site, &made);
        let key = new_key(&xia, OTHER);
        let (code, link) = recover();
        xia.delete(path).status(204);
        key.get("/api/users/xia").status(403);
        site.visitor().post(link, json!({ "new_password": PASSWORD })).status(400);
        site.visitor().post("/api/auth", json!({ "username": "xia", "email_code": code })).status(400);
    });
}

/// The code of an authenticator (RFC 6238) for a secret in base 32, `steps` of 30 seconds from now.
fn totp(secret: &str, steps: i64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<bool> = secret
        .bytes()
        .map(|byte| ALPHABET.iter().position(|known| *known == byte).unwrap())
        .flat_map(|value| (0..5).rev().map(move |bit| value >> bit & 1 == 1))
        .collect();
    let key: Vec<u8> = bits
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |value, bit| value << 1 | u8::from(*bit)))
        .collect();
    #[allow(clippy::disallowed_methods)] // An authenticator goes by the real time.
    let step = Timestamp::now().as_second() / 30 + steps;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = ring::hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[19] & 15);
    let number = u32::from_be_bytes(bytes[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[test]
fn a_user_logs_in_with_one_time_codes() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let path = "/api/users/xia/otp";
        let body = json!({
            "otp_enabled": true, "email_verification_enabled": false, "phone_verification_enabled": false,
            "password": PASSWORD
        });
        let made = xia.put(path, body.clone()).status(201).json();
        let secret = made["priv_key"].as_str().unwrap();
        let uri = made["provisioning_uri"].as_str().unwrap();
        assert!(uri.starts_with("otpauth://totp/") && uri.contains(secret), "{made}");
        assert_eq!(xia.put(path, body).status(200).json(), made);
        assert_eq!(xia.get("/api/users/xia").status(200).json()["otp_enabled"], true);

        let visitor = site.visitor();
        let attempt = |password: &str, code: Value| {
            visitor.post("/api/auth", json!({ "username": "xia", "password": password, "otp_code": code }))
        };
        let missing = attempt(PASSWORD, Value::Null).status(401).json();
        check_field(&missing, "otp_code");
        // Who has not the password does not learn that there are codes.
        assert!(attempt("a wrong password", Value::Null).status(401).json()["password"].is_string());
        let code = totp(secret, 0);
        attempt("a wrong password", json!(code)).status(401);
        with_token_of(&site, &attempt(PASSWORD, json!(code)).status(201).json());
        // It counts once, and the next one is right.
        check_field(&attempt(PASSWORD, json!(code)).status(400).json(), "otp_code");
        let disable = json!({ "otp_enabled": false, "otp_code": totp(secret, 1) });
        let wrong = json!({ "otp_enabled": false, "otp_code": "000000x" });
        check_field(&xia.put(path, wrong.clone()).status(401).json(), "otp_code");
        check_field(&attempt(PASSWORD, json!("abcdef")).status(400).json(), "otp_code");
        // Three wrong ones, and none counts for a while.
        attempt(PASSWORD, json!(totp(secret, 1))).status(403);
        xia.put(path, wrong).status(403);
        xia.put(path, disable).status(403);
        site.wait_minutes(16);
        let disable = json!({ "otp_enabled": false, "otp_code": totp(secret, 1) });
        assert!(xia.put(path, disable).status(204).bytes().is_empty());
        assert_eq!(xia.get("/api/users/xia").status(200).json()["otp_enabled"], false);
        attempt(PASSWORD, Value::Null).status(201);
    });
}

#[test]
fn a_mailbox_alone_does_not_open_an_account_with_one_time_codes() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let body = json!({ "otp_enabled": true, "password": PASSWORD });
        let made = xia.put("/api/users/xia/otp", body).status(201).json();
        let secret = made["priv_key"].as_str().unwrap();
        let visitor = site.visitor();
        visitor.post("/api/auth/recover", json!({ "username": "xia" })).status(200);
        let mails = site.mails_to("xia@people.test");
        let mail = mails.iter().find(|mail| mail.contains("/api/auth/")).unwrap();
        let code = mail.split("your code is ").nth(1).unwrap().get(..6).unwrap();
        let link = mail.split_whitespace().find_map(|word| word.strip_prefix(&site.base())).unwrap();
        check_field(
            &visitor.post("/api/auth", json!({ "username": "xia", "email_code": code })).status(401).json(),
            "otp_code",
        );
        let new = json!({ "new_password": OTHER });
        check_field(&visitor.post(link, new).status(401).json(), "otp_code");
        logged_out(&site, OTHER);
        let new = json!({ "new_password": OTHER, "otp_code": totp(secret, 0) });
        with_token_of(&site, &visitor.post(link, new).status(201).json()).get("/api/users/xia").status(200);
    });
}

/// Checks that this is not the password.
#[track_caller]
fn logged_out(site: &Site<'_>, password: &str) {
    site.visitor().post("/api/auth", json!({ "username": "xia", "password": password })).status(401);
}

#[test]
fn a_user_may_be_asked_for_a_code_by_mail_each_time() {
    scenario(|world| {
        let site = Site::new(world);
        let xia = site.registered("xia");
        let body = |wanted: bool| {
            json!({
                "otp_enabled": false, "email_verification_enabled": wanted, "phone_verification_enabled": false,
                "password": PASSWORD
            })
        };
        let codes = || -> Vec<String> {
            let mails = site.mails_to("xia@people.test");
            let code = |mail: &String| Some(mail.split("your code is ").nth(1)?.get(..6)?.to_owned());
            mails.iter().filter_map(code).collect()
        };
        xia.put("/api/users/xia/otp", body(true)).status(204);
        let visitor = site.visitor();
        let login = json!({ "username": "xia", "password": PASSWORD });
        check_field(&visitor.post("/api/auth", login).status(401).json(), "email");
        assert_eq!(codes(), Vec::<String>::new());
        let wrong = json!({ "username": "xia", "password": "a wrong password", "check_email": true });
        visitor.post("/api/auth", wrong).status(401);
        assert_eq!(codes(), Vec::<String>::new());
        let mut login = json!({ "username": "xia", "password": PASSWORD, "check_email": true });
        let sent = visitor.post("/api/auth", login.clone()).status(401).json();
        assert!(sent["email"].as_str().unwrap().contains("was sent"), "{sent}");
        login["email_code"] = json!(codes().pop().expect("a code"));
        visitor.post("/api/auth", login).status(201);
        // A code that is asked for without the password does as well.
        let before = codes();
        let ask = json!({ "username": "xia", "check_email": true });
        check_field(&visitor.post("/api/auth", ask).status(401).json(), "email");
        let code = codes().into_iter().find(|code| !before.contains(code)).expect("a new code");
        let login = json!({ "username": "xia", "password": PASSWORD, "email_code": code });
        visitor.post("/api/auth", login).status(201);
        xia.put("/api/users/xia/otp", body(false)).status(204);
        logged_in(&site, "xia", PASSWORD);
    });
}

#[test]
fn a_user_gets_a_token_of_mikroclouds_desk() {
    scenario(|world| {
        let site = Site::new(world);
        let (xia, bob) = (site.registered("xia"), site.registered("bob"));
        let path = "/api/users/xia/mikrocloud-token";
        let made = xia.post(path, json!({})).status(201).json();
        let claims = super::claims(&made);
        assert_eq!(
            (&claims["sub"], &claims["scope"]),
            (&json!("xia@people.test"), &json!("account:read account:write"))
        );
        let desk = site.visitor().with_bearer(made["token"].as_str().unwrap());
        let account =
            json!({ "name": "Xia Lee", "email": "xia@people.test", "address": { "country": "AU" } });
        desk.post("/v1/account", account).status(201);
        assert_eq!(xia.get("/api/profile/xia").status(200).json()["country"], "AU");

        let reader = json!({ "scope": "account:read", "timezone": "Europe/Berlin" });
        let made = xia.post(path, reader).status(201).json();
        assert_eq!(super::claims(&made)["timezone"], "Europe/Berlin");
        let desk = site.visitor().with_bearer(made["token"].as_str().unwrap());
        desk.get("/v1/account").status(200);
        desk.put("/v1/account", json!({ "name": "X" })).status(403);

        bob.post("/api/users/bob/profiles", json!({ "full_name": "Acme", "slug": "acme" })).status(201);
        xia.post(path, json!({ "profile": "acme" })).status(403);
        site.give_role("xia", "acme", "contributor");
        let made = xia.post(path, json!({ "profile": "acme" })).status(201).json();
        assert_eq!(super::claims(&made)["scope"], "account:read");
        xia.post(path, json!({ "profile": "acme", "scope": "account:write" })).status(403);
        for (body, field) in [
            (json!({ "scope": "everything" }), "scope"),
            (json!({ "timezone": "Mars" }), "timezone"),
            (json!({ "profile": 5 }), "profile"),
        ] {
            check_field(&xia.post(path, body).status(400).json(), field);
        }
        xia.post(path, json!({ "profile": "nobody" })).status(404);
        bob.post(path, json!({})).status(403);
        site.visitor().post(path, json!({})).status(403);
        // Either desk's token opens the other one as little as before.
        site.visitor().with_bearer(made["token"].as_str().unwrap()).get("/api/users/xia").status(403);
    });
}

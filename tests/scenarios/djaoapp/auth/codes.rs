//! Codes and links that are sent by mail: to verify an address, to recover a password, to activate who was invited.

use super::{claims, cookie, logged_in, with_token_of};
use crate::djaoapp::{PASSWORD, Site, check_field};
use crate::scenario;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What was sent to an address since the last look.
struct Mailbox<'a> {
    site: &'a Site<'a>,
    address: String,
    seen: BTreeSet<String>,
}

impl<'a> Mailbox<'a> {
    fn of(site: &'a Site<'a>, address: &str) -> Mailbox<'a> {
        Mailbox { site, address: address.to_owned(), seen: BTreeSet::new() }
    }

    /// The new mails.
    #[track_caller]
    fn new_mails(&mut self) -> Vec<String> {
        let mails = self.site.mails_to(&self.address);
        mails.into_iter().filter(|mail| self.seen.insert(mail.clone())).collect()
    }

    /// The code and the path of the link in the one new mail that has some.
    #[track_caller]
    fn code_and_link(&mut self) -> (String, String) {
        let mails = self.new_mails();
        let with_code: Vec<&String> = mails.iter().filter(|mail| mail.contains("/api/auth/")).collect();
        let [mail] = with_code[..] else { panic!("one mail with a link in {mails:?}") };
        let words: Vec<&str> = mail.split_whitespace().collect();
        let is_code = |word: &&&str| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit());
        let code = words.iter().find(is_code).unwrap_or_else(|| panic!("no code in {mail}"));
        let link =
            words.iter().find_map(|word| word.strip_prefix(&self.site.base())).expect("a link of the site");
        let key = link.rsplit('/').next().unwrap();
        assert!(key.len() == 40 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{link}");
        ((*code).to_owned(), link.to_owned())
    }
}

/// A code that is another one.
fn another(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:06}", (number + 1) % 1_000_000)
}

#[test]
fn an_address_is_verified_by_code() {
    scenario(|world| {
        let site = Site::new(world);
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let body = |more: Value| {
            let mut body = json!({ "email": "Xia@people.test", "full_name": "Xia Lee" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        let register = |more: Value| site.visitor().post("/api/auth/register", body(more));
        check_field(&register(json!({})).status(401).json(), "email");
        assert_eq!(mailbox.new_mails(), Vec::<String>::new());
        let sent = register(json!({ "check_email": true })).status(401).json();
        check_field(&sent, "email");
        let (code, _) = mailbox.code_and_link();
        check_field(&register(json!({ "email_code": another(&code) })).status(400).json(), "email_code");
        // Another address is not proved by it.
        let other = json!({ "email": "bob@people.test", "full_name": "Bob", "email_code": code });
        site.visitor().post("/api/auth/register", other).status(400);
        let number: u32 = code.parse().unwrap();
        let made = register(json!({ "email_code": number })).status(201).json();
        let xia = with_token_of(&site, &made);
        assert_eq!(claims(&made)["credentials"], false);
        // Without a password most is closed to him.
        xia.get("/api/users/xia").status(200);
        let closed = xia.get("/api/users/xia/profiles").status(403).json();
        assert!(closed["detail"].as_str().unwrap().contains("password"), "{closed}");
        check_field(&register(json!({ "email_code": code })).status(400).json(), "email_code");

        // Whoever proves his address once more may choose a password.
        assert_eq!(register(json!({ "check_email": true })).status(401).json(), sent);
        let (code, _) = mailbox.code_and_link();
        let whole = register(json!({ "email_code": code, "new_password": PASSWORD })).status(201).json();
        assert_eq!(
            (&claims(&whole)["credentials"], &claims(&whole)["username"]),
            (&json!(true), &claims(&made)["username"])
        );
        xia.get("/api/users/xia").status(403);

        // Who has the address already learns of it by mail alone.
        assert_eq!(register(json!({ "check_email": true })).status(401).json(), sent);
        let (code, _) = mailbox.code_and_link();
        let taken = register(json!({ "email_code": code, "new_password": PASSWORD })).status(400).json();
        check_field(&taken, "email");

        // A number cannot be verified: no codes are sent to phones.
        let phone = json!({ "phone": "+16502530000", "full_name": "Eve", "check_phone": true });
        check_field(&site.visitor().post("/api/auth/register", phone).status(401).json(), "phone");
    });
}

#[test]
fn an_address_is_verified_by_link() {
    scenario(|world| {
        let site = Site::new(world);
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let visitor = site.visitor();
        let ask = json!({ "email": "xia@people.test", "full_name": "Xia Lee", "check_email": true });
        visitor.post("/api/auth/register", ask.clone()).status(401);
        let (_, old) = mailbox.code_and_link();
        visitor.post("/api/auth/register", ask).status(401);
        let (_, link) = mailbox.code_and_link();
        let whole = json!({ "full_name": "Xia Lee", "username": "xia", "new_password": PASSWORD });
        // The last one counts, and so do only whole ones.
        for wrong in [old.as_str(), "/api/auth/0123456789012345678901234567890123456789", "/api/auth/x"] {
            let answer = visitor.get(wrong).status(400).json();
            assert_eq!(answer, json!({ "detail": "invalid request" }));
            assert_eq!(visitor.post(wrong, whole.clone()).status(400).json(), answer);
        }
        let shown = visitor.get(&link).status(200).json();
        assert_eq!((&shown["email"], &shown["credentials"]), (&json!("xia@people.test"), &json!(false)));
        check_field(&visitor.post(&link, json!({ "full_name": "Xia" })).status(400).json(), "new_password");
        let short = json!({ "full_name": "Xia", "new_password": "123456789" });
        check_field(&visitor.post(&link, short).status(400).json(), "new_password");
        let other = json!({ "email": "bob@people.test", "full_name": "Bob", "new_password": PASSWORD });
        check_field(&visitor.post(&link, other).status(400).json(), "email");
        // What was said when the link was asked for is to be said again.
        let nameless = json!({ "username": "xia", "new_password": PASSWORD });
        check_field(&visitor.post(&link, nameless).status(400).json(), "full_name");
        let mut whole = whole;
        whole["organization_name"] = json!("Acme");
        let xia = with_token_of(&site, &visitor.post(&link, whole.clone()).status(201).json());
        xia.get("/api/users/xia/profiles").status(200);
        assert_eq!(xia.get("/api/profile/acme").status(200).json()["full_name"], "Acme");
        visitor.post(&link, whole).status(400);
        logged_in(&site, "xia@people.test", PASSWORD);
    });
}

#[test]
fn a_password_is_recovered() {
    scenario(|world| {
        let site = Site::new(world);
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let before = site.registered("xia");
        let visitor = site.visitor();
        let recover = |name: &str| {
            let answer = visitor.post("/api/auth/recover", json!({ "username": name })).status(200).json();
            assert_eq!(answer, json!({ "username": name }));
        };
        mailbox.new_mails();
        recover("XIA@people.test");
        let (code, _) = mailbox.code_and_link();
        let by_code = json!({ "username": "xia", "email_code": code });
        with_token_of(&site, &visitor.post("/api/auth", by_code.clone()).status(201).json())
            .get("/api/users/xia")
            .status(200);
        check_field(&visitor.post("/api/auth", by_code).status(400).json(), "email_code");

        recover("xia");
        let (_, link) = mailbox.code_and_link();
        assert_eq!(visitor.get(&link).status(200).json()["username"], "xia");
        let new = json!({ "new_password": "another password", "full_name": "Xia B. Lee" });
        let after = with_token_of(&site, &visitor.post(&link, new.clone()).status(201).json());
        let shown = after.get("/api/users/xia").status(200).json();
        assert_eq!(shown["full_name"], "Xia B. Lee");
        before.get("/api/users/xia").status(403);
        visitor.post(&link, new).status(400);
        visitor.post("/api/auth", json!({ "username": "xia", "password": PASSWORD })).status(401);
        logged_in(&site, "xia", "another password");
        let told = mailbox.new_mails();
        assert!(told.len() == 1 && told[0].contains("password was changed"), "{told:?}");

        // A link counts for an hour.
        recover("xia");
        let (code, link) = mailbox.code_and_link();
        site.wait_minutes(61);
        visitor.get(&link).status(400);
        visitor.post(&link, json!({ "new_password": PASSWORD })).status(400);
        visitor.post("/api/auth", json!({ "username": "xia", "email_code": code })).status(400);
        logged_in(&site, "xia", "another password");
    });
}

#[test]
fn a_stranger_recovers_nothing_and_learns_nothing() {
    scenario(|world| {
        let site = Site::new(world);
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let xia = site.registered("xia");
        mailbox.new_mails();
        let visitor = site.visitor();
        let recover = |name: &str| visitor.post("/api/auth/recover", json!({ "username": name })).status(200);
        let known = recover("xia@people.test");
        let unknown = recover("eve@people.test");
        assert_eq!(known.json()["username"], "xia@people.test");
        assert_eq!(unknown.json()["username"], "eve@people.test");
        assert_eq!(site.mails_to("eve@people.test"), Vec::<String>::new());
        let asked = |name: &str| {
            visitor.post("/api/auth", json!({ "username": name, "check_email": true })).status(401).json()
        };
        assert_eq!(asked("xia"), asked("eve"));
        check_field(&asked("eve"), "email");
        check_field(&visitor.post("/api/auth/recover", json!({})).status(400).json(), "username");
        let long = json!({ "username": "x".repeat(255) });
        check_field(&visitor.post("/api/auth/recover", long).status(400).json(), "username");

        // Five wrong codes, and the right one counts no more.
        recover("xia");
        let mails = mailbox.new_mails();
        let last =
            mails.iter().filter_map(|mail| mail.split("your code is ").nth(1)?.get(..6)).collect::<Vec<_>>();
        let unlike = (0..).map(|n| format!("{n:06}")).filter(|code| !last.contains(&code.as_str()));
        for code in unlike.take(5) {
            visitor
                .post("/api/auth", json!({ "username": "xia@people.test", "email_code": code }))
                .status(400);
        }
        for code in last {
            visitor.post("/api/auth", json!({ "username": "xia", "email_code": code })).status(400);
        }
        // No more than five mails go to an address in an hour.
        for _ in 0..5 {
            recover("xia");
        }
        mailbox.new_mails();
        recover("xia");
        assert_eq!(mailbox.new_mails(), Vec::<String>::new());
        // Nothing has changed for the user.
        xia.get("/api/users/xia").status(200);
        logged_in(&site, "xia", PASSWORD);
    });
}

#[test]
fn who_was_invited_activates_himself() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let new = json!({ "username": "xia", "email": "xia@people.test", "full_name": "Xia Lee" });
        boss.post("/api/users", new).status(201);
        let visitor = site.visitor();
        // He cannot log in, and nobody learns why.
        let wrong =
            visitor.post("/api/auth", json!({ "username": "xia", "password": PASSWORD })).status(401).json();
        let unknown =
            visitor.post("/api/auth", json!({ "username": "eve", "password": PASSWORD })).status(401).json();
        assert_eq!(wrong, unknown);

        visitor.post("/api/users/xia/activate", json!({})).status(403);
        site.user("bob").post("/api/users/xia/activate", json!({})).status(403);
        boss.post("/api/users/nobody/activate", json!({})).status(404);
        let sent = boss.post("/api/users/xia/activate", json!({})).status(200).json();
        assert_eq!((&sent["username"], &sent["credentials"]), (&json!("xia"), &json!(false)));
        assert!(sent["detail"].is_string());
        let (_, link) = mailbox.code_and_link();
        let whole = json!({ "new_password": PASSWORD, "nick_name": "X" });
        let answer = visitor.post(format!("{link}?cookie=1"), whole).status(201);
        let browser = visitor.with("Cookie", format!("sessionid={}", cookie(&answer, "sessionid")));
        browser.get("/api/users/xia").status(200);
        let made = answer.json();
        assert_eq!((&claims(&made)["credentials"], &claims(&made)["nick_name"]), (&json!(true), &json!("X")));
        let xia = with_token_of(&site, &made);
        // He has a profile of his own from now on.
        assert_eq!(xia.get("/api/profile/xia").status(200).json()["type"], "personal");
        check_field(&boss.post("/api/users/xia/activate", json!({})).status(400).json(), "username");
    });
}

#[test]
fn who_was_invited_may_as_well_register() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let new = json!({ "username": "xia", "email": "xia@people.test", "full_name": "X" });
        boss.post("/api/users", new).status(201);
        let body = |more: Value| {
            let mut body = json!({
                "email": "xia@people.test", "full_name": "Xia Lee", "username": "xia-lee", "new_password": PASSWORD,
                "locality": "Berlin", "country": "DE", "organization_name": "Acme"
            });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            site.visitor().post("/api/auth/register", body)
        };
        // Nobody becomes him without his mail.
        check_field(&body(json!({})).status(400).json(), "email");
        let ask = json!({ "email": "xia@people.test", "full_name": "Xia", "check_email": true });
        site.visitor().post("/api/auth/register", ask).status(401);
        let (code, _) = mailbox.code_and_link();
        let made = body(json!({ "email_code": code })).status(201).json();
        assert_eq!(
            (&claims(&made)["username"], &claims(&made)["credentials"]),
            (&json!("xia-lee"), &json!(true))
        );
        let xia = with_token_of(&site, &made);
        let profile = xia.get("/api/profile/xia-lee").status(200).json();
        assert_eq!((&profile["locality"], &profile["full_name"]), (&json!("Berlin"), &json!("Xia Lee")));
        xia.get("/api/profile/acme").status(200);
        boss.get("/api/users/xia").status(404);
        logged_in(&site, "xia@people.test", PASSWORD);
    });
}

#[test]
fn who_was_made_with_his_profile_manages_it_once_he_activates_himself() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let new = json!({ "type": "personal", "slug": "xia", "email": "xia@people.test", "full_name": "Xia Lee",
            "locality": "Oslo" });
        boss.post("/api/accounts/profiles", new).status(201);
        boss.post("/api/users/xia/activate", json!({})).status(200);
        let (_, link) = mailbox.code_and_link();
        let made = site.visitor().post(link, json!({ "new_password": PASSWORD })).status(201).json();
        let xia = with_token_of(&site, &made);
        let own = xia.get("/api/users/xia/profiles").status(200).json();
        assert_eq!((&own["count"], &own["results"][0]["slug"]), (&json!(1), &json!("xia")), "{own}");
        assert_eq!(own["results"][0]["locality"], "Oslo");
        assert_eq!(boss.get("/api/profile?q=xia").status(200).json()["count"], 1);
    });
}

#[test]
fn who_was_invited_chooses_a_password_by_code_alone() {
    scenario(|world| {
        let site = Site::new(world);
        let boss = site.manager("boss");
        let mut mailbox = Mailbox::of(&site, "xia@people.test");
        let new = json!({ "username": "xia", "email": "xia@people.test", "full_name": "Xia Lee" });
        boss.post("/api/users", new).status(201);
        boss.post("/api/users/xia/activate", json!({})).status(200);
        let (code, _) = mailbox.code_and_link();
        let body = |code: &str, password: &str| {
            let body = json!({ "username": "xia", "email_code": code, "new_password": password });
            site.visitor().post("/api/auth", body)
        };
        check_field(&body(&code, "too short").status(400).json(), "new_password");
        check_field(&body(&another(&code), PASSWORD).status(400).json(), "email_code");
        let made = body(&code, PASSWORD).status(201).json();
        assert_eq!(claims(&made)["credentials"], true);
        let xia = with_token_of(&site, &made);
        assert_eq!(xia.get("/api/profile/xia").status(200).json()["type"], "personal");
        logged_in(&site, "xia", PASSWORD);
        check_field(&body(&code, PASSWORD).status(400).json(), "email_code");
        // By the password alone nobody gets another so.
        let both = json!({ "username": "xia", "password": PASSWORD, "new_password": "another password" });
        site.visitor().post("/api/auth", both).status(201);
        logged_in(&site, "xia", PASSWORD);

        // Who has forgotten it, chooses another.
        site.visitor().post("/api/auth/recover", json!({ "username": "xia" })).status(200);
        let (code, _) = mailbox.code_and_link();
        let after = with_token_of(&site, &body(&code, "another password").status(201).json());
        after.get("/api/users/xia").status(200);
        xia.get("/api/users/xia").status(403);
        logged_in(&site, "xia", "another password");
    });
}

#[test]
fn an_address_belongs_to_who_proves_it() {
    scenario(|world| {
        let site = Site::new(world);
        let mal = site.registered("mal");
        for (owner, by_link) in [("ann", false), ("bob", true)] {
            let email = format!("{owner}@people.test");
            let mut mailbox = Mailbox::of(&site, &email);
            mal.patch("/api/users/mal", json!({ "email": email })).status(200);
            let ask = json!({ "email": email, "full_name": owner, "check_email": true });
            site.visitor().post("/api/auth/register", ask).status(401);
            let (code, link) = mailbox.code_and_link();
            let body =
                json!({ "username": owner, "email": email, "full_name": owner, "new_password": PASSWORD });
            let made = if by_link {
                site.visitor().post(&link, body).status(201)
            } else {
                let mut body = body;
                body["email_code"] = json!(code);
                site.visitor().post("/api/auth/register", body).status(201)
            };
            assert_eq!(claims(&made.json())["username"], owner);
            logged_in(&site, &email, PASSWORD).get(format!("/api/users/{owner}")).status(200);
            // Who had only claimed it stays who he is, without it, and does not get it back.
            assert_eq!(mal.get("/api/users/mal").status(200).json()["email"], Value::Null);
            assert_ne!(mal.get("/api/profile/mal").status(200).json()["email"], json!(email));
            check_field(&mal.patch("/api/users/mal", json!({ "email": email })).status(400).json(), "email");
            assert!(mailbox.new_mails().iter().all(|mail| !mail.contains("mal")));
        }
        logged_in(&site, "mal", PASSWORD);
    });
}

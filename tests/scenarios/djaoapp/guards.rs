//! Who may call what: a table of callers and of calls behind each guard.

use super::{Site, profile};
use crate::scenario;
use serde_json::{Value, json};
use testkit::Http;

/// Everybody who may call, in the order of the columns of the tables.
struct Callers(Vec<(&'static str, Http)>);

/// Those in the table: V visitor, S stranger, I invited to acme, C contributor of acme, M manager of acme, c contributor
/// of the site, m manager of the site.
const COLUMNS: &str = "VSICMcm";

fn callers(site: &Site<'_>) -> Callers {
    let owner = site.user("owner");
    let acme = profile(&owner, "owner", "Acme");
    assert_eq!(acme, "acme");
    let stranger = site.user("stranger");
    // She owns a profile, too: a role somewhere is not one everywhere.
    profile(&stranger, "stranger", "Zeta");
    let invited = site.user("invited");
    owner.post("/api/profile/acme/roles/manager", json!({ "slug": "invited" })).status(201);
    let contributor = site.user("contributor");
    site.give_role("contributor", "acme", "contributor");
    let manager = site.user("manager");
    site.give_role("manager", "acme", "manager");
    let helper = site.user("helper");
    site.give_role("helper", site.broker(), "contributor");
    let boss = site.manager("boss");
    Callers(vec![
        ("visitor", site.visitor()),
        ("stranger", stranger),
        ("invited", invited),
        ("contributor of acme", contributor),
        ("manager of acme", manager),
        ("contributor of the site", helper),
        ("manager of the site", boss),
    ])
}

impl Callers {
    /// Checks that exactly the callers whose letters are given get in. A call that is open may still find nothing.
    #[track_caller]
    fn check(&self, open_to: &str, method: &str, path: &str, body: Option<&Value>) {
        let mut wrong = Vec::new();
        for (letter, (name, client)) in COLUMNS.chars().zip(&self.0) {
            let answer = client.request(method, path, body);
            let is_in = answer.code() != 403;
            if answer.code() == 401 || answer.code() >= 500 || is_in != open_to.contains(letter) {
                wrong.push(format!("{name}: {answer}"));
            } else if !is_in {
                assert!(answer.json()["detail"].is_string(), "{answer}");
            }
        }
        assert!(wrong.is_empty(), "{method} {path} is open to {open_to} alone\n{}", wrong.join("\n"));
    }
}

#[test]
fn each_guard_lets_in_whom_it_is_for() {
    scenario(|world| {
        let site = Site::new(world);
        let callers = callers(&site);
        let (nothing, text) = (json!({}), json!({ "text": "x" }));
        for (open_to, method, path, body) in [
            // PUB
            ("VSICMcm", "GET", "/api", None),
            ("VSICMcm", "GET", "/api/legal", None),
            ("VSICMcm", "GET", "/api/legal/terms-of-use", None),
            ("VSICMcm", "POST", "/api/legal/privacy", Some(&nothing)),
            ("VSICMcm", "POST", "/api/contact", Some(&nothing)),
            // AUTH
            ("SICMcm", "POST", "/api/legal/terms-of-use/sign", Some(&nothing)),
            ("SICMcm", "GET", "/api/accounts/users", None),
            // SELF: about the stranger, then about the contributor, to whom acme is open
            ("Scm", "GET", "/api/users/stranger/accessibles", None),
            ("Scm", "GET", "/api/users/stranger/accessibles/manager/acme", None),
            ("Sm", "POST", "/api/users/stranger/accessibles", Some(&nothing)),
            ("Sm", "PUT", "/api/users/stranger/accessibles/accept/x", Some(&nothing)),
            ("Sm", "DELETE", "/api/users/stranger/accessibles/manager/acme", None),
            ("CMcm", "GET", "/api/users/contributor/accessibles", None),
            ("CMm", "POST", "/api/users/contributor/accessibles", Some(&nothing)),
            // SELF~
            ("Scm", "GET", "/api/users/stranger", None),
            ("Sm", "PATCH", "/api/users/stranger", Some(&nothing)),
            ("CMcm", "GET", "/api/users/contributor", None),
            // DIRECT
            ("CMcm", "GET", "/api/profile/acme/roles/describe", None),
            ("CMcm", "GET", "/api/profile/acme/roles/describe/manager", None),
            ("Mm", "POST", "/api/profile/acme/roles/describe", Some(&nothing)),
            ("Mm", "DELETE", "/api/profile/acme/roles/describe/nothing", None),
            // PROV
            ("CMcm", "GET", "/api/profile/acme/roles", None),
            ("CMcm", "GET", "/api/profile/acme/roles/manager", None),
            ("CMcm", "GET", "/api/profile/acme/roles/manager/owner", None),
            ("Mm", "POST", "/api/profile/acme/roles/manager", Some(&nothing)),
            ("Mm", "POST", "/api/profile/acme/roles/manager/owner", Some(&nothing)),
            ("Mm", "PUT", "/api/profile/acme/roles/manager/owner", Some(&nothing)),
            ("Mm", "DELETE", "/api/profile/acme/roles/manager/stranger", None),
            // PROV~
            ("CMcm", "GET", "/api/profile/acme", None),
            ("Mm", "PATCH", "/api/profile/acme", Some(&nothing)),
            // PONLY
            ("cm", "GET", "/api/activities/acme", None),
            ("cm", "GET", "/api/activities/acme/contacts", None),
            ("m", "POST", "/api/activities/acme", Some(&text)),
            // BROKER
            ("cm", "GET", "/api/activities", None),
            ("cm", "GET", "/api/agreements", None),
            ("cm", "GET", "/api/agreements/nothing", None),
            ("m", "POST", "/api/agreements", Some(&nothing)),
            ("m", "DELETE", "/api/agreements/nothing", None),
            ("cm", "GET", "/api/profile", None),
            ("cm", "GET", "/api/users", None),
            ("cm", "GET", "/api/contacts/stranger/activities", None),
            ("m", "POST", "/api/contacts/stranger/activities", Some(&text)),
            ("cm", "GET", "/api/contacts", None),
            ("cm", "GET", "/api/contacts/stranger", None),
            ("m", "POST", "/api/contacts", Some(&nothing)),
            ("m", "PATCH", "/api/contacts/stranger", Some(&nothing)),
            ("m", "POST", "/api/contacts/stranger/picture", None),
        ] {
            callers.check(open_to, method, path, body);
        }
        // The site's profile is one like the others to its guards, and nobody else's.
        let broker = format!("/api/profile/{}/roles", site.broker());
        callers.check("cm", "GET", &broker, None);
        callers.check("m", "POST", &format!("{broker}/manager"), Some(&nothing));
    });
}

/// One call behind each guard that asks whether the user is ready, and one behind each that does not.
const STRICT: [&str; 5] = [
    "/api/users/ann/accessibles",
    "/api/profile/acme/roles",
    "/api/profile/acme/roles/describe",
    "/api/activities/acme",
    "/api/agreements",
];
const FRICTIONLESS: [&str; 2] = ["/api/users/ann", "/api/profile/acme"];

/// Checks that a user who could do everything cannot because he is not ready, and why.
#[track_caller]
fn check_not_ready(client: &Http, why: &str) {
    for path in STRICT {
        let refused = client.get(path).status(403).json();
        assert!(refused["detail"].as_str().unwrap().contains(why), "{path}: {refused}");
    }
    for path in FRICTIONLESS {
        client.get(path).status(200);
    }
}

#[track_caller]
fn check_ready(client: &Http) {
    for path in STRICT.iter().chain(&FRICTIONLESS) {
        client.get(path).status(200);
    }
}

#[test]
fn who_is_not_ready_waits_before_all_guards_but_the_frictionless() {
    scenario(|world| {
        let site = Site::new(world);
        let owner = site.user("owner");
        profile(&owner, "owner", "Acme");
        let ann = site.manager("ann");
        check_ready(&ann);
        // Terms that she has not signed.
        ann.post("/api/agreements", json!({ "title": "Terms of Use" })).status(201);
        check_not_ready(&ann, "sign the terms");
        ann.post("/api/legal/terms-of-use/sign", json!({ "read_terms": true })).status(200);
        check_ready(&ann);
        // A role that demands one-time codes, which she has not set up: as an invitation it demands nothing yet.
        owner.post("/api/legal/terms-of-use/sign", json!({ "read_terms": true })).status(200);
        let kind = json!({ "title": "Vault", "otp_required": true });
        owner.post("/api/profile/acme/roles/describe", kind).status(201);
        let made = owner.post("/api/profile/acme/roles/vault", json!({ "slug": "ann" })).status(201).json();
        check_ready(&ann);
        let key = made["grant_key"].as_str().unwrap();
        ann.put(format!("/api/users/ann/accessibles/accept/{key}"), json!({})).status(200);
        check_not_ready(&ann, "one-time codes");
        owner.delete("/api/profile/acme/roles/vault/ann").status(204);
        check_ready(&ann);
    });
}

#[test]
fn who_has_no_password_activates_his_account_first() {
    scenario(|world| {
        let site = Site::new(world);
        let owner = site.user("owner");
        profile(&owner, "owner", "Acme");
        let ann = site.user_without_password("ann");
        site.give_role("ann", site.broker(), "manager");
        check_not_ready(&ann, "activate");
    });
}

#[test]
fn who_is_invited_is_told_to_accept_first() {
    scenario(|world| {
        let site = Site::new(world);
        let (owner, bob) = (site.user("owner"), site.user("bob"));
        profile(&owner, "owner", "Acme");
        let made = owner.post("/api/profile/acme/roles/manager", json!({ "slug": "bob" })).status(201).json();
        let refused = bob.get("/api/profile/acme/roles").status(403).json();
        assert!(refused["detail"].as_str().unwrap().contains("accept the invitation"), "{refused}");
        let key = made["grant_key"].as_str().unwrap();
        bob.put(format!("/api/users/bob/accessibles/accept/{key}"), json!({})).status(200);
        bob.get("/api/profile/acme/roles").status(200);
    });
}

#[test]
fn every_answer_has_the_desks_shape() {
    scenario(|world| {
        let site = Site::new(world);
        let (boss, ann) = (site.manager("boss"), site.user("ann"));
        let acme = profile(&ann, "ann", "Acme");
        // Notes are not for those whom they are about, whatever role they hold.
        let refused = ann.get(format!("/api/activities/{acme}")).status(403).json();
        assert_eq!(refused, json!({ "detail": "Permission denied" }));
        let is_detail = |answer: testkit::Response| {
            let body = answer.json();
            assert!(body["detail"].is_string() && body.as_object().unwrap().len() == 1, "{body}");
        };
        is_detail(ann.get("/api/nothing-here").status(404));
        is_detail(ann.get("/api/users/ann/").status(404));
        is_detail(ann.get("/api/users/%ff").status(400));
        is_detail(boss.delete(format!("/api/profile/{acme}/roles/manager/a%00b")).status(400));

        let answer = site.visitor().send("OPTIONS", "/api/users/ann", None::<&str>).status(200);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, PUT, PATCH, DELETE, OPTIONS"));
        is_detail(ann.post("/api/users/ann", json!({})).status(405));
    });
}

//! Who may come in, and what users and roles may be.

use crate::tenants::operator;
use crate::verify::tamper;
use crate::{BILLHOOK, scenario, scenario_alone};
use serde_json::{Value, json};
use std::process::Command;
use testkit::{ADMIN_PASSWORD, Http, World};

/// A name that no other world uses.
fn name(world: &World, text: &str) -> String {
    format!("{text}-{}", world.tenant().api_key)
}

/// The client without any tenant: security needs none.
fn security(world: &World) -> Http {
    world.killbill().without("X-Killbill-ApiKey").without("X-Killbill-ApiSecret")
}

fn user(name: &str, password: &str, roles: &[&str]) -> Value {
    json!({"username": name, "password": password, "roles": roles})
}

fn cookie(response: &testkit::Response) -> String {
    let set = response.header("Set-Cookie").unwrap_or_else(|| panic!("no cookie\n{response}"));
    set.split(';').next().unwrap().to_owned()
}

#[test]
fn a_user_is_made_changed_and_deleted() {
    scenario(|world| {
        let admin = security(world);
        let ann = name(world, "ann");
        let roles = format!("/security/users/{ann}/roles");
        let made = admin.post("/security/users", user(&ann, "pw1", &["r2", "r1"])).status(201);
        assert!(made.location().ends_with(&format!("/1.0/kb{roles}")), "{made}");
        let expected = json!({"username": ann, "password": null, "roles": ["r2", "r1"]});
        assert_eq!(admin.get(&roles).status(200).json(), expected);
        admin.with_user(&ann, "pw1").get("/security/permissions").status(200);

        admin.put(&roles, json!({"roles": ["r3"]})).status(204);
        assert_eq!(admin.get(&roles).json()["roles"], json!(["r3"]));
        admin.put(format!("/security/users/{ann}/password"), json!({"password": "pw2"})).status(204);
        admin.with_user(&ann, "pw1").get("/security/permissions").status(401);
        admin.with_user(&ann, "pw2").get("/security/permissions").status(200);

        admin.delete(format!("/security/users/{ann}")).status(204);
        admin.with_user(&ann, "pw2").get("/security/permissions").status(401);
        let gone = admin.get(&roles).status(400).json();
        assert_eq!(gone["code"], 40001);
        assert_eq!(gone["message"], format!("The user {ann} does not exist or has been inactivated"));
        let again = admin.post("/security/users", user(&ann, "pw", &[])).status(400).json();
        assert_eq!(
            (&again["code"], &again["message"]),
            (&json!(40002), &json!(format!("The user {ann} already exists")))
        );
    });
}

#[test]
fn users_that_cannot_be_are_refused() {
    scenario(|world| {
        let admin = security(world);
        let bob = name(world, "bob");
        admin.post("/security/users", user(&bob, "pw", &[])).status(201);
        assert_eq!(admin.post("/security/users", user(&bob, "pw", &[])).status(400).json()["code"], 40002);
        for wrong in [
            json!({"username": "x", "password": "pw"}),
            json!({"username": "x", "roles": []}),
            json!({"password": "pw", "roles": []}),
            user("x", "", &[]),
            user("", "pw", &[]),
            user("a:b", "pw", &[]),
            user("a\u{0}b", "pw", &[]),
            user(&"u".repeat(129), "pw", &[]),
            user("x", &"p".repeat(1025), &[]),
            user("x", "pw", &[&"r".repeat(256)]),
            user("x", "pw", &[""]),
            json!({"username": "x", "password": "pw", "roles": [], "colour": "red"}),
            json!({"username": "x", "password": "pw", "roles": "r"}),
        ] {
            admin.post("/security/users", wrong).status(400);
        }
        admin.send("POST", "/security/users", Some("")).status(400);
        admin.with("Content-Type", "application/json").send("POST", "/security/users", Some("{")).status(400);
        let unknown = format!("/security/users/{}", name(world, "nobody"));
        for refused in [
            admin.put(format!("{unknown}/password"), json!({"password": "pw"})),
            admin.put(format!("{unknown}/roles"), json!({"roles": []})),
            admin.delete(&unknown),
        ] {
            assert_eq!(refused.status(400).json()["code"], 40001);
        }
        admin.put(format!("/security/users/{bob}/password"), json!({})).status(400);
        admin.put(format!("/security/users/{bob}/password"), json!({"password": ""})).status(400);
        admin.put(format!("/security/users/{bob}/roles"), json!({})).status(400);
        let silent = admin.without("X-Killbill-CreatedBy");
        silent.post("/security/users", user("x", "pw", &[])).status(400);
        silent.delete(format!("/security/users/{bob}")).status(400);
    });
}

#[test]
fn a_name_may_hold_anything_a_path_can_escape() {
    scenario(|world| {
        let admin = security(world);
        let strange = name(world, "é/ü & <b>'\"%");
        let made = admin.post("/security/users", user(&strange, "pw", &["a role"])).status(201);
        assert_eq!(admin.get(made.location()).status(200).json()["username"], strange);
        admin.with_user(&strange, "pw").get("/security/subject").status(200);
    });
}

#[test]
fn roles_are_defined_tidied_listed_and_replaced() {
    scenario(|world| {
        let admin = security(world);
        let role = name(world, "role");
        let definition = |permissions: Value| json!({"role": role, "permissions": permissions});
        let wanted = json!(["tag:add", "tag", "account:", "my:own", "", null]);
        let made = admin.post("/security/roles", definition(wanted)).status(201);
        assert!(made.location().ends_with(&format!("/1.0/kb/security/roles/{role}")), "{made}");
        let own = |admin: &Http| admin.get(format!("/security/roles/{role}")).status(200).json();
        assert_eq!(own(&admin), definition(json!(["account:*", "my:own", "tag:*"])));

        let taken = admin.post("/security/roles", definition(json!(["a:b"]))).status(400).json();
        assert_eq!(
            (&taken["code"], &taken["message"]),
            (&json!(40004), &json!(format!("The role {role} already exists")))
        );
        let listed = admin.get("/security/roles").status(200).json();
        let listed: Vec<&str> =
            listed.as_array().unwrap().iter().map(|role| role["role"].as_str().unwrap()).collect();
        assert!(listed.is_sorted() && listed.contains(&role.as_str()), "{listed:?}");

        admin.put("/security/roles", definition(json!(["a:b", "*"]))).status(204);
        assert_eq!(own(&admin), definition(json!(["*"])));
        admin.put("/security/roles", definition(json!([]))).status(204);
        assert_eq!(own(&admin), definition(json!([])));
        admin.post("/security/roles", definition(json!([]))).status(201);
        admin.post("/security/roles", json!({"role": role})).status(201);
        let names = admin.get("/security/roles").json().to_string();
        assert!(!names.contains(&format!("\"{role}\"")), "what permits nothing is not listed");

        for wrong in [json!(["a:b:c"]), json!([":"]), json!([":b"])] {
            assert_eq!(admin.post("/security/roles", definition(wrong)).status(400).json()["code"], 40005);
        }
        for wrong in [
            json!({"permissions": ["a:b"]}),
            json!({"role": "", "permissions": []}),
            json!({"role": "r".repeat(256), "permissions": []}),
            json!({"role": "r", "permissions": [1]}),
        ] {
            admin.post("/security/roles", wrong).status(400);
        }
        assert_eq!(
            admin.get("/security/roles/nobody-defined-me").status(200).json()["permissions"],
            json!([])
        );
    });
}

#[test]
fn roles_take_and_give_rights_at_once() {
    scenario(|world| {
        let kb = world.killbill();
        let clerk = operator(world, "clerk", &["tag:*"]);
        let account = json!({"currency": "USD"});
        let refused = clerk.post("/accounts", account.clone()).status(401).json();
        assert_eq!(refused["className"], "org.apache.shiro.authz.UnauthorizedException");
        assert_eq!(refused["message"], "Subject does not have permission [account:create]");
        assert_eq!(refused["causeClassName"], "org.apache.shiro.authz.AuthorizationException");
        assert_eq!(refused["code"], Value::Null);

        let role = format!("clerk-{}", world.tenant().api_key);
        kb.put("/security/roles", json!({"role": role, "permissions": ["account:create"]})).status(204);
        clerk.post("/accounts", account.clone()).status(201);
        assert_eq!(clerk.get("/security/permissions").status(200).json(), json!(["account:create"]));
        kb.put(format!("/security/users/{role}/roles"), json!({"roles": ["none"]})).status(204);
        clerk.post("/accounts", account).status(401);
    });
}

#[test]
fn only_who_may_make_users_changes_users_and_roles() {
    scenario(|world| {
        let clerk = operator(world, "plain", &["account:*"]);
        let own = format!("/security/users/plain-{}", world.tenant().api_key);
        for refused in [
            clerk.post("/security/users", user("x", "pw", &[])),
            clerk.put(format!("{own}/password"), json!({"password": "mine"})),
            clerk.put(format!("{own}/roles"), json!({"roles": ["root"]})),
            clerk.delete(&own),
            clerk.post("/security/roles", json!({"role": "x", "permissions": ["*"]})),
            clerk.put("/security/roles", json!({"role": "x", "permissions": ["*"]})),
        ] {
            let refused = refused.status(401).json();
            assert_eq!(refused["message"], "Subject does not have permission [user:create]");
        }
        clerk.get(format!("{own}/roles")).status(200);
        clerk.get("/security/roles").status(200);
    });
}

#[test]
fn a_session_stands_for_the_password() {
    scenario(|world| {
        let admin = security(world);
        let root = admin.get("/security/permissions").status(200);
        assert_eq!(root.json(), json!(["*:*"]));
        let set = root.header("Set-Cookie").unwrap().to_owned();
        for part in ["JSESSIONID=", "; Path=/", "; HttpOnly", "; SameSite=Lax"] {
            assert!(set.contains(part), "{set}");
        }
        assert!(!set.contains("Secure"), "plain HTTP");
        let secure = admin.with("X-Forwarded-Proto", "https").get("/security/permissions").status(200);
        assert!(secure.header("Set-Cookie").unwrap().contains("; Secure"), "{secure}");
        assert_eq!(admin.get("/security/subject").status(200).json()["session"], Value::Null);

        let visitor = world.killbill().without("Authorization").with("Cookie", cookie(&root));
        let subject = visitor.get("/security/subject").status(200).json();
        assert_eq!((&subject["principal"], &subject["isAuthenticated"]), (&json!("admin"), &json!(true)));
        assert_eq!(subject["session"]["timeout"], 3_600_000);
        assert_eq!(subject["session"]["host"], "127.0.0.1", "where the password was shown");
        assert!(!set.contains(subject["session"]["id"].as_str().unwrap()), "the id is not the token");
        visitor.post("/accounts", json!({"currency": "USD"})).status(201);
        assert_eq!(visitor.get("/security/permissions").status(200).header("Set-Cookie"), None);
        visitor.with_user("admin", "wrong").get("/security/subject").status(200);

        let stranger = visitor.with("Cookie", "other=1; JSESSIONID=guessed");
        stranger.get("/security/subject").status(401);
    });
}

#[test]
fn a_session_ends_with_its_users_password_and_with_the_user() {
    scenario(|world| {
        let admin = security(world);
        let eve = name(world, "eve");
        admin.post("/security/users", user(&eve, "pw1", &[])).status(201);
        for end in ["password", "user"] {
            let password = if end == "password" { "pw1" } else { "pw2" };
            let opened = admin.with_user(&eve, password).get("/security/permissions").status(200);
            let session = admin.without("Authorization").with("Cookie", cookie(&opened));
            session.get("/security/subject").status(200);
            if end == "password" {
                let body = json!({"password": "pw2"});
                admin.put(format!("/security/users/{eve}/password"), body).status(204);
            } else {
                admin.delete(format!("/security/users/{eve}")).status(204);
            }
            session.get("/security/subject").status(401);
        }
    });
}

#[test]
fn who_is_not_let_in_learns_nothing() {
    scenario(|world| {
        let nobody = world.killbill().without("Authorization");
        let known = nobody.with_user("admin", "wrong");
        let unknown = nobody.with_user("nobody-of-that-name", "wrong");
        let garbled = nobody.with("Authorization", "Basic !!!");
        let bearer = nobody.with("Authorization", "Bearer abc");
        for caller in [nobody, known, unknown, garbled, bearer] {
            for path in ["/accounts/pagination", "/security/permissions", "/nodesInfo", "/no/such/path"] {
                let refused = caller.get(path).status(401);
                assert_eq!(refused.header("WWW-Authenticate"), Some("BASIC realm=\"application\""));
                assert_eq!(refused.text(), "");
                assert_eq!(refused.header("Access-Control-Allow-Origin"), None, "{refused}");
            }
        }
    });
}

#[test]
fn a_tenant_is_chosen_by_key_and_secret() {
    scenario(|world| {
        let kb = world.killbill();
        let path = "/accounts?externalKey=nobody";
        let missing = kb.without("X-Killbill-ApiKey").get(path).status(401);
        let text = "Make sure to set the X-Killbill-ApiKey and X-Killbill-ApiSecret headers";
        assert_eq!(missing.json()["message"], text);
        assert_eq!(missing.header("Access-Control-Allow-Origin"), Some("*"));
        let wrong = kb.with("X-Killbill-ApiSecret", "wrong").get(path).status(401).json();
        let unknown = kb.with("X-Killbill-ApiKey", "nobody").get(path).status(401).json();
        assert_eq!(wrong, unknown, "whether a key exists is not told");
        kb.get(path).status(404);
    });
}

#[test]
fn the_role_root_is_nobodys_to_define() {
    scenario(|world| {
        let admin = security(world);
        for permissions in [json!(["x:y"]), json!([]), json!(["*:*"])] {
            let root = json!({"role": "root", "permissions": permissions});
            let refused = admin.put("/security/roles", root.clone()).status(400).json();
            assert_eq!(refused["className"], "java.lang.IllegalArgumentException");
            assert_eq!(refused["message"], "role root is the server's own and cannot be changed");
            assert_eq!(admin.post("/security/roles", root).status(400).json()["code"], 40004);
        }
        admin.put("/security/roles", json!({"role": "root"})).status(400);
        assert_eq!(admin.get("/security/roles/root").status(200).json()["permissions"], json!(["*:*"]));
    });
}

#[test]
fn the_last_user_with_root_stays() {
    scenario_alone(|world| {
        let admin = security(world);
        let says = |refused: testkit::Response, name: &str| {
            let message = refused.status(400).json()["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with(&format!("user {name} is the last one with role root")), "{message}");
        };
        says(admin.delete("/security/users/admin"), "admin");
        says(admin.put("/security/users/admin/roles", json!({"roles": ["Root", "x"]})), "admin");
        admin.put("/security/users/admin/roles", json!({"roles": ["x", "root"]})).status(204);
        let clerk = json!({"username": "clerk", "password": "pw", "roles": ["clerks"]});
        admin.post("/security/users", clerk).status(201);
        admin.delete("/security/users/clerk").status(204);

        admin.post("/security/users", user("eve", "pw", &["root"])).status(201);
        let eve = admin.with_user("eve", "pw");
        eve.delete("/security/users/admin").status(204);
        admin.get("/security/permissions").status(401);
        says(eve.delete("/security/users/eve"), "eve");
        says(eve.put("/security/users/eve/roles", json!({"roles": []})), "eve");
        assert_eq!(eve.get("/security/permissions").status(200).json(), json!(["*:*"]));
    });
}

#[test]
fn of_two_users_with_root_who_delete_each_other_one_stays() {
    scenario_alone(|world| {
        let admin = security(world);
        for round in 0..3 {
            let name = format!("root-{round}");
            admin.post("/security/users", user(&name, "pw", &["root"])).status(201);
            let other = admin.with_user(&name, "pw");
            let (first, second) = std::thread::scope(|scope| {
                let first = scope.spawn(|| admin.delete(format!("/security/users/{name}")));
                let second = scope.spawn(|| other.delete("/security/users/admin"));
                (first.join().unwrap(), second.join().unwrap())
            });
            let deleted = [&first, &second].iter().filter(|answer| answer.code() == 204).count();
            assert_eq!(deleted, 1, "{first}\n{second}");
            world.billhook(["admin", "reset"]);
            world.billhook(["admin", "reset", "--user", &name]);
            admin.delete(format!("/security/users/{name}")).status(204);
        }
    });
}

#[test]
fn who_is_locked_out_is_let_in_from_the_command_line() {
    scenario_alone(|world| {
        let admin = security(world);
        admin.post("/security/users", user("eve", "pw", &["root"])).status(201);
        admin.with_user("eve", "pw").delete("/security/users/admin").status(204);
        let told = world.billhook(["admin", "reset"]);
        assert!(told.contains("user admin") && !told.contains(ADMIN_PASSWORD), "{told}");
        assert_eq!(admin.get("/security/permissions").status(200).json(), json!(["*:*"]));
        let session = admin.get("/security/permissions").status(200);

        tamper(world, "UPDATE role_permissions SET permission = 'x:y' WHERE role = 'root'");
        tamper(world, "DELETE FROM user_roles");
        let database = world.server().database();
        let reset = |user: &str| {
            let mut command = Command::new(BILLHOOK);
            command.args(["admin", "reset", "--user", user, "--database", database]);
            command.env_remove("BILLHOOK_ADMIN_PASSWORD").output().unwrap()
        };
        let told = String::from_utf8(reset("admin").stdout).unwrap();
        let made = told.trim().strip_prefix("user admin has password ").unwrap();
        let made = made.strip_suffix(" and the role root").unwrap();
        admin.without("Authorization").with("Cookie", cookie(&session)).get("/security/subject").status(401);
        // What a running server remembers of credentials is forgotten with it.
        world.server().terminate();
        world.server().start_again();
        let admin = security(world);
        admin.get("/security/permissions").status(401);
        let again = admin.with_user("admin", made);
        assert_eq!(again.get("/security/permissions").status(200).json(), json!(["*:*"]));
        assert_eq!(again.get("/security/users/admin/roles").status(200).json()["roles"], json!(["root"]));

        let unknown = reset("nobody");
        assert!(!unknown.status.success());
        assert!(String::from_utf8_lossy(&unknown.stderr).contains("user nobody does not exist"));
    });
}

//! Tenants, and what they keep under keys.

use crate::{scenario, scenario_alone};
use serde_json::{Value, json};
use testkit::{Http, Tenant, World};

fn upload(kb: &Http, path: &str, text: &str) -> testkit::Response {
    kb.with("Content-Type", "text/plain").send("POST", path, Some(text))
}

fn values(kb: &Http, path: &str) -> Value {
    kb.get(path).status(200).json()["values"].clone()
}

/// An operator of the server with these permissions and no others.
pub(crate) fn operator(world: &World, name: &str, permissions: &[&str]) -> Http {
    let kb = world.killbill();
    let name = format!("{name}-{}", world.tenant().api_key);
    kb.put("/security/roles", json!({"role": name, "permissions": permissions})).status(204);
    let user = json!({"username": name, "password": "a password", "roles": [name]});
    kb.post("/security/users", user).status(201);
    kb.with_user(&name, "a password")
}

#[test]
fn a_tenant_is_found_by_id_and_by_key_and_never_shows_its_secret() {
    scenario(|world| {
        let kb = world.killbill();
        let key = format!("{}-new", world.tenant().api_key);
        let body = json!({"apiKey": key, "apiSecret": "s", "externalKey": "ours"});
        let made = kb.without("X-Killbill-ApiKey").post("/tenants", body.clone()).status(201);
        assert!(made.location().contains("/1.0/kb/tenants/"), "{made}");
        let expected = json!({
            "tenantId": made.id(), "externalKey": "ours", "apiKey": key, "apiSecret": null, "auditLogs": [],
        });
        assert_eq!(kb.get(format!("/tenants/{}", made.id())).status(200).json(), expected);
        assert_eq!(kb.get(format!("/tenants?apiKey={key}")).status(200).json(), expected);

        let taken = kb.post("/tenants", body).status(409).json();
        assert_eq!(taken["code"], 20000);
        let unknown = kb.get("/tenants/11111111-1111-1111-1111-111111111111").status(404).json();
        assert_eq!(unknown["code"], 20001);
        assert_eq!(unknown["className"], "org.killbill.billing.tenant.api.TenantApiException");
        assert_eq!(kb.get("/tenants?apiKey=nobody").status(404).json()["code"], 20003);
        kb.get("/tenants/nonsense").status(404);
    });
}

#[test]
fn a_tenant_begins_with_an_empty_catalog_of_its_own_unless_it_wants_the_servers() {
    scenario(|world| {
        let kb = world.killbill();
        for (query, count) in [("", 1), ("?useGlobalDefault=false", 1), ("?useGlobalDefault=true", 0)] {
            let key = format!("{}-{count}{}", world.tenant().api_key, query.len());
            let body = json!({"apiKey": key, "apiSecret": "s"});
            let id = kb.post(format!("/tenants{query}"), body).status(201).id();
            let tenant = Tenant { id, api_key: key, api_secret: "s".into() };
            let catalogs = values(&world.killbill_of(&tenant), "/tenants/userKeyValue/CATALOG");
            assert_eq!(catalogs.as_array().unwrap().len(), count, "{query}: {catalogs}");
        }
    });
}

#[test]
fn tenants_that_cannot_be_are_refused() {
    scenario(|world| {
        let kb = world.killbill();
        let own = &world.tenant().api_key;
        let key = |length: usize| format!("{own}{}", "k".repeat(length - own.len()));
        kb.post("/tenants", json!({"apiKey": key(128), "apiSecret": "s", "externalKey": "e".repeat(255)}))
            .status(201);
        for wrong in [
            json!({}),
            json!({"apiKey": "x"}),
            json!({"apiSecret": "x"}),
            json!({"apiKey": "", "apiSecret": "x"}),
            json!({"apiKey": "x", "apiSecret": ""}),
            json!({"apiKey": key(129), "apiSecret": "s"}),
            json!({"apiKey": "a\u{0}b", "apiSecret": "s"}),
            json!({"apiKey": "x", "apiSecret": "s", "externalKey": "e".repeat(256)}),
            json!({"apiKey": "x", "apiSecret": "s", "colour": "red"}),
            json!({"apiKey": 1, "apiSecret": "s"}),
        ] {
            kb.post("/tenants", wrong).status(400);
        }
        let body = json!({"apiKey": format!("{own}-x"), "apiSecret": "s"});
        let silent = kb.without("X-Killbill-CreatedBy").post("/tenants", body).status(400).json();
        assert_eq!(silent["message"], "Header X-Killbill-CreatedBy needs to be set");
    });
}

#[test]
fn making_a_tenant_needs_permissions() {
    scenario(|world| {
        let body =
            |name: &str| json!({"apiKey": format!("{}-{name}", world.tenant().api_key), "apiSecret": "s"});
        let nobody = operator(world, "nobody", &["account:create"]);
        let refused = nobody.post("/tenants", body("a")).status(401).json();
        assert_eq!(refused["message"], "Subject does not have permission [tenant:create]");
        let maker = operator(world, "maker", &["tenant:create"]);
        maker.post("/tenants", body("b")).status(401);
        maker.post("/tenants?useGlobalDefault=true", body("b")).status(201);
        let all = operator(world, "all", &["tenant:create", "catalog:config_upload", "tenant_kvs:add"]);
        all.post("/tenants", body("c")).status(201);
    });
}

#[test]
fn single_values_are_replaced_and_deleted() {
    scenario(|world| {
        let kb = world.killbill();
        for (path, key) in [
            ("/tenants/uploadPerTenantConfig", "PER_TENANT_CONFIG"),
            ("/tenants/uploadPluginConfig/my-plugin", "PLUGIN_CONFIG_my-plugin"),
            (
                "/tenants/uploadPluginPaymentStateMachineConfig/my-plugin",
                "PLUGIN_PAYMENT_STATE_MACHINE_my-plugin",
            ),
        ] {
            assert_eq!(values(&kb, path), json!([]), "{path}");
            let made = upload(&kb, path, "{\"a\":\"b\"}").status(201);
            assert!(made.location().ends_with(&format!("/1.0/kb{path}")), "{made}");
            upload(&kb, path, "täxt with 'quotes' <b>;\n--").status(201);
            let found = kb.get(path).status(200).json();
            let expected = json!({"key": key, "values": ["täxt with 'quotes' <b>;\n--"], "auditLogs": []});
            assert_eq!(found, expected);
            kb.delete(path).status(204);
            kb.delete(path).status(204);
            assert_eq!(values(&kb, path), json!([]), "{path}");
        }
    });
}

#[test]
fn a_callback_is_registered_by_parameter() {
    scenario(|world| {
        let kb = world.killbill();
        let path = "/tenants/registerNotificationCallback";
        kb.post(path, Value::Null).status(400);
        let made = kb.send("POST", format!("{path}?cb=http://one.example/x"), None::<&str>).status(201);
        assert!(made.location().ends_with(path));
        kb.send("POST", format!("{path}?cb=http://two.example/x"), None::<&str>).status(201);
        let expected = json!({
            "key": "PUSH_NOTIFICATION_CB", "values": ["http://two.example/x"], "auditLogs": [],
        });
        assert_eq!(kb.get(path).status(200).json(), expected);
        kb.delete(path).status(204);
        assert_eq!(values(&kb, path), json!([]));
    });
}

#[test]
fn a_users_own_keys_take_many_values() {
    scenario(|world| {
        let kb = world.killbill();
        upload(&kb, "/tenants/userKeyValue/colour", "red").status(201);
        upload(&kb, "/tenants/userKeyValue/colour", "blue").status(201);
        upload(&kb, "/tenants/userKeyValue/colours", "all").status(201);
        assert_eq!(values(&kb, "/tenants/userKeyValue/colour"), json!(["red", "blue"]));
        let found = kb.get("/tenants/uploadPerTenantConfig/colour/search").status(200).json();
        let expected = json!([
            {"key": "colour", "values": ["red", "blue"], "auditLogs": []},
            {"key": "colours", "values": ["all"], "auditLogs": []},
        ]);
        assert_eq!(found, expected);
        assert_eq!(kb.get("/tenants/uploadPerTenantConfig/col_ur/search").status(200).json(), json!([]));
        kb.delete("/tenants/userKeyValue/colour").status(204);
        assert_eq!(values(&kb, "/tenants/userKeyValue/colour"), json!([]));
        assert_eq!(values(&kb, "/tenants/userKeyValue/colours"), json!(["all"]));

        let strange = "/tenants/userKeyValue/a%20b%2Fc";
        let made = upload(&kb, strange, "x").status(201);
        assert!(made.location().ends_with("/userKeyValue/a%20b%2Fc"), "{made}");
        assert_eq!(kb.get(made.location()).status(200).json()["key"], "a b/c");
    });
}

#[test]
fn keys_and_values_have_limits() {
    scenario(|world| {
        let kb = world.killbill();
        let path = |length: usize| format!("/tenants/userKeyValue/{}", "k".repeat(length));
        upload(&kb, &path(255), "x").status(201);
        upload(&kb, &path(256), "x").status(400);
        let plugin = format!("/tenants/uploadPluginConfig/{}", "p".repeat(255 - "PLUGIN_CONFIG_".len()));
        upload(&kb, &plugin, "").status(201);
        assert_eq!(values(&kb, &plugin), json!([""]));
        upload(&kb, &format!("{plugin}p"), "x").status(400);
        upload(&kb, "/tenants/userKeyValue/nul", "a\u{0}b").status(400);
        kb.with("Content-Type", "application/json").send("POST", path(3), Some("x")).status(415);
        kb.with("Content-Type", "text/plain").send("POST", path(3), Some(vec![0xff, 0xfe])).status(400);
        kb.with("Content-Type", "text/plain; charset=utf-8").send("POST", path(3), Some("x")).status(201);
        upload(&kb.without("X-Killbill-CreatedBy"), &path(3), "x").status(400);
        kb.without("X-Killbill-CreatedBy").delete(path(3)).status(400);
    });
}

#[test]
fn values_need_permissions() {
    scenario(|world| {
        let (adds, deletes) = (
            operator(world, "adds", &["tenant_kvs:add"]),
            operator(world, "deletes", &["tenant_kvs:delete"]),
        );
        let path = "/tenants/userKeyValue/k";
        let refused = upload(&deletes, path, "x").status(401).json();
        assert_eq!(refused["message"], "Subject does not have permission [tenant_kvs:add]");
        upload(&adds, path, "x").status(201);
        let refused = adds.delete(path).status(401).json();
        assert_eq!(refused["message"], "Subject does not have permission [tenant_kvs:delete]");
        assert_eq!(values(&deletes, path), json!(["x"]));
        deletes.delete(path).status(204);
    });
}

#[test]
fn values_are_one_tenants_alone() {
    scenario(|world| {
        let (ours, theirs) = (world.killbill(), world.killbill_of(&world.another_tenant()));
        upload(&ours, "/tenants/userKeyValue/k", "ours").status(201);
        assert_eq!(values(&theirs, "/tenants/userKeyValue/k"), json!([]));
        assert_eq!(theirs.get("/tenants/uploadPerTenantConfig/k/search").json(), json!([]));
        theirs.delete("/tenants/userKeyValue/k").status(204);
        assert_eq!(values(&ours, "/tenants/userKeyValue/k"), json!(["ours"]));
    });
}

#[test]
fn racing_uploads_leave_one_value() {
    scenario_alone(|world| {
        let kb = world.killbill();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let kb = kb.clone();
                scope.spawn(move || {
                    upload(&kb, "/tenants/uploadPerTenantConfig", &format!("{number}")).status(201)
                });
            }
        });
        assert_eq!(values(&kb, "/tenants/uploadPerTenantConfig").as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_name_and_a_domain_that_cannot_be_are_refused() {
    scenario(|world| {
        let own = &world.tenant().api_key;
        let create = |key: &str, more: [&str; 2]| {
            let arguments = ["tenant", "create", "--api-key", key, "--api-secret", "s"];
            world.billhook_output(arguments.into_iter().chain(more))
        };
        let label = "d".repeat(63);
        let domain = |last: usize| format!("{own}.{label}.{label}.{label}.{}", "e".repeat(last - own.len()));
        let long_domain = domain(253 - 3 * 64 - 1);
        let key = format!("{own}-named");
        assert!(create(&key, ["--name", &"é".repeat(255)]).status.success());
        let key = format!("{own}-domain");
        assert!(create(&key, ["--domain", &long_domain]).status.success());
        let key = format!("{own}-other");
        let too_long = domain(254 - 3 * 64 - 1);
        for (more, told) in [
            (["--name", &"é".repeat(256)], "255"),
            (["--name", "a\nb"], "control"),
            (["--domain", &too_long], "253"),
            (["--domain", "a\u{7f}b"], "control"),
            (["--domain", "a b.example.com"], "host name"),
            (["--domain", "Example.com"], "host name"),
            (["--domain", "a..b"], "host name"),
            (["--domain", ""], "host name"),
            (["--domain", &long_domain], "domain"),
        ] {
            let output = create(&key, more);
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && complaint.contains(told), "{more:?}: {complaint}");
            assert!(!complaint.contains("API key"), "{complaint}");
        }
        assert!(create(&key, ["--domain", &format!("{own}.example.com")]).status.success());
        let again = create(&key, ["--domain", &format!("{own}.example.org")]);
        assert!(String::from_utf8_lossy(&again.stderr).contains("API key"), "{again:?}");
    });
}

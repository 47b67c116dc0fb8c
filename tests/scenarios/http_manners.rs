//! How Kill Bill's desk behaves as an HTTP server, and what it says of itself.

use crate::tenants::operator;
use crate::{scenario, scenario_alone};
use serde_json::{Value, json};
use storage::{Connection, Store, StoreOptions};

#[test]
fn a_slash_at_the_end_changes_nothing() {
    scenario(|world| {
        let kb = world.killbill();
        let made = kb.post("/accounts/", json!({"externalKey": "k", "currency": "USD"})).status(201);
        assert!(!made.location().ends_with('/'), "{made}");
        let with = kb.get(format!("/accounts/{}/", made.id())).status(200);
        assert_eq!(with.json(), kb.get(format!("/accounts/{}", made.id())).status(200).json());
        kb.get("/security/permissions/").status(200);
        kb.get("/tenants/userKeyValue/k/").status(200);
        kb.get("/tenants/uploadPerTenantConfig/").status(200);
    });
}

#[test]
fn what_is_not_there_is_404_and_what_it_does_not_take_is_405() {
    scenario(|world| {
        let kb = world.killbill();
        for path in ["", "/", "/no", "/no/such/path", "/accounts/nonsense", "/accounts/a/b/c/d"] {
            let missing = kb.get(path).status(404);
            assert_eq!(missing.text(), "", "{path}");
        }
        for (method, path) in [("DELETE", "/accounts"), ("PATCH", "/accounts"), ("PUT", "/nodesInfo")] {
            let refused = kb.send(method, path, None::<&str>).status(405);
            assert_eq!(refused.text(), "");
            assert!(refused.header("Allow").is_some_and(|allow| allow.contains("POST")), "{refused}");
        }
    });
}

#[test]
fn head_is_get_without_a_body() {
    scenario(|world| {
        let kb = world.killbill();
        let got = kb.get("/nodesInfo").status(200);
        let head = kb.send("HEAD", "/nodesInfo", None::<&str>).status(200);
        assert_eq!(head.bytes(), b"");
        assert_eq!(head.header("Content-Type"), got.header("Content-Type"));
    });
}

#[test]
fn options_needs_no_password_and_tells_browsers_what_they_may() {
    scenario(|world| {
        let http = world.http().with("Origin", "https://shop.example");
        let options = http.send("OPTIONS", "/1.0/kb/accounts", None::<&str>).status(200);
        let allow = options.header("Allow").unwrap().to_owned();
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            assert!(allow.contains(method), "{allow}");
        }
        http.send("OPTIONS", "/1.0/kb/no/such/path", None::<&str>).status(404);
        let got = world.killbill().with("Origin", "https://shop.example").get("/nodesInfo").status(200);
        for answer in [options, got] {
            let header = |name: &str| answer.header(name).unwrap_or_default().to_owned();
            assert_eq!(header("Access-Control-Allow-Origin"), "https://shop.example");
            assert_eq!(header("Access-Control-Allow-Methods"), "GET, POST, DELETE, PUT, OPTIONS");
            assert_eq!(header("Access-Control-Allow-Credentials"), "true");
            for name in ["Access-Control-Allow-Headers", "Access-Control-Expose-Headers"] {
                assert!(header(name).starts_with("Authorization,Content-Type,Location,X-Killbill-ApiKey,"));
                assert!(header(name).ends_with("X-Killbill-Reason"));
            }
        }
        let plain = world.killbill().get("/accounts/11111111-1111-1111-1111-111111111111").status(404);
        assert_eq!(plain.header("Access-Control-Allow-Origin"), Some("*"), "errors too");
    });
}

#[test]
fn a_caller_who_takes_no_json_is_told() {
    scenario(|world| {
        let kb = world.killbill();
        for taken in ["application/json", "*/*", "application/*;q=0.5", "text/html, application/json;q=0.9"] {
            kb.with("Accept", taken).get("/nodesInfo").status(200);
        }
        kb.with("Accept", "text/plain").get("/nodesInfo").status(406);
    });
}

#[test]
fn errors_carry_no_stack_traces() {
    scenario(|world| {
        let path = "/accounts/11111111-1111-1111-1111-111111111111?withStackTrace=true";
        assert_eq!(world.killbill().get(path).status(404).json()["stackTrace"], json!([]));
    });
}

#[test]
fn locations_are_full_urls_as_the_caller_sees_the_server() {
    scenario(|world| {
        let kb = world.killbill();
        let open = |kb: &testkit::Http| {
            kb.post("/accounts", json!({"currency": "USD"})).status(201).location().to_owned()
        };
        let direct = open(&kb);
        assert!(direct.starts_with(&format!("{}/1.0/kb/accounts/", world.server().url())), "{direct}");
        let proxied = kb.with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "bill.example");
        let seen = open(&proxied);
        assert!(seen.starts_with("https://bill.example:443/1.0/kb/accounts/"), "{seen}");
        let seen = open(&proxied.with("X-Forwarded-Port", "8443"));
        assert!(seen.starts_with("https://bill.example:8443/1.0/kb/accounts/"), "{seen}");
        let seen = open(&kb.with("X-Forwarded-Host", "bill.example:81, inner.example"));
        assert!(seen.starts_with("http://bill.example:81/1.0/kb/accounts/"), "{seen}");

        for (name, value) in [
            ("X-Forwarded-Host", "evil\"<script>"),
            ("X-Forwarded-Host", "evil/x"),
            ("X-Forwarded-Host", "u@evil"),
            ("X-Forwarded-Host", ""),
            ("X-Forwarded-Proto", "javascript"),
        ] {
            let seen = open(&kb.with(name, value));
            assert!(seen.starts_with(&format!("{}/1.0/kb/accounts/", world.server().url())), "{seen}");
        }
        let seen = open(&kb.with("X-Forwarded-Host", "bill.example").with("X-Forwarded-Port", "80/evil"));
        assert!(seen.starts_with("http://bill.example:80/1.0/kb/accounts/"), "{seen}");
    });
}

#[test]
fn the_node_tells_its_name_and_versions() {
    scenario(|world| {
        let kb = world.killbill().without("X-Killbill-ApiKey");
        let nodes = kb.get("/nodesInfo").status(200).json();
        let [node] = &nodes.as_array().unwrap()[..] else { panic!("{nodes}") };
        for field in [
            "nodeName",
            "bootTime",
            "lastUpdatedDate",
            "kbVersion",
            "apiVersion",
            "pluginApiVersion",
            "commonVersion",
            "platformVersion",
        ] {
            assert!(node[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {node}");
        }
        assert_eq!(node["pluginsInfo"], json!([]));
        assert!(node["kbVersion"].as_str().unwrap().starts_with("0.25."));
        assert_eq!(world.killbill().get("/pluginsInfo").status(200).json(), json!([]));
        kb.get("/pluginsInfo").status(401);
    });
}

#[test]
fn commands_to_nodes_are_accepted_from_those_who_may_give_them() {
    scenario(|world| {
        let kb = world.killbill().without("X-Killbill-ApiKey").without("X-Killbill-CreatedBy");
        let command = |properties: Value| {
            json!({
                "isSystemCommandType": true, "nodeCommandType": "INSTALL_PLUGIN",
                "nodeCommandProperties": properties,
            })
        };
        let properties = json!([{"key": "pluginKey", "value": "x"}]);
        kb.post("/nodesInfo", command(properties.clone())).status(202);
        kb.post("/nodesInfo?localNodeOnly=true", command(json!([]))).status(202);
        kb.post("/nodesInfo", command(Value::Null)).status(400);
        kb.post("/nodesInfo", json!({"nodeCommandProperties": []})).status(400);
        kb.send("POST", "/nodesInfo", Some("")).status(400);
        let refused = operator(world, "clerk", &["account:*"]).post("/nodesInfo", command(properties));
        assert_eq!(
            refused.status(401).json()["message"],
            "Subject does not have permission [admin:trigger_command]"
        );
    });
}

#[test]
fn a_command_with_a_key_is_told_once() {
    scenario(|world| {
        let kb = world.killbill().without("X-Killbill-ApiKey").without("X-Killbill-CreatedBy");
        let kind = format!("START_{}", world.tenant().api_key);
        let command = |value: &str| json!({"nodeCommandType": kind, "nodeCommandProperties": [{"key": "pluginKey", "value": value}]});
        let keyed = kb.with("Idempotency-Key", &kind);
        assert_eq!(keyed.post("/nodesInfo", command("x")).status(202).header("idempotent-replayed"), None);
        let again = keyed.post("/nodesInfo", command("x")).status(202);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        keyed.post("/nodesInfo", command("y")).status(422);
        kb.post("/nodesInfo?localNodeOnly=true", command("z")).status(202);

        let store = Store::open(world.server().database(), StoreOptions::default()).unwrap();
        let read = |tx: &mut dyn Connection| {
            let sql = "SELECT metadata FROM events WHERE tenant_id = 0 AND event_type = 'BROADCAST_SERVICE'";
            let rows = tx.query(sql, &[])?;
            Ok(rows.into_iter().map(|mut row| row.next::<String>()).collect::<Result<Vec<_>, _>>()?)
        };
        let events = store.read_now(read).unwrap();
        store.close();
        let events: Vec<Value> = events.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let own: Vec<&Value> = events.iter().filter(|event| event["commandType"] == kind).collect();
        let [event] = own[..] else { panic!("{own:?}") };
        assert_eq!(event["service"], "nodes-service");
        let told: Value = serde_json::from_str(event["eventJson"].as_str().unwrap()).unwrap();
        assert_eq!(told["nodeCommandProperties"], command("x")["nodeCommandProperties"]);
    });
}

#[test]
fn a_node_is_taken_out_of_rotation_and_put_back() {
    scenario_alone(|world| {
        let (http, kb) = (world.http(), world.killbill());
        const NAME: &str = "org.killbill.billing.server.healthchecks.KillbillHealthcheck";
        let healthy = http.get("/1.0/healthcheck").status(200).json();
        assert_eq!(healthy[NAME], json!({"healthy": true, "message": "OK"}));
        assert_eq!(healthy["main.pool.ConnectivityCheck"], json!({"healthy": true}));
        let queues = &healthy["org.killbill.billing.server.healthchecks.KillbillQueuesHealthcheck"];
        assert_eq!(queues["due-work"]["failed"], 0, "{healthy}");

        kb.without("X-Killbill-CreatedBy").delete("/admin/healthcheck").status(204);
        let out = http.get("/1.0/healthcheck").status(500).json();
        assert_eq!(out[NAME], json!({"healthy": false, "message": "Out of rotation"}));
        kb.get("/nodesInfo").status(200);
        kb.send("PUT", "/admin/healthcheck", None::<&str>).status(204);
        http.get("/1.0/healthcheck").status(200);
        kb.without("Authorization").delete("/admin/healthcheck").status(401);
    });
}

#[test]
fn a_path_that_is_no_text_is_refused_in_the_shape_of_its_desk() {
    scenario(|world| {
        let kb = world.killbill().get("/accounts/%ff").status(400).json();
        assert_eq!(kb["className"], "java.lang.IllegalArgumentException");
        for path in ["/accounts/%ff", "/customers/%C3%28", "/v1/account/%ff"] {
            let refused = world.http().get(path).status(400).json();
            assert!(refused["message"].as_str().unwrap().contains("UTF-8"), "{path}: {refused}");
        }
    });
}

//! What every answer has, whichever desk gives it, and what watches the server.

use crate::BILLHOOK;
use crate::raw::Raw;
use crate::{mikrocloud, scenario, scenario_alone, togai};
use serde_json::json;
use storage::{Connection, Store, StoreOptions};
use testkit::{Engine, PostgresCluster, Server, World};
use uuid::Uuid;

#[test]
fn without_its_database_a_server_says_that_it_cannot_serve() {
    let database = Engine::Postgres.create_database();
    let server = Server::start(BILLHOOK, Engine::Postgres, database.clone());
    PostgresCluster::shared().drop_database(&database);
    let kb = testkit::Http::new(format!("{}/1.0/kb", server.url()))
        .with_user("admin", "password")
        .with("X-Killbill-ApiKey", "k")
        .with("X-Killbill-ApiSecret", "s");
    let refused = kb.get("/accounts/pagination").status(503);
    assert_eq!(refused.json()["message"], "The database cannot be reached; try again");
    assert!(refused.header("retry-after").is_some());
}

#[test]
fn an_answer_has_the_id_of_its_request() {
    scenario(|world| {
        let given = world.http().with("X-Request-Id", "abc-1").get("/healthz").status(200);
        assert_eq!(given.header("x-request-id"), Some("abc-1"));
        let made = world.http().get("/nothing").status(404);
        assert_eq!(made.header("x-request-id").map(str::len), Some(36), "{made}");
        let other = world.http().with("X-Request-Id", "x".repeat(129)).get("/healthz");
        assert_eq!(other.header("x-request-id").map(str::len), Some(36), "{other}");
    });
}

#[test]
fn the_request_id_becomes_the_user_token_of_the_audit_records() {
    scenario(|world| {
        let kb = world.killbill().with("X-Request-Id", "0192f0c1-2d3e-7f00-8a1b-0123456789ab");
        let made = kb.post("/accounts", json!({})).status(201);
        let account = kb.get(format!("/accounts/{}?audit=FULL", made.id())).status(200).json();
        assert_eq!(account["auditLogs"][0]["userToken"], "0192f0c1-2d3e-7f00-8a1b-0123456789ab");
    });
}

#[test]
fn every_desk_records_the_request_and_logs_the_tenant() {
    scenario_alone(|world| {
        let token = |number: u32| format!("0192f0c1-2d3e-7f00-8a1b-{number:012}");
        let last_recorded = |id: &str| {
            let logs = world.killbill().get(format!("/accounts/{id}/auditLogs")).status(200).json();
            logs.as_array().unwrap().last().unwrap()["userToken"].as_str().unwrap().to_owned()
        };
        let old = world.killbill().with("X-Killbill-Request-Id-Req", token(1));
        let made = old.post("/accounts", json!({})).status(201);
        assert_eq!(made.header("x-request-id"), Some(token(1).as_str()));
        let id = made.id();
        assert_eq!(last_recorded(&id), token(1));
        let both = old.with("X-Request-Id", "no-uuid").put(format!("/accounts/{id}"), json!({ "name": "A" }));
        assert_eq!(both.status(204).header("x-request-id"), Some("no-uuid"));
        assert_eq!(last_recorded(&id), token(1), "an id that is no UUID leaves the token to the old header");
        let neither = world.killbill().put(format!("/accounts/{id}"), json!({ "name": "B" })).status(204);
        assert_eq!(neither.header("x-request-id"), Some(last_recorded(&id).as_str()));

        let organization = mikrocloud::organization(world, &[]);
        let bearer = mikrocloud::token(world, &organization, &[]);
        let mikrocloud = world.http().with_bearer(&bearer).with("X-Request-Id", token(2));
        mikrocloud.post("/v1/account", mikrocloud::hannes()).status(201);
        let togai = togai::togai(world).with("X-Request-Id", token(3));
        togai.post("/customers", togai::customer("c")).status(201);
        let recorded = user_tokens(world);
        for token in [token(2), token(3)] {
            assert!(recorded.contains(&token), "{token} in {recorded:?}");
        }

        assert!(world.server().terminate().success());
        let log = world.server().log_since(0);
        let tenant = format!("tenant=\"{}\"", world.tenant().api_key);
        for token in [token(1), token(2), token(3)] {
            let line =
                log.lines().find(|line| line.contains(&token)).unwrap_or_else(|| panic!("{token}\n{log}"));
            assert!(line.contains(&tenant), "{line}");
        }
    });
}

/// The user tokens of all audit records of the world's tenant.
fn user_tokens(world: &World) -> Vec<String> {
    let store = Store::open(world.server().database(), StoreOptions::default()).unwrap();
    let tenant: Uuid = world.tenant().id.parse().unwrap();
    let read = move |tx: &mut dyn Connection| {
        let sql = "SELECT a.user_token FROM audit_log a JOIN tenants t ON t.record_id = a.tenant_id WHERE t.id = $1";
        let rows = tx.query(sql, &[tenant.into()])?;
        Ok(rows.into_iter().map(|mut row| row.next::<Uuid>()).collect::<Result<Vec<_>, _>>()?)
    };
    let tokens = store.read_now(read).unwrap();
    store.close();
    tokens.iter().map(Uuid::to_string).collect()
}

#[test]
fn a_key_that_is_none_is_refused_in_the_desks_own_words() {
    scenario(|world| {
        let long = world.http().with("Idempotency-Key", "k".repeat(256));
        let killbill = long.post("/1.0/kb/accounts", json!({})).status(400).json();
        assert_eq!(killbill["className"], "java.lang.IllegalArgumentException", "{killbill}");
        for path in ["/customers", "/v1/account"] {
            let other = long.post(path, json!({})).status(400).json();
            assert!(
                other["message"].as_str().is_some_and(|text| text.contains("Idempotency-Key")),
                "{other}"
            );
            assert_eq!(other.as_object().unwrap().len(), 1, "{other}");
        }
    });
}

#[test]
fn a_demo_leaves_a_book_in_use_alone() {
    scenario(|world| {
        let output = world.billhook_output(["demo", "--port", "0"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("in use") && told.contains("--force"), "{told}");
    });
}

/// Why a server outside test mode does not start on the world's book. It cannot listen at that address anyway.
fn complaint_at_start(world: &World, options: &[&str]) -> String {
    let serve = ["serve", "--listen", "192.0.2.1:1"].into_iter().chain(options.iter().copied());
    let output = world.billhook_output(serve);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_leaves_a_demos_book_alone_unless_told() {
    scenario_alone(|world| {
        assert!(complaint_at_start(world, &[]).contains("cannot listen"));
        let demo = ["--api-key", "bob", "--api-secret", "lazar", "--name", "Demo"];
        world.billhook(["tenant", "create"].into_iter().chain(demo));
        let told = complaint_at_start(world, &[]);
        assert!(told.contains("a demo's") && told.contains("--force"), "{told}");
        assert!(complaint_at_start(world, &["--force"]).contains("cannot listen"));
    });
}

#[test]
fn a_server_outside_test_mode_leaves_moved_clocks_alone() {
    scenario_alone(|world| {
        let key = world.tenant().api_key.as_str();
        world.killbill().send("PUT", "/test/clock?days=2", None::<&str>).status(200);
        let told = complaint_at_start(world, &[]);
        assert!(told.contains(&format!("billhook tenant reset-clock --tenant {key}")), "{told}");
        assert!(complaint_at_start(world, &["--test-mode"]).contains("cannot listen"));
        world.billhook(["tenant", "reset-clock", "--tenant", key]);
        assert!(complaint_at_start(world, &[]).contains("cannot listen"));
        let output = world.billhook_output(["tenant", "reset-clock", "--tenant", "nobody"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("no tenant has API key nobody"));
    });
}

#[test]
fn the_server_is_ready_and_tells_its_figures() {
    scenario(|world| {
        world.http().get("/readyz").status(200);
        let made = world.killbill().post("/accounts", json!({})).status(201);
        world.killbill().get(format!("/accounts/{}", made.id())).status(200);
        world.http().get("/nothing/at/all").status(404);
        let answer = world.http().get("/metrics").status(200);
        assert!(answer.header("content-type").unwrap_or_default().starts_with("text/plain"), "{answer}");
        for wanted in [
            "billhook_http_requests_total{desk=\"killbill\",method=\"POST\",route=\"/1.0/kb/accounts\",status=\"201\"} ",
            "billhook_http_requests_total{desk=\"killbill\",method=\"GET\",route=\"/1.0/kb/accounts/{accountId}\",status=\"200\"} ",
            "billhook_http_requests_total{desk=\"none\",method=\"-\",route=\"-\",status=\"404\"} ",
            "billhook_store_commits_total ",
            "billhook_due_work_overdue ",
            "billhook_due_work_failed ",
            "billhook_store_queue_depth{lane=\"write\"} ",
        ] {
            let line = answer.text().lines().find_map(|line| line.strip_prefix(wanted));
            assert!(line.is_some_and(|count| count.parse::<u64>().is_ok()), "{wanted}\n{answer}");
        }
        assert!(!answer.text().contains(&made.id()), "metrics name no record");
    });
}

#[test]
fn long_answers_are_packed_for_whom_takes_it() {
    scenario(|world| {
        let path = "/openapi/killbill.json";
        let plain = world.http().get(path).status(200);
        assert_eq!(plain.header("content-encoding"), None);
        let mut raw = Raw::connect(world.server());
        let packed = raw.ask(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        ));
        assert!(packed.to_lowercase().contains("content-encoding: gzip"), "{packed}");
        assert!(packed.len() < plain.bytes().len() / 2, "{} of {}", packed.len(), plain.bytes().len());
        let mut raw = Raw::connect(world.server());
        let short =
            raw.ask("GET /healthz HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n");
        assert!(!short.to_lowercase().contains("content-encoding"), "{short}");
    });
}

#[test]
fn a_wrong_method_is_told() {
    scenario(|world| {
        world.http().delete("/healthz").status(405);
        world.killbill().request("PATCH", "/accounts", Some(&json!({}))).status(405);
        let unknown = world.http().get("/no/such/path").status(404).json();
        assert!(unknown["message"].is_string(), "{unknown}");
    });
}

#[test]
fn http_2_is_spoken_on_the_same_port() {
    scenario(|world| {
        // The preface and an empty SETTINGS frame; the answer begins with the server's own SETTINGS frame.
        let mut raw = Raw::connect(world.server());
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        let head = raw.read_exact(9);
        assert_eq!(head[3], 4, "no SETTINGS frame: {head:?}");
    });
}

#[test]
fn the_log_has_a_line_per_request_and_no_secrets() {
    let database = Engine::Sqlite.create_database();
    let server = Server::start_with(BILLHOOK, Engine::Sqlite, database, &["--log-format", "json"]);
    let admin = testkit::Http::new(server.url()).with_user("admin", testkit::ADMIN_PASSWORD);
    let answer = admin.with("X-Request-Id", "find-me").get("/1.0/kb/tenants?apiKey=personal%40example.com");
    answer.status(404);
    let ended = server.terminate();
    assert!(ended.success(), "{ended}");
    let log = server.log_since(0);
    let line = log.lines().find(|line| line.contains("find-me")).unwrap_or_else(|| panic!("no line:\n{log}"));
    let line: serde_json::Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
    assert_eq!(line["request_id"], "find-me");
    assert_eq!(line["method"], "GET");
    assert_eq!(line["route"], "/1.0/kb/tenants");
    assert_eq!(line["status"], 404);
    assert!(line["micros"].is_u64(), "{line}");
    assert!(!log.contains("personal") && !log.contains(testkit::ADMIN_PASSWORD), "{log}");
}

#[test]
fn browsers_of_a_named_origin_may_call() {
    let database = Engine::Sqlite.create_database();
    let options = ["--cors-origins", "https://shop.example.com"];
    let server = Server::start_with(BILLHOOK, Engine::Sqlite, database, &options);
    let http = testkit::Http::new(server.url());
    let own = http.with("Origin", "https://shop.example.com").get("/openapi/killbill.json").status(200);
    assert_eq!(own.header("access-control-allow-origin"), Some("https://shop.example.com"));
    assert_eq!(own.header("access-control-allow-credentials"), None);
    // Not what another desk tells the owner of a cookie.
    let browser = http.with("Origin", "https://shop.example.com").with("Cookie", "sessionid=x");
    for method in ["GET", "OPTIONS"] {
        let preflight = browser.with("Access-Control-Request-Method", "GET");
        let answer = preflight.request(method, "/api/auth/tokens", None);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://shop.example.com"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let other = http.with("Origin", "https://evil.example.com").get("/openapi/killbill.json").status(200);
    assert_eq!(other.header("access-control-allow-origin"), None);
    let kill_bill =
        |origin: &str| http.with("Origin", origin).request("OPTIONS", "/1.0/kb/accounts", None).status(200);
    let own = kill_bill("https://shop.example.com");
    assert_eq!(own.header("access-control-allow-origin"), Some("https://shop.example.com"));
    assert_eq!(own.header("access-control-allow-credentials"), Some("true"));
    let other = kill_bill("https://evil.example.com");
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(other.header("access-control-allow-credentials"), None);
    let asked = http.with("Origin", "https://shop.example.com").with("Access-Control-Request-Method", "PUT");
    let preflight = asked.request("OPTIONS", "/customers", None).status(204);
    assert!(
        preflight.header("access-control-allow-methods").unwrap_or_default().contains("PUT"),
        "{preflight}"
    );
}

#[test]
fn a_file_configures_and_a_flag_goes_before_it() {
    let folder = testkit::new_directory("config");
    let file = folder.join("billhook.toml");
    std::fs::write(&file, "body_limit = 10\nnode_name = \"here\"\n").unwrap();
    let file = file.to_str().unwrap();
    let start = |options: &[&str]| {
        Server::start_with(BILLHOOK, Engine::Sqlite, Engine::Sqlite.create_database(), options)
    };
    let from_file = start(&["--config", file]);
    testkit::Http::new(from_file.url()).post("/1.0/kb/accounts", json!({ "name": "too long" })).status(413);
    let from_flag = start(&["--config", file, "--body-limit", "100"]);
    testkit::Http::new(from_flag.url()).post("/1.0/kb/accounts", json!({ "name": "fits" })).status(401);
}

#[test]
fn a_file_with_an_unknown_name_is_refused() {
    scenario(|world| {
        let file = testkit::new_directory("config").join("billhook.toml");
        std::fs::write(&file, "queue = 7\nlisen = \"127.0.0.1:1\"\n").unwrap();
        let output = world.billhook_output(["serve", "--config", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("lisen"), "{told}");
    });
}

#[test]
fn the_server_ends_in_time_with_connections_open() {
    scenario_alone(|world| {
        let mut kept = Raw::connect(world.server());
        kept.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        kept.read_until("ok");
        let mut silent = Raw::connect(world.server());
        silent.send(b"GET /heal");
        let mut half = Raw::connect(world.server());
        half.send(b"POST /1.0/kb/accounts HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
        let begun = std::time::Instant::now();
        let ended = world.server().terminate();
        assert!(ended.success(), "{ended}");
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    });
}

//! What the server refuses before any desk is asked: too much, too slow, ambiguous.

use crate::raw::Raw;
use crate::{BILLHOOK, scenario};
use testkit::{Engine, Server};

const MIB: usize = 1024 * 1024;

/// A server with further options.
fn strict(options: &[&str]) -> Server {
    Server::start_with(BILLHOOK, Engine::Sqlite, Engine::Sqlite.create_database(), options)
}

/// The head of a request to open an account, with these lines more.
fn head(lines: &str) -> String {
    format!("POST /1.0/kb/accounts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lines}\r\n")
}

#[test]
fn a_body_of_a_mebibyte_is_taken_and_a_byte_more_is_not() {
    scenario(|world| {
        let body = |length: usize| format!("{{\"name\": \"{}\"}}", "x".repeat(length - 12));
        let json = world.killbill().with("Content-Type", "application/json");
        let at = json.send("POST", "/accounts", Some(body(MIB)));
        assert_eq!(at.code(), 400, "taken, and refused by the desk for its name");
        assert!(at.text().contains("name"), "{at}");
        json.send("POST", "/accounts", Some(body(MIB + 1))).status(413);
        json.with("Idempotency-Key", "k").send("POST", "/accounts", Some(body(MIB + 1))).status(413);
    });
}

#[test]
fn a_long_body_in_chunks_is_refused_too() {
    scenario(|world| {
        let mut raw = Raw::connect(world.server());
        raw.send(head("Transfer-Encoding: chunked\r\n").as_bytes());
        let chunk = format!("{:x}\r\n{}\r\n", MIB + 1, "x".repeat(MIB + 1));
        raw.send(chunk.as_bytes());
        let answer = raw.rest();
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    });
}

#[test]
fn a_request_with_two_lengths_is_refused() {
    scenario(|world| {
        let rest = "0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "transfer-encoding: chunked\r\ncONTENT-length:5\r\n",
        ] {
            let answer = Raw::connect(world.server()).ask(&format!("{}{rest}", head(lines)));
            assert!(answer.starts_with("HTTP/1.1 400"), "{lines}{answer}");
            assert_eq!(
                answer.matches("HTTP/1.1 ").count(),
                1,
                "what follows was taken for a request: {answer}"
            );
        }
        let answer = Raw::connect(world.server()).ask(&head("Content-Length: 5\r\nContent-Length: 6\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let mut chunked = Raw::connect(world.server());
        let answer = chunked.ask(&format!(
            "{}2\r\n{{}}\r\n0\r\n\r\n",
            head("Connection: close\r\nTransfer-Encoding: chunked\r\n")
        ));
        assert!(answer.starts_with("HTTP/1.1 401"), "chunks alone are fine: {answer}");
    });
}

#[test]
fn what_stands_in_a_body_is_no_header() {
    scenario(|world| {
        let lines = "\r\n\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n";
        let plain = format!("{}{lines}", head(&format!("Content-Length: {}\r\n", lines.len())));
        let chunked = format!(
            "{}{:x};name=value\r\n{lines}\r\n2\r\n{{}}\r\n0\r\nX-Trailer: y\r\n\r\n",
            head("Transfer-Encoding: chunked\r\n"),
            lines.len()
        );
        let last = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let statuses = |answer: &str| -> Vec<String> {
            answer.match_indices("HTTP/1.1 ").map(|(at, _)| answer[at + 9..at + 12].to_owned()).collect()
        };
        let pipelined = format!("{plain}{chunked}{plain}{chunked}{last}");
        let answer = Raw::connect(world.server()).ask(&pipelined);
        assert_eq!(statuses(&answer), ["401", "401", "401", "401", "200"], "{answer}");

        // The same, one by one, in one connection and in two pieces each.
        let mut kept = Raw::connect(world.server());
        for request in [&plain, &chunked, &plain] {
            let (first, second) = request.split_at(request.len() - 20);
            kept.send(first.as_bytes());
            kept.send(second.as_bytes());
            let answer = kept.read_until("\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
            let length = answer.to_lowercase();
            let length =
                length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
            kept.read_exact(length.parse().unwrap());
        }
        let two = head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n");
        let answer = kept.ask(&format!("{two}0\r\n\r\n{last}"));
        assert_eq!(statuses(&answer), ["400"], "the fourth is refused, and nothing after it: {answer}");
    });
}

#[test]
fn more_connections_than_may_be_open_are_turned_away() {
    let server = strict(&["--connections", "2"]);
    let hello = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut open: Vec<Raw> = (0..2).map(|_| Raw::connect(&server)).collect();
    for raw in &mut open {
        raw.send(hello.as_bytes());
        raw.read_until("ok");
    }
    // It sends nothing: what it sent might overtake the refusal.
    let answer = Raw::connect(&server).rest();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 1"), "{answer}");
    open[0].send(hello.as_bytes());
    open[0].read_until("ok");
    open[0].ask(&hello.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    // The place is free as soon as the server has seen that the connection is closed.
    let is_let_in = || {
        let mut raw = Raw::connect(&server);
        raw.try_ask(&hello.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).starts_with("HTTP/1.1 200")
    };
    assert!((0..1000).any(|_| is_let_in()));
}

#[test]
fn who_comes_while_the_queue_is_full_is_told_to_come_again() {
    let server = strict(&["--concurrency", "1", "--queue", "0"]);
    let http = testkit::Http::new(server.url());
    let path = server.database().trim_start_matches("sqlite:");
    let mut elsewhere = rusqlite::Connection::open(path).unwrap();
    let lock = elsewhere.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let admin = http.with_user("admin", testkit::ADMIN_PASSWORD).with("X-Killbill-CreatedBy", "me");
    let tenant = serde_json::json!({ "apiKey": "k", "apiSecret": "s" });
    let refused = |path: &str| {
        let mut answers = (0..100_000).map(|_| http.post(path, serde_json::json!({})));
        answers.find(|answer| answer.code() == 503).expect("nobody was sent away")
    };
    std::thread::scope(|scope| {
        // It has the only place from some moment on, until the lock is given back; before that, another may have it.
        let writing = scope.spawn(|| {
            let mut answers = std::iter::repeat_with(|| admin.post("/1.0/kb/tenants", tenant.clone()));
            answers.find(|answer| answer.code() != 503)
        });
        let killbill = refused("/1.0/kb/accounts");
        let togai = refused("/customers");
        drop(lock);
        assert_eq!(killbill.header("retry-after"), Some("1"));
        assert_eq!(killbill.json()["className"], "java.lang.RuntimeException", "{killbill}");
        assert!(togai.json()["message"].is_string() && togai.json().get("className").is_none(), "{togai}");
        writing.join().unwrap().unwrap().status(201);
    });
    http.get("/readyz").status(200);
}

#[test]
fn too_many_or_too_long_headers_are_refused() {
    scenario(|world| {
        let many: String = (0..150).map(|number| format!("X-{number}: y\r\n")).collect();
        let answer = Raw::connect(world.server()).ask(&head(&many));
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let long = format!("X-Long: {}\r\n", "y".repeat(100_000));
        let mut raw = Raw::connect(world.server());
        raw.send(&head(&long).as_bytes()[..70_000]);
        let answer = raw.rest();
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    });
}

#[test]
fn half_sent_requests_are_dropped() {
    let server = strict(&["--idle-timeout", "1", "--request-timeout", "1"]);
    let mut connections: Vec<(&str, Raw)> = [
        ("nothing at all", String::new()),
        ("half a method", "GE".to_owned()),
        ("half a head", "GET /healthz HTTP/1.1\r\nHost: x\r\n".to_owned()),
        ("half of HTTP/2's preface", "PRI * HTTP/2.0\r\n".to_owned()),
        ("HTTP/2 without a request", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned()),
    ]
    .map(|(what, bytes)| {
        let mut raw = Raw::connect(&server);
        raw.send(bytes.as_bytes());
        (what, raw)
    })
    .into();
    let mut body = Raw::connect(&server);
    body.send(format!("{}{{\"na", head("Content-Length: 100\r\n")).as_bytes());
    for (what, raw) in &mut connections {
        let answer = raw.rest();
        assert!(!answer.contains("HTTP/1.1 2"), "{what}: {answer}");
    }
    let answer = body.rest();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    testkit::Http::new(server.url()).get("/healthz").status(200);
}

#[test]
fn slow_senders_hinder_nobody() {
    let server = strict(&["--concurrency", "1", "--queue", "0"]);
    let mut half: Vec<Raw> = (0..20).map(|_| Raw::connect(&server)).collect();
    for raw in &mut half {
        raw.send(format!("{}{{", head("Content-Length: 100\r\n")).as_bytes());
    }
    testkit::Http::new(server.url()).get("/readyz").status(200);
}

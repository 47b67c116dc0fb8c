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

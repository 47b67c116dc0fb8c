//! Due work, as the server does it: when its time comes, when a clock is moved, by whichever node is there.

use crate::{scenario, scenario_alone};
use billing::TenantId;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::time::{Duration, Instant};
use storage::due_work::NewDueWork;
use storage::{Connection, Store, StoreOptions};
use testkit::{Engine, Http, World};

/// A kind that the server knows and that does no harm.
const KIND: &str = "HOUSEKEEPING";

/// The book behind the server's back.
struct Book {
    store: Store,
    tenant_id: TenantId,
}

impl Book {
    fn of(world: &World) -> Book {
        let store = Store::open(world.server().database(), StoreOptions::default()).unwrap();
        let key = world.tenant().api_key.clone();
        let found = store.read_now(move |tx| Ok(storage::tenants::by_api_key(tx, &key)?)).unwrap();
        Book { store, tenant_id: found.unwrap().0.tenant_id }
    }

    fn schedule(&self, kind: &'static str, count: i64, first: Timestamp, apart: SignedDuration) {
        self.schedule_of(self.tenant_id, kind, count, first, apart);
    }

    fn schedule_of(
        &self,
        tenant_id: TenantId,
        kind: &'static str,
        count: i64,
        first: Timestamp,
        apart: SignedDuration,
    ) {
        let fill = move |tx: &mut dyn Connection| {
            let mut due_at = first;
            for _ in 0..count {
                let work = NewDueWork { account_id: None, kind, payload: "{}", due_at };
                storage::due_work::schedule(tx, tenant_id, &work, first)?;
                due_at = due_at.checked_add(apart).unwrap();
            }
            Ok(())
        };
        self.store.write_now(fill).unwrap();
    }

    /// When pieces in this state fell due and, by the real clock, when they were done, in the order in which they were
    /// done.
    fn pieces(&self, state: &'static str) -> Vec<(Timestamp, Option<Timestamp>)> {
        let tenant_id = self.tenant_id.0;
        let read = move |tx: &mut dyn Connection| {
            let rows = tx.query(
                "SELECT due_at, finished_at FROM due_work WHERE tenant_id = $1 AND state = $2
                 ORDER BY finished_at, record_id",
                &[tenant_id.into(), state.into()],
            )?;
            let mut pieces = Vec::new();
            for mut row in rows {
                pieces.push((row.next()?, row.next()?));
            }
            Ok(pieces)
        };
        self.store.read_now(read).unwrap()
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        self.store.close();
    }
}

fn time(kb: &Http) -> Timestamp {
    let clock = kb.get("/test/clock").status(200).json();
    clock["currentUtcTime"].as_str().unwrap().parse().unwrap()
}

fn advance(kb: &Http, days: i64) -> testkit::Response {
    kb.send("PUT", format!("/test/clock?days={days}"), None::<&str>)
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[test]
fn a_clock_does_on_its_way_what_falls_due_in_order() {
    scenario(|world| {
        let (kb, book) = (world.killbill(), Book::of(world));
        let now = time(&kb);
        let after = |hours: i64| now.checked_add(SignedDuration::from_hours(hours)).unwrap();
        book.schedule(KIND, 1, after(30), HOUR);
        book.schedule(KIND, 2, after(10), HOUR);
        book.schedule(KIND, 1, after(1_000), HOUR);
        advance(&kb, 2).status(200);
        let (due, done): (Vec<Timestamp>, Vec<_>) = book.pieces("DONE").into_iter().unzip();
        assert_eq!(due, [10, 11, 30].map(after));
        let real = |at: &Option<Timestamp>| at.is_some_and(|at| at >= now && at < after(1));
        assert!(done.iter().all(real), "done by the real clock: {done:?}");
        assert_eq!(book.pieces("WAITING").len(), 1);

        advance(&kb, -2).status(200);
        advance(&kb, 2).status(200);
        assert_eq!(book.pieces("DONE").len(), 3, "nothing is done again");
    });
}

#[test]
fn one_tenants_clock_does_no_other_tenants_work() {
    scenario(|world| {
        let book = Book::of(world);
        let soon = time(&world.killbill()).checked_add(HOUR).unwrap();
        book.schedule(KIND, 1, soon, HOUR);
        advance(&world.killbill_of(&world.another_tenant()), 2).status(200);
        assert_eq!(book.pieces("WAITING").len(), 1);
    });
}

#[test]
fn a_moved_clock_does_not_date_keys_of_requests() {
    scenario(|world| {
        let (kb, book) = (world.killbill(), Book::of(world));
        let before = time(&kb);
        advance(&kb, -3).status(200);
        kb.with("Idempotency-Key", "k").post("/accounts", json!({"currency": "USD"})).status(201);
        let tenant_id = book.tenant_id.0;
        let read = move |tx: &mut dyn Connection| {
            let sql = "SELECT created_at FROM idempotency_keys WHERE tenant_id = $1";
            Ok(tx.query_one(sql, &[tenant_id.into()])?.next::<Timestamp>()?)
        };
        let created_at = book.store.read_now(read).unwrap();
        let end = before.checked_add(HOUR).unwrap();
        assert!(before <= created_at && created_at < end, "{created_at}, not long after {before}");
    });
}

#[test]
fn a_clock_set_back_to_the_real_time_was_never_moved() {
    scenario(|world| {
        let (kb, book) = (world.killbill(), Book::of(world));
        let tenant_id = book.tenant_id;
        let offset = || {
            let read = move |tx: &mut dyn Connection| Ok(storage::tenants::clock_offset(tx, tenant_id)?);
            book.store.read_now(read).unwrap()
        };
        for days in [2, -2] {
            advance(&kb, days).status(200);
            assert_ne!(offset(), SignedDuration::ZERO);
            kb.send("POST", "/test/clock", None::<&str>).status(200);
            assert_eq!(offset(), SignedDuration::ZERO);
        }
    });
}

#[test]
fn a_tenant_whose_work_cannot_be_done_stops_no_other_and_the_reason_is_shown() {
    scenario_alone(|world| {
        let book = Book::of(world);
        let past = time(&world.killbill()).checked_sub(HOUR).unwrap();
        let unknown = TenantId(-7); // Whose turn comes before all others'.
        book.schedule_of(unknown, KIND, 1, past.checked_sub(HOUR).unwrap(), HOUR);
        for turn in 1..=2 {
            book.schedule(KIND, 1, past, HOUR);
            let end = Instant::now() + Duration::from_secs(30);
            while book.pieces("DONE").len() < turn {
                assert!(Instant::now() < end, "{:?}", book.pieces("WAITING"));
                std::thread::yield_now();
            }
        }
        let failures = move |tx: &mut dyn Connection| {
            let sql = "SELECT attempts, last_error FROM due_work WHERE tenant_id = $1";
            let mut row = tx.query_one(sql, &[unknown.0.into()])?;
            Ok((row.next::<i64>()?, row.next::<Option<String>>()?))
        };
        let (attempts, reason) = book.store.read_now(failures).unwrap();
        let reason = reason.unwrap();
        assert!(attempts >= 1 && reason.contains("tenant -7, who is unknown"), "{attempts} {reason}");

        let give_up = move |tx: &mut dyn Connection| {
            let sql = "UPDATE due_work SET state = 'FAILED' WHERE tenant_id = $1";
            Ok(tx.execute(sql, &[unknown.0.into()])?)
        };
        assert_eq!(book.store.write_now(give_up).unwrap(), 1);
        let listed = world.billhook(["work", "failed"]);
        assert!(listed.contains("\t#-7\t") && listed.contains(&reason), "{listed}");

        // A tenant whose row cannot be read: his work is what there is to look at.
        let spoil = move |tx: &mut dyn Connection| {
            let sql = "INSERT INTO tenants (record_id, id, api_key, api_secret_hash, created_by, created_at)
                       VALUES ($1, $2, 'spoilt', '', '', 9223372036854775807)";
            Ok(tx.execute(sql, &[unknown.0.into(), uuid::Uuid::new_v4().into()])?)
        };
        assert_eq!(book.store.write_now(spoil).unwrap(), 1);
        let unread = move |tx: &mut dyn Connection| Ok(storage::tenants::by_number(tx, unknown).is_err());
        assert!(book.store.read_now(unread).unwrap());
        assert_eq!(world.billhook(["work", "failed"]), listed);
    });
}

#[test]
fn a_piece_that_cannot_be_read_fails_and_the_next_is_done() {
    scenario(|world| {
        let book = Book::of(world);
        let past = time(&world.killbill()).checked_sub(HOUR).unwrap();
        let tenant_id = book.tenant_id.0;
        let spoil = move |tx: &mut dyn Connection| {
            let sql =
                "INSERT INTO due_work (tenant_id, kind, payload, due_at, run_at, state, attempts, created_at)
                       VALUES ($1, $2, '{}', 9223372036854775807, $3, 'WAITING', 0, $3)";
            Ok(tx.execute(sql, &[tenant_id.into(), KIND.into(), past.into()])?)
        };
        book.store.write_now(spoil).unwrap();
        book.schedule(KIND, 1, past.checked_add(SignedDuration::from_secs(1)).unwrap(), HOUR);
        world.killbill().get("/test/queues?timeoutSec=30").status(200);
        assert_eq!(book.pieces("DONE").len(), 1);
        let listed = world.billhook(["work", "failed", "--tenant", &world.tenant().api_key]);
        let fields: Vec<&str> = listed.lines().nth(1).unwrap().split('\t').collect();
        assert_eq!(fields[2..5], [KIND, "-", "1"], "{listed}");
        assert!(fields[5].contains("column"), "{listed}");
    });
}

#[test]
fn what_is_due_now_is_done_without_being_asked_for() {
    scenario(|world| {
        let book = Book::of(world);
        let past = time(&world.killbill()).checked_sub(HOUR).unwrap();
        book.schedule(KIND, 5, past, SignedDuration::from_secs(1));
        let end = Instant::now() + Duration::from_secs(30);
        while book.pieces("DONE").len() < 5 {
            assert!(Instant::now() < end, "{:?}", book.pieces("WAITING"));
            std::thread::yield_now();
        }
    });
}

#[test]
fn the_queues_are_waited_for() {
    scenario(|world| {
        let (kb, book) = (world.killbill(), Book::of(world));
        book.schedule(KIND, 20, time(&kb).checked_sub(HOUR).unwrap(), SignedDuration::from_secs(1));
        kb.get("/test/queues").status(200);
        assert_eq!(book.pieces("DONE").len(), 20);
    });
}

#[test]
fn work_that_fails_is_shown_and_runs_again_when_told_to() {
    scenario(|world| {
        let (kb, book) = (world.killbill(), Book::of(world));
        book.schedule("FROM_THE_FUTURE", 1, time(&kb).checked_add(HOUR).unwrap(), HOUR);
        advance(&kb, 10).status(200);
        assert_eq!(book.pieces("FAILED").len(), 1);

        let key = &world.tenant().api_key;
        let listed = world.billhook(["work", "failed", "--tenant", key]);
        assert_eq!(listed.lines().next().unwrap(), "ID\tTENANT\tKIND\tDUE\tATTEMPTS\tREASON");
        let fields: Vec<&str> = listed.lines().nth(1).unwrap().split('\t').collect();
        assert_eq!(fields[1..3], [key, "FROM_THE_FUTURE"]);
        assert!(fields[5].contains("knows no work FROM_THE_FUTURE"), "{listed}");
        assert!(world.billhook(["work", "failed"]).contains(listed.lines().nth(1).unwrap()));

        let id = fields[0];
        assert_eq!(world.billhook(["work", "run-again", id, "--tenant", key]), id);
        assert_eq!(book.pieces("FAILED").len(), 0);
        let wrong = world.billhook_output(["work", "run-again", "999999999", "--tenant", key]);
        assert!(!wrong.status.success());
    });
}

/// One account with a block for each of the next `count` hours.
fn with_blocks(kb: &Http, count: i64) {
    let account = kb.post("/accounts", json!({"currency": "USD"})).status(201).id();
    let now = time(kb);
    for number in 1..=count {
        let at = now.checked_add(SignedDuration::from_hours(number)).unwrap();
        let state = json!({
            "stateName": format!("STATE{number}"), "service": "our-service",
            "isBlockChange": false, "isBlockEntitlement": false, "isBlockBilling": false,
        });
        kb.post(format!("/accounts/{account}/block?requestedDate={at}"), state).status(201);
    }
}

/// How often each state was told of, in order.
fn told(book: &Book) -> Vec<String> {
    let tenant_id = book.tenant_id.0;
    let read = move |tx: &mut dyn Connection| {
        let sql = "SELECT metadata FROM events WHERE tenant_id = $1 AND event_type = 'BLOCKING_STATE' ORDER BY record_id";
        let rows = tx.query(sql, &[tenant_id.into()])?;
        Ok(rows.into_iter().map(|mut row| row.next::<String>()).collect::<Result<Vec<_>, _>>()?)
    };
    let states = book.store.read_now(read).unwrap();
    let name = |text: &String| {
        let metadata: serde_json::Value = serde_json::from_str(text).unwrap();
        metadata["stateName"].as_str().unwrap().to_owned()
    };
    states.iter().map(name).collect()
}

fn states(count: i64) -> Vec<String> {
    (1..=count).map(|number| format!("STATE{number}")).collect()
}

#[test]
fn two_nodes_tell_of_each_state_once_and_in_order() {
    scenario_alone(|world| {
        if world.engine() == Engine::Sqlite {
            return; // A SQLite book has one server.
        }
        let (kb, book, other) = (world.killbill(), Book::of(world), world.server().another_node());
        with_blocks(&kb, 24);
        let there = |server: &testkit::Server, kb: &Http| {
            kb.send("PUT", format!("{}/1.0/kb/test/clock?days=2", server.url()), None::<&str>).status(200);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| there(world.server(), &kb));
            scope.spawn(|| there(&other, &kb));
        });
        assert_eq!(told(&book), states(24));
    });
}

#[test]
fn work_that_a_crash_broke_off_is_done_after_it() {
    scenario_alone(|world| {
        let kb = world.killbill();
        with_blocks(&kb, 24);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // It may be answered before the server dies, or not.
                let _ = kb.try_send("PUT", "/test/clock?days=2", None::<&str>);
            });
            world.server().kill9();
        });
        world.server().start_again();
        let kb = world.killbill();
        advance(&kb, 2).status(200);
        assert_eq!(told(&Book::of(world)), states(24));
    });
}

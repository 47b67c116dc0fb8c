//! Due work is done once, in order, and what fails is tried again until a person must look.
#![allow(clippy::unwrap_used, clippy::panic)]

use billing::account::NewAccount;
use billing::{Caller, Refusal, Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use operations::accounts::close::Closing;
use operations::due_work::{ATTEMPTS, Done, Handlers, run_next_until, schedule};
use operations::tenants::{NewTenant, create};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use storage::due_work::{DueWork, FailedWork, Lane};
use storage::mails::Mail;
use storage::{Connection, Outcome, Store, StoreError, StoreOptions};
use testkit::PostgresCluster;
use uuid::Uuid;

/// Notes in the tenant's values what was done and when.
fn note(tx: &mut dyn Connection, tenant: &Tenant, work: &DueWork, now: Timestamp) -> Outcome<()> {
    let line = format!("{} {} due {}", work.payload, now, work.due_at);
    storage::tenants::add_value(tx, tenant.tenant_id, Uuid::new_v4(), "notes", &line, now)?;
    Ok(())
}

/// Writes, then fails: what it wrote must not stay.
fn refuse(tx: &mut dyn Connection, tenant: &Tenant, work: &DueWork, now: Timestamp) -> Outcome<()> {
    note(tx, tenant, work, now)?;
    Err(Refusal::PostingUnbalanced.into())
}

fn panics(_: &mut dyn Connection, _: &Tenant, _: &DueWork, _: Timestamp) -> Outcome<()> {
    panic!("a bug")
}

const HANDLERS: Handlers = Handlers(&[("NOTE", note), ("REFUSE", refuse), ("PANIC", panics)]);

struct Book {
    store: Store,
    url: String,
    tenant_id: TenantId,
    start: Timestamp,
}

/// Plays a story on a new book of each engine.
fn on_both(story: impl Fn(&Book)) {
    let file = testkit::new_directory("due-work").join("book.sqlite");
    for url in [format!("sqlite:{}", file.display()), PostgresCluster::shared().create_database()] {
        println!("--- on {url} ---");
        let book = Book::open(url);
        story(&book);
        book.store.close();
    }
}

fn new_tenant(store: &Store, api_key: &str, now: Timestamp) -> TenantId {
    let new = NewTenant { api_key: api_key.into(), ..NewTenant::default() };
    let caller = Caller::system(Uuid::new_v4());
    store.write_now(move |tx| create(tx, &caller, now, &new)).unwrap().tenant_id
}

impl Book {
    fn open(url: String) -> Book {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let start = operations::clock::real().checked_add(SignedDuration::from_hours(1)).unwrap();
        let tenant_id = new_tenant(&store, "t", start);
        Book { store, url, tenant_id, start }
    }

    /// The tenants found at `now` behind `after` when at most `limit` are asked for.
    fn due_tenants(&self, now: Timestamp, after: Option<TenantId>, limit: i64) -> Vec<TenantId> {
        self.store
            .read_now(move |tx| Ok(storage::due_work::due_tenants(tx, Lane::All, now, after, limit)?))
            .unwrap()
    }

    /// When the pieces in this state were scheduled and finished.
    fn finished(&self, state: &'static str) -> Vec<(Timestamp, Timestamp)> {
        let tenant_id = self.tenant_id.0;
        let read = move |tx: &mut dyn Connection| {
            let sql = "SELECT created_at, finished_at FROM due_work WHERE tenant_id = $1 AND state = $2";
            let rows = tx.query(sql, &[tenant_id.into(), state.into()])?;
            Ok(rows
                .into_iter()
                .map(|mut row| Ok((row.next()?, row.next()?)))
                .collect::<Result<Vec<_>, StoreError>>()?)
        };
        self.store.read_now(read).unwrap()
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn schedule(&self, kind: &'static str, name: &'static str, account_id: Option<Uuid>, due_after: i64) {
        let (tenant_id, due_at) = (self.tenant_id, self.at(due_after));
        let work = move |tx: &mut dyn Connection| schedule(tx, tenant_id, account_id, kind, &name, due_at);
        self.store.write_now(work).unwrap();
    }

    fn advance(&self, seconds: i64) -> Vec<Done> {
        let (tenant_id, target) = (self.tenant_id, self.at(seconds));
        let step = move |tx: &mut dyn Connection| run_next_until(tx, tenant_id, target, HANDLERS);
        std::iter::from_fn(|| self.store.write_now(step).unwrap()).collect()
    }

    fn notes(&self) -> Vec<String> {
        let tenant_id = self.tenant_id;
        self.store.read_now(move |tx| Ok(storage::tenants::values(tx, tenant_id, "notes")?)).unwrap()
    }

    fn failed(&self) -> Vec<FailedWork> {
        let tenant_id = self.tenant_id;
        self.store.read_now(move |tx| Ok(storage::due_work::failed(tx, tenant_id, 0, 10)?)).unwrap()
    }
}

#[test]
fn mail_holds_nothing_else_up() {
    on_both(|book| {
        let (tenant_id, now) = (book.tenant_id, book.at(20));
        let tenants = |lane| {
            let find =
                move |tx: &mut dyn Connection| Ok(storage::due_work::due_tenants(tx, lane, now, None, 10)?);
            book.store.read_now(find).unwrap()
        };
        let claimed = |lane| {
            let claim = move |tx: &mut dyn Connection| {
                Ok(storage::due_work::claim(tx, tenant_id, lane, now)?.map(|work| work.payload))
            };
            book.store.write_now(claim).unwrap()
        };
        book.schedule("MAIL", "letter", None, 5);
        assert_eq!((tenants(Lane::Mail).len(), tenants(Lane::Other).len()), (1, 0));
        book.schedule("NOTE", "bill", None, 10);
        assert_eq!((tenants(Lane::Other).len(), tenants(Lane::All).len()), (1, 1));
        assert_eq!(claimed(Lane::Other).as_deref(), Some("\"bill\""));
        assert_eq!(claimed(Lane::Mail).as_deref(), Some("\"letter\""));
        assert_eq!(claimed(Lane::All).as_deref(), Some("\"letter\""), "the oldest");
    });
}

#[test]
fn mail_that_was_sent_is_forgotten_after_thirty_days_and_none_is_exported() {
    on_both(|book| {
        let (tenant_id, now) = (book.tenant_id, operations::clock::real());
        let sent = |days: i64| now.checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
        let mails = [("old@a.test", Some(sent(31))), ("new@a.test", Some(sent(29))), ("unsent@a.test", None)];
        let write = move |tx: &mut dyn Connection| {
            for (recipient, sent_at) in mails {
                let mail = Mail {
                    id: Uuid::new_v4(),
                    template: "welcome".into(),
                    recipient: recipient.into(),
                    subject: "Hello".into(),
                    body: "123456".into(),
                    created_at: now,
                    sent_at,
                };
                storage::mails::insert(tx, tenant_id, &mail)?;
            }
            schedule(tx, tenant_id, None, "MAIL", &"x", now)?;
            schedule(tx, tenant_id, None, "NOTE", &"x", now)?;
            operations::housekeeping::schedule(tx, now, now)
        };
        book.store.write_now(write).unwrap();
        let left = move || {
            let read = |tx: &mut dyn Connection| {
                let rows = tx.query("SELECT recipient FROM mails ORDER BY record_id", &[])?;
                let left = rows.into_iter().map(|mut row| row.next());
                Ok(left.collect::<Result<Vec<String>, StoreError>>()?.join(" "))
            };
            book.store.read_now(read).unwrap()
        };
        assert_eq!(left(), "old@a.test new@a.test unsent@a.test");
        let step = move |tx: &mut dyn Connection| {
            operations::due_work::run_next(tx, TenantId::SERVER, Lane::Other, operations::due_work::HANDLERS)
        };
        assert!(matches!(book.store.write_now(step).unwrap(), Some(Done::Succeeded(_))));
        assert_eq!(left(), "new@a.test unsent@a.test");

        let export = move |tx: &mut dyn Connection| {
            let mut lines = Vec::new();
            let rows = operations::transfer::export(
                tx,
                &Caller::system(Uuid::new_v4()),
                tenant_id,
                &mut lines,
                &|| {},
            )?;
            assert_eq!(rows, operations::transfer::count(tx, tenant_id)?);
            Ok(String::from_utf8(lines).unwrap())
        };
        let export = book.store.read_now(export).unwrap();
        assert!(
            export.contains("NOTE") && !export.contains("a.test") && !export.contains("MAIL"),
            "{export}"
        );
    });
}

#[test]
fn pieces_are_done_in_order_of_time_each_at_its_own() {
    on_both(|book| {
        let account = Some(Uuid::new_v4());
        book.schedule("NOTE", "later", account, 20);
        book.schedule("NOTE", "sooner", account, 10);
        book.schedule("NOTE", "as soon, but asked for later", None, 10);
        book.schedule("NOTE", "not yet", None, 31);

        assert_eq!(book.advance(30).len(), 3);

        let line = |name: &str, after: i64| format!("\"{name}\" {at} due {at}", at = book.at(after));
        let expected = [line("sooner", 10), line("as soon, but asked for later", 10), line("later", 20)];
        assert_eq!(book.notes(), expected);
        assert!(book.advance(30).is_empty(), "nothing is done twice");
    });
}

#[test]
fn the_clock_moves_with_the_work() {
    on_both(|book| {
        book.schedule("NOTE", "one", None, 1_000);
        book.advance(5_000);

        let tenant_id = book.tenant_id;
        let tenant =
            book.store.read_now(move |tx| Ok(storage::tenants::by_number(tx, tenant_id)?.unwrap())).unwrap();
        let ahead = operations::clock::now(&tenant).duration_since(book.at(1_000));
        assert!(ahead >= SignedDuration::ZERO && ahead < SignedDuration::from_secs(60), "{ahead:?}");
    });
}

#[test]
fn a_clock_that_returns_to_the_real_time_stands_exactly_there() {
    on_both(|book| {
        let tenant_id = book.tenant_id;
        book.schedule("NOTE", "one", None, 1_000);
        book.advance(5_000);
        let offset =
            || book.store.read_now(move |tx| Ok(storage::tenants::clock_offset(tx, tenant_id)?)).unwrap();
        assert_ne!(offset(), SignedDuration::ZERO);
        book.store.write_now(move |tx| operations::due_work::reset_clock(tx, tenant_id)).unwrap();
        assert_eq!(offset(), SignedDuration::ZERO);
    });
}

#[test]
fn when_work_was_scheduled_and_finished_is_told_by_the_real_clock() {
    on_both(|book| {
        let before = operations::clock::real();
        book.advance(86_400);
        book.schedule("NOTE", "done", None, 86_410);
        book.schedule("REFUSE", "never", None, 86_410);
        book.advance(7 * 86_400);
        let after = operations::clock::real();
        for state in ["DONE", "FAILED"] {
            let [(scheduled, finished)] = book.finished(state)[..] else { panic!("one {state}") };
            assert!(
                before <= scheduled && scheduled <= finished && finished <= after,
                "{state}: {scheduled} {finished}"
            );
        }
    });
}

#[test]
fn page_by_page_one_comes_by_every_tenant_with_due_work() {
    on_both(|book| {
        let others: Vec<TenantId> =
            (0..6).map(|number| new_tenant(&book.store, &format!("other {number}"), book.start)).collect();
        let idle = others[5];
        let (now, due_at, later) = (book.at(60), book.at(20), book.at(3_600));
        let (early, ahead, behind) = (book.tenant_id, [others[1], others[2]], [others[3], others[4]]);
        let clocks = move |tx: &mut dyn Connection| {
            for _ in 0..5 {
                schedule(tx, early, None, "NOTE", &"a backlog", due_at)?;
            }
            for tenant_id in others.iter().take(5) {
                schedule(tx, *tenant_id, None, "NOTE", &"one piece", due_at)?;
            }
            schedule(tx, idle, None, "NOTE", &"not yet", later)?;
            for (tenants, hours) in [(ahead, 24), (behind, -24)] {
                for tenant_id in tenants {
                    storage::tenants::set_clock_offset(tx, tenant_id, SignedDuration::from_hours(hours))?;
                }
            }
            Ok(others[0])
        };
        let on_time = book.store.write_now(clocks).unwrap();

        for limit in 1..=5 {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = book.due_tenants(now, after, limit);
                assert!(page.len() <= usize::try_from(limit).unwrap());
                let Some(last) = page.last() else { break };
                after = Some(*last);
                seen.extend(page);
            }
            assert_eq!(seen, [early, on_time, ahead[0], ahead[1]], "each once, in pages of {limit}");
        }
        let tomorrow = book.at(86_400 + 60);
        assert_eq!(book.due_tenants(tomorrow, None, 10).len(), 7, "in time everybody's");
    });
}

#[test]
fn work_of_a_tenant_who_is_unknown_fails_for_that_reason() {
    on_both(|book| {
        let unknown = TenantId(987_654_321);
        let past = operations::clock::real().checked_sub(SignedDuration::from_hours(1)).unwrap();
        book.store.write_now(move |tx| schedule(tx, unknown, None, "NOTE", &"lost", past)).unwrap();
        let step =
            move |tx: &mut dyn Connection| operations::due_work::run_next(tx, unknown, Lane::All, HANDLERS);
        let done = book.store.write_now(step).unwrap();
        let Some(Done::Failed(work, reason)) = done else { panic!("{done:?}") };
        assert_eq!((work.tenant_id, work.attempts), (unknown, 0));
        assert!(reason.contains("987654321, who is unknown"), "{reason}");
        assert_eq!(book.store.write_now(step).unwrap(), None, "it is tried again later");
    });
}

#[test]
fn closing_an_account_and_its_worker_never_wait_for_each_other() {
    let book = Book::open(PostgresCluster::shared().create_database());
    let (tenant_id, start, until) = (book.tenant_id, book.start, book.at(60));
    let new = NewAccount { currency: Some("USD".into()), ..NewAccount::default() };
    let caller = Caller::system(Uuid::new_v4());
    let open = {
        let caller = caller.clone();
        move |tx: &mut dyn Connection| operations::accounts::open(tx, tenant_id, &caller, start, &new)
    };
    let account_id = book.store.write_now(open).unwrap().account.id;
    book.schedule("NOTE", "due", Some(account_id), 10);

    let (claimed, is_claimed) = std::sync::mpsc::channel();
    let attempts = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&attempts);
    let (url, closings) = (book.url.clone(), Arc::clone(&attempts));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            is_claimed.recv().unwrap();
            let node = Store::open(&url, StoreOptions::default()).unwrap();
            let closing = Closing { remove_future_notifications: true };
            let close = move |tx: &mut dyn Connection| {
                closings.fetch_add(1, Ordering::Relaxed);
                operations::accounts::close::close(tx, tenant_id, account_id, &caller, start, closing)
            };
            node.write_now(close).unwrap();
            node.close();
        });
        // As the worker does: first the piece, then, when the other waits for that, the account.
        let work = move |tx: &mut dyn Connection| {
            count.fetch_add(1, Ordering::Relaxed);
            let piece = storage::due_work::claim(tx, tenant_id, Lane::All, until)?.unwrap();
            let _ = claimed.send(());
            let waiting = "SELECT COUNT(*) FROM pg_locks
                           WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))";
            let end = Instant::now() + Duration::from_secs(30);
            while tx.query_one(waiting, &[])?.next::<i64>()? == 0 {
                assert!(Instant::now() < end, "the other never waits");
                std::thread::yield_now();
            }
            storage::accounts::lock(tx, tenant_id, account_id)?.unwrap();
            Ok(storage::due_work::finish(tx, &piece, start)?)
        };
        book.store.write_now(work).unwrap();
    });
    assert_eq!(attempts.load(Ordering::Relaxed), 2, "nobody had to begin again");
    assert_eq!(book.finished("DONE").len(), 1);
    book.store.close();
}

#[test]
fn who_holds_an_account_does_not_wait_for_what_a_worker_has_begun() {
    let book = Book::open(PostgresCluster::shared().create_database());
    let (tenant_id, until, account_id, url) = (book.tenant_id, book.at(60), Uuid::new_v4(), book.url.clone());
    book.schedule("NOTE", "begun", Some(account_id), 10);
    let remove = move |tx: &mut dyn Connection| {
        Ok(storage::due_work::remove_waiting_of_account(tx, tenant_id, account_id)?)
    };
    let worker = move |tx: &mut dyn Connection| {
        storage::due_work::claim(tx, tenant_id, Lane::All, until)?.unwrap();
        let node = Store::open(&url, StoreOptions::default())?;
        let removed = node.write_now(remove);
        node.close();
        removed
    };
    assert_eq!(book.store.write_now(worker).unwrap(), 0, "the piece is being done");
    assert_eq!(book.store.write_now(remove).unwrap(), 1);
    book.store.close();
}

#[test]
fn what_fails_leaves_nothing_behind_but_its_reason_and_is_tried_again_and_then_shown() {
    on_both(|book| {
        book.schedule("REFUSE", "never", None, 10);
        book.schedule("NOTE", "still done", None, 20);

        let done = book.advance(10);
        assert!(matches!(&done[..], [Done::Failed(_, reason)] if reason == "the posting does not balance"));
        assert!(book.failed().is_empty());

        let done = book.advance(7 * 86_400);
        assert_eq!(done.len(), ATTEMPTS, "all attempts but the first, and the other piece");
        assert_eq!(book.notes().len(), 1, "a failed attempt leaves no trace");
        let [failed] = &book.failed()[..] else { panic!("{:?}", book.failed()) };
        assert_eq!((failed.kind.as_str(), failed.attempts), ("REFUSE", i64::try_from(ATTEMPTS).unwrap()));
        assert_eq!(failed.last_error.as_deref(), Some("the posting does not balance"));
    });
}

#[test]
fn a_panic_and_an_unknown_kind_are_failures_like_others() {
    on_both(|book| {
        book.schedule("PANIC", "x", None, 1);
        book.schedule("FROM_THE_FUTURE", "y", None, 2);
        let reasons: Vec<String> = book
            .advance(2)
            .into_iter()
            .map(|done| match done {
                Done::Failed(_, reason) => reason,
                Done::Succeeded(work) | Done::Outside(work) => panic!("{work:?}"),
            })
            .collect();
        assert!(reasons[0].contains("a bug"), "{reasons:?}");
        assert!(reasons[1].contains("FROM_THE_FUTURE"), "{reasons:?}");
    });
}

#[test]
fn failed_work_runs_again_when_a_person_says_so() {
    on_both(|book| {
        book.schedule("REFUSE", "never", None, 10);
        book.advance(7 * 86_400);
        let record_id = book.failed()[0].record_id;
        let (tenant_id, now) = (book.tenant_id, book.at(7 * 86_400));
        let again =
            move |tx: &mut dyn Connection| Ok(storage::due_work::run_again(tx, tenant_id, record_id, now)?);
        assert!(book.store.write_now(again).unwrap());
        assert!(!book.store.write_now(again).unwrap(), "it waits already");
        assert_eq!(book.advance(7 * 86_400).len(), 1);
    });
}

#[test]
fn work_of_one_account_waits_while_what_comes_before_it_fails_but_not_for_ever() {
    on_both(|book| {
        let account = Some(Uuid::new_v4());
        book.schedule("NOTE", "second", account, 12);
        book.schedule("REFUSE", "first", account, 10);
        book.schedule("NOTE", "another account's", Some(Uuid::new_v4()), 13);
        book.schedule("NOTE", "nobody's", None, 14);
        let (tenant_id, soon) = (book.tenant_id, book.at(15));
        let is_due = move |tx: &mut dyn Connection| Ok(storage::due_work::is_due(tx, tenant_id, soon)?);

        // The first is tried again ten seconds later.
        assert_eq!(book.advance(15).len(), 3);
        let names = |from: usize| -> Vec<String> {
            let notes = book.notes();
            notes[from..].iter().map(|line| line.split('"').nth(1).unwrap().to_owned()).collect()
        };
        assert_eq!(names(0), ["another account's", "nobody's"]);
        assert!(!book.store.read_now(is_due).unwrap(), "what is held back is not to be tried");
        // What is scheduled meanwhile waits as well; what falls due before the first does not.
        book.schedule("NOTE", "third", account, 15);
        book.schedule("NOTE", "before", account, 9);
        book.advance(18);
        assert_eq!(names(2), ["before"]);

        // Failed for good, it holds nothing back, until a person lets it run again.
        book.advance(7 * 86_400);
        assert_eq!(names(3), ["second", "third"]);
        book.schedule("NOTE", "fourth", account, 7 * 86_400 + 1);
        let (record_id, now) = (book.failed()[0].record_id, book.at(7 * 86_400));
        let again =
            move |tx: &mut dyn Connection| Ok(storage::due_work::run_again(tx, tenant_id, record_id, now)?);
        assert!(book.store.write_now(again).unwrap());
        assert_eq!(book.advance(7 * 86_400 + 5).len(), 1, "the first, in vain");
        assert_eq!(names(5), [""; 0]);
    });
}

#[test]
fn work_of_one_account_waits_while_another_node_does_what_comes_before_it() {
    let book = Book::open(PostgresCluster::shared().create_database());
    let (tenant_id, until, account, url) =
        (book.tenant_id, book.at(60), Some(Uuid::new_v4()), book.url.clone());
    book.schedule("NOTE", "second", account, 20);
    book.schedule("NOTE", "first", account, 10);
    let claim = move |tx: &mut dyn Connection| Ok(storage::due_work::claim(tx, tenant_id, Lane::All, until)?);
    let worker = move |tx: &mut dyn Connection| {
        let first = claim(tx)?.unwrap();
        assert_eq!(first.payload, "\"first\"");
        let node = Store::open(&url, StoreOptions::default())?;
        let others = node.write_now(claim);
        node.close();
        others
    };
    assert_eq!(book.store.write_now(worker).unwrap(), None);
    book.store.close();
}

#[test]
fn the_servers_chores_wait_once_and_come_back() {
    on_both(|book| {
        let start = operations::clock::real();
        let twice = move |tx: &mut dyn Connection| {
            operations::housekeeping::schedule(tx, start, start)?;
            operations::housekeeping::schedule(tx, start, start)
        };
        book.store.write_now(twice).unwrap();
        let step = move |tx: &mut dyn Connection| {
            operations::due_work::run_next(tx, TenantId::SERVER, Lane::All, operations::due_work::HANDLERS)
        };
        assert!(matches!(book.store.write_now(step).unwrap(), Some(Done::Succeeded(_))));
        assert_eq!(book.store.write_now(step).unwrap(), None, "the next turn is an hour away");
        let later = start.checked_add(SignedDuration::from_hours(2)).unwrap();
        let due = book
            .store
            .read_now(move |tx| Ok(storage::due_work::is_due(tx, TenantId::SERVER, later)?))
            .unwrap();
        assert!(due);
    });
}

#[test]
fn statistics_show_lag_and_failures() {
    on_both(|book| {
        let past = operations::clock::real().checked_sub(SignedDuration::from_secs(90)).unwrap();
        let tenant_id = book.tenant_id;
        book.store.write_now(move |tx| schedule(tx, tenant_id, None, "NOTE", &"late", past)).unwrap();
        let now = past.checked_add(SignedDuration::from_secs(90)).unwrap();
        let seen = book.store.read_now(move |tx| Ok(storage::due_work::statistics(tx, now)?)).unwrap();
        assert_eq!((seen.overdue, seen.lag.as_secs(), seen.failed), (1, 90, 0));
        assert_eq!(book.due_tenants(now, None, 10), [tenant_id]);
    });
}

#[test]
fn two_nodes_do_each_piece_once_and_each_accounts_in_order() {
    on_both(|book| {
        let accounts: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
        let (tenant_id, start) = (book.tenant_id, book.start);
        let mine = accounts.clone();
        let fill = move |tx: &mut dyn Connection| {
            for number in 0..40i64 {
                let account = mine[usize::try_from(number % 4).unwrap()];
                let name = format!("{} {number:03}", number % 4);
                let due = start.checked_add(SignedDuration::from_secs(number)).unwrap();
                schedule(tx, tenant_id, Some(account), "NOTE", &name, due)?;
            }
            Ok(())
        };
        book.store.write_now(fill).unwrap();

        let target = book.at(1_000);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let node = Store::open(&book.url, StoreOptions::default()).unwrap();
                    let due =
                        move |tx: &mut dyn Connection| Ok(storage::due_work::is_due(tx, tenant_id, target)?);
                    while node.read_now(due).unwrap() {
                        node.write_now(move |tx| run_next_until(tx, tenant_id, target, HANDLERS)).unwrap();
                    }
                    node.close();
                });
            }
        });

        let notes = book.notes();
        assert_eq!(notes.len(), 40, "each piece once: {notes:?}");
        for account in 0..4 {
            let prefix = format!("\"{account} ");
            let own: Vec<&String> = notes.iter().filter(|note| note.starts_with(&prefix)).collect();
            assert!(own.len() == 10 && own.is_sorted(), "in order: {own:?}");
        }
    });
}

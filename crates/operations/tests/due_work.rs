//! Due work is done once, in order, and what fails is tried again until a person must look.
#![allow(clippy::unwrap_used, clippy::panic)]

use billing::{Caller, Refusal, Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use operations::due_work::{ATTEMPTS, Done, Handlers, run_next_until, schedule};
use operations::tenants::{NewTenant, create};
use storage::due_work::DueWork;
use storage::{Connection, Outcome, Store, StoreOptions};
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

impl Book {
    fn open(url: String) -> Book {
        let store = Store::open(&url, StoreOptions::default()).unwrap();
        let start = operations::clock::real().checked_add(SignedDuration::from_hours(1)).unwrap();
        let new = NewTenant { api_key: "t".into(), ..NewTenant::default() };
        let caller = Caller::system(Uuid::new_v4());
        let tenant = store.write_now(move |tx| create(tx, &caller, start, &new)).unwrap();
        Book { store, url, tenant_id: tenant.tenant_id, start }
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    fn schedule(&self, kind: &'static str, name: &'static str, account_id: Option<Uuid>, due_after: i64) {
        let (tenant_id, now, due_at) = (self.tenant_id, self.start, self.at(due_after));
        let work =
            move |tx: &mut dyn Connection| schedule(tx, tenant_id, account_id, kind, &name, (due_at, now));
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

    fn failed(&self) -> Vec<DueWork> {
        let tenant_id = self.tenant_id;
        self.store.read_now(move |tx| Ok(storage::due_work::failed(tx, tenant_id, 0, 10)?)).unwrap()
    }
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
                Done::Succeeded(work) => panic!("{work:?}"),
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
fn work_of_one_account_waits_for_what_comes_before_it() {
    on_both(|book| {
        let account = Some(Uuid::new_v4());
        book.schedule("NOTE", "second", account, 20);
        book.schedule("NOTE", "first", account, 10);
        let (tenant_id, until) = (book.tenant_id, book.at(30));
        let claim = move |tx: &mut dyn Connection| Ok(storage::due_work::claim(tx, tenant_id, until)?);
        assert_eq!(book.store.write_now(claim).unwrap().unwrap().payload, "\"first\"");
        assert!(book.advance(15).len() == 1 && book.advance(25).len() == 1);
    });
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
            operations::due_work::run_next(tx, TenantId::SERVER, operations::due_work::HANDLERS)
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
        book.store.write_now(move |tx| schedule(tx, tenant_id, None, "NOTE", &"late", (past, past))).unwrap();
        let now = past.checked_add(SignedDuration::from_secs(90)).unwrap();
        let seen = book.store.read_now(move |tx| Ok(storage::due_work::statistics(tx, now)?)).unwrap();
        assert_eq!((seen.overdue, seen.lag.as_secs(), seen.failed), (1, 90, 0));
        let tenants =
            book.store.read_now(move |tx| Ok(storage::due_work::due_tenants(tx, now, 10)?)).unwrap();
        assert_eq!(tenants, [tenant_id]);
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
                schedule(tx, tenant_id, Some(account), "NOTE", &name, (due, start))?;
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

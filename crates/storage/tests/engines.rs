//! What both engines promise to the operations, on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use billing::Refusal;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storage::{Connection, Engine, Error, Outcome, Param, Store, StoreError, StoreOptions};
use testkit::PostgresCluster;
use uuid::Uuid;

/// URLs of a new database of each engine.
fn databases() -> [String; 2] {
    [sqlite(), PostgresCluster::shared().create_database()]
}

fn sqlite() -> String {
    format!("sqlite:{}", testkit::new_directory("book").join("book.db").display())
}

fn open(url: &str) -> Store {
    Store::open(url, StoreOptions::default()).unwrap()
}

/// A store with an empty table `notes`.
fn with_notes(url: &str, options: StoreOptions) -> Store {
    let store = Store::open(url, options).unwrap();
    let made = store.write_now(|tx| {
        tx.execute("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, body TEXT)", &[])?;
        Ok(())
    });
    made.unwrap();
    store
}

fn insert(tx: &mut dyn Connection, id: i64) -> Outcome<()> {
    let inserted = tx.execute("INSERT INTO notes (id, body) VALUES ($1, $2)", &[id.into(), "text".into()])?;
    assert_eq!(inserted, 1);
    Ok(())
}

fn ids(tx: &mut dyn Connection) -> Outcome<Vec<i64>> {
    let rows = tx.query("SELECT id FROM notes ORDER BY id", &[])?;
    Ok(rows.into_iter().map(|mut row| row.next()).collect::<Result<_, _>>()?)
}

fn refused() -> Error {
    Refusal::invalid("note", "is not wanted").into()
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        store.write_now(|tx| insert(tx, 1)).unwrap();
        let other = open(&url);
        assert_eq!(other.read_now(ids).unwrap(), [1], "{url}");
        store.close();
        drop(store);
        assert_eq!(open(&url).read_now(ids).unwrap(), [1], "{url}");
    }
}

#[test]
fn an_error_undoes_what_was_written() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        let outcome = store.write_now::<()>(|tx| {
            insert(tx, 1)?;
            Err(refused())
        });
        assert!(matches!(outcome, Err(Error::Refused(_))), "{url}: {outcome:?}");
        store.write_now(|tx| insert(tx, 2)).unwrap();
        assert_eq!(store.read_now(ids).unwrap(), [2], "{url}");
    }
}

#[test]
fn a_failed_statement_that_was_passed_over_still_undoes_all() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        let outcome = store.write_now(|tx| {
            insert(tx, 1)?;
            let again = tx.execute("INSERT INTO notes (id) VALUES (NULL)", &[]);
            assert!(matches!(again, Err(StoreError::Engine(_))), "{again:?}");
            Ok(())
        });
        assert!(matches!(outcome, Err(Error::Store(StoreError::Engine(_)))), "{url}: {outcome:?}");
        assert_eq!(store.read_now(ids).unwrap(), [0; 0], "{url}");
    }
}

#[test]
fn a_panic_undoes_what_was_written_and_the_store_goes_on() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions { writers: 1, readers: 1, ..StoreOptions::default() });
        for _ in 0..2 {
            let outcome = store.write_now::<()>(|tx| {
                insert(tx, 1)?;
                panic!("a bug in the test's operation");
            });
            assert!(outcome.unwrap_err().to_string().contains("a bug in the test's operation"), "{url}");
            let read = store.read_now::<()>(|_| panic!("a bug in the test's reading"));
            assert!(read.unwrap_err().to_string().contains("panicked"), "{url}");
        }
        store.write_now(|tx| insert(tx, 2)).unwrap();
        assert_eq!(store.read_now(ids).unwrap(), [2], "{url}");
    }
}

#[test]
fn a_savepoint_undoes_its_own_part() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        let outcome = store.write_now(|tx| {
            let first = tx.savepoint(&mut |tx| {
                insert(tx, 1)?;
                Err(refused())
            });
            assert!(matches!(first, Err(Error::Refused(_))), "{first:?}");
            insert(tx, 2)?;
            tx.savepoint(&mut |tx| {
                insert(tx, 3)?;
                let inner = tx.savepoint(&mut |tx| insert(tx, 2));
                assert!(matches!(inner, Err(Error::Store(_))), "{inner:?}");
                insert(tx, 4)
            })?;
            let passed_over = tx.savepoint(&mut |tx| {
                insert(tx, 5)?;
                assert!(insert(tx, 2).is_err());
                Ok(())
            });
            assert!(passed_over.is_err());
            insert(tx, 6)
        });
        outcome.unwrap();
        assert_eq!(store.read_now(ids).unwrap(), [2, 3, 4, 6], "{url}");
    }
}

#[test]
fn a_savepoint_may_come_first_and_alone() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        store.write_now(|tx| tx.savepoint(&mut |tx| insert(tx, 1))).unwrap();
        store.write_now(|tx| tx.savepoint(&mut |_| Ok(()))).unwrap();
        let undone = store.write_now(|tx| Ok(tx.savepoint(&mut |_| Err(refused())).is_err())).unwrap();
        assert!(undone);
        assert_eq!(store.read_now(ids).unwrap(), [1], "{url}");
    }
}

#[test]
fn a_statement_that_takes_too_long_is_stopped() {
    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT COUNT(*) FROM n";
    for url in databases() {
        let options =
            StoreOptions { statement_timeout: Duration::from_millis(100), ..StoreOptions::default() };
        let store = with_notes(&url, options);
        let read = store.read_now(|tx| Ok(tx.query(ENDLESS, &[])?.len()));
        assert!(matches!(read, Err(Error::Store(StoreError::Timeout))), "{url}: {read:?}");
        let write = store.write_now(|tx| {
            insert(tx, 1)?;
            Ok(tx.execute(&format!("INSERT INTO notes (id) {ENDLESS}"), &[])?)
        });
        assert!(matches!(write, Err(Error::Store(StoreError::Timeout))), "{url}: {write:?}");
        store.write_now(|tx| insert(tx, 2)).unwrap();
        assert_eq!(store.read_now(ids).unwrap(), [2], "{url}");
    }
}

#[test]
fn values_come_back_as_they_went() {
    for url in databases() {
        let store = open(&url);
        let id = Uuid::new_v4();
        let read = store.write_now(move |tx| {
            tx.execute(
                match tx.engine() {
                    Engine::Sqlite => "CREATE TABLE kinds (a BIGINT, b TEXT, c BLOB, d BLOB, e INTEGER)",
                    Engine::Postgres => "CREATE TABLE kinds (a BIGINT, b TEXT, c UUID, d BYTEA, e BOOLEAN)",
                },
                &[],
            )?;
            let add = "INSERT INTO kinds (a, b, c, d, e) VALUES ($5, $4, $3, $2, $1)";
            let bytes = [0, 255, 7];
            let text = "quote ' and \u{1F9FE}";
            tx.execute(
                add,
                &[true.into(), bytes.as_slice().into(), id.into(), text.into(), i64::MIN.into()],
            )?;
            tx.execute(add, &[Param::Null; 5])?;
            let mut rows = tx.query(
                "SELECT a, b, c, d, e FROM kinds WHERE a = $1 OR a IS NULL OR $1 = 0 ORDER BY a IS NULL",
                &[i64::MIN.into()],
            )?;
            let mut empty = rows.pop().unwrap();
            assert_eq!(empty.next::<Option<i64>>()?, None);
            assert_eq!(empty.next::<Option<String>>()?, None);
            assert_eq!(empty.next::<Option<Uuid>>()?, None);
            assert_eq!(empty.next::<Option<Vec<u8>>>()?, None);
            assert_eq!(empty.next::<Option<bool>>()?, None);
            let mut full = rows.pop().unwrap();
            assert_eq!(full.next::<i64>()?, i64::MIN);
            assert_eq!(full.next::<String>()?, text);
            assert_eq!(full.next::<Uuid>()?, id);
            assert_eq!(full.next::<Vec<u8>>()?, bytes);
            assert!(full.next::<bool>()?);
            let mut sums = tx.query_one("SELECT COUNT(*), CAST(SUM(a) AS BIGINT) FROM kinds", &[])?;
            Ok((sums.next::<i64>()?, sums.next::<i64>()?))
        });
        assert_eq!(read.unwrap(), (2, i64::MIN), "{url}");
    }
}

#[test]
fn a_missing_parameter_is_an_error() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        let outcome = store.read_now(|tx| Ok(tx.query("SELECT id FROM notes WHERE id = $1", &[])?.len()));
        assert!(matches!(outcome, Err(Error::Store(StoreError::Engine(_)))), "{url}: {outcome:?}");
    }
}

#[test]
fn reading_sees_one_moment_and_cannot_write() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions::default());
        let (looked, has_looked) = channel();
        let (wrote, has_written) = channel::<()>();
        let (looked, has_written): (Mutex<Sender<()>>, Mutex<Receiver<()>>) =
            (Mutex::new(looked), Mutex::new(has_written));
        let reader = std::thread::spawn({
            let store = store.clone();
            move || {
                store.read_now(move |tx| {
                    let before = ids(tx)?;
                    looked.lock().unwrap().send(()).unwrap();
                    has_written.lock().unwrap().recv().unwrap();
                    Ok((before, ids(tx)?))
                })
            }
        });
        has_looked.recv().unwrap();
        store.write_now(|tx| insert(tx, 1)).unwrap();
        wrote.send(()).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), (vec![], vec![]), "{url}");
        assert_eq!(store.read_now(ids).unwrap(), [1], "{url}");
        assert!(store.read_now(|tx| insert(tx, 2)).is_err(), "{url}");
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        assert!(runtime.block_on(store.read_point(|tx| insert(tx, 3))).is_err(), "{url}");
        assert_eq!(runtime.block_on(store.read_point(ids)).unwrap(), [1], "{url}");
    }
}

/// Keeps the writer of `store` busy until the sender is dropped, so that what comes next waits for one group.
fn hold_writer(store: &Store) -> (Sender<()>, std::thread::JoinHandle<Outcome<()>>) {
    let (release, released) = channel::<()>();
    let (held, is_held) = channel();
    let (held, released) = (Mutex::new(held), Mutex::new(released));
    let store = store.clone();
    let holder = std::thread::spawn(move || {
        store.write_now(move |_| {
            // Run again after another request of the group failed, it does not wait again.
            let _ = held.lock().unwrap().send(());
            let _ = released.lock().unwrap().recv();
            Ok(())
        })
    });
    is_held.recv().unwrap();
    (release, holder)
}

/// Sends these requests at once and waits for the outcomes, in order.
fn in_one_group<T: Send + 'static>(
    store: &Store,
    count: u32,
    work: impl Fn(&mut dyn Connection, u32) -> Outcome<T> + Clone + Send + Sync + 'static,
) -> Vec<Outcome<T>> {
    let (release, holder) = hold_writer(store);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (asked, work) = (store.clone(), work.clone());
            let task = runtime.spawn(async move { asked.write(move |tx| work(tx, number)).await });
            while store.statistics().write_queue <= number as usize {
                std::thread::yield_now();
            }
            task
        })
        .collect();
    drop(release);
    holder.join().unwrap().unwrap();
    tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).collect()
}

#[test]
fn requests_that_wait_share_a_commit_and_only_the_failed_are_undone() {
    let store = with_notes(&sqlite(), StoreOptions::default());
    let before = store.statistics();
    let outcomes = in_one_group(&store, 100, |tx, number| {
        insert(tx, number.into())?;
        match number {
            30 => Err(refused()),
            50 => panic!("a bug in the test's operation"),
            70 => insert(tx, 69),
            90 => {
                let _: () = tx.savepoint(&mut |tx| insert(tx, 89)).unwrap_or_default();
                Ok(())
            }
            _ => Ok(()),
        }
    });
    let failed: Vec<usize> = (0..100).filter(|number| outcomes[*number].is_err()).collect();
    assert_eq!(failed, [30, 50, 70]);
    let kept: Vec<i64> = (0..100).filter(|number| ![30, 50, 70].contains(number)).collect();
    assert_eq!(store.read_now(ids).unwrap(), kept);
    let after = store.statistics();
    assert_eq!(after.commits - before.commits, 1);
    assert_eq!(
        after.committed_requests - before.committed_requests,
        98,
        "97 and the one that held the writer"
    );
    assert_eq!(after.rolled_back_requests - before.rolled_back_requests, 3);
}

#[test]
fn a_timeout_in_a_group_fails_nobody_else() {
    let options = StoreOptions { statement_timeout: Duration::from_millis(100), ..StoreOptions::default() };
    let store = with_notes(&sqlite(), options);
    let outcomes = in_one_group(&store, 10, |tx, number| {
        insert(tx, number.into())?;
        if number == 5 {
            // An interrupted INSERT makes SQLite end the whole transaction.
            tx.execute(
                "INSERT INTO notes (id) WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                &[],
            )?;
        }
        Ok(())
    });
    let failed: Vec<usize> = (0..10).filter(|number| outcomes[*number].is_err()).collect();
    assert_eq!(failed, [5]);
    assert!(matches!(outcomes[5], Err(Error::Store(StoreError::Timeout))), "{:?}", outcomes[5]);
    assert_eq!(store.read_now(ids).unwrap(), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
}

#[test]
fn two_processes_may_write_to_one_file() {
    let url = sqlite();
    let stores = [with_notes(&url, StoreOptions::default()), open(&url)];
    std::thread::scope(|scope| {
        for (place, store) in stores.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..100 {
                    store.write_now(move |tx| insert(tx, number * 2 + place as i64)).unwrap();
                }
            });
        }
    });
    for store in &stores {
        assert_eq!(store.read_now(ids).unwrap(), (0..200).collect::<Vec<_>>());
    }
}

#[test]
fn a_file_that_another_process_holds_for_long_is_a_conflict() {
    let url = sqlite();
    let store = with_notes(&url, StoreOptions::default());
    let short = StoreOptions { busy_timeout: Duration::from_millis(50), ..StoreOptions::default() };
    let (release, released) = channel::<()>();
    let (held, is_held) = channel();
    let (held, released) = (Mutex::new(held), Mutex::new(released));
    let other = Store::open(&url, short).unwrap();
    let holder = std::thread::spawn(move || {
        store.write_now(move |tx| {
            insert(tx, 1)?;
            held.lock().unwrap().send(()).unwrap();
            let _ = released.lock().unwrap().recv();
            Ok(())
        })
    });
    is_held.recv().unwrap();
    let outcome = other.write_now(|tx| insert(tx, 2));
    assert!(matches!(outcome, Err(Error::Store(StoreError::Conflict(_)))), "{outcome:?}");
    drop(release);
    holder.join().unwrap().unwrap();
    other.write_now(|tx| insert(tx, 2)).unwrap();
    assert_eq!(other.read_now(ids).unwrap(), [1, 2]);
}

#[test]
fn transactions_that_lock_rows_in_opposite_order_both_succeed() {
    let store = with_notes(&PostgresCluster::shared().create_database(), StoreOptions::default());
    store.write_now(|tx| insert(tx, 0).and_then(|()| insert(tx, 1))).unwrap();
    let first_rows_locked = Arc::new(std::sync::Barrier::new(2));
    let attempts = Arc::new(AtomicU32::new(0));
    std::thread::scope(|scope| {
        for order in [[0_i64, 1], [1, 0]] {
            let (store, both, attempts) = (&store, Arc::clone(&first_rows_locked), Arc::clone(&attempts));
            scope.spawn(move || {
                let is_first = std::sync::atomic::AtomicBool::new(true);
                let outcome = store.write_now(move |tx| {
                    attempts.fetch_add(1, SeqCst);
                    let lock = "UPDATE notes SET body = body || 'x' WHERE id = $1";
                    tx.execute(lock, &[order[0].into()])?;
                    if is_first.swap(false, SeqCst) {
                        both.wait();
                    }
                    tx.execute(lock, &[order[1].into()])?;
                    Ok(())
                });
                outcome.unwrap();
            });
        }
    });
    // Once more each time that the other commits after it has begun anew.
    assert!((3..=4).contains(&attempts.load(SeqCst)), "one of the two ran again");
    let bodies = store.read_now(|tx| {
        let rows = tx.query("SELECT body FROM notes", &[])?;
        Ok(rows.into_iter().map(|mut row| row.next::<String>()).collect::<Result<Vec<_>, _>>()?)
    });
    assert_eq!(bodies.unwrap(), ["textxx", "textxx"]);
}

const FAIL_AS_SERIALIZATION: &str = "DO $$ BEGIN RAISE EXCEPTION 'try again' USING ERRCODE = '40001'; END $$";

#[test]
fn a_serialization_failure_runs_the_work_again() {
    let store = with_notes(&PostgresCluster::shared().create_database(), StoreOptions::default());
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let outcome = store.write_now(move |tx| {
        insert(tx, 1)?;
        if counted.fetch_add(1, SeqCst) < 2 {
            tx.execute(FAIL_AS_SERIALIZATION, &[])?;
        }
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(attempts.load(SeqCst), 3);
    assert_eq!(store.read_now(ids).unwrap(), [1]);
    assert_eq!(store.statistics().retries, 2);

    let hopeless = store.write_now(|tx| Ok(tx.execute(FAIL_AS_SERIALIZATION, &[])?));
    assert!(matches!(hopeless, Err(Error::Store(StoreError::Conflict(_)))), "{hopeless:?}");
}

#[test]
fn who_comes_second_to_a_name_runs_again_and_finds_it_taken() {
    let store = with_notes(&PostgresCluster::shared().create_database(), StoreOptions::default());
    store.write_now(|tx| insert(tx, 1).and_then(|()| insert(tx, 2))).unwrap();
    let rename = |tx: &mut dyn Connection, id: i64| {
        let sql =
            "UPDATE notes SET id = 3 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM notes AS n WHERE n.id = 3)";
        Ok::<u64, Error>(tx.execute(sql, &[id.into()])?)
    };
    let (has_renamed, is_renamed) = channel::<()>();
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            store.write_now(move |tx| {
                assert_eq!(rename(tx, 1)?, 1);
                has_renamed.send(()).unwrap();
                let waits = "SELECT COUNT(*) FROM pg_stat_activity
                             WHERE datname = current_database() AND wait_event_type = 'Lock'";
                while tx.query_one("SELECT pg_stat_clear_snapshot() IS NULL", &[]).is_ok()
                    && tx.query_one(waits, &[])?.next::<i64>()? == 0
                {}
                Ok(())
            })
        });
        is_renamed.recv().unwrap();
        let second = store.write_now(move |tx| {
            counted.fetch_add(1, SeqCst);
            rename(tx, 2)
        });
        assert_eq!(second.unwrap(), 0);
        first.join().unwrap().unwrap();
    });
    assert_eq!(attempts.load(SeqCst), 2);
    assert_eq!(store.read_now(ids).unwrap(), [2, 3]);
}

#[test]
fn a_lost_connection_before_the_commit_runs_the_work_again() {
    let store = with_notes(&PostgresCluster::shared().create_database(), StoreOptions::default());
    let attempts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&attempts);
    let outcome = store.write_now(move |tx| {
        insert(tx, 1)?;
        if counted.fetch_add(1, SeqCst) == 0 {
            tx.query("SELECT pg_terminate_backend(pg_backend_pid())", &[])?;
        }
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(attempts.load(SeqCst), 2);
    assert_eq!(store.read_now(ids).unwrap(), [1]);
}

#[test]
fn a_connection_that_was_lost_while_idle_is_replaced() {
    let url = PostgresCluster::shared().create_database();
    let store = with_notes(&url, StoreOptions { writers: 1, readers: 1, ..StoreOptions::default() });
    store.write_now(|tx| insert(tx, 1)).unwrap();
    store.read_now(ids).unwrap();
    let other = open(&url);
    let ended = other.write_now(|tx| {
        // With a time: it waits until they have ended, and are not about to.
        let sql = "SELECT COUNT(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        Ok(tx.query_one(sql, &[])?.next::<i64>()?)
    });
    // The one that brought the schema up to date may still be on its way out.
    assert!(ended.unwrap() >= 2);
    store.write_now(|tx| insert(tx, 2)).unwrap();
    assert_eq!(store.read_now(ids).unwrap(), [1, 2]);
}

#[test]
fn a_commit_without_an_answer_is_an_error_and_not_repeated() {
    let store = with_notes(&PostgresCluster::shared().create_database(), StoreOptions::default());
    let attempts = Arc::new(AtomicU32::new(0));
    let made = store.write_now(|tx| {
        tx.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
            &[],
        )?;
        tx.execute(
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION die()",
            &[],
        )?;
        Ok(())
    });
    made.unwrap();
    let counted = Arc::clone(&attempts);
    let outcome = store.write_now(move |tx| {
        counted.fetch_add(1, SeqCst);
        insert(tx, 1)
    });
    assert!(outcome.unwrap_err().to_string().contains("unknown"));
    assert_eq!(attempts.load(SeqCst), 1);
}

#[test]
fn a_changed_schema_prepares_statements_anew() {
    let url = PostgresCluster::shared().create_database();
    let store = with_notes(&url, StoreOptions { readers: 1, ..StoreOptions::default() });
    let width = |tx: &mut dyn Connection| Ok(tx.query("SELECT * FROM notes", &[])?.len());
    assert_eq!(store.read_now(width).unwrap(), 0);
    store.write_now(|tx| Ok(tx.execute("ALTER TABLE notes ADD COLUMN more TEXT", &[])?)).unwrap();
    assert_eq!(store.read_now(width).unwrap(), 0);
}

#[test]
fn more_requests_than_may_wait_are_turned_away() {
    for url in databases() {
        let options = StoreOptions { writers: 1, queue_limit: 1, ..StoreOptions::default() };
        let store = with_notes(&url, options);
        let (release, holder) = hold_writer(&store);
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let waiting = runtime.spawn({
            let store = store.clone();
            async move { store.write(|tx| insert(tx, 1)).await }
        });
        while store.statistics().write_queue == 0 {
            std::thread::yield_now();
        }
        let outcome = store.write_now(|tx| insert(tx, 2));
        assert!(matches!(outcome, Err(Error::Store(StoreError::Overloaded))), "{url}: {outcome:?}");
        assert_eq!(store.statistics().overloads, 1);
        drop(release);
        holder.join().unwrap().unwrap();
        runtime.block_on(waiting).unwrap().unwrap();
        assert_eq!(store.read_now(ids).unwrap(), [1], "{url}");
    }
}

#[test]
fn closing_does_what_waits_and_takes_no_more() {
    for url in databases() {
        let store = with_notes(&url, StoreOptions { writers: 1, ..StoreOptions::default() });
        let (release, holder) = hold_writer(&store);
        let waiting = std::thread::spawn({
            let store = store.clone();
            move || store.write_now(|tx| insert(tx, 1))
        });
        while store.statistics().write_queue == 0 {
            std::thread::yield_now();
        }
        let closing = std::thread::spawn({
            let store = store.clone();
            move || store.close()
        });
        drop(release);
        holder.join().unwrap().unwrap();
        waiting.join().unwrap().unwrap();
        closing.join().unwrap();
        let late = store.write_now(|tx| insert(tx, 2));
        assert!(late.unwrap_err().to_string().contains("closed"), "{url}");
        store.close();
        assert_eq!(open(&url).read_now(ids).unwrap(), [1], "{url}");
    }
}

#[test]
fn an_answer_is_whole_or_refused() {
    let up_to = |tx: &mut dyn Connection, last: usize| {
        let sql = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
                   SELECT n FROM numbers";
        tx.query(sql, &[i64::try_from(last).unwrap().into()]).map(|rows| rows.len())
    };
    for url in databases() {
        let store = open(&url);
        let most = store.read_now(move |tx| Ok(up_to(tx, storage::ROWS_LIMIT)?));
        assert_eq!(most.unwrap(), storage::ROWS_LIMIT, "{url}");
        let too_many = store.read_now(move |tx| Ok(up_to(tx, storage::ROWS_LIMIT + 1)?));
        assert!(matches!(too_many, Err(Error::Store(StoreError::TooManyRows))), "{url}: {too_many:?}");
        assert_eq!(
            store.read_now(move |tx| Ok(up_to(tx, 3)?)).unwrap(),
            3,
            "the connection is as good as new"
        );
    }
}

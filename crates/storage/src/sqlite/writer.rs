//! The one thread that writes to a SQLite file, many requests to a commit.
//!
//! A commit costs a flush of the disk, so requests that wait share one. They need no savepoint each as long as all
//! goes well, and one that is refused before it wrote anything leaves nothing behind. Only when a request fails
//! after it wrote is the group rolled back and the others run again, then each in a savepoint.

use super::connection::SqliteConnection;
use super::search_index::{index_batch, index_rest};
use crate::job::{BoxedJob, Verdict};
use crate::statistics::{Busy, Counters};
use crate::{Connection, Error, StoreError};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Requests that share a commit, at most.
const GROUP_LIMIT: usize = 256;
/// A group takes no more requests after this time, so that the first does not wait for long.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// When no request came for so long, the newest accounts are indexed too.
const IDLE_TIME: Duration = Duration::from_millis(100);

/// Serves the queue until it is closed and empty, then checkpoints.
pub(super) fn run(mut connection: SqliteConnection, queue: &Receiver<BoxedJob>, counters: &Counters) {
    let mut is_indexed = false;
    loop {
        let first = if is_indexed { queue.recv().map_err(From::from) } else { queue.recv_timeout(IDLE_TIME) };
        match first {
            Ok(first) => {
                let _busy = Busy::enter(&counters.busy_writers);
                Group::new(&mut connection, counters).serve(first, queue);
                // One batch at a time while requests wait, all of them when none does.
                while index_batch(&mut connection) && queue.is_empty() {}
                is_indexed = false;
            }
            Err(RecvTimeoutError::Timeout) => {
                index_rest(&mut connection);
                is_indexed = true;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    index_rest(&mut connection);
    connection.checkpoint();
}

enum Attempt {
    /// The work is in the transaction.
    Kept,
    /// The work failed and left no trace.
    Undone,
    /// The work failed and the transaction with it.
    Spoiled,
}

struct Group<'a> {
    connection: &'a mut SqliteConnection,
    counters: &'a Counters,
    /// Work in the transaction, not yet committed.
    kept: Vec<BoxedJob>,
    /// Work that failed. It is answered after the commit too: it may have seen what others of the group wrote.
    undone: Vec<BoxedJob>,
    waiting: VecDeque<BoxedJob>,
    with_savepoints: bool,
}

impl<'a> Group<'a> {
    fn new(connection: &'a mut SqliteConnection, counters: &'a Counters) -> Group<'a> {
        Group {
            connection,
            counters,
            kept: Vec::new(),
            undone: Vec::new(),
            waiting: VecDeque::new(),
            with_savepoints: false,
        }
    }

    fn serve(mut self, first: BoxedJob, queue: &Receiver<BoxedJob>) {
        let since = Instant::now();
        self.waiting.push_back(first);
        let mut taken = 1;
        if let Err(error) = self.connection.begin_immediate() {
            return self.fail_all(&error);
        }
        loop {
            let next = self.waiting.pop_front().or_else(|| {
                let is_open = taken < GROUP_LIMIT && since.elapsed() < GROUP_TIME;
                is_open.then(|| queue.try_recv().ok()).flatten().inspect(|_| taken += 1)
            });
            let Some(job) = next else { break };
            if job.is_abandoned() {
                continue;
            }
            if let Err(error) = self.take(job) {
                return self.fail_all(&error);
            }
        }
        if self.kept.is_empty() {
            self.connection.rollback();
            return self.answer_all();
        }
        match self.connection.commit() {
            Ok(()) => {
                self.counters.committed(self.kept.len());
                self.answer_all();
            }
            Err(error) => {
                self.connection.rollback();
                self.fail_all(&error);
            }
        }
    }

    /// Runs one job. An error is the group's: the transaction could not be begun again.
    fn take(&mut self, mut job: BoxedJob) -> Result<(), StoreError> {
        match self.attempt(&mut job) {
            Attempt::Kept => self.kept.push(job),
            Attempt::Undone => self.undone.push(job),
            Attempt::Spoiled => {
                self.undone.push(job);
                self.connection.rollback();
                self.with_savepoints = !self.kept.is_empty();
                self.counters.retries.fetch_add(self.kept.len() as u64, Relaxed);
                while let Some(job) = self.kept.pop() {
                    self.waiting.push_front(job);
                }
                self.connection.begin_immediate()?;
            }
        }
        Ok(())
    }

    fn attempt(&mut self, job: &mut BoxedJob) -> Attempt {
        let changes = self.connection.total_changes();
        let mut verdict = Verdict::Undo;
        if self.with_savepoints {
            let saved = self.connection.savepoint(&mut |connection| {
                verdict = job.run(connection);
                // The reason is in the job; this error only makes the savepoint roll back.
                if verdict == Verdict::Keep { Ok(()) } else { Err(Error::Store(StoreError::Timeout)) }
            });
            if let (Verdict::Keep, Err(Error::Store(error))) = (verdict, saved) {
                job.fail(error);
                verdict = Verdict::Undo;
            }
        } else {
            verdict = job.run(&mut *self.connection);
        }
        if let Some(error) = self.connection.take_failure() {
            if verdict == Verdict::Keep {
                job.fail(error);
            }
            verdict = Verdict::Undo;
        }
        let is_clean = self.with_savepoints || self.connection.total_changes() == changes;
        match verdict {
            _ if !self.connection.is_in_transaction() => {
                if verdict == Verdict::Keep {
                    job.fail(StoreError::Engine("the transaction ended early".to_owned()));
                }
                Attempt::Spoiled
            }
            Verdict::Keep => Attempt::Kept,
            Verdict::Undo | Verdict::Again if is_clean => Attempt::Undone,
            Verdict::Undo | Verdict::Again => Attempt::Spoiled,
        }
    }

    fn answer_all(self) {
        self.counters.rolled_back_requests.fetch_add(self.undone.len() as u64, Relaxed);
        for job in self.kept.into_iter().chain(self.undone) {
            job.answer();
        }
    }

    fn fail_all(self, error: &StoreError) {
        let jobs = self.kept.into_iter().chain(self.undone).chain(self.waiting);
        for mut job in jobs {
            self.counters.rolled_back_requests.fetch_add(1, Relaxed);
            job.fail(error.clone());
            job.answer();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;
    use crate::job::{Reply, Work};
    use crate::sqlite::connection::Role;

    #[test]
    fn a_failed_commit_fails_every_request_of_the_group() {
        let path = testkit::new_directory("book").join("book.db");
        let mut connection = SqliteConnection::open(&path, Role::Writer, &StoreOptions::default()).unwrap();
        connection.batch("CREATE TABLE notes (id BIGINT)").unwrap();
        connection.refuse_commits().unwrap();
        let (send, queue) = crossbeam_channel::bounded(8);
        let answers: Vec<_> = (0..3_i64)
            .map(|number| {
                let (reply, answer) = crossbeam_channel::bounded(1);
                let work = move |tx: &mut dyn Connection| {
                    tx.execute("INSERT INTO notes (id) VALUES ($1)", &[number.into()])?;
                    if number == 1 { Err(StoreError::Timeout.into()) } else { Ok(number) }
                };
                send.send(Work::boxed(work, Reply::Thread(reply))).unwrap();
                answer
            })
            .collect();
        drop(send);
        let counters = Counters::default();
        run(connection, &queue, &counters);
        for answer in answers {
            let outcome = answer.recv().unwrap();
            assert!(matches!(outcome, Err(Error::Store(StoreError::Engine(_)))), "{outcome:?}");
        }
        assert_eq!(counters.snapshot(0, 0).commits, 0);
        let reader = rusqlite::Connection::open(&path).unwrap();
        let count: i64 = reader.query_row("SELECT COUNT(*) FROM notes", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0);
    }
}

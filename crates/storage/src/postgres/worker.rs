//! A thread that owns a connection and serves a queue.

use super::connection::{CommitError, PostgresConnection};
use crate::StoreError;
use crate::job::{BoxedJob, Verdict};
use crate::statistics::{Busy, Counters};
use crossbeam_channel::Receiver;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How often work runs before a conflict is its answer.
const ATTEMPTS: u32 = 10;
/// The longest wait before the second attempt. It doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(2);
/// How long work waits for a server that turns connections away, as one does that restarts.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Write,
    Read,
}

impl Lane {
    pub(super) fn name(self) -> &'static str {
        match self {
            Lane::Write => "write",
            Lane::Read => "read",
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Lane::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Lane::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

pub(super) struct Worker {
    lane: Lane,
    connection: PostgresConnection,
    queue: Receiver<BoxedJob>,
    counters: Arc<Counters>,
}

impl Worker {
    pub(super) fn new(
        lane: Lane,
        connection: PostgresConnection,
        queue: Receiver<BoxedJob>,
        counters: Arc<Counters>,
    ) -> Worker {
        Worker { lane, connection, queue, counters }
    }

    pub(super) fn run(mut self) {
        let counters = Arc::clone(&self.counters);
        let gauge = match self.lane {
            Lane::Write => &counters.busy_writers,
            Lane::Read => &counters.busy_readers,
        };
        while let Ok(job) = self.queue.recv() {
            let _busy = Busy::enter(gauge);
            if !job.is_abandoned() {
                self.serve(job);
            }
        }
    }

    fn serve(&mut self, mut job: BoxedJob) {
        let since = Instant::now();
        for attempt in 1..=ATTEMPTS {
            match self.ensure_connected() {
                Ok(()) => {
                    self.connection.begin(self.lane.begin());
                    match self.attempt(job) {
                        Ok(()) => return,
                        Err(back) => job = back,
                    }
                }
                Err(error) => {
                    job.fail(error);
                    if since.elapsed() > CONNECT_PATIENCE {
                        break;
                    }
                }
            }
            if attempt < ATTEMPTS {
                self.counters.retries.fetch_add(1, Relaxed);
                std::thread::park_timeout(wait_before(attempt));
            }
        }
        self.count_rolled_back();
        job.answer();
    }

    fn ensure_connected(&mut self) -> Result<(), StoreError> {
        if !self.connection.is_connected() {
            self.connection.connect()?;
            self.counters.connections_opened.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn count_rolled_back(&self) {
        self.counters.rolled_back_requests.fetch_add(u64::from(self.lane == Lane::Write), Relaxed);
    }

    /// Runs the job once and answers it, or gives it back to be run again.
    fn attempt(&mut self, mut job: BoxedJob) -> Result<(), BoxedJob> {
        let mut verdict = job.run(&mut self.connection);
        if let Some(error) = self.connection.take_failure() {
            if matches!(error, StoreError::Conflict(_)) {
                verdict = Verdict::Again;
            }
            if verdict != Verdict::Undo {
                job.fail(error);
            }
            if verdict == Verdict::Keep {
                verdict = Verdict::Undo;
            }
        }
        if self.connection.was_lost() {
            verdict = Verdict::Again;
        }
        match verdict {
            Verdict::Again => {
                self.connection.rollback();
                Err(job)
            }
            Verdict::Undo => {
                self.connection.rollback();
                self.count_rolled_back();
                job.answer();
                Ok(())
            }
            Verdict::Keep if self.lane == Lane::Read => {
                // The answer does not depend on how the snapshot ends.
                job.answer();
                self.connection.rollback();
                Ok(())
            }
            Verdict::Keep => self.commit(job),
        }
    }

    fn commit(&mut self, mut job: BoxedJob) -> Result<(), BoxedJob> {
        match self.connection.commit() {
            Ok(()) => self.counters.committed(1),
            Err(CommitError::NotCommitted(error)) => {
                let may_run_again =
                    matches!(error, StoreError::Conflict(_)) || !self.connection.is_connected();
                self.connection.rollback();
                job.fail(error);
                if may_run_again {
                    return Err(job);
                }
                self.count_rolled_back();
            }
            Err(CommitError::Unknown(error)) => job.fail(error),
        }
        job.answer();
        Ok(())
    }
}

/// A random time that grows with the attempts, so that two that collided do not meet again.
fn wait_before(attempt: u32) -> Duration {
    let longest = FIRST_WAIT.saturating_mul(1 << attempt.min(8)).as_micros();
    let random = uuid::Uuid::new_v4().as_u128() % longest.max(1);
    Duration::from_micros(u64::try_from(random).unwrap_or(0))
}

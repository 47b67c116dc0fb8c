//! A piece of work on its way to a connection, and its answer on the way back.

use crate::{Connection, Error, Outcome, StoreError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// What running a job means for its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The work succeeded: commit.
    Keep,
    /// The work was refused or failed: nothing of it may stay.
    Undo,
    /// As [`Verdict::Undo`], and the same work may succeed when it runs again.
    Again,
}

/// Work with its type erased, so that one queue carries all of it.
pub(crate) trait Job: Send {
    /// Runs the work and keeps its outcome. A panic is an outcome too.
    fn run(&mut self, connection: &mut dyn Connection) -> Verdict;
    /// Puts an error in the place of whatever outcome there is.
    fn fail(&mut self, error: StoreError);
    /// Sends the outcome to whoever waits.
    fn answer(self: Box<Self>);
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
}

pub(crate) type BoxedJob = Box<dyn Job>;

/// Where an outcome goes: to a task, or to a thread that blocks.
pub(crate) enum Reply<T> {
    Task(oneshot::Sender<Outcome<T>>),
    Thread(crossbeam_channel::Sender<Outcome<T>>),
}

pub(crate) struct Work<T, F> {
    work: F,
    outcome: Option<Outcome<T>>,
    reply: Reply<T>,
}

impl<T, F> Work<T, F>
where
    T: Send + 'static,
    F: Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
{
    pub(crate) fn boxed(work: F, reply: Reply<T>) -> BoxedJob {
        Box::new(Work { work, outcome: None, reply })
    }
}

/// Runs `work`, turning a panic into an error: the connection and its thread outlive a bug in one operation.
pub fn run_caught<T>(
    work: &dyn Fn(&mut dyn Connection) -> Outcome<T>,
    connection: &mut dyn Connection,
) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned());
        tracing::error!(panic = %text, "an operation panicked; it was rolled back");
        Err(StoreError::Engine(format!("the operation panicked: {text}")).into())
    })
}

pub(crate) fn verdict_of<T>(outcome: &Outcome<T>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Keep,
        Err(Error::Store(StoreError::Conflict(_))) => Verdict::Again,
        Err(_) => Verdict::Undo,
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send + 'static,
    F: Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
{
    fn run(&mut self, connection: &mut dyn Connection) -> Verdict {
        let outcome = run_caught(&self.work, connection);
        let verdict = verdict_of(&outcome);
        self.outcome = Some(outcome);
        verdict
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error.into()));
    }

    fn answer(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(closed().into()));
        // A failed send means that the caller went away, which is its right.
        match self.reply {
            Reply::Task(sender) => drop(sender.send(outcome)),
            Reply::Thread(sender) => drop(sender.send(outcome)),
        }
    }

    fn is_abandoned(&self) -> bool {
        match &self.reply {
            Reply::Task(sender) => sender.is_closed(),
            Reply::Thread(_) => false,
        }
    }
}

pub(crate) fn closed() -> StoreError {
    StoreError::Engine("the store is closed".to_owned())
}

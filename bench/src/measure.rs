//! One operation after the other, on one server or on two in turn.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::book::Book;
use crate::http::{Desk, Target};
use crate::load::{Load, Outcome, Until};
use crate::procfs;
use crate::workload::{Creates, Operation, Reads, Source};

/// How to load the servers.
pub(crate) struct Plan {
    pub(crate) desk: Desk,
    pub(crate) operations: Vec<Operation>,
    pub(crate) connections: usize,
    /// Time per operation and server, in all rounds together.
    pub(crate) duration: Duration,
    pub(crate) rounds: u32,
    /// Unmeasured time before the first round of each operation.
    pub(crate) warmup: Duration,
    /// How long to wait for answers that stay out.
    pub(crate) patience: Duration,
    /// Accounts that readers draw from.
    pub(crate) accounts: u64,
    pub(crate) page: u64,
    pub(crate) advanced: String,
}

/// A server under load and the processes that do its work.
pub(crate) struct Subject {
    pub(crate) target: Target,
    pub(crate) server: Option<u32>,
    pub(crate) database: Option<u32>,
    book: Option<Book>,
    creates: Creates,
}

/// The figures of one operation on one server.
pub(crate) struct Figures {
    pub(crate) outcome: Outcome,
    pub(crate) server: Usage,
    pub(crate) database: Usage,
}

/// What a tree of processes used, as far as it was asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Option<Duration>,
    /// The most at the end of a round.
    pub(crate) resident: Option<u64>,
}

/// CPU time of this program, and of processes that have no part in the measurement.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) elapsed: Duration,
    pub(crate) own: Duration,
    pub(crate) answers: u64,
    /// `None` where a process of a server is not known.
    pub(crate) others: Option<Duration>,
}

impl Subject {
    pub(crate) fn new(target: Target, server: Option<u32>, database: Option<u32>) -> Result<Self> {
        let creates = Creates::new(&target)?;
        Ok(Self { target, server, database, book: None, creates })
    }

    /// How many accounts it had when readers were first prepared.
    pub(crate) fn book_size(&self) -> Option<u64> {
        self.book.as_ref().map(|book| book.size)
    }

    fn reads(&mut self, operation: Operation, plan: &Plan) -> Result<Reads> {
        let book = match &mut self.book {
            Some(book) => book,
            unknown => unknown.insert(Book::learn(&self.target, plan.desk, plan.accounts)?),
        };
        Reads::new(operation, &self.target, book, plan.page, &plan.advanced)
    }

    /// Creates accounts until there are `wanted`.
    pub(crate) fn fill(&mut self, wanted: u64, connections: usize, patience: Duration) -> Result<Outcome> {
        let missing = wanted.saturating_sub(crate::book::count(&self.target)?);
        Load::open(self.target.address, connections)?.run(
            &mut self.creates,
            Until::Requests(missing),
            patience,
        )
    }
}

/// Measures one operation on each subject, the subjects in turn in every round, so that what drifts on the machine
/// drifts for both.
pub(crate) fn measure(
    operation: Operation,
    subjects: &mut [Subject],
    plan: &Plan,
    surroundings: &mut Surroundings,
) -> Result<Vec<Figures>> {
    let mut reads = Vec::new();
    for subject in subjects.iter_mut() {
        reads.push((operation != Operation::Create).then(|| subject.reads(operation, plan)).transpose()?);
    }
    let mut figures: Vec<Figures> = subjects.iter().map(|_| Figures::none()).collect();
    for round in 0..=plan.rounds {
        let duration = if round == 0 { plan.warmup } else { plan.duration / plan.rounds };
        if duration.is_zero() {
            continue;
        }
        for ((subject, reads), figures) in subjects.iter_mut().zip(&mut reads).zip(&mut figures) {
            let load = Load::open(subject.target.address, plan.connections)?;
            let before = Snapshot::take(subject)?;
            let source: &mut dyn Source = match reads {
                Some(reads) => reads,
                None => &mut subject.creates,
            };
            let outcome = load.run(source, Until::Elapsed(duration), plan.patience)?;
            let after = Snapshot::take(subject)?;
            if round > 0 {
                surroundings.add(&before, &after, outcome.answers);
                figures.add(outcome, &before, &after, subject)?;
            }
        }
    }
    Ok(figures)
}

impl Figures {
    fn none() -> Self {
        Self { outcome: Outcome::new(), server: Usage::default(), database: Usage::default() }
    }

    fn add(
        &mut self,
        outcome: Outcome,
        before: &Snapshot,
        after: &Snapshot,
        subject: &Subject,
    ) -> Result<()> {
        self.outcome.merge(outcome);
        self.server.add(before.server, after.server, subject.server)?;
        self.database.add(before.database, after.database, subject.database)
    }
}

impl Usage {
    fn add(&mut self, before: Option<Duration>, after: Option<Duration>, root: Option<u32>) -> Result<()> {
        if let (Some(before), Some(after), Some(root)) = (before, after, root) {
            self.cpu = Some(self.cpu.unwrap_or_default() + after.saturating_sub(before));
            let resident = procfs::resident_of_tree(root)?;
            self.resident = Some(self.resident.unwrap_or(0).max(resident));
        }
        Ok(())
    }
}

/// CPU times at one moment.
struct Snapshot {
    at: std::time::Instant,
    own: Duration,
    machine: Duration,
    server: Option<Duration>,
    database: Option<Duration>,
    /// Whether the database has no process of its own, or a known one.
    complete: bool,
}

impl Snapshot {
    fn take(subject: &Subject) -> Result<Self> {
        let cpu = |pid: Option<u32>| {
            pid.map(procfs::cpu_of_tree).transpose().with_context(|| subject.target.url.clone())
        };
        Ok(Self {
            at: std::time::Instant::now(),
            own: procfs::cpu_of_tree(std::process::id())?,
            machine: procfs::cpu_of_machine()?,
            server: cpu(subject.server)?,
            database: cpu(subject.database)?,
            complete: subject.server.is_some(),
        })
    }
}

impl Surroundings {
    fn add(&mut self, before: &Snapshot, after: &Snapshot, answers: u64) {
        let elapsed = after.at - before.at;
        let own = after.own.saturating_sub(before.own);
        let used = |after: Option<Duration>, before: Option<Duration>| {
            after.unwrap_or_default().saturating_sub(before.unwrap_or_default())
        };
        let known = own + used(after.server, before.server) + used(after.database, before.database);
        let others = after.machine.saturating_sub(before.machine).saturating_sub(known);
        let first = self.elapsed.is_zero();
        self.others = match self.others {
            _ if !before.complete => None,
            None if !first => None,
            sum => Some(sum.unwrap_or_default() + others),
        };
        self.elapsed += elapsed;
        self.own += own;
        self.answers += answers;
    }
}

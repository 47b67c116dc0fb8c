//! Counters of the store, for `/metrics`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Upper bounds of the classes in which the sizes of group commits are counted.
pub const GROUP_SIZE_BOUNDS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// What the store did since it was opened, and what it does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStatistics {
    /// Write requests that wait for a worker.
    pub write_queue: usize,
    /// Read requests that wait for a worker.
    pub read_queue: usize,
    /// Write workers at work.
    pub busy_writers: usize,
    /// Read workers at work.
    pub busy_readers: usize,
    /// Commits that became durable. On SQLite one commit carries many requests.
    pub commits: u64,
    /// Write requests that were committed.
    pub committed_requests: u64,
    /// Write requests that were rolled back.
    pub rolled_back_requests: u64,
    /// Times that a request ran again after a conflict or a lost connection.
    pub retries: u64,
    /// Connections to PostgreSQL that were opened.
    pub connections_opened: u64,
    /// Requests turned away because too many waited.
    pub overloads: u64,
    /// Commits by the number of requests in them; class `i` counts those up to [`GROUP_SIZE_BOUNDS`]`[i]`.
    pub group_sizes: [u64; GROUP_SIZE_BOUNDS.len()],
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) busy_writers: AtomicUsize,
    pub(crate) busy_readers: AtomicUsize,
    pub(crate) commits: AtomicU64,
    pub(crate) committed_requests: AtomicU64,
    pub(crate) rolled_back_requests: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) connections_opened: AtomicU64,
    pub(crate) overloads: AtomicU64,
    group_sizes: [AtomicU64; GROUP_SIZE_BOUNDS.len()],
}

impl Counters {
    /// Counts one durable commit of `requests` requests.
    pub(crate) fn committed(&self, requests: usize) {
        self.commits.fetch_add(1, Relaxed);
        self.committed_requests.fetch_add(requests as u64, Relaxed);
        let class = GROUP_SIZE_BOUNDS.iter().position(|bound| requests <= *bound);
        if let Some(class) = class.and_then(|class| self.group_sizes.get(class)) {
            class.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn snapshot(&self, write_queue: usize, read_queue: usize) -> StoreStatistics {
        StoreStatistics {
            write_queue,
            read_queue,
            busy_writers: self.busy_writers.load(Relaxed),
            busy_readers: self.busy_readers.load(Relaxed),
            commits: self.commits.load(Relaxed),
            committed_requests: self.committed_requests.load(Relaxed),
            rolled_back_requests: self.rolled_back_requests.load(Relaxed),
            retries: self.retries.load(Relaxed),
            connections_opened: self.connections_opened.load(Relaxed),
            overloads: self.overloads.load(Relaxed),
            group_sizes: std::array::from_fn(|class| self.group_sizes[class].load(Relaxed)),
        }
    }
}

/// Counts a worker as busy while it lives.
pub(crate) struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    pub(crate) fn enter(gauge: &'a AtomicUsize) -> Busy<'a> {
        gauge.fetch_add(1, Relaxed);
        Busy(gauge)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

//! The store: an engine, its worker threads and the queues before them.

use crate::job::{BoxedJob, Reply, Work, closed};
use crate::statistics::{Counters, StoreStatistics};
use crate::{Connection, Engine, Outcome, StoreError, postgres, sqlite};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// How a store uses its machine.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Worker threads that write, each with a connection. PostgreSQL only: SQLite has one writer.
    pub writers: usize,
    /// Worker threads that read, each with a connection.
    pub readers: usize,
    /// How many requests may wait for a worker, writing and reading each; more are [`StoreError::Overloaded`].
    pub queue_limit: usize,
    /// How long one statement may run before it is [`StoreError::Timeout`].
    pub statement_timeout: Duration,
    /// How long to wait for a lock on the SQLite file that another process holds.
    pub busy_timeout: Duration,
    /// Whether a database without a book is [`StoreError::NoBook`]; otherwise a book is made there.
    pub must_exist: bool,
    /// Page cache of SQLite's writer in KiB. Readers take an eighth of it each.
    pub sqlite_cache_kib: usize,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            writers: 16,
            readers: 8,
            queue_limit: 4096,
            statement_timeout: Duration::from_secs(10),
            busy_timeout: Duration::from_secs(5),
            must_exist: false,
            sqlite_cache_kib: 24 * 1024,
        }
    }
}

/// An open database. Cheap to clone; the last clone that goes away closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    /// `None` once closed. Senders are taken under the read lock, so that nothing enters a queue that nobody drains.
    queues: RwLock<Option<Queues>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    point_readers: Option<sqlite::PointReaders>,
    counters: Arc<Counters>,
}

struct Queues {
    write: Sender<BoxedJob>,
    read: Sender<BoxedJob>,
}

/// What an engine needs to start its threads.
pub(crate) struct Wiring {
    pub(crate) options: StoreOptions,
    pub(crate) write: Receiver<BoxedJob>,
    pub(crate) read: Receiver<BoxedJob>,
    pub(crate) counters: Arc<Counters>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:PATH`, `postgres://…` or `postgresql://…`), brings its schema up to date
    /// and starts the worker threads.
    ///
    /// A PostgreSQL URL takes `sslmode=disable|prefer|require|verify-full`, `sslrootcert=PATH` and a directory of a
    /// Unix socket as `host`. Fails when the database cannot be reached, is newer than this program, or has no book
    /// although it must.
    pub fn open(url: &str, options: StoreOptions) -> Result<Store, StoreError> {
        let (write, write_jobs) = bounded(options.queue_limit.max(1));
        let (read, read_jobs) = bounded(options.queue_limit.max(1));
        let counters = Arc::new(Counters::default());
        let wiring = Wiring { options, write: write_jobs, read: read_jobs, counters: Arc::clone(&counters) };
        let (engine, threads, point_readers) = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let (threads, point_readers) = sqlite::start(path, wiring)?;
            (Engine::Sqlite, threads, Some(point_readers))
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            (Engine::Postgres, postgres::start(url, wiring)?, None)
        } else {
            return Err(StoreError::Address(
                "the database URL must begin with sqlite:, postgres:// or postgresql://".to_owned(),
            ));
        };
        Ok(Store {
            inner: Arc::new(Inner {
                engine,
                queues: RwLock::new(Some(Queues { write, read })),
                threads: Mutex::new(threads),
                point_readers,
                counters,
            }),
        })
    }

    /// Which engine answers.
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// Runs `work` in one transaction and answers once it is durable. An `Err` rolls it back. After a conflict with
    /// another transaction `work` runs again from the start, so it must have no effect but through its connection.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        self.ask(Lane::Write, work).await
    }

    /// Runs `work` on one consistent snapshot, on a worker thread. Statements that write fail.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        self.ask(Lane::Read, work).await
    }

    /// As [`Store::read`], for look-ups that keys bound to a few rows. On SQLite `work` runs on the calling thread:
    /// the look-up takes less time than the way to another thread and back.
    pub async fn read_point<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        match self.inner.point_readers.as_ref().and_then(sqlite::PointReaders::take) {
            Some(mut reader) => reader.run(&work),
            None => self.ask(Lane::Read, work).await,
        }
    }

    /// As [`Store::write`], for a thread that may block.
    pub fn write_now<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        self.ask_now(Lane::Write, work)
    }

    /// As [`Store::read`], for a thread that may block.
    pub fn read_now<T: Send + 'static>(
        &self,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        self.ask_now(Lane::Read, work)
    }

    /// What the store does now and did so far.
    pub fn statistics(&self) -> StoreStatistics {
        let queues = self.inner.queues.read().unwrap_or_else(PoisonError::into_inner);
        let (write, read) = queues.as_ref().map_or((0, 0), |queues| (queues.write.len(), queues.read.len()));
        self.inner.counters.snapshot(write, read)
    }

    /// Takes no more requests, does those that wait and ends the threads. Safe to call twice. Blocks.
    pub fn close(&self) {
        self.inner.close();
    }

    async fn ask<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.inner.enqueue(lane, Work::boxed(work, Reply::Task(reply)))?;
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    fn ask_now<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl Fn(&mut dyn Connection) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (reply, answer) = bounded(1);
        self.inner.enqueue(lane, Work::boxed(work, Reply::Thread(reply)))?;
        answer.recv().unwrap_or_else(|_| Err(closed().into()))
    }
}

#[derive(Clone, Copy)]
enum Lane {
    Write,
    Read,
}

impl Inner {
    fn enqueue(&self, lane: Lane, job: BoxedJob) -> Result<(), StoreError> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let queues = queues.as_ref().ok_or_else(closed)?;
        let queue = match lane {
            Lane::Write => &queues.write,
            Lane::Read => &queues.read,
        };
        queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.counters.overloads.fetch_add(1, Relaxed);
                StoreError::Overloaded
            }
            TrySendError::Disconnected(_) => closed(),
        })
    }

    fn close(&self) {
        drop(self.queues.write().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(point_readers) = &self.point_readers {
            point_readers.close();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A worker may hold the last clone, inside a job: it cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a storage thread panicked");
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// Starts a named thread.
pub(crate) fn spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(|error| StoreError::Engine(format!("a thread did not start: {error}")))
}

//! The log: lines of text or JSON on standard error. A thread writes them, several at a time, so that a request does
//! not wait for whoever reads the log.

use clap::ValueEnum;
use serde::Deserialize;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long lines may wait for more.
const REST: Duration = Duration::from_millis(100);

/// More bytes than this do not wait.
const MUCH: usize = 64 * 1024;

/// More bytes than this are dropped, and counted, when nobody takes them.
const TOO_MUCH: usize = 16 * 1024 * 1024;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Starts the log. `filter` is a level (`info`), or levels by part (`info,billhook::access=warn`). Keep the answer:
/// when it goes away, what is left is written.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<Log> {
    let filter = EnvFilter::try_new(filter)?;
    let log = Log::start()?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines(Arc::clone(&log.shared)));
    let set = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    set.map_err(|error| anyhow::anyhow!("the log could not be started: {error}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, request_id = edge::request_id(), "panicked: {}", text(panic.payload()));
    }));
    Ok(log)
}

fn text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// The log of this process.
pub(crate) struct Log {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    is_ending: bool,
}

impl Log {
    fn start() -> io::Result<Log> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || own.write_all())?;
        Ok(Log { shared, thread: Some(thread) })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.state().is_ending = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self) {
        let mut lines = Vec::new();
        loop {
            let (dropped, is_ending) = self.take(&mut lines);
            let mut out = io::stderr().lock();
            // Nobody is left to be told when standard error is closed.
            let _ = out.write_all(&lines);
            if dropped > 0 {
                let _ = writeln!(out, "{dropped} lines of the log were dropped: nobody took them");
            }
            lines.clear();
            if is_ending {
                return;
            }
        }
    }

    /// Waits for lines, and a little for more of them, then takes them.
    fn take(&self, into: &mut Vec<u8>) -> (u64, bool) {
        let is_idle = |state: &mut State| state.lines.is_empty() && !state.is_ending;
        let state = self.changed.wait_while(self.state(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let is_short = |state: &mut State| state.lines.len() < MUCH && !state.is_ending;
        let (mut state, _) =
            self.changed.wait_timeout_while(state, REST, is_short).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut state.lines, into);
        (std::mem::take(&mut state.dropped), state.is_ending)
    }
}

/// Where the formatter writes.
struct Lines(Arc<Shared>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// One line; the formatter writes it at once.
struct Line<'a>(&'a Shared);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state();
        if state.lines.len() + bytes.len() > TOO_MUCH {
            state.dropped += 1;
            return Ok(bytes.len());
        }
        let before = state.lines.len();
        state.lines.extend_from_slice(bytes);
        let is_news = before == 0 || (before < MUCH && state.lines.len() >= MUCH);
        drop(state);
        if is_news {
            self.0.changed.notify_one();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

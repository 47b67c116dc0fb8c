//! What a program printed.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The lines of a program's standard output and standard error, as they come.
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
}

/// How much of a log a failed test shows.
const SHOWN: usize = 80;

impl Log {
    /// Reads a stream to its end in the background. Each line is kept and also sent; the end closes the channel.
    pub(crate) fn follow(&self, stream: impl Read + Send + 'static) -> Lines {
        let (sender, receiver) = channel();
        let log = self.clone();
        thread::spawn(move || log.read(BufReader::new(stream), &sender));
        Lines(receiver)
    }

    fn read(&self, mut stream: impl BufRead, sender: &Sender<String>) {
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
            // Nobody may be listening any more; the line is kept all the same.
            drop(sender.send(text));
        }
    }

    /// How many lines there are: a mark for [`Log::since`].
    pub(crate) fn mark(&self) -> usize {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The last lines after a mark, for a person.
    pub(crate) fn since(&self, mark: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let start = mark.max(lines.len().saturating_sub(SHOWN)).min(lines.len());
        lines[start..].iter().map(|line| format!("  | {line}\n")).collect()
    }
}

/// The lines of one stream.
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    /// The first thing that `pick` finds in a line; `None` once the stream has ended or `patience` is at its end.
    pub(crate) fn find<T>(&self, patience: Duration, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        let end = Instant::now() + patience;
        loop {
            let line = self.0.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            if let Some(found) = pick(&line) {
                return Some(found);
            }
        }
    }

    /// Waits for the end of the stream, which is the end of the program; false if it lasts longer than `patience`.
    pub(crate) fn ended(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        loop {
            match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }
}

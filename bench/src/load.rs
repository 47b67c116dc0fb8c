//! Drives many keep-alive connections from one thread: each sends its next request when the last is answered.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::histogram::Histogram;
use crate::http::{Answer, ResponseReader};
use crate::workload::{Shown, Source};

/// A connection that fails so often in a row is given up.
const FAILURES: u32 = 10;

/// When no more requests are sent.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Requests(u64),
}

/// What came of some requests.
pub(crate) struct Outcome {
    /// Latencies of the right answers.
    pub(crate) latencies: Histogram,
    /// Time in which requests were sent, and the right answers that came within it.
    pub(crate) elapsed: Duration,
    pub(crate) in_time: u64,
    /// All that came, right or not.
    pub(crate) answers: u64,
    /// Connections refused, broken or silent, and answers that are not HTTP.
    pub(crate) errors: u64,
    pub(crate) error_examples: BTreeMap<String, u64>,
    /// Answers with another status than the right one.
    pub(crate) other_statuses: BTreeMap<u16, u64>,
    /// Answers with the right status that do not show what they must.
    pub(crate) wrong: u64,
    /// Bytes of bodies.
    pub(crate) body_bytes: u64,
}

impl Outcome {
    pub(crate) fn new() -> Self {
        Self {
            latencies: Histogram::new(),
            elapsed: Duration::ZERO,
            in_time: 0,
            answers: 0,
            errors: 0,
            error_examples: BTreeMap::new(),
            other_statuses: BTreeMap::new(),
            wrong: 0,
            body_bytes: 0,
        }
    }

    /// Adds another round.
    pub(crate) fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        self.elapsed += other.elapsed;
        self.in_time += other.in_time;
        self.answers += other.answers;
        self.errors += other.errors;
        for (text, count) in other.error_examples {
            *self.error_examples.entry(text).or_default() += count;
        }
        for (status, count) in other.other_statuses {
            *self.other_statuses.entry(status).or_default() += count;
        }
        self.wrong += other.wrong;
        self.body_bytes += other.body_bytes;
    }

    fn error(&mut self, what: &str) {
        self.errors += 1;
        *self.error_examples.entry(what.to_owned()).or_default() += 1;
    }
}

struct Connection {
    stream: TcpStream,
    reader: ResponseReader,
    request: Vec<u8>,
    written: usize,
    sent: Instant,
    /// The number of the request at its source; `None` when none is open.
    open: Option<usize>,
    failures: u32,
}

/// Opened connections, ready to be driven.
pub(crate) struct Load {
    address: SocketAddr,
    poll: Poll,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    outcome: Outcome,
    stop: Option<Instant>,
    left: u64,
}

impl Load {
    /// Connects, before any clock runs.
    pub(crate) fn open(address: SocketAddr, connections: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let connections = (0..connections)
            .map(|index| {
                Ok(Connection {
                    stream: connect(&poll, address, index)?,
                    reader: ResponseReader::new(),
                    request: Vec::new(),
                    written: 0,
                    sent: Instant::now(),
                    open: None,
                    failures: 0,
                })
            })
            .collect::<Result<_>>()?;
        let outcome = Outcome::new();
        Ok(Self {
            address,
            poll,
            connections,
            buffer: vec![0; 256 * 1024],
            outcome,
            stop: None,
            left: u64::MAX,
        })
    }

    /// Sends until told, then waits for what is still open, at most `patience`.
    pub(crate) fn run(
        mut self,
        source: &mut dyn Source,
        until: Until,
        patience: Duration,
    ) -> Result<Outcome> {
        let start = Instant::now();
        match until {
            Until::Elapsed(duration) => self.stop = Some(start + duration),
            Until::Requests(count) => self.left = count,
        }
        for index in 0..self.connections.len() {
            self.send_next(index, source, Instant::now());
        }
        let mut events = Events::with_capacity(256);
        let mut last_answer = start;
        while self.connections.iter().any(|connection| connection.open.is_some()) {
            if last_answer.elapsed() > patience {
                break;
            }
            match self.poll.poll(&mut events, Some(Duration::from_millis(100).min(patience))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("poll")?,
            }
            for event in &events {
                if self.ready(event.token().0, source) {
                    last_answer = Instant::now();
                }
            }
        }
        let silent = self.connections.iter().filter(|connection| connection.open.is_some()).count();
        for _ in 0..silent {
            self.outcome.error("no answer in time");
        }
        self.outcome.elapsed = match until {
            Until::Elapsed(duration) => duration,
            Until::Requests(_) => start.elapsed(),
        };
        Ok(self.outcome)
    }

    /// Writes what is left to write and reads what there is; true when a whole answer came.
    fn ready(&mut self, index: usize, source: &mut dyn Source) -> bool {
        if self.connections[index].open.is_none() {
            return false;
        }
        if let Err(error) = self.connections[index].write() {
            self.broken(index, &error.to_string(), source);
            return false;
        }
        loop {
            let connection = &mut self.connections[index];
            let answer = match connection.stream.read(&mut self.buffer) {
                Ok(0) => match connection.reader.end_of_stream() {
                    Some(answer) => Ok(Some(answer)),
                    None => Err("closed before the end of the answer".to_owned()),
                },
                Ok(read) => connection.reader.feed(&self.buffer[..read]).map_err(|error| error.to_string()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error.kind().to_string()),
            };
            match answer {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    self.answered(index, answer, source);
                    return true;
                }
                Err(what) => {
                    self.broken(index, &what, source);
                    return false;
                }
            }
        }
    }

    fn answered(&mut self, index: usize, answer: Answer, source: &mut dyn Source) {
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let Some(number) = connection.open.take() else {
            return;
        };
        connection.failures = 0;
        self.outcome.answers += 1;
        self.outcome.body_bytes += connection.reader.body().len() as u64;
        let expected = source.expected(number);
        let shown = match expected.shown {
            Shown::Head(text) => memmem::find(connection.reader.head(), text),
            Shown::Body(text) => memmem::find(connection.reader.body(), text),
        };
        if answer.status != expected.status {
            *self.outcome.other_statuses.entry(answer.status).or_default() += 1;
        } else if shown.is_none() {
            self.outcome.wrong += 1;
        } else {
            self.outcome.latencies.record(now - connection.sent);
            self.outcome.in_time += u64::from(self.stop.is_none_or(|stop| now <= stop));
        }
        if !answer.keep_alive && self.wants_more(now) && !self.reconnect(index) {
            return;
        }
        self.send_next(index, source, now);
    }

    fn wants_more(&self, now: Instant) -> bool {
        self.left > 0 && self.stop.is_none_or(|stop| now < stop)
    }

    fn send_next(&mut self, index: usize, source: &mut dyn Source, now: Instant) {
        if !self.wants_more(now) {
            return;
        }
        self.left -= 1;
        let connection = &mut self.connections[index];
        connection.open = Some(source.next(&mut connection.request));
        connection.written = 0;
        connection.reader.clear();
        connection.sent = now;
        // An error shows again when the connection is read, which is where it is counted.
        let _ = connection.write();
    }

    /// Counts a failure and goes on over a new connection, unless this keeps happening.
    fn broken(&mut self, index: usize, what: &str, source: &mut dyn Source) {
        self.outcome.error(what);
        let connection = &mut self.connections[index];
        connection.open = None;
        connection.failures += 1;
        let now = Instant::now();
        if connection.failures < FAILURES && self.wants_more(now) && self.reconnect(index) {
            self.send_next(index, source, now);
        }
    }

    fn reconnect(&mut self, index: usize) -> bool {
        match connect(&self.poll, self.address, index) {
            Ok(stream) => {
                self.connections[index].stream = stream;
                true
            }
            Err(error) => {
                self.outcome.error(&format!("connecting again: {error}"));
                false
            }
        }
    }
}

impl Connection {
    fn write(&mut self) -> std::io::Result<()> {
        while self.written < self.request.len() {
            match self.stream.write(&self.request[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A connected stream whose events carry its index.
fn connect(poll: &Poll, address: SocketAddr, index: usize) -> Result<TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10))
        .with_context(|| address.to_string())?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Expected;
    use std::net::TcpListener;
    use std::thread;

    struct Fixed;

    impl Source for Fixed {
        fn next(&mut self, request: &mut Vec<u8>) -> usize {
            request.clear();
            request.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            0
        }

        fn expected(&self, _number: usize) -> Expected<'_> {
            Expected { status: 200, shown: Shown::Body(b"right") }
        }
    }

    /// Answers each request with the next of `answers`, closing after one that says so; serves one connection
    /// after the other.
    fn serve(answers: Vec<&'static str>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut answers = answers.into_iter().peekable();
            while answers.peek().is_some() {
                let (mut stream, _) = listener.accept().unwrap();
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).unwrap_or(0) > 0 {
                    let Some(answer) = answers.next() else { return };
                    stream.write_all(answer.as_bytes()).unwrap();
                    if answer.contains("close") || answers.peek().is_none() {
                        break;
                    }
                }
            }
        });
        address
    }

    fn run(answers: Vec<&'static str>) -> Outcome {
        let requests = answers.len() as u64;
        let load = Load::open(serve(answers), 1).unwrap();
        load.run(&mut Fixed, Until::Requests(requests), Duration::from_secs(5)).unwrap()
    }

    const RIGHT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright";

    #[test]
    fn each_kind_of_answer_is_counted_where_it_belongs() {
        let outcome = run(vec![
            RIGHT,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong",
            "HTTP/1.1 500 Bug\r\nContent-Length: 5\r\n\r\nright",
            "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nright",
            RIGHT,
        ]);
        assert_eq!((outcome.in_time, outcome.answers, outcome.wrong, outcome.errors), (2, 5, 1, 0));
        assert_eq!(outcome.other_statuses, BTreeMap::from([(201, 1), (500, 1)]));
        assert_eq!(outcome.body_bytes, 25);
        assert!(outcome.latencies.percentile(500).is_some());
    }

    #[test]
    fn a_closed_connection_is_replaced() {
        let closing = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nright";
        let outcome = run(vec![closing, closing, RIGHT]);
        assert_eq!((outcome.in_time, outcome.errors), (3, 0));
    }

    #[test]
    fn a_cut_answer_is_an_error_and_the_run_goes_on() {
        let outcome = run(vec!["HTTP/1.1 200 OK\r\nX: close\r\nContent-Length: 9\r\n\r\nright", RIGHT]);
        assert_eq!((outcome.in_time, outcome.errors), (1, 1));
    }

    #[test]
    fn silence_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let load = Load::open(listener.local_addr().unwrap(), 2).unwrap();
        let outcome = load.run(&mut Fixed, Until::Requests(2), Duration::from_millis(1)).unwrap();
        assert_eq!((outcome.answers, outcome.errors), (0, 2));
    }
}

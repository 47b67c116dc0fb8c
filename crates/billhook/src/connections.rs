//! Connections: HTTP/1.1 and HTTP/2 (with prior knowledge) on one port, dropped when they stay silent.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::Service;

/// Most bytes of a request's line and headers.
const HEAD_LIMIT: usize = 64 * 1024;

/// Most headers of a request.
const HEADER_LIMIT: usize = 100;

/// Most requests at once in one HTTP/2 connection.
const STREAM_LIMIT: u32 = 128;

/// Accepts and serves connections until `ending` says true, then lets requests under way end. A connection without a
/// request, a half-sent one included, is dropped after `idle` to one and a half times `idle`.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    idle: Duration,
    mut ending: watch::Receiver<bool>,
) {
    let builder = builder();
    let served = watch::Sender::new(());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve_one(builder.clone(), stream, app.clone(), idle, ending.clone());
                let alive = served.subscribe();
                tokio::spawn(async move {
                    connection.await;
                    drop(alive);
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Most likely there are too many open files: some will be closed.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
    drop(listener);
    served.closed().await;
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Silence is noticed by `Watch`, which costs nothing per request; hyper's own timer would.
    builder.http1().header_read_timeout(None).max_headers(HEADER_LIMIT).max_buf_size(HEAD_LIMIT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAM_LIMIT)
        .max_header_list_size(HEAD_LIMIT as u32)
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn serve_one(
    builder: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    app: Router,
    idle: Duration,
    mut ending: watch::Receiver<bool>,
) {
    // An answer must not wait for the acknowledgement of the one before. Without it it is only slower.
    let _ = stream.set_nodelay(true);
    let watch = Arc::new(Watch::default());
    let service = Counted { app, watch: Arc::clone(&watch) };
    let io = Watched { stream: TokioIo::new(stream), watch: Arc::clone(&watch), line: Line::default() };
    let connection = builder.serve_connection(io, service);
    tokio::pin!(connection);
    let mut silent = Silence::default();
    let mut looks = tokio::time::interval(idle / 2);
    looks.tick().await;
    let mut is_ending = false;
    loop {
        tokio::select! {
            // What goes wrong in a connection is the client's affair: he broke it, or sent what is no HTTP.
            _ = connection.as_mut() => return,
            _ = looks.tick() => {
                if silent.look(&watch) {
                    return;
                }
            }
            _ = ending.wait_for(|ending| *ending), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// What happens in one connection.
#[derive(Default)]
struct Watch {
    begun: AtomicU64,
    under_way: AtomicUsize,
    /// Lines `Content-Length` that came, less those that requests had: see [`Counted::has_two_lengths`].
    lengths: AtomicI64,
}

/// How long a connection has been silent.
#[derive(Default)]
struct Silence {
    begun: u64,
    looks: u32,
}

impl Silence {
    /// Whether nothing has happened between three looks.
    fn look(&mut self, watch: &Watch) -> bool {
        let begun = watch.begun.load(Relaxed);
        let is_silent = begun == self.begun && watch.under_way.load(Relaxed) == 0;
        self.begun = begun;
        self.looks = if is_silent { self.looks + 1 } else { 0 };
        self.looks > 2
    }
}

/// The server behind one connection.
struct Counted {
    app: Router,
    watch: Arc<Watch>,
}

/// A request under way.
struct UnderWay(Arc<Watch>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Relaxed);
    }
}

impl Counted {
    /// A request with both `Content-Length` and `Transfer-Encoding` is how one request is smuggled in another. hyper
    /// drops the length without a word, so its line is noticed where bytes come in.
    fn has_two_lengths(&self, request: &http::Request<Incoming>) -> bool {
        if request.headers().contains_key(CONTENT_LENGTH) {
            self.watch.lengths.fetch_sub(1, Relaxed);
            return false;
        }
        request.headers().contains_key(TRANSFER_ENCODING) && self.watch.lengths.load(Relaxed) > 0
    }
}

type Answer =
    Pin<Box<dyn Future<Output = Result<axum::response::Response, std::convert::Infallible>> + Send>>;

impl hyper::service::Service<http::Request<Incoming>> for Counted {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Answer;

    fn call(&self, request: http::Request<Incoming>) -> Answer {
        self.watch.begun.fetch_add(1, Relaxed);
        self.watch.under_way.fetch_add(1, Relaxed);
        let under_way = UnderWay(Arc::clone(&self.watch));
        if self.has_two_lengths(&request) {
            let refused = crate::front::refuse(
                request.uri().path(),
                http::StatusCode::BAD_REQUEST,
                "Content-Length and Transfer-Encoding exclude each other",
            );
            return Box::pin(async move { Ok(crate::front::and_close(refused)) });
        }
        let answer = self.app.clone().call(Request::from(request.map(Body::new)));
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}

/// A stream whose incoming lines are watched.
struct Watched {
    stream: TokioIo<TcpStream>,
    watch: Arc<Watch>,
    line: Line,
}

/// The beginning of the line that is coming in.
#[derive(Default)]
struct Line {
    begin: [u8; LENGTH_NAME.len()],
    len: usize,
}

const LENGTH_NAME: &[u8] = b"content-length:";

impl Line {
    /// Takes the next bytes, and answers how many lines `Content-Length` became known by them.
    fn take(&mut self, bytes: &[u8]) -> i64 {
        let mut lengths = 0;
        let mut rest = bytes;
        loop {
            let end = memchr::memchr(b'\n', rest);
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.len < self.begin.len() {
                let taken = part.len().min(self.begin.len() - self.len);
                self.begin[self.len..self.len + taken].copy_from_slice(&part[..taken]);
                self.len += taken;
                if self.len == self.begin.len() && self.begin.eq_ignore_ascii_case(LENGTH_NAME) {
                    lengths += 1;
                }
            }
            let Some(end) = end else { return lengths };
            self.len = 0;
            rest = &rest[end + 1..];
        }
    }
}

impl Read for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Read into a buffer of our own first: what hyper's cursor was given cannot be looked at without `unsafe`.
        let mut bytes = [MaybeUninit::<u8>::uninit(); 8192];
        let room = into.remaining().min(bytes.len());
        let mut buffer = ReadBuf::uninit(&mut bytes[..room]);
        match Pin::new(&mut self.stream).poll_read(context, buffer.unfilled()) {
            Poll::Ready(Ok(())) => {
                let filled = buffer.filled();
                let lengths = self.line.take(filled);
                if lengths > 0 {
                    self.watch.lengths.fetch_add(lengths, Relaxed);
                }
                into.put_slice(filled);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl Write for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_length_is_seen_however_it_is_cut() {
        let head = b"POST /x HTTP/1.1\r\nHost: a\r\ncOntent-Length: 3\r\nX-Content-Length: 4\r\n\r\n";
        for cut in 0..head.len() {
            let mut line = Line::default();
            assert_eq!(line.take(&head[..cut]) + line.take(&head[cut..]), 1, "cut at {cut}");
        }
    }

    #[test]
    fn silence_is_three_looks_without_a_request() {
        let watch = Watch::default();
        let mut silence = Silence::default();
        assert!(!silence.look(&watch));
        watch.begun.fetch_add(1, Relaxed);
        assert!(!silence.look(&watch));
        assert!(!silence.look(&watch));
        assert!(!silence.look(&watch));
        assert!(silence.look(&watch));
    }

    #[test]
    fn a_request_under_way_is_no_silence() {
        let watch = Watch::default();
        watch.under_way.store(1, Relaxed);
        let mut silence = Silence::default();
        assert!(!(0..5).any(|_| silence.look(&watch)));
    }
}

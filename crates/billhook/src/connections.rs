//! Connections: HTTP/1.1 and HTTP/2 (with prior knowledge) on one port, dropped when they stay silent.

use crate::heads::Heads;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::io;
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service;

/// Most bytes of a request's line and headers.
const HEAD_LIMIT: usize = 64 * 1024;

/// Most headers of a request.
const HEADER_LIMIT: usize = 100;

/// Most requests at once in one HTTP/2 connection.
const STREAM_LIMIT: u32 = 128;

/// What a connection too many hears.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts and serves connections until `ending` says true, then lets requests under way end. More than `most` at once
/// are refused. A connection without a request, a half-sent one included, is dropped after `idle` to one and a half
/// times `idle`.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    idle: Duration,
    most: usize,
    mut ending: watch::Receiver<bool>,
) {
    let builder = builder();
    let served = watch::Sender::new(());
    let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ending.wait_for(|ending| *ending) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    turn_away(stream);
                    continue;
                };
                let connection =
                    serve_one(builder.clone(), (stream, peer), app.clone(), idle, ending.clone());
                let alive = served.subscribe();
                tokio::spawn(async move {
                    connection.await;
                    drop((place, alive));
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

/// Says why, and closes. A new socket has room for these bytes, so nobody waits; whether the client hears them is the
/// client's affair.
fn turn_away(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = io::Write::write_all(&mut stream, TOO_MANY);
        let _ = stream.shutdown(Shutdown::Write);
    }
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
    (stream, peer): (TcpStream, SocketAddr),
    app: Router,
    idle: Duration,
    mut ending: watch::Receiver<bool>,
) {
    // An answer must not wait for the acknowledgement of the one before. Without it it is only slower.
    let _ = stream.set_nodelay(true);
    let watch = Arc::new(Watch::default());
    let service = Counted { app, peer, watch: Arc::clone(&watch) };
    let io = Watched { stream: TokioIo::new(stream), watch: Arc::clone(&watch), heads: Heads::default() };
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
    /// Bytes that the client took: an answer may be long, and its reader slow.
    written: AtomicU64,
    /// The number, from 1, of the first request with an ambiguous length.
    ambiguous: OnceLock<u64>,
}

/// How long a connection has been silent.
#[derive(Default)]
struct Silence {
    begun: u64,
    written: u64,
    looks: u32,
}

impl Silence {
    /// Whether nothing has happened between three looks.
    fn look(&mut self, watch: &Watch) -> bool {
        let (begun, written) = (watch.begun.load(Relaxed), watch.written.load(Relaxed));
        let is_same = begun == self.begun && written == self.written;
        let is_silent = is_same && watch.under_way.load(Relaxed) == 0;
        (self.begun, self.written) = (begun, written);
        self.looks = if is_silent { self.looks + 1 } else { 0 };
        self.looks > 2
    }
}

/// The server behind one connection.
struct Counted {
    app: Router,
    /// Who is at the other end.
    peer: SocketAddr,
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
    /// Whether this request, or one before it, told its length in two ways: see [`Heads`].
    fn is_ambiguous(&self, number: u64) -> bool {
        self.watch.ambiguous.get().is_some_and(|first| *first <= number)
    }
}

type Answer =
    Pin<Box<dyn Future<Output = Result<axum::response::Response, std::convert::Infallible>> + Send>>;

impl hyper::service::Service<http::Request<Incoming>> for Counted {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = Answer;

    fn call(&self, request: http::Request<Incoming>) -> Answer {
        let number = self.watch.begun.fetch_add(1, Relaxed) + 1;
        self.watch.under_way.fetch_add(1, Relaxed);
        let under_way = UnderWay(Arc::clone(&self.watch));
        if self.is_ambiguous(number) {
            let refused = crate::front::refuse(
                request.uri().path(),
                http::StatusCode::BAD_REQUEST,
                "The body's length is ambiguous: Content-Length and Transfer-Encoding exclude each other",
            );
            return Box::pin(async move { Ok(crate::front::and_close(refused)) });
        }
        let mut request = Request::from(request.map(Body::new));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.app.clone().call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(under_way);
            answer
        })
    }
}

/// A stream whose incoming heads are watched.
struct Watched {
    stream: TokioIo<TcpStream>,
    watch: Arc<Watch>,
    heads: Heads,
}

impl Watched {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.watch.written.fetch_add(*bytes as u64, Relaxed);
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
                if let Some(number) = self.heads.take(filled) {
                    self.watch.ambiguous.get_or_init(|| number);
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
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(&written);
        written
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(&written);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_answer_that_is_being_read_is_no_silence() {
        let watch = Watch::default();
        let mut silence = Silence::default();
        let is_reading = |_| {
            watch.written.fetch_add(1, Relaxed);
            silence.look(&watch)
        };
        assert!(!(0..9).any(is_reading));
    }

    #[test]
    fn a_request_under_way_is_no_silence() {
        let watch = Watch::default();
        watch.under_way.store(1, Relaxed);
        let mut silence = Silence::default();
        assert!(!(0..5).any(|_| silence.look(&watch)));
    }
}

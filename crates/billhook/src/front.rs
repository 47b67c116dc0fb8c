//! What every request passes on its way to a desk, in one layer: its id, limits of size, time and number, `CORS`, a
//! panic that becomes a 500, gzip, its line in the log and its place in the metrics.

use crate::bodies::{Bodies, Held, Unheld, discard};
use crate::cors::Cors;
use crate::crowd::Crowd;
use crate::gzip;
use crate::metrics::{Metrics, RouteMetrics};
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use edge::{Reply, RequestContext};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower::{Layer, Service};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where Kill Bill's older clients put it.
const OLD_REQUEST_ID: HeaderName = HeaderName::from_static("x-killbill-request-id-req");

/// Most characters of a request id that a client chooses.
const REQUEST_ID_LIMIT: usize = 128;

/// Most bytes of memory for all bodies that are held at once.
const ROOM: usize = 128 * 1024 * 1024;

const BUSY: &str = "The server is busy; try again shortly";

/// The limits of a request.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Most bytes of a body.
    pub(crate) body: usize,
    /// How long a request may take; its body may take as long again to arrive.
    pub(crate) time: Duration,
    /// How long a connection may be without a request.
    pub(crate) idle: Duration,
    /// How many requests are worked on at once.
    pub(crate) concurrent: usize,
    /// How many more may wait.
    pub(crate) waiting: usize,
    /// How many connections may be open at once.
    pub(crate) connections: usize,
}

/// What the layer knows for all requests.
pub(crate) struct Front {
    pub(crate) limits: Limits,
    bodies: Bodies,
    pub(crate) crowd: Crowd,
    pub(crate) cors: Cors,
    pub(crate) metrics: Arc<Metrics>,
}

impl Front {
    pub(crate) fn new(limits: Limits, cors: Cors, metrics: Arc<Metrics>) -> Front {
        let bodies = Bodies::new(ROOM, limits.body);
        let crowd = Crowd::new(limits.concurrent, limits.waiting);
        Front { bodies, crowd, limits, cors, metrics }
    }
}

/// Puts a [`Front`] before a router.
#[derive(Clone)]
pub(crate) struct FrontLayer(pub(crate) Arc<Front>);

impl Layer<Route> for FrontLayer {
    type Service = FrontService;
    fn layer(&self, inner: Route) -> FrontService {
        FrontService { front: Arc::clone(&self.0), inner }
    }
}

/// One route behind a [`Front`].
#[derive(Clone)]
pub(crate) struct FrontService {
    front: Arc<Front>,
    inner: Route,
}

impl Service<Request> for FrontService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (front, route) = (Arc::clone(&self.front), self.inner.clone());
        Box::pin(async move { Ok(front.pass(request, route).await) })
    }
}

/// What an answer needs to know of its request once that is gone.
struct Asked {
    method: Method,
    path: String,
    origin: Option<HeaderValue>,
    /// Whether the browser at the other end must not hear what the desk says to browsers.
    is_silenced: bool,
    takes_gzip: bool,
}

impl Front {
    async fn pass(&self, request: Request, route: Route) -> Response {
        let begun = Instant::now();
        let measured = self.measured(&request);
        let (id, id_header) = request_id(request.headers());
        let token = user_token(request.headers(), &id);
        let context = Arc::new(RequestContext::new(id, token));
        let asked = Asked {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            origin: self.cors.origin(&request),
            is_silenced: self.cors.silences(&request),
            takes_gzip: gzip::is_accepted(request.headers()),
        };
        let answer = Arc::clone(&context).scope(self.answer(request, route, &asked)).await;
        let mut answer = self.dress(answer, &asked).await;
        answer.headers_mut().insert(REQUEST_ID, id_header);
        let took = begun.elapsed();
        measured.count(answer.status(), took);
        note(&context, &asked.method, measured, answer.status(), took);
        answer
    }

    /// The counters of the route that was found.
    fn measured(&self, request: &Request) -> &RouteMetrics {
        let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
        self.metrics.route(request.method(), path)
    }

    /// The route's answer, or why it was not asked.
    async fn answer(&self, request: Request, route: Route, asked: &Asked) -> Response {
        if let Some(preflight) = self.cors.preflight(&request) {
            return preflight;
        }
        if percent_encoding::percent_decode_str(&asked.path).decode_utf8().is_err() {
            return refuse(&asked.path, StatusCode::BAD_REQUEST, "The path is not UTF-8 text");
        }
        let busy = || refuse(&asked.path, StatusCode::SERVICE_UNAVAILABLE, BUSY);
        if self.crowd.is_full() {
            // None of the body is kept while so many wait. A client that sends without listening still hears why.
            if !request.headers().contains_key(EXPECT) {
                let _ = tokio::time::timeout(self.limits.time, discard(request.into_body())).await;
            }
            return busy();
        }
        let (request, _held) = match self.receive(request).await {
            Ok(received) => received,
            Err(refused) => return refused,
        };
        let work = async {
            let Some(_place) = self.crowd.enter().await else { return busy() };
            unpanicked(route, request, &asked.path).await
        };
        tokio::time::timeout(self.limits.time, work).await.unwrap_or_else(|_| {
            refuse(&asked.path, StatusCode::SERVICE_UNAVAILABLE, "The request took too long")
        })
    }

    /// Waits for the whole body, which takes room in memory until the second value is dropped. Nothing else is held
    /// meanwhile. Many slow senders of large bodies can keep other large ones out until their time is over, but not
    /// small ones, for whom a share of the room is kept.
    async fn receive(&self, request: Request) -> Result<(Request, Held<'_>), Response> {
        if request.body().is_end_stream() {
            return Ok((request, Held::default()));
        }
        let (parts, body) = request.into_parts();
        let refuse = |status, message: &str| and_close(refuse(parts.uri.path(), status, message));
        let too_large = || {
            let message = format!("The body has more than {} bytes", self.limits.body);
            refuse(StatusCode::PAYLOAD_TOO_LARGE, &message)
        };
        let told = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if told.is_some_and(|length: usize| length > self.limits.body) {
            // Clients that are not listening while they send would see a broken connection, and not why.
            let _ = tokio::time::timeout(self.limits.time, discard(body)).await;
            return Err(too_large());
        }
        match tokio::time::timeout(self.limits.time, self.bodies.hold(body, told)).await {
            Ok(Ok((bytes, held))) => Ok((Request::from_parts(parts, Body::from(bytes)), held)),
            Ok(Err(Unheld::TooLong)) => Err(too_large()),
            Ok(Err(Unheld::NoRoom)) => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, BUSY)),
            Ok(Err(Unheld::Broken)) => Err(refuse(StatusCode::BAD_REQUEST, "The body is incomplete")),
            Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")),
        }
    }

    /// The answer with the headers that all answers have, compressed if that pays.
    async fn dress(&self, answer: Response, asked: &Asked) -> Response {
        let mut answer = answer;
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().entry(RETRY_AFTER).or_insert(HeaderValue::from_static("1"));
        }
        if let Some(origin) = &asked.origin {
            self.cors.allow(answer.headers_mut(), origin);
        }
        if asked.is_silenced {
            Cors::silence(answer.headers_mut());
        }
        if asked.takes_gzip { gzip::compress(answer).await } else { answer }
    }
}

/// The id of a request: the client's, if it is printable and not too long, or a new one.
fn request_id(headers: &HeaderMap) -> (String, HeaderValue) {
    let given = [REQUEST_ID, OLD_REQUEST_ID].iter().find_map(|name| {
        let given = headers.get(name)?;
        let text = given.to_str().ok().filter(|text| !text.is_empty() && text.len() <= REQUEST_ID_LIMIT)?;
        Some((text.to_owned(), given.clone()))
    });
    if let Some(given) = given {
        return given;
    }
    let mut buffer = Uuid::encode_buffer();
    let text: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    let header = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"));
    (text.to_owned(), header)
}

/// The user token of the audit records: the request's id if that is a UUID, else the one in the old header, else a new
/// one.
fn user_token(headers: &HeaderMap, id: &str) -> Uuid {
    let old = || Uuid::parse_str(headers.get(&OLD_REQUEST_ID)?.to_str().ok()?).ok();
    Uuid::parse_str(id).ok().or_else(old).unwrap_or_else(Uuid::new_v4)
}

/// The answer of `route`. A panic is a bug of ours: its place is in the log under the request's id, and the caller
/// hears only that.
async fn unpanicked(mut route: Route, request: Request, path: &str) -> Response {
    let mut future = pin!(route.call(request));
    let polled = std::future::poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        polled.map_or(Poll::Ready(None), |polled| polled.map(Some))
    });
    match polled.await {
        Some(Ok(answer)) => answer,
        None => {
            tracing::error!(request_id = edge::request_id(), "a handler panicked");
            let message = "The server failed; its log has the reason under this request's id";
            refuse(path, StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }
}

/// An answer without a desk, in the shape that the clients of the path know.
pub(crate) fn refuse(path: &str, status: StatusCode, message: &str) -> Response {
    let body = if path.starts_with("/1.0/") {
        let is_argument = status == StatusCode::BAD_REQUEST;
        let class = if is_argument { "IllegalArgumentException" } else { "RuntimeException" };
        serde_json::json!({
            "className": format!("java.lang.{class}"), "code": null, "message": message,
            "causeClassName": null, "causeMessage": null, "stackTrace": []
        })
    } else if path == "/api" || path.starts_with("/api/") {
        serde_json::json!({ "detail": message })
    } else {
        serde_json::json!({ "message": message })
    };
    Reply::json(status, &body).into_response()
}

/// The same, as the last answer of its connection: what else the client sends would be taken for a request.
pub(crate) fn and_close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The line of a request in the log. It has the route instead of the path and no query: those may be personal.
fn note(
    context: &RequestContext,
    method: &Method,
    measured: &RouteMetrics,
    status: StatusCode,
    took: Duration,
) {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "billhook::access",
                request_id = context.id(), %method, route = measured.path(), status = status.as_u16(), micros,
                tenant = context.tenant(),
            )
        };
    }
    if status.is_server_error() { line!(warn) } else { line!(info) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::to_bytes;
    use axum::routing::get;

    /// A server with a handler that panics at once, one that does later, and one that does not.
    fn app() -> Router {
        let second = Duration::from_secs(1);
        let limits =
            Limits { body: 10, time: second, idle: second, concurrent: 1, waiting: 0, connections: 1 };
        let metrics = Arc::new(Metrics::new(std::iter::empty()));
        let front = Front::new(limits, Cors::new(Vec::new()), metrics);
        async fn panics() -> &'static str {
            panic!("on purpose")
        }
        async fn panics_later() -> &'static str {
            tokio::task::yield_now().await;
            panic!("on purpose")
        }
        Router::new()
            .route("/1.0/kb/panics", get(panics))
            .route("/customers", get(panics_later))
            .route("/api/users", get(panics_later))
            .route("/v1/account", get(|| async { "well" }))
            .layer(FrontLayer(Arc::new(front)))
    }

    async fn ask(app: &mut Router, path: &str) -> (StatusCode, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = app.call(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_500_in_the_desks_shape_and_takes_no_place() {
        let mut app = app();
        for _ in 0..3 {
            let (status, body) = ask(&mut app, "/1.0/kb/panics").await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(body.contains("java.lang.RuntimeException") && !body.contains("on purpose"), "{body}");
            let (status, body) = ask(&mut app, "/customers").await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            assert!(body.starts_with("{\"message\":") && !body.contains("on purpose"), "{body}");
            let (_, body) = ask(&mut app, "/api/users").await;
            assert!(body.starts_with("{\"detail\":") && !body.contains("on purpose"), "{body}");
        }
        assert_eq!(ask(&mut app, "/v1/account").await, (StatusCode::OK, "well".to_owned()));
    }
}

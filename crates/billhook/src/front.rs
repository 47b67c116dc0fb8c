//! What every request passes on its way to a desk, in one layer: its id, limits of size, time and number, `CORS`, a
//! panic that becomes a 500, gzip, its line in the log and its place in the metrics.

use crate::crowd::Crowd;
use crate::metrics::{Metrics, RouteMetrics};
use crate::{cors::Cors, gzip};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::Route;
use edge::{Reply, RequestContext};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
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

/// Most bytes of a too long body that are taken in before it is refused.
const FORGIVEN: usize = 8 * 1024 * 1024;

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
}

/// What the layer knows for all requests.
pub(crate) struct Front {
    pub(crate) limits: Limits,
    pub(crate) crowd: Crowd,
    pub(crate) cors: Cors,
    pub(crate) metrics: Arc<Metrics>,
}

impl Front {
    pub(crate) fn new(limits: Limits, cors: Cors, metrics: Arc<Metrics>) -> Front {
        Front { crowd: Crowd::new(limits.concurrent, limits.waiting), limits, cors, metrics }
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
        let request = match self.receive(request).await {
            Ok(request) => request,
            Err(refused) => return refused,
        };
        let work = async {
            let Some(_place) = self.crowd.enter().await else {
                let busy = "The server is busy; try again shortly";
                return refuse(&asked.path, StatusCode::SERVICE_UNAVAILABLE, busy);
            };
            unpanicked(route, request, &asked.path).await
        };
        tokio::time::timeout(self.limits.time, work).await.unwrap_or_else(|_| {
            refuse(&asked.path, StatusCode::SERVICE_UNAVAILABLE, "The request took too long")
        })
    }

    /// Waits for the whole body. Nothing is held meanwhile, so that slow senders hinder nobody.
    async fn receive(&self, request: Request) -> Result<Request, Response> {
        if request.body().is_end_stream() {
            return Ok(request);
        }
        let (parts, body) = request.into_parts();
        let too_large = || {
            let message = format!("The body has more than {} bytes", self.limits.body);
            and_close(refuse(parts.uri.path(), StatusCode::PAYLOAD_TOO_LARGE, &message))
        };
        let told = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if told.is_some_and(|length: u64| length > self.limits.body as u64) {
            // Clients that are not listening while they send would see a broken connection, and not why.
            let _ = tokio::time::timeout(self.limits.time, discard(body)).await;
            return Err(too_large());
        }
        match tokio::time::timeout(self.limits.time, to_bytes(body, self.limits.body)).await {
            Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
            Ok(Err(error)) if is_over_limit(&error) => Err(too_large()),
            Ok(Err(_)) => {
                Err(and_close(refuse(parts.uri.path(), StatusCode::BAD_REQUEST, "The body is incomplete")))
            }
            Err(_) => {
                let message = "The body did not arrive in time";
                Err(and_close(refuse(parts.uri.path(), StatusCode::REQUEST_TIMEOUT, message)))
            }
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

/// Takes in a body and forgets it, as far as it is worth the while.
async fn discard(mut body: Body) {
    let mut left = FORGIVEN;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
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

//! How every answer of this desk behaves: one resource with and without a slash at the end, CORS, OPTIONS, Accept.

use crate::session::OperatorCall;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use edge::{Reply, Route, SharedEdge};
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, ORIGIN, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, StatusCode};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, PUT, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization,Content-Type,Location,X-Killbill-ApiKey,X-Killbill-ApiSecret,X-Killbill-Comment,\
     X-Killbill-CreatedBy,X-Killbill-Pagination-CurrentOffset,X-Killbill-Pagination-MaxNbRecords,\
     X-Killbill-Pagination-NextOffset,X-Killbill-Pagination-NextPageUri,X-Killbill-Pagination-TotalNbRecords,\
     X-Killbill-Reason",
);

/// The desk's router: its operations with the manners of its contract, and 404 to all else beneath `/1.0/kb`.
pub(crate) fn router(mut routes: Vec<Route>) -> Router<SharedEdge> {
    let options = edge::options_of(&routes);
    routes.extend(options);
    edge::router_with_slashes(routes)
        .route("/1.0/kb", any(unknown))
        .route("/1.0/kb/{*rest}", any(unknown))
        .layer(from_fn(manners))
}

/// What is not there is not there for those alone who may ask.
async fn unknown(State(edge): State<SharedEdge>, request: Request) -> Response {
    let not_found = StatusCode::NOT_FOUND.into_response();
    if request.method() == Method::OPTIONS {
        return not_found;
    }
    let (mut parts, _) = request.into_parts();
    match OperatorCall::from_request_parts(&mut parts, &edge).await {
        Ok(_) => not_found,
        Err(unauthenticated) => unauthenticated,
    }
}

async fn manners(request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let accept = request.headers().get(ACCEPT).cloned();
    let method = request.method().clone();
    let mut response = next.run(request).await;
    if matches!(method, Method::GET | Method::HEAD) && !is_acceptable(accept.as_ref(), &response) {
        response = Reply::empty(StatusCode::NOT_ACCEPTABLE).into_response();
    }
    // Who is not let in learns nothing, CORS included.
    if !response.headers().contains_key(WWW_AUTHENTICATE) {
        allow_origin(&mut response, origin);
    }
    response
}

/// Whether the caller takes what he gets. Only a success can be of the wrong type.
fn is_acceptable(accept: Option<&HeaderValue>, response: &Response<Body>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (Some(accept), Some(content_type)) = (accept.and_then(|value| value.to_str().ok()), content_type)
    else {
        return true;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let (main, _) = essence.split_once('/').unwrap_or((essence, ""));
    let takes = |range: &str| {
        let range = range.split(';').next().unwrap_or_default().trim();
        range.eq_ignore_ascii_case(essence)
            || range == "*/*"
            || range == "*"
            || range.split_once('/').is_some_and(|(kind, any)| any == "*" && kind.eq_ignore_ascii_case(main))
    };
    response.status() != StatusCode::OK || accept.trim().is_empty() || accept.split(',').any(takes)
}

fn allow_origin(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    if origin.is_some() {
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.unwrap_or(HeaderValue::from_static("*")));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HEADERS);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

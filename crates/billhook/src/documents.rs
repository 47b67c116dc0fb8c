//! The desks' API documents: `/openapi/{desk}.json`, and `/docs` to browse them, which works without the Internet.

use axum::Router;
use axum::extract::Path;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use edge::{Reply, SharedEdge};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::io::Read;
use std::sync::OnceLock;

/// A desk's name in paths, its name for people, and its document.
type Desk = (&'static str, &'static str, fn() -> Result<Value, String>);

/// The desks that have documents.
const DESKS: &[Desk] = &[
    ("killbill", "Kill Bill", api_killbill::openapi),
    ("mikrocloud", "MikroCloud", api_mikrocloud::openapi),
    ("togai", "Togai", api_togai::openapi),
    ("djaoapp", "DjaoApp", api_djaoapp::openapi),
];

/// RapiDoc, packed: MIT license, see `assets/rapidoc.LICENSE.txt`.
const RAPIDOC: &[u8] = include_bytes!("../assets/rapidoc-9.3.8.min.js.gz");
const RAPIDOC_PATH: &str = "/docs/rapidoc-9.3.8.js";
const RAPIDOC_LICENSE: &str = include_str!("../assets/rapidoc.LICENSE.txt");

pub(crate) fn routes() -> Router<SharedEdge> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/openapi/{file}", get(document))
        // Where Kill Bill has its own.
        .route("/openapi.json", get(|| async { document(Path("killbill.json".to_owned())).await }))
        .route("/docs", get(first_page))
        .route("/docs/", get(first_page))
        .route("/docs/{desk}", get(page))
        .route(RAPIDOC_PATH, get(rapidoc))
        .route("/docs/rapidoc.LICENSE.txt", get(|| async { RAPIDOC_LICENSE }))
}

/// The document of `{desk}.json`, made at the first call.
async fn document(Path(file): Path<String>) -> Response {
    static TEXTS: OnceLock<Vec<(&str, Result<String, String>)>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        DESKS
            .iter()
            .map(|(desk, _, document)| (*desk, document().map(|document| document.to_string())))
            .collect()
    });
    let name = file.strip_suffix(".json").unwrap_or_default();
    match texts.iter().find(|(desk, _)| *desk == name) {
        Some((_, Ok(text))) => Reply::text(StatusCode::OK, "application/json", text.clone()).into_response(),
        Some((desk, Err(why))) => {
            tracing::error!(desk, why, "the API document is broken");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => crate::front::refuse("/openapi", StatusCode::NOT_FOUND, "There is no such document"),
    }
}

async fn first_page() -> Response {
    page(Path(DESKS.first().map_or("", |(desk, _, _)| *desk).to_owned())).await
}

/// A page that shows the document of one desk, with links to the others.
async fn page(Path(name): Path<String>) -> Response {
    if !DESKS.iter().any(|(desk, _, _)| *desk == name) {
        return crate::front::refuse("/docs", StatusCode::NOT_FOUND, "There is no such desk");
    }
    let links: String = DESKS
        .iter()
        .map(|(desk, title, _)| {
            let current = if *desk == name { " aria-current=\"page\"" } else { "" };
            format!("<a href=\"/docs/{desk}\"{current}>{title}</a>")
        })
        .collect();
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Billhook: API</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\">\n\
         <style>nav a {{ margin-right: 1.5em; color: #fff }} nav a[aria-current] {{ font-weight: bold }}</style>\n\
         <script type=\"module\" src=\"{RAPIDOC_PATH}\"></script></head>\n\
         <body><rapi-doc spec-url=\"/openapi/{name}.json\" render-style=\"read\" theme=\"light\" load-fonts=\"false\"\n\
         show-header=\"true\" allow-spec-url-load=\"false\" allow-spec-file-load=\"false\" allow-server-selection=\"false\"\n\
         header-color=\"#234\" heading-text=\"Billhook\"><span slot=\"logo\"></span><nav slot=\"header\">{links}</nav></rapi-doc></body></html>\n"
    ))
    .into_response()
}

/// RapiDoc's program, packed for whom takes it so.
async fn rapidoc(headers: HeaderMap) -> Response {
    let fixed = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (VARY, "accept-encoding"),
    ];
    if crate::gzip::is_accepted(&headers) {
        return (fixed, [(CONTENT_ENCODING, "gzip")], RAPIDOC).into_response();
    }
    let mut program = Vec::new();
    match flate2::read::GzDecoder::new(RAPIDOC).read_to_end(&mut program) {
        Ok(_) => (fixed, program).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! A client that tells what happened.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Method, Request};

/// A client with a base URL and headers that go with every request. Cheap to clone; each `with…` method answers a
/// changed copy, so that one test can be several callers.
///
/// No status is an error by itself: a test states the one it wants with [`Response::status`].
#[derive(Clone)]
pub struct Http {
    base: String,
    headers: Vec<(String, String)>,
}

impl Http {
    /// A client that sends nothing but what it is told. Paths are put after `base`.
    pub fn new(base: impl Into<String>) -> Http {
        Http { base: base.into(), headers: Vec::new() }
    }

    /// With this header in place of any of the same name.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Http {
        let mut changed = self.without(name);
        changed.headers.push((name.to_owned(), value.into()));
        changed
    }

    /// Without any header of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Http {
        let mut changed = self.clone();
        changed.headers.retain(|(present, _)| !present.eq_ignore_ascii_case(name));
        changed
    }

    /// With this user's name and password, as HTTP basic authentication.
    #[must_use]
    pub fn with_user(&self, user: &str, password: &str) -> Http {
        self.with("Authorization", format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
    }

    /// With this bearer token.
    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Http {
        self.with("Authorization", format!("Bearer {token}"))
    }

    /// `GET`. A path may also be a whole URL, such as the `Location` of an answer.
    #[track_caller]
    pub fn get(&self, path: impl AsRef<str>) -> Response {
        self.request("GET", path, None)
    }

    /// `POST` with a JSON body.
    #[track_caller]
    pub fn post(&self, path: impl AsRef<str>, body: Value) -> Response {
        self.request("POST", path, Some(&body))
    }

    /// `PUT` with a JSON body.
    #[track_caller]
    pub fn put(&self, path: impl AsRef<str>, body: Value) -> Response {
        self.request("PUT", path, Some(&body))
    }

    /// `PATCH` with a JSON body.
    #[track_caller]
    pub fn patch(&self, path: impl AsRef<str>, body: Value) -> Response {
        self.request("PATCH", path, Some(&body))
    }

    /// `DELETE` without a body.
    #[track_caller]
    pub fn delete(&self, path: impl AsRef<str>) -> Response {
        self.request("DELETE", path, None)
    }

    /// Any method, with a JSON body or none.
    #[track_caller]
    pub fn request(&self, method: &str, path: impl AsRef<str>, body: Option<&Value>) -> Response {
        match body {
            Some(body) => {
                self.with("Content-Type", "application/json").send(method, path, Some(body.to_string()))
            }
            None => self.send(method, path, None::<&str>),
        }
    }

    /// Any method and any bytes as the body, with no `Content-Type` but the client's own.
    ///
    /// # Panics
    /// When no answer comes: the server is gone, or took longer than a minute.
    #[track_caller]
    pub fn send(&self, method: &str, path: impl AsRef<str>, body: Option<impl Into<Vec<u8>>>) -> Response {
        match self.try_send(method, path, body) {
            Ok(response) => response,
            Err(why) => panic!("{why}"),
        }
    }

    /// Like [`Http::send`], for a test that expects the connection to fail.
    ///
    /// # Errors
    /// What was asked and why no answer came.
    pub fn try_send(
        &self,
        method: &str,
        path: impl AsRef<str>,
        body: Option<impl Into<Vec<u8>>>,
    ) -> Result<Response, String> {
        let path = path.as_ref();
        let url = if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.base) };
        let asked = format!("{method} {url}");
        let body = body.map(Into::into);
        let answer =
            exchange(self.build(method, &url)?, body).map_err(|error| format!("{asked}: {error}"))?;
        let (parts, mut content) = answer.into_parts();
        let content = content.with_config().limit(256 << 20).read_to_vec();
        let body = content.map_err(|error| format!("{asked}: {}, then {error}", parts.status))?;
        Ok(Response { asked, status: parts.status.as_u16(), headers: parts.headers, body })
    }

    fn build(&self, method: &str, url: &str) -> Result<Request<()>, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(()).map_err(|error| format!("{method} {url} is no HTTP request: {error}"))
    }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn exchange(request: Request<()>, body: Option<Vec<u8>>) -> Answer {
    static AGENT: LazyLock<Agent> = LazyLock::new(|| {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(60)))
            .allow_non_standard_methods(true)
            .accept("*/*")
            .user_agent("billhook-tests")
            .max_idle_connections_per_host(16)
            .build();
        config.new_agent()
    });
    let (parts, ()) = request.into_parts();
    match body {
        Some(body) => AGENT.run(Request::from_parts(parts, body)),
        // Says `Content-Length: 0`, as clients do when they post nothing.
        None if [Method::POST, Method::PUT, Method::PATCH].contains(&parts.method) => {
            AGENT.run(Request::from_parts(parts, Vec::new()))
        }
        None => AGENT.run(Request::from_parts(parts, ())),
    }
}

/// What the server answered.
#[derive(Clone)]
pub struct Response {
    asked: String,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Response {
    /// Fails the test unless this is the status.
    #[track_caller]
    pub fn status(self, expected: u16) -> Response {
        assert!(self.status == expected, "expected status {expected}\n{self}");
        self
    }

    /// The status, for a test that allows several.
    pub fn code(&self) -> u16 {
        self.status
    }

    /// The value of a header, if it is there once or more: the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header that may come several times.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// The `Location` header.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("Location").unwrap_or_else(|| panic!("expected a Location header\n{self}"))
    }

    /// The last part of the path of the `Location` header: the id of what was made.
    #[track_caller]
    pub fn id(&self) -> String {
        let path = self.location().split('?').next().unwrap_or_default();
        path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("expected JSON: {error}\n{self}"))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("expected text: {error}\n{self}"))
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }
}

/// The whole exchange, for a person who reads why a test failed.
impl fmt::Display for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(out, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        let text = String::from_utf8_lossy(&self.body);
        let shown: String = text.chars().take(4000).collect();
        out.write_char('\n')?;
        out.write_str(&shown)?;
        if shown.len() < text.len() { write!(out, "… ({} bytes)", self.body.len()) } else { Ok(()) }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

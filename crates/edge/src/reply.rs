//! An answer, before it is on the wire: it can be kept with the key of an idempotent request and given again.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

/// A status, headers and a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    /// An answer with an empty body, said to be JSON as all desks' clients expect.
    pub fn empty(status: StatusCode) -> Reply {
        Reply::text(status, "application/json", String::new())
    }

    /// An answer with a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
        match serde_json::to_string(body) {
            Ok(body) => Reply::text(status, "application/json", body),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// An answer with a body of another type.
    pub fn text(status: StatusCode, content_type: &str, body: String) -> Reply {
        Reply {
            status: status.as_u16(),
            headers: vec![(CONTENT_TYPE.as_str().into(), content_type.into())],
            body,
        }
    }

    /// The same with one more header. A value that no header can carry is left out.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value))
            {
                headers.append(name, value);
            }
        }
        (self.status(), headers, self.body).into_response()
    }
}

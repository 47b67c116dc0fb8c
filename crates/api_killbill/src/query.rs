//! Query parameters, with Kill Bill's leniency: only `true` is true; what cannot be parsed is 404 with an empty body.

use crate::audit::AuditLevel;
use crate::error::not_found;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use edge::{Reply, SharedEdge};
use http::request::Parts;
use std::convert::Infallible;
use std::str::FromStr;

/// The parameters of a request, in order; a name may come more than once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequestParts<SharedEdge> for Query {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &SharedEdge) -> Result<Query, Infallible> {
        Ok(Query::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    /// From the text behind the question mark.
    pub(crate) fn parse(text: &str) -> Query {
        Query(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is `true`, in any case.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A number, id or enum; 404 when it cannot be understood.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Reply> {
        self.text(name).map(|text| text.parse().map_err(|_| not_found())).transpose()
    }

    /// The parameter `audit`.
    pub(crate) fn audit(&self) -> Result<AuditLevel, Reply> {
        AuditLevel::parse(self.text("audit"))
    }
}

/// A refusal found before the book was asked, as a handler's early answer.
pub(crate) struct Early(pub(crate) Reply);

impl From<Reply> for Early {
    fn from(reply: Reply) -> Early {
        Early(reply)
    }
}

impl IntoResponse for Early {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// What a handler returns: an answer either way.
pub(crate) type Answer = Result<Reply, Early>;

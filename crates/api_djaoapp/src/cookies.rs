//! Cookies: the session of a browser, and the token that proves that a write comes from the site's own pages (CSRF).

use edge::Reply;
use http::HeaderMap;
use http::header::{COOKIE, HOST, ORIGIN};
use operations::credentials::random_secret;
use operations::logins::LIFE;

/// The session.
pub(crate) const SESSION: &str = "sessionid";
/// What is to be sent back in [`CSRF_HEADER`] with every write.
pub(crate) const CSRF: &str = "csrftoken";
/// The header with it.
pub(crate) const CSRF_HEADER: &str = "x-csrftoken";

/// Characters of a token against forgery.
const CSRF_LENGTH: usize = 32;

/// The value of a cookie that the request brings.
pub(crate) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then_some(value)
    })
}

/// Whether a write by cookie comes from the site's own pages: it repeats the token, and no other origin is named.
pub(crate) fn is_own(headers: &HeaderMap, base: &str) -> bool {
    let sent = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| sent.len() == CSRF_LENGTH && read(headers, CSRF) == Some(sent))
        && is_own_origin(headers, base)
}

/// Whether the request names no other origin than the site.
pub(crate) fn is_own_origin(headers: &HeaderMap, base: &str) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let named = origin.split_once("://").map(|(_, host)| host);
    origin == base || (named.is_some() && named == host)
}

/// A token against forgery for a browser: the one that it has, if it has one.
pub(crate) fn csrf_token(headers: &HeaderMap) -> String {
    let is_token =
        |text: &&str| text.len() == CSRF_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    read(headers, CSRF).filter(is_token).map_or_else(random_secret, str::to_owned)
}

/// An answer that lets the browser keep a token against forgery. Scripts of the site may read it.
pub(crate) fn with_csrf(reply: Reply, token: &str, base: &str) -> Reply {
    let attributes = attributes(base);
    reply.with("set-cookie", format!("{CSRF}={token}; Max-Age={}; {attributes}", LIFE.as_secs()))
}

/// An answer that lets the browser keep a session. No script may read it.
pub(crate) fn with_session(reply: Reply, secret: &str, base: &str) -> Reply {
    let attributes = attributes(base);
    reply
        .with("set-cookie", format!("{SESSION}={secret}; Max-Age={}; HttpOnly; {attributes}", LIFE.as_secs()))
}

/// An answer that lets the browser forget both.
pub(crate) fn without(reply: Reply, base: &str) -> Reply {
    let attributes = attributes(base);
    let gone = |name: &str| format!("{name}=; Max-Age=0; {attributes}");
    reply.with("set-cookie", gone(SESSION)).with("set-cookie", gone(CSRF))
}

fn attributes(base: &str) -> &'static str {
    if base.starts_with("https:") { "Path=/; SameSite=Lax; Secure" } else { "Path=/; SameSite=Lax" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn cookies_are_found_among_others() {
        let headers = headers(&[("cookie", "a=1; sessionid=xyz;b=2; empty=")]);
        assert_eq!(read(&headers, SESSION), Some("xyz"));
        assert_eq!(read(&headers, "b"), Some("2"));
        assert_eq!((read(&headers, "empty"), read(&headers, "session")), (None, None));
    }

    #[test]
    fn a_write_repeats_the_token_and_comes_from_the_site() {
        let token = random_secret();
        let cookie = format!("csrftoken={token}");
        let right = [("cookie", cookie.as_str()), ("x-csrftoken", token.as_str()), ("host", "a.example")];
        let base = "https://b.example";
        assert!(is_own(&headers(&right), base));
        let from = |origin| [right.as_slice(), &[("origin", origin)]].concat();
        assert!(is_own(&headers(&from("http://a.example")), base));
        assert!(is_own(&headers(&from("https://b.example")), base));
        for origin in ["https://c.example", "null", "https://a.example.c.example"] {
            assert!(!is_own(&headers(&from(origin)), base), "{origin}");
        }
        assert!(!is_own(&headers(&right[..1]), base) && !is_own(&headers(&right[1..]), base));
        assert!(!is_own(&headers(&[("cookie", "csrftoken=a"), ("x-csrftoken", "a")]), base));
    }
}

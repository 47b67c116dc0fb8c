//! Registering, logging in, and what stays of it: tokens, cookies, codes, keys.

mod codes;
mod login;
mod secrets;

use super::Site;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testkit::Http;

/// A client with the token of an answer.
#[track_caller]
fn with_token_of(site: &Site<'_>, body: &Value) -> Http {
    site.visitor().with_bearer(body["token"].as_str().unwrap_or_else(|| panic!("{body} has no token")))
}

/// Logs in by password.
#[track_caller]
fn logged_in(site: &Site<'_>, name: &str, password: &str) -> Http {
    let body = json!({ "username": name, "password": password });
    with_token_of(site, &site.visitor().post("/api/auth", body).status(201).json())
}

/// The value of a cookie that an answer sets.
#[track_caller]
fn cookie(answer: &testkit::Response, name: &str) -> String {
    let begin = format!("{name}=");
    let lines = answer.headers("set-cookie");
    let line = lines.iter().find_map(|line| line.strip_prefix(&begin));
    let line = line.unwrap_or_else(|| panic!("{name} is not set in {lines:?}"));
    line.split(';').next().unwrap_or_default().to_owned()
}

/// What a token says, whoever signed it.
#[track_caller]
fn claims(body: &Value) -> Value {
    let token = body["token"].as_str().expect("a token is a text");
    let part = token.split('.').nth(1).expect("it has three parts");
    let bytes = URL_SAFE_NO_PAD.decode(part).expect("it is base 64");
    serde_json::from_slice(&bytes).expect("it is JSON")
}

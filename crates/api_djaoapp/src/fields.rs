//! The members of a body, read one by one, so that a wrong one is named. Forms bring texts where JSON has other types.

use billing::Refusal;
use serde_json::{Map, Value};

/// The members of a body.
pub(crate) type Members = Map<String, Value>;

/// A text, without the space around it. `None`: not mentioned; `Some(None)`: null or empty.
pub(crate) fn text(members: &Members, name: &'static str) -> Result<Option<Option<String>>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => {
            let text = text.trim();
            Ok(Some((!text.is_empty()).then(|| text.to_owned())))
        }
        Some(_) => Err(Refusal::invalid(name, "Not a valid string.")),
    }
}

/// A text that may be left away, but not be empty.
pub(crate) fn filled(members: &Members, name: &'static str) -> Result<Option<String>, Refusal> {
    match text(members, name)? {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => Err(Refusal::invalid(name, "This field may not be blank.")),
    }
}

/// Refuses a body that leaves a member away.
pub(crate) fn require(members: &Members, name: &'static str) -> Result<(), Refusal> {
    if members.contains_key(name) { Ok(()) } else { Err(Refusal::FieldMissing { field: name }) }
}

/// Longest address of a picture, in characters.
const URL_LIMIT: usize = 2083;

/// An address in the web, that may be left away or be nothing.
pub(crate) fn url(members: &Members, name: &'static str) -> Result<Option<Option<String>>, Refusal> {
    let url = text(members, name)?;
    if let Some(Some(url)) = &url {
        billing::text::check_text(name, url, URL_LIMIT, false)?;
        let is_url = url
            .parse::<http::Uri>()
            .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
        if !is_url {
            return Err(Refusal::invalid(name, "Enter a valid URL."));
        }
    }
    Ok(url)
}

/// Yes or no.
pub(crate) fn flag(members: &Members, name: &'static str) -> Result<Option<bool>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if matches!(text.as_str(), "true" | "True" | "1" | "on") => Ok(Some(true)),
        Some(Value::String(text)) if matches!(text.as_str(), "false" | "False" | "0" | "off") => {
            Ok(Some(false))
        }
        Some(_) => Err(Refusal::invalid(name, "Must be a valid boolean.")),
    }
}

/// Longest `extra`, in bytes.
const EXTRA_LIMIT: usize = 16 * 1024;

/// What callers keep: a text, or an object that is kept as its JSON.
pub(crate) fn extra(members: &Members) -> Result<Option<Option<String>>, Refusal> {
    let kept = match members.get("extra") {
        None => return Ok(None),
        Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Object(object)) => Some(Value::Object(object.clone()).to_string()),
        Some(_) => return Err(Refusal::invalid("extra", "Must be a text or an object.")),
    };
    check_extra(kept.as_deref())?;
    Ok(Some(kept))
}

/// Refuses more than is kept for callers.
pub(crate) fn check_extra(kept: Option<&str>) -> Result<(), Refusal> {
    if kept.is_some_and(|text| text.len() > EXTRA_LIMIT) {
        let why = format!("Ensure this field has no more than {EXTRA_LIMIT} bytes.");
        return Err(Refusal::invalid("extra", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_of_the_web() {
        let read = |text: &str| url(&Members::from_iter([("picture".to_owned(), json!(text))]), "picture");
        let right = format!("https://x.test/{}", "p".repeat(2083 - 15));
        assert_eq!(read(&right), Ok(Some(Some(right.clone()))));
        assert_eq!(read(""), Ok(Some(None)));
        let long = format!("{right}p");
        for wrong in
            ["x.test/a.png", "/a.png", "javascript:alert(1)", "ftp://x.test/", "https://", "a b", &long]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_are_read_by_their_kind() {
        let Value::Object(members) =
            json!({ "a": " x ", "b": "", "c": null, "d": 1, "e": true, "f": "true" })
        else {
            panic!("it is an object")
        };
        assert_eq!(text(&members, "a").ok(), Some(Some(Some("x".to_owned()))));
        assert_eq!(text(&members, "b").ok(), Some(Some(None)));
        assert_eq!(text(&members, "c").ok(), Some(Some(None)));
        assert_eq!(text(&members, "z").ok(), Some(None));
        assert!(
            text(&members, "d").is_err() && filled(&members, "b").is_err() && flag(&members, "d").is_err()
        );
        assert!(require(&members, "c").is_ok() && require(&members, "z").is_err());
        assert_eq!(flag(&members, "e").ok(), Some(Some(true)));
        assert_eq!(flag(&members, "f").ok(), Some(Some(true)));
    }
}

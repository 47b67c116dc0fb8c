//! The members of a body, read one by one, so that a wrong one is named. Forms bring texts where JSON has other types.

use crate::error::{Early, bad_field};
use serde_json::{Map, Value};

/// The members of a body.
pub(crate) type Members = Map<String, Value>;

/// A text, without the space around it. `None`: not mentioned; `Some(None)`: null or empty.
pub(crate) fn text(members: &Members, name: &str) -> Result<Option<Option<String>>, Early> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => {
            let text = text.trim();
            Ok(Some((!text.is_empty()).then(|| text.to_owned())))
        }
        Some(_) => Err(bad_field(name, "Not a valid string.").into()),
    }
}

/// A text that may be left away, but not be empty.
pub(crate) fn filled(members: &Members, name: &str) -> Result<Option<String>, Early> {
    match text(members, name)? {
        None => Ok(None),
        Some(Some(text)) => Ok(Some(text)),
        Some(None) => Err(bad_field(name, "This field may not be blank.").into()),
    }
}

/// Yes or no.
pub(crate) fn flag(members: &Members, name: &str) -> Result<Option<bool>, Early> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if matches!(text.as_str(), "true" | "True" | "1" | "on") => Ok(Some(true)),
        Some(Value::String(text)) if matches!(text.as_str(), "false" | "False" | "0" | "off") => {
            Ok(Some(false))
        }
        Some(_) => Err(bad_field(name, "Must be a valid boolean.").into()),
    }
}

/// Longest `extra`, in bytes.
const EXTRA_LIMIT: usize = 16 * 1024;

/// What callers keep: a text, or an object that is kept as its JSON.
pub(crate) fn extra(members: &Members) -> Result<Option<Option<String>>, Early> {
    let kept = match members.get("extra") {
        None => return Ok(None),
        Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Object(object)) => Some(Value::Object(object.clone()).to_string()),
        Some(_) => return Err(bad_field("extra", "Must be a text or an object.").into()),
    };
    if kept.as_ref().is_some_and(|text| text.len() > EXTRA_LIMIT) {
        return Err(
            bad_field("extra", &format!("Ensure this field has no more than {EXTRA_LIMIT} bytes.")).into()
        );
    }
    Ok(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        assert_eq!(flag(&members, "e").ok(), Some(Some(true)));
        assert_eq!(flag(&members, "f").ok(), Some(Some(true)));
    }
}

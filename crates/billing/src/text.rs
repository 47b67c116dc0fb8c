//! Rules about texts that people send: lengths count characters, control characters are refused.

use crate::Refusal;

/// Checks one text: no control characters (line breaks only where `multiline`), at most `limit` characters.
pub fn check_text(field: &'static str, text: &str, limit: usize, multiline: bool) -> Result<(), Refusal> {
    let forbidden = |c: char| c.is_control() && !(multiline && matches!(c, '\n' | '\r' | '\t'));
    if text.chars().any(forbidden) {
        return Err(Refusal::invalid(field, "must not contain control characters"));
    }
    if text.chars().count() > limit {
        return Err(Refusal::FieldTooLong { field, limit });
    }
    Ok(())
}

/// [`check_text`] for one line that may be absent.
pub fn check_line(field: &'static str, text: &Option<String>, limit: usize) -> Result<(), Refusal> {
    text.as_deref().map_or(Ok(()), |text| check_text(field, text, limit, false))
}

/// An e-mail address in the form `local@domain`, checked for shape only: one `@`, both sides present, no spaces.
pub fn check_email(field: &'static str, email: &str, limit: usize) -> Result<(), Refusal> {
    check_text(field, email, limit, false)?;
    let well_formed = match email.rsplit_once('@') {
        Some((local, domain)) => {
            !local.is_empty()
                && !local.contains('@')
                && !domain.is_empty()
                && !domain.starts_with('.')
                && !domain.ends_with('.')
                && !email.contains(char::is_whitespace)
        }
        None => false,
    };
    if well_formed { Ok(()) } else { Err(Refusal::invalid(field, "must be an e-mail address")) }
}

/// An assigned ISO 3166-1 alpha-2 code in upper case.
pub fn check_country(field: &'static str, code: &str) -> Result<(), Refusal> {
    let assigned = code.len() == 2
        && code.bytes().all(|byte| byte.is_ascii_uppercase())
        && celes::Country::from_alpha2(code).is_ok();
    if assigned {
        Ok(())
    } else {
        Err(Refusal::invalid(field, "must be a two-letter country code of ISO 3166-1"))
    }
}

/// Most objects that one request adds or changes.
pub const ITEMS_LIMIT: usize = 1_000;

/// Refuses a list of more than [`ITEMS_LIMIT`] objects.
pub fn check_items<T>(field: &'static str, items: &[T]) -> Result<(), Refusal> {
    if items.len() > ITEMS_LIMIT {
        return Err(Refusal::invalid(field, "must be at most 1000 in one request"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters_not_bytes() {
        assert!(check_text("name", &"é".repeat(50), 50, false).is_ok());
        assert_eq!(
            check_text("name", &"é".repeat(51), 50, false),
            Err(Refusal::FieldTooLong { field: "name", limit: 50 })
        );
    }

    #[test]
    fn control_characters_are_refused_but_notes_may_have_lines() {
        assert!(check_text("name", "a\0b", 50, true).is_err());
        assert!(check_text("name", "a\nb", 50, false).is_err());
        assert!(check_text("notes", "a\nb", 50, true).is_ok());
    }

    #[test]
    fn countries_must_be_assigned() {
        assert!(check_country("country", "AU").is_ok());
        for wrong in ["XX", "au", "AUS", "", "ZZ"] {
            assert!(check_country("country", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn emails_have_two_sides() {
        assert!(check_email("email", "john@laposte.com", 128).is_ok());
        for wrong in ["john", "@x.com", "john@", "a b@x.com", "a@@x.com"] {
            assert!(check_email("email", wrong, 128).is_err(), "{wrong}");
        }
    }
}

//! What may be said of a user as a person.

use crate::Refusal;
use crate::phone::parse_phone;
use crate::text::{check_email, check_line, check_text};

/// Longest name by which a user logs in, in characters.
pub const USERNAME_LIMIT: usize = 150;

/// Refuses a name to log in by that is empty, too long, or has other characters than ASCII letters, digits and `.@+-_`.
pub fn check_username(username: &str) -> Result<(), Refusal> {
    if username.is_empty() {
        return Err(Refusal::FieldMissing { field: "username" });
    }
    check_text("username", username, USERNAME_LIMIT, false)?;
    let is_allowed = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '@' | '+' | '-' | '_')
    };
    if username.chars().all(is_allowed) {
        Ok(())
    } else {
        Err(Refusal::invalid("username", "must be of letters, digits and . @ + - _"))
    }
}

/// Refuses a name by which somebody else may be looked for: an e-mail address that is not the user's own, or a phone number.
pub fn check_login_name(username: &str, email: Option<&str>) -> Result<(), Refusal> {
    check_username(username)?;
    if username.contains('@') && !email.is_some_and(|email| email.eq_ignore_ascii_case(username)) {
        return Err(Refusal::invalid("username", "must not be another e-mail address than the user's own"));
    }
    if parse_phone("username", username).is_ok() {
        return Err(Refusal::invalid("username", "must not be a phone number"));
    }
    Ok(())
}

/// Checks names, e-mail and language of a user.
pub fn check_person(
    full_name: &Option<String>,
    nick_name: &Option<String>,
    email: &Option<String>,
    lang: &Option<String>,
) -> Result<(), Refusal> {
    // The wire calls a person's name as a profile's.
    check_line("full_name", full_name, 60)?;
    check_line("nick_name", nick_name, 60)?;
    email.as_deref().map_or(Ok(()), |email| check_email("email", email, crate::organization::EMAIL_LIMIT))?;
    lang.as_deref().map_or(Ok(()), check_language)
}

/// A language code such as `en`, `pt-br` or `zh-hans`, at most 8 characters.
pub fn check_language(code: &str) -> Result<(), Refusal> {
    check_text("lang", code, 8, false)?;
    let mut parts = code.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_language
        && parts.all(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        Ok(())
    } else {
        Err(Refusal::invalid("lang", "must be a language code, such as en or pt-br"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_have_few_characters() {
        for right in ["a", "ann.b+c@x-y_z", "x".repeat(150).as_str()] {
            assert!(check_username(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "é", "a/b", "x".repeat(151).as_str()] {
            assert!(check_username(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_to_log_in_by_are_nobody_elses_addresses() {
        let own = Some("ann@x.test");
        for (right, email) in [("ann", None), ("Ann@x.test", own), ("4155552671a", None), ("007", None)] {
            assert!(check_login_name(right, email).is_ok(), "{right}");
        }
        for (wrong, email) in [
            ("ann@x.test", None),
            ("bob@x.test", own),
            ("+14155552671", own),
            ("415-555-2671", None),
            ("a b", None),
        ] {
            assert!(check_login_name(wrong, email).is_err(), "{wrong}");
        }
    }

    #[test]
    fn languages_are_codes() {
        for right in ["en", "pt-br", "zh-hans", "ast"] {
            assert!(check_language(right).is_ok(), "{right}");
        }
        for wrong in ["", "e", "EN", "english", "en-", "zh-hans-cn"] {
            assert!(check_language(wrong).is_err(), "{wrong}");
        }
    }
}

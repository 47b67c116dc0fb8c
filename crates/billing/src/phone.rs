//! Telephone numbers: E.164, whatever way they were written.

use crate::Refusal;
use crate::text::check_text;
use phonenumber::{Mode, country};

/// Longest text that is read as a number, in characters.
const TEXT_LIMIT: usize = 50;

/// A number as E.164, such as `+14155552671`. One without a country is read as one of the United States; refuses what is
/// no assignable number.
pub fn parse_phone(field: &'static str, text: &str) -> Result<String, Refusal> {
    check_text(field, text, TEXT_LIMIT, false)?;
    let wrong = || {
        Refusal::invalid(
            field,
            "must be a phone number with its country, such as +14155552671 (E.164)".to_owned(),
        )
    };
    let text = text.trim();
    // With a country at hand, the library takes that country's trunk prefix off international numbers, too.
    let home = if text.starts_with('+') { None } else { Some(country::US) };
    let number = phonenumber::parse(home, text).map_err(|_| wrong())?;
    if !number.is_valid() || number.extension().is_some() {
        return Err(wrong());
    }
    Ok(number.format().mode(Mode::E164).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_e164() {
        for (written, kept) in [
            ("+1 415 555 2671", "+14155552671"),
            ("(415) 555-2671", "+14155552671"),
            ("415-555-2671", "+14155552671"),
            ("1 415 555 2671", "+14155552671"),
            ("+49 30 901820", "+4930901820"),
            ("+33 1 42 68 53 00", "+33142685300"),
        ] {
            assert_eq!(parse_phone("phone", written), Ok(kept.to_owned()), "{written}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let long = "1".repeat(51);
        for wrong in ["", "abc", "555-5555", "01 42 68 53 00", "+999123456", "+1 123", "030 901820", &long] {
            assert!(parse_phone("phone", wrong).is_err(), "{wrong}");
        }
    }
}

//! E-mail addresses of an account beside its own.

use crate::Refusal;
use crate::text::check_text;
use serde::Serialize;
use uuid::Uuid;

/// Longest address, in characters.
pub const EMAIL_LIMIT: usize = 128;

/// An e-mail address of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountEmail {
    /// Its id.
    pub id: Uuid,
    /// The account.
    pub account_id: Uuid,
    /// The address, as it was given.
    pub email: String,
    /// Whether it has not been removed.
    pub is_active: bool,
}

/// An address for an account. Refuses what is empty or too long; its shape is not judged.
pub fn add(id: Uuid, account_id: Uuid, email: &str) -> Result<AccountEmail, Refusal> {
    if email.is_empty() {
        return Err(Refusal::FieldMissing { field: "email" });
    }
    check_text("email", email, EMAIL_LIMIT, false)?;
    Ok(AccountEmail { id, account_id, email: email.to_owned(), is_active: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_they_are_up_to_the_limit() {
        let add = |email: &str| add(Uuid::nil(), Uuid::nil(), email);
        assert_eq!(add("Ann@Example.com").unwrap().email, "Ann@Example.com");
        assert!(add(&"é".repeat(EMAIL_LIMIT)).is_ok());
        let too_long = Refusal::FieldTooLong { field: "email", limit: EMAIL_LIMIT };
        assert_eq!(add(&"é".repeat(EMAIL_LIMIT + 1)), Err(too_long));
        assert_eq!(add(""), Err(Refusal::FieldMissing { field: "email" }));
        assert!(add("a\0b@x.org").is_err());
    }
}

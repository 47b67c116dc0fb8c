//! What a body says to prove who somebody is: passwords and codes.

use crate::error::Early;
use crate::fields::Members;
use billing::Refusal;
use edge::SharedEdge;
use operations::proofs::{self, CheckedPassword, Proof};
use serde_json::Value;

/// Longest password or code that is looked at, in characters.
const SECRET_LIMIT: usize = 1024;

/// A password as it was typed; none when it is absent or empty.
pub(crate) fn password(members: &Members, name: &'static str) -> Result<Option<String>, Refusal> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.chars().count() > SECRET_LIMIT => {
            Err(Refusal::FieldTooLong { field: name, limit: SECRET_LIMIT })
        }
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::invalid(name, "Not a valid string.")),
    }
}

/// A new password, whole enough to be one; none when it is absent or empty.
pub(crate) fn new_password(members: &Members) -> Result<Option<String>, Refusal> {
    let password = password(members, "new_password")?;
    if let Some(password) = &password {
        proofs::check_password(password)?;
    }
    Ok(password)
}

/// A code of six digits: the contract has it as a number, which loses zeros in front.
pub(crate) fn code(members: &Members, name: &'static str) -> Result<Option<String>, Refusal> {
    match members.get(name) {
        Some(Value::Number(number)) => match number.as_u64() {
            Some(number) => Ok(Some(format!("{number:06}"))),
            None => Err(Refusal::invalid(name, "A valid integer is required.")),
        },
        _ => Ok(password(members, name)?.map(|code| code.trim().to_owned()).filter(|code| !code.is_empty())),
    }
}

/// The proof in a body, with a password that is still to be checked.
pub(crate) struct Told {
    /// The password.
    pub(crate) password: Option<String>,
    codes: Proof,
}

impl Told {
    pub(crate) fn of(members: &Members) -> Result<Told, Early> {
        let codes = Proof {
            password: None,
            otp_code: code(members, "otp_code")?,
            email_code: code(members, "email_code")?,
            phone_code: code(members, "phone_code")?,
        };
        Ok(Told { password: password(members, "password")?, codes })
    }

    /// Whether nothing is told that could prove anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.password.is_none() && self.codes.email_code.is_none() && self.codes.phone_code.is_none()
    }

    /// Whether a code that was sent by mail is told.
    pub(crate) fn has_email_code(&self) -> bool {
        self.codes.email_code.is_some()
    }

    /// The proof, with the password checked against a hash; that takes its time.
    pub(crate) async fn check(self, edge: &SharedEdge, hash: Option<String>) -> Result<Proof, Early> {
        let password = match self.password {
            None => None,
            Some(password) => {
                let is_right = edge.is_password(&password, hash.as_deref()).await?;
                Some(CheckedPassword { hash, is_right })
            }
        };
        Ok(Proof { password, ..self.codes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Option<String>, Refusal> {
        let members = json!({ "c": value });
        code(members.as_object().unwrap(), "c")
    }

    #[test]
    fn codes_are_numbers_or_texts() {
        assert_eq!(read(json!(12345)).ok().flatten().as_deref(), Some("012345"));
        assert_eq!(read(json!(" 012345 ")).ok().flatten().as_deref(), Some("012345"));
        assert_eq!(read(json!("")).ok(), Some(None));
        assert_eq!(read(json!(null)).ok(), Some(None));
        assert!(read(json!(-1)).is_err() && read(json!(1.5)).is_err() && read(json!([1])).is_err());
    }
}

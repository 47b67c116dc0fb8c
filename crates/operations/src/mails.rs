//! Mail to people: written from a template in the transaction of the change that tells of it, and sent by due work
//! outside of any transaction, because a mail server may be slow.

use crate::due_work;
use billing::{Refusal, TenantId, text};
use jiff::{SignedDuration, Timestamp};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::{Deserialize, Serialize};
use storage::due_work::DueWork;
use storage::mails::{self, Mail};
use storage::{Connection, Outcome, StoreError};
use uuid::Uuid;

/// The kind of due work.
pub const KIND: &str = storage::due_work::MAIL;

/// Another node takes a mail for unsent when the one that had begun to send it was silent for so long.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// Longest address of a recipient, in characters.
const ADDRESS_LIMIT: usize = 254;

/// The templates: the first line is the subject, the rest the text.
const TEMPLATES: &[(&str, &str)] = &[
    ("verification", include_str!("../templates/mails/verification.txt")),
    ("login", include_str!("../templates/mails/login.txt")),
    ("recovery", include_str!("../templates/mails/recovery.txt")),
    ("activation", include_str!("../templates/mails/activation.txt")),
    ("welcome", include_str!("../templates/mails/welcome.txt")),
    ("password_changed", include_str!("../templates/mails/password_changed.txt")),
    ("email_changed", include_str!("../templates/mails/email_changed.txt")),
    ("role_granted", include_str!("../templates/mails/role_granted.txt")),
    ("role_accepted", include_str!("../templates/mails/role_accepted.txt")),
    ("role_requested", include_str!("../templates/mails/role_requested.txt")),
    ("profile_updated", include_str!("../templates/mails/profile_updated.txt")),
    ("contact", include_str!("../templates/mails/contact.txt")),
];

#[derive(Serialize, Deserialize)]
struct Payload {
    mail: Uuid,
}

/// Writes a mail and schedules its sending. `values` is an object with what the template names: a name that it lacks is
/// an error of the program. Refuses a recipient that is no e-mail address.
pub fn send(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    template: &str,
    recipient: &str,
    values: &impl Serialize,
) -> Outcome<()> {
    text::check_email("email", recipient, ADDRESS_LIMIT)?;
    let (subject, body) =
        render(template, values).map_err(|error| StoreError::Corrupt(format!("mail {template}: {error}")))?;
    let mail = Mail {
        id: Uuid::new_v4(),
        template: template.to_owned(),
        recipient: recipient.to_owned(),
        subject,
        body,
        created_at: now,
        sent_at: None,
    };
    mails::insert(tx, tenant_id, &mail)?;
    due_work::schedule(tx, tenant_id, None, KIND, &Payload { mail: mail.id }, now)
}

/// Subject and text.
fn render(template: &str, values: &impl Serialize) -> Result<(String, String), minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let text = environment.get_template(template)?.render(minijinja::value::Serde(values))?;
    let (subject, body) = text.split_once('\n').unwrap_or((&text, ""));
    Ok((subject.trim().to_owned(), body.trim_start().to_owned()))
}

/// The mail that a piece of due work is to send. `None` when it was sent already.
pub fn of_work(tx: &mut dyn Connection, work: &DueWork) -> Outcome<Option<Mail>> {
    let payload: Payload = serde_json::from_str(&work.payload)
        .map_err(|error| StoreError::Corrupt(format!("the payload of a mail: {error}")))?;
    let mail = mails::by_id(tx, work.tenant_id, payload.mail)?
        .ok_or_else(|| Refusal::invalid("mail", format!("{} does not exist", payload.mail)))?;
    Ok(Some(mail).filter(|mail| mail.sent_at.is_none()))
}

/// Keeps what became of a mail: sent, or why not.
pub fn finish(
    tx: &mut dyn Connection,
    work: &DueWork,
    mail: Option<Uuid>,
    result: Result<(), &str>,
    now: Timestamp,
) -> Outcome<due_work::Done> {
    if let (Ok(()), Some(id)) = (result, mail) {
        mails::set_sent(tx, work.tenant_id, id, now)?;
    }
    due_work::finish_outside(tx, work, result, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_template_can_be_read() {
        for (name, _) in TEMPLATES {
            let values = json!({
                "site": "Acme", "name": "Xia", "code": "123456", "link": null, "by": "Ann", "profile": "Acme",
                "role": "Manager", "message": null, "base": "", "path": "/x", "username": "xia",
                "must_activate": true, "email": "x@example.com", "text": "Hello",
                "changes": ["locality: Bonn"]
            });
            let (subject, body) = render(name, &values).unwrap();
            assert!(!subject.is_empty() && !subject.contains('\n') && !body.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_name_that_nobody_gave_is_an_error() {
        assert!(render("verification", &json!({ "code": "1" })).is_err());
        assert!(render("nothing", &json!({})).is_err());
    }

    #[test]
    fn links_are_given_where_they_are_known() {
        let values = json!({ "site": "A&B", "code": "123456", "link": "https://a.example/x" });
        let (subject, body) = render("verification", &values).unwrap();
        for template in ["verification", "activation", "recovery"] {
            let values = json!({ "site": "A&B", "code": "123456", "link": null, "name": "xia" });
            assert!(render(template, &values).unwrap().1.contains("POST /api/auth"), "{template}");
        }
        assert!(subject.contains("A&B") && body.contains("123456") && body.contains("https://a.example/x"));
    }
}

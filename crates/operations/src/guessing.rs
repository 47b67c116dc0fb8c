//! Against guessing: attempts that failed are counted, and after some of them no more are looked at for a while.
//! Subjects are counted whether or not there is anybody of that name, so that the answer tells nothing.

use billing::phone::parse_phone;
use billing::{Refusal, TenantId};
use jiff::{SignedDuration, Timestamp};
use storage::{Connection, Outcome, failed_attempts};
use uuid::Uuid;

/// How long failures count, from the first of them on.
const WINDOW: SignedDuration = SignedDuration::from_mins(15);

/// How long mails count, and profiles that a user made.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What attempts are counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The name that somebody gives, in whatever notation.
    Name(&'a str),
    /// The user who has that name, whichever of his names it is.
    User(Uuid),
    /// The address of the network that he calls from.
    Peer(&'a str),
    /// The one-time codes of a user.
    OneTimeCode(Uuid),
    /// The secrets with which a user who is logged in confirms a change.
    Confirmation(Uuid),
    /// Mails with codes that were asked for with this name.
    MailTo(&'a str),
    /// Mails about roles that were given to whoever has this address.
    RoleMailTo(&'a str),
    /// Mails about roles that a user causes.
    RoleMailBy(Uuid),
    /// Profiles that a user made for others.
    Making(Uuid),
}

impl Subject<'_> {
    fn key(&self) -> String {
        let key = match self {
            Subject::Name(name) => format!("name:{}", canonical(name)),
            Subject::User(id) => format!("user:{id}"),
            Subject::Peer(peer) => format!("peer:{peer}"),
            Subject::OneTimeCode(id) => format!("otp:{id}"),
            Subject::Confirmation(id) => format!("confirm:{id}"),
            Subject::MailTo(name) => format!("mail:{}", name.to_lowercase()),
            Subject::RoleMailTo(address) => format!("role-mail:{}", address.to_lowercase()),
            Subject::RoleMailBy(id) => format!("role-mail-by:{id}"),
            Subject::Making(id) => format!("make:{id}"),
        };
        key.chars().take(300).collect()
    }

    fn limit(&self) -> i64 {
        match self {
            Subject::Name(_) | Subject::User(_) | Subject::Confirmation(_) => 10,
            Subject::Peer(_) => 300,
            Subject::OneTimeCode(_) => 3,
            Subject::MailTo(_) => 5,
            Subject::RoleMailTo(_) => 20,
            Subject::RoleMailBy(_) => 50,
            Subject::Making(_) => 100,
        }
    }

    fn window(&self) -> SignedDuration {
        match self {
            Subject::MailTo(_) | Subject::RoleMailTo(_) | Subject::RoleMailBy(_) | Subject::Making(_) => HOUR,
            _ => WINDOW,
        }
    }

    fn refusal(&self) -> Refusal {
        match self {
            Subject::OneTimeCode(_) => Refusal::TooManyCodes,
            _ => Refusal::TooManyAttempts,
        }
    }
}

/// A name the way all its notations are counted: one number can be written in many.
fn canonical(name: &str) -> String {
    let name = name.trim();
    parse_phone("username", name).unwrap_or_else(|_| name.to_lowercase())
}

/// Refuses when too many attempts have failed.
pub fn check(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    subjects: &[Subject<'_>],
) -> Outcome<()> {
    for subject in subjects {
        if failed_attempts::count(tx, tenant_id, &subject.key(), now)? >= subject.limit() {
            return Err(subject.refusal().into());
        }
    }
    Ok(())
}

/// Counts an attempt.
pub fn count(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    subjects: &[Subject<'_>],
) -> Outcome<()> {
    for subject in subjects {
        add(tx, tenant_id, now, subject)?;
    }
    Ok(())
}

/// Counts an attempt before it is looked at. False when there were too many before it.
pub fn count_within(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    now: Timestamp,
    subject: &Subject<'_>,
) -> Outcome<bool> {
    Ok(add(tx, tenant_id, now, subject)? <= subject.limit())
}

fn add(tx: &mut dyn Connection, tenant_id: TenantId, now: Timestamp, subject: &Subject<'_>) -> Outcome<i64> {
    let until = now.checked_add(subject.window()).unwrap_or(now);
    Ok(failed_attempts::add(tx, tenant_id, &subject.key(), now, until)?)
}

/// Forgets what was counted, after an attempt that was right.
pub fn forgive(tx: &mut dyn Connection, tenant_id: TenantId, subject: &Subject<'_>) -> Outcome<()> {
    Ok(failed_attempts::clear(tx, tenant_id, &subject.key())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_counted_in_whatever_notation() {
        let key = |name| Subject::Name(name).key();
        assert_eq!(key(" Ann@X.test "), key("ann@x.test"));
        for notation in ["(415) 555-2671", "415.555.2671", "1 415 555 2671", "+1 (415) 5552671"] {
            assert_eq!(key(notation), "name:+14155552671", "{notation}");
        }
        assert_ne!(key("ann"), key("bob"));
    }
}

//! Whether a call is open to its caller, asked as the first thing in its transaction.

use crate::error::{Early, detail};
use crate::session::Member;
use billing::Refusal;
use billing::organization::Organization;
use edge::{Reply, SharedEdge};
use http::StatusCode;
use operations::access::{self, Demand, Guard, Target};
use operations::roles::Scene;
use storage::users::User;
use storage::{Connection, Outcome};

/// Who acts, where and when.
pub(crate) fn scene(member: &Member) -> Scene<'_> {
    Scene { tenant: &member.session.tenant, caller: &member.session.caller, now: member.session.now }
}

/// Refuses, with 503, what ends in a mail, where none can be sent: whoever asks would wait for it in vain.
pub(crate) fn require_mail(edge: &SharedEdge) -> Result<(), Early> {
    if edge.mailer.is_set_up() {
        return Ok(());
    }
    Err(no_mail().into())
}

/// The answer to who asks for a mail where none can be sent.
pub(crate) fn no_mail() -> Reply {
    tracing::error!("somebody asks for a mail, but no mail server is set up: give smtp_url");
    let why = "This site cannot send mail: no mail server is set up.";
    detail(StatusCode::SERVICE_UNAVAILABLE, why)
}

/// Refuses a program: whoever got hold of an API key would else take the whole account over, by its e-mail address.
pub(crate) fn refuse_program(member: &Member) -> Result<(), Refusal> {
    // An API key has no session of the book.
    if member.login.session.id.is_nil() {
        let why = "An API key does not do to change an e-mail address: log in.";
        return Err(Refusal::unproven("email", why));
    }
    Ok(())
}

/// The profile of this slug, if the caller may do with it what he wants.
pub(crate) fn profile(
    tx: &mut dyn Connection,
    member: &Member,
    slug: &str,
    demand: Demand,
) -> Outcome<Organization> {
    let organization = access::organization(tx, member.session.tenant.tenant_id, slug)?;
    check(tx, member, demand, Target { organization: Some(&organization), ..Target::default() })?;
    Ok(organization)
}

/// The user of this name, if the caller may do with him what he wants.
pub(crate) fn user(
    tx: &mut dyn Connection,
    member: &Member,
    username: &str,
    demand: Demand,
) -> Outcome<User> {
    let user = access::user(tx, member.session.tenant.tenant_id, username)?;
    check(tx, member, demand, Target { user: Some(&user), ..Target::default() })?;
    Ok(user)
}

/// The user of this name. What he logs in with is changed, and he is deleted, by himself and by those who manage the site: a
/// manager of some profile that he has a role on would else become him, or end him.
pub(crate) fn own(tx: &mut dyn Connection, member: &Member, username: &str, demand: Demand) -> Outcome<User> {
    let user = access::user(tx, member.session.tenant.tenant_id, username)?;
    let guard = if user.id == member.login.user.id { Guard::SelfUser } else { Guard::Broker };
    check(tx, member, Demand { guard, ..demand }, Target { user: Some(&user), ..Target::default() })?;
    Ok(user)
}

/// Refuses a call about nobody in particular that is not open to the caller.
pub(crate) fn site(tx: &mut dyn Connection, member: &Member, demand: Demand) -> Outcome<()> {
    check(tx, member, demand, Target::default())
}

fn check(tx: &mut dyn Connection, member: &Member, demand: Demand, target: Target<'_>) -> Outcome<()> {
    access::check(tx, &member.session.tenant, member.session.now, &member.login.user, demand, target)
}

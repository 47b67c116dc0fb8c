//! Mail that tells people of roles: whoever was given one, and the managers who are asked for one.

use crate::guessing::{self, Subject};
use crate::roles::{Granted, Scene};
use crate::sites::MANAGER;
use crate::verification::{self, site_name};
use crate::{access, mails};
use billing::organization::Organization;
use billing::text;
use jiff::SignedDuration;
use serde_json::{Value, json};
use storage::organization_roles::{self, Role};
use storage::users::{self, User};
use storage::{Connection, Outcome, failed_attempts, people};
use uuid::Uuid;

/// Most managers of an organization whom a mail is sent to.
const MANAGERS_LIMIT: i64 = 50;
/// Longest address that mail is sent to, in characters.
const ADDRESS_LIMIT: usize = 254;

/// Mails to a user about his role on an organization, or to its managers, that are sent in an hour.
const MAILS_LIMIT: i64 = 10;

/// Whether `by` may cause one more mail about a role: whoever gives one or asks for one could else fill a stranger's
/// mailbox, or many. It counts also for the next role of the same user there. The site invites as many as it wants.
fn may_send(tx: &mut dyn Connection, scene: Scene<'_>, by: &User, what: &str, role: &Role) -> Outcome<bool> {
    let Scene { tenant, now, .. } = scene;
    let until = now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now);
    let subject = format!("{what}:{}:{}", role.organization_id, role.user_id);
    Ok(failed_attempts::add(tx, tenant.tenant_id, &subject, now, until)? <= MAILS_LIMIT
        && (guessing::count_within(tx, tenant.tenant_id, now, &Subject::RoleMailBy(by.id))?
            || access::manages(tx, tenant, now, by, tenant.id)?))
}

/// Tells a user of a role that `by` gave him, with the address under which he accepts it if it is an invitation; one who
/// has no password gets a code to choose one. `base` is what the site's addresses begin with, where that is known for
/// sure. False when so many mails were sent that this one is not.
pub fn granted(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    granted: &Granted,
    message: Option<&str>,
    base: Option<&str>,
) -> Outcome<bool> {
    let Granted { role, user, organization, .. } = granted;
    let address = user.email.as_deref().unwrap_or_default();
    if !may_send(tx, scene, by, "granted", role)?
        || !guessing::count_within(tx, scene.tenant.tenant_id, scene.now, &Subject::RoleMailTo(address))?
    {
        return Ok(false);
    }
    let path =
        role.grant_key.as_ref().map(|key| format!("/api/users/{}/accessibles/accept/{key}", user.username));
    let values = json!({
        "site": site_name(scene.tenant), "by": name_of(by), "profile": organization.printable_name(),
        "role": title(tx, scene, role)?, "username": user.username, "message": message,
        "base": base.unwrap_or_default(), "path": path, "must_activate": user.password_hash.is_none()
    });
    post(tx, scene, "role_granted", user, &values)?;
    match &user.email {
        Some(email) if user.password_hash.is_none() => {
            verification::send(tx, scene.tenant, scene.now, email, Some(user), base)?;
        }
        _ => {}
    }
    Ok(true)
}

/// Tells the managers of an organization that a user accepted the role that he was given there.
pub fn accepted(tx: &mut dyn Connection, scene: Scene<'_>, accepted: &Granted) -> Outcome<()> {
    let Granted { role, user, organization, .. } = accepted;
    let values = json!({
        "site": site_name(scene.tenant), "name": name_of(user), "profile": organization.printable_name(),
        "role": title(tx, scene, role)?
    });
    for manager in managers(tx, scene, organization)? {
        if manager.id != user.id {
            post(tx, scene, "role_accepted", &manager, &values)?;
        }
    }
    Ok(())
}

/// Asks the managers of an organization for the role that a user wants there, as `by` says; not those who do not want such mail. False
/// when so many mails were sent that this one is not.
pub fn requested(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    by: &User,
    asked: &Granted,
    message: Option<&str>,
    base: Option<&str>,
) -> Outcome<bool> {
    let Granted { role, user, organization, .. } = asked;
    if !may_send(tx, scene, by, "requested", role)? {
        return Ok(false);
    }
    let slug = kind(tx, scene, role)?.map_or_else(|| MANAGER.to_owned(), |kind| kind.slug);
    let values = json!({
        "site": site_name(scene.tenant), "name": name_of(user), "username": user.username,
        "profile": organization.printable_name(), "role": title(tx, scene, role)?, "message": message,
        "base": base.unwrap_or_default(), "path": format!("/api/profile/{}/roles/{slug}", organization.slug)
    });
    for manager in managers_who_want(tx, scene, organization, "role_request_created")? {
        post(tx, scene, "role_requested", &manager, &values)?;
    }
    Ok(true)
}

/// The users who manage an organization and want this kind of mail.
pub(crate) fn managers_who_want(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    organization: &Organization,
    mail: &str,
) -> Outcome<Vec<User>> {
    let mut managers = managers(tx, scene, organization)?;
    let ids: Vec<Uuid> = managers.iter().map(|manager| manager.id).collect();
    let muted = people::who_muted(tx, scene.tenant.tenant_id, &ids, mail)?;
    managers.retain(|manager| !muted.contains(&manager.id));
    Ok(managers)
}

/// The users who manage an organization, oldest roles first; no more than mail is sent to.
fn managers(tx: &mut dyn Connection, scene: Scene<'_>, organization: &Organization) -> Outcome<Vec<User>> {
    let tenant_id = scene.tenant.tenant_id;
    let ids =
        organization_roles::holders(tx, tenant_id, organization.id, MANAGER, scene.now, MANAGERS_LIMIT)?;
    Ok(users::by_ids(tx, tenant_id, &ids)?)
}

/// Sends to a user, if he has an address that mail can be sent to.
pub(crate) fn post(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    template: &str,
    user: &User,
    values: &Value,
) -> Outcome<()> {
    match &user.email {
        Some(email) if text::check_email("email", email, ADDRESS_LIMIT).is_ok() => {
            mails::send(tx, scene.tenant.tenant_id, scene.now, template, email, values)
        }
        _ => Ok(()),
    }
}

fn name_of(user: &User) -> &str {
    user.person.full_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&user.username)
}

fn kind(
    tx: &mut dyn Connection,
    scene: Scene<'_>,
    role: &Role,
) -> Outcome<Option<organization_roles::RoleDescription>> {
    match role.role_description_id {
        Some(id) => Ok(organization_roles::description_by_id(tx, scene.tenant.tenant_id, id)?),
        None => Ok(None),
    }
}

fn title(tx: &mut dyn Connection, scene: Scene<'_>, role: &Role) -> Outcome<Option<String>> {
    Ok(kind(tx, scene, role)?.map(|kind| kind.title))
}

//! What people write down about profiles and users, and what visitors write to the site.

use crate::adoption::adopt_for;
use crate::error::{Answer, ERRORS, bad_field, detail};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::{Body, instant};
use crate::list::ListQuery;
use crate::paging;
use crate::session::{Member, Visitor};
use crate::shapes::{ProfileShort, UserShort};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use billing::Refusal;
use billing::organization::Organization;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard, Target};
use operations::activities::{self, Message, Subject};
use operations::roles::Scene;
use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt::Write;
use storage::activities::{ACTIVITIES, About, Activity};
use storage::people::CONTACTS;
use storage::users::{self, User};
use storage::{Connection, Error, Outcome, profiles, role_lists};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/activities", get(list)),
        route("GET", "/api/activities/{profile}", get(list_of_profile)),
        route("POST", "/api/activities/{profile}", post(note_on_profile)),
        route("GET", "/api/activities/{profile}/contacts", get(list_contacts)),
        route("GET", "/api/contacts/{user}/activities", get(list_of_contact)),
        route("POST", "/api/contacts/{user}/activities", post(note_on_contact)),
        route("POST", "/api/contact", post(receive)),
    ]
}

/// A note.
#[derive(Serialize)]
pub(crate) struct ActivityShown {
    created_at: String,
    created_by: Option<UserShort>,
    text: String,
    account: Option<ProfileShort>,
    contact: Option<UserShort>,
    extra: Value,
}

/// Notes with whom they are about and by whom.
pub(crate) fn shown(
    tx: &mut dyn Connection,
    tenant_id: billing::TenantId,
    notes: &[Activity],
) -> Outcome<Vec<ActivityShown>> {
    let mut people: Vec<Uuid> =
        notes.iter().flat_map(|note| [note.created_by, note.contact_id]).flatten().collect();
    let mut accounts: Vec<Uuid> = notes.iter().filter_map(|note| note.organization_id).collect();
    for ids in [&mut people, &mut accounts] {
        ids.sort();
        ids.dedup();
    }
    let people: HashMap<Uuid, User> =
        users::by_ids(tx, tenant_id, &people)?.into_iter().map(|user| (user.id, user)).collect();
    let accounts: HashMap<Uuid, profiles::Profile> = profiles::by_ids(tx, tenant_id, &accounts)?
        .into_iter()
        .map(|profile| (profile.organization.organization.id, profile))
        .collect();
    let person = |id: Option<Uuid>| id.and_then(|id| people.get(&id)).map(UserShort::of);
    Ok(notes
        .iter()
        .map(|note| ActivityShown {
            created_at: instant(note.created_at),
            created_by: person(note.created_by),
            text: note.note.clone(),
            account: note.organization_id.and_then(|id| accounts.get(&id)).map(ProfileShort::of_profile),
            contact: person(note.contact_id),
            extra: Value::Null,
        })
        .collect())
}

/// Most notes that are shown with a profile.
const NEWEST: i64 = 25;

/// The newest notes about a profile; none for a caller who may not see them.
pub(crate) fn newest(
    tx: &mut dyn Connection,
    member: &Member,
    organization: &Organization,
) -> Outcome<Vec<ActivityShown>> {
    let (tenant, now) = (&member.session.tenant, member.session.now);
    let target = Target { organization: Some(organization), ..Target::default() };
    let demand = Demand::read(Guard::ProviderOnly).frictionless();
    match access::check(tx, tenant, now, &member.login.user, demand, target) {
        Ok(()) => {}
        Err(Error::Refused(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    }
    let list =
        storage::activities::about(tx.engine(), tenant.tenant_id, About::Organization(organization.id));
    let found = storage::activities::page(tx, &list, (0, NEWEST))?;
    shown(tx, tenant.tenant_id, &found)
}

/// One page of the notes about somebody.
fn page(tx: &mut dyn Connection, member: &Member, query: &ListQuery, about: About) -> Outcome<Reply> {
    let tenant = &member.session.tenant;
    let mut list = storage::activities::about(tx.engine(), tenant.tenant_id, about);
    let zone = paging::zone(tx, tenant)?;
    if let Err(early) = paging::apply(query, &mut list, &ACTIVITIES, &zone, None) {
        return Ok(early.0);
    }
    paging::answer(tx, query, &member.base, &list, |tx, window| {
        let found = storage::activities::page(tx, &list, window)?;
        shown(tx, tenant.tenant_id, &found)
    })
}

async fn list(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::read(Guard::Broker))?;
        page(tx, &member, &query, About::All)
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn list_of_profile(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    query: ListQuery,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::read(Guard::ProviderOnly))?;
        page(tx, &member, &query, About::Organization(organization.id))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn list_of_contact(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::read(Guard::Broker))?;
        let user = access::user(tx, member.session.tenant.tenant_id, &username)?;
        page(tx, &member, &query, About::Contact(user.id))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// Keeps a note, and answers with it.
fn keep(tx: &mut dyn Connection, member: &Member, subject: Subject, members: &Members) -> Outcome<Reply> {
    let text = fields::filled(members, "text")?.ok_or(Refusal::FieldMissing { field: "text" })?;
    let kept = activities::note(tx, scene(member), Some(&member.login.user), subject, &text)?;
    let shown = shown(tx, member.session.tenant.tenant_id, &[kept])?;
    let status = StatusCode::CREATED;
    Ok(shown.first().map_or_else(|| Reply::empty(status), |shown| Reply::json(status, shown)))
}

async fn note_on_profile(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::write(Guard::ProviderOnly))?;
        let contact_id = match fields::text(&members, "contact")?.flatten() {
            None => None,
            Some(name) => match users::by_username(tx, member.session.tenant.tenant_id, &name)? {
                Some(user) => Some(user.id),
                None => return Ok(unknown("contact", &name)),
            },
        };
        keep(tx, &member, Subject { organization_id: Some(organization.id), contact_id }, &members)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// The answer to the name of somebody who is not there, in a body.
fn unknown(field: &str, slug: &str) -> Reply {
    bad_field(field, &format!("Object with slug={slug} does not exist."))
}

async fn note_on_contact(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    if let Ok(Some(Some(slug))) = fields::text(&members, "account") {
        adopt_for(&edge, &member.session, &slug).await?;
    }
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::write(Guard::Broker))?;
        let tenant_id = member.session.tenant.tenant_id;
        let user = access::user(tx, tenant_id, &username)?;
        let organization_id = match fields::text(&members, "account")?.flatten() {
            None => None,
            Some(slug) => match storage::organizations::by_slug(tx, tenant_id, &slug)? {
                Some(stored) if stored.organization.is_active => Some(stored.organization.id),
                _ => return Ok(unknown("account", &slug)),
            },
        };
        keep(tx, &member, Subject { organization_id, contact_id: Some(user.id) }, &members)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_contacts(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    query: ListQuery,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::read(Guard::ProviderOnly))?;
        let tenant = &member.session.tenant;
        let mut list = role_lists::contacts_of(tx.engine(), tenant.tenant_id, organization.id);
        let zone = paging::zone(tx, tenant)?;
        if let Err(early) = paging::apply_to_users(tx, &query, &mut list, &CONTACTS, &zone, None)? {
            return Ok(early.0);
        }
        paging::answer(tx, &query, &member.base, &list, |tx, window| {
            let found = storage::people::page(tx, &list, window)?;
            Ok(found.iter().map(UserShort::of).collect())
        })
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// What a form says, with all that it asked for besides.
fn message(members: &Members) -> Result<Message, Refusal> {
    let missing = |field| Refusal::FieldMissing { field };
    let full_name = fields::filled(members, "full_name")?.ok_or(missing("full_name"))?;
    let email = fields::filled(members, "email")?.ok_or(missing("email"))?;
    let mut text = fields::text(members, "message")?.flatten().unwrap_or_default();
    let known = ["full_name", "email", "message", "provider", "g-recaptcha-response"];
    for (name, value) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Writing into a String does not fail.
        let _ = write!(text, "\n{name}: {value}");
    }
    Ok(Message { full_name, email, text: text.trim().to_owned() })
}

async fn receive(State(edge): State<SharedEdge>, visitor: Visitor, Body(members): Body<Members>) -> Answer {
    let message = message(&members)?;
    let provider = fields::text(&members, "provider")?.flatten();
    let session = visitor.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant = &visitor.session.tenant;
        let organization = match &provider {
            Some(slug) => access::organization(tx, tenant.tenant_id, slug)?,
            None => operations::organizations::get(tx, tenant.tenant_id, tenant.id)?,
        };
        let scene = Scene { tenant, caller: &visitor.session.caller, now: visitor.session.now };
        activities::receive(tx, scene, &organization, &message, visitor.peer.as_deref())?;
        Ok(detail(StatusCode::OK, "Your message has been sent."))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

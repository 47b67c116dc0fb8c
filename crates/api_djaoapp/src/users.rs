//! Users: all of them, and one of them.

use crate::error::{Answer, ERRORS, Early};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::Body;
use crate::list::ListQuery;
use crate::paging::{self, with_detail};
use crate::proofs;
use crate::session::Member;
use crate::shapes::{UserDetail, UserShort};
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use billing::Refusal;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{Demand, Guard};
use operations::users::{self, Codes, PersonFields};
use serde_json::{Value, json};
use storage::Connection;
use storage::people::CONTACTS;

pub(crate) fn routes() -> Vec<Route> {
    let notifications = "/api/users/{user}/notifications";
    vec![
        route("GET", "/api/users", get(list)),
        route("POST", "/api/users", post(create)),
        route("GET", "/api/users/{user}", get(read_user)),
        route("PUT", "/api/users/{user}", put(replace)),
        route("PATCH", "/api/users/{user}", patch(change)),
        route("DELETE", "/api/users/{user}", delete(remove)),
        route("GET", notifications, get(read_notifications)),
        route("PUT", notifications, put(set_notifications)),
        route("PATCH", notifications, patch(set_notifications)),
    ]
}

/// By which of its doors a user is looked at: his own, or the site's, which only those who manage it go through.
#[derive(Clone, Copy)]
pub(crate) enum Door {
    Own,
    Site,
}

impl Door {
    fn demand(self, is_read: bool) -> Demand {
        let demand = if is_read { Demand::read } else { Demand::write };
        match self {
            Door::Own => demand(Guard::SelfUser).frictionless(),
            Door::Site => demand(Guard::Broker),
        }
    }
}

/// What a body says of a user.
pub(crate) fn person_fields(members: &Members) -> Result<PersonFields, Refusal> {
    Ok(PersonFields {
        username: fields::filled(members, "username")?,
        email: fields::text(members, "email")?,
        phone: fields::text(members, "phone")?,
        full_name: fields::filled(members, "full_name")?.map(Some),
        nick_name: fields::text(members, "nick_name")?,
        lang: fields::text(members, "lang")?,
        picture: fields::url(members, "picture")?,
        extra: fields::extra(members)?,
    })
}

pub(crate) async fn list(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::read(Guard::Broker))?;
        let tenant = &member.session.tenant;
        let mut list = storage::people::list(tx.engine(), CONTACTS, tenant.tenant_id);
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

pub(crate) async fn create(
    State(edge): State<SharedEdge>,
    member: Member,
    Body(members): Body<Members>,
) -> Answer {
    // The guard goes first: hashing is dear.
    let asking = member.clone();
    edge.store.read_point(move |tx| guards::site(tx, &asking, Demand::write(Guard::Broker))).await?;
    let fields = person_fields(&members)?;
    let is_nothing = |field: &Option<Option<String>>| field.as_ref().is_none_or(Option::is_none);
    if is_nothing(&fields.email) && is_nothing(&fields.phone) {
        let why = ["Either an e-mail address or a phone number is required."];
        return Err(Reply::json(StatusCode::BAD_REQUEST, &json!({ "email": why, "phone": why })).into());
    }
    if is_nothing(&fields.full_name) {
        return Err(Refusal::FieldMissing { field: "full_name" }.into());
    }
    let password_hash = match proofs::new_password(&members)? {
        None => None,
        Some(password) => Some(edge.hash(&password).await.map_err(|error| Early(ERRORS.reply(&error)))?),
    };
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::write(Guard::Broker))?;
        let (tenant_id, caller) = (member.session.tenant.tenant_id, &member.session.caller);
        let user = users::create(tx, tenant_id, caller, member.session.now, &fields, password_hash.clone())?;
        Ok(Reply::json(StatusCode::CREATED, &UserDetail::of(&user))
            .with("Location", format!("{}/api/users/{}", member.base, user.username)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn read_user(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    read_by(Door::Own, edge, member, username).await
}

pub(crate) async fn read_by(door: Door, edge: SharedEdge, member: Member, username: String) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, door.demand(true))?;
        Ok(Reply::json(StatusCode::OK, &UserDetail::of(&user)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn replace(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save_by(Door::Own, true, edge, member, username, members).await
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save_by(Door::Own, false, edge, member, username, members).await
}

/// Changes a user. `is_whole`: the body says all that a user must have.
pub(crate) async fn save_by(
    door: Door,
    is_whole: bool,
    edge: SharedEdge,
    member: Member,
    username: String,
    members: Members,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, door.demand(false))?;
        if is_whole {
            fields::require(&members, "full_name")?;
        }
        let fields = person_fields(&members)?;
        if fields.changes_email(&user) {
            guards::refuse_program(&member)?;
        }
        let codes = Codes {
            email: proofs::code(&members, "email_code")?,
            phone: proofs::code(&members, "phone_code")?,
        };
        let who = (&member.login.user, &user);
        let user = match users::change_by_codes(tx, scene(&member), who, &fields, &codes)? {
            Ok(user) => user,
            // That a code was wrong was counted, and is to be kept.
            Err(refusal) => return Ok((ERRORS.refusal)(&refusal)),
        };
        Ok(with_detail(StatusCode::OK, &UserDetail::of(&user), "User was updated."))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    remove_by(Door::Own, edge, member, username).await
}

pub(crate) async fn remove_by(door: Door, edge: SharedEdge, member: Member, username: String) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let demand = door.demand(false);
        match door {
            Door::Own => guards::own(tx, &member, &username, demand)?,
            Door::Site => guards::user(tx, &member, &username, demand)?,
        };
        users::delete(tx, scene(&member), &username)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn read_notifications(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Door::Own.demand(true))?;
        let enabled = users::notifications(tx, &user)?;
        Ok(Reply::json(StatusCode::OK, &json!({ "notifications": enabled })))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn set_notifications(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Door::Own.demand(false))?;
        let wanted = wanted_notifications(&members)?;
        let (caller, now) = (&member.session.caller, member.session.now);
        let enabled = users::set_notifications(tx, caller, now, &user, &wanted)?;
        Ok(Reply::json(StatusCode::OK, &json!({ "notifications": enabled })))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

fn wanted_notifications(members: &Members) -> Result<Vec<String>, Refusal> {
    let field = "notifications";
    let wrong = || Refusal::invalid(field, "must be a list of kinds of notifications");
    match members.get(field) {
        None => Err(Refusal::FieldMissing { field }),
        Some(Value::Array(slugs)) => {
            slugs.iter().map(|slug| slug.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

//! Profiles: all of them, one of them, and those of a user.

use crate::activities;
use crate::adoption::{adopt_all, adopt_for, find};
use crate::error::{Answer, ERRORS, Early};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::Body;
use crate::list::ListQuery;
use crate::paging::{self, with_detail};
use crate::session::Member;
use crate::shapes::{ProfileDetail, ProfileWhole};
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use billing::Refusal;
use billing::organization::{Kind, Organization};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{Demand, Guard};
use operations::profiles::{self, ProfileFields};
use operations::sites::MANAGER;
use operations::users::PersonFields;
use std::sync::Arc;
use storage::{Connection, Outcome};

/// Who has not signed the terms, or has no password, gets at a profile all the same.
const READ: Demand = Demand::read(Guard::Provider).frictionless();
const WRITE: Demand = Demand::write(Guard::Provider).frictionless();

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/profile", get(list)),
        route("GET", "/api/profile/{profile}", get(read)),
        route("PUT", "/api/profile/{profile}", put(replace)),
        route("PATCH", "/api/profile/{profile}", patch(change)),
        route("DELETE", "/api/profile/{profile}", delete(remove)),
        route("GET", "/api/users/{user}/profiles", get(list_of_user)),
        route("POST", "/api/users/{user}/profiles", post(create)),
    ]
}

/// What a body says of a profile.
pub(crate) fn profile_fields(members: &Members) -> Result<ProfileFields, Refusal> {
    let time_zone = fields::filled(members, "default_timezone")?;
    Ok(ProfileFields {
        slug: fields::filled(members, "slug")?,
        name: fields::filled(members, "full_name")?,
        email: fields::text(members, "email")?,
        phone: fields::text(members, "phone")?,
        street_address: fields::text(members, "street_address")?,
        locality: fields::text(members, "locality")?,
        region: fields::text(members, "region")?,
        postal_code: fields::text(members, "postal_code")?,
        country: fields::text(members, "country")?,
        time_zone,
        is_provider: fields::flag(members, "is_provider")?,
        is_bulk_buyer: fields::flag(members, "is_bulk_buyer")?,
        no_implicit_role: fields::flag(members, "no_implicit_role")?,
        picture: fields::url(members, "picture")?,
        extra: fields::extra(members)?,
    })
}

/// Refuses a type that is none; says whether it is a person's.
pub(crate) fn is_personal(members: &Members) -> Result<bool, Refusal> {
    match fields::text(members, "type")?.flatten().as_deref() {
        None | Some("organization") => Ok(false),
        Some("personal") => Ok(true),
        Some(_) => Err(Refusal::invalid("type", "must be organization or personal")),
    }
}

async fn list(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    let demand = Demand::read(Guard::Broker);
    // Nobody may cause the adoption of accounts by a list that he may not see.
    let asking = member.clone();
    edge.store.read_point(move |tx| guards::site(tx, &asking, demand)).await?;
    adopt_all(&edge, &member.session).await?;
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, demand)?;
        let tenant = &member.session.tenant;
        let mut list = storage::profiles::list(tx.engine(), tenant.tenant_id);
        let zone = paging::zone(tx, tenant)?;
        if let Err(early) = paging::apply_to_profiles(tx, &query, &mut list, &zone)? {
            return Ok(early.0);
        }
        page(tx, &query, &member.base, &list)
    };
    Ok(edge.read(&ERRORS, work).await)
}

fn page(
    tx: &mut dyn Connection,
    query: &ListQuery,
    base: &str,
    list: &storage::list::List,
) -> Outcome<Reply> {
    paging::answer(tx, query, base, list, |tx, window| {
        let found = storage::profiles::page(tx, list, window)?;
        Ok(found.iter().map(ProfileDetail::of).collect())
    })
}

async fn read(State(edge): State<SharedEdge>, member: Member, Path(slug): Path<String>) -> Answer {
    let session = member.session.clone();
    let (member, wanted) = (Arc::new(member), slug.clone());
    let look = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, READ)?;
        let profile = profiles::get(tx, member.session.tenant.tenant_id, organization.id)?;
        let notes = activities::newest(tx, &member, &organization)?;
        Ok(Reply::json(StatusCode::OK, &ProfileWhole::of(&profile, notes)))
    };
    find(&edge, &session, &wanted, look).await
}

async fn replace(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, members, true).await
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, members, false).await
}

async fn save(edge: SharedEdge, member: Member, slug: String, members: Members, is_whole: bool) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, WRITE)?;
        if is_whole {
            fields::require(&members, "full_name")?;
        }
        let fields = profile_fields(&members)?;
        guard_email(tx, &member, &organization, &fields)?;
        let (tenant, caller, now) = (&member.session.tenant, &member.session.caller, member.session.now);
        let who = (&member.login.user, organization.id);
        let profile = profiles::change(tx, tenant, caller, now, who, &fields)?;
        let notes = activities::newest(tx, &member, &profile.organization.organization)?;
        let whole = ProfileWhole::of(&profile, notes);
        Ok(with_detail(StatusCode::OK, &whole, "Profile was updated."))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// Refuses to change the e-mail of the user of a personal profile to programs, as at the user himself.
fn guard_email(
    tx: &mut dyn Connection,
    member: &Member,
    organization: &Organization,
    fields: &ProfileFields,
) -> Outcome<()> {
    let owner_id = organization.owner_id.filter(|_| organization.kind == Kind::Personal);
    let Some(owner_id) = owner_id else { return Ok(()) };
    let Some(owner) = storage::users::by_id(tx, owner_id)? else { return Ok(()) };
    let person = PersonFields { email: fields.email.clone(), ..PersonFields::default() };
    if person.changes_email(&owner) {
        guards::refuse_program(member)?;
    }
    Ok(())
}

async fn remove(State(edge): State<SharedEdge>, member: Member, Path(slug): Path<String>) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, WRITE)?;
        if organization.kind == Kind::Personal && organization.owner_id != Some(member.login.user.id) {
            // With it goes its user.
            guards::site(tx, &member, Demand::write(Guard::Broker).frictionless())?;
        }
        let (tenant, caller, now) = (&member.session.tenant, &member.session.caller, member.session.now);
        profiles::delete(tx, tenant, caller, now, organization.id)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list_of_user(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let (tenant, now) = (&member.session.tenant, member.session.now);
        let user = guards::user(tx, &member, &username, Demand::read(Guard::SelfUser))?;
        let mut list = storage::profiles::list(tx.engine(), tenant.tenant_id);
        storage::profiles::managed_by(&mut list, tenant.tenant_id, user.id, MANAGER, now);
        let zone = paging::zone(tx, tenant)?;
        if let Err(early) = paging::apply_to_profiles(tx, &query, &mut list, &zone)? {
            return Ok(early.0);
        }
        page(tx, &query, &member.base, &list)
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn create(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
    Body(members): Body<Members>,
) -> Answer {
    let converts = query.flag("convert_from_personal");
    adopt_named(&edge, &member, &members).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Demand::write(Guard::SelfUser))?;
        let (fields, is_personal) = (profile_fields(&members)?, is_personal(&members)?);
        refuse_provider(tx, &member, &fields)?;
        let scene = scene(&member);
        if converts {
            profiles::convert_from_personal(tx, scene, &user, &fields)?;
            let message = "The personal profile is an organization now.";
            return Ok(crate::error::detail(StatusCode::OK, message));
        }
        let profile = if is_personal {
            profiles::create_personal(tx, scene, &fields, &user)?
        } else {
            profiles::create(tx, scene, &fields, Some(&user))?
        };
        Ok(created(&member, &profile))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// An account whose key is the slug that a body asks for has that slug.
pub(crate) async fn adopt_named(edge: &SharedEdge, member: &Member, members: &Members) -> Result<(), Early> {
    match fields::filled(members, "slug") {
        Ok(Some(slug)) => adopt_for(edge, &member.session, &slug).await.map(drop),
        _ => Ok(()),
    }
}

/// Only those who manage the broker make providers.
pub(crate) fn refuse_provider(
    tx: &mut dyn Connection,
    member: &Member,
    fields: &ProfileFields,
) -> Outcome<()> {
    if fields.is_provider != Some(true) {
        return Ok(());
    }
    guards::site(tx, member, Demand::write(Guard::Broker))
}

/// 201 with a new profile.
pub(crate) fn created(member: &Member, profile: &storage::profiles::Profile) -> Reply {
    let slug = &profile.organization.organization.slug;
    Reply::json(StatusCode::CREATED, &ProfileDetail::of(profile))
        .with("Location", format!("{}/api/profile/{slug}", member.base))
}

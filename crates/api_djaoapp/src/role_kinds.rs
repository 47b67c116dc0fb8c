//! The kinds of roles that a profile knows: its own and every profile's.

use crate::adoption::adopt_for;
use crate::error::{Answer, ERRORS};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::Body;
use crate::list::ListQuery;
use crate::paging;
use crate::role_shapes;
use crate::session::Member;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use billing::Refusal;
use billing::organization::Organization;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard};
use operations::role_kinds::{self, KindChange};
use storage::organization_roles::{self, RoleDescription};
use storage::role_lists::{ROLE_KINDS, kinds_of};
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    let (all, one) =
        ("/api/profile/{profile}/roles/describe", "/api/profile/{profile}/roles/describe/{role}");
    vec![
        route("GET", all, get(list)),
        route("POST", all, post(create)),
        route("GET", one, get(read)),
        route("PUT", one, put(replace)),
        route("PATCH", one, patch(change)),
        route("DELETE", one, delete(remove)),
    ]
}

fn kind_change(members: &Members) -> Result<KindChange, Refusal> {
    Ok(KindChange {
        title: fields::filled(members, "title")?,
        skip_optin_on_grant: fields::flag(members, "skip_optin_on_grant")?,
        implicit_create_on_none: fields::flag(members, "implicit_create_on_none")?,
        otp_required: fields::flag(members, "otp_required")?,
        extra: fields::extra(members)?,
    })
}

fn shown(
    tx: &mut dyn Connection,
    member: &Member,
    status: StatusCode,
    kind: RoleDescription,
) -> Outcome<Reply> {
    let shown = role_shapes::kinds(tx, member, &[kind])?;
    Ok(shown.first().map_or_else(|| Reply::empty(status), |shown| Reply::json(status, shown)))
}

async fn list(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    query: ListQuery,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::read(Guard::Direct))?;
        let tenant = &member.session.tenant;
        let mut list = kinds_of(tx.engine(), tenant.tenant_id, organization.id);
        let zone = paging::zone(tx, tenant)?;
        if let Err(early) = paging::apply(&query, &mut list, &ROLE_KINDS, &zone, None) {
            return Ok(early.0);
        }
        paging::answer(tx, &query, &member.base, &list, |tx, window| {
            let found = organization_roles::descriptions_page(tx, &list, window)?;
            role_shapes::kinds(tx, &member, &found)
        })
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn create(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::write(Guard::Direct))?;
        let new = kind_change(&members)?;
        let kind = role_kinds::create(tx, scene(&member), &organization, &new)?;
        shown(tx, &member, StatusCode::CREATED, kind)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// The profile, and the kind of role of this name that it knows.
fn find(
    tx: &mut dyn Connection,
    member: &Member,
    slug: &str,
    role: &str,
    demand: Demand,
) -> Outcome<(Organization, RoleDescription)> {
    let organization = guards::profile(tx, member, slug, demand)?;
    let kind = role_kinds::find(tx, member.session.tenant.tenant_id, Some(organization.id), role)?;
    Ok((organization, kind))
}

/// Whether the caller may change what every profile has.
fn is_broker(tx: &mut dyn Connection, member: &Member) -> Outcome<bool> {
    let tenant = &member.session.tenant;
    access::manages(tx, tenant, member.session.now, &member.login.user, tenant.id)
}

async fn read(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, role)): Path<(String, String)>,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let (_, kind) = find(tx, &member, &slug, &role, Demand::read(Guard::Direct))?;
        shown(tx, &member, StatusCode::OK, kind)
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn replace(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, role)): Path<(String, String)>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, role, members, true).await
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, role)): Path<(String, String)>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, role, members, false).await
}

async fn save(
    edge: SharedEdge,
    member: Member,
    slug: String,
    role: String,
    members: Members,
    is_whole: bool,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (_, kind) = find(tx, &member, &slug, &role, Demand::write(Guard::Direct))?;
        if is_whole {
            fields::require(&members, "title")?;
        }
        let (change, is_broker) = (kind_change(&members)?, is_broker(tx, &member)?);
        let kind = role_kinds::change(tx, scene(&member), kind, is_broker, &change)?;
        shown(tx, &member, StatusCode::OK, kind)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, role)): Path<(String, String)>,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (_, kind) = find(tx, &member, &slug, &role, Demand::write(Guard::Direct))?;
        let is_broker = is_broker(tx, &member)?;
        role_kinds::delete(tx, scene(&member), &kind, is_broker)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

//! The profiles that a user has a role on, is invited to, or asks for.

use crate::error::{Answer, ERRORS, Early};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::Body;
use crate::list::ListQuery;
use crate::profiles::adopt_named;
use crate::role_shapes;
use crate::roles::{answer, states};
use crate::session::Member;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::Refusal;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard};
use operations::roles::{self, Granted, NewRequest};
use operations::{role_kinds, role_mails};
use storage::organization_roles::Role;
use storage::role_lists::{RoleFilter, RolesOf};
use storage::users::User;
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    let all = "/api/users/{user}/accessibles";
    let (kind, one) =
        ("/api/users/{user}/accessibles/{role}", "/api/users/{user}/accessibles/{role}/{profile}");
    vec![
        route("GET", all, get(list)),
        route("POST", all, post(request)),
        route("GET", kind, get(list_of_kind)),
        route("POST", kind, post(request_kind)),
        route("GET", one, get(read)),
        route("POST", one, post(send_again)),
        route("DELETE", one, delete(remove)),
        route("PUT", "/api/users/{user}/accessibles/accept/{verification_key}", put(accept)),
    ]
}

async fn list(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
) -> Answer {
    list_roles(edge, member, username, None, query).await
}

async fn list_of_kind(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, kind)): Path<(String, String)>,
    query: ListQuery,
) -> Answer {
    list_roles(edge, member, username, Some(kind), query).await
}

async fn list_roles(
    edge: SharedEdge,
    member: Member,
    username: String,
    kind: Option<String>,
    query: ListQuery,
) -> Answer {
    apply_implicit(&edge, &member, &username).await?;
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Demand::read(Guard::SelfUser))?;
        let tenant_id = member.session.tenant.tenant_id;
        let kind = match &kind {
            Some(kind) => Some(role_kinds::find(tx, tenant_id, None, kind)?.id),
            None => None,
        };
        let filter = RoleFilter {
            of: RolesOf::User(user.id),
            kind,
            with_requests: false,
            states: states(&query)?,
            hides_personal: !query.flag("include_personal_profile"),
            now: member.session.now,
        };
        answer(tx, &member, &query, &filter, |tx, found| role_shapes::accessibles(tx, &member, &user, found))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// Gives the user what comes to him by his e-mail address, before it is listed. In test mode and in the demo addresses
/// need no proof, because none is asked for when somebody registers.
async fn apply_implicit(edge: &SharedEdge, member: &Member, username: &str) -> Result<(), Early> {
    let failed = |error| Early(ERRORS.reply(&error));
    let must_be_proven = !(edge.settings.test_mode || edge.settings.demo);
    let (caller, name) = (member.clone(), username.to_owned());
    let has_implicit = edge.store.read_point(move |tx| {
        let user = guards::user(tx, &caller, &name, Demand::read(Guard::SelfUser))?;
        roles::has_implicit(tx, scene(&caller), &user, must_be_proven)
    });
    if !has_implicit.await.map_err(failed)? {
        return Ok(());
    }
    let (caller, name) = (member.clone(), username.to_owned());
    let applied = edge.store.write(move |tx| {
        let user = guards::user(tx, &caller, &name, Demand::read(Guard::SelfUser))?;
        roles::apply_implicit(tx, scene(&caller), &user, must_be_proven)
    });
    applied.await.map_err(failed)
}

fn new_request(members: &Members, query: &ListQuery) -> Result<NewRequest, Refusal> {
    Ok(NewRequest {
        slug: fields::text(members, "slug")?.flatten(),
        email: fields::text(members, "email")?.flatten(),
        message: fields::text(members, "message")?.flatten(),
        force: query.flag("force"),
    })
}

async fn request(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
    Body(members): Body<Members>,
) -> Answer {
    ask(edge, member, username, None, (members, query)).await
}

async fn request_kind(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, kind)): Path<(String, String)>,
    query: ListQuery,
    Body(members): Body<Members>,
) -> Answer {
    ask(edge, member, username, Some(kind), (members, query)).await
}

async fn ask(
    edge: SharedEdge,
    member: Member,
    username: String,
    kind: Option<String>,
    (members, query): (Members, ListQuery),
) -> Answer {
    adopt_named(&edge, &member, &members).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Demand::write(Guard::SelfUser))?;
        let new = new_request(&members, &query)?;
        let asked = roles::request(tx, scene(&member), &member.login.user, &user, kind.as_deref(), &new)?;
        if asked.role.request_key.is_some() {
            role_mails::requested(
                tx,
                scene(&member),
                &member.login.user,
                &asked,
                new.message.as_deref(),
                member.link_base.as_deref(),
            )?;
        }
        let status = if asked.is_new { StatusCode::CREATED } else { StatusCode::OK };
        shown(tx, &member, status, &user, &asked.role)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

fn shown(
    tx: &mut dyn Connection,
    member: &Member,
    status: StatusCode,
    user: &User,
    role: &Role,
) -> Outcome<Reply> {
    let shown = role_shapes::accessibles(tx, member, user, std::slice::from_ref(role))?;
    Ok(shown.first().map_or_else(|| Reply::empty(status), |shown| Reply::json(status, shown)))
}

/// The role of a user on a profile, of whatever kind: a user has one at most.
fn named(
    tx: &mut dyn Connection,
    member: &Member,
    username: &str,
    slug: &str,
    demand: Demand,
) -> Outcome<Granted> {
    let user = guards::user(tx, member, username, demand)?;
    let organization = access::organization(tx, member.session.tenant.tenant_id, slug)?;
    let role = roles::get(tx, scene(member), &user, &organization)?;
    Ok(Granted { role, user, organization, is_new: false })
}

type RolePath = Path<(String, String, String)>;

async fn read(State(edge): State<SharedEdge>, member: Member, Path((username, _, slug)): RolePath) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let found = named(tx, &member, &username, &slug, Demand::read(Guard::SelfUser))?;
        shown(tx, &member, StatusCode::OK, &found.user, &found.role)
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn send_again(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, _, slug)): RolePath,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let found = named(tx, &member, &username, &slug, Demand::write(Guard::SelfUser))?;
        let is_asked = found.role.request_key.is_some();
        let (by, base) = (&member.login.user, member.link_base.as_deref());
        if is_asked && !role_mails::requested(tx, scene(&member), by, &found, None, base)? {
            return Err(Refusal::TooManyAttempts.into());
        }
        shown(tx, &member, StatusCode::OK, &found.user, &found.role)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// Whoever shares a profile with the user may act for him, but not cut him off from others.
async fn remove(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, _, slug)): RolePath,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let Granted { user, organization, .. } =
            named(tx, &member, &username, &slug, Demand::write(Guard::SelfUser))?;
        let (tenant, caller) = (&member.session.tenant, &member.login.user);
        if caller.id != user.id && !access::manages(tx, tenant, member.session.now, caller, organization.id)?
        {
            return Err(Refusal::AccessDenied.into());
        }
        roles::remove(tx, scene(&member), &member.login.user, &user, &organization)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn accept(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, key)): Path<(String, String)>,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = guards::user(tx, &member, &username, Demand::write(Guard::SelfUser))?;
        let accepted = roles::accept(tx, scene(&member), &member.login.user, &user, &key)?;
        role_mails::accepted(tx, scene(&member), &accepted)?;
        shown(tx, &member, StatusCode::OK, &user, &accepted.role)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

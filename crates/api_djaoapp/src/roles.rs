//! The roles on a profile: who has which, who is invited, who asks for one.

use crate::adoption::adopt_for;
use crate::error::{Answer, ERRORS};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::Body;
use crate::list::ListQuery;
use crate::paging::{self, with_detail};
use crate::role_shapes;
use crate::session::Member;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::Refusal;
use billing::organization::Organization;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard};
use operations::roles::{self, Granted, NewRole};
use operations::{role_kinds, role_mails};
use serde::Serialize;
use serde_json::{Map, json};
use storage::organization_roles::{self, Role};
use storage::role_lists::{RoleFilter, RoleState, RolesOf};
use storage::users::User;
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    let (kind, one) = ("/api/profile/{profile}/roles/{role}", "/api/profile/{profile}/roles/{role}/{user}");
    vec![
        route("GET", "/api/profile/{profile}/roles", get(list)),
        route("GET", kind, get(list_of_kind)),
        route("POST", kind, post(grant)),
        route("GET", one, get(read)),
        route("POST", one, post(send_again)),
        route("PUT", one, put(change)),
        route("DELETE", one, delete(remove)),
    ]
}

/// The states that `role_status` names; all when it names none.
pub(crate) fn states(query: &ListQuery) -> Result<Vec<RoleState>, Refusal> {
    let names = query.text("role_status").unwrap_or_default().split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(|name| match name {
            "active" => Ok(RoleState::Active),
            "invited" => Ok(RoleState::Invited),
            "requested" => Ok(RoleState::Requested),
            _ => Err(Refusal::invalid("role_status", "must be of active, invited, requested")),
        })
        .collect()
}

/// One page of the roles that are wanted, with how many invitations and requests there are.
pub(crate) fn answer<T: Serialize>(
    tx: &mut dyn Connection,
    member: &Member,
    query: &ListQuery,
    filter: &RoleFilter,
    show: impl FnOnce(&mut dyn Connection, &[Role]) -> Outcome<Vec<T>>,
) -> Outcome<Reply> {
    let tenant = &member.session.tenant;
    let mut list = filter.list(tx.engine(), tenant.tenant_id);
    let zone = paging::zone(tx, tenant)?;
    if let Err(early) = paging::apply(query, &mut list, &filter.of.spec(), &zone, None) {
        return Ok(early.0);
    }
    let count = list.count(tx)?;
    let window = match query.window(count) {
        Ok(window) => window,
        Err(early) => return Ok(early.0),
    };
    let found = organization_roles::page(tx, &list, window)?;
    let (invited, requested) = filter.pending(tx, tenant.tenant_id)?;
    let mut counts = Map::new();
    counts.insert("invited_count".to_owned(), json!(invited));
    counts.insert("requested_count".to_owned(), json!(requested));
    let shown = show(tx, &found)?;
    Ok(query.envelope(&member.base, counts, count, &shown))
}

/// One role as the caller sees it, with a message for people if there is one.
fn shown(
    tx: &mut dyn Connection,
    member: &Member,
    status: StatusCode,
    (organization, role): (&Organization, &Role),
    message: Option<&str>,
) -> Outcome<Reply> {
    let shown = role_shapes::roles(tx, member, organization, std::slice::from_ref(role), None)?;
    Ok(match (shown.first(), message) {
        (None, _) => Reply::empty(status),
        (Some(shown), None) => Reply::json(status, shown),
        (Some(shown), Some(message)) => with_detail(status, shown, message),
    })
}

async fn list(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    query: ListQuery,
) -> Answer {
    list_roles(edge, member, slug, None, query).await
}

async fn list_of_kind(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, kind)): Path<(String, String)>,
    query: ListQuery,
) -> Answer {
    list_roles(edge, member, slug, Some(kind), query).await
}

async fn list_roles(
    edge: SharedEdge,
    member: Member,
    slug: String,
    kind: Option<String>,
    query: ListQuery,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::read(Guard::Provider))?;
        let tenant_id = member.session.tenant.tenant_id;
        let kind = match &kind {
            Some(kind) => Some(role_kinds::find(tx, tenant_id, Some(organization.id), kind)?.id),
            None => None,
        };
        let filter = RoleFilter {
            of: RolesOf::Organization(organization.id),
            kind,
            with_requests: true,
            states: states(&query)?,
            hides_personal: false,
            now: member.session.now,
        };
        answer(tx, &member, &query, &filter, |tx, found| {
            role_shapes::roles(tx, &member, &organization, found, None)
        })
    };
    Ok(edge.read(&ERRORS, work).await)
}

fn new_role(members: &Members, query: &ListQuery, must_be_proven: bool) -> Result<NewRole, Refusal> {
    Ok(NewRole {
        username: fields::text(members, "slug")?.flatten(),
        email: fields::text(members, "email")?.flatten(),
        full_name: fields::text(members, "full_name")?.flatten(),
        extra: fields::extra(members)?.flatten(),
        message: fields::text(members, "message")?.flatten(),
        force: query.flag("force"),
        must_be_proven,
    })
}

async fn grant(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, kind)): Path<(String, String)>,
    query: ListQuery,
    Body(members): Body<Members>,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let session = member.session.clone();
    // There addresses need no proof, because none is asked for when somebody registers.
    let must_be_proven = !(edge.settings.test_mode || edge.settings.demo);
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::write(Guard::Provider))?;
        let tenant_id = member.session.tenant.tenant_id;
        let kind = role_kinds::find(tx, tenant_id, Some(organization.id), &kind)?;
        let (by, new) = (&member.login.user, new_role(&members, &query, must_be_proven)?);
        let granted = roles::grant(tx, scene(&member), by, &organization, &kind, &new)?;
        let is_told = role_mails::granted(
            tx,
            scene(&member),
            by,
            &granted,
            new.message.as_deref(),
            member.link_base.as_deref(),
        )?;
        if !is_told && granted.is_new && granted.user.password_hash.is_none() {
            // He would never learn that he became a user.
            return Err(Refusal::TooManyAttempts.into());
        }
        let status = if granted.is_new { StatusCode::CREATED } else { StatusCode::OK };
        let known_email = new.email.as_deref().or(new.username.as_deref());
        let role = std::slice::from_ref(&granted.role);
        let shown = role_shapes::roles(tx, &member, &organization, role, known_email)?;
        Ok(shown.first().map_or_else(|| Reply::empty(status), |shown| Reply::json(status, shown)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// A role on a profile as an address names it.
struct Named {
    organization: Organization,
    user: User,
    role: Role,
}

/// The role of a user on a profile, of the kind that the address names. One that is asked for without a kind is of any.
fn named(
    tx: &mut dyn Connection,
    member: &Member,
    (slug, kind, username): (&str, &str, &str),
    demand: Demand,
) -> Outcome<Named> {
    let organization = guards::profile(tx, member, slug, demand)?;
    let tenant_id = member.session.tenant.tenant_id;
    let kind = role_kinds::find(tx, tenant_id, Some(organization.id), kind)?;
    let user = access::user(tx, tenant_id, username)?;
    let role = roles::get(tx, scene(member), &user, &organization)?;
    if role.role_description_id.is_some_and(|id| id != kind.id) {
        return Err(Refusal::HeldRoleUnknown.into());
    }
    Ok(Named { organization, user, role })
}

type RolePath = Path<(String, String, String)>;

async fn read(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, kind, username)): RolePath,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let path = (slug.as_str(), kind.as_str(), username.as_str());
        let named = named(tx, &member, path, Demand::read(Guard::Provider))?;
        shown(tx, &member, StatusCode::OK, (&named.organization, &named.role), None)
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn send_again(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, kind, username)): RolePath,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let path = (slug.as_str(), kind.as_str(), username.as_str());
        let Named { organization, user, role } = named(tx, &member, path, Demand::write(Guard::Provider))?;
        let message = if role.grant_key.is_some() {
            let (by, is_new) = (&member.login.user, false);
            let granted = Granted { role: role.clone(), user, organization: organization.clone(), is_new };
            if !role_mails::granted(tx, scene(&member), by, &granted, None, member.link_base.as_deref())? {
                return Err(Refusal::TooManyAttempts.into());
            }
            format!("Invite for {username} has been sent")
        } else if role.request_key.is_some() {
            format!("{username} asks for this role and needs no invite")
        } else {
            format!("{username} has this role and needs no invite")
        };
        shown(tx, &member, StatusCode::OK, (&organization, &role), Some(&message))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, kind, username)): RolePath,
    Body(members): Body<Members>,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let path = (slug.as_str(), kind.as_str(), username.as_str());
        let Named { organization, user, mut role } =
            named(tx, &member, path, Demand::write(Guard::Provider))?;
        if let Some(extra) = fields::extra(&members)? {
            role = roles::set_extra(tx, scene(&member), &user, &organization, extra)?;
        }
        shown(tx, &member, StatusCode::OK, (&organization, &role), None)
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((slug, _, username)): RolePath,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let organization = guards::profile(tx, &member, &slug, Demand::write(Guard::Provider))?;
        let user = access::user(tx, member.session.tenant.tenant_id, &username)?;
        roles::remove(tx, scene(&member), &member.login.user, &user, &organization)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

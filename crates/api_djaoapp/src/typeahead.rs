//! Candidates for what somebody types: profiles and users.

use crate::adoption::{adopt_all, find};
use crate::error::{Answer, ERRORS};
use crate::fields::Members;
use crate::guards;
use crate::json::Body;
use crate::list::ListQuery;
use crate::paging;
use crate::profiles::{adopt_named, created, is_personal, profile_fields, refuse_provider};
use crate::session::Member;
use crate::shapes::{ProfileShort, UserShort};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard};
use operations::guessing::{self, Subject};
use operations::profiles;
use operations::role_kinds::Scene;
use storage::list::List;
use storage::people::USERS;
use storage::profiles::PROFILES;
use storage::users::User;
use storage::{Connection, Error, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/accounts", get(accounts)),
        route("GET", "/api/accounts/profiles", get(found_profiles)),
        route("POST", "/api/accounts/profiles", post(create)),
        route("GET", "/api/accounts/profiles/{profile}", get(read)),
        route("GET", "/api/accounts/users", get(found_users)),
    ]
}

/// The profiles of a list; none when there are more than `limit`.
fn few_profiles(tx: &mut dyn Connection, list: &List, limit: i64) -> Outcome<Option<Vec<ProfileShort>>> {
    if list.count_to(tx, limit + 1)? > limit {
        return Ok(None);
    }
    let found = storage::profiles::page(tx, list, (0, limit))?;
    Ok(Some(found.iter().map(ProfileShort::of_profile).collect()))
}

/// The users of a list; none when there are more than `limit`.
fn few_users(tx: &mut dyn Connection, list: &List, limit: i64) -> Outcome<Option<Vec<User>>> {
    if list.count_to(tx, limit + 1)? > limit {
        return Ok(None);
    }
    Ok(Some(storage::people::page(tx, list, (0, limit))?))
}

async fn accounts(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    adopt_all(&edge, &member.session).await?;
    let work = move |tx: &mut dyn Connection| {
        let tenant = &member.session.tenant;
        let zone = paging::zone(tx, tenant)?;
        let mut list = storage::profiles::list(tx.engine(), tenant.tenant_id);
        storage::profiles::with_email(&mut list);
        if let Err(early) = paging::apply_to_profiles(tx, &query, &mut list, &zone)? {
            return Ok(early.0);
        }
        let limit = paging::candidates_limit(&query, &PROFILES);
        let mut found = few_profiles(tx, &list, limit)?;
        if let Some(profiles) = &mut found {
            let mut users = storage::people::list(tx.engine(), USERS, tenant.tenant_id);
            storage::people::without_profile(&mut users, tenant.tenant_id);
            if let Err(early) = paging::apply_to_users(tx, &query, &mut users, &USERS, &zone, None)? {
                return Ok(early.0);
            }
            match few_users(tx, &users, limit)? {
                Some(users) => profiles.extend(users.iter().map(ProfileShort::of_user)),
                None => found = None,
            }
        }
        Ok(paging::candidates(found, limit))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn found_profiles(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    adopt_all(&edge, &member.session).await?;
    let work = move |tx: &mut dyn Connection| {
        let tenant = &member.session.tenant;
        let zone = paging::zone(tx, tenant)?;
        let mut list = storage::profiles::list(tx.engine(), tenant.tenant_id);
        if let Err(early) = paging::apply_to_profiles(tx, &query, &mut list, &zone)? {
            return Ok(early.0);
        }
        let limit = paging::candidates_limit(&query, &PROFILES);
        let mut found = few_profiles(tx, &list, limit)?;
        if let (true, Some(domain)) = (found.as_ref().is_some_and(Vec::is_empty), domain_of(&query)) {
            let mut list = storage::profiles::list(tx.engine(), tenant.tenant_id);
            storage::profiles::search(tx, &mut list, &["email"], &[domain])?;
            found = few_profiles(tx, &list, limit)?;
        }
        Ok(paging::candidates(found, limit))
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// `@` and the domain, when what is looked for is an e-mail address that tells where somebody works.
fn domain_of(query: &ListQuery) -> Option<String> {
    let (local, domain) = query.text("q")?.trim().split_once('@')?;
    let domain = domain.to_lowercase();
    let is_telling = !local.is_empty() && domain.contains('.') && !domain.contains([',', ' ', '"', '@']);
    (is_telling && !billing::mail_domain::is_public(&domain)).then(|| format!("@{domain}"))
}

async fn found_users(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let (tenant, now) = (&member.session.tenant, member.session.now);
        let zone = paging::zone(tx, tenant)?;
        let mut list = storage::people::list(tx.engine(), USERS, tenant.tenant_id);
        // Whoever joins in this very moment is there.
        let until = now.checked_add(jiff::SignedDuration::from_micros(1)).unwrap_or(now);
        if let Err(early) = paging::apply_to_users(tx, &query, &mut list, &USERS, &zone, Some(until))? {
            return Ok(early.0);
        }
        let limit = paging::candidates_limit(&query, &USERS);
        let found = few_users(tx, &list, limit)?;
        Ok(paging::candidates(found.map(|users| users.iter().map(UserShort::of).collect()), limit))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn read(State(edge): State<SharedEdge>, member: Member, Path(slug): Path<String>) -> Answer {
    let (tenant_id, wanted) = (member.session.tenant.tenant_id, slug.clone());
    let look = move |tx: &mut dyn Connection| {
        let organization = access::organization(tx, tenant_id, &slug)?;
        let profile = profiles::get(tx, tenant_id, organization.id)?;
        Ok(Reply::json(StatusCode::OK, &ProfileShort::of_profile(&profile)))
    };
    find(&edge, &member.session, &wanted, look).await
}

async fn create(State(edge): State<SharedEdge>, member: Member, Body(members): Body<Members>) -> Answer {
    adopt_named(&edge, &member, &members).await?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (fields, is_personal) = (profile_fields(&members)?, is_personal(&members)?);
        refuse_provider(tx, &member, &fields)?;
        let session = &member.session;
        let scene = Scene { tenant: &session.tenant, caller: &session.caller, now: session.now };
        count_made(tx, &member)?;
        let profile = if is_personal {
            profiles::create_shadow_person(tx, scene, &fields)?
        } else {
            profiles::create(tx, scene, &fields, None)?
        };
        Ok(created(&member, &profile))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// Counts a profile that somebody makes for others. Refuses too many of them, unless he manages the site.
fn count_made(tx: &mut dyn Connection, member: &Member) -> Outcome<()> {
    match guards::site(tx, member, Demand::write(Guard::Broker)) {
        Err(Error::Refused(_)) => {}
        manages => return manages,
    }
    let (tenant_id, now) = (member.session.tenant.tenant_id, member.session.now);
    let subjects = [Subject::Making(member.login.user.id)];
    guessing::check(tx, tenant_id, now, &subjects)?;
    guessing::count(tx, tenant_id, now, &subjects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_at_work_tell_a_domain() {
        let domain = |q: &str| domain_of(&ListQuery::parse("/", &format!("q={q}")).ok().unwrap());
        assert_eq!(domain("ann%40Acme.com").as_deref(), Some("@acme.com"));
        for silent in ["ann", "ann%40gmail.com", "%40acme.com", "ann%40acme", "ann%40acme.com,bob"] {
            assert_eq!(domain(silent), None, "{silent}");
        }
    }
}

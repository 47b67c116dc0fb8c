//! Tokens: who they say their bearer is, new ones, and the end of a session.

use crate::cookies;
use crate::error::{Answer, ERRORS};
use crate::fields::{self, Members};
use crate::json::Body;
use crate::role_shapes;
use crate::session::Member;
use crate::shapes::UserDetail;
use axum::extract::State;
use axum::routing::{delete, get, post};
use billing::Refusal;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::{clock, logins};
use serde_json::json;
use storage::{Connection, organization_roles};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/auth/tokens", get(read)),
        route("POST", "/api/auth/tokens", post(renew)),
        route("DELETE", "/api/auth/tokens", delete(log_out)),
        route("POST", "/api/auth/tokens/verify", post(verify)),
    ]
}

/// Most roles that a session shows.
const ROLES_LIMIT: i64 = 100;

async fn read(State(edge): State<SharedEdge>, member: Member) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let (tenant, user) = (&member.session.tenant, &member.login.user);
        let roles = organization_roles::held_by_user(tx, tenant.tenant_id, user.id, ROLES_LIMIT)?;
        let roles = role_shapes::accessibles(tx, &member, user, &roles)?;
        let mut shown = UserDetail::of(user).into_members();
        shown.insert("roles".to_owned(), json!(roles));
        Ok(Reply::json(StatusCode::OK, &shown))
    };
    Ok(edge.read(&ERRORS, work).await)
}

fn token(members: &Members) -> Result<String, Refusal> {
    let text = fields::filled(members, "token").ok().flatten();
    text.ok_or(Refusal::FieldMissing { field: "token" })
}

async fn renew(State(edge): State<SharedEdge>, member: Member, Body(members): Body<Members>) -> Answer {
    let token = token(&members)?;
    let work = move |tx: &mut dyn Connection| {
        let (tenant, user) = (&member.session.tenant, &member.login.user);
        let now = clock::real();
        let is_his =
            logins::recognize(tx, tenant, &token, now)?.is_some_and(|login| login.user.id == user.id);
        let shown = UserDetail::of(user).claims();
        match logins::renew(tx, tenant, &token, shown, now)?.filter(|_| is_his) {
            Some(token) => Ok(Reply::json(StatusCode::CREATED, &json!({ "token": token }))),
            None => Err(Refusal::AccessDenied.into()),
        }
    };
    // The answer holds a secret: it is not kept, whatever key the request has.
    Ok(edge.store.write(work).await?)
}

async fn verify(State(edge): State<SharedEdge>, member: Member, Body(members): Body<Members>) -> Answer {
    let token = token(&members)?;
    let work = move |tx: &mut dyn Connection| {
        let found = logins::recognize(tx, &member.session.tenant, &token, clock::real())?;
        Ok(match found {
            Some(_) => Reply::json(StatusCode::OK, &json!({ "token": token })),
            None => Reply::json(StatusCode::BAD_REQUEST, &json!(["token is invalid"])),
        })
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn log_out(State(edge): State<SharedEdge>, member: Member) -> Answer {
    let base = member.base.clone();
    edge.store.write(move |tx| logins::close(tx, &member.login)).await?;
    Ok(cookies::without(Reply::empty(StatusCode::NO_CONTENT), &base))
}

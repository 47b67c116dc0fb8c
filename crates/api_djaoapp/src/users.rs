//! Users: one of them.

use crate::error::{Answer, ERRORS};
use crate::session::Member;
use crate::shapes::UserDetail;
use axum::extract::{Path, State};
use axum::routing::get;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::access::{self, Demand, Guard, Target};
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("GET", "/api/users/{user}", get(read_user))]
}

async fn read_user(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let (tenant, now) = (&member.session.tenant, member.session.now);
        let user = access::user(tx, tenant.tenant_id, &username)?;
        let demand = Demand::read(Guard::SelfUser).frictionless();
        let target = Target { user: Some(&user), ..Target::default() };
        access::check(tx, tenant, now, &member.login.user, demand, target)?;
        Ok(Reply::json(StatusCode::OK, &UserDetail::of(&user)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

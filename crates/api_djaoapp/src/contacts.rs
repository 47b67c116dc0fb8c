//! Contacts: the users of a site, for those who manage it.

use crate::error::Answer;
use crate::fields::Members;
use crate::json::Body;
use crate::pictures;
use crate::session::Member;
use crate::users::{Door, create, list, read_by, remove_by, save_by};
use axum::extract::{Path, Request, State};
use axum::routing::{delete, get, patch, post, put};
use edge::{Route, SharedEdge, route};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/contacts", get(list)),
        route("POST", "/api/contacts", post(create)),
        route("GET", "/api/contacts/{user}", get(read)),
        route("PUT", "/api/contacts/{user}", put(replace)),
        route("PATCH", "/api/contacts/{user}", patch(change)),
        route("DELETE", "/api/contacts/{user}", delete(remove)),
        route("POST", "/api/contacts/{user}/picture", post(upload)),
    ]
}

async fn read(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    read_by(Door::Site, edge, member, username).await
}

async fn replace(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save_by(Door::Site, true, edge, member, username, members).await
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save_by(Door::Site, false, edge, member, username, members).await
}

async fn remove(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    remove_by(Door::Site, edge, member, username).await
}

async fn upload(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    request: Request,
) -> Answer {
    pictures::upload_by(Door::Site, edge, member, username, request).await
}

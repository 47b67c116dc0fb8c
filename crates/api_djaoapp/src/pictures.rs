//! Pictures of profiles and users: uploaded, and served to everybody.

use crate::adoption::adopt_for;
use crate::error::{Answer, ERRORS, detail};
use crate::guards;
use crate::session::{Member, Visitor};
use crate::users::Door;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use billing::Refusal;
use edge::{Reply, Route, SharedEdge, route};
use http::{HeaderName, StatusCode, header};
use operations::access::{Demand, Guard};
use operations::profiles::{self, ProfileFields};
use operations::users::{self, PersonFields};
use serde_json::json;
use storage::Connection;
use storage::profiles::Picture;

/// Largest picture, in bytes: what fits into a request of the default size.
const SIZE_LIMIT: usize = 900 * 1024;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/api/pictures/{name}", get(read)),
        route("POST", "/api/profile/{profile}/picture", post(upload_for_profile)),
        route("POST", "/api/users/{user}/picture", post(upload_for_user)),
    ]
}

async fn read(State(edge): State<SharedEdge>, visitor: Visitor, Path(name): Path<String>) -> Response {
    let tenant_id = visitor.session.tenant.tenant_id;
    let found = edge.store.read(move |tx| Ok(storage::profiles::picture(tx, tenant_id, &name)?)).await;
    match found {
        Ok(Some(picture)) => {
            // The name is a digest of the content, which therefore never changes.
            let headers: [(HeaderName, String); 4] = [
                (header::CONTENT_TYPE, picture.content_type),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
                (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
            ];
            (headers, picture.content).into_response()
        }
        Ok(None) => detail(StatusCode::NOT_FOUND, "There is no such picture").into_response(),
        Err(error) => ERRORS.reply(&error).into_response(),
    }
}

async fn upload_for_profile(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    request: Request,
) -> Answer {
    adopt_for(&edge, &member.session, &slug).await?;
    let uploaded = uploaded(&edge, request).await;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant, caller, now) = (&member.session.tenant, &member.session.caller, member.session.now);
        let demand = Demand::write(Guard::Provider).frictionless();
        let organization = guards::profile(tx, &member, &slug, demand)?;
        let picture = uploaded.as_ref().map_err(Clone::clone)?;
        storage::profiles::set_picture(tx, tenant.tenant_id, organization.id, picture, now)?;
        let location = location(&member.base, picture);
        let fields = ProfileFields { picture: Some(Some(location.clone())), ..ProfileFields::default() };
        profiles::change(tx, tenant, caller, now, (&member.login.user, organization.id), &fields)?;
        Ok(Reply::json(StatusCode::CREATED, &json!({ "location": location })))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn upload_for_user(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    request: Request,
) -> Answer {
    upload_by(Door::Own, edge, member, username, request).await
}

pub(crate) async fn upload_by(
    door: Door,
    edge: SharedEdge,
    member: Member,
    username: String,
    request: Request,
) -> Answer {
    let uploaded = uploaded(&edge, request).await;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant, caller, now) = (&member.session.tenant, &member.session.caller, member.session.now);
        let demand = match door {
            Door::Own => Demand::write(Guard::SelfUser),
            Door::Site => Demand::write(Guard::Broker),
        };
        let user = guards::user(tx, &member, &username, demand)?;
        let picture = uploaded.as_ref().map_err(Clone::clone)?;
        storage::profiles::set_picture(tx, tenant.tenant_id, user.id, picture, now)?;
        let location = location(&member.base, picture);
        let fields = PersonFields { picture: Some(Some(location.clone())), ..PersonFields::default() };
        users::change(tx, tenant.tenant_id, caller, now, &username, &fields)?;
        Ok(Reply::json(StatusCode::CREATED, &json!({ "location": location })))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

fn location(base: &str, picture: &Picture) -> String {
    format!("{base}/api/pictures/{}", picture.name)
}

/// The member `file` of a form. Refuses what is no picture, whatever it is said to be.
async fn uploaded(edge: &SharedEdge, request: Request) -> Result<Picture, Refusal> {
    let missing = || Refusal::invalid("file", "No file was submitted.");
    let Ok(mut form) = Multipart::from_request(request, edge).await else { return Err(missing()) };
    let broken = |_| Refusal::invalid("file", "The form could not be read.");
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some("file") {
            continue;
        }
        let content = field.bytes().await.map_err(broken)?;
        if content.is_empty() {
            return Err(missing());
        }
        if content.len() > SIZE_LIMIT {
            return Err(Refusal::invalid("file", format!("must have at most {SIZE_LIMIT} bytes")));
        }
        let (content_type, ending) =
            kind(&content).ok_or_else(|| Refusal::invalid("file", "must be a PNG or JPEG picture"))?;
        let name = profiles::picture_name(&content, ending);
        return Ok(Picture { name, content_type: content_type.to_owned(), content: content.to_vec() });
    }
    Err(missing())
}

/// The type of a picture and the ending of its name, by how its content begins.
fn kind(content: &[u8]) -> Option<(&'static str, &'static str)> {
    if content.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(("image/png", "png"))
    } else if content.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(("image/jpeg", "jpg"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_how_they_begin() {
        assert_eq!(kind(b"\x89PNG\r\n\x1a\nrest"), Some(("image/png", "png")));
        assert_eq!(kind(&[0xff, 0xd8, 0xff, 0xe0]), Some(("image/jpeg", "jpg")));
        for wrong in [&b""[..], b"<svg>", b"GIF89a", b"\x89PNG", b"<html>\x89PNG\r\n\x1a\n"] {
            assert_eq!(kind(wrong), None);
        }
    }
}

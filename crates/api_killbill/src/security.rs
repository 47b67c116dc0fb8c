//! Security: who the caller is and what he may do; users and roles.

use crate::error::{ERRORS, bad_argument};
use crate::json::Body;
use crate::location::{Base, segment};
use crate::query::Answer;
use crate::session::{OperatorCall, SESSION_COOKIE};
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::Permission;
use edge::{Edge, Reply, Route, SESSION_IDLE, Session, SharedEdge, route};
use http::StatusCode;
use operations::security::{self, NewUser};
use serde::{Deserialize, Serialize};
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/1.0/kb/security/permissions", get(get_permissions)),
        route("GET", "/1.0/kb/security/subject", get(get_subject)),
        route("POST", "/1.0/kb/security/users", post(create_user)),
        route("DELETE", "/1.0/kb/security/users/{username}", delete(delete_user)),
        route("PUT", "/1.0/kb/security/users/{username}/password", put(set_password)),
        route("GET", "/1.0/kb/security/users/{username}/roles", get(get_user_roles)),
        route("PUT", "/1.0/kb/security/users/{username}/roles", put(set_user_roles)),
        route("GET", "/1.0/kb/security/roles", get(list_roles)),
        route("POST", "/1.0/kb/security/roles", post(create_role)),
        route("PUT", "/1.0/kb/security/roles", put(replace_role)),
        route("GET", "/1.0/kb/security/roles/{role}", get(get_role)),
    ]
}

/// Kill Bill's `Subject`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SubjectJson {
    principal: String,
    is_authenticated: bool,
    is_remembered: bool,
    session: Option<SessionJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionJson {
    id: Uuid,
    start_date: String,
    last_access_date: String,
    /// Milliseconds.
    timeout: i64,
    host: Option<String>,
}

impl From<storage::sessions::Session> for SessionJson {
    fn from(session: storage::sessions::Session) -> SessionJson {
        SessionJson {
            id: session.id,
            start_date: crate::json::instant(session.started_at),
            last_access_date: crate::json::instant(session.last_access_at),
            timeout: SESSION_IDLE.as_secs() * 1000,
            host: session.host,
        }
    }
}

/// Kill Bill's `UserRoles` as it is written: the password never leaves.
#[derive(Serialize)]
struct UserRolesJson {
    username: String,
    password: Option<()>,
    roles: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct UserRolesRequest {
    username: Option<String>,
    password: Option<String>,
    roles: Option<Vec<String>>,
}

impl UserRolesRequest {
    fn password(&self) -> Result<String, Reply> {
        let password = self.password.clone().ok_or_else(|| missing("UserRolesJson password"))?;
        security::check_password(&password).map_err(|refusal| bad_argument(refusal.to_string()))?;
        Ok(password)
    }

    fn roles(self) -> Result<Vec<String>, Reply> {
        self.roles.ok_or_else(|| missing("UserRolesJson roles"))
    }
}

/// Kill Bill's `RoleDefinition` as it is written.
#[derive(Serialize)]
struct RoleJson {
    role: String,
    permissions: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RoleRequest {
    role: Option<String>,
    permissions: Option<Vec<Option<String>>>,
}

fn missing(what: &str) -> Reply {
    bad_argument(format!("{what} needs to be set"))
}

async fn get_permissions(State(edge): State<SharedEdge>, base: Base, call: OperatorCall) -> Answer {
    let mut names = call.operator.permissions.names().to_vec();
    names.sort_unstable();
    let reply = Reply::json(StatusCode::OK, &names);
    if call.session.is_some() {
        return Ok(reply);
    }
    let token = edge.open_session(&call.operator, call.host).await.map_err(|error| ERRORS.reply(&error))?;
    let secure = if base.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{SESSION_COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax{secure}");
    Ok(reply.with("Set-Cookie", cookie))
}

async fn get_subject(call: OperatorCall) -> Answer {
    let subject = SubjectJson {
        principal: call.operator.username,
        is_authenticated: true,
        is_remembered: false,
        session: call.session.map(SessionJson::from),
    };
    Ok(Reply::json(StatusCode::OK, &subject))
}

/// Hashes a password, for those alone who may set one: the hash is slow on purpose.
async fn hash(edge: &Edge, session: &Session, password: &str) -> Result<String, Reply> {
    session.caller.require(Permission::UserCreate).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    edge.hash(password).await.map_err(|error| ERRORS.reply(&error))
}

/// Runs a change of users or roles. What this node remembers of credentials is forgotten with it.
async fn change(
    edge: &Edge,
    session: Session,
    work: impl Fn(&mut dyn Connection, &Session) -> Outcome<Reply> + Send + 'static,
) -> Answer {
    let writer = session.clone();
    let reply = edge.write(&session, &ERRORS, move |tx| work(tx, &writer)).await;
    edge.gate.forget_all();
    Ok(reply)
}

async fn create_user(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    base: Base,
    Body(request): Body<UserRolesRequest>,
) -> Answer {
    let session = call.into_session()?;
    let username = request.username.clone().ok_or_else(|| missing("UserRolesJson username"))?;
    let password = request.password()?;
    let roles = request.roles()?;
    let new = NewUser { username, password_hash: hash(&edge, &session, &password).await?, roles };
    change(&edge, session, move |tx, by| {
        security::create_user(tx, &by.caller, by.now, &new)?;
        Ok(base.created(&format!("/security/users/{}/roles", segment(&new.username))))
    })
    .await
}

async fn delete_user(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    Path(username): Path<String>,
) -> Answer {
    change(&edge, call.into_session()?, move |tx, by| {
        security::delete_user(tx, &by.caller, by.now, &username)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn set_password(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    Path(username): Path<String>,
    Body(request): Body<UserRolesRequest>,
) -> Answer {
    let session = call.into_session()?;
    let hash = hash(&edge, &session, &request.password()?).await?;
    change(&edge, session, move |tx, by| {
        security::set_password(tx, &by.caller, by.now, &username, &hash)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn get_user_roles(
    State(edge): State<SharedEdge>,
    _: OperatorCall,
    Path(username): Path<String>,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let roles = security::roles_of_user(tx, &username)?;
        let user = UserRolesJson { username: username.clone(), password: None, roles };
        Ok(Reply::json(StatusCode::OK, &user))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn set_user_roles(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    Path(username): Path<String>,
    Body(request): Body<UserRolesRequest>,
) -> Answer {
    let session = call.into_session()?;
    let roles = request.roles()?;
    change(&edge, session, move |tx, by| {
        security::set_roles(tx, &by.caller, by.now, &username, &roles)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
    .await
}

async fn list_roles(State(edge): State<SharedEdge>, _: OperatorCall) -> Answer {
    let work = |tx: &mut dyn Connection| {
        let roles = storage::users::all_roles(tx)?.into_iter();
        let roles: Vec<RoleJson> = roles.map(|(role, permissions)| RoleJson { role, permissions }).collect();
        Ok(Reply::json(StatusCode::OK, &roles))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn get_role(State(edge): State<SharedEdge>, _: OperatorCall, Path(role): Path<String>) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let permissions = storage::users::role(tx, &role)?;
        Ok(Reply::json(StatusCode::OK, &RoleJson { role: role.clone(), permissions }))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn create_role(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    base: Base,
    Body(request): Body<RoleRequest>,
) -> Answer {
    let session = call.into_session()?;
    let role = request.role.ok_or_else(|| missing("RoleDefinitionJson role"))?;
    let permissions = request.permissions.unwrap_or_default();
    change(&edge, session, move |tx, by| {
        security::define_role(tx, &by.caller, by.now, &role, &permissions)?;
        Ok(base.created(&format!("/security/roles/{}", segment(&role))))
    })
    .await
}

async fn replace_role(
    State(edge): State<SharedEdge>,
    call: OperatorCall,
    Body(request): Body<RoleRequest>,
) -> Answer {
    let session = call.into_session()?;
    let role = request.role.ok_or_else(|| missing("RoleDefinitionJson role"))?;
    let permissions = request.permissions.unwrap_or_default();
    change(&edge, session, move |tx, by| {
        security::redefine_role(tx, &by.caller, by.now, &role, &permissions)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    })
    .await
}

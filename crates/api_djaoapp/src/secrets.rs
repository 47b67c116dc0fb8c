//! What users log in with: passwords, one-time codes, keys. Who changes it proves once more who he is.

use crate::error::{self, Answer, ERRORS, Early};
use crate::fields::{self, Members};
use crate::guards::{self, own, scene};
use crate::json::{Body, instant};
use crate::list::ListQuery;
use crate::paging::{self, with_detail};
use crate::proofs::{self, Told};
use crate::session::Member;
use crate::shapes::UserDetail;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post, put};
use billing::organization::Organization;
use billing::{Refusal, text};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use jiff::SignedDuration;
use operations::access::{self, Demand, Guard, Target};
use operations::mikrocloud_tokens::{self, NewToken, SCOPE_READ, SCOPE_WRITE};
use operations::roles::Scene;
use operations::{api_keys, clock, one_time_codes, organizations, verification};
use serde::Serialize;
use serde_json::json;
use storage::api_keys::{ApiKey, KEYS};
use storage::users::{self, User};
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    let password = "/api/users/{user}/password";
    let keys = "/api/users/{user}/api-keys";
    vec![
        route("PUT", password, put(change_password)),
        route("DELETE", password, delete(remove_password)),
        route("POST", "/api/users/{user}/activate", post(invite)),
        route("PUT", "/api/users/{user}/otp", put(set_otp)),
        route("GET", keys, get(list_keys)),
        route("POST", keys, post(make_key)),
        route("POST", "/api/users/{user}/api-keys/{key}", post(remove_key)),
        route("PUT", "/api/users/{user}/ssh-keys", put(set_ssh_key)),
        route("POST", "/api/users/{user}/mikrocloud-token", post(issue_mikrocloud_token)),
    ]
}

/// Longest SSH key, in characters.
const SSH_KEY_LIMIT: usize = 500;

/// How long a token of MikroCloud's desk counts.
const MIKROCLOUD_LIFE: SignedDuration = SignedDuration::from_hours(1);

const CHANGE: Demand = Demand::write(Guard::SelfUser);

/// [`own`], before a body is looked at.
async fn guard(edge: &SharedEdge, member: &Member, username: &str, demand: Demand) -> Result<(), Early> {
    let (member, username) = (member.clone(), username.to_owned());
    edge.store.read_point(move |tx| own(tx, &member, &username, demand).map(drop)).await?;
    Ok(())
}

/// Does `work` for a user once the caller has proved who he is. The answer may hold a secret: it is not kept, whatever
/// key the request has.
async fn with_proof(
    edge: &SharedEdge,
    member: Member,
    (username, demand): (String, Demand),
    members: &Members,
    work: impl Fn(&mut dyn Connection, &Member, &User) -> Outcome<Reply> + Send + 'static,
) -> Answer {
    let told = Told::of(members)?;
    let proof = told.check(edge, member.login.user.password_hash.clone()).await?;
    let work = move |tx: &mut dyn Connection| {
        let (tenant, now) = (&member.session.tenant, member.session.now);
        let user = own(tx, &member, &username, demand)?;
        let caller = users::by_id(tx, member.login.user.id)?.ok_or(Refusal::AccessDenied)?;
        match operations::proofs::confirm(tx, tenant, now, &caller, &proof)? {
            Ok(()) => work(tx, &member, &user),
            // What was wrong was counted.
            Err(refusal) => Ok(error::refusal(&refusal)),
        }
    };
    Ok(edge.store.write(work).await?)
}

fn said(message: &str) -> Reply {
    Reply::json(StatusCode::OK, &json!({ "detail": message }))
}

async fn change_password(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    guard(&edge, &member, &username, CHANGE).await?;
    let password = proofs::new_password(&members)?.ok_or(Refusal::FieldMissing { field: "new_password" })?;
    let hash = edge.hash(&password).await?;
    let is_by_password = proofs::password(&members, "password")?.is_some();
    with_proof(&edge, member, (username, CHANGE), &members, move |tx, member, user| {
        let is_own = user.id == member.login.user.id;
        let session = is_own.then_some(member.login.session.id);
        let kept = operations::proofs::Kept { session, api_keys: is_own && is_by_password };
        operations::proofs::set_password(tx, scene(member), user, &hash, kept)?;
        Ok(said("The password was changed; other sessions have ended."))
    })
    .await
}

async fn remove_password(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let user = own(tx, &member, &username, CHANGE)?;
        operations::proofs::unset_password(tx, scene(&member), &user)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn invite(State(edge): State<SharedEdge>, member: Member, Path(username): Path<String>) -> Answer {
    guards::require_mail(&edge)?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant, now) = (&member.session.tenant, member.session.now);
        let user = guards::user(tx, &member, &username, CHANGE.frictionless())?;
        operations::proofs::invite(tx, tenant, now, &user, member.link_base.as_deref())?;
        Ok(with_detail(StatusCode::OK, &UserDetail::of(&user), "A link to choose a password was sent."))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn set_otp(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    let demand = CHANGE.frictionless();
    guard(&edge, &member, &username, demand).await?;
    fields::require(&members, "otp_enabled")?;
    let is_enabled = fields::flag(&members, "otp_enabled")?.unwrap_or(false);
    let wants_mail = fields::flag(&members, "email_verification_enabled")?;
    if wants_mail == Some(true) {
        guards::require_mail(&edge)?;
    }
    if fields::flag(&members, "phone_verification_enabled")? == Some(true) {
        let why = "cannot be: this site sends no codes to phones";
        return Err(Refusal::invalid("phone_verification_enabled", why).into());
    }
    with_proof(&edge, member, (username, demand), &members, move |tx, member, user| {
        if let Some(wants_mail) = wants_mail {
            operations::proofs::set_email_demand(tx, scene(member), user, wants_mail)?;
        }
        let Some((secret, is_new)) = operations::proofs::set_otp(tx, scene(member), user, is_enabled)? else {
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        };
        let site = verification::site_name(&member.session.tenant);
        let uri = one_time_codes::provisioning_uri(&secret, site, &user.username);
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        Ok(Reply::json(status, &json!({ "priv_key": secret, "provisioning_uri": uri })))
    })
    .await
}

#[derive(Serialize)]
struct KeyShown {
    title: String,
    api_pub_key: String,
    ends_at: Option<String>,
}

impl KeyShown {
    fn of(key: ApiKey) -> KeyShown {
        KeyShown {
            title: key.title.unwrap_or_default(),
            api_pub_key: key.public_id,
            ends_at: key.ends_at.map(instant),
        }
    }
}

async fn list_keys(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    query: ListQuery,
) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let tenant = &member.session.tenant;
        let user = guards::user(tx, &member, &username, Demand::read(Guard::SelfUser))?;
        let mut list = storage::api_keys::list(tx.engine(), tenant.tenant_id, user.id);
        let zone = paging::zone(tx, tenant)?;
        if let Err(early) = paging::apply(&query, &mut list, &KEYS, &zone, None) {
            return Ok(early.0);
        }
        paging::answer(tx, &query, &member.base, &list, |tx, window| {
            Ok(storage::api_keys::page(tx, &list, window)?.into_iter().map(KeyShown::of).collect())
        })
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn make_key(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    guard(&edge, &member, &username, CHANGE).await?;
    let title = fields::text(&members, "title")?.flatten();
    with_proof(&edge, member, (username, CHANGE), &members, move |tx, member, user| {
        let secret = api_keys::make(tx, scene(member), user, title.as_deref())?;
        Ok(Reply::json(StatusCode::CREATED, &json!({ "secret": secret })))
    })
    .await
}

async fn remove_key(
    State(edge): State<SharedEdge>,
    member: Member,
    Path((username, key)): Path<(String, String)>,
    Body(members): Body<Members>,
) -> Answer {
    guard(&edge, &member, &username, CHANGE).await?;
    with_proof(&edge, member, (username, CHANGE), &members, move |tx, member, user| {
        api_keys::remove(tx, scene(member), user, &key)?;
        Ok(said("The key was removed."))
    })
    .await
}

/// There is no directory service (LDAP), which alone keeps these keys.
async fn set_ssh_key(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    guard(&edge, &member, &username, CHANGE).await?;
    let key = fields::filled(&members, "pubkey")?.ok_or(Refusal::FieldMissing { field: "pubkey" })?;
    text::check_text("pubkey", &key, SSH_KEY_LIMIT, false)?;
    with_proof(&edge, member, (username, CHANGE), &members, |_, _, _| {
        Ok(said("The key was not kept: only users of a directory service (LDAP) have SSH keys here."))
    })
    .await
}

async fn issue_mikrocloud_token(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(username): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    guard(&edge, &member, &username, CHANGE).await?;
    let slug = fields::text(&members, "profile")?.flatten();
    let scope = fields::text(&members, "scope")?.flatten();
    let timezone = fields::text(&members, "timezone")?.flatten().unwrap_or_else(|| "UTC".to_owned());
    let work = move |tx: &mut dyn Connection| {
        let user = own(tx, &member, &username, CHANGE)?;
        let (organization, may_write) = profile_of(tx, &member, &user, slug.as_deref())?;
        let scopes = match &scope {
            Some(scope) => scope.split_whitespace().map(str::to_owned).collect(),
            None if may_write => vec![SCOPE_READ.to_owned(), SCOPE_WRITE.to_owned()],
            None => vec![SCOPE_READ.to_owned()],
        };
        if !may_write && scopes.iter().any(|scope| scope == SCOPE_WRITE) {
            return Err(Refusal::AccessDenied.into());
        }
        let new = NewToken {
            organization_id: organization.id,
            user: Some(user.email.clone().unwrap_or_else(|| user.username.clone())),
            scopes,
            timezone: timezone.clone(),
            lifetime: MIKROCLOUD_LIFE,
        };
        let Scene { tenant, caller, .. } = scene(&member);
        let token = mikrocloud_tokens::issue(tx, tenant, caller, clock::real(), &new)?;
        Ok(Reply::json(StatusCode::CREATED, &json!({ "token": token })))
    };
    Ok(edge.store.write(work).await?)
}

/// The profile that a token shall speak for, and whether its user may also write there. Refuses a profile that he may
/// not read.
fn profile_of(
    tx: &mut dyn Connection,
    member: &Member,
    user: &User,
    slug: Option<&str>,
) -> Outcome<(Organization, bool)> {
    let (tenant, now) = (&member.session.tenant, member.session.now);
    let organization = match (slug, user.current_organization_id) {
        (Some(slug), _) => access::organization(tx, tenant.tenant_id, slug)?,
        (None, Some(id)) => organizations::get(tx, tenant.tenant_id, id)?,
        (None, None) => return Err(Refusal::FieldMissing { field: "profile" }.into()),
    };
    let target = Target { organization: Some(&organization), ..Target::default() };
    access::check(tx, tenant, now, user, Demand::read(Guard::Direct), target)?;
    let may_write = access::check(tx, tenant, now, user, Demand::write(Guard::Direct), target).is_ok();
    Ok((organization, may_write))
}

//! Registering, logging in, and what is done with codes and keys that were sent by mail.

use crate::cookies;
use crate::error::{self, Answer, ERRORS, Early, bad_field, detail};
use crate::fields::{self, Members};
use crate::guards;
use crate::json::Body;
use crate::list::says_yes;
use crate::proofs::{self, Told};
use crate::session::{Visitor, unauthorized};
use crate::shapes::UserDetail;
use crate::users::person_fields;
use axum::extract::{Path, RawQuery, State};
use axum::routing::{get, post};
use billing::Refusal;
use billing::organization::Contact;
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::proofs::Attempt;
use operations::registration::{self, Registration};
use operations::roles::Scene;
use operations::{clock, logins, verification};
use serde_json::{Map, Value, json};
use storage::users::User;
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/api/auth", post(log_in)),
        route("POST", "/api/auth/register", post(register)),
        route("POST", "/api/auth/recover", post(recover)),
        route("GET", "/api/auth/{verification_key}", get(read_key)),
        route("POST", "/api/auth/{verification_key}", post(activate)),
    ]
}

/// How somebody who logs in wants to be remembered.
#[derive(Clone)]
struct Door {
    tenant: billing::Tenant,
    host: Option<String>,
    base: String,
    csrf_token: String,
    wants_cookie: bool,
}

impl Door {
    /// Refuses a browser on another origin that would get a cookie: its user would not know who he is.
    fn of(visitor: &Visitor, query: Option<&str>) -> Result<Door, Early> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut wants_cookie = false;
        for (name, value) in pairs {
            if name == "cookie" {
                wants_cookie = says_yes(&value);
            }
        }
        if wants_cookie && visitor.is_foreign {
            return Err(detail(StatusCode::FORBIDDEN, "CSRF Failed: the origin is another site.").into());
        }
        Ok(Door {
            tenant: visitor.session.tenant.clone(),
            host: visitor.peer.clone(),
            base: visitor.base.clone(),
            csrf_token: visitor.csrf_token.clone(),
            wants_cookie,
        })
    }

    /// Lets a user in: 201 with his token.
    fn let_in(&self, tx: &mut dyn Connection, user: &User) -> Outcome<Reply> {
        let shown = UserDetail::of(user).claims();
        let opened = logins::open(tx, &self.tenant, user, shown, self.host.clone(), clock::real())?;
        let reply = Reply::json(StatusCode::CREATED, &json!({ "token": opened.token }));
        if !self.wants_cookie {
            return Ok(reply);
        }
        let reply = cookies::with_session(reply, &opened.secret, &self.base);
        Ok(cookies::with_csrf(reply, &self.csrf_token, &self.base))
    }
}

async fn log_in(
    State(edge): State<SharedEdge>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    Body(members): Body<Members>,
) -> Answer {
    let door = Door::of(&visitor, query.as_deref())?;
    let name = fields::filled(&members, "username")?.ok_or(Refusal::FieldMissing { field: "username" })?;
    let told = Told::of(&members)?;
    let wants_code = wants_code(&members)?;
    let new_password = proofs::new_password(&members)?.filter(|_| told.has_email_code());
    let session = visitor.session;
    let (tenant, now) = (session.tenant.clone(), session.now);
    if told.is_empty() && wants_code {
        guards::require_mail(&edge)?;
        let asked = name.clone();
        let (peer, base) = (visitor.peer, visitor.link_base);
        let work = move |tx: &mut dyn Connection| {
            verification::request(tx, &tenant, now, &asked, peer.as_deref(), base.as_deref())?;
            Ok(unauthorized(&json!({ "email": "A code is sent to this address, if it is known." })))
        };
        return Ok(edge.store.write(work).await?);
    }
    let hash = match &told.password {
        None => None,
        Some(_) => {
            let (asked, peer) = (name.clone(), visitor.peer.clone());
            let tenant_id = tenant.tenant_id;
            edge.store
                .read_point(move |tx| {
                    operations::proofs::hash_of(tx, tenant_id, now, &asked, peer.as_deref())
                })
                .await?
        }
    };
    let proof = told.check(&edge, hash).await?;
    let new_password_hash = match new_password {
        Some(password) => Some(edge.hash(&password).await?),
        None => None,
    };
    let can_send = edge.mailer.is_set_up();
    let attempt =
        Attempt { name, peer: visitor.peer, proof, new_password_hash, wants_code: wants_code && can_send };
    // The answer holds a secret: it is not kept, whatever key the request has.
    let work = move |tx: &mut dyn Connection| {
        let scene = Scene { tenant: &session.tenant, caller: &session.caller, now };
        match operations::proofs::log_in(tx, scene, &attempt)? {
            Ok(user) => door.let_in(tx, &user),
            Err(Refusal::Unproven { field: "email", .. }) if wants_code && !can_send => Ok(guards::no_mail()),
            // What was wrong was counted.
            Err(refusal) => Ok(error::refusal(&refusal)),
        }
    };
    Ok(edge.store.write(work).await?)
}

fn wants_code(members: &Members) -> Result<bool, Early> {
    Ok(fields::flag(members, "check_email")?.unwrap_or(false)
        || fields::flag(members, "check_phone")?.unwrap_or(false))
}

async fn register(
    State(edge): State<SharedEdge>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
    Body(members): Body<Members>,
) -> Answer {
    let door = Door::of(&visitor, query.as_deref())?;
    let mut registration = registration(&members)?;
    registration.peer = visitor.peer;
    check_whole(&registration)?;
    let password = proofs::new_password(&members)?;
    let is_trial = edge.settings.test_mode || edge.settings.demo;
    let must_verify = !is_trial || password.is_none();
    if must_verify && registration.wants_code && registration.email_code.is_none() {
        guards::require_mail(&edge)?;
    }
    if let Some(password) = password
        && (!must_verify || registration.email_code.is_some())
    {
        registration.password_hash = Some(edge.hash(&password).await?);
    }
    let (session, base) = (visitor.session, visitor.link_base);
    let work = move |tx: &mut dyn Connection| {
        let scene = Scene { tenant: &session.tenant, caller: &session.caller, now: session.now };
        match registration::register(tx, scene, &registration, must_verify, base.as_deref())? {
            Ok(user) => door.let_in(tx, &user),
            Err(refusal) => Ok(error::refusal(&refusal)),
        }
    };
    Ok(edge.store.write(work).await?)
}

/// Refuses who says neither his name nor where he is reached.
fn check_whole(registration: &Registration) -> Result<(), Early> {
    let mut wrong = Map::new();
    let mut required = |field: &str| wrong.insert(field.to_owned(), json!(["This field is required."]));
    if registration.full_name.is_none() {
        required("full_name");
    }
    if registration.email.is_none() && registration.phone.is_none() {
        required("email");
        required("phone");
    }
    if wrong.is_empty() { Ok(()) } else { Err(Reply::json(StatusCode::BAD_REQUEST, &wrong).into()) }
}

/// The members of a registration that have a meaning of their own.
const KNOWN: &[&str] = &[
    "username",
    "email",
    "email_code",
    "phone",
    "phone_code",
    "full_name",
    "nick_name",
    "lang",
    "extra",
    "new_password",
    "password",
    "otp_code",
    "check_email",
    "check_phone",
    "organization_name",
    "street_address",
    "locality",
    "region",
    "postal_code",
    "country",
    "type",
];

/// What a body asks of a registration, but for the password. Members that are not known are agreements, or kept with the
/// user, the profile or the role when they begin with its name.
fn registration(members: &Members) -> Result<Registration, Early> {
    let text = |name: &'static str| Ok::<_, Early>(fields::text(members, name)?.flatten());
    let kind = text("type")?.unwrap_or_else(|| "unknown".to_owned());
    if !["unknown", "user", "personal", "organization", "provider"].contains(&kind.as_str()) {
        let why = "must be unknown, user, personal, organization or provider";
        return Err(bad_field("type", why).into());
    }
    if let (Some(_), None) = (proofs::code(members, "phone_code")?, proofs::code(members, "email_code")?) {
        let why = "is not right: this site sends no codes to phones";
        return Err(bad_field("phone_code", why).into());
    }
    let full_name = text("full_name")?;
    let organization_name = match text("organization_name")? {
        None if kind == "organization" => full_name.clone(),
        name => name,
    };
    let kept = |prefix: &str| {
        let found = members.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
        let found = found.filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value)));
        found.map(|(name, value)| (name.to_owned(), value.clone())).collect::<Map<String, Value>>()
    };
    let as_text = |kept: Map<String, Value>| {
        let text = (!kept.is_empty()).then(|| Value::Object(kept).to_string());
        fields::check_extra(text.as_deref()).map(|()| text)
    };
    let mut extra = fields::extra(members)?.flatten();
    let more = kept("user_");
    if !more.is_empty() {
        if extra.is_some() {
            return Err(
                bad_field("extra", "cannot be given together with members that begin with user_").into()
            );
        }
        extra = as_text(more)?;
    }
    Ok(Registration {
        username: fields::filled(members, "username")?,
        email: text("email")?,
        phone: text("phone")?,
        nick_name: text("nick_name")?,
        lang: text("lang")?,
        extra,
        password_hash: None,
        address: Contact {
            street_address: text("street_address")?,
            locality: text("locality")?,
            region: text("region")?,
            postal_code: text("postal_code")?,
            country: text("country")?,
            ..Contact::default()
        },
        organization_name,
        is_provider: kind == "provider",
        organization_extra: as_text(kept("organization_"))?,
        role_extra: as_text(kept("role_"))?,
        agreements: members
            .iter()
            .filter(|(name, _)| !KNOWN.contains(&name.as_str()))
            .map(is_agreed)
            .collect(),
        email_code: proofs::code(members, "email_code")?,
        wants_code: wants_code(members)?,
        peer: None,
        full_name,
    })
}

/// Whether somebody agrees to what a member names: only by saying yes.
fn is_agreed((name, value): (&String, &Value)) -> (String, bool) {
    let agrees = match value {
        Value::Bool(agrees) => *agrees,
        Value::String(text) => matches!(text.as_str(), "true" | "True" | "1" | "on"),
        _ => false,
    };
    (name.clone(), agrees)
}

async fn recover(State(edge): State<SharedEdge>, visitor: Visitor, Body(members): Body<Members>) -> Answer {
    let name = fields::filled(&members, "username")?.ok_or(Refusal::FieldMissing { field: "username" })?;
    guards::require_mail(&edge)?;
    let (session, peer, base) = (visitor.session, visitor.peer, visitor.link_base);
    let work = move |tx: &mut dyn Connection| {
        verification::request(tx, &session.tenant, session.now, &name, peer.as_deref(), base.as_deref())?;
        Ok(Reply::json(StatusCode::OK, &json!({ "username": name })))
    };
    Ok(edge.store.write(work).await?)
}

fn invalid_key() -> Reply {
    detail(StatusCode::BAD_REQUEST, "invalid request")
}

async fn read_key(State(edge): State<SharedEdge>, visitor: Visitor, Path(key): Path<String>) -> Answer {
    let session = visitor.session;
    let work = move |tx: &mut dyn Connection| {
        let found = operations::proofs::of_key(tx, &session.tenant, session.now, &key)?;
        Ok(found.map_or_else(invalid_key, |(address, user)| {
            let shown = user.as_ref().map_or_else(|| UserDetail::of_address(address), UserDetail::of);
            Reply::json(StatusCode::OK, &shown)
        }))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn activate(
    State(edge): State<SharedEdge>,
    visitor: Visitor,
    Path(key): Path<String>,
    RawQuery(query): RawQuery,
    Body(members): Body<Members>,
) -> Answer {
    let door = Door::of(&visitor, query.as_deref())?;
    let mut registration = registration(&members)?;
    let fields = person_fields(&members)?;
    let otp_code = proofs::code(&members, "otp_code")?;
    let session = visitor.session;
    let (tenant, now, asked) = (session.tenant.clone(), session.now, key.clone());
    let known = edge.store.read_point(move |tx| operations::proofs::of_key(tx, &tenant, now, &asked)).await?;
    match known {
        None => return Err(invalid_key().into()),
        // Nothing was kept of what was said when the link was asked for.
        Some((_, None)) if registration.full_name.is_none() => {
            return Err(Refusal::FieldMissing { field: "full_name" }.into());
        }
        Some(_) => {}
    }
    let password = proofs::new_password(&members)?.ok_or(Refusal::FieldMissing { field: "new_password" })?;
    let hash = edge.hash(&password).await?;
    registration.password_hash = Some(hash.clone());
    let work = move |tx: &mut dyn Connection| {
        let scene = Scene { tenant: &session.tenant, caller: &session.caller, now: session.now };
        if let Some(result) =
            operations::proofs::activate(tx, scene, &key, (&hash, otp_code.as_deref()), &fields)?
        {
            return match result {
                Ok(user) => door.let_in(tx, &user),
                Err(refusal) => Ok(error::refusal(&refusal)),
            };
        }
        match registration::register_by_key(tx, scene, &key, &registration)? {
            Some(user) => door.let_in(tx, &user),
            None => Ok(invalid_key()),
        }
    };
    Ok(edge.store.write(work).await?)
}

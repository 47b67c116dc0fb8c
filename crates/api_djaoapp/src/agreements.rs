//! Legal agreements: to be read by anybody, signed by users, and kept by those who manage the site.

use crate::cookies;
use crate::error::{Answer, ERRORS};
use crate::fields::{self, Members};
use crate::guards::{self, scene};
use crate::json::{Body, instant};
use crate::list::{ListQuery, parse_instant};
use crate::paging;
use crate::session::{Member, Visitor};
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post, put};
use billing::{Refusal, Tenant};
use edge::{Reply, Route, SharedEdge, route};
use http::{HeaderMap, StatusCode};
use jiff::tz::TimeZone;
use operations::access::{Demand, Guard};
use operations::agreements::{self, AgreementChange};
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::agreements::{AGREEMENTS, Agreement};
use storage::{Connection, Outcome};

pub(crate) fn routes() -> Vec<Route> {
    let one = "/api/agreements/{document}";
    vec![
        route("GET", "/api/legal", get(list_for_all)),
        route("GET", "/api/legal/{agreement}", get(read_for_all)),
        route("POST", "/api/legal/{agreement}", post(choose_cookies)),
        route("POST", "/api/legal/{agreement}/sign", post(sign)),
        route("GET", "/api/agreements", get(list)),
        route("POST", "/api/agreements", post(create)),
        route("GET", one, get(read)),
        route("PUT", one, put(replace)),
        route("PATCH", one, patch(change)),
        route("DELETE", one, delete(remove)),
    ]
}

/// An agreement inside a list.
#[derive(Serialize)]
struct AgreementShort {
    slug: String,
    title: String,
    updated_at: String,
}

impl AgreementShort {
    fn of(agreement: &Agreement) -> AgreementShort {
        AgreementShort {
            slug: agreement.slug.clone(),
            title: agreement.title.clone(),
            updated_at: instant(agreement.updated_at),
        }
    }
}

/// An agreement with what it says.
#[derive(Serialize)]
struct AgreementDetail {
    #[serde(flatten)]
    short: AgreementShort,
    text: String,
}

impl AgreementDetail {
    fn of(agreement: &Agreement) -> AgreementDetail {
        AgreementDetail { short: AgreementShort::of(agreement), text: agreement.body.clone() }
    }
}

fn page(tx: &mut dyn Connection, tenant: &Tenant, query: &ListQuery, base: &str) -> Outcome<Reply> {
    let mut list = storage::agreements::list(tx.engine(), tenant.tenant_id);
    let zone = paging::zone(tx, tenant)?;
    if let Err(early) = paging::apply(query, &mut list, &AGREEMENTS, &zone, None) {
        return Ok(early.0);
    }
    paging::answer(tx, query, base, &list, |tx, window| {
        let found = storage::agreements::page(tx, &list, window)?;
        Ok(found.iter().map(AgreementShort::of).collect())
    })
}

async fn list_for_all(State(edge): State<SharedEdge>, visitor: Visitor, query: ListQuery) -> Answer {
    let work = move |tx: &mut dyn Connection| page(tx, &visitor.session.tenant, &query, &visitor.base);
    Ok(edge.read(&ERRORS, work).await)
}

async fn read_for_all(State(edge): State<SharedEdge>, visitor: Visitor, Path(slug): Path<String>) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        let agreement = agreements::get(tx, visitor.session.tenant.tenant_id, &slug)?;
        Ok(Reply::json(StatusCode::OK, &AgreementDetail::of(&agreement)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

/// The kinds of cookies that a visitor may allow or forbid.
const COOKIES: [&str; 3] = ["analytics", "social_media", "advertising"];
/// The cookie that keeps what he chose.
const CHOICE: &str = "cookie_choice";
/// How long it is kept, in seconds: half a year.
const CHOICE_LIFE: u32 = 180 * 24 * 60 * 60;

/// What the visitor chose before, of the kinds that there are.
fn chosen(headers: &HeaderMap) -> Map<String, Value> {
    let kept = cookies::read(headers, CHOICE).unwrap_or_default();
    let choices = kept.split('.').filter_map(|choice| choice.split_once(':'));
    choices
        .filter(|(kind, _)| COOKIES.contains(kind))
        .map(|(kind, choice)| (kind.to_owned(), Value::Bool(choice == "yes")))
        .collect()
}

/// Keeps with the visitor which kinds of cookies he allows: on the server nothing is known of him.
async fn choose_cookies(
    State(edge): State<SharedEdge>,
    visitor: Visitor,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(members): Body<Members>,
) -> Answer {
    let mut choices = chosen(&headers);
    for kind in COOKIES {
        if let Some(choice) = fields::flag(&members, kind)? {
            choices.insert(kind.to_owned(), Value::Bool(choice));
        }
    }
    let kept: Vec<String> = choices
        .iter()
        .map(|(kind, choice)| format!("{kind}:{}", if *choice == Value::Bool(true) { "yes" } else { "no" }))
        .collect();
    let cookie = format!("{CHOICE}={}; Path=/; Max-Age={CHOICE_LIFE}; SameSite=Lax", kept.join("."));
    let work = move |tx: &mut dyn Connection| {
        let agreement = agreements::get(tx, visitor.session.tenant.tenant_id, &slug)?;
        let reply = Reply::json(StatusCode::OK, &AgreementDetail::of(&agreement));
        Ok(reply.with("Set-Cookie", cookie.clone()))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn sign(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    let has_read =
        fields::flag(&members, "read_terms")?.ok_or(Refusal::FieldMissing { field: "read_terms" })?;
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        let signed_at = agreements::sign(tx, scene(&member), &member.login.user, &slug, has_read)?;
        let signed = json!({ "read_terms": has_read, "last_signed": instant(signed_at) });
        Ok(Reply::json(StatusCode::OK, &signed))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn list(State(edge): State<SharedEdge>, member: Member, query: ListQuery) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::read(Guard::Broker))?;
        page(tx, &member.session.tenant, &query, &member.base)
    };
    Ok(edge.read(&ERRORS, work).await)
}

/// What a body says of an agreement. A date without an offset is read in UTC.
fn agreement_change(members: &Members) -> Result<AgreementChange, Refusal> {
    let updated_at = match fields::filled(members, "updated_at")? {
        None => None,
        Some(text) => Some(
            parse_instant(&text, &TimeZone::UTC)
                .ok_or_else(|| Refusal::invalid("updated_at", "must be an ISO 8601 date or date-time"))?,
        ),
    };
    let body = fields::text(members, "text")?.map(Option::unwrap_or_default);
    Ok(AgreementChange { title: fields::filled(members, "title")?, body, updated_at })
}

async fn create(State(edge): State<SharedEdge>, member: Member, Body(members): Body<Members>) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::write(Guard::Broker))?;
        let agreement = agreements::create(tx, scene(&member), &agreement_change(&members)?)?;
        Ok(Reply::json(StatusCode::CREATED, &AgreementShort::of(&agreement))
            .with("Location", format!("{}/api/agreements/{}", member.base, agreement.slug)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn read(State(edge): State<SharedEdge>, member: Member, Path(slug): Path<String>) -> Answer {
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::read(Guard::Broker))?;
        let agreement = agreements::get(tx, member.session.tenant.tenant_id, &slug)?;
        Ok(Reply::json(StatusCode::OK, &AgreementDetail::of(&agreement)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

async fn replace(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, members, true).await
}

async fn change(
    State(edge): State<SharedEdge>,
    member: Member,
    Path(slug): Path<String>,
    Body(members): Body<Members>,
) -> Answer {
    save(edge, member, slug, members, false).await
}

async fn save(edge: SharedEdge, member: Member, slug: String, members: Members, is_whole: bool) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::write(Guard::Broker))?;
        if is_whole {
            fields::require(&members, "title")?;
            fields::require(&members, "updated_at")?;
        }
        let agreement = agreements::change(tx, scene(&member), &slug, &agreement_change(&members)?)?;
        Ok(Reply::json(StatusCode::OK, &AgreementDetail::of(&agreement)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn remove(State(edge): State<SharedEdge>, member: Member, Path(slug): Path<String>) -> Answer {
    let session = member.session.clone();
    let work = move |tx: &mut dyn Connection| {
        guards::site(tx, &member, Demand::write(Guard::Broker))?;
        agreements::delete(tx, scene(&member), &slug)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

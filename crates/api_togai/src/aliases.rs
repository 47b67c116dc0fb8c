//! Aliases of an account: add, remove, list.

use crate::accounts::{AccountJson, account_key, at_most};
use crate::error::{Answer, ERRORS};
use crate::fields::required_text;
use crate::json::{Body, Query, instant, parse_instant};
use crate::paging::{Page, PageJson};
use crate::session::Call;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use billing::Refusal;
use billing::alias::{Alias, NewAlias, Validity};
use edge::{Reply, Route, Session, SharedEdge, route};
use http::StatusCode;
use jiff::Timestamp;
use operations::aliases::{self, Removal};
use operations::customers;
use serde::{Deserialize, Serialize};
use storage::accounts::StoredAccount;
use storage::{Connection, Outcome};
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/accounts/{account_id}/add_aliases", post(add_aliases)),
        route("POST", "/accounts/{account_id}/remove_aliases", post(remove_aliases)),
        route("GET", "/accounts/{account_id}/account_aliases", get(list_aliases)),
    ]
}

/// Most aliases of either form in one request.
const REQUEST_LIMIT: usize = 10;

/// How a range that has no beginning or no end is written.
const SINCE_EVER: &str = "0001-01-01T00:00:00.000Z";
const FOR_EVER: &str = "9999-12-31T23:59:59.000Z";

/// An alias with its range, as clients send it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatedAliasRequest {
    value: Option<String>,
    effective_from: Option<String>,
    effective_until: Option<String>,
}

/// The aliases of both forms, checked.
pub(crate) fn new_aliases(
    plain: Option<Vec<String>>,
    dated: Option<Vec<DatedAliasRequest>>,
) -> Result<Vec<NewAlias>, Refusal> {
    let (plain, dated) = (plain.unwrap_or_default(), dated.unwrap_or_default());
    at_most(REQUEST_LIMIT, "aliases", plain.len())?;
    at_most(REQUEST_LIMIT, "accountAliases", dated.len())?;
    let mut new = Vec::with_capacity(plain.len() + dated.len());
    for value in plain {
        let alias = NewAlias::new(value, Validity::default());
        alias.check("aliases")?;
        new.push(alias);
    }
    for alias in dated {
        let value = required_text("accountAliases.value", alias.value, usize::MAX)?;
        let from = bound("accountAliases.effectiveFrom", alias.effective_from)?;
        let until = bound("accountAliases.effectiveUntil", alias.effective_until)?;
        let alias = NewAlias::new(value, Validity { from, until });
        alias.check("accountAliases")?;
        new.push(alias);
    }
    Ok(new)
}

/// One end of a range. The far past and the far future, as this desk writes them, mean none.
fn bound(field: &'static str, text: Option<String>) -> Result<Option<Timestamp>, Refusal> {
    match text.as_deref() {
        None => Ok(None),
        Some(text) if text.starts_with("0001-01-01T") || text.starts_with("9999-12-31T") => Ok(None),
        Some(text) => parse_instant(field, text).map(Some),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddAliasesRequest {
    aliases: Option<Vec<String>>,
    account_aliases: Option<Vec<DatedAliasRequest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoveAliasesRequest {
    aliases: Option<Vec<String>>,
    account_aliases: Option<Vec<RemovedAlias>>,
}

#[derive(Deserialize)]
struct RemovedAlias {
    id: Option<String>,
    from: Option<String>,
}

/// A list that is sent has items; and one of the two is sent.
fn check_sent<T, U>(plain: &Option<Vec<T>>, dated: &Option<Vec<U>>) -> Result<(), Refusal> {
    if plain.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::FieldMissing { field: "aliases" });
    }
    if dated.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::FieldMissing { field: "accountAliases" });
    }
    if plain.is_none() && dated.is_none() {
        return Err(Refusal::FieldMissing { field: "aliases or accountAliases" });
    }
    Ok(())
}

impl RemoveAliasesRequest {
    fn into_removal(self) -> Result<Removal, Refusal> {
        check_sent(&self.aliases, &self.account_aliases)?;
        let values = self.aliases.unwrap_or_default();
        let dated = self.account_aliases.unwrap_or_default();
        at_most(REQUEST_LIMIT, "aliases", values.len())?;
        at_most(REQUEST_LIMIT, "accountAliases", dated.len())?;
        for value in &values {
            required_text("aliases", Some(value.clone()), usize::MAX)?;
        }
        let mut ids = Vec::with_capacity(dated.len());
        for RemovedAlias { id, from } in dated {
            let id = required_text("accountAliases.id", id, usize::MAX)?;
            let id = Uuid::parse_str(&id)
                .map_err(|_| Refusal::invalid("accountAliases.id", "must be the id of an alias"))?;
            let from = from.map(|text| parse_instant("accountAliases.from", &text)).transpose()?;
            ids.push((id, from));
        }
        Ok(Removal { values, ids })
    }
}

/// Changes the aliases of one account and answers with the account.
async fn change_aliases(
    edge: SharedEdge,
    session: Session,
    key: String,
    change: impl Fn(&mut dyn Connection, &Session, Uuid) -> Outcome<()> + Send + 'static,
) -> Answer {
    let key = account_key(key)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, now) = (writer.tenant.tenant_id, writer.now);
        let id = aliases::resolve(tx, tenant_id, &key, now)?.account.id;
        change(tx, &writer, id)?;
        let stored: StoredAccount = operations::accounts::get(tx, tenant_id, id)?;
        let view = customers::view(tx, tenant_id, stored, now)?;
        Ok(Reply::json(StatusCode::OK, &AccountJson::from(view)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn add_aliases(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    Body(request): Body<AddAliasesRequest>,
) -> Answer {
    check_sent(&request.aliases, &request.account_aliases)?;
    let new = new_aliases(request.aliases, request.account_aliases)?;
    let change = move |tx: &mut dyn Connection, writer: &Session, id: Uuid| {
        aliases::add(tx, writer.tenant.tenant_id, id, &writer.caller, writer.now, &new)
    };
    change_aliases(edge, session, key, change).await
}

async fn remove_aliases(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    Body(request): Body<RemoveAliasesRequest>,
) -> Answer {
    let removal = request.into_removal()?;
    let change = move |tx: &mut dyn Connection, writer: &Session, id: Uuid| {
        aliases::remove(tx, writer.tenant.tenant_id, id, &writer.caller, writer.now, &removal)
    };
    change_aliases(edge, session, key, change).await
}

/// An alias with its range.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DatedAliasJson {
    id: Uuid,
    value: String,
    effective_from: String,
    effective_until: String,
    created_at: String,
    updated_at: String,
}

impl From<Alias> for DatedAliasJson {
    fn from(alias: Alias) -> DatedAliasJson {
        DatedAliasJson {
            id: alias.id,
            value: alias.value,
            effective_from: alias.validity.from.map_or_else(|| SINCE_EVER.to_owned(), instant),
            effective_until: alias.validity.until.map_or_else(|| FOR_EVER.to_owned(), instant),
            created_at: instant(alias.created_at),
            updated_at: instant(alias.updated_at),
        }
    }
}

const LIST: &str = "account_aliases";

async fn list_aliases(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    query: Query,
) -> Answer {
    let key = account_key(key)?;
    let page = Page::from_query(&query, &[LIST])?;
    let after = page.after.as_ref().map(|(_, id)| *id);
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = session.tenant.tenant_id;
        let id = aliases::resolve(tx, tenant_id, &key, session.now)?.account.id;
        let (found, more) = aliases::list(tx, tenant_id, id, after, page.size)?;
        let next_token =
            found.last().filter(|_| more).and_then(|alias: &Alias| page.next_token(LIST, alias.id));
        let data: Vec<DatedAliasJson> = found.into_iter().map(DatedAliasJson::from).collect();
        Ok(Reply::json(StatusCode::OK, &PageJson { data, next_token, context: None }))
    };
    Ok(edge.read(&ERRORS, work).await)
}

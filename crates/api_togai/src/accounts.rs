//! Accounts: create, retrieve, list, update, delete.

use crate::aliases::{DatedAliasRequest, new_aliases};
use crate::customers::success;
use crate::error::{Answer, ERRORS};
use crate::fields::{
    EMAIL_LIMIT, ID_LIMIT, SettingJson, check_address, check_name, check_primary_email, kept, required,
    required_text, settings,
};
use crate::json::{Body, Query};
use crate::paging::Page;
use crate::session::Call;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use billing::account::{Account, AccountChange, AccountDetails, AccountExtras, AccountStatus, NewAccount};
use billing::customer::{Address, shown_name};
use billing::text::{check_email, check_text};
use billing::{Currency, Refusal};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::customers::{self, AccountView, NewCustomerAccount};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use storage::Connection;
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/accounts", post(create_account)),
        route("GET", "/accounts", get(list_accounts)),
        route("GET", "/accounts/{account_id}", get(get_account)),
        route("PATCH", "/accounts/{account_id}", patch(update_account)),
        route("DELETE", "/accounts/{account_id}", delete(delete_account)),
    ]
}

/// Most days until an invoice is due.
const NET_TERM_DAYS_LIMIT: i64 = 3650;

/// Most entries of `metadata`, most `tags`, most recipients.
const ENTRIES_LIMIT: usize = 100;

/// Togai's account as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountJson {
    id: String,
    togai_account_id: Uuid,
    togai_customer_id: Uuid,
    customer_id: String,
    name: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    aliases: Vec<AliasJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_currency: Option<&'static str>,
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_email: Option<String>,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    net_term_days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_information: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<Value>,
}

#[derive(Serialize)]
struct AliasJson {
    alias: String,
}

impl From<AccountView> for AccountJson {
    fn from(view: AccountView) -> AccountJson {
        let name = shown_name(&view.account);
        let extras = view.account.extras.unwrap_or_default();
        let address = Address::of_account(&view.account.details);
        let has_address = extras.has_address.unwrap_or(false) || address != Address::default();
        AccountJson {
            id: view.account.external_key,
            togai_account_id: view.account.id,
            togai_customer_id: view.customer_id,
            customer_id: view.customer_key,
            name,
            status: view.account.status.name(),
            address: has_address.then_some(address),
            aliases: view.aliases.into_iter().map(|alias| AliasJson { alias }).collect(),
            invoice_currency: view.account.currency.map(Currency::code),
            metadata: extras.metadata.unwrap_or_default(),
            primary_email: view.account.details.email,
            tags: extras.tags,
            net_term_days: extras.net_term_days,
            billing_information: extras.billing_information,
            settings: extras.settings,
        }
    }
}

/// A new account as clients send it, alone or within a new customer.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountRequest {
    customer_id: Option<String>,
    id: Option<String>,
    aliases: Option<Vec<String>>,
    account_aliases: Option<Vec<DatedAliasRequest>>,
    settings: Option<Vec<SettingJson>>,
    #[serde(flatten)]
    fields: AccountFields,
}

/// What may be said of an account at its opening and later.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct AccountFields {
    name: Option<String>,
    status: Option<String>,
    invoice_currency: Option<String>,
    net_term_days: Option<i64>,
    primary_email: Option<String>,
    billing_information: Option<BillingInformation>,
    address: Option<Address>,
    metadata: Option<BTreeMap<String, String>>,
    tags: Option<Vec<String>>,
}

/// Who else receives billing mails.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct BillingInformation {
    #[serde(skip_serializing_if = "Option::is_none")]
    email_recipients: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_email_recipients: Option<Vec<String>>,
}

impl AccountRequest {
    /// The account that is asked for.
    pub(crate) fn into_new_account(self) -> Result<NewCustomerAccount, Refusal> {
        let AccountRequest { id, aliases, account_aliases, settings: sent, mut fields, .. } = self;
        let id = required_text("id", id, ID_LIMIT)?;
        required("name", fields.name.as_ref())?;
        fields.check()?;
        let mut extras = AccountExtras { settings: settings(sent)?, ..AccountExtras::default() };
        let mut details = AccountDetails::default();
        let status = fields.status()?;
        let currency = fields.invoice_currency.take();
        fields.put_into(&mut details, &mut extras)?;
        let account = NewAccount {
            external_key: Some(id),
            currency,
            status,
            extras: Some(extras),
            details,
            ..NewAccount::default()
        };
        Ok(NewCustomerAccount { account, aliases: new_aliases(aliases, account_aliases)? })
    }
}

impl AccountFields {
    /// Togai's limits.
    fn check(&self) -> Result<(), Refusal> {
        self.name.as_deref().map_or(Ok(()), check_name)?;
        self.primary_email.as_deref().map_or(Ok(()), check_primary_email)?;
        self.address.as_ref().map_or(Ok(()), check_address)?;
        if let Some(code) = &self.invoice_currency {
            Currency::parse("invoiceCurrency", code)?;
        }
        if self.net_term_days.is_some_and(|days| !(0..=NET_TERM_DAYS_LIMIT).contains(&days)) {
            let why = format!("must be a whole number from 0 to {NET_TERM_DAYS_LIMIT}");
            return Err(Refusal::invalid("netTermDays", why));
        }
        for (key, value) in self.metadata.iter().flatten() {
            required_text("metadata", Some(key.clone()), 255)?;
            check_text("metadata", value, 5000, true)?;
        }
        for tag in self.tags.iter().flatten() {
            required_text("tags", Some(tag.clone()), 255)?;
        }
        at_most(ENTRIES_LIMIT, "metadata", self.metadata.as_ref().map_or(0, BTreeMap::len))?;
        at_most(ENTRIES_LIMIT, "tags", self.tags.as_ref().map_or(0, Vec::len))?;
        self.billing_information.as_ref().map_or(Ok(()), BillingInformation::check)
    }

    fn status(&self) -> Result<Option<AccountStatus>, Refusal> {
        let Some(name) = self.status.as_deref() else { return Ok(None) };
        match AccountStatus::known(name) {
            Some(status @ (AccountStatus::Active | AccountStatus::Draft)) => Ok(Some(status)),
            _ => Err(Refusal::invalid("status", "must be ACTIVE or DRAFT")),
        }
    }

    /// Puts what is said over what was: `address`, `metadata`, `tags` and `billingInformation` replace theirs whole.
    fn put_into(&self, details: &mut AccountDetails, extras: &mut AccountExtras) -> Result<(), Refusal> {
        if let Some(name) = &self.name {
            details.rename(name.clone());
        }
        if let Some(email) = &self.primary_email {
            details.email = Some(email.clone());
        }
        if let Some(address) = &self.address {
            address.clone().put_into(details);
            extras.has_address = Some(true);
        }
        if let Some(days) = self.net_term_days {
            extras.net_term_days = Some(days);
        }
        if let Some(metadata) = &self.metadata {
            extras.metadata = Some(metadata.clone());
        }
        if let Some(tags) = &self.tags {
            extras.tags = lower_case(tags);
        }
        if let Some(information) = &self.billing_information {
            extras.billing_information = Some(kept("billingInformation", information)?);
        }
        Ok(())
    }

    /// The request to change `account`.
    fn to_change(&self, account: &Account) -> Result<AccountChange, Refusal> {
        let mut details = account.details.clone();
        let mut extras = account.extras.clone().unwrap_or_default();
        self.put_into(&mut details, &mut extras)?;
        Ok(AccountChange {
            currency: self.invoice_currency.clone(),
            may_set_currency: true,
            status: self.status()?,
            extras: Some(extras),
            details,
            ..AccountChange::default()
        })
    }
}

impl BillingInformation {
    fn check(&self) -> Result<(), Refusal> {
        for recipients in [&self.email_recipients, &self.additional_email_recipients] {
            let recipients = recipients.as_deref().unwrap_or_default();
            at_most(ENTRIES_LIMIT, "billingInformation", recipients.len())?;
            for email in recipients {
                check_email("billingInformation", email, EMAIL_LIMIT)?;
            }
        }
        Ok(())
    }
}

/// Refuses a list of more than `limit` items.
pub(crate) fn at_most(limit: usize, field: &'static str, count: usize) -> Result<(), Refusal> {
    if count > limit { Err(Refusal::invalid(field, format!("has more than {limit} items"))) } else { Ok(()) }
}

/// Tags in lower case, each once.
fn lower_case(tags: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(tags.len());
    for tag in tags.iter().map(|tag| tag.to_lowercase()) {
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    kept
}

/// An id or alias from a path. What could be nobody's id is nobody's id.
pub(crate) fn account_key(key: String) -> Result<String, Refusal> {
    if key.chars().any(char::is_control) { Err(Refusal::AccountKeyUnknown { key }) } else { Ok(key) }
}

async fn create_account(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Body(mut request): Body<AccountRequest>,
) -> Answer {
    let customer_key = required_text("customerId", request.customer_id.take(), 255)?;
    let new = request.into_new_account()?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, now) = (writer.tenant.tenant_id, writer.now);
        let stored = customers::open_account(tx, tenant_id, &writer.caller, now, &customer_key, &new)?;
        let view = customers::view(tx, tenant_id, stored, now)?;
        Ok(Reply::json(StatusCode::CREATED, &AccountJson::from(view)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// No account is in an invoice group yet, so that `includeGroupDetails` has no details to add.
async fn get_account(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    query: Query,
) -> Answer {
    let key = account_key(key)?;
    query.flag("includeGroupDetails")?;
    let at = query.instant("effectiveOn")?.unwrap_or(session.now);
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = session.tenant.tenant_id;
        let stored = operations::aliases::resolve(tx, tenant_id, &key, at)?;
        let view = customers::view(tx, tenant_id, stored, at)?;
        Ok(Reply::json(StatusCode::OK, &AccountJson::from(view)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

const LIST: &str = "accounts";

async fn list_accounts(State(edge): State<SharedEdge>, Call { session, .. }: Call, query: Query) -> Answer {
    let page = Page::from_query(&query, &[LIST])?;
    let after = page.after.as_ref().map(|(_, id)| *id);
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = session.tenant.tenant_id;
        let (found, more) = customers::list_accounts(tx, tenant_id, session.now, after, page.size)?;
        let last = found.last().filter(|_| more).map(|view| view.account.id);
        let next_token = last.and_then(|id| page.next_token(LIST, id));
        let data: Vec<AccountJson> = found.into_iter().map(AccountJson::from).collect();
        Ok(Reply::json(StatusCode::OK, &page.json(data, next_token)))
    };
    Ok(edge.read(&ERRORS, work).await)
}

async fn update_account(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    Body(request): Body<AccountFields>,
) -> Answer {
    let key = account_key(key)?;
    request.check()?;
    request.status()?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, now) = (writer.tenant.tenant_id, writer.now);
        let id = operations::aliases::resolve(tx, tenant_id, &key, now)?.account.id;
        let change = |account: &Account| request.to_change(account);
        let stored = operations::accounts::change(tx, tenant_id, id, &writer.caller, now, &change)?;
        let view = customers::view(tx, tenant_id, stored, now)?;
        Ok(Reply::json(StatusCode::OK, &AccountJson::from(view)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn delete_account(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
) -> Answer {
    let key = account_key(key)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, now) = (writer.tenant.tenant_id, writer.now);
        let id = operations::aliases::resolve(tx, tenant_id, &key, now)?.account.id;
        customers::archive_account(tx, tenant_id, &writer.caller, now, id)?;
        Ok(success())
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

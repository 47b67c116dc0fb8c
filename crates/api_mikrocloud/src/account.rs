//! The billing account of an organization: create, retrieve, update.

use crate::body::{Body, Fields};
use crate::error::{ERRORS, say};
use crate::session::{Call, Reading, Writing};
use crate::wrong_method;
use axum::extract::State;
use axum::routing::{delete, get, patch, post, put};
use billing::account::{Account, AccountChange, AccountDetails, customer_code};
use billing::text::{check_country, check_email, check_text};
use billing::{Currency, Refusal};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use jiff::tz::TimeZone;
use operations::organizations;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use storage::Connection;
use storage::accounts::StoredAccount;

const PATH: &str = "/v1/account";

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("GET", PATH, get(get_account)),
        route("POST", PATH, post(create_account)),
        route("PUT", PATH, put(update_account)),
        route("PATCH", PATH, patch(update_account)),
        route("DELETE", PATH, delete(delete_account).fallback(wrong_method)),
    ]
}

/// MikroCloud's account as it is written. What is unset is `""`.
#[derive(Serialize)]
struct AccountJson {
    id: String,
    name: String,
    email: String,
    currency: &'static str,
    balance: Box<RawValue>,
    address: AddressJson,
    created_at: String,
}

#[derive(Serialize)]
struct AddressJson {
    city: String,
    country: String,
    line1: String,
    line2: String,
    postal_code: String,
    state: String,
}

impl AccountJson {
    fn new(stored: StoredAccount, zone: &TimeZone) -> AccountJson {
        let Account { id, currency, details, created_at, .. } = stored.account;
        AccountJson {
            id: customer_code(id),
            name: details.name.unwrap_or_default(),
            email: details.email.unwrap_or_default(),
            currency: currency.map_or("", Currency::code),
            balance: money(stored.balance_minor, currency),
            address: AddressJson {
                city: details.city.unwrap_or_default(),
                country: details.country.unwrap_or_default(),
                line1: details.address1.unwrap_or_default(),
                line2: details.address2.unwrap_or_default(),
                postal_code: details.postal_code.unwrap_or_default(),
                state: details.state.unwrap_or_default(),
            },
            created_at: created_at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }
}

/// Money as a plain JSON number, without zeros that say nothing: `0`, `12.5`.
fn money(minor: i64, currency: Option<Currency>) -> Box<RawValue> {
    let digits = currency.map_or(2, Currency::minor_digits);
    let amount = Decimal::new(minor, digits).normalize();
    RawValue::from_string(amount.to_string()).unwrap_or_default()
}

/// What a request says of an account: what is absent is `None`, what is to be unset is empty.
#[derive(Clone, Debug)]
struct AccountRequest {
    name: Option<String>,
    email: Option<String>,
    city: Option<String>,
    country: Option<String>,
    line1: Option<String>,
    line2: Option<String>,
    postal_code: Option<String>,
    state: Option<String>,
}

impl AccountRequest {
    /// Reads name, e-mail and country, which a request to create an account needs; all else in it is ignored.
    fn for_creation(fields: &Fields) -> Result<AccountDetails, Refusal> {
        let required = |text: Option<String>, field| text.ok_or(Refusal::FieldMissing { field });
        let name = required(fields.text("name", "name")?, "name")?;
        let email = required(fields.text("email", "email")?, "email")?;
        let address = fields.object("address", "address")?;
        let country = required(address.text("country", "address.country")?, "address.country")?;
        Ok(AccountDetails {
            name: Some(checked_name(&name)?),
            email: Some(checked_email(&email)?),
            country: Some(checked_country(&country)?),
            ..AccountDetails::default()
        })
    }

    /// Reads a request to change an account.
    fn for_update(fields: &Fields) -> Result<AccountRequest, Refusal> {
        let address = fields.object("address", "address")?;
        let limited = |name: &str, field, limit| {
            let text = address.text(name, field)?;
            text.as_deref().map_or(Ok(()), |text| check_text(field, text, limit, false))?;
            Ok::<Option<String>, Refusal>(text)
        };
        let country = address.text("country", "address.country")?;
        Ok(AccountRequest {
            name: fields.text("name", "name")?.map(|name| checked_name(&name)).transpose()?,
            email: fields.text("email", "email")?.map(|email| checked_email(&email)).transpose()?,
            city: limited("city", "address.city", 50)?,
            country: country.map(|country| checked_country(&country)).transpose()?,
            line1: limited("line1", "address.line1", 100)?,
            line2: limited("line2", "address.line2", 100)?,
            postal_code: limited("postal_code", "address.postal_code", 10)?,
            state: limited("state", "address.state", 50)?,
        })
    }

    /// The account's details as they shall be: what the request says, and else what they are.
    fn over(&self, current: &AccountDetails) -> AccountDetails {
        let over = |wanted: &Option<String>, current: &Option<String>| match wanted {
            None => current.clone(),
            Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        };
        let mut details = AccountDetails {
            email: over(&self.email, &current.email),
            city: over(&self.city, &current.city),
            country: over(&self.country, &current.country),
            address1: over(&self.line1, &current.address1),
            address2: over(&self.line2, &current.address2),
            postal_code: over(&self.postal_code, &current.postal_code),
            state: over(&self.state, &current.state),
            ..current.clone()
        };
        if let Some(name) = &self.name {
            details.rename(name.clone());
        }
        details
    }
}

fn checked_name(name: &str) -> Result<String, Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::FieldMissing { field: "name" });
    }
    check_text("name", name, 100, false)?;
    Ok(name.to_owned())
}

fn checked_email(email: &str) -> Result<String, Refusal> {
    if email.is_empty() {
        return Err(Refusal::FieldMissing { field: "email" });
    }
    let email = email.to_lowercase();
    check_email("email", &email, 250)?;
    Ok(email)
}

fn checked_country(country: &str) -> Result<String, Refusal> {
    if country.is_empty() {
        return Err(Refusal::FieldMissing { field: "address.country" });
    }
    check_country("address.country", country)?;
    Ok(country.to_owned())
}

async fn get_account(State(edge): State<SharedEdge>, Reading(call): Reading) -> Reply {
    let Call { session, organization_id, zone } = call;
    let work = move |tx: &mut dyn Connection| {
        let stored = organizations::account(tx, session.tenant.tenant_id, organization_id)?;
        Ok(Reply::json(StatusCode::OK, &AccountJson::new(stored, &zone)))
    };
    edge.read_point(&ERRORS, work).await
}

async fn create_account(
    State(edge): State<SharedEdge>,
    Writing(call): Writing,
    Body(fields): Body,
) -> Result<Reply, Reply> {
    let details = AccountRequest::for_creation(&fields).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let Call { session, organization_id, zone } = call;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller, now) = (writer.tenant.tenant_id, &writer.caller, writer.now);
        let stored = organizations::open_account(tx, tenant_id, caller, now, organization_id, &details)?;
        Ok(Reply::json(StatusCode::CREATED, &AccountJson::new(stored, &zone)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

async fn update_account(
    State(edge): State<SharedEdge>,
    Writing(call): Writing,
    Body(fields): Body,
) -> Result<Reply, Reply> {
    let request = AccountRequest::for_update(&fields).map_err(|refusal| (ERRORS.refusal)(&refusal))?;
    let Call { session, organization_id, zone } = call;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, caller, now) = (writer.tenant.tenant_id, &writer.caller, writer.now);
        let change = |account: &Account| {
            Ok(AccountChange { details: request.over(&account.details), ..AccountChange::default() })
        };
        let stored = organizations::change_account(tx, tenant_id, caller, now, organization_id, &change)?;
        Ok(Reply::json(StatusCode::OK, &AccountJson::new(stored, &zone)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// The contract has no deletion yet, for no bearer of any token.
async fn delete_account() -> Reply {
    let message = "Deleting an account is not possible here; please contact support to have it deleted";
    say(StatusCode::METHOD_NOT_ALLOWED, message).with("Allow", "GET,HEAD,POST,PUT,PATCH")
}

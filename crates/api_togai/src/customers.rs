//! Customers: create, retrieve, list, update, delete.

use crate::accounts::{AccountJson, AccountRequest};
use crate::error::{Answer, ERRORS, refused_in};
use crate::fields::{
    ID_LIMIT, SettingJson, check_address, check_name, check_primary_email, required, required_text, settings,
};
use crate::json::{Body, Query, instant};
use crate::paging::Page;
use crate::session::Call;
use axum::extract::{Path, State};
use axum::routing::{delete, get, patch, post};
use billing::Refusal;
use billing::customer::{Address, Customer};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::customers::{self, CustomerChange, NewCustomer, Place};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Connection;
use uuid::Uuid;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        route("POST", "/customers", post(create_customer)),
        route("GET", "/customers", get(list_customers)),
        route("GET", "/customers/{customer_id}", get(get_customer)),
        route("PATCH", "/customers/{customer_id}", patch(update_customer)),
        route("DELETE", "/customers/{customer_id}", delete(delete_customer)),
    ]
}

/// Most characters of an address on one line.
const BILLING_ADDRESS_LIMIT: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateCustomerRequest {
    id: Option<String>,
    name: Option<String>,
    primary_email: Option<String>,
    address: Option<Address>,
    account: Option<AccountRequest>,
    settings: Option<Vec<SettingJson>>,
}

impl CreateCustomerRequest {
    /// The customer that is asked for, without its account.
    fn new_customer(&mut self) -> Result<NewCustomer, Refusal> {
        let new = NewCustomer {
            external_key: required_text("id", self.id.take(), ID_LIMIT)?,
            name: required("name", self.name.take())?,
            email: required("primaryEmail", self.primary_email.take())?,
            address: required("address", self.address.take())?,
            settings: settings(self.settings.take())?,
        };
        check_name(&new.name)?;
        check_primary_email(&new.email)?;
        check_address(&new.address)?;
        Ok(new)
    }
}

/// Togai's answer to a new customer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedJson {
    id: String,
    togai_customer_id: Uuid,
    name: String,
    primary_email: String,
    billing_address: String,
    address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<AccountJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<Value>,
}

/// Togai's customer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerJson {
    id: String,
    togai_customer_id: Uuid,
    name: String,
    primary_email: String,
    billing_address: String,
    address: Address,
    status: &'static str,
    created_at: String,
    updated_at: String,
}

impl From<Customer> for CustomerJson {
    fn from(customer: Customer) -> CustomerJson {
        CustomerJson {
            id: customer.external_key,
            togai_customer_id: customer.id,
            name: customer.name,
            primary_email: customer.email,
            billing_address: customer.address.one_line(BILLING_ADDRESS_LIMIT),
            address: customer.address,
            status: customer.status.name(),
            created_at: instant(customer.created_at),
            updated_at: instant(customer.updated_at),
        }
    }
}

async fn create_customer(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Body(mut request): Body<CreateCustomerRequest>,
) -> Answer {
    let new = request.new_customer()?;
    let account = request.account.take().map(AccountRequest::into_new_account).transpose();
    let account = account.map_err(|refusal| refused_in("account", &refusal))?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let (tenant_id, now) = (writer.tenant.tenant_id, writer.now);
        let (customer, opened) = customers::open(tx, tenant_id, &writer.caller, now, &new, account.as_ref())?;
        let account = match opened {
            Some(stored) => Some(AccountJson::from(customers::view(tx, tenant_id, stored, now)?)),
            None => None,
        };
        let created = CreatedJson {
            id: customer.external_key,
            togai_customer_id: customer.id,
            name: customer.name,
            primary_email: customer.email,
            billing_address: customer.address.one_line(BILLING_ADDRESS_LIMIT),
            address: customer.address,
            account,
            settings: customer.settings,
        };
        Ok(Reply::json(StatusCode::CREATED, &created))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// An id from a path. What could be nobody's id is nobody's id.
pub(crate) fn customer_key(key: String) -> Result<String, Refusal> {
    if key.chars().any(char::is_control) { Err(Refusal::CustomerUnknown { key }) } else { Ok(key) }
}

async fn get_customer(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
) -> Answer {
    let key = customer_key(key)?;
    let work = move |tx: &mut dyn Connection| {
        let customer = customers::get(tx, session.tenant.tenant_id, &key)?;
        Ok(Reply::json(StatusCode::OK, &CustomerJson::from(customer)))
    };
    Ok(edge.read_point(&ERRORS, work).await)
}

/// The two parts of the list, in order.
const EXPLICIT: &str = "customers";
const IMPLIED: &str = "customers.implied";

async fn list_customers(State(edge): State<SharedEdge>, Call { session, .. }: Call, query: Query) -> Answer {
    let page = Page::from_query(&query, &[EXPLICIT, IMPLIED])?;
    let after = page
        .after
        .as_ref()
        .map(|(list, id)| if list == IMPLIED { Place::Implied(*id) } else { Place::Explicit(*id) });
    let work = move |tx: &mut dyn Connection| {
        let (found, next) = customers::list(tx, session.tenant.tenant_id, after, page.size)?;
        let next_token = next.and_then(|place| match place {
            Place::Explicit(id) => page.next_token(EXPLICIT, id),
            Place::Implied(id) => page.next_token(IMPLIED, id),
        });
        let data: Vec<CustomerJson> = found.into_iter().map(CustomerJson::from).collect();
        Ok(Reply::json(StatusCode::OK, &page.json(data, next_token)))
    };
    Ok(edge.read(&ERRORS, work).await)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateCustomerRequest {
    name: Option<String>,
    primary_email: Option<String>,
    address: Option<Address>,
}

async fn update_customer(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    Body(request): Body<UpdateCustomerRequest>,
) -> Answer {
    let key = customer_key(key)?;
    request.name.as_deref().map_or(Ok(()), check_name)?;
    request.primary_email.as_deref().map_or(Ok(()), check_primary_email)?;
    request.address.as_ref().map_or(Ok(()), check_address)?;
    let change =
        CustomerChange { name: request.name, email: request.primary_email, address: request.address };
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        let customer = customers::change(tx, tenant_id, &writer.caller, writer.now, &key, &change)?;
        Ok(Reply::json(StatusCode::OK, &CustomerJson::from(customer)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

/// `{"success": true}`.
pub(crate) fn success() -> Reply {
    Reply::json(StatusCode::OK, &serde_json::json!({ "success": true }))
}

async fn delete_customer(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
) -> Answer {
    let key = customer_key(key)?;
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        customers::archive(tx, writer.tenant.tenant_id, &writer.caller, writer.now, &key)?;
        Ok(success())
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

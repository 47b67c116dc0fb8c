//! Contacts of customers: people who may log in to the customer's portal.

use crate::customers::customer_key;
use crate::error::{Answer, ERRORS};
use crate::fields::{EMAIL_LIMIT, required, required_text};
use crate::json::{Body, instant};
use crate::session::Call;
use axum::extract::{Path, State};
use axum::routing::post;
use billing::Refusal;
use billing::customer::Contact;
use billing::text::{check_email, check_line, check_text};
use edge::{Reply, Route, SharedEdge, route};
use http::StatusCode;
use operations::customers::{self, NewContact};
use serde::{Deserialize, Serialize};
use storage::Connection;

pub(crate) fn routes() -> Vec<Route> {
    vec![route("POST", "/customers/{customer_id}/contacts", post(create_contact))]
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateContactRequest {
    preferred_username: Option<String>,
    name: Option<String>,
    password: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    verified: Option<bool>,
    login_access: Option<bool>,
}

impl CreateContactRequest {
    /// The contact that is asked for, without the hash of its password.
    fn into_new_contact(self) -> Result<NewContact, Refusal> {
        let email = required("email", self.email)?;
        check_email("email", &email, EMAIL_LIMIT)?;
        if !has_dotted_domain(&email) {
            return Err(Refusal::invalid("email", "must be an e-mail address with a dot in its domain"));
        }
        // The contract takes 30 characters here and answers with 20 at most: the smaller limit holds.
        check_line("phone", &self.phone, 20)?;
        self.preferred_username.as_deref().map_or(Ok(()), check_username)?;
        Ok(NewContact {
            preferred_username: self.preferred_username,
            name: required_text("name", self.name, 50)?,
            email,
            phone: self.phone,
            password_hash: None,
            is_verified: self.verified.unwrap_or(false),
            may_log_in: self.login_access.unwrap_or(false),
        })
    }
}

fn has_dotted_domain(email: &str) -> bool {
    let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
    domain.split_once('.').is_some_and(|(name, rest)| !name.is_empty() && !rest.is_empty())
}

fn check_username(name: &str) -> Result<(), Refusal> {
    if (3..=50).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Refusal::invalid("preferredUsername", "must have 3 to 50 letters and digits"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactJson {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    name: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    login_access: bool,
    created_by: String,
    created_at: String,
    verified: bool,
}

impl From<Contact> for ContactJson {
    fn from(contact: Contact) -> ContactJson {
        ContactJson {
            username: contact.username,
            preferred_username: contact.preferred_username,
            name: contact.name,
            email: contact.email,
            phone: contact.phone,
            login_access: contact.may_log_in,
            created_by: contact.created_by,
            created_at: instant(contact.created_at),
            verified: contact.is_verified,
        }
    }
}

async fn create_contact(
    State(edge): State<SharedEdge>,
    Call { session, .. }: Call,
    Path(key): Path<String>,
    Body(mut request): Body<CreateContactRequest>,
) -> Answer {
    let key = customer_key(key)?;
    let password = request.password.take();
    let mut new = request.into_new_contact()?;
    if let Some(password) = password {
        check_password(&password)?;
        let hashed = edge.hash(&password).await;
        new.password_hash = Some(hashed.map_err(|error| ERRORS.reply(&error))?);
    }
    let writer = session.clone();
    let work = move |tx: &mut dyn Connection| {
        let tenant_id = writer.tenant.tenant_id;
        let contact = customers::add_contact(tx, tenant_id, &writer.caller, writer.now, &key, &new)?;
        Ok(Reply::json(StatusCode::CREATED, &ContactJson::from(contact)))
    };
    Ok(edge.write(&session, &ERRORS, work).await)
}

fn check_password(password: &str) -> Result<(), Refusal> {
    if password.is_empty() {
        return Err(Refusal::FieldMissing { field: "password" });
    }
    check_text("password", password, 100, false)
}

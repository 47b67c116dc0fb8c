//! Customers: they group accounts. An account that belongs to none stands for a customer of its own.

use crate::account::{Account, AccountDetails};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Where a customer stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum CustomerStatus {
    Active,
    Archived,
}

impl CustomerStatus {
    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            CustomerStatus::Active => "ACTIVE",
            CustomerStatus::Archived => "ARCHIVED",
        }
    }

    /// The status with this name; case matters.
    pub fn known(name: &str) -> Option<CustomerStatus> {
        [CustomerStatus::Active, CustomerStatus::Archived].into_iter().find(|status| status.name() == name)
    }
}

/// A postal address with a telephone number; every part may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// Street, P.O. box or company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line1: Option<String>,
    /// Apartment, suite, unit or building.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line2: Option<String>,
    /// City, district, suburb, town or village.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State, county, province or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// ZIP or postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country, ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Contact number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
}

impl Address {
    /// The address in an account's own fields.
    pub fn of_account(details: &AccountDetails) -> Address {
        Address {
            line1: details.address1.clone(),
            line2: details.address2.clone(),
            city: details.city.clone(),
            state: details.state.clone(),
            postal_code: details.postal_code.clone(),
            country: details.country.clone(),
            phone_number: details.phone.clone(),
        }
    }

    /// Puts the address into an account's own fields, in place of the one that was there.
    pub fn put_into(self, details: &mut AccountDetails) {
        details.address1 = self.line1;
        details.address2 = self.line2;
        details.city = self.city;
        details.state = self.state;
        details.postal_code = self.postal_code;
        details.country = self.country;
        details.phone = self.phone_number;
    }

    /// The address on one line, without the telephone number, in at most `limit` characters.
    pub fn one_line(&self, limit: usize) -> String {
        let parts = [&self.line1, &self.line2, &self.city, &self.state, &self.postal_code, &self.country];
        let parts: Vec<&str> =
            parts.into_iter().flatten().map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join(", ").chars().take(limit).collect()
    }
}

/// A customer as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Customer {
    /// Its id.
    pub id: Uuid,
    /// The caller's id for it, unique in the tenant.
    pub external_key: String,
    /// Name of the person or business.
    pub name: String,
    /// Primary e-mail; empty when an account from another desk, which has none, stands for it.
    pub email: String,
    /// Billing address.
    pub address: Address,
    /// Settings; the wire objects.
    pub settings: Vec<Value>,
    /// Where it stands in its life.
    pub status: CustomerStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl Customer {
    /// The customer that an account without one stands for: the same id, and the account's key, name, e-mail and
    /// address. Where the account has no name its company, else its key, is the name.
    pub fn implied_by(account: &Account) -> Customer {
        let details = &account.details;
        let archived = account.status == crate::account::AccountStatus::Archived;
        Customer {
            id: account.id,
            external_key: account.external_key.clone(),
            name: shown_name(account),
            email: details.email.clone().unwrap_or_default(),
            address: Address::of_account(details),
            settings: Vec::new(),
            status: if archived { CustomerStatus::Archived } else { CustomerStatus::Active },
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// A name for an account in any case: its own, else its company, else its key.
pub fn shown_name(account: &Account) -> String {
    let named = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    named(&account.details.name)
        .or_else(|| named(&account.details.company))
        .unwrap_or_else(|| account.external_key.clone())
}

/// A person at a customer, who may log in to its portal. The password is kept apart, hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Its id.
    pub id: Uuid,
    /// The customer.
    pub customer_id: Uuid,
    /// Login name, unique in the tenant.
    pub username: String,
    /// The login name that was asked for, if any.
    pub preferred_username: Option<String>,
    /// Name of the person.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Telephone.
    pub phone: Option<String>,
    /// Whether somebody has verified the e-mail.
    pub is_verified: bool,
    /// Whether the person may log in.
    pub may_log_in: bool,
    /// Who added the contact.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_on_one_line_leaves_out_what_is_missing() {
        let address = Address {
            line1: Some("1 Main St".into()),
            line2: Some(String::new()),
            country: Some("AU".into()),
            phone_number: Some("123".into()),
            ..Address::default()
        };
        assert_eq!(address.one_line(1000), "1 Main St, AU");
        assert_eq!(address.one_line(6), "1 Main");
        assert_eq!(Address::default().one_line(1000), "");
    }

    #[test]
    fn an_address_survives_the_way_through_an_account() {
        let address = Address {
            line1: Some("a".into()),
            line2: Some("b".into()),
            city: Some("c".into()),
            state: Some("d".into()),
            postal_code: Some("e".into()),
            country: Some("DE".into()),
            phone_number: Some("f".into()),
        };
        let mut details = AccountDetails { company: Some("kept".into()), ..AccountDetails::default() };
        address.clone().put_into(&mut details);
        assert_eq!(Address::of_account(&details), address);
        assert_eq!(details.company.as_deref(), Some("kept"));
    }
}

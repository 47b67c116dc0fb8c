//! Accounts: who is billed, in which currency and time zone, and which of its fields may change.

use crate::text::check_text;
use crate::time::to_micros;
use crate::{Currency, Refusal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest external key of any object, in characters.
pub const EXTERNAL_KEY_LIMIT: usize = 255;

/// Where an account stands in its life. Kill Bill and MikroCloud only make active ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum AccountStatus {
    Active,
    Draft,
    Archived,
}

impl AccountStatus {
    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            AccountStatus::Active => "ACTIVE",
            AccountStatus::Draft => "DRAFT",
            AccountStatus::Archived => "ARCHIVED",
        }
    }

    /// The status with this name; case matters.
    pub fn known(name: &str) -> Option<AccountStatus> {
        [AccountStatus::Active, AccountStatus::Draft, AccountStatus::Archived]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What may be said about an account, at its opening and later. Texts are already checked against the limits of the
/// desk that took them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountDetails {
    /// Name of the person or business.
    pub name: Option<String>,
    /// How many characters of `name` are the first name.
    pub first_name_length: Option<i32>,
    /// Where billing mails go.
    pub email: Option<String>,
    /// The account that stands above it.
    pub parent_account_id: Option<Uuid>,
    /// Whether the parent pays.
    pub is_payment_delegated_to_parent: bool,
    /// The default payment method.
    pub payment_method_id: Option<Uuid>,
    /// Language and country, such as `fr_FR`.
    pub locale: Option<String>,
    /// Street, first line.
    pub address1: Option<String>,
    /// Street, second line.
    pub address2: Option<String>,
    /// Company.
    pub company: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Country, ISO 3166-1 alpha-2 (Kill Bill's desk takes any text).
    pub country: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Telephone.
    pub phone: Option<String>,
    /// Notes for the people who serve the customer.
    pub notes: Option<String>,
    /// Whether the account came from another system; unknown when absent.
    pub is_migrated: Option<bool>,
}

impl AccountDetails {
    /// Gives a new name. Where the first name ends is forgotten if the new name is shorter than that. (Kill Bill's desk
    /// takes a name and a length as they come, as Kill Bill does.)
    pub fn rename(&mut self, name: String) {
        let length = i32::try_from(name.chars().count()).unwrap_or(i32::MAX);
        self.first_name_length = self.first_name_length.filter(|first| *first <= length);
        self.name = Some(name);
    }
}

/// A request to open an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewAccount {
    /// The caller's key, unique in the tenant; the account's id when absent.
    pub external_key: Option<String>,
    /// Currency code; an account without one takes no charges until it has one.
    pub currency: Option<String>,
    /// Day of the month, 1 to 31, on which it is billed; 0 or absent: not chosen yet.
    pub bill_cycle_day_local: Option<i32>,
    /// When its time reckoning begins; `now` when absent.
    pub reference_time: Option<Timestamp>,
    /// IANA time zone; UTC when absent.
    pub time_zone: Option<String>,
    /// Active when absent.
    pub status: Option<AccountStatus>,
    /// The customer (Togai) it belongs to.
    pub customer_id: Option<Uuid>,
    /// What only Togai's contract has.
    pub extras: Option<AccountExtras>,
    /// All else.
    pub details: AccountDetails,
}

/// What only Togai's contract says of an account, kept together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AccountExtras {
    /// Days until an invoice is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub net_term_days: Option<i64>,
    /// Free keys and values, such as tax numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
    /// Labels, lower case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who else receives billing mails; the wire object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_information: Option<serde_json::Value>,
    /// Settings; the wire objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<serde_json::Value>,
    /// The address's telephone and all else is in the account's own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_address: Option<bool>,
}

/// An account as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// The caller's key, unique in the tenant.
    pub external_key: String,
    /// Its currency, if chosen.
    pub currency: Option<Currency>,
    /// Day of the month on which it is billed; 0: not chosen yet.
    pub bill_cycle_day_local: i32,
    /// When its time reckoning begins.
    pub reference_time: Timestamp,
    /// IANA time zone.
    pub time_zone: String,
    /// Where it stands in its life.
    pub status: AccountStatus,
    /// The customer it belongs to, if one was named.
    pub customer_id: Option<Uuid>,
    /// What only Togai's contract has.
    pub extras: Option<AccountExtras>,
    /// All that may change freely.
    #[serde(flatten)]
    pub details: AccountDetails,
    /// Who opened it.
    pub created_by: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Opens an account: fills in the defaults and checks what every desk must keep.
pub fn open(id: Uuid, new: &NewAccount, changed_by: &str, now: Timestamp) -> Result<Account, Refusal> {
    let external_key = new.external_key.clone().unwrap_or_else(|| id.to_string());
    check_text("externalKey", &external_key, EXTERNAL_KEY_LIMIT, false)?;
    let account = Account {
        id,
        external_key,
        currency: new.currency.as_deref().map(|code| Currency::parse("currency", code)).transpose()?,
        bill_cycle_day_local: new.bill_cycle_day_local.unwrap_or(0),
        reference_time: to_micros(new.reference_time.unwrap_or(now)),
        time_zone: new.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
        status: new.status.unwrap_or(AccountStatus::Active),
        customer_id: new.customer_id,
        extras: new.extras.clone(),
        details: new.details.clone(),
        created_by: changed_by.to_owned(),
        created_at: now,
        updated_by: changed_by.to_owned(),
        updated_at: now,
    };
    check_bill_cycle_day(account.bill_cycle_day_local)?;
    check_time_zone(&account.time_zone)?;
    Ok(account)
}

/// A request to change an account. `None` for the fields fixed at opening means: not mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Must equal the account's, if mentioned.
    pub external_key: Option<String>,
    /// May be set where there is none and [`AccountChange::may_set_currency`] says so; else must equal the account's.
    pub currency: Option<String>,
    /// Whether this caller may give an account without currency its currency.
    pub may_set_currency: bool,
    /// May be chosen once.
    pub bill_cycle_day_local: Option<i32>,
    /// Must equal the account's to the second, if mentioned.
    pub reference_time: Option<Timestamp>,
    /// Must equal the account's, if mentioned.
    pub time_zone: Option<String>,
    /// A new status, if mentioned.
    pub status: Option<AccountStatus>,
    /// A new customer, if mentioned.
    pub customer_id: Option<Uuid>,
    /// New extras, if mentioned; they replace the old ones whole.
    pub extras: Option<AccountExtras>,
    /// The details as they shall be.
    pub details: AccountDetails,
}

/// Refuses to change what was archived.
pub fn refuse_archived(account: &Account) -> Result<(), Refusal> {
    if account.status == AccountStatus::Archived {
        return Err(Refusal::Archived { what: "account", key: account.external_key.clone() });
    }
    Ok(())
}

/// The account as it stands after `change`, or why it may not change so.
pub fn change(
    account: &Account,
    change: &AccountChange,
    changed_by: &str,
    now: Timestamp,
) -> Result<Account, Refusal> {
    refuse_archived(account)?;
    must_equal("externalKey", Some(&account.external_key), change.external_key.as_ref())?;
    must_equal("timeZone", Some(&account.time_zone), change.time_zone.as_ref())?;
    if let Some(wanted) = change.reference_time
        && wanted.as_second() != account.reference_time.as_second()
    {
        let shown = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        return Err(Refusal::AccountFieldImmutable {
            field: "referenceTime",
            from: shown(account.reference_time),
            to: shown(wanted),
        });
    }
    let mut changed = account.clone();
    changed.currency = changed_currency(account, change)?;
    if let Some(day) = change.bill_cycle_day_local {
        check_bill_cycle_day(day)?;
        if account.bill_cycle_day_local != 0 && day != account.bill_cycle_day_local {
            return Err(Refusal::AccountFieldImmutable {
                field: "billCycleDayLocal",
                from: account.bill_cycle_day_local.to_string(),
                to: day.to_string(),
            });
        }
        changed.bill_cycle_day_local = day;
    }
    changed.status = change.status.unwrap_or(account.status);
    changed.customer_id = change.customer_id.or(account.customer_id);
    changed.extras = change.extras.clone().or_else(|| account.extras.clone());
    changed.details = change.details.clone();
    changed.updated_by = changed_by.to_owned();
    changed.updated_at = now;
    Ok(changed)
}

fn changed_currency(account: &Account, change: &AccountChange) -> Result<Option<Currency>, Refusal> {
    let Some(code) = &change.currency else { return Ok(account.currency) };
    let wanted = Currency::parse("currency", code)?;
    match account.currency {
        None if change.may_set_currency => Ok(Some(wanted)),
        current if current == Some(wanted) => Ok(current),
        current => Err(Refusal::AccountFieldImmutable {
            field: "currency",
            from: current.map_or("null", Currency::code).to_owned(),
            to: code.clone(),
        }),
    }
}

fn must_equal(field: &'static str, current: Option<&String>, wanted: Option<&String>) -> Result<(), Refusal> {
    match wanted {
        Some(to) if current != Some(to) => Err(Refusal::AccountFieldImmutable {
            field,
            from: current.cloned().unwrap_or_else(|| "null".to_owned()),
            to: to.clone(),
        }),
        _ => Ok(()),
    }
}

fn check_bill_cycle_day(day: i32) -> Result<(), Refusal> {
    if (0..=31).contains(&day) {
        Ok(())
    } else {
        Err(Refusal::invalid("billCycleDayLocal", format!("must be a day of the month, 0 to 31, not {day}")))
    }
}

/// An IANA time zone, or an offset such as `-08:00` or `Etc/GMT+8`, which Kill Bill takes as well.
pub fn check_time_zone(name: &str) -> Result<(), Refusal> {
    crate::time::zone(name)
        .map(|_| ())
        .ok_or_else(|| Refusal::invalid("timeZone", format!("must be a time zone, not {name}")))
}

/// The text in which a search for a part of a name, e-mail, key or company looks: lower case, one part a line.
pub fn search_text(account: &Account) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    let details = &account.details;
    [part(&details.name), part(&details.email), account.external_key.clone(), part(&details.company)]
        .join("\n")
        .to_lowercase()
}

/// Digits of [`customer_code`], in the order of their values.
const BASE_62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The account's id at MikroCloud's desk: `cus_` and 14 digits of base 62, always the same for the same account.
pub fn customer_code(account_id: Uuid) -> String {
    let digest: [u8; 32] = Sha256::digest(account_id.as_bytes()).into();
    let mut rest = digest[..16].iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    let mut code = String::from("cus_");
    for _ in 0..14 {
        code.push(char::from(BASE_62[usize::try_from(rest % 62).unwrap_or_default()]));
        rest /= 62;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_code_depends_on_the_account_alone() {
        let account = Uuid::from_u128(7);
        let code = customer_code(account);
        assert_eq!(code, customer_code(account));
        assert_ne!(code, customer_code(Uuid::from_u128(8)));
        assert_eq!(code.len(), "cus_OdMmvWHZ8Y2rEH".len());
        assert!(code.strip_prefix("cus_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}

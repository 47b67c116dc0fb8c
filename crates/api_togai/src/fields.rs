//! Parts that customers and accounts share, and their limits.

use billing::Refusal;
use billing::customer::Address;
use billing::text::{check_country, check_email, check_line, check_text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most characters of a customer's or account's id.
pub(crate) const ID_LIMIT: usize = 50;

/// Most characters of an e-mail.
pub(crate) const EMAIL_LIMIT: usize = 320;

/// Most settings of one object.
const SETTINGS_LIMIT: usize = 10;

/// The field, or a refusal that it is missing.
pub(crate) fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or(Refusal::FieldMissing { field })
}

/// A text that is there, of at most `limit` characters, not blank.
pub(crate) fn required_text(
    field: &'static str,
    text: Option<String>,
    limit: usize,
) -> Result<String, Refusal> {
    let text = required(field, text)?;
    if text.trim().is_empty() {
        return Err(Refusal::FieldMissing { field });
    }
    check_text(field, &text, limit, false)?;
    Ok(text)
}

/// A name: 3 to 255 characters.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    check_text("name", name, 255, false)?;
    if name.chars().count() < 3 || name.trim().is_empty() {
        return Err(Refusal::FieldTooShort { field: "name", limit: 3 });
    }
    Ok(())
}

/// A primary e-mail.
pub(crate) fn check_primary_email(email: &str) -> Result<(), Refusal> {
    check_email("primaryEmail", email, EMAIL_LIMIT)
}

/// Limits of an address, which the contract leaves open but for the country.
pub(crate) fn check_address(address: &Address) -> Result<(), Refusal> {
    check_line("address.line1", &address.line1, 255)?;
    check_line("address.line2", &address.line2, 255)?;
    check_line("address.city", &address.city, 255)?;
    check_line("address.state", &address.state, 255)?;
    check_line("address.postalCode", &address.postal_code, 50)?;
    check_line("address.phoneNumber", &address.phone_number, 50)?;
    address.country.as_deref().map_or(Ok(()), |country| check_country("address.country", country))
}

/// Togai's setting, as it comes and goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SettingJson {
    id: String,
    value: String,
    namespace: String,
    name: String,
    data_type: DataType,
}

/// What the value of a setting is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum DataType {
    String,
    Numeric,
    Json,
    JsonLogic,
}

/// Checks settings and makes them what the book keeps.
pub(crate) fn settings(settings: Option<Vec<SettingJson>>) -> Result<Vec<Value>, Refusal> {
    let settings = settings.unwrap_or_default();
    if settings.len() > SETTINGS_LIMIT {
        return Err(Refusal::invalid("settings", format!("are at most {SETTINGS_LIMIT}")));
    }
    settings
        .iter()
        .map(|setting| {
            for text in [&setting.id, &setting.namespace, &setting.name] {
                required_text("settings", Some(text.clone()), 255)?;
            }
            check_text("settings", &setting.value, 10_000, true)?;
            kept("settings", setting)
        })
        .collect()
}

/// A checked wire object as the book keeps it.
pub(crate) fn kept(field: &'static str, object: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(object).map_err(|error| Refusal::invalid(field, error.to_string()))
}

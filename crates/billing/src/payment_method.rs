//! Payment methods: what an account pays with.

use crate::Refusal;
use crate::account::EXTERNAL_KEY_LIMIT;
use crate::text::check_text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The built-in plugin for payments that happen outside, such as cash and bank transfers.
pub const EXTERNAL_PAYMENT: &str = "__EXTERNAL_PAYMENT__";

/// A payment method as the book holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentMethod {
    /// Its id.
    pub id: Uuid,
    /// The account that pays with it.
    pub account_id: Uuid,
    /// The caller's key, unique in the tenant, deleted ones included.
    pub external_key: String,
    /// The plugin that knows how to charge it.
    pub plugin_name: String,
    /// What the plugin knows of it.
    pub plugin_info: Option<PluginInfo>,
    /// Whether it was not deleted.
    pub is_active: bool,
    /// Who added it.
    pub created_by: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who changed it last.
    pub updated_by: String,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What a plugin knows of a payment method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginInfo {
    /// Its id at the gateway.
    pub external_payment_method_id: Option<String>,
    /// Whether the gateway takes it for the default one.
    pub is_default_payment_method: bool,
    /// Free keys and values.
    pub properties: Vec<PluginProperty>,
}

/// A key and a value that a plugin understands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginProperty {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Option<String>,
    /// Whether it may change later.
    pub is_updatable: bool,
}

/// What the external plugin calls every payment method, as it has no gateway that would name one.
const UNNAMED: &str = "unknown";

/// A request to add a payment method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPaymentMethod {
    /// The caller's key; when absent, the gateway's id of it if that is free, else its own id.
    pub external_key: Option<String>,
    /// The plugin that shall know it.
    pub plugin_name: String,
    /// What the plugin shall know of it.
    pub plugin_info: Option<PluginInfo>,
}

/// Refuses a plugin that there is not.
pub fn check_plugin(name: &str) -> Result<(), Refusal> {
    if name == EXTERNAL_PAYMENT {
        Ok(())
    } else {
        Err(Refusal::PaymentPluginUnknown { name: name.to_owned() })
    }
}

/// The payment method that `new` asks for, under the key that it gets if that one is free; `others` are the account's
/// active ones.
pub fn add(
    id: Uuid,
    account_id: Uuid,
    new: &NewPaymentMethod,
    others: &[PaymentMethod],
    changed_by: &str,
    now: Timestamp,
) -> Result<PaymentMethod, Refusal> {
    check_plugin(&new.plugin_name)?;
    if others.iter().any(|other| other.plugin_name == EXTERNAL_PAYMENT) {
        return Err(Refusal::ExternalPaymentMethodTaken { id: account_id });
    }
    let mut info = new.plugin_info.clone().unwrap_or_default();
    let named = info.external_payment_method_id.take().filter(|name| !name.is_empty());
    let named = named.unwrap_or_else(|| UNNAMED.to_owned());
    let external_key =
        new.external_key.clone().filter(|key| !key.is_empty()).unwrap_or_else(|| named.clone());
    check_text("externalKey", &external_key, EXTERNAL_KEY_LIMIT, false)?;
    check_info(&named, &info)?;
    Ok(PaymentMethod {
        id,
        account_id,
        external_key,
        plugin_name: new.plugin_name.clone(),
        plugin_info: Some(PluginInfo { external_payment_method_id: Some(named), ..info }),
        is_active: true,
        created_by: changed_by.to_owned(),
        created_at: now,
        updated_by: changed_by.to_owned(),
        updated_at: now,
    })
}

/// Most properties that a payment method has.
const PROPERTIES_LIMIT: usize = 100;
/// Longest value of a property, in characters.
const PROPERTY_LIMIT: usize = 4096;

fn check_info(named: &str, info: &PluginInfo) -> Result<(), Refusal> {
    check_text("externalPaymentMethodId", named, EXTERNAL_KEY_LIMIT, false)?;
    if info.properties.len() > PROPERTIES_LIMIT {
        return Err(Refusal::invalid("properties", format!("must be at most {PROPERTIES_LIMIT}")));
    }
    for property in &info.properties {
        check_text("key", &property.key, EXTERNAL_KEY_LIMIT, false)?;
        check_text("value", property.value.as_deref().unwrap_or_default(), PROPERTY_LIMIT, true)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(key: Option<&str>, plugin: &str) -> NewPaymentMethod {
        let external_key = key.map(str::to_owned);
        NewPaymentMethod { external_key, plugin_name: plugin.to_owned(), plugin_info: None }
    }

    fn added(new: &NewPaymentMethod, others: &[PaymentMethod]) -> Result<PaymentMethod, Refusal> {
        add(Uuid::from_u128(1), Uuid::from_u128(2), new, others, "me", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_account_has_one_external_payment_method() {
        let first = added(&new(Some("k"), EXTERNAL_PAYMENT), &[]).unwrap();
        assert_eq!(first.external_key, "k");
        let second = added(&new(Some("l"), EXTERNAL_PAYMENT), &[first]);
        assert_eq!(second, Err(Refusal::ExternalPaymentMethodTaken { id: Uuid::from_u128(2) }));
    }

    #[test]
    fn without_a_key_it_takes_the_gateways_name() {
        assert_eq!(added(&new(None, EXTERNAL_PAYMENT), &[]).unwrap().external_key, "unknown");
        assert_eq!(added(&new(Some(""), EXTERNAL_PAYMENT), &[]).unwrap().external_key, "unknown");
        let info = PluginInfo { external_payment_method_id: Some("card-7".into()), ..PluginInfo::default() };
        let named = NewPaymentMethod { plugin_info: Some(info), ..new(None, EXTERNAL_PAYMENT) };
        assert_eq!(added(&named, &[]).unwrap().external_key, "card-7");
    }

    #[test]
    fn keys_and_plugins_have_limits() {
        assert!(added(&new(Some(&"é".repeat(255)), EXTERNAL_PAYMENT), &[]).is_ok());
        let long = added(&new(Some(&"k".repeat(256)), EXTERNAL_PAYMENT), &[]);
        assert_eq!(long, Err(Refusal::FieldTooLong { field: "externalKey", limit: 255 }));
        let unknown = added(&new(None, "stripe"), &[]);
        assert_eq!(unknown, Err(Refusal::PaymentPluginUnknown { name: "stripe".into() }));
    }
}

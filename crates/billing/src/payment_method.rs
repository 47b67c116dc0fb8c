//! Payment methods: what an account pays with.

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

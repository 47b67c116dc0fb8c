//! The kinds of objects that records, tags and events speak of.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A kind of object, under Kill Bill's names (its `ObjectType`), plus those that only the other desks have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum ObjectType {
    Account,
    AccountAlias,
    AccountEmail,
    BlockingStates,
    Bundle,
    CustomField,
    Invoice,
    Payment,
    Transaction,
    InvoiceItem,
    InvoicePayment,
    Subscription,
    SubscriptionEvent,
    ServiceBroadcast,
    PaymentAttempt,
    PaymentMethod,
    Tag,
    TagDefinition,
    Tenant,
    TenantKvs,
    Customer,
    Organization,
    User,
    Role,
    OrganizationRole,
    RoleDescription,
    Agreement,
}

impl ObjectType {
    /// Every kind, in the order of declaration.
    pub const ALL: [ObjectType; 27] = [
        ObjectType::Account,
        ObjectType::AccountAlias,
        ObjectType::AccountEmail,
        ObjectType::BlockingStates,
        ObjectType::Bundle,
        ObjectType::CustomField,
        ObjectType::Invoice,
        ObjectType::Payment,
        ObjectType::Transaction,
        ObjectType::InvoiceItem,
        ObjectType::InvoicePayment,
        ObjectType::Subscription,
        ObjectType::SubscriptionEvent,
        ObjectType::ServiceBroadcast,
        ObjectType::PaymentAttempt,
        ObjectType::PaymentMethod,
        ObjectType::Tag,
        ObjectType::TagDefinition,
        ObjectType::Tenant,
        ObjectType::TenantKvs,
        ObjectType::Customer,
        ObjectType::Organization,
        ObjectType::User,
        ObjectType::Role,
        ObjectType::OrganizationRole,
        ObjectType::RoleDescription,
        ObjectType::Agreement,
    ];

    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            ObjectType::Account => "ACCOUNT",
            ObjectType::AccountAlias => "ACCOUNT_ALIAS",
            ObjectType::AccountEmail => "ACCOUNT_EMAIL",
            ObjectType::BlockingStates => "BLOCKING_STATES",
            ObjectType::Bundle => "BUNDLE",
            ObjectType::CustomField => "CUSTOM_FIELD",
            ObjectType::Invoice => "INVOICE",
            ObjectType::Payment => "PAYMENT",
            ObjectType::Transaction => "TRANSACTION",
            ObjectType::InvoiceItem => "INVOICE_ITEM",
            ObjectType::InvoicePayment => "INVOICE_PAYMENT",
            ObjectType::Subscription => "SUBSCRIPTION",
            ObjectType::SubscriptionEvent => "SUBSCRIPTION_EVENT",
            ObjectType::ServiceBroadcast => "SERVICE_BROADCAST",
            ObjectType::PaymentAttempt => "PAYMENT_ATTEMPT",
            ObjectType::PaymentMethod => "PAYMENT_METHOD",
            ObjectType::Tag => "TAG",
            ObjectType::TagDefinition => "TAG_DEFINITION",
            ObjectType::Tenant => "TENANT",
            ObjectType::TenantKvs => "TENANT_KVS",
            ObjectType::Customer => "CUSTOMER",
            ObjectType::Organization => "ORGANIZATION",
            ObjectType::User => "USER",
            ObjectType::Role => "ROLE",
            ObjectType::OrganizationRole => "ORGANIZATION_ROLE",
            ObjectType::RoleDescription => "ROLE_DESCRIPTION",
            ObjectType::Agreement => "AGREEMENT",
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ObjectType {
    type Err = ();
    fn from_str(name: &str) -> Result<ObjectType, ()> {
        ObjectType::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ChangeType {
    Insert,
    Update,
    Delete,
}

impl ChangeType {
    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            ChangeType::Insert => "INSERT",
            ChangeType::Update => "UPDATE",
            ChangeType::Delete => "DELETE",
        }
    }
}

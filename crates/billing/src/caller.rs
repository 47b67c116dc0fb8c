//! Who acts, what they may do, and why they say they do it.

use crate::Refusal;
use std::fmt;
use uuid::Uuid;

/// A permission under Kill Bill's wire name (`group:value`). The other desks' scopes are mapped to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Permission {
    AccountCreate,
    AccountUpdate,
    AccountAddEmails,
    AccountDeleteEmails,
    AccountCharge,
    AccountCredit,
    CatalogConfigUpload,
    CatalogDelete,
    CustomFieldAdd,
    CustomFieldUpdate,
    CustomFieldDelete,
    EntitlementCreate,
    EntitlementChangePlan,
    EntitlementPauseResume,
    EntitlementCancel,
    EntitlementTransfer,
    InvoiceTrigger,
    InvoiceDryRun,
    InvoiceCredit,
    InvoiceItemAdjust,
    InvoiceDeleteCba,
    InvoiceWriteOff,
    InvoiceCommit,
    InvoiceVoid,
    OverdueConfigUpload,
    PaymentTrigger,
    PaymentRefund,
    PaymentChargeback,
    PaymentTransition,
    PaymentNotification,
    PaymentMethodCreate,
    PaymentMethodUpdate,
    PaymentMethodDelete,
    TagCreateTagDefinition,
    TagDeleteTagDefinition,
    TagAdd,
    TagDelete,
    TenantCreate,
    TenantKvsAdd,
    TenantKvsDelete,
    UsageRecord,
    UserCreate,
    AdminUpdate,
    AdminExport,
    AdminTriggerCommand,
}

impl Permission {
    /// Every permission.
    pub const ALL: &'static [Permission] = &[
        Permission::AccountCreate,
        Permission::AccountUpdate,
        Permission::AccountAddEmails,
        Permission::AccountDeleteEmails,
        Permission::AccountCharge,
        Permission::AccountCredit,
        Permission::CatalogConfigUpload,
        Permission::CatalogDelete,
        Permission::CustomFieldAdd,
        Permission::CustomFieldUpdate,
        Permission::CustomFieldDelete,
        Permission::EntitlementCreate,
        Permission::EntitlementChangePlan,
        Permission::EntitlementPauseResume,
        Permission::EntitlementCancel,
        Permission::EntitlementTransfer,
        Permission::InvoiceTrigger,
        Permission::InvoiceDryRun,
        Permission::InvoiceCredit,
        Permission::InvoiceItemAdjust,
        Permission::InvoiceDeleteCba,
        Permission::InvoiceWriteOff,
        Permission::InvoiceCommit,
        Permission::InvoiceVoid,
        Permission::OverdueConfigUpload,
        Permission::PaymentTrigger,
        Permission::PaymentRefund,
        Permission::PaymentChargeback,
        Permission::PaymentTransition,
        Permission::PaymentNotification,
        Permission::PaymentMethodCreate,
        Permission::PaymentMethodUpdate,
        Permission::PaymentMethodDelete,
        Permission::TagCreateTagDefinition,
        Permission::TagDeleteTagDefinition,
        Permission::TagAdd,
        Permission::TagDelete,
        Permission::TenantCreate,
        Permission::TenantKvsAdd,
        Permission::TenantKvsDelete,
        Permission::UsageRecord,
        Permission::UserCreate,
        Permission::AdminUpdate,
        Permission::AdminExport,
        Permission::AdminTriggerCommand,
    ];

    /// The wire name, `group:value`.
    pub fn name(self) -> &'static str {
        match self {
            Permission::AccountCreate => "account:create",
            Permission::AccountUpdate => "account:update",
            Permission::AccountAddEmails => "account:add_emails",
            Permission::AccountDeleteEmails => "account:delete_emails",
            Permission::AccountCharge => "account:charge",
            Permission::AccountCredit => "account:credit",
            Permission::CatalogConfigUpload => "catalog:config_upload",
            Permission::CatalogDelete => "catalog:delete",
            Permission::CustomFieldAdd => "custom_field:add",
            Permission::CustomFieldUpdate => "custom_field:update",
            Permission::CustomFieldDelete => "custom_field:delete",
            Permission::EntitlementCreate => "entitlement:create",
            Permission::EntitlementChangePlan => "entitlement:change_plan",
            Permission::EntitlementPauseResume => "entitlement:pause_resume",
            Permission::EntitlementCancel => "entitlement:cancel",
            Permission::EntitlementTransfer => "entitlement:transfer",
            Permission::InvoiceTrigger => "invoice:trigger",
            Permission::InvoiceDryRun => "invoice:dry_run",
            Permission::InvoiceCredit => "invoice:credit",
            Permission::InvoiceItemAdjust => "invoice:item_adjust",
            Permission::InvoiceDeleteCba => "invoice:delete_cba",
            Permission::InvoiceWriteOff => "invoice:write_off",
            Permission::InvoiceCommit => "invoice:commit",
            Permission::InvoiceVoid => "invoice:void",
            Permission::OverdueConfigUpload => "overdue:config_upload",
            Permission::PaymentTrigger => "payment:trigger",
            Permission::PaymentRefund => "payment:refund",
            Permission::PaymentChargeback => "payment:chargeback",
            Permission::PaymentTransition => "payment:transition",
            Permission::PaymentNotification => "payment:notification",
            Permission::PaymentMethodCreate => "payment_method:create",
            Permission::PaymentMethodUpdate => "payment_method:update",
            Permission::PaymentMethodDelete => "payment_method:delete",
            Permission::TagCreateTagDefinition => "tag:create_tag_definition",
            Permission::TagDeleteTagDefinition => "tag:delete_tag_definition",
            Permission::TagAdd => "tag:add",
            Permission::TagDelete => "tag:delete",
            Permission::TenantCreate => "tenant:create",
            Permission::TenantKvsAdd => "tenant_kvs:add",
            Permission::TenantKvsDelete => "tenant_kvs:delete",
            Permission::UsageRecord => "usage:record",
            Permission::UserCreate => "user:create",
            Permission::AdminUpdate => "admin:update",
            Permission::AdminExport => "admin:export",
            Permission::AdminTriggerCommand => "admin:trigger_command",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The permissions that somebody holds. `*` and `*:*` grant all, `group:*` grants a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    granted: Vec<String>,
}

impl Permissions {
    /// From wire texts, as role definitions store them.
    pub fn new(granted: Vec<String>) -> Permissions {
        Permissions { granted }
    }

    /// All permissions.
    pub fn all() -> Permissions {
        Permissions { granted: vec!["*:*".to_owned()] }
    }

    /// Exactly these.
    pub fn only(permissions: &[Permission]) -> Permissions {
        Permissions { granted: permissions.iter().map(|permission| permission.name().to_owned()).collect() }
    }

    /// The wire texts.
    pub fn names(&self) -> &[String] {
        &self.granted
    }

    /// Whether they include `permission`.
    pub fn include(&self, permission: Permission) -> bool {
        let (group, value) = permission.name().split_once(':').unwrap_or((permission.name(), ""));
        self.granted.iter().any(|text| match text.split_once(':') {
            None => text == "*" || text == group,
            Some((granted_group, granted_values)) => {
                (granted_group == "*" || granted_group == group)
                    && granted_values.split(',').any(|granted| granted == "*" || granted == value)
            }
        })
    }
}

/// Who acts in one request, with what they say about it. Kept in the audit record of every change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who made the change: Kill Bill's `X-Killbill-CreatedBy`, else the user or token. At most 50 characters.
    pub changed_by: String,
    /// Why, as a code. At most 255 characters.
    pub reason: Option<String>,
    /// Why, in words. At most 255 characters.
    pub comment: Option<String>,
    /// The id that ties together all records of one request.
    pub user_token: Uuid,
    /// What the caller may do.
    pub permissions: Permissions,
}

impl Caller {
    /// The server itself, for work that nobody asked for by name.
    pub fn system(user_token: Uuid) -> Caller {
        Caller {
            changed_by: "billhook".to_owned(),
            reason: None,
            comment: None,
            user_token,
            permissions: Permissions::all(),
        }
    }

    /// Refuses unless the caller holds `permission`.
    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.permissions.include(permission) { Ok(()) } else { Err(Refusal::NotPermitted(permission)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_grant_what_they_say() {
        let tags = Permissions::new(vec!["tag:*".into(), "account:create,update".into()]);
        assert!(tags.include(Permission::TagAdd));
        assert!(tags.include(Permission::AccountUpdate));
        assert!(!tags.include(Permission::AccountCharge));
        assert!(!tags.include(Permission::TenantCreate));
        assert!(Permissions::new(vec!["*".into()]).include(Permission::TenantCreate));
        assert!(Permissions::all().include(Permission::AdminExport));
        assert!(!Permissions::default().include(Permission::TagAdd));
    }
}

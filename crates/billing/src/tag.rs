//! Tags: marks on objects. Control tags are built in and steer the book; the others are the tenant's own.

use crate::text::check_text;
use crate::{ObjectType, Refusal};
use serde::Serialize;
use uuid::Uuid;

/// A kind of tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TagDefinition {
    /// Its id; those of control tags are fixed.
    pub id: Uuid,
    /// Its name: lower case, unique in the tenant, at most 20 characters; control tags' are upper case.
    pub name: String,
    /// What it means, at most 200 characters.
    pub description: String,
    /// The kinds of objects that can wear it.
    pub applicable_object_types: Vec<ObjectType>,
}

/// A tag on an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Its id.
    pub id: Uuid,
    /// What kind of tag it is.
    pub tag_definition_id: Uuid,
    /// The object that wears it.
    pub object_id: Uuid,
    /// The kind of that object.
    pub object_type: ObjectType,
    /// The account to which the object belongs, if to any.
    pub account_id: Option<Uuid>,
    /// False once taken off.
    pub is_active: bool,
}

/// A built-in tag that steers the book (Kill Bill's `ControlTagType`, with its ids).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ControlTag {
    AutoPayOff,
    AutoInvoicingOff,
    OverdueEnforcementOff,
    WrittenOff,
    ManualPay,
    Test,
    Partner,
    AutoInvoicingDraft,
    AutoInvoicingReuseDraft,
}

impl ControlTag {
    /// Every control tag, in the order of their ids.
    pub const ALL: [ControlTag; 9] = [
        ControlTag::AutoPayOff,
        ControlTag::AutoInvoicingOff,
        ControlTag::OverdueEnforcementOff,
        ControlTag::WrittenOff,
        ControlTag::ManualPay,
        ControlTag::Test,
        ControlTag::Partner,
        ControlTag::AutoInvoicingDraft,
        ControlTag::AutoInvoicingReuseDraft,
    ];

    /// The fixed id of its definition.
    pub fn id(self) -> Uuid {
        Uuid::from_u128(self as u128 + 1)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            ControlTag::AutoPayOff => "AUTO_PAY_OFF",
            ControlTag::AutoInvoicingOff => "AUTO_INVOICING_OFF",
            ControlTag::OverdueEnforcementOff => "OVERDUE_ENFORCEMENT_OFF",
            ControlTag::WrittenOff => "WRITTEN_OFF",
            ControlTag::ManualPay => "MANUAL_PAY",
            ControlTag::Test => "TEST",
            ControlTag::Partner => "PARTNER",
            ControlTag::AutoInvoicingDraft => "AUTO_INVOICING_DRAFT",
            ControlTag::AutoInvoicingReuseDraft => "AUTO_INVOICING_REUSE_DRAFT",
        }
    }

    fn description(self) -> &'static str {
        match self {
            ControlTag::AutoPayOff => "Suspends payments until removed.",
            ControlTag::AutoInvoicingOff => "Suspends invoicing until removed.",
            ControlTag::OverdueEnforcementOff => "Suspends overdue enforcement behaviour until removed.",
            ControlTag::WrittenOff => {
                "Indicates that an invoice is written off. No billing or payment effect."
            }
            ControlTag::ManualPay => {
                "Indicates that Killbill doesn't process payments for that account (external payments only)"
            }
            ControlTag::Test => "Indicates that this is a test account",
            ControlTag::Partner => "Indicates that this is a partner account",
            ControlTag::AutoInvoicingDraft => "Generate account invoices in DRAFT mode.",
            ControlTag::AutoInvoicingReuseDraft => "Use existing draft invoice if exists.",
        }
    }

    /// The kind of object that can wear it.
    pub fn object_type(self) -> ObjectType {
        match self {
            ControlTag::WrittenOff => ObjectType::Invoice,
            _ => ObjectType::Account,
        }
    }

    /// Its definition, as lists show it.
    pub fn definition(self) -> TagDefinition {
        TagDefinition {
            id: self.id(),
            name: self.name().to_owned(),
            description: self.description().to_owned(),
            applicable_object_types: vec![self.object_type()],
        }
    }
}

/// The id of `__PARK__`, which the system alone puts on accounts whose invoicing failed.
pub const PARK_ID: Uuid = Uuid::from_u128(0x0000_0000_0000_0001_0000_0000_0000_0001);

/// The definition of `__PARK__`.
pub fn park() -> TagDefinition {
    TagDefinition {
        id: PARK_ID,
        name: "__PARK__".to_owned(),
        description: "Accounts with invalid invoicing state".to_owned(),
        applicable_object_types: vec![ObjectType::Account],
    }
}

/// The built-in definitions: `__PARK__` and the control tags.
pub fn built_in() -> impl Iterator<Item = TagDefinition> {
    std::iter::once(park()).chain(ControlTag::ALL.into_iter().map(ControlTag::definition))
}

/// Whether a definition is one of the control tags'.
pub fn is_control(id: Uuid) -> bool {
    ControlTag::ALL.into_iter().any(|tag| tag.id() == id)
}

/// Whether a definition is built in.
pub fn is_built_in(id: Uuid) -> bool {
    id == PARK_ID || is_control(id)
}

/// Checks a new definition of the tenant's own.
pub fn check_definition(definition: &TagDefinition) -> Result<(), Refusal> {
    let name = &definition.name;
    if name.is_empty() {
        return Err(Refusal::FieldMissing { field: "name" });
    }
    if definition.description.is_empty() {
        return Err(Refusal::FieldMissing { field: "description" });
    }
    if definition.applicable_object_types.is_empty() {
        return Err(Refusal::FieldMissing { field: "applicableObjectTypes" });
    }
    // Reserved names are upper case, so this keeps them too, as at Kill Bill.
    if name.chars().any(char::is_uppercase) {
        return Err(Refusal::TagDefinitionNotLowerCase { name: name.clone() });
    }
    check_text("name", name, 20, false)?;
    check_text("description", &definition.description, 200, true)
}

/// Whether a tag of `definition` may be put on an object of that kind by a caller.
pub fn check_wearable(definition: &TagDefinition, object_type: ObjectType) -> Result<(), Refusal> {
    if definition.id == PARK_ID {
        return Err(Refusal::TagReservedForSystem { definition_id: definition.id });
    }
    if !definition.applicable_object_types.contains(&object_type) {
        return Err(Refusal::TagNotApplicable { name: definition.name.clone(), object_type });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str) -> TagDefinition {
        TagDefinition {
            id: Uuid::from_u128(99),
            name: name.into(),
            description: "good payer".into(),
            applicable_object_types: vec![ObjectType::Account],
        }
    }

    #[test]
    fn control_tags_have_kill_bills_ids() {
        assert_eq!(ControlTag::AutoPayOff.id().to_string(), "00000000-0000-0000-0000-000000000001");
        assert_eq!(
            ControlTag::AutoInvoicingReuseDraft.id().to_string(),
            "00000000-0000-0000-0000-000000000009"
        );
        assert_eq!(PARK_ID.to_string(), "00000000-0000-0001-0000-000000000001");
    }

    #[test]
    fn names_are_lower_case_and_not_reserved() {
        assert!(check_definition(&definition("vip")).is_ok());
        assert!(matches!(
            check_definition(&definition("Vip")),
            Err(Refusal::TagDefinitionNotLowerCase { .. })
        ));
        assert!(matches!(
            check_definition(&definition("TEST")),
            Err(Refusal::TagDefinitionNotLowerCase { .. })
        ));
        assert!(check_definition(&definition(&"x".repeat(20))).is_ok());
        assert!(check_definition(&definition(&"x".repeat(21))).is_err());
    }

    #[test]
    fn a_tag_fits_only_its_objects() {
        let written_off = ControlTag::WrittenOff.definition();
        assert!(check_wearable(&written_off, ObjectType::Account).is_err());
        assert!(check_wearable(&written_off, ObjectType::Invoice).is_ok());
        assert!(matches!(
            check_wearable(&park(), ObjectType::Account),
            Err(Refusal::TagReservedForSystem { .. })
        ));
    }
}

//! Custom fields: a name and a value that callers attach to an object. Only the value can change.

use crate::text::check_text;
use crate::{ObjectType, Refusal};
use serde::Serialize;
use uuid::Uuid;

/// A custom field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CustomField {
    /// Its id.
    pub id: Uuid,
    /// The account to which the object belongs, if to any.
    pub account_id: Option<Uuid>,
    /// The object that has it.
    pub object_id: Uuid,
    /// The kind of that object.
    pub object_type: ObjectType,
    /// Its name, unique on the object, 1 to 64 characters.
    pub name: String,
    /// Its value, 1 to 255 characters.
    pub value: String,
    /// False once removed.
    pub is_active: bool,
}

/// What a request says of a field that is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomFieldChange {
    /// The name; must be the field's, if said.
    pub name: Option<String>,
    /// The new value.
    pub value: String,
}

/// Checks the name of a new field.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::FieldMissing { field: "name" });
    }
    check_text("name", name, 64, false)
}

/// Checks a value.
pub fn check_value(value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::FieldMissing { field: "value" });
    }
    check_text("value", value, 255, true)
}

/// The field with its new value, asked for on `object_id`.
pub fn modify(
    field: &CustomField,
    object_id: Uuid,
    change: &CustomFieldChange,
) -> Result<CustomField, Refusal> {
    let immutable = |what, value: String| Refusal::CustomFieldImmutable { id: field.id, field: what, value };
    if let Some(name) = change.name.as_ref().filter(|name| **name != field.name) {
        return Err(immutable("name", name.clone()));
    }
    if field.object_id != object_id {
        return Err(immutable("objectId", object_id.to_string()));
    }
    check_value(&change.value)?;
    Ok(CustomField { value: change.value.clone(), ..field.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field() -> CustomField {
        CustomField {
            id: Uuid::from_u128(1),
            account_id: None,
            object_id: Uuid::from_u128(2),
            object_type: ObjectType::Account,
            name: "color".into(),
            value: "red".into(),
            is_active: true,
        }
    }

    #[test]
    fn only_the_value_changes() {
        let blue = CustomFieldChange { name: Some("color".into()), value: "blue".into() };
        assert_eq!(modify(&field(), Uuid::from_u128(2), &blue).unwrap().value, "blue");
        let renamed = CustomFieldChange { name: Some("hue".into()), ..blue.clone() };
        assert!(matches!(
            modify(&field(), Uuid::from_u128(2), &renamed),
            Err(Refusal::CustomFieldImmutable { .. })
        ));
        assert!(matches!(
            modify(&field(), Uuid::from_u128(3), &blue),
            Err(Refusal::CustomFieldImmutable { .. })
        ));
    }

    #[test]
    fn limits_hold() {
        assert!(check_name(&"n".repeat(64)).is_ok());
        assert!(check_name(&"n".repeat(65)).is_err());
        assert!(check_name("").is_err());
        assert!(check_value(&"v".repeat(255)).is_ok());
        assert!(check_value(&"v".repeat(256)).is_err());
    }
}

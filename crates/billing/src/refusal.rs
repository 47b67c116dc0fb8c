//! Why an operation is refused.

/// Why an operation is refused, as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field is not as it must be.
    #[error("{field}: {why}")]
    FieldInvalid {
        /// Which field.
        field: String,
        /// Why it is refused.
        why: String,
    },
}

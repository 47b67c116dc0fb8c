//! Togai's desk, at the root.

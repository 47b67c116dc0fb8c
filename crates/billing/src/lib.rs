//! The rules of the book, pure: no I/O, no async, no clock. `now` is a value.

mod refusal;
pub use refusal::Refusal;

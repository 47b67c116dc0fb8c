//! The rules of the book, pure: no I/O, no async, no clock. `now` is a value that the caller brings.
//!
//! A rule lives here once, and the desks (Kill Bill, MikroCloud, Togai, DjaoApp) only translate to and from it. What
//! the rules forbid is a [`Refusal`].

pub mod account;
pub mod account_email;
pub mod alias;
pub mod blocking;
mod caller;
pub mod catalog;
mod chain;
mod currency;
pub mod custom_field;
pub mod customer;
pub mod ledger;
pub mod mail_domain;
mod money;
mod object;
pub mod organization;
pub mod overdue;
pub mod payment_method;
pub mod person;
pub mod phone;
pub mod proration;
mod refusal;
pub mod role;
pub mod search;
pub mod tag;
mod tenant;
pub mod text;
pub mod time;

pub use caller::{Caller, Permission, Permissions};
pub use chain::{Chain, Link};
pub use currency::{Currency, FALL_BACK_CURRENCY, first_currency, parse_currencies};
pub use money::Money;
pub use object::{ChangeType, ObjectType};
pub use refusal::Refusal;
pub use tenant::{Tenant, TenantId};

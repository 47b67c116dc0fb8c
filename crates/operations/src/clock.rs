//! The one clock of the product. Each tenant has its own: the real one, or in test mode one that a test has moved.

use billing::Tenant;
use jiff::Timestamp;

/// What time it is for the tenant. Read once a request.
pub fn now(tenant: &Tenant) -> Timestamp {
    let real = real();
    real.checked_add(tenant.clock_offset).unwrap_or(real)
}

/// What time it is outside, for what belongs to no tenant: sessions, tokens, due work of the server.
/// To the microsecond, as the book keeps instants.
#[allow(clippy::disallowed_methods)] // This is the clock.
pub fn real() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

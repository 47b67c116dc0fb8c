//! Tenants: who runs a book.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The short number under which a tenant's rows are kept. It never leaves the server, but for Kill Bill's histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(pub i64);

impl TenantId {
    /// Stands for the server itself: its operators and roles belong to no tenant.
    pub const SERVER: TenantId = TenantId(0);
}

/// A tenant as the book holds it. Its secret is kept apart, hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Number of its rows.
    pub tenant_id: TenantId,
    /// Its public id.
    pub id: Uuid,
    /// The caller's key for it, if any.
    pub external_key: Option<String>,
    /// Name for people.
    pub name: Option<String>,
    /// The host name under which its DjaoApp desk answers.
    pub domain: Option<String>,
    /// The key that selects it in requests.
    pub api_key: String,
    /// How far its clock stands from the real one. Callers move it in test mode alone, and a server that is not in it
    /// does not start while a clock is moved.
    pub clock_offset: SignedDuration,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// The server itself, for what belongs to no tenant. Its clock is the real one.
    pub fn server() -> Tenant {
        Tenant {
            tenant_id: TenantId::SERVER,
            id: Uuid::nil(),
            external_key: None,
            name: None,
            domain: None,
            api_key: String::new(),
            clock_offset: SignedDuration::ZERO,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }
}

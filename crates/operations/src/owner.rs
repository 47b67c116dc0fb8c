//! Which account an object belongs to: what hangs on the object is locked and recorded with that account.

use billing::{ObjectType, Refusal, TenantId};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// An object that can wear tags and have custom fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub object_type: ObjectType,
    /// Its id.
    pub id: Uuid,
}

impl Object {
    /// An account.
    pub fn account(id: Uuid) -> Object {
        Object { object_type: ObjectType::Account, id }
    }
}

/// The account to which the object belongs; refuses when there is no such object in the tenant.
pub fn account_of(tx: &mut dyn Connection, tenant_id: TenantId, object: Object) -> Outcome<Uuid> {
    let unknown = Refusal::ObjectUnknown { object_type: object.object_type, id: object.id };
    let account_id = match object.object_type {
        // AccountJournal::open finds out whether it exists.
        ObjectType::Account => Some(object.id),
        ObjectType::PaymentMethod => storage::payment_methods::account_of(tx, tenant_id, object.id)?,
        _ => None,
    };
    Ok(account_id.ok_or(unknown)?)
}

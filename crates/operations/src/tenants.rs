//! Making and finding tenants.

use crate::credentials;
use billing::text::{check_line, check_text};
use billing::{Caller, ChangeType, ObjectType, Permission, Refusal, Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use storage::{Connection, Outcome};
use uuid::Uuid;

/// A request to make a tenant.
#[derive(Clone, Debug, Default)]
pub struct NewTenant {
    /// Selects the tenant in requests; unique on the server, at most 128 characters.
    pub api_key: String,
    /// argon2 hash of its secret, made before the transaction because it is slow on purpose.
    pub api_secret_hash: String,
    /// The caller's key for it, at most 255 characters.
    pub external_key: Option<String>,
    /// Name for people, at most 255 characters.
    pub name: Option<String>,
    /// Host name of its DjaoApp desk; unique on the server, at most 253 characters.
    pub domain: Option<String>,
    /// Whether it begins with an empty catalog of its own, rather than with the server's.
    pub has_own_catalog: bool,
}

/// Refuses a caller who may not make such a tenant, and keys that cannot be.
pub fn check(caller: &Caller, new: &NewTenant) -> Result<(), Refusal> {
    caller.require(Permission::TenantCreate)?;
    if new.has_own_catalog {
        caller.require(Permission::CatalogConfigUpload)?;
        caller.require(Permission::TenantKvsAdd)?;
    }
    if new.api_key.is_empty() {
        return Err(Refusal::FieldMissing { field: "apiKey" });
    }
    check_text("apiKey", &new.api_key, 128, false)?;
    check_line("externalKey", &new.external_key, 255)?;
    check_line("name", &new.name, 255)?;
    new.domain.as_deref().map_or(Ok(()), check_domain)
}

/// A host name as DNS knows them, without a dot at the end; as requests name it, in lower case.
fn check_domain(domain: &str) -> Result<(), Refusal> {
    check_text("domain", domain, 253, false)?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if domain.split('.').all(is_label) {
        Ok(())
    } else {
        Err(Refusal::invalid("domain", "must be a host name in lower case"))
    }
}

/// Makes a tenant. Refuses a taken API key or domain.
pub fn create(tx: &mut dyn Connection, caller: &Caller, now: Timestamp, new: &NewTenant) -> Outcome<Tenant> {
    check(caller, new)?;
    let mut tenant = Tenant {
        tenant_id: TenantId::SERVER,
        id: Uuid::new_v4(),
        external_key: new.external_key.clone(),
        name: new.name.clone(),
        domain: new.domain.clone(),
        api_key: new.api_key.clone(),
        clock_offset: SignedDuration::ZERO,
        created_at: now,
    };
    tenant.tenant_id = match storage::tenants::insert(tx, &tenant, &new.api_secret_hash, &caller.changed_by)?
    {
        Some(tenant_id) => tenant_id,
        None if storage::tenants::by_api_key(tx, &new.api_key)?.is_none() => {
            return Err(Refusal::invalid("domain", "is another tenant's").into());
        }
        None => return Err(Refusal::TenantKeyTaken { api_key: new.api_key.clone() }.into()),
    };
    let snapshot =
        serde_json::json!({ "id": tenant.id, "externalKey": tenant.external_key, "apiKey": tenant.api_key });
    let change = (ChangeType::Insert, ObjectType::Tenant, tenant.id, tenant.tenant_id.0);
    crate::record_of_tenant(tx, tenant.tenant_id, caller, now, change, &snapshot)?;
    if new.has_own_catalog {
        crate::catalogs::put_empty(tx, tenant.tenant_id, caller, now)?;
    }
    Ok(tenant)
}

/// Checks a plain secret.
pub fn check_secret(secret: &str) -> Result<(), Refusal> {
    if secret.is_empty() {
        return Err(Refusal::FieldMissing { field: "apiSecret" });
    }
    check_text("apiSecret", secret, 255, false)
}

/// Makes a tenant from a plain secret; for the command line and tests of storage.
pub fn hash_secret(new: NewTenant, secret: &str) -> Outcome<NewTenant> {
    check_secret(secret)?;
    Ok(NewTenant { api_secret_hash: credentials::hash(secret)?, ..new })
}

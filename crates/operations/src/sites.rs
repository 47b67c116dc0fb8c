//! A tenant as a site where people register: its broker (the organization that hosts it) and the kinds of roles that
//! every organization has.

use billing::organization::{Kind, Organization, check_slug, slug_of};
use billing::{Caller, Tenant};
use jiff::Timestamp;
use storage::organization_roles::{self, RoleDescription};
use storage::organizations;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// Slug of the role that may do everything on its organization.
pub const MANAGER: &str = "manager";
/// Slug of the role that may read everything of its organization.
pub const CONTRIBUTOR: &str = "contributor";

/// The tenant that answers for a host name: the one of that domain, else the oldest.
pub fn of_host(tx: &mut dyn Connection, host: Option<&str>) -> Outcome<Option<Tenant>> {
    let domain = host.map(|host| host.split(':').next().unwrap_or(host).to_ascii_lowercase());
    if let Some(domain) = domain
        && let Some(tenant) = storage::tenants::by_domain(tx, &domain)?
    {
        return Ok(Some(tenant));
    }
    Ok(storage::tenants::oldest(tx)?)
}

/// Makes the tenant a site, if it is none: its broker, under the tenant's own id, and the built-in kinds of roles.
pub fn ensure(tx: &mut dyn Connection, tenant: &Tenant, now: Timestamp) -> Outcome<()> {
    if organizations::by_id(tx, tenant.tenant_id, tenant.id)?.is_some() {
        return Ok(());
    }
    // Of several first calls at once, one makes it.
    storage::tenants::lock(tx, tenant.tenant_id)?;
    if organizations::by_id(tx, tenant.tenant_id, tenant.id)?.is_some() {
        return Ok(());
    }
    let name = tenant.name.clone().unwrap_or_else(|| tenant.api_key.clone());
    let slug = Some(slug_of(&name)).filter(|slug| check_slug(slug).is_ok());
    let mut slug = slug.unwrap_or_else(|| "broker".to_owned());
    if organizations::by_slug(tx, tenant.tenant_id, &slug)?.is_some() {
        slug = tenant.id.to_string();
    }
    let mut broker = Organization::new(tenant.id, slug, Kind::Organization, name, now);
    broker.is_provider = true;
    let caller = Caller::system(Uuid::new_v4());
    crate::organizations::insert(tx, tenant.tenant_id, &caller, now, broker)?;
    for (slug, title) in [(MANAGER, "Profile Manager"), (CONTRIBUTOR, "Contributor")] {
        let description = RoleDescription {
            id: Uuid::new_v4(),
            organization_id: None,
            slug: slug.to_owned(),
            title: title.to_owned(),
            skip_optin_on_grant: false,
            implicit_create_on_none: false,
            otp_required: false,
            extra: None,
            created_at: now,
        };
        organization_roles::insert_description(tx, tenant.tenant_id, &description)?;
    }
    Ok(())
}

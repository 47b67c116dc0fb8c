//! Organizations: the trees whose tops are billed.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use billing::organization::{Contact, Kind, Organization};
use uuid::Uuid;

pub(crate) const COLUMNS: &str = "record_id, id, slug, kind, name, parent_id, owner_id, account_id, email, phone, street_address,
    locality, region, postal_code, country, time_zone, is_provider, is_bulk_buyer, no_implicit_role, picture, extra,
    is_active, created_at, updated_at";

/// An organization with what the storage knows beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredOrganization {
    /// The order in which organizations were made.
    pub record_id: i64,
    /// The organization.
    pub organization: Organization,
}

fn read(mut row: Row) -> Result<StoredOrganization, StoreError> {
    read_from(&mut row)
}

/// Reads [`COLUMNS`].
pub(crate) fn read_from(row: &mut Row) -> Result<StoredOrganization, StoreError> {
    Ok(StoredOrganization {
        record_id: row.next()?,
        organization: Organization {
            id: row.next()?,
            slug: row.next()?,
            kind: {
                let name: String = row.next()?;
                Kind::known(&name).ok_or(StoreError::Corrupt(name))?
            },
            name: row.next()?,
            parent_id: row.next()?,
            owner_id: row.next()?,
            account_id: row.next()?,
            contact: Contact {
                email: row.next()?,
                phone: row.next()?,
                street_address: row.next()?,
                locality: row.next()?,
                region: row.next()?,
                postal_code: row.next()?,
                country: row.next()?,
            },
            time_zone: row.next()?,
            is_provider: row.next()?,
            is_bulk_buyer: row.next()?,
            no_implicit_role: row.next()?,
            picture: row.next()?,
            extra: row.next()?,
            is_active: row.next()?,
            created_at: row.next()?,
            updated_at: row.next()?,
        },
    })
}

/// What an organization is found by, a line each. The user of a personal one is found with it; he is kept before it.
fn search_text(organization: &Organization) -> String {
    let contact = &organization.contact;
    let lines = [
        &contact.email,
        &contact.phone,
        &contact.street_address,
        &contact.locality,
        &contact.region,
        &contact.postal_code,
        &contact.country,
    ];
    let mut text = format!("{}\n{}", organization.slug, organization.name);
    for line in lines.into_iter().flatten() {
        text.push('\n');
        text.push_str(line);
    }
    text.make_ascii_lowercase();
    text
}

/// By what organizations are found for the addresses of their people.
fn email_domain(organization: &Organization) -> Option<String> {
    let (_, domain) = organization.contact.email.as_deref()?.rsplit_once('@')?;
    Some(domain.to_ascii_lowercase()).filter(|domain| !domain.is_empty())
}

/// Inserts an organization and returns its record id, or `None` when its slug is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization: &Organization,
) -> Result<Option<i64>, StoreError> {
    let contact = &organization.contact;
    tx.query_optional(
        "INSERT INTO organizations (tenant_id, id, slug, kind, name, parent_id, owner_id, account_id, email, phone,
             street_address, locality, region, postal_code, country, time_zone, is_provider, is_bulk_buyer,
             no_implicit_role, picture, extra, is_active, created_at, updated_at, search_text, email_domain)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
             $23, $24, $25 || COALESCE((SELECT '\n' || LOWER(username) || '\n' || LOWER(COALESCE(full_name, ''))
                 FROM users WHERE users.id = $7 AND $4 = 'personal'), ''), $26)
         ON CONFLICT (tenant_id, slug) DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            organization.id.into(),
            (&organization.slug).into(),
            organization.kind.name().into(),
            (&organization.name).into(),
            organization.parent_id.into(),
            organization.owner_id.into(),
            organization.account_id.into(),
            (&contact.email).into(),
            (&contact.phone).into(),
            (&contact.street_address).into(),
            (&contact.locality).into(),
            (&contact.region).into(),
            (&contact.postal_code).into(),
            (&contact.country).into(),
            (&organization.time_zone).into(),
            organization.is_provider.into(),
            organization.is_bulk_buyer.into(),
            organization.no_implicit_role.into(),
            (&organization.picture).into(),
            (&organization.extra).into(),
            organization.is_active.into(),
            organization.created_at.into(),
            organization.updated_at.into(),
            (&search_text(organization)).into(),
            (&email_domain(organization)).into(),
        ],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// Writes all that may change of an organization. False when its slug is taken in the tenant.
pub fn update(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization: &Organization,
) -> Result<bool, StoreError> {
    let contact = &organization.contact;
    let changed = tx.execute(
        "UPDATE organizations SET slug = $3, kind = $4, name = $5, parent_id = $6, owner_id = $7, account_id = $8,
             email = $9, phone = $10, street_address = $11, locality = $12, region = $13, postal_code = $14,
             country = $15, time_zone = $16, is_provider = $17, is_bulk_buyer = $18, no_implicit_role = $19,
             picture = $20, extra = $21, is_active = $22, updated_at = $23, email_domain = $25,
             search_text = $24 || COALESCE((SELECT '\n' || LOWER(username) || '\n' || LOWER(COALESCE(full_name, ''))
                 FROM users WHERE users.id = $7 AND $4 = 'personal'), '')
         WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS
             (SELECT 1 FROM organizations AS other WHERE other.tenant_id = $1 AND other.slug = $3 AND other.id <> $2)",
        &[
            tenant_id.0.into(),
            organization.id.into(),
            (&organization.slug).into(),
            organization.kind.name().into(),
            (&organization.name).into(),
            organization.parent_id.into(),
            organization.owner_id.into(),
            organization.account_id.into(),
            (&contact.email).into(),
            (&contact.phone).into(),
            (&contact.street_address).into(),
            (&contact.locality).into(),
            (&contact.region).into(),
            (&contact.postal_code).into(),
            (&contact.country).into(),
            (&organization.time_zone).into(),
            organization.is_provider.into(),
            organization.is_bulk_buyer.into(),
            organization.no_implicit_role.into(),
            (&organization.picture).into(),
            (&organization.extra).into(),
            organization.is_active.into(),
            organization.updated_at.into(),
            (&search_text(organization)).into(),
            (&email_domain(organization)).into(),
        ],
    )?;
    Ok(changed == 1)
}

/// The organization with this slug, also a deleted one.
pub fn by_slug(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    slug: &str,
) -> Result<Option<StoredOrganization>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND slug = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), slug.into()])?.map(read).transpose()
}

/// The organization that is billed through this account.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
) -> Result<Option<StoredOrganization>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND account_id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), account_id.into()])?.map(read).transpose()
}

/// The organization with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredOrganization>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// [`by_id`], with the row locked until the transaction ends.
pub fn lock(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredOrganization>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND id = $2 {for_update}");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// Up to `limit` organizations made after the one with record id `after`, oldest first.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredOrganization>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND record_id > $2 ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), after.into(), limit.into()])?.into_iter().map(read).collect()
}

/// The organizations with these ids, also deleted ones, in no order.
pub fn by_ids(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    ids: &[Uuid],
) -> Result<Vec<StoredOrganization>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places = crate::connection::placeholders(2, ids.len());
    let sql = format!("SELECT {COLUMNS} FROM organizations WHERE tenant_id = $1 AND id IN ({places})");
    let mut params: Vec<crate::Param<'_>> = vec![tenant_id.0.into()];
    params.extend(ids.iter().map(|id| crate::Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

/// The organizations, not deleted, that have this e-mail, in any case, oldest first; the personal profiles among them if
/// wanted.
pub fn with_email(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    email: &str,
    with_personal: bool,
    limit: i64,
) -> Result<Vec<StoredOrganization>, StoreError> {
    let kinds = if with_personal { "" } else { "AND kind <> 'personal'" };
    let sql = format!(
        "SELECT {COLUMNS} FROM organizations
         WHERE tenant_id = $1 AND LOWER(email) = $2 AND email IS NOT NULL AND is_active = $3 {kinds}
         ORDER BY record_id LIMIT $4"
    );
    let email = email.to_ascii_lowercase();
    let params = [tenant_id.0.into(), (&email).into(), true.into(), limit.into()];
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

/// The organizations, not deleted and nobody's personal profile, whose e-mail is in this domain, oldest first.
pub fn with_email_domain(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    domain: &str,
    limit: i64,
) -> Result<Vec<StoredOrganization>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organizations
         WHERE tenant_id = $1 AND email_domain = $2 AND is_active = $3 AND kind <> 'personal'
         ORDER BY record_id LIMIT $4"
    );
    let domain = domain.to_ascii_lowercase();
    let params = [tenant_id.0.into(), (&domain).into(), true.into(), limit.into()];
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

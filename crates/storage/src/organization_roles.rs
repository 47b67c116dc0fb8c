//! What users are to organizations, and the kinds of roles there are.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A kind of role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDescription {
    /// Public id.
    pub id: Uuid,
    /// The organization that alone has it; none for every organization's.
    pub organization_id: Option<Uuid>,
    /// Its name in addresses, unique in the tenant.
    pub slug: String,
    /// Its name for people.
    pub title: String,
    /// Whether a grant needs no acceptance.
    pub skip_optin_on_grant: bool,
    /// Whether it is given to whoever has an e-mail address of the organization and no role.
    pub implicit_create_on_none: bool,
    /// Whether its users must have one-time codes.
    pub otp_required: bool,
    /// What callers keep with it, as JSON.
    pub extra: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A role of a user on an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The order in which roles were made.
    pub record_id: i64,
    /// Public id.
    pub id: Uuid,
    /// On which organization.
    pub organization_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// Its kind; a request need not name one.
    pub role_description_id: Option<Uuid>,
    /// Set while it is an invitation that nobody has accepted.
    pub grant_key: Option<String>,
    /// Set while it is a request that nobody has accepted.
    pub request_key: Option<String>,
    /// What callers keep with it, as JSON.
    pub extra: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
}

impl Role {
    /// Whether it is in force.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        let is_pending = self.grant_key.is_some() || self.request_key.is_some();
        !is_pending && self.ends_at.is_none_or(|end| now < end)
    }
}

const DESCRIPTION_COLUMNS: &str = "id, organization_id, slug, title, skip_optin_on_grant, implicit_create_on_none, otp_required, extra, created_at";

fn read_description(mut row: Row) -> Result<RoleDescription, StoreError> {
    Ok(RoleDescription {
        id: row.next()?,
        organization_id: row.next()?,
        slug: row.next()?,
        title: row.next()?,
        skip_optin_on_grant: row.next()?,
        implicit_create_on_none: row.next()?,
        otp_required: row.next()?,
        extra: row.next()?,
        created_at: row.next()?,
    })
}

/// Inserts a kind of role and returns its record id, or `None` when its slug is taken in the tenant.
pub fn insert_description(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    description: &RoleDescription,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO role_descriptions (tenant_id, id, organization_id, slug, title, skip_optin_on_grant,
             implicit_create_on_none, otp_required, extra, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            description.id.into(),
            description.organization_id.into(),
            (&description.slug).into(),
            (&description.title).into(),
            description.skip_optin_on_grant.into(),
            description.implicit_create_on_none.into(),
            description.otp_required.into(),
            (&description.extra).into(),
            description.created_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// The kind of role with this slug.
pub fn description_by_slug(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    slug: &str,
) -> Result<Option<RoleDescription>, StoreError> {
    let sql =
        format!("SELECT {DESCRIPTION_COLUMNS} FROM role_descriptions WHERE tenant_id = $1 AND slug = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), slug.into()])?.map(read_description).transpose()
}

/// The kind of role with this id.
pub fn description_by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<RoleDescription>, StoreError> {
    let sql = format!("SELECT {DESCRIPTION_COLUMNS} FROM role_descriptions WHERE tenant_id = $1 AND id = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read_description).transpose()
}

const COLUMNS: &str =
    "record_id, id, organization_id, user_id, role_description_id, grant_key, request_key, extra,
    created_at, ends_at";

fn read(mut row: Row) -> Result<Role, StoreError> {
    Ok(Role {
        record_id: row.next()?,
        id: row.next()?,
        organization_id: row.next()?,
        user_id: row.next()?,
        role_description_id: row.next()?,
        grant_key: row.next()?,
        request_key: row.next()?,
        extra: row.next()?,
        created_at: row.next()?,
        ends_at: row.next()?,
    })
}

/// Inserts a role and returns its record id, or `None` when the user has one on the organization.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, role: &Role) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO organization_roles (tenant_id, id, organization_id, user_id, role_description_id, grant_key,
             request_key, extra, created_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            role.id.into(),
            role.organization_id.into(),
            role.user_id.into(),
            role.role_description_id.into(),
            (&role.grant_key).into(),
            (&role.request_key).into(),
            (&role.extra).into(),
            role.created_at.into(),
            role.ends_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// The role of a user on an organization, whatever its state.
pub fn of_user_on(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    organization_id: Uuid,
) -> Result<Option<Role>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organization_roles WHERE tenant_id = $1 AND user_id = $2 AND organization_id = $3"
    );
    let params = [tenant_id.0.into(), user_id.into(), organization_id.into()];
    tx.query_optional(&sql, &params)?.map(read).transpose()
}

/// All roles of a user, oldest first.
pub fn of_user(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<Vec<Role>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organization_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), user_id.into()])?.into_iter().map(read).collect()
}

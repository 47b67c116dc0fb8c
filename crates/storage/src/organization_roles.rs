//! What users are to organizations, and the kinds of roles there are.

use crate::connection::placeholders;
use crate::list::List;
use crate::{Connection, Param, Row, StoreError};
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
    /// Whether the user never said yes to it himself.
    pub is_imposed: bool,
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
        !is_pending && !self.has_ended(now)
    }

    /// Whether its time is over.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
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
    "record_id, id, organization_id, user_id, role_description_id, grant_key, request_key, is_imposed, extra,
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
        is_imposed: row.next()?,
        extra: row.next()?,
        created_at: row.next()?,
        ends_at: row.next()?,
    })
}

/// Inserts a role and returns its record id, or `None` when the user has one on the organization.
pub fn insert(tx: &mut dyn Connection, tenant_id: TenantId, role: &Role) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO organization_roles (tenant_id, id, organization_id, user_id, role_description_id, grant_key,
             request_key, is_imposed, extra, created_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            role.id.into(),
            role.organization_id.into(),
            role.user_id.into(),
            role.role_description_id.into(),
            (&role.grant_key).into(),
            (&role.request_key).into(),
            role.is_imposed.into(),
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

/// The roles of a user but for those that he asks for, oldest first, at most `limit`.
pub fn held_by_user(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    limit: i64,
) -> Result<Vec<Role>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organization_roles WHERE tenant_id = $1 AND user_id = $2 AND request_key IS NULL
         ORDER BY record_id LIMIT $3"
    );
    tx.query(&sql, &[tenant_id.0.into(), user_id.into(), limit.into()])?.into_iter().map(read).collect()
}

/// The organizations to which a user is invited without having to accept, at most `limit`, in no order.
pub fn optional_invitations(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    // As the index of what is pending spells it, lest SQLite reads the invitations of everybody.
    let rows = tx.query(
        "SELECT r.organization_id FROM organization_roles r
         JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id
         WHERE r.tenant_id = $1 AND r.user_id = $2 AND (r.grant_key IS NOT NULL OR r.request_key IS NOT NULL)
           AND r.request_key IS NULL AND d.skip_optin_on_grant = $3 LIMIT $4",
        &[tenant_id.0.into(), user_id.into(), true.into(), limit.into()],
    )?;
    rows.into_iter().map(|mut row| row.next()).collect()
}

/// All roles on an organization, oldest first.
pub fn of_organization(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization_id: Uuid,
) -> Result<Vec<Role>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM organization_roles WHERE tenant_id = $1 AND organization_id = $2 ORDER BY record_id"
    );
    tx.query(&sql, &[tenant_id.0.into(), organization_id.into()])?.into_iter().map(read).collect()
}

/// Writes all that may change of a role: whose it is, of which kind, its keys, whether it is imposed, extra and dates.
pub fn update(tx: &mut dyn Connection, tenant_id: TenantId, role: &Role) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE organization_roles SET user_id = $3, role_description_id = $4, grant_key = $5, request_key = $6,
             extra = $7, created_at = $8, ends_at = $9, is_imposed = $10
         WHERE tenant_id = $1 AND id = $2",
        &[
            tenant_id.0.into(),
            role.id.into(),
            role.user_id.into(),
            role.role_description_id.into(),
            (&role.grant_key).into(),
            (&role.request_key).into(),
            (&role.extra).into(),
            role.created_at.into(),
            role.ends_at.into(),
            role.is_imposed.into(),
        ],
    )?;
    Ok(())
}

/// Removes a role.
pub fn delete(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM organization_roles WHERE tenant_id = $1 AND id = $2";
    tx.execute(sql, &[tenant_id.0.into(), id.into()])?;
    Ok(())
}

/// The invitation with this key.
pub fn by_grant_key(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    key: &str,
) -> Result<Option<Role>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM organization_roles WHERE tenant_id = $1 AND grant_key = $2");
    tx.query_optional(&sql, &[tenant_id.0.into(), key.into()])?.map(read).transpose()
}

/// Whether a user has a role in force, of one of two kinds, on an organization where another has one in force to which he
/// said yes. Kinds that demand one-time codes count where he has them.
pub fn share_organization(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    (kinds, has_otp): ([&str; 2], bool),
    other_id: Uuid,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let [first, second] = kinds;
    let found = tx.query_optional(
        "SELECT 1 FROM organization_roles o
         JOIN organization_roles r ON r.tenant_id = o.tenant_id AND r.organization_id = o.organization_id
         JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id
         WHERE o.tenant_id = $1 AND o.user_id = $2 AND o.is_imposed = $3 AND o.grant_key IS NULL
           AND o.request_key IS NULL AND (o.ends_at IS NULL OR o.ends_at > $4) AND r.user_id = $5 AND r.grant_key IS NULL
           AND r.request_key IS NULL AND (r.ends_at IS NULL OR r.ends_at > $4) AND d.slug IN ($6, $7)
           AND d.otp_required IN ($3, $8) LIMIT 1",
        &[
            tenant_id.0.into(),
            other_id.into(),
            false.into(),
            now.into(),
            user_id.into(),
            first.into(),
            second.into(),
            has_otp.into(),
        ],
    )?;
    Ok(found.is_some())
}

/// Those of these organizations on which a user has a role of this kind in force. One that demands one-time codes counts
/// where he has them.
pub fn organizations_with_role(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    (kind, has_otp): (&str, bool),
    ids: &[Uuid],
    now: Timestamp,
) -> Result<Vec<Uuid>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT r.organization_id FROM organization_roles r
         JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id
         WHERE r.tenant_id = $1 AND r.user_id = $2 AND d.slug = $3 AND r.grant_key IS NULL AND r.request_key IS NULL
           AND (r.ends_at IS NULL OR r.ends_at > $4) AND d.otp_required IN ($5, $6) AND r.organization_id IN ({})",
        placeholders(7, ids.len())
    );
    let mut params =
        vec![tenant_id.0.into(), user_id.into(), kind.into(), now.into(), false.into(), has_otp.into()];
    params.extend(ids.iter().map(|id| Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(|mut row| row.next()).collect()
}

/// The users with a role of this kind in force on an organization, up to `limit`, oldest first.
pub fn holders(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization_id: Uuid,
    slug: &str,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let rows = tx.query(
        "SELECT r.user_id FROM organization_roles r
         JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id
         JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
         WHERE r.tenant_id = $1 AND r.organization_id = $2 AND d.slug = $3 AND r.grant_key IS NULL
           AND r.request_key IS NULL AND (r.ends_at IS NULL OR r.ends_at > $4) AND u.is_active = $5
         ORDER BY r.record_id LIMIT $6",
        &[tenant_id.0.into(), organization_id.into(), slug.into(), now.into(), true.into(), limit.into()],
    )?;
    rows.into_iter().map(|mut row| row.next()).collect()
}

/// Whether a user holds a role, in force, of a kind that demands one-time codes. One to which he never said yes does not
/// count: else whoever owns an organization could lock anybody out.
pub fn demands_otp(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = tx.query_optional(
        "SELECT r.record_id FROM organization_roles r
         JOIN role_descriptions d ON d.tenant_id = r.tenant_id AND d.id = r.role_description_id
         WHERE r.tenant_id = $1 AND r.user_id = $2 AND d.otp_required = $3 AND r.grant_key IS NULL
           AND r.request_key IS NULL AND (r.ends_at IS NULL OR r.ends_at > $4) AND r.is_imposed = $5 LIMIT 1",
        &[tenant_id.0.into(), user_id.into(), true.into(), now.into(), false.into()],
    )?;
    Ok(found.is_some())
}

/// Writes all that may change of a kind of role. False when its slug is taken in the tenant.
pub fn update_description(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    description: &RoleDescription,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE role_descriptions SET slug = $3, title = $4, skip_optin_on_grant = $5,
             implicit_create_on_none = $6, otp_required = $7, extra = $8
         WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS
             (SELECT 1 FROM role_descriptions AS other
              WHERE other.tenant_id = $1 AND other.slug = $3 AND other.id <> $2)",
        &[
            tenant_id.0.into(),
            description.id.into(),
            (&description.slug).into(),
            (&description.title).into(),
            description.skip_optin_on_grant.into(),
            description.implicit_create_on_none.into(),
            description.otp_required.into(),
            (&description.extra).into(),
        ],
    )?;
    Ok(changed == 1)
}

/// Removes a kind of role. False while somebody has a role of it.
pub fn delete_description(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<bool, StoreError> {
    let deleted = tx.execute(
        "DELETE FROM role_descriptions WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS
             (SELECT 1 FROM organization_roles AS r WHERE r.tenant_id = $1 AND r.role_description_id = $2)",
        &[tenant_id.0.into(), id.into()],
    )?;
    Ok(deleted == 1)
}

/// The record id of a kind of role.
pub fn description_record_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<i64, StoreError> {
    let sql = "SELECT record_id FROM role_descriptions WHERE tenant_id = $1 AND id = $2";
    tx.query_one(sql, &[tenant_id.0.into(), id.into()])?.next()
}

/// The kinds of roles with these ids, in no order.
pub fn descriptions_by_ids(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    ids: &[Uuid],
) -> Result<Vec<RoleDescription>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {DESCRIPTION_COLUMNS} FROM role_descriptions WHERE tenant_id = $1 AND id IN ({})",
        placeholders(2, ids.len())
    );
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    params.extend(ids.iter().map(|id| Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(read_description).collect()
}

/// The kinds of roles that are given to whoever has none: those of the organization, or every organization's.
pub fn implicit_descriptions(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    organization_id: Option<Uuid>,
) -> Result<Vec<RoleDescription>, StoreError> {
    let (owner, id) = match organization_id {
        Some(id) => ("organization_id = $3", Param::from(id)),
        None => ("organization_id IS NULL AND slug <> $3", Param::from("")),
    };
    let sql = format!(
        "SELECT {DESCRIPTION_COLUMNS} FROM role_descriptions
         WHERE tenant_id = $1 AND implicit_create_on_none = $2 AND {owner} ORDER BY record_id LIMIT 2"
    );
    tx.query(&sql, &[tenant_id.0.into(), true.into(), id])?.into_iter().map(read_description).collect()
}

/// Whether any kind of role of the tenant is given to whoever has none.
pub fn has_implicit_description(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<bool, StoreError> {
    let sql =
        "SELECT id FROM role_descriptions WHERE tenant_id = $1 AND implicit_create_on_none = $2 LIMIT 1";
    Ok(tx.query_optional(sql, &[tenant_id.0.into(), true.into()])?.is_some())
}

/// A window (offset and size) of a list of roles.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<Role>, StoreError> {
    let columns = "r.record_id, r.id, r.organization_id, r.user_id, r.role_description_id, r.grant_key,
        r.request_key, r.is_imposed, r.extra, r.created_at, r.ends_at";
    list.rows(tx, columns, window, read)
}

/// A window (offset and size) of a list of kinds of roles.
pub fn descriptions_page(
    tx: &mut dyn Connection,
    list: &List,
    window: (i64, i64),
) -> Result<Vec<RoleDescription>, StoreError> {
    list.rows(tx, DESCRIPTION_COLUMNS, window, read_description)
}

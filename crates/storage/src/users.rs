//! Users, their roles, and what roles permit.

use crate::{Connection, Row, StoreError};
use billing::TenantId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A user who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Public id.
    pub id: Uuid,
    /// The tenant he belongs to; [`TenantId::SERVER`] for operators.
    pub tenant_id: TenantId,
    /// Login name, unique in the tenant.
    pub username: String,
    /// E-mail, unique in the tenant.
    pub email: Option<String>,
    /// argon2 hash of the password; none for users who cannot log in by password.
    pub password_hash: Option<String>,
    /// The organization he works for at present.
    pub current_organization_id: Option<Uuid>,
    /// False once deleted.
    pub is_active: bool,
}

const COLUMNS: &str = "id, tenant_id, username, email, password_hash, current_organization_id, is_active";

fn read(mut row: Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.next()?,
        tenant_id: TenantId(row.next()?),
        username: row.next()?,
        email: row.next()?,
        password_hash: row.next()?,
        current_organization_id: row.next()?,
        is_active: row.next()?,
    })
}

/// Inserts a user; false when the name or e-mail is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    user: &User,
    created_by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = tx.execute(
        "INSERT INTO users (id, tenant_id, username, email, password_hash, current_organization_id, is_active,
                            created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT DO NOTHING",
        &[
            user.id.into(),
            user.tenant_id.0.into(),
            (&user.username).into(),
            (&user.email).into(),
            (&user.password_hash).into(),
            user.current_organization_id.into(),
            user.is_active.into(),
            created_by.into(),
            now.into(),
        ],
    )?;
    Ok(inserted == 1)
}

/// The active user with this name.
pub fn by_username(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    username: &str,
) -> Result<Option<User>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND username = $2 AND is_active = $3");
    tx.query_optional(&sql, &[tenant_id.0.into(), username.into(), true.into()])?.map(read).transpose()
}

/// The active user with this e-mail.
pub fn by_email(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    email: &str,
) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND email = $2 AND is_active = $3");
    tx.query_optional(&sql, &[tenant_id.0.into(), email.into(), true.into()])?.map(read).transpose()
}

/// The active user with this id.
pub fn by_id(tx: &mut dyn Connection, id: Uuid) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE id = $1 AND is_active = $2");
    tx.query_optional(&sql, &[id.into(), true.into()])?.map(read).transpose()
}

/// Sets the organization that the user works for at present.
pub fn set_current_organization(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    organization_id: Uuid,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET current_organization_id = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), organization_id.into(), now.into()],
    )?;
    Ok(())
}

/// The user's roles, in the order in which they were given.
pub fn roles(tx: &mut dyn Connection, user_id: Uuid) -> Result<Vec<String>, StoreError> {
    tx.query("SELECT role FROM user_roles WHERE user_id = $1 ORDER BY position", &[user_id.into()])?
        .into_iter()
        .map(|mut row| row.next())
        .collect()
}

/// Replaces the user's roles.
pub fn set_roles(tx: &mut dyn Connection, user_id: Uuid, roles: &[String]) -> Result<(), StoreError> {
    tx.execute("DELETE FROM user_roles WHERE user_id = $1", &[user_id.into()])?;
    for (position, role) in (0i64..).zip(roles) {
        tx.execute(
            "INSERT INTO user_roles (user_id, role, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[user_id.into(), role.into(), position.into()],
        )?;
    }
    Ok(())
}

/// Whether an active operator of the server other than this one has the role.
pub fn another_has_role(tx: &mut dyn Connection, role: &str, user_id: Uuid) -> Result<bool, StoreError> {
    let found = tx.query_optional(
        "SELECT 1 FROM users u JOIN user_roles r ON r.user_id = u.id
         WHERE u.tenant_id = $1 AND u.is_active = $2 AND u.id <> $3 AND r.role = $4 LIMIT 1",
        &[TenantId::SERVER.0.into(), true.into(), user_id.into(), role.into()],
    )?;
    Ok(found.is_some())
}

/// What the user's roles permit, as wire texts.
pub fn permissions(tx: &mut dyn Connection, user_id: Uuid) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT DISTINCT p.permission FROM role_permissions p JOIN user_roles r ON r.role = p.role
         WHERE r.user_id = $1 ORDER BY p.permission",
        &[user_id.into()],
    )?
    .into_iter()
    .map(|mut row| row.next())
    .collect()
}

/// What a role permits, in the order in which it was defined.
pub fn role(tx: &mut dyn Connection, role: &str) -> Result<Vec<String>, StoreError> {
    tx.query("SELECT permission FROM role_permissions WHERE role = $1 ORDER BY position", &[role.into()])?
        .into_iter()
        .map(|mut row| row.next())
        .collect()
}

/// What every role permits, by the role's name. Roles that permit nothing are left out.
pub fn all_roles(tx: &mut dyn Connection) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut row in tx.query("SELECT role, permission FROM role_permissions ORDER BY role, position", &[])? {
        roles.entry(row.next()?).or_default().push(row.next()?);
    }
    Ok(roles)
}

/// Locks a role until the transaction ends, and makes its row if it is new. Returns its record id and its id.
pub fn lock_role(tx: &mut dyn Connection, role: &str) -> Result<(i64, Uuid), StoreError> {
    let mut row = tx.query_one(
        "INSERT INTO roles (id, role) VALUES ($1, $2) ON CONFLICT (role) DO UPDATE SET role = excluded.role
         RETURNING record_id, id",
        &[Uuid::new_v4().into(), role.into()],
    )?;
    Ok((row.next()?, row.next()?))
}

/// Replaces what a role permits. Returns the role's record id and its id.
pub fn set_role(
    tx: &mut dyn Connection,
    role: &str,
    permissions: &[String],
) -> Result<(i64, Uuid), StoreError> {
    let ids = lock_role(tx, role)?;
    tx.execute("DELETE FROM role_permissions WHERE role = $1", &[role.into()])?;
    for (position, permission) in (0i64..).zip(permissions) {
        tx.execute(
            "INSERT INTO role_permissions (role, permission, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[role.into(), permission.into(), position.into()],
        )?;
    }
    Ok(ids)
}

/// Locks a user's row until the transaction ends. Returns his record id and himself; deleted users are not found.
pub fn lock_by_username(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    username: &str,
) -> Result<Option<(i64, User)>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT record_id, {COLUMNS} FROM users WHERE tenant_id = $1 AND username = $2 AND is_active = $3 {for_update}"
    );
    let row = tx.query_optional(&sql, &[tenant_id.0.into(), username.into(), true.into()])?;
    row.map(|mut row| Ok((row.next()?, read(row)?))).transpose()
}

/// Changes a user's password.
pub fn set_password(
    tx: &mut dyn Connection,
    user_id: Uuid,
    password_hash: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1",
        &[user_id.into(), password_hash.into(), now.into()],
    )?;
    Ok(())
}

/// Lets a deleted user log in again; false when there never was one with this name.
pub fn reactivate(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    username: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx.execute(
        "UPDATE users SET is_active = $3, updated_at = $4 WHERE tenant_id = $1 AND username = $2",
        &[tenant_id.0.into(), username.into(), true.into(), now.into()],
    )?;
    Ok(changed == 1)
}

/// Lets a user log in no more. His name stays taken.
pub fn deactivate(tx: &mut dyn Connection, user_id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET is_active = $2, updated_at = $3 WHERE id = $1",
        &[user_id.into(), false.into(), now.into()],
    )?;
    Ok(())
}

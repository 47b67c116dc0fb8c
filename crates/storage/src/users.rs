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
    /// Who he is.
    pub person: Person,
    /// False once deleted.
    pub is_active: bool,
}

/// What is known of a user as a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Name and surname.
    pub full_name: Option<String>,
    /// What he likes to be called.
    pub nick_name: Option<String>,
    /// Phone number, E.164, unique in the tenant.
    pub phone: Option<String>,
    /// Language code.
    pub lang: Option<String>,
    /// Address of his picture.
    pub picture: Option<String>,
    /// What callers keep with him, as JSON.
    pub extra: Option<String>,
    /// When he proved that the e-mail address is his.
    pub email_verified_at: Option<Timestamp>,
    /// When he proved that the phone is his.
    pub phone_verified_at: Option<Timestamp>,
    /// Secret of his one-time codes, base 32; none when he uses none.
    pub otp_secret: Option<String>,
    /// When he logged in last.
    pub last_login_at: Option<Timestamp>,
    /// When he was made.
    pub created_at: Timestamp,
}

pub(crate) const COLUMNS: &str = "id, tenant_id, username, email, password_hash, current_organization_id, full_name, nick_name,
    phone, lang, picture, extra, email_verified_at, phone_verified_at, otp_secret, last_login_at, created_at, is_active";

pub(crate) fn read(mut row: Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.next()?,
        tenant_id: TenantId(row.next()?),
        username: row.next()?,
        email: row.next()?,
        password_hash: row.next()?,
        current_organization_id: row.next()?,
        person: Person {
            full_name: row.next()?,
            nick_name: row.next()?,
            phone: row.next()?,
            lang: row.next()?,
            picture: row.next()?,
            extra: row.next()?,
            email_verified_at: row.next()?,
            phone_verified_at: row.next()?,
            otp_secret: row.next()?,
            last_login_at: row.next()?,
            created_at: row.next()?,
        },
        is_active: row.next()?,
    })
}

/// What a user is found by, a line each.
pub(crate) fn search_text(user: &User) -> String {
    let name = user.person.full_name.as_deref().unwrap_or_default();
    let mut text = format!("{}\n{name}\n{}", user.username, user.email.as_deref().unwrap_or_default());
    text.make_ascii_lowercase();
    text
}

/// Inserts a user; false when the name, e-mail or phone is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    user: &User,
    created_by: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let inserted = tx.execute(
        "INSERT INTO users (id, tenant_id, username, email, password_hash, current_organization_id, is_active,
                            created_by, created_at, updated_at, full_name, nick_name, phone, lang, picture, extra,
                            email_verified_at, phone_verified_at, otp_secret, last_login_at, search_text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
         ON CONFLICT DO NOTHING",
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
            (&user.person.full_name).into(),
            (&user.person.nick_name).into(),
            (&user.person.phone).into(),
            (&user.person.lang).into(),
            (&user.person.picture).into(),
            (&user.person.extra).into(),
            user.person.email_verified_at.into(),
            user.person.phone_verified_at.into(),
            (&user.person.otp_secret).into(),
            user.person.last_login_at.into(),
            (&search_text(user)).into(),
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

/// Locks a user's row until the transaction ends; deleted users are not found.
pub fn lock(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<Option<User>, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND id = $2 AND is_active = $3 {for_update}"
    );
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into(), true.into()])?.map(read).transpose()
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

/// Notes that a user logged in.
pub fn set_last_login(tx: &mut dyn Connection, user_id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE users SET last_login_at = $2 WHERE id = $1", &[user_id.into(), now.into()])?;
    Ok(())
}

/// The users with these ids, also deleted ones, in no order.
pub fn by_ids(tx: &mut dyn Connection, tenant_id: TenantId, ids: &[Uuid]) -> Result<Vec<User>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places = crate::connection::placeholders(2, ids.len());
    let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND id IN ({places})");
    let mut params: Vec<crate::Param<'_>> = vec![tenant_id.0.into()];
    params.extend(ids.iter().map(|id| crate::Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

/// The active user with this phone number.
pub fn by_phone(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    phone: &str,
) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM users WHERE tenant_id = $1 AND phone = $2 AND is_active = $3");
    tx.query_optional(&sql, &[tenant_id.0.into(), phone.into(), true.into()])?.map(read).transpose()
}

/// Takes a user's password away: he cannot log in by one until he has another.
pub fn unset_password(tx: &mut dyn Connection, user_id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET password_hash = NULL, updated_at = $2 WHERE id = $1",
        &[user_id.into(), now.into()],
    )?;
    Ok(())
}

/// Sets the secret of a user's one-time codes, base 32; none when he uses none.
pub fn set_otp_secret(
    tx: &mut dyn Connection,
    user_id: Uuid,
    secret: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET otp_secret = $2, updated_at = $3 WHERE id = $1",
        &[user_id.into(), secret.into(), now.into()],
    )?;
    Ok(())
}

/// Notes that a user has used the one-time code of a step of time. False when he has used it, or a later one, before.
pub fn use_otp_step(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    step: i64,
) -> Result<bool, StoreError> {
    let used = tx.execute(
        "INSERT INTO used_one_time_codes (tenant_id, user_id, step) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET step = excluded.step WHERE used_one_time_codes.step < excluded.step",
        &[tenant_id.0.into(), user_id.into(), step.into()],
    )?;
    Ok(used == 1)
}

/// Notes that a user has proved that the e-mail address is his.
pub fn set_email_verified(tx: &mut dyn Connection, user_id: Uuid, now: Timestamp) -> Result<(), StoreError> {
    tx.execute("UPDATE users SET email_verified_at = $2 WHERE id = $1", &[user_id.into(), now.into()])?;
    Ok(())
}

/// Whether a user, also a deleted one, has this name.
pub fn is_name_taken(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    username: &str,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM users WHERE tenant_id = $1 AND username = $2";
    Ok(tx.query_optional(sql, &[tenant_id.0.into(), username.into()])?.is_some())
}

/// Whether a user is asked for a code sent by e-mail each time he logs in with his password.
pub fn demands_email_code(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM email_code_demands WHERE tenant_id = $1 AND user_id = $2";
    Ok(tx.query_optional(sql, &[tenant_id.0.into(), user_id.into()])?.is_some())
}

/// Sets whether a user is asked for such a code. False when it was so before.
pub fn set_demands_email_code(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    is_demanded: bool,
) -> Result<bool, StoreError> {
    let sql = if is_demanded {
        "INSERT INTO email_code_demands (tenant_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM email_code_demands WHERE tenant_id = $1 AND user_id = $2"
    };
    Ok(tx.execute(sql, &[tenant_id.0.into(), user_id.into()])? == 1)
}

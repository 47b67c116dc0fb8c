//! Users as people: lists of them, changes of what is known of them, and their leaving.

use crate::list::{List, Spec};
use crate::search::{self, TextIndex};
use crate::users::{self, User};
use crate::{Connection, Engine, Param, StoreError, Value};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

const LAST_NAME: &str = "SUBSTR(full_name, INSTR(full_name, ' ') + 1)";

/// Lists of users.
pub const USERS: Spec = Spec {
    from: "users",
    searched: &[
        ("username", "username"),
        ("first_name", "full_name"),
        ("last_name", LAST_NAME),
        ("email", "email"),
    ],
    sorted: &[
        ("first_name", "COALESCE(full_name, '')"),
        ("last_name", LAST_NAME),
        ("email", "email"),
        ("created_at", "created_at"),
    ],
    default_order: "COALESCE(full_name, ''), username",
    dated: "created_at",
    splits_words: true,
};

/// Lists of contacts.
pub const CONTACTS: Spec = Spec {
    from: "users",
    searched: &[("email", "email"), ("username", "username")],
    sorted: &[
        ("full_name", "COALESCE(full_name, '')"),
        ("created_at", "created_at"),
        ("date_joined", "created_at"),
    ],
    default_order: "COALESCE(full_name, ''), username",
    dated: "created_at",
    splits_words: true,
};

/// All users of a tenant who were not deleted.
pub fn list(engine: Engine, spec: Spec, tenant_id: TenantId) -> List {
    let mut list = List::new(engine, spec);
    let (tenant, active) = (list.bind(Value::Integer(tenant_id.0)), list.bind(Value::Bool(true)));
    list.filter(format!("tenant_id = {tenant} AND is_active = {active}"));
    list
}

const INDEX: TextIndex = TextIndex {
    column: "users.search_text",
    from: "user_search CROSS JOIN users ON users.record_id = user_search.rowid",
    table: "user_search",
};

/// Keeps only the users of whom one of these fields holds one of the terms, in any case.
pub fn search(
    tx: &mut dyn Connection,
    list: &mut List,
    fields: &[&str],
    terms: &[String],
) -> Result<(), StoreError> {
    let is_all = fields.len() == USERS.searched.len();
    search::narrow(tx, list, INDEX, (fields, is_all), terms)
}

/// Keeps only the users with an e-mail address who have no personal profile.
pub fn without_profile(list: &mut List, tenant_id: TenantId) {
    let tenant = list.bind(Value::Integer(tenant_id.0));
    list.filter(format!(
        "email IS NOT NULL AND NOT EXISTS (SELECT 1 FROM organizations AS o
             WHERE o.tenant_id = {tenant} AND o.owner_id = users.id AND o.kind = 'personal' AND o.is_active)"
    ));
}

/// A window (offset and size) of a list of users.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<User>, StoreError> {
    list.rows(tx, users::COLUMNS, window, users::read)
}

/// Writes what may change of a user, but not how he logs in. False when his name, e-mail or phone is taken in the tenant.
pub fn update(tx: &mut dyn Connection, user: &User, now: Timestamp) -> Result<bool, StoreError> {
    let person = &user.person;
    let changed = tx.execute(
        "UPDATE users SET username = $3, email = $4, full_name = $5, nick_name = $6, phone = $7, lang = $8,
             picture = $9, extra = $10, email_verified_at = $11, phone_verified_at = $12, updated_at = $13,
             search_text = $14
         WHERE tenant_id = $1 AND id = $2 AND NOT EXISTS
             (SELECT 1 FROM users AS other WHERE other.tenant_id = $1 AND other.id <> $2
              AND (other.username = $3 OR other.email = $4 OR other.phone = $7))",
        &[
            user.tenant_id.0.into(),
            user.id.into(),
            (&user.username).into(),
            (&user.email).into(),
            (&person.full_name).into(),
            (&person.nick_name).into(),
            (&person.phone).into(),
            (&person.lang).into(),
            (&person.picture).into(),
            (&person.extra).into(),
            person.email_verified_at.into(),
            person.phone_verified_at.into(),
            now.into(),
            (&users::search_text(user)).into(),
        ],
    )?;
    Ok(changed == 1)
}

/// Forgets who a user was: only his id and the name given stay, and nothing with which he could log in. His roles are
/// taken away before.
pub fn archive(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    username: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE users SET username = $3, is_active = $4, email = NULL, phone = NULL, full_name = NULL,
             nick_name = NULL, picture = NULL, extra = NULL, password_hash = NULL, otp_secret = NULL,
             current_organization_id = NULL, email_verified_at = NULL, phone_verified_at = NULL, updated_at = $5,
             search_text = ''
         WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), user_id.into(), username.into(), false.into(), now.into()],
    )?;
    for table in [
        "api_keys",
        "verification_codes",
        "muted_notifications",
        "signatures",
        "email_code_demands",
        "used_one_time_codes",
    ] {
        let sql = format!("DELETE FROM {table} WHERE tenant_id = $1 AND user_id = $2");
        tx.execute(&sql, &[tenant_id.0.into(), user_id.into()])?;
    }
    crate::profiles::remove_other_picture(tx, tenant_id, user_id, None)?;
    crate::sessions::end_all(tx, user_id)?;
    Ok(())
}

/// The kinds of mail that a user does not want.
pub fn muted(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<Vec<String>, StoreError> {
    tx.query(
        "SELECT slug FROM muted_notifications WHERE tenant_id = $1 AND user_id = $2 ORDER BY slug",
        &[tenant_id.0.into(), user_id.into()],
    )?
    .into_iter()
    .map(|mut row| row.next())
    .collect()
}

/// Those of these users who do not want a kind of mail.
pub fn who_muted(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_ids: &[Uuid],
    slug: &str,
) -> Result<Vec<Uuid>, StoreError> {
    if user_ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT user_id FROM muted_notifications WHERE tenant_id = $1 AND slug = $2 AND user_id IN ({})",
        crate::connection::placeholders(3, user_ids.len())
    );
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), slug.into()];
    params.extend(user_ids.iter().map(|id| Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(|mut row| row.next()).collect()
}

/// Replaces the kinds of mail that a user does not want.
pub fn set_muted(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
    slugs: &[&str],
) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM muted_notifications WHERE tenant_id = $1 AND user_id = $2",
        &[tenant_id.0.into(), user_id.into()],
    )?;
    for slug in slugs {
        tx.execute(
            "INSERT INTO muted_notifications (tenant_id, user_id, slug) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            &[tenant_id.0.into(), user_id.into(), (*slug).into()],
        )?;
    }
    Ok(())
}

//! Organizations as profiles: each with the person whose it is, in lists; and the pictures of both.

use crate::list::{List, Spec};
use crate::organizations::StoredOrganization;
use crate::search::{self, TextIndex};
use crate::{Connection, Engine, Param, Row, StoreError, Value, organizations};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// A profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The organization.
    pub organization: StoredOrganization,
    /// The user whose it is; only personal ones have him.
    pub person: Option<ProfilePerson>,
}

/// What a personal profile shows of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfilePerson {
    /// Whether he has a password.
    pub has_credentials: bool,
    /// Name and surname.
    pub full_name: Option<String>,
    /// What he likes to be called.
    pub nick_name: Option<String>,
    /// Language code.
    pub lang: Option<String>,
}

const FROM: &str = "organizations AS o LEFT JOIN users AS u ON u.id = o.owner_id AND o.kind = 'personal'";

const USERNAME: &str = "(SELECT u.username FROM users AS u WHERE u.id = o.owner_id AND o.kind = 'personal')";

const FULL_NAME: &str =
    "(SELECT u.full_name FROM users AS u WHERE u.id = o.owner_id AND o.kind = 'personal')";

const LAST_NAME: &str = "(SELECT SUBSTR(u.full_name, INSTR(u.full_name, ' ') + 1) FROM users AS u
    WHERE u.id = o.owner_id AND o.kind = 'personal')";

/// Lists of profiles.
pub const PROFILES: Spec = Spec {
    from: "organizations AS o",
    searched: &[
        ("slug", "o.slug"),
        ("full_name", "o.name"),
        ("email", "o.email"),
        ("phone", "o.phone"),
        ("street_address", "o.street_address"),
        ("locality", "o.locality"),
        ("region", "o.region"),
        ("postal_code", "o.postal_code"),
        ("country", "o.country"),
        ("username", USERNAME),
        ("first_name", FULL_NAME),
        ("last_name", LAST_NAME),
    ],
    sorted: &[("full_name", "o.name"), ("created_at", "o.created_at")],
    default_order: "o.name, o.slug",
    dated: "o.created_at",
    splits_words: false,
};

/// All profiles of a tenant that were not deleted.
pub fn list(engine: Engine, tenant_id: TenantId) -> List {
    let mut list = List::new(engine, PROFILES);
    let (tenant, active) = (list.bind(Value::Integer(tenant_id.0)), list.bind(Value::Bool(true)));
    list.filter(format!("o.tenant_id = {tenant} AND o.is_active = {active}"));
    list
}

const INDEX: TextIndex = TextIndex {
    column: "o.search_text",
    from: "organization_search CROSS JOIN organizations AS o ON o.record_id = organization_search.rowid",
    table: "organization_search",
};

/// Keeps only the profiles of which one of these fields holds one of the terms, in any case.
pub fn search(
    tx: &mut dyn Connection,
    list: &mut List,
    fields: &[&str],
    terms: &[String],
) -> Result<(), StoreError> {
    search::narrow(tx, list, INDEX, (fields, fields.len() == PROFILES.searched.len()), terms)
}

/// Keeps only the profiles that a user manages.
pub fn managed_by(list: &mut List, tenant_id: TenantId, user_id: Uuid, role: &str, now: Timestamp) {
    let tenant = list.bind(Value::Integer(tenant_id.0));
    let user = list.bind(Value::Uuid(user_id));
    let role = list.bind(Value::Text(role.to_owned()));
    let now = list.bind(Value::Integer(now.as_microsecond()));
    list.filter(format!(
        "o.id IN (SELECT r.organization_id FROM organization_roles AS r
             JOIN role_descriptions AS d ON d.tenant_id = {tenant} AND d.id = r.role_description_id
             WHERE r.tenant_id = {tenant} AND r.user_id = {user} AND d.slug = {role} AND r.grant_key IS NULL
               AND r.request_key IS NULL AND (r.ends_at IS NULL OR r.ends_at > {now}))"
    ));
}

/// Keeps only the profiles with an e-mail address.
pub fn with_email(list: &mut List) {
    list.filter("o.email IS NOT NULL".to_owned());
}

fn columns() -> String {
    let own: Vec<String> =
        organizations::COLUMNS.split(',').map(|column| format!("o.{}", column.trim())).collect();
    format!("{}, u.id, u.password_hash IS NOT NULL, u.full_name, u.nick_name, u.lang", own.join(", "))
}

fn read(mut row: Row) -> Result<Profile, StoreError> {
    let organization = organizations::read_from(&mut row)?;
    let user_id: Option<Uuid> = row.next()?;
    let person = ProfilePerson {
        has_credentials: row.next()?,
        full_name: row.next()?,
        nick_name: row.next()?,
        lang: row.next()?,
    };
    Ok(Profile { organization, person: user_id.map(|_| person) })
}

/// A window (offset and size) of a list of profiles.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<Profile>, StoreError> {
    // First the keys, which an index has in order; the rest of the rows that are passed over is not read.
    let keys: Vec<i64> = list.rows(tx, "o.record_id", window, |mut row| row.next())?;
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let places = crate::connection::placeholders(1, keys.len());
    let sql = format!("SELECT {} FROM {FROM} WHERE o.record_id IN ({places})", columns());
    let params: Vec<Param<'_>> = keys.iter().map(|key| Param::Integer(*key)).collect();
    let rows = tx.query(&sql, &params)?;
    let mut found = rows.into_iter().map(read).collect::<Result<Vec<Profile>, _>>()?;
    found.sort_by_key(|profile| keys.iter().position(|key| *key == profile.organization.record_id));
    Ok(found)
}

/// The profile with this id, also a deleted one.
pub fn by_id(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<Option<Profile>, StoreError> {
    let sql = format!("SELECT {} FROM {FROM} WHERE o.tenant_id = $1 AND o.id = $2", columns());
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into()])?.map(read).transpose()
}

/// The profiles with these ids, also deleted ones, in no order.
pub fn by_ids(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    ids: &[Uuid],
) -> Result<Vec<Profile>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let places = crate::connection::placeholders(2, ids.len());
    let sql = format!("SELECT {} FROM {FROM} WHERE o.tenant_id = $1 AND o.id IN ({places})", columns());
    let mut params: Vec<crate::Param<'_>> = vec![tenant_id.0.into()];
    params.extend(ids.iter().map(|id| crate::Param::from(*id)));
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

/// The personal profile of a user.
pub fn of_person(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
) -> Result<Option<Profile>, StoreError> {
    let sql = format!(
        "SELECT {} FROM {FROM} WHERE o.tenant_id = $1 AND o.owner_id = $2 AND o.kind = 'personal' AND o.is_active = $3
         ORDER BY o.record_id LIMIT 1",
        columns()
    );
    tx.query_optional(&sql, &[tenant_id.0.into(), user_id.into(), true.into()])?.map(read).transpose()
}

/// Whether accounts wait for an organization.
pub fn accounts_wait(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<bool, StoreError> {
    let row = tx.query_optional(
        "SELECT record_id FROM accounts WHERE tenant_id = $1 AND organization_id IS NULL LIMIT 1",
        &[tenant_id.0.into()],
    )?;
    Ok(row.is_some())
}

/// An uploaded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Digest of the content and the ending that its type has.
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// The file.
    pub content: Vec<u8>,
}

/// Keeps the picture of an organization or a user, instead of the one that was kept before.
pub fn set_picture(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    owner_id: Uuid,
    picture: &Picture,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO pictures (tenant_id, owner_id, name, content_type, content, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, owner_id) DO UPDATE SET name = excluded.name, content_type = excluded.content_type,
             content = excluded.content, created_at = excluded.created_at",
        &[
            tenant_id.0.into(),
            owner_id.into(),
            (&picture.name).into(),
            (&picture.content_type).into(),
            (&picture.content).into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// Removes the picture that is kept of an organization or a user, unless it is found at `location`.
pub fn remove_other_picture(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    owner_id: Uuid,
    location: Option<&str>,
) -> Result<(), StoreError> {
    let name = location.and_then(|location| location.rsplit('/').next()).unwrap_or_default();
    tx.execute(
        "DELETE FROM pictures WHERE tenant_id = $1 AND owner_id = $2 AND name <> $3",
        &[tenant_id.0.into(), owner_id.into(), name.into()],
    )?;
    Ok(())
}

/// The picture of this name, whoever has it.
pub fn picture(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    name: &str,
) -> Result<Option<Picture>, StoreError> {
    let row = tx.query_optional(
        "SELECT name, content_type, content FROM pictures WHERE tenant_id = $1 AND name = $2 LIMIT 1",
        &[tenant_id.0.into(), name.into()],
    )?;
    row.map(|mut row| Ok(Picture { name: row.next()?, content_type: row.next()?, content: row.next()? }))
        .transpose()
}

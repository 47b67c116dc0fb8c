//! Custom fields: names and values that callers attach to objects.

use crate::filter::condition;
use crate::page::{self, Page, Source, Window};
use crate::{Connection, Param, Row, StoreError};
use billing::custom_field::CustomField;
use billing::search::{Clause, Column, Kind};
use billing::{ObjectType, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) const COLUMNS: &str = "record_id, id, account_id, object_id, object_type, name, value, is_active";

/// A field with its record id.
pub type StoredField = (i64, CustomField);

pub(crate) fn read(mut row: Row) -> Result<StoredField, StoreError> {
    let record_id = row.next()?;
    let field = CustomField {
        id: row.next()?,
        account_id: row.next()?,
        object_id: row.next()?,
        object_type: {
            let name: String = row.next()?;
            name.parse().map_err(|()| StoreError::Corrupt(format!("object type {name}")))?
        },
        name: row.next()?,
        value: row.next()?,
        is_active: row.next()?,
    };
    Ok((record_id, field))
}

/// Inserts a field and returns its record id, or `None` when the object has one of that name.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    field: &CustomField,
    changed_by: &str,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "INSERT INTO custom_fields (tenant_id, account_id, id, object_id, object_type, name, value, is_active,
                                    created_by, created_at, updated_by, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $10) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            field.account_id.into(),
            field.id.into(),
            field.object_id.into(),
            field.object_type.name().into(),
            (&field.name).into(),
            (&field.value).into(),
            field.is_active.into(),
            changed_by.into(),
            now.into(),
        ],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// Writes a field's value and whether it is active.
pub fn update(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    field: &CustomField,
    changed_by: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE custom_fields SET value = $3, is_active = $4, updated_by = $5, updated_at = $6
         WHERE tenant_id = $1 AND id = $2",
        &[
            tenant_id.0.into(),
            field.id.into(),
            (&field.value).into(),
            field.is_active.into(),
            changed_by.into(),
            now.into(),
        ],
    )?;
    Ok(())
}

/// The active field with this id.
pub fn by_id(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
) -> Result<Option<StoredField>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM custom_fields WHERE tenant_id = $1 AND id = $2 AND is_active = $3");
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into(), true.into()])?.map(read).transpose()
}

/// The active fields of one object, oldest first.
pub fn of_object(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    object_id: Uuid,
) -> Result<Vec<StoredField>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM custom_fields WHERE tenant_id = $1 AND object_id = $2 AND object_type = $3
         AND is_active = $4 ORDER BY record_id"
    );
    let params = [tenant_id.0.into(), object_id.into(), object_type.name().into(), true.into()];
    tx.query(&sql, &params)?.into_iter().map(read).collect()
}

/// The active fields of everything that belongs to an account, oldest first; of one kind of object if given.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    kind: Option<ObjectType>,
) -> Result<Vec<CustomField>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM custom_fields WHERE tenant_id = $1 AND account_id = $2 AND is_active = $3
         ORDER BY record_id"
    );
    let rows = tx.query(&sql, &[tenant_id.0.into(), account_id.into(), true.into()])?;
    let fields = rows.into_iter().map(|row| Ok(read(row)?.1)).collect::<Result<Vec<_>, StoreError>>()?;
    Ok(fields.into_iter().filter(|field| kind.is_none_or(|kind| field.object_type == kind)).collect())
}

const OF_TENANT: &str = "custom_fields WHERE tenant_id = $1 AND is_active";

/// One page of the tenant's active fields.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    page::select(tx, window, COLUMNS, OF_TENANT, &[tenant_id.0.into()], |row| Ok(read(row)?.1))
}

/// How many active fields the tenant has, if at most [`page::COUNT_LIMIT`].
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<i64>, StoreError> {
    page::count(tx, OF_TENANT, &[tenant_id.0.into()])
}

/// One page of the active fields on one kind of object with this name, and this value if given.
pub fn with_name(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    name: &str,
    value: Option<&str>,
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), object_type.name().into(), name.into()];
    params.extend(value.map(Param::from));
    let with_value = if value.is_some() { "AND value = $4" } else { "" };
    found(tx, window, format!("{OF_TENANT} AND object_type = $2 AND name = $3 {with_value}"), params)
}

/// One page of the active fields whose id or object is the needle, or whose kind of object, name or value holds it, in
/// any case.
pub fn search(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    needle: &str,
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    let pattern = crate::search::folded_pattern(needle);
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into(), (&pattern).into()];
    let id = Uuid::parse_str(needle).ok();
    params.extend(id.map(Param::Uuid));
    let ids = if id.is_some() { "id = $3 OR object_id = $3 OR" } else { "" };
    let holds = ["object_type", "name", "value"].map(|name| format!("LOWER({name}) LIKE $2 ESCAPE '\\'"));
    found(tx, window, format!("{OF_TENANT} AND ({ids} {})", holds.join(" OR ")), params)
}

/// The columns by which custom fields can be filtered, under Kill Bill's names.
pub static SEARCH_COLUMNS: &[Column] = &[
    Column { name: "id", stored: "id", kind: Kind::Id },
    Column { name: "object_id", stored: "object_id", kind: Kind::Id },
    Column { name: "object_type", stored: "object_type", kind: Kind::Text },
    Column { name: "field_name", stored: "name", kind: Kind::Text },
    Column { name: "field_value", stored: "value", kind: Kind::Text },
    Column { name: "created_by", stored: "created_by", kind: Kind::Text },
    Column { name: "created_date", stored: "created_at", kind: Kind::Instant },
    Column { name: "updated_by", stored: "updated_by", kind: Kind::Text },
    Column { name: "updated_date", stored: "updated_at", kind: Kind::Instant },
];

/// One page of the active fields for which all clauses hold; their columns are of [`SEARCH_COLUMNS`].
pub fn filter(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    clauses: &[Clause],
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    let condition = condition(tx.engine(), clauses, 2);
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    params.extend(condition.params());
    found(tx, window, format!("{OF_TENANT} AND {}", condition.sql), params)
}

fn found(
    tx: &mut dyn Connection,
    window: Window,
    from: String,
    params: Vec<Param<'_>>,
) -> Result<Page<CustomField>, StoreError> {
    page::search(
        tx,
        window,
        COLUMNS,
        &Source { table: "custom_fields", from, params },
        |row| Ok(read(row)?.1),
    )
}

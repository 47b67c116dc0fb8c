//! Custom fields: names and values that callers attach to objects.

use crate::page::{Page, Window};
use crate::{Connection, Row, StoreError};
use billing::custom_field::CustomField;
use billing::{ObjectType, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

const COLUMNS: &str = "record_id, id, account_id, object_id, object_type, name, value, is_active";

/// A field with its record id.
pub type StoredField = (i64, CustomField);

fn read(mut row: Row) -> Result<StoredField, StoreError> {
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
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "INSERT INTO custom_fields (tenant_id, account_id, id, object_id, object_type, name, value, is_active,
                                    created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            field.account_id.into(),
            field.id.into(),
            field.object_id.into(),
            field.object_type.name().into(),
            (&field.name).into(),
            (&field.value).into(),
            field.is_active.into(),
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
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE custom_fields SET value = $3, is_active = $4, updated_at = $5 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), field.id.into(), (&field.value).into(), field.is_active.into(), now.into()],
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

/// One page of the tenant's active fields.
pub fn page(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    let from = "custom_fields WHERE tenant_id = $1 AND is_active = $2";
    let params = [tenant_id.0.into(), true.into()];
    crate::page::select(tx, window, COLUMNS, from, &params, |row| Ok(read(row)?.1))
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
    let mut from =
        "custom_fields WHERE tenant_id = $1 AND is_active = $2 AND object_type = $3 AND name = $4".to_owned();
    let mut params = vec![tenant_id.0.into(), true.into(), object_type.name().into(), name.into()];
    if let Some(value) = value {
        from.push_str(" AND value = $5");
        params.push(value.into());
    }
    crate::page::select(tx, window, COLUMNS, &from, &params, |row| Ok(read(row)?.1))
}

/// One page of the active fields whose id or object is the needle, or whose kind, name or value contains it.
pub fn search(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    needle: &str,
    window: Window,
) -> Result<Page<CustomField>, StoreError> {
    let pattern = crate::search::like_pattern(&needle.to_ascii_lowercase());
    let id = Uuid::parse_str(needle).ok();
    let from = "custom_fields WHERE tenant_id = $1 AND is_active = $2
        AND (id = $3 OR object_id = $3 OR LOWER(object_type) LIKE $4 ESCAPE '\\'
             OR LOWER(name) LIKE $4 ESCAPE '\\' OR LOWER(value) LIKE $4 ESCAPE '\\')";
    let params = [tenant_id.0.into(), true.into(), id.unwrap_or_default().into(), (&pattern).into()];
    crate::page::select(tx, window, COLUMNS, from, &params, |row| Ok(read(row)?.1))
}

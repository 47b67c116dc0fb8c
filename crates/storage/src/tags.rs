//! Tag definitions, and the tags that objects wear.

use crate::page::{self, Page, Source, Window};
use crate::{Connection, Param, Row, StoreError};
use billing::tag::{Tag, TagDefinition};
use billing::{ObjectType, TenantId};
use jiff::Timestamp;
use uuid::Uuid;

const DEFINITION_COLUMNS: &str = "record_id, id, name, description, applicable_object_types";

fn read_definition(mut row: Row) -> Result<(i64, TagDefinition), StoreError> {
    let record_id = row.next()?;
    let definition = TagDefinition {
        id: row.next()?,
        name: row.next()?,
        description: row.next()?,
        applicable_object_types: row
            .next::<String>()?
            .split(',')
            .map(|name| name.parse().map_err(|()| StoreError::Corrupt(format!("object type {name}"))))
            .collect::<Result<_, _>>()?,
    };
    Ok((record_id, definition))
}

/// Inserts a definition and returns its record id, or `None` when the tenant has one of that name.
pub fn insert_definition(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    definition: &TagDefinition,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let types: Vec<&str> = definition.applicable_object_types.iter().map(|kind| kind.name()).collect();
    let types = types.join(",");
    tx.query_optional(
        "INSERT INTO tag_definitions (tenant_id, id, name, description, applicable_object_types, is_active, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            definition.id.into(),
            (&definition.name).into(),
            (&definition.description).into(),
            (&types).into(),
            true.into(),
            now.into(),
        ],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// The tenant's own definitions, oldest first. They are made by hand, so there are few.
pub fn definitions(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Vec<TagDefinition>, StoreError> {
    let sql = format!(
        "SELECT {DEFINITION_COLUMNS} FROM tag_definitions WHERE tenant_id = $1 AND is_active = $2 ORDER BY record_id"
    );
    let rows = tx.query(&sql, &[tenant_id.0.into(), true.into()])?;
    rows.into_iter().map(|row| Ok(read_definition(row)?.1)).collect()
}

/// A definition of the tenant's own, with its record id; also a deleted one when `included_deleted`.
pub fn definition(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Uuid,
    included_deleted: bool,
) -> Result<Option<(i64, TagDefinition)>, StoreError> {
    let sql = format!(
        "SELECT {DEFINITION_COLUMNS} FROM tag_definitions WHERE tenant_id = $1 AND id = $2 AND (is_active = $3 OR $4)"
    );
    tx.query_optional(&sql, &[tenant_id.0.into(), id.into(), true.into(), included_deleted.into()])?
        .map(read_definition)
        .transpose()
}

/// Locks a definition until the transaction ends, so that it is not deleted while a tag is set, nor the other way.
pub fn lock_definition(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<bool, StoreError> {
    let for_update = crate::connection::for_update(tx.engine());
    let sql = format!(
        "SELECT record_id FROM tag_definitions WHERE tenant_id = $1 AND id = $2 AND is_active = $3 {for_update}"
    );
    Ok(tx.query_optional(&sql, &[tenant_id.0.into(), id.into(), true.into()])?.is_some())
}

/// Marks a definition deleted.
pub fn delete_definition(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE tag_definitions SET is_active = $3 WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), id.into(), false.into()],
    )?;
    Ok(())
}

/// Whether some object wears a tag of this definition.
pub fn is_worn(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    definition_id: Uuid,
) -> Result<bool, StoreError> {
    let worn = tx.query_optional(
        "SELECT record_id FROM tags WHERE tenant_id = $1 AND tag_definition_id = $2 AND is_active = $3 LIMIT 1",
        &[tenant_id.0.into(), definition_id.into(), true.into()],
    )?;
    Ok(worn.is_some())
}

pub(crate) const TAG_COLUMNS: &str =
    "record_id, id, tag_definition_id, object_id, object_type, account_id, is_active";

pub(crate) fn read_tag(mut row: Row) -> Result<(i64, Tag), StoreError> {
    let record_id = row.next()?;
    let tag = Tag {
        id: row.next()?,
        tag_definition_id: row.next()?,
        object_id: row.next()?,
        object_type: object_type(row.next()?)?,
        account_id: row.next()?,
        is_active: row.next()?,
    };
    Ok((record_id, tag))
}

fn object_type(name: String) -> Result<ObjectType, StoreError> {
    name.parse().map_err(|()| StoreError::Corrupt(format!("object type {name}")))
}

/// Puts a tag on an object and returns its record id, or `None` when the object wears it already.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    tag: &Tag,
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    tx.query_optional(
        "INSERT INTO tags (tenant_id, account_id, id, tag_definition_id, object_id, object_type, is_active, created_at,
                           updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            tag.account_id.into(),
            tag.id.into(),
            tag.tag_definition_id.into(),
            tag.object_id.into(),
            tag.object_type.name().into(),
            true.into(),
            now.into(),
        ],
    )?
    .map(|mut row| row.next())
    .transpose()
}

/// Takes a tag off an object and returns what it was, or `None` when the object does not wear it.
pub fn delete(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_id: Uuid,
    definition_id: Uuid,
    now: Timestamp,
) -> Result<Option<(i64, Tag)>, StoreError> {
    let sql = format!(
        "UPDATE tags SET is_active = $4, updated_at = $5
         WHERE tenant_id = $1 AND object_id = $2 AND tag_definition_id = $3 AND is_active = $6 RETURNING {TAG_COLUMNS}"
    );
    let params =
        [tenant_id.0.into(), object_id.into(), definition_id.into(), false.into(), now.into(), true.into()];
    tx.query_optional(&sql, &params)?.map(read_tag).transpose()
}

/// The tags of one object of a kind, oldest first.
pub fn of_object(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    object_type: ObjectType,
    object_id: Uuid,
    included_deleted: bool,
) -> Result<Vec<Tag>, StoreError> {
    let sql = format!(
        "SELECT {TAG_COLUMNS} FROM tags WHERE tenant_id = $1 AND object_id = $2 AND object_type = $3
             AND (is_active = $4 OR $5) ORDER BY record_id"
    );
    let params = [
        tenant_id.0.into(),
        object_id.into(),
        object_type.name().into(),
        true.into(),
        included_deleted.into(),
    ];
    let rows = tx.query(&sql, &params)?;
    rows.into_iter().map(|row| Ok(read_tag(row)?.1)).collect()
}

/// The tags of everything that belongs to an account, oldest first; of one kind of object if given.
pub fn of_account(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    account_id: Uuid,
    kind: Option<ObjectType>,
    included_deleted: bool,
) -> Result<Vec<Tag>, StoreError> {
    let sql = format!(
        "SELECT {TAG_COLUMNS} FROM tags WHERE tenant_id = $1 AND account_id = $2 AND (is_active = $3 OR $4)
         ORDER BY record_id"
    );
    let rows =
        tx.query(&sql, &[tenant_id.0.into(), account_id.into(), true.into(), included_deleted.into()])?;
    let tags = rows.into_iter().map(|row| Ok(read_tag(row)?.1)).collect::<Result<Vec<Tag>, StoreError>>()?;
    Ok(tags.into_iter().filter(|tag| kind.is_none_or(|kind| tag.object_type == kind)).collect())
}

/// The tag with this id, worn or taken off.
pub fn by_id(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Result<Option<Tag>, StoreError> {
    let sql = format!("SELECT {TAG_COLUMNS} FROM tags WHERE tenant_id = $1 AND id = $2");
    Ok(tx
        .query_optional(&sql, &[tenant_id.0.into(), id.into()])?
        .map(read_tag)
        .transpose()?
        .map(|(_, tag)| tag))
}

const OF_TENANT: &str = "tags WHERE tenant_id = $1 AND is_active";

/// One page of the tenant's worn tags.
pub fn page(tx: &mut dyn Connection, tenant_id: TenantId, window: Window) -> Result<Page<Tag>, StoreError> {
    page::select(tx, window, TAG_COLUMNS, OF_TENANT, &[tenant_id.0.into()], |row| Ok(read_tag(row)?.1))
}

/// How many worn tags the tenant has, if at most [`page::COUNT_LIMIT`].
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Option<i64>, StoreError> {
    page::count(tx, OF_TENANT, &[tenant_id.0.into()])
}

/// One page of the worn tags that have this id, or are of one of these definitions, or are worn by one of these kinds
/// of object.
pub fn search(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    id: Option<Uuid>,
    definition_ids: &[Uuid],
    object_types: &[ObjectType],
    window: Window,
) -> Result<Page<Tag>, StoreError> {
    let mut params: Vec<Param<'_>> = vec![tenant_id.0.into()];
    let mut any = Vec::new();
    let mut clause = |column: &str, param| {
        params.push(param);
        any.push(format!("{column} = ${}", params.len()));
    };
    if let Some(id) = id {
        clause("id", id.into());
    }
    definition_ids.iter().for_each(|id| clause("tag_definition_id", (*id).into()));
    object_types.iter().for_each(|kind| clause("object_type", kind.name().into()));
    if any.is_empty() {
        return Ok(Page::default());
    }
    let source = Source { table: "tags", from: format!("{OF_TENANT} AND ({})", any.join(" OR ")), params };
    page::search(tx, window, TAG_COLUMNS, &source, |row| Ok(read_tag(row)?.1))
}

//! Documents that people agree to, and their signatures.

use crate::list::{List, Spec};
use crate::{Connection, Engine, Row, StoreError, Value};
use billing::TenantId;
use jiff::Timestamp;
use uuid::Uuid;

/// Slug of the agreement without whose signature a user may do little.
pub const TERMS: &str = "terms-of-use";

/// A document that people agree to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses, unique in the tenant.
    pub slug: String,
    /// Its name for people.
    pub title: String,
    /// What it says, as HTML.
    pub body: String,
    /// Signatures before this instant count no more.
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, slug, title, body, updated_at";

fn read(mut row: Row) -> Result<Agreement, StoreError> {
    Ok(Agreement {
        id: row.next()?,
        slug: row.next()?,
        title: row.next()?,
        body: row.next()?,
        updated_at: row.next()?,
    })
}

/// Inserts an agreement and returns its record id, or `None` when its slug is taken in the tenant.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    agreement: &Agreement,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_optional(
        "INSERT INTO agreements (tenant_id, id, slug, title, body, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING RETURNING record_id",
        &[
            tenant_id.0.into(),
            agreement.id.into(),
            (&agreement.slug).into(),
            (&agreement.title).into(),
            (&agreement.body).into(),
            agreement.updated_at.into(),
        ],
    )?;
    row.map(|mut row| row.next()).transpose()
}

/// Writes the title, the text and the date of an agreement. Returns its record id.
pub fn update(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    agreement: &Agreement,
) -> Result<i64, StoreError> {
    let mut row = tx.query_one(
        "UPDATE agreements SET title = $3, body = $4, updated_at = $5 WHERE tenant_id = $1 AND id = $2
         RETURNING record_id",
        &[
            tenant_id.0.into(),
            agreement.id.into(),
            (&agreement.title).into(),
            (&agreement.body).into(),
            agreement.updated_at.into(),
        ],
    )?;
    row.next()
}

/// Removes an agreement with its signatures. Returns its record id.
pub fn delete(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    agreement: &Agreement,
) -> Result<i64, StoreError> {
    let signatures = "DELETE FROM signatures WHERE tenant_id = $1 AND agreement_slug = $2";
    tx.execute(signatures, &[tenant_id.0.into(), (&agreement.slug).into()])?;
    let sql = "DELETE FROM agreements WHERE tenant_id = $1 AND id = $2 RETURNING record_id";
    tx.query_one(sql, &[tenant_id.0.into(), agreement.id.into()])?.next()
}

/// The agreement with this slug, and its record id.
pub fn by_slug(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    slug: &str,
) -> Result<Option<(i64, Agreement)>, StoreError> {
    let sql = format!("SELECT record_id, {COLUMNS} FROM agreements WHERE tenant_id = $1 AND slug = $2");
    let row = tx.query_optional(&sql, &[tenant_id.0.into(), slug.into()])?;
    row.map(|mut row| Ok((row.next()?, read(row)?))).transpose()
}

/// Lists of agreements.
pub const AGREEMENTS: Spec = Spec {
    from: "agreements",
    searched: &[("slug", "slug"), ("title", "title")],
    sorted: &[("title", "title"), ("updated_at", "updated_at")],
    default_order: "title, slug",
    dated: "updated_at",
    splits_words: false,
};

/// All agreements of a tenant.
pub fn list(engine: Engine, tenant_id: TenantId) -> List {
    let mut list = List::new(engine, AGREEMENTS);
    let tenant = list.bind(Value::Integer(tenant_id.0));
    list.filter(format!("tenant_id = {tenant}"));
    list
}

/// A window (offset and size) of a list of agreements.
pub fn page(tx: &mut dyn Connection, list: &List, window: (i64, i64)) -> Result<Vec<Agreement>, StoreError> {
    list.rows(tx, COLUMNS, window, read)
}

/// The slugs of all agreements.
pub fn slugs(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Vec<String>, StoreError> {
    tx.query("SELECT slug FROM agreements WHERE tenant_id = $1", &[tenant_id.0.into()])?
        .into_iter()
        .map(|mut row| row.next())
        .collect()
}

/// Keeps that a user signed an agreement, in place of an earlier signature.
pub fn sign(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    slug: &str,
    user_id: Uuid,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO signatures (tenant_id, agreement_slug, user_id, signed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, agreement_slug, user_id) DO UPDATE SET signed_at = excluded.signed_at",
        &[tenant_id.0.into(), slug.into(), user_id.into(), now.into()],
    )?;
    Ok(())
}

/// Whether a user has signed the terms since they last changed. Where there are none, everybody has.
pub fn has_signed_terms(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    user_id: Uuid,
) -> Result<bool, StoreError> {
    let unsigned = tx.query_optional(
        "SELECT a.record_id FROM agreements AS a WHERE a.tenant_id = $1 AND a.slug = $2 AND NOT EXISTS
             (SELECT 1 FROM signatures AS s WHERE s.tenant_id = $1 AND s.agreement_slug = $2 AND s.user_id = $3
              AND s.signed_at >= a.updated_at)",
        &[tenant_id.0.into(), TERMS.into(), user_id.into()],
    )?;
    Ok(unsigned.is_none())
}

//! The rows that belong to accounts, account after account, to be compared with their histories.

use crate::{
    Connection, Row, StoreError, account_emails, aliases, blocking_states, custom_fields, payment_methods,
    tags,
};
use billing::{ObjectType, TenantId};
use serde::Serialize;
use std::collections::VecDeque;
use uuid::Uuid;

/// Rows of one table read at a time.
const PAGE: i64 = 1000;

/// A row that belongs to an account.
#[derive(Clone, Debug)]
pub struct HeldRow {
    /// What it is.
    pub object_type: ObjectType,
    /// The account.
    pub account_id: Uuid,
    /// Its own id.
    pub id: Uuid,
    /// It, in the words of its snapshots, unless it cannot be understood.
    pub json: Result<serde_json::Value, StoreError>,
}

/// A table with such rows.
struct Source {
    object_type: ObjectType,
    table: &'static str,
    columns: &'static str,
    read: fn(Row) -> Result<serde_json::Value, StoreError>,
}

const SOURCES: &[Source] = &[
    Source {
        object_type: ObjectType::AccountAlias,
        table: "account_aliases",
        columns: aliases::COLUMNS,
        read: |row| json(&aliases::read(row)?.alias),
    },
    Source {
        object_type: ObjectType::AccountEmail,
        table: "account_emails",
        columns: account_emails::COLUMNS,
        read: |row| json(&account_emails::read(row)?.1),
    },
    Source {
        object_type: ObjectType::BlockingStates,
        table: "blocking_states",
        columns: blocking_states::COLUMNS,
        read: |row| json(&blocking_states::read(row)?.state),
    },
    Source {
        object_type: ObjectType::CustomField,
        table: "custom_fields",
        columns: custom_fields::COLUMNS,
        read: |row| json(&custom_fields::read(row)?.1),
    },
    Source {
        object_type: ObjectType::PaymentMethod,
        table: "payment_methods",
        columns: payment_methods::COLUMNS,
        read: |row| json(&payment_methods::read(row)?.payment_method),
    },
    Source {
        object_type: ObjectType::Tag,
        table: "tags",
        columns: tags::TAG_COLUMNS,
        read: |row| json(&tags::read_tag(row)?.1),
    },
];

fn json(held: &impl Serialize) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(held).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The kind of row that an audit record with this object type is about, if it is one that belongs to an account.
pub fn kind(object_type: &str) -> Option<ObjectType> {
    SOURCES.iter().map(|source| source.object_type).find(|known| known.name() == object_type)
}

struct Feed {
    source: &'static Source,
    page: VecDeque<HeldRow>,
    after: (Uuid, i64),
    is_read: bool,
}

impl Feed {
    fn fill(&mut self, tx: &mut dyn Connection, tenant_id: TenantId, last: Uuid) -> Result<(), StoreError> {
        if !self.page.is_empty() || self.is_read {
            return Ok(());
        }
        let Source { table, columns, .. } = self.source;
        let sql = format!(
            "SELECT record_id AS number, id AS own_id, account_id AS owner, {columns} FROM {table}
             WHERE tenant_id = $1 AND (account_id, record_id) > ($2, $3) AND account_id <= $4
             ORDER BY account_id, record_id LIMIT $5"
        );
        let (account_id, record_id) = self.after;
        let params = [tenant_id.0.into(), account_id.into(), record_id.into(), last.into(), PAGE.into()];
        let rows = tx.query(&sql, &params)?;
        self.is_read = rows.len() < PAGE as usize;
        for mut row in rows {
            let (record_id, id, account_id) = (row.next()?, row.next()?, row.next()?);
            self.after = (account_id, record_id);
            let json = (self.source.read)(row);
            self.page.push_back(HeldRow { object_type: self.source.object_type, account_id, id, json });
        }
        Ok(())
    }
}

/// The rows of accounts in the order of the accounts' ids.
pub struct HeldRows {
    tenant_id: TenantId,
    last: Uuid,
    feeds: Vec<Feed>,
}

impl HeldRows {
    /// The rows of the accounts after `after` up to and with `last`, also of accounts that do not exist.
    pub fn between(tenant_id: TenantId, after: Uuid, last: Uuid) -> HeldRows {
        let feed = |source| Feed { source, page: VecDeque::new(), after: (after, i64::MAX), is_read: false };
        HeldRows { tenant_id, last, feeds: SOURCES.iter().map(feed).collect() }
    }

    /// The next row of an account up to and with `account_id`, if there is one.
    pub fn next_up_to(
        &mut self,
        tx: &mut dyn Connection,
        account_id: Uuid,
    ) -> Result<Option<HeldRow>, StoreError> {
        for feed in &mut self.feeds {
            feed.fill(tx, self.tenant_id, self.last)?;
            if feed.page.front().is_some_and(|row| row.account_id <= account_id) {
                return Ok(feed.page.pop_front());
            }
        }
        Ok(None)
    }
}

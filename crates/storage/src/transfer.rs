//! A tenant's rows as they leave the book and come back: every table's columns by name and kind.
//!
//! Record ids and the tenant's number stay behind: the rows' order stands for them.

use crate::{Connection, Param, Row, StoreError, Value};
use billing::{ObjectType, TenantId};
use uuid::Uuid;

/// Rows read at a time.
const PAGE: i64 = 1000;

/// Rows that one statement inserts.
pub const ROWS_PER_INSERT: usize = 32;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Integer,
    Text,
    Uuid,
    Bytes,
    Boolean,
}

/// A column that is exported.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub is_nullable: bool,
}

impl Column {
    const fn or_null(self) -> Column {
        Column { is_nullable: true, ..self }
    }
}

const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer, is_nullable: false }
}
const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text, is_nullable: false }
}
const fn uuid(name: &'static str) -> Column {
    Column { name, kind: Kind::Uuid, is_nullable: false }
}
const fn bytes(name: &'static str) -> Column {
    Column { name, kind: Kind::Bytes, is_nullable: false }
}
const fn boolean(name: &'static str) -> Column {
    Column { name, kind: Kind::Boolean, is_nullable: false }
}

/// A table that is exported.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns but for the record id, the tenant's number and what is derived at import.
    pub columns: &'static [Column],
}

/// The tenant's own row, which comes first.
pub const TENANT: Table = Table {
    name: "tenants",
    columns: &[
        uuid("id"),
        text("external_key").or_null(),
        text("name").or_null(),
        text("domain").or_null(),
        text("api_key"),
        text("api_secret_hash"),
        integer("clock_offset_micros"),
        text("created_by"),
        integer("created_at"),
    ],
};

/// The table with the work that falls due.
pub const DUE_WORK: &str = "due_work";

/// The table with the roles of users, which no column ties to the tenant.
pub const USER_ROLES: &str = "user_roles";

/// Tables that are not exported: the server's own, what lasts only a short while, and rows that exist to be locked.
pub const LEFT_BEHIND: &[&str] = &[
    "schema_migrations",
    "server_secrets",
    "sessions",
    "roles",
    "role_permissions",
    "idempotency_keys",
    "account_alias_values",
    "verification_codes",
    "failed_logins",
    "used_one_time_codes",
    // Of the book that wrote it; what is not sent yet holds codes.
    "mails",
];

/// Columns that are not exported, of tables that are: the rows' order and the tenant say the first two, the import
/// finds the last again.
pub const LEFT_OUT: &[&str] = &["record_id", "tenant_id", "object_record_id"];

/// The tables that hold a tenant's rows, in the order in which they are exported.
pub const TABLES: &[Table] = &[
    Table {
        name: "tenant_values",
        columns: &[uuid("id"), text("name"), text("value"), integer("created_at")],
    },
    Table {
        name: "users",
        columns: &[
            uuid("id"),
            text("username"),
            text("email").or_null(),
            text("password_hash").or_null(),
            uuid("current_organization_id").or_null(),
            text("full_name").or_null(),
            text("nick_name").or_null(),
            text("phone").or_null(),
            text("lang").or_null(),
            text("picture").or_null(),
            text("extra").or_null(),
            integer("email_verified_at").or_null(),
            integer("phone_verified_at").or_null(),
            text("otp_secret").or_null(),
            integer("last_login_at").or_null(),
            text("search_text"),
            boolean("is_active"),
            text("created_by"),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table { name: USER_ROLES, columns: &[uuid("user_id"), text("role"), integer("position")] },
    Table {
        name: "api_tokens",
        columns: &[
            uuid("id"),
            text("desk"),
            bytes("token_digest"),
            text("name").or_null(),
            integer("created_at"),
            integer("expires_at").or_null(),
            integer("revoked_at").or_null(),
        ],
    },
    Table {
        name: "token_keys",
        columns: &[
            text("key_id"),
            text("algorithm"),
            text("key_material"),
            boolean("may_sign"),
            text("issuer").or_null(),
            text("audience").or_null(),
            integer("created_at"),
            integer("revoked_at").or_null(),
        ],
    },
    Table {
        name: "organizations",
        columns: &[
            uuid("id"),
            text("slug"),
            text("kind"),
            text("name"),
            uuid("parent_id").or_null(),
            uuid("owner_id").or_null(),
            uuid("account_id").or_null(),
            text("email").or_null(),
            text("email_domain").or_null(),
            text("phone").or_null(),
            text("street_address").or_null(),
            text("locality").or_null(),
            text("region").or_null(),
            text("postal_code").or_null(),
            text("country").or_null(),
            text("time_zone"),
            boolean("is_provider"),
            boolean("is_bulk_buyer"),
            boolean("no_implicit_role"),
            text("picture").or_null(),
            text("extra").or_null(),
            text("search_text"),
            boolean("is_active"),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "customers",
        columns: &[
            uuid("id"),
            text("external_key"),
            text("name"),
            text("email"),
            text("address"),
            text("settings"),
            text("status"),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "customer_contacts",
        columns: &[
            uuid("customer_id"),
            uuid("id"),
            text("username"),
            text("preferred_username").or_null(),
            text("name"),
            text("email"),
            text("phone").or_null(),
            text("password_hash").or_null(),
            boolean("is_verified"),
            boolean("may_log_in"),
            text("created_by"),
            integer("created_at"),
        ],
    },
    Table { name: "accounts", columns: ACCOUNT_COLUMNS },
    Table {
        name: "account_aliases",
        columns: &[
            uuid("account_id"),
            uuid("id"),
            text("value"),
            integer("effective_from").or_null(),
            integer("effective_until").or_null(),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "account_emails",
        columns: &[
            uuid("account_id"),
            uuid("id"),
            text("email"),
            boolean("is_active"),
            integer("created_at"),
        ],
    },
    Table {
        name: "blocking_states",
        columns: &[
            uuid("account_id"),
            uuid("id"),
            uuid("blocked_id"),
            text("blocked_type"),
            text("state_name"),
            text("service"),
            boolean("is_block_change"),
            boolean("is_block_entitlement"),
            boolean("is_block_billing"),
            integer("effective_at"),
            boolean("is_active"),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "tag_definitions",
        columns: &[
            uuid("id"),
            text("name"),
            text("description"),
            text("applicable_object_types"),
            boolean("is_active"),
            integer("created_at"),
        ],
    },
    Table {
        name: "tags",
        columns: &[
            uuid("account_id").or_null(),
            uuid("id"),
            uuid("tag_definition_id"),
            uuid("object_id"),
            text("object_type"),
            boolean("is_active"),
            integer("created_at"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "custom_fields",
        columns: &[
            uuid("account_id").or_null(),
            uuid("id"),
            uuid("object_id"),
            text("object_type"),
            text("name"),
            text("value"),
            boolean("is_active"),
            text("created_by"),
            integer("created_at"),
            text("updated_by"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "payment_methods",
        columns: &[
            uuid("account_id"),
            uuid("id"),
            text("external_key"),
            text("plugin_name"),
            text("plugin_info").or_null(),
            boolean("is_active"),
            text("created_by"),
            integer("created_at"),
            text("updated_by"),
            integer("updated_at"),
        ],
    },
    Table {
        name: "ledger_entries",
        columns: &[
            uuid("account_id"),
            uuid("posting_id"),
            integer("position"),
            text("ledger_account"),
            integer("amount_minor"),
            text("currency"),
            integer("posted_at"),
            text("reason"),
            uuid("object_id").or_null(),
            uuid("reverses_posting_id").or_null(),
            integer("chain_position"),
            bytes("chain_hash"),
        ],
    },
    Table {
        name: AUDIT_LOG,
        columns: &[
            uuid("account_id").or_null(),
            text("object_type"),
            uuid("object_id"),
            text("change_type"),
            integer("changed_at"),
            text("changed_by"),
            text("reason").or_null(),
            text("comments").or_null(),
            uuid("user_token"),
            text("snapshot"),
            integer("chain_position").or_null(),
            bytes("chain_hash").or_null(),
        ],
    },
    Table {
        name: "events",
        columns: &[
            uuid("account_id").or_null(),
            text("event_type"),
            text("object_type"),
            uuid("object_id").or_null(),
            text("metadata").or_null(),
            uuid("user_token"),
            integer("created_at"),
        ],
    },
    Table {
        name: DUE_WORK,
        columns: &[
            uuid("account_id").or_null(),
            text("kind"),
            text("payload"),
            integer("due_at"),
            integer("run_at"),
            text("state"),
            integer("attempts"),
            text("last_error").or_null(),
            integer("created_at"),
            integer("finished_at").or_null(),
        ],
    },
    Table {
        name: "role_descriptions",
        columns: &[
            uuid("id"),
            uuid("organization_id").or_null(),
            text("slug"),
            text("title"),
            boolean("skip_optin_on_grant"),
            boolean("implicit_create_on_none"),
            boolean("otp_required"),
            text("extra").or_null(),
            integer("created_at"),
        ],
    },
    Table {
        name: "organization_roles",
        columns: &[
            uuid("id"),
            uuid("organization_id"),
            uuid("user_id"),
            uuid("role_description_id").or_null(),
            text("grant_key").or_null(),
            text("request_key").or_null(),
            boolean("is_imposed"),
            text("extra").or_null(),
            integer("created_at"),
            integer("ends_at").or_null(),
        ],
    },
    Table {
        name: "api_keys",
        columns: &[
            uuid("user_id"),
            text("public_id"),
            bytes("private_digest"),
            text("title").or_null(),
            integer("created_at"),
            integer("ends_at").or_null(),
        ],
    },
    Table { name: "email_code_demands", columns: &[uuid("user_id")] },
    Table {
        name: "agreements",
        columns: &[uuid("id"), text("slug"), text("title"), text("body"), integer("updated_at")],
    },
    Table { name: "signatures", columns: &[text("agreement_slug"), uuid("user_id"), integer("signed_at")] },
    Table { name: "muted_notifications", columns: &[uuid("user_id"), text("slug")] },
    Table {
        name: "activities",
        columns: &[
            uuid("created_by").or_null(),
            uuid("organization_id").or_null(),
            uuid("contact_id").or_null(),
            text("note"),
            integer("created_at"),
        ],
    },
    Table {
        name: "pictures",
        columns: &[
            uuid("owner_id"),
            text("name"),
            text("content_type"),
            bytes("content"),
            integer("created_at"),
        ],
    },
];

const AUDIT_LOG: &str = "audit_log";

const ACCOUNT_COLUMNS: &[Column] = &[
    uuid("id"),
    text("external_key"),
    text("name").or_null(),
    integer("first_name_length").or_null(),
    text("email").or_null(),
    integer("bill_cycle_day_local"),
    text("currency").or_null(),
    uuid("parent_account_id").or_null(),
    boolean("is_payment_delegated_to_parent"),
    uuid("payment_method_id").or_null(),
    integer("reference_time"),
    text("time_zone"),
    text("locale").or_null(),
    text("address1").or_null(),
    text("address2").or_null(),
    text("company").or_null(),
    text("city").or_null(),
    text("state").or_null(),
    text("country").or_null(),
    text("postal_code").or_null(),
    text("phone").or_null(),
    text("notes").or_null(),
    boolean("is_migrated").or_null(),
    text("status"),
    uuid("customer_id").or_null(),
    uuid("organization_id").or_null(),
    text("extras").or_null(),
    text("search_text"),
    integer("balance_minor"),
    integer("credit_minor"),
    integer("chain_length"),
    bytes("chain_head"),
    text("created_by"),
    integer("created_at"),
    text("updated_by"),
    integer("updated_at"),
];

/// The table in which objects of a kind stand, if they are rows of one.
fn table_of(object_type: ObjectType) -> Option<&'static str> {
    Some(match object_type {
        ObjectType::Account => "accounts",
        ObjectType::AccountAlias => "account_aliases",
        ObjectType::AccountEmail => "account_emails",
        ObjectType::BlockingStates => "blocking_states",
        ObjectType::CustomField => "custom_fields",
        ObjectType::PaymentMethod => "payment_methods",
        ObjectType::Tag => "tags",
        ObjectType::TagDefinition => "tag_definitions",
        ObjectType::TenantKvs => "tenant_values",
        ObjectType::Customer => "customers",
        ObjectType::Organization => "organizations",
        ObjectType::User => "users",
        ObjectType::OrganizationRole => "organization_roles",
        ObjectType::RoleDescription => "role_descriptions",
        ObjectType::Agreement => "agreements",
        // The tenant's record id is its number, and roles are the server's.
        ObjectType::Tenant | ObjectType::Role => return None,
        // Nothing of these is kept yet.
        ObjectType::Bundle
        | ObjectType::Invoice
        | ObjectType::Payment
        | ObjectType::Transaction
        | ObjectType::InvoiceItem
        | ObjectType::InvoicePayment
        | ObjectType::Subscription
        | ObjectType::SubscriptionEvent
        | ObjectType::ServiceBroadcast
        | ObjectType::PaymentAttempt => return None,
    })
}

impl Table {
    /// Which of its rows are exported. A mail is sent by the book that wrote it.
    fn condition(&self) -> &'static str {
        if self.name == DUE_WORK { "AND kind <> 'MAIL'" } else { "" }
    }

    fn column_list(&self, prefix: &str) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|column| format!("{prefix}{}", column.name)).collect();
        names.join(", ")
    }

    /// One row's values, in the order of the columns.
    fn read(&self, row: &mut Row) -> Result<Vec<Value>, StoreError> {
        self.columns
            .iter()
            .map(|column| {
                Ok(match column.kind {
                    Kind::Integer => row.next::<Option<i64>>()?.map_or(Value::Null, Value::Integer),
                    Kind::Text => row.next::<Option<String>>()?.map_or(Value::Null, Value::Text),
                    Kind::Uuid => row.next::<Option<Uuid>>()?.map_or(Value::Null, Value::Uuid),
                    Kind::Bytes => row.next::<Option<Vec<u8>>>()?.map_or(Value::Null, Value::Bytes),
                    Kind::Boolean => row.next::<Option<bool>>()?.map_or(Value::Null, Value::Bool),
                })
            })
            .collect()
    }
}

/// How many rows of a tenant a table holds.
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId, table: &Table) -> Result<i64, StoreError> {
    let sql = if table.name == USER_ROLES {
        "SELECT COUNT(*) FROM user_roles r JOIN users u ON u.id = r.user_id WHERE u.tenant_id = $1".to_owned()
    } else {
        format!("SELECT COUNT(*) FROM {} WHERE tenant_id = $1 {}", table.name, table.condition())
    };
    tx.query_one(&sql, &[tenant_id.0.into()])?.next()
}

/// The tenant's own row.
pub fn tenant_row(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<Vec<Value>, StoreError> {
    let sql = format!("SELECT {} FROM tenants WHERE record_id = $1", TENANT.column_list(""));
    TENANT.read(&mut tx.query_one(&sql, &[tenant_id.0.into()])?)
}

/// Hands the rows of a table to `take`, in order, a page at a time.
pub fn rows<E: From<StoreError>>(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    table: &Table,
    take: &mut dyn FnMut(Vec<Value>) -> Result<(), E>,
) -> Result<(), E> {
    let mut after = (0i64, -1i64);
    let has_positions = table.name == USER_ROLES;
    // The plus keeps both engines from reading all rows of the tenant by another index and sorting them, each page.
    let sql = if has_positions {
        let columns = table.column_list("r.");
        format!(
            "SELECT u.record_id, r.position, {columns} FROM user_roles r JOIN users u ON u.id = r.user_id
             WHERE +u.tenant_id = $1 AND (u.record_id, r.position) > ($2, $4)
             ORDER BY u.record_id, r.position LIMIT $3"
        )
    } else {
        format!(
            "SELECT record_id, 0, {} FROM {} WHERE +tenant_id = $1 AND record_id > $2 {} ORDER BY record_id LIMIT $3",
            table.column_list(""),
            table.name,
            table.condition()
        )
    };
    loop {
        let params = [tenant_id.0.into(), after.0.into(), PAGE.into(), after.1.into()];
        let params = if has_positions { &params[..] } else { &params[..3] };
        let page = tx.query(&sql, params)?;
        let is_last = page.len() < PAGE as usize;
        for mut row in page {
            after = (row.next::<i64>()?, row.next::<i64>()?);
            take(table.read(&mut row)?)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Whether the user is one of the tenant's.
pub fn has_user(tx: &mut dyn Connection, tenant_id: TenantId, user_id: Uuid) -> Result<bool, StoreError> {
    let row = tx.query_optional(
        "SELECT 1 FROM users WHERE tenant_id = $1 AND id = $2",
        &[tenant_id.0.into(), user_id.into()],
    )?;
    Ok(row.is_some())
}

/// Inserts the tenant's own row and returns its number; `None` when its id, API key or domain is taken.
pub fn insert_tenant(tx: &mut dyn Connection, row: &[Value]) -> Result<Option<TenantId>, StoreError> {
    let places: Vec<String> = (1..=TENANT.columns.len()).map(|number| format!("${number}")).collect();
    let sql = format!(
        "INSERT INTO tenants ({}) VALUES ({}) ON CONFLICT DO NOTHING RETURNING record_id",
        TENANT.column_list(""),
        places.join(", ")
    );
    let params: Vec<Param<'_>> = row.iter().map(param).collect();
    tx.query_optional(&sql, &params)?.map(|mut row| row.next().map(TenantId)).transpose()
}

/// Inserts rows in order, at most [`ROWS_PER_INSERT`], and says how many there was room for: fewer than there are when
/// another row has one of their unique keys.
pub fn insert(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    table: &Table,
    rows: &[Vec<Value>],
) -> Result<u64, StoreError> {
    if rows.len() == ROWS_PER_INSERT {
        return insert_together(tx, tenant_id, table, rows);
    }
    // One text for any number of rows: statements are kept prepared.
    rows.iter().map(|row| insert_together(tx, tenant_id, table, std::slice::from_ref(row))).sum()
}

fn insert_together(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    table: &Table,
    rows: &[Vec<Value>],
) -> Result<u64, StoreError> {
    // $1 is the tenant's number, where the table has it.
    let (extra_columns, extra_values) = match table.name {
        USER_ROLES => ("", ""),
        AUDIT_LOG => ("tenant_id, object_record_id, ", "$1, 0, "),
        _ => ("tenant_id, ", "$1, "),
    };
    let mut params: Vec<Param<'_>> = Vec::new();
    if !extra_values.is_empty() {
        params.push(tenant_id.0.into());
    }
    let mut tuples = Vec::with_capacity(rows.len());
    for row in rows {
        let places: Vec<String> =
            (1..=row.len()).map(|number| format!("${}", params.len() + number)).collect();
        tuples.push(format!("({extra_values}{})", places.join(", ")));
        params.extend(row.iter().map(param));
    }
    let sql = format!(
        "INSERT INTO {} ({extra_columns}{}) VALUES {} ON CONFLICT DO NOTHING",
        table.name,
        table.column_list(""),
        tuples.join(", ")
    );
    tx.execute(&sql, &params)
}

fn param(value: &Value) -> Param<'_> {
    match value {
        Value::Null => Param::Null,
        Value::Bool(flag) => Param::Bool(*flag),
        Value::Integer(number) => Param::Integer(*number),
        Value::Text(text) => Param::Text(text),
        Value::Uuid(id) => Param::Uuid(*id),
        Value::Bytes(bytes) => Param::Bytes(bytes),
    }
}

/// Gives the imported audit records the record ids of their objects; 0 for those that are no rows any more.
pub fn find_object_record_ids(tx: &mut dyn Connection, tenant_id: TenantId) -> Result<(), StoreError> {
    for object_type in ObjectType::ALL {
        let Some(table) = table_of(object_type) else { continue };
        let sql = format!(
            "UPDATE audit_log SET object_record_id = COALESCE(
                 (SELECT MAX(t.record_id) FROM {table} t WHERE t.tenant_id = $1 AND t.id = audit_log.object_id), 0)
             WHERE tenant_id = $1 AND object_type = $2"
        );
        tx.execute(&sql, &[tenant_id.0.into(), object_type.name().into()])?;
    }
    tx.execute(
        "UPDATE audit_log SET object_record_id = $1 WHERE tenant_id = $1 AND object_type = $2",
        &[tenant_id.0.into(), ObjectType::Tenant.name().into()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, StoreOptions};
    use std::collections::BTreeMap;

    /// Whoever adds a table or a column says here whether it belongs to a tenant's export.
    #[test]
    fn every_table_and_column_is_exported_or_named_as_left_behind() {
        let path = std::env::temp_dir().join(format!("billhook-transfer-{}.sqlite", Uuid::new_v4()));
        let store = Store::open(&format!("sqlite:{}", path.display()), StoreOptions::default()).unwrap();
        let schema = store
            .read_now(|tx| {
                let rows = tx.query(
                    "SELECT m.name, c.name, c.type, c.\"notnull\" FROM sqlite_master m
                     JOIN pragma_table_info(m.name) c WHERE m.type = 'table'",
                    &[],
                )?;
                let mut tables: BTreeMap<String, Vec<(String, String, bool)>> = BTreeMap::new();
                for mut row in rows {
                    let table: String = row.next()?;
                    tables.entry(table).or_default().push((row.next()?, row.next()?, row.next()?));
                }
                Ok(tables)
            })
            .unwrap();
        store.close();
        for suffix in ["", "-wal", "-shm"] {
            drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
        }
        let is_engines_own = |name: &str| {
            ["account_search", "organization_search", "user_search", "sqlite_"]
                .iter()
                .any(|begin| name.starts_with(begin))
        };
        let kept: Vec<&String> = schema
            .keys()
            .filter(|name| !is_engines_own(name) && !LEFT_BEHIND.contains(&name.as_str()))
            .collect();
        let mut exported: Vec<&str> = TABLES.iter().map(|table| table.name).chain([TENANT.name]).collect();
        exported.sort_unstable();
        assert_eq!(kept, exported, "the tables of the schema and those that are exported");
        for table in TABLES.iter().chain([&TENANT]) {
            let mut columns: Vec<(String, String, bool)> = schema[table.name].clone();
            columns.retain(|(name, ..)| !LEFT_OUT.contains(&name.as_str()));
            let spelled = table.columns.iter().map(|column| {
                let spelling = match column.kind {
                    Kind::Integer => "BIGINT",
                    Kind::Boolean => "INTEGER",
                    Kind::Text => "TEXT",
                    Kind::Uuid | Kind::Bytes => "BLOB",
                };
                (column.name.to_owned(), spelling.to_owned(), !column.is_nullable)
            });
            let mut spelled: Vec<_> = spelled.collect();
            columns.sort();
            spelled.sort();
            assert_eq!(columns, spelled, "the columns of {}", table.name);
        }
    }
}

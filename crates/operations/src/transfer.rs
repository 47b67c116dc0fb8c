//! A whole tenant as JSON Lines: out of one book, into another.
//!
//! The first line names the format's version, the second is the tenant, then comes a line for each row, table by
//! table, and last the number of rows. What a book numbers by itself (record ids, the tenant's number) is left out, so
//! that equal books give equal exports.

use crate::verify;
use billing::{Caller, Permission, Refusal, Tenant, TenantId};
use serde_json::{Map, Value as Json};
use std::io::{BufRead, Read, Write};
use storage::transfer::{self, Column, DUE_WORK, Kind, ROWS_PER_INSERT, TABLES, TENANT, Table, USER_ROLES};
use storage::{Connection, Outcome, StoreError, Value};
use uuid::Uuid;

/// The version of the format that is written and read.
pub const VERSION: u64 = 1;

const HEADER: &str = "billhook_export";
const TRAILER: &str = "end";

/// Longest line of an export, in bytes.
const LINE_LIMIT: u64 = 64 << 20;

/// How many rows an export of the tenant has.
pub fn count(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<u64> {
    let mut rows = 1;
    for table in TABLES {
        rows += u64::try_from(transfer::count(tx, tenant_id, table)?).unwrap_or(0);
    }
    Ok(rows)
}

/// Writes a tenant, as this transaction sees it, and returns how many rows that were. `progress` hears of each.
pub fn export(
    tx: &mut dyn Connection,
    caller: &Caller,
    tenant_id: TenantId,
    output: &mut dyn Write,
    progress: &dyn Fn(),
) -> Outcome<u64> {
    caller.require(Permission::AdminExport)?;
    write_line(output, &format!("{{\"{HEADER}\":{{\"version\":{VERSION}}}}}"))?;
    write_line(output, &line(&TENANT, &transfer::tenant_row(tx, tenant_id)?))?;
    progress();
    let mut rows = 1;
    for table in TABLES {
        transfer::rows(tx, tenant_id, table, &mut |row| {
            rows += 1;
            progress();
            write_line(output, &line(table, &row))
        })?;
    }
    write_line(output, &format!("{{\"{TRAILER}\":{{\"rows\":{rows}}}}}"))?;
    output.flush().map_err(|error| cannot_write(&error))?;
    Ok(rows)
}

fn write_line(output: &mut dyn Write, line: &str) -> Result<(), StoreError> {
    writeln!(output, "{line}").map_err(|error| cannot_write(&error))
}

fn cannot_write(error: &std::io::Error) -> StoreError {
    StoreError::Engine(format!("the export cannot be written: {error}"))
}

/// `{"table":{"column":value,…}}`, columns in the table's order, without those that are NULL.
fn line(table: &Table, row: &[Value]) -> String {
    let mut line = format!("{{\"{}\":{{", table.name);
    let mut separator = "";
    for (column, value) in table.columns.iter().zip(row) {
        let shown = match value {
            Value::Null => continue,
            Value::Bool(flag) => flag.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => Json::String(text.clone()).to_string(),
            Value::Uuid(id) => format!("\"{id}\""),
            Value::Bytes(bytes) => {
                format!("\"{}\"", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            }
        };
        line.push_str(&format!("{separator}\"{}\":{shown}", column.name));
        separator = ",";
    }
    line.push_str("}}");
    line
}

/// Reads an export into this book, all of it or nothing, under its own API key or `api_key`, and returns the tenant.
/// Refuses a tenant that exists, a line that is broken (with its number), another version, an export that ends early,
/// and one whose chains, sums or references are not sound. `progress` hears the bytes of each line.
pub fn import(
    tx: &mut dyn Connection,
    caller: &Caller,
    input: &mut dyn BufRead,
    api_key: Option<&str>,
    progress: &dyn Fn(u64),
) -> Outcome<Tenant> {
    caller.require(Permission::TenantCreate)?;
    let mut lines = Lines { input, number: 0, progress };
    check_version(&lines.next_object()?)?;
    let tenant_id = import_tenant(tx, &mut lines, api_key)?;
    let mut rows = Rows { tenant_id, table: TENANT, waiting: Vec::new(), first_line: 0, taken: 1 };
    loop {
        let (name, fields) = lines.next_object()?;
        if name == TRAILER {
            rows.flush(tx)?;
            let counted = fields.get("rows").and_then(Json::as_u64);
            if counted != Some(rows.taken) {
                return Err(lines.broken(format!("there are {} rows, not as many as it says", rows.taken)));
            }
            break;
        }
        let table = TABLES.iter().find(|table| table.name == name);
        let table = table.ok_or_else(|| lines.broken(format!("there is no table {name}")))?;
        let row = parse_row(table, &fields).map_err(|why| lines.broken(why))?;
        rows.take(tx, table, row, lines.number)?;
        // Behind the tables before it, so that the tenant's users are there.
        if let Some(why) = not_the_tenants(tx, tenant_id, table, &fields)? {
            return Err(lines.broken(why));
        }
    }
    lines.expect_end()?;
    transfer::find_object_record_ids(tx, tenant_id)?;
    let findings = verify::tenant(tx, tenant_id)?;
    if let Some(difference) = findings.differences.first() {
        return Err(Refusal::invalid("export", format!("is not sound: {difference}")).into());
    }
    Ok(storage::tenants::by_number(tx, tenant_id)?
        .ok_or_else(|| StoreError::Corrupt(format!("tenant {} is gone", tenant_id.0)))?)
}

/// Why a row cannot be a tenant's own: roles of users who are not the tenant's, operators perhaps, and chores of the
/// server.
fn not_the_tenants(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    table: &Table,
    fields: &Map<String, Json>,
) -> Outcome<Option<String>> {
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default();
    if table.name == USER_ROLES {
        let user_id = Uuid::try_parse(text("user_id")).unwrap_or_default();
        let is_own = transfer::has_user(tx, tenant_id, user_id)?;
        return Ok((!is_own).then(|| format!("{user_id} is no user of the tenant")));
    }
    let kind = text("kind");
    let is_chore = table.name == DUE_WORK && crate::due_work::CHORES.contains(&kind);
    Ok(is_chore.then(|| format!("{kind} is work of the server, not of a tenant")))
}

fn check_version((name, fields): &(String, Map<String, Json>)) -> Outcome<()> {
    if name != HEADER {
        return Err(Refusal::invalid("line", "1: this is no export of Billhook").into());
    }
    match fields.get("version").and_then(Json::as_u64) {
        Some(VERSION) => Ok(()),
        found => {
            let found = found.map_or("none".to_owned(), |version| version.to_string());
            Err(Refusal::invalid("line", format!("1: the version must be {VERSION}, not {found}")).into())
        }
    }
}

fn import_tenant(tx: &mut dyn Connection, lines: &mut Lines<'_>, api_key: Option<&str>) -> Outcome<TenantId> {
    let (name, mut fields) = lines.next_object()?;
    if name != TENANT.name {
        return Err(lines.broken("the tenant must stand here".into()));
    }
    if let Some(api_key) = api_key {
        billing::text::check_text("apiKey", api_key, 128, false)?;
        if api_key.is_empty() {
            return Err(Refusal::FieldMissing { field: "apiKey" }.into());
        }
        fields.insert("api_key".into(), api_key.into());
    }
    let row = parse_row(&TENANT, &fields).map_err(|why| lines.broken(why))?;
    if let Some(tenant_id) = transfer::insert_tenant(tx, &row)? {
        return Ok(tenant_id);
    }
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    if storage::tenants::by_api_key(tx, &text("api_key"))?.is_some() {
        return Err(Refusal::TenantKeyTaken { api_key: text("api_key") }.into());
    }
    let id = text("id");
    let known = storage::tenants::by_id(tx, Uuid::try_parse(&id).unwrap_or_default())?;
    Err(Refusal::invalid(
        "tenant",
        match known {
            Some(known) => format!("{id} is in this book already, with API key {}", known.api_key),
            None => format!("{id} cannot come in: another tenant has its domain {} already", text("domain")),
        },
    )
    .into())
}

/// The lines of an export, each an object with one key.
struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: u64,
    progress: &'a dyn Fn(u64),
}

impl Lines<'_> {
    fn next_line(&mut self) -> Outcome<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.input.take(LINE_LIMIT).read_until(b'\n', &mut line);
        let length =
            read.map_err(|error| StoreError::Engine(format!("the export cannot be read: {error}")))?;
        self.number += 1;
        (self.progress)(length as u64);
        Ok(line)
    }

    fn next_object(&mut self) -> Outcome<(String, Map<String, Json>)> {
        let line = self.next_line()?;
        if line.is_empty() {
            return Err(self.broken("the export ends before its last line".into()));
        }
        let object: Map<String, Json> =
            serde_json::from_slice(&line).map_err(|error| self.broken(error.to_string()))?;
        let mut members = object.into_iter();
        match (members.next(), members.next()) {
            (Some((name, Json::Object(fields))), None) => Ok((name, fields)),
            _ => Err(self.broken("it must be an object with one table and its row".into())),
        }
    }

    fn expect_end(&mut self) -> Outcome<()> {
        while let line = self.next_line()?
            && !line.is_empty()
        {
            if !line.trim_ascii().is_empty() {
                return Err(self.broken("nothing may follow the last line".into()));
            }
        }
        Ok(())
    }

    fn broken(&self, why: String) -> storage::Error {
        Refusal::invalid("line", format!("{}: {why}", self.number)).into()
    }
}

fn parse_row(table: &Table, fields: &Map<String, Json>) -> Result<Vec<Value>, String> {
    if let Some(name) = fields.keys().find(|name| !table.columns.iter().any(|column| column.name == *name)) {
        return Err(format!("{} has no column {name}", table.name));
    }
    table.columns.iter().map(|column| parse_value(column, fields.get(column.name))).collect()
}

fn parse_value(column: &Column, value: Option<&Json>) -> Result<Value, String> {
    let parsed = match (column.kind, value) {
        (_, None) if column.is_nullable => Some(Value::Null),
        (_, None) => return Err(format!("{} is missing", column.name)),
        (Kind::Integer, Some(Json::Number(number))) => number.as_i64().map(Value::Integer),
        (Kind::Boolean, Some(Json::Bool(flag))) => Some(Value::Bool(*flag)),
        (Kind::Text, Some(Json::String(text))) => (!text.contains('\0')).then(|| Value::Text(text.clone())),
        (Kind::Uuid, Some(Json::String(text))) => Uuid::try_parse(text).ok().map(Value::Uuid),
        (Kind::Bytes, Some(Json::String(text))) => bytes(text).map(Value::Bytes),
        _ => None,
    };
    parsed.ok_or_else(|| format!("{} is not of its kind ({:?})", column.name, column.kind))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair.first()?)? * 16 + digit(pair.get(1)?)?);
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// Rows of one table on their way in, a few to a statement.
struct Rows {
    tenant_id: TenantId,
    table: Table,
    waiting: Vec<Vec<Value>>,
    first_line: u64,
    taken: u64,
}

impl Rows {
    fn take(&mut self, tx: &mut dyn Connection, table: &Table, row: Vec<Value>, line: u64) -> Outcome<()> {
        if table.name != self.table.name || self.waiting.len() == ROWS_PER_INSERT {
            self.flush(tx)?;
            self.table = *table;
        }
        if self.waiting.is_empty() {
            self.first_line = line;
        }
        self.waiting.push(row);
        self.taken += 1;
        Ok(())
    }

    fn flush(&mut self, tx: &mut dyn Connection) -> Outcome<()> {
        let rows = std::mem::take(&mut self.waiting);
        let inserted = transfer::insert(tx, self.tenant_id, &self.table, &rows)?;
        if inserted == rows.len() as u64 {
            return Ok(());
        }
        let (first, last) = (self.first_line, self.first_line + rows.len() as u64 - 1);
        let why =
            format!("{first}: it or one up to line {last} has a key of {} that is taken", self.table.name);
        Err(Refusal::invalid("line", why).into())
    }
}

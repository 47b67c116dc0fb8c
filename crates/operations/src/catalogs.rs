//! The versions of a tenant's catalog: kept as XML under the tenant's key `CATALOG`, where Kill Bill keeps them too.

use crate::tenant_values::{self, Keep};
use billing::catalog::{self, Catalog, Problem, SimplePlan};
use billing::{Caller, Permission, Refusal, TenantId};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use storage::tenants;
use storage::{Connection, Outcome};
use uuid::Uuid;

/// The key under which the versions are kept. Only this module writes it: what is kept there can be read.
pub const KEY: &str = "CATALOG";

/// Most problems told in one refusal.
const PROBLEMS_TOLD: usize = 10;

/// Most versions that a node remembers parsed.
const REMEMBERED: usize = 1_000;

/// The versions that were parsed before, by the id of the value they are kept in. A value never changes.
fn remembered() -> &'static Mutex<HashMap<Uuid, Arc<Catalog>>> {
    static PARSED: OnceLock<Mutex<HashMap<Uuid, Arc<Catalog>>>> = OnceLock::new();
    PARSED.get_or_init(Mutex::default)
}

/// The catalog of tenants that ask for the server's.
const DEFAULT: &str = include_str!("default_catalog.xml");

fn default_catalog() -> Result<Arc<Catalog>, Refusal> {
    static PARSED: OnceLock<Arc<Catalog>> = OnceLock::new();
    if let Some(parsed) = PARSED.get() {
        return Ok(Arc::clone(parsed));
    }
    let parsed = catalog::read(DEFAULT).map(Arc::new).map_err(|problems| invalid(&problems))?;
    Ok(Arc::clone(PARSED.get_or_init(|| parsed)))
}

/// The versions that sell something, by effective date: the tenant's own, or the server's for a tenant that never had any.
pub fn versions(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Vec<Arc<Catalog>>> {
    let stored = stored_versions(tx, tenant_id)?;
    if stored.is_empty() {
        return Ok(vec![default_catalog()?]);
    }
    let versions = stored.into_iter().map(|(_, version)| version);
    Ok(versions.filter(|version| !version.is_empty()).collect())
}

/// All that is kept, by effective date, with the ids of the values.
fn stored_versions(tx: &mut dyn Connection, tenant_id: TenantId) -> Outcome<Vec<(Uuid, Arc<Catalog>)>> {
    let mut versions = Vec::new();
    for id in tenants::value_ids(tx, tenant_id, KEY)? {
        versions.extend(version(tx, tenant_id, id)?.map(|version| (id, version)));
    }
    versions.sort_by_key(|(_, version)| version.effective_at);
    Ok(versions)
}

fn version(tx: &mut dyn Connection, tenant_id: TenantId, id: Uuid) -> Outcome<Option<Arc<Catalog>>> {
    let known = remembered().lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    if known.is_some() {
        return Ok(known);
    }
    let Some(xml) = tenants::value_by_id(tx, tenant_id, KEY, id)? else {
        return Ok(None);
    };
    let parsed = Arc::new(catalog::read(&xml).map_err(|problems| invalid(&problems))?);
    let mut remembered = remembered().lock().unwrap_or_else(PoisonError::into_inner);
    if remembered.len() >= REMEMBERED {
        remembered.clear();
    }
    remembered.insert(id, Arc::clone(&parsed));
    Ok(Some(parsed))
}

/// The version that holds at `at`. Refuses where none does.
pub fn in_force(tx: &mut dyn Connection, tenant_id: TenantId, at: Timestamp) -> Outcome<Arc<Catalog>> {
    let versions = versions(tx, tenant_id)?;
    let found = versions.into_iter().rev().find(|version| version.effective_at <= at);
    Ok(found.ok_or_else(|| Refusal::CatalogUnknown { at: at.to_string() })?)
}

fn invalid(problems: &[Problem]) -> Refusal {
    let mut told: Vec<String> = problems.iter().take(PROBLEMS_TOLD).map(ToString::to_string).collect();
    if problems.len() > PROBLEMS_TOLD {
        told.push(format!("and {} more", problems.len() - PROBLEMS_TOLD));
    }
    Refusal::CatalogInvalid { why: told.join("; ") }
}

/// What is wrong with an XML as one more version; nothing is kept.
pub fn problems(tx: &mut dyn Connection, tenant_id: TenantId, xml: &str) -> Outcome<Vec<Problem>> {
    let new = match catalog::read(xml) {
        Ok(new) => new,
        Err(problems) => return Ok(problems),
    };
    let versions = versions(tx, tenant_id)?;
    let mut problems = catalog::check_together(&versions, &new);
    problems.extend(
        different_name(&versions, &new).map(|refusal| Problem { line: None, message: refusal.to_string() }),
    );
    Ok(problems)
}

fn different_name(versions: &[Arc<Catalog>], new: &Catalog) -> Option<Refusal> {
    let known = &versions.first()?.name;
    (*known != new.name)
        .then(|| Refusal::CatalogNameDiffers { known: known.clone(), found: new.name.clone() })
}

/// Adds a version. Refuses XML with problems, a name other than that of the versions that are there, and a second version
/// of one date.
pub fn upload(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    xml: &str,
) -> Outcome<()> {
    caller.require(Permission::CatalogConfigUpload)?;
    let new = catalog::read(xml).map_err(|problems| invalid(&problems))?;
    tenants::lock(tx, tenant_id)?;
    let versions = versions(tx, tenant_id)?;
    if let Some(refusal) = different_name(&versions, &new) {
        return Err(refusal.into());
    }
    let problems = catalog::check_together(&versions, &new);
    if !problems.is_empty() {
        return Err(invalid(&problems).into());
    }
    // The catalog of a new tenant sells nothing; the first that does takes its place.
    let keep = if versions.is_empty() { Keep::Replace } else { Keep::Append };
    tenant_values::put_own(tx, tenant_id, caller, now, keep, (KEY, xml))
}

/// Adds a plan, or a price to a plan, to the version in force, which keeps its date; where there is none, to a new one that
/// holds since yesterday.
pub fn add_simple_plan(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
    simple: &SimplePlan,
) -> Outcome<()> {
    caller.require(Permission::CatalogConfigUpload)?;
    tenants::lock(tx, tenant_id)?;
    let versions = versions(tx, tenant_id)?;
    let current = current(&versions, now).cloned();
    let yesterday = Timestamp::from_second((now - SignedDuration::from_hours(24)).as_second()).unwrap_or(now);
    let before = current.unwrap_or_else(|| catalog::empty(yesterday));
    let after = catalog::with_simple_plan(before, simple)?;
    let problems = catalog::check(&after);
    if !problems.is_empty() {
        return Err(invalid(&problems).into());
    }
    for (id, old) in stored_versions(tx, tenant_id)? {
        if old.is_empty() || old.effective_at == after.effective_at {
            tenant_values::remove_one(tx, tenant_id, caller, now, KEY, id)?;
        }
    }
    tenant_values::put_own(tx, tenant_id, caller, now, Keep::Append, (KEY, &catalog::write(&after)))
}

/// The version that holds at `now` of versions by effective date, or the first where none does yet; none where nothing is
/// sold.
pub fn current(versions: &[Arc<Catalog>], now: Timestamp) -> Option<&Catalog> {
    let in_force = versions.iter().rev().find(|version| version.effective_at <= now);
    in_force.or(versions.first()).map(Arc::as_ref)
}

/// Removes all versions; what is left sells nothing.
pub fn delete(tx: &mut dyn Connection, tenant_id: TenantId, caller: &Caller, now: Timestamp) -> Outcome<()> {
    caller.require(Permission::CatalogDelete)?;
    caller.require(Permission::TenantKvsDelete)?;
    put_empty(tx, tenant_id, caller, now)
}

/// Gives a tenant a catalog that sells nothing, in the place of what it has.
pub(crate) fn put_empty(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    caller: &Caller,
    now: Timestamp,
) -> Outcome<()> {
    let effective_at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let xml = catalog::write(&catalog::empty(effective_at));
    tenant_values::put_own(tx, tenant_id, caller, now, Keep::Replace, (KEY, &xml))
}

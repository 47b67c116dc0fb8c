//! `billhook work`: look at due work that failed, and let it run again.

use crate::Book;
use anyhow::{Context, bail};
use billing::{Tenant, TenantId};
use clap::Subcommand;
use storage::{Error, Store, StoreError};

/// Most pieces that one question to the book answers with.
const PAGE: i64 = 500;

#[derive(Subcommand, Debug)]
pub(crate) enum WorkCommand {
    /// List the work that failed too often: id, tenant's API key (- for the server's own, # and a number where the
    /// tenant is unknown), kind, when it fell due, how often it was tried, why it failed
    Failed {
        /// API key of the only tenant to look at
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Let a piece of work that failed too often be tried again, from now on, and print its id
    RunAgain {
        /// Its id, as `billhook work failed` shows it
        id: i64,
        /// API key of its tenant; without one it is the server's own
        #[arg(long)]
        tenant: Option<String>,
    },
}

impl WorkCommand {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open()?;
        if matches!(self, WorkCommand::Failed { .. }) {
            println!("ID\tTENANT\tKIND\tDUE\tATTEMPTS\tREASON");
        }
        match self {
            WorkCommand::Failed { tenant: Some(key) } => {
                let tenant_id = tenant(&store, key)?.tenant_id;
                list_failed(&store, tenant_id)?;
            }
            WorkCommand::Failed { tenant: None } => {
                for tenant_id in store.read_now(|tx| Ok(storage::due_work::tenants_with_failed(tx)?))? {
                    list_failed(&store, tenant_id)?;
                }
            }
            WorkCommand::RunAgain { id, tenant: key } => {
                let tenant = key.map_or_else(|| Ok(Tenant::server()), |key| tenant(&store, key))?;
                let now = operations::clock::now(&tenant);
                let again = store
                    .write_now(move |tx| Ok(storage::due_work::run_again(tx, tenant.tenant_id, id, now)?))?;
                if !again {
                    bail!("no work that failed has id {id} there");
                }
                println!("{id}");
            }
        }
        store.close();
        Ok(())
    }
}

fn tenant(store: &Store, api_key: String) -> anyhow::Result<Tenant> {
    let key = api_key.clone();
    let found = store.read_now(move |tx| Ok(storage::tenants::by_api_key(tx, &key)?))?;
    found.map(|(tenant, _)| tenant).with_context(|| format!("no tenant has API key {api_key}"))
}

/// The API key of a tenant; `-` for the server itself, `#` and the number for one who is unknown or cannot be read.
fn name(store: &Store, tenant_id: TenantId) -> anyhow::Result<String> {
    if tenant_id == TenantId::SERVER {
        return Ok("-".to_owned());
    }
    let known = match store.read_now(move |tx| Ok(storage::tenants::by_number(tx, tenant_id)?)) {
        // His work failed for just that reason, and is to be shown.
        Err(Error::Store(StoreError::Corrupt(_) | StoreError::Decode { .. })) => None,
        known => known?,
    };
    Ok(known.map_or_else(|| format!("#{}", tenant_id.0), |tenant| tenant.api_key))
}

fn list_failed(store: &Store, tenant_id: TenantId) -> anyhow::Result<()> {
    let (name, mut after) = (name(store, tenant_id)?, 0);
    loop {
        let page = store.read_now(move |tx| Ok(storage::due_work::failed(tx, tenant_id, after, PAGE)?))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.record_id;
        for work in page {
            let reason = work.last_error.unwrap_or_default();
            let due_at = work.due_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            println!("{}\t{name}\t{}\t{due_at}\t{}\t{reason}", work.record_id, work.kind, work.attempts);
        }
    }
}

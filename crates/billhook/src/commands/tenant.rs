//! `billhook tenant`: make and list tenants, and set their clocks right.

use crate::{Book, server};
use clap::Subcommand;
use operations::tenants::NewTenant;

#[derive(Subcommand, Debug)]
pub(crate) enum TenantCommand {
    /// Make a tenant and print its id
    Create {
        /// The key that selects it in requests
        #[arg(long)]
        api_key: String,
        /// Its secret
        #[arg(long, env = "BILLHOOK_API_SECRET", hide_env_values = true)]
        api_secret: String,
        /// Name for people
        #[arg(long)]
        name: Option<String>,
        /// Host name of its DjaoApp desk
        #[arg(long)]
        domain: Option<String>,
    },
    /// List tenants: id, API key, name
    List,
    /// Let a tenant's clock, which test mode has moved, show the real time again
    ResetClock {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
    },
}

impl TenantCommand {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = match self {
            TenantCommand::Create { .. } => book.open_or_make()?,
            TenantCommand::List | TenantCommand::ResetClock { .. } => book.open()?,
        };
        match self {
            TenantCommand::Create { api_key, api_secret, name, domain } => {
                let new = NewTenant { api_key, name, domain, ..NewTenant::default() };
                let tenant =
                    server::make_tenant(&store, operations::tenants::hash_secret(new, &api_secret)?)?;
                println!("{}", tenant.id);
            }
            TenantCommand::List => {
                println!("ID\tAPI KEY\tNAME");
                for tenant in store.read_now(|tx| Ok(storage::tenants::all(tx)?))? {
                    println!("{}\t{}\t{}", tenant.id, tenant.api_key, tenant.name.unwrap_or_default());
                }
            }
            TenantCommand::ResetClock { tenant } => store.write_now(move |tx| {
                let tenant_id = super::tenant_with_key(tx, &tenant)?.tenant_id;
                operations::due_work::reset_clock(tx, tenant_id)
            })?,
        }
        store.close();
        Ok(())
    }
}

//! `billhook organization`: make and list the organizations of a tenant, and give them managers.

use crate::Book;
use crate::commands::tenant_with_key;
use billing::{Caller, Refusal};
use clap::Subcommand;
use operations::organizations::{self, NewOrganization};
use operations::roles::{self, Scene};
use operations::{access, clock, proofs, sites};
use storage::Store;
use uuid::Uuid;

/// How many organizations are read at a time.
const PAGE: i64 = 1000;

#[derive(Subcommand, Debug)]
pub(crate) enum OrganizationCommand {
    /// Make an organization and print its id
    Create {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
        /// Name for people, at most 100 characters
        #[arg(long)]
        name: String,
        /// The organization above it; the one at the top is billed for all beneath
        #[arg(long, value_name = "ORG_ID")]
        parent: Option<Uuid>,
        /// E-mail of the user who owns it; becomes a user of the tenant if there is none with this e-mail
        #[arg(long, value_name = "EMAIL")]
        owner: Option<String>,
        /// An account that was opened at another desk and shall be billed for it
        #[arg(long, value_name = "ACCOUNT_ID", conflicts_with = "parent")]
        account: Option<Uuid>,
    },
    /// Make a user a manager of an organization: of the tenant's own profile, the broker, he manages the whole site
    Manager {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
        /// The slug of the organization; the broker when absent
        #[arg(long, value_name = "SLUG")]
        organization: Option<String>,
        /// The name or the e-mail of the user, who registered before
        #[arg(long, value_name = "NAME_OR_EMAIL")]
        user: String,
    },
    /// List a tenant's organizations: id, the one above, account, name
    List {
        /// The API key of the tenant
        #[arg(long)]
        tenant: String,
    },
}

impl OrganizationCommand {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open()?;
        match self {
            OrganizationCommand::Create { tenant, name, parent, owner, account } => {
                let new =
                    NewOrganization { name, parent_id: parent, owner_email: owner, account_id: account };
                println!("{}", create(&store, tenant, new)?);
            }
            OrganizationCommand::Manager { tenant, organization, user } => {
                println!("{}", make_manager(&store, tenant, organization, user)?);
            }
            OrganizationCommand::List { tenant } => list(&store, &tenant)?,
        }
        store.close();
        Ok(())
    }
}

fn create(store: &Store, api_key: String, new: NewOrganization) -> anyhow::Result<Uuid> {
    let caller = Caller::system(Uuid::new_v4());
    let made = store.write_now(move |tx| {
        let tenant = tenant_with_key(tx, &api_key)?;
        organizations::create(tx, tenant.tenant_id, &caller, clock::now(&tenant), &new)
    })?;
    Ok(made.id)
}

/// Makes a user a manager, and says of what.
fn make_manager(
    store: &Store,
    api_key: String,
    organization: Option<String>,
    user: String,
) -> anyhow::Result<String> {
    let caller = Caller::system(Uuid::new_v4());
    Ok(store.write_now(move |tx| {
        let tenant = tenant_with_key(tx, &api_key)?;
        let scene = Scene { tenant: &tenant, caller: &caller, now: clock::now(&tenant) };
        sites::ensure(tx, &tenant, scene.now)?;
        let found = proofs::find(tx, tenant.tenant_id, &user)?;
        let person = found.ok_or_else(|| Refusal::UserUnknown { username: user.clone() })?;
        let organization = match &organization {
            Some(slug) => access::organization(tx, tenant.tenant_id, slug)?,
            None => organizations::get(tx, tenant.tenant_id, tenant.id)?,
        };
        roles::make_manager(tx, scene, &person, &organization)?;
        Ok(format!("{} is a manager of {}", person.username, organization.slug))
    })?)
}

fn list(store: &Store, api_key: &str) -> anyhow::Result<()> {
    let key = api_key.to_owned();
    let tenant_id = store.read_now(move |tx| Ok(tenant_with_key(tx, &key)?.tenant_id))?;
    println!("ID\tPARENT\tACCOUNT\tNAME");
    let mut after = 0;
    loop {
        let page = store.read_now(move |tx| Ok(storage::organizations::page(tx, tenant_id, after, PAGE)?))?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.record_id;
        let shown = |id: Option<Uuid>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        for stored in page {
            let organization = stored.organization;
            let (parent, account) = (shown(organization.parent_id), shown(organization.account_id));
            println!("{}\t{parent}\t{account}\t{}", organization.id, organization.name);
        }
    }
}

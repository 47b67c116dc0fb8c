//! `billhook import`: a tenant that `billhook export` wrote.

use crate::{Book, progress};
use anyhow::Context;
use billing::{Caller, Refusal};
use clap::Args;
use operations::transfer;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use storage::StoreError;
use uuid::Uuid;

/// Read a tenant that `billhook export` wrote and print its id
///
/// All of it or nothing: a tenant that is in the book already, a line that is broken, an export that is cut off or was
/// altered are refused and leave nothing behind. What was altered is found as `billhook verify` finds it: in accounts,
/// what belongs to them, and the ledger, by their hash chains. What belongs to no account is in no chain, such as users,
/// tokens, organizations, customers, tag definitions and values: take exports from where nobody else can write.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// File to read; - is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// API key for the tenant, instead of the one that it had
    #[arg(long, value_name = "API_KEY")]
    api_key: Option<String>,
    /// Leave the tenant's clock as far from the real time as a test has moved it
    #[arg(long)]
    keep_clock: bool,
    /// Take a demo's tenant, too, whose secret everybody knows; `billhook serve` then asks for --force as well
    #[arg(long)]
    force: bool,
}

impl Import {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open_or_make_for_long_work()?;
        let is_file = self.input != Path::new("-");
        let bar = if is_file {
            let file = File::open(&self.input)
                .with_context(|| format!("{} cannot be read", self.input.display()))?;
            progress::bytes(file.metadata()?.len())
        } else {
            progress::bytes_so_far()
        };
        let (line, api_key, path) = (bar.clone(), self.api_key.clone(), self.input.clone());
        let keep_clock = self.keep_clock;
        let takes_demos = self.force || super::demo::has_been_in(&store)?;
        let is_begun = AtomicBool::new(false);
        let tenant = store.write_now(move |tx| {
            // The store may run work again after a conflict; standard input comes only once.
            if !is_file && is_begun.swap(true, Ordering::Relaxed) {
                return Err(
                    StoreError::Engine("another change was in the way; import from a file".into()).into()
                );
            }
            line.set_position(0);
            let mut input = open(is_file, &path)
                .map_err(|error| StoreError::Engine(format!("{} cannot be read: {error}", path.display())))?;
            let caller = Caller::system(Uuid::new_v4());
            let tenant =
                transfer::import(tx, &caller, &mut *input, api_key.as_deref(), &|bytes| line.inc(bytes))?;
            if !takes_demos && super::demo::is_there(tx)? {
                return Err(Refusal::invalid(
                    "tenant",
                    format!(
                        "{} is a demo's, whose secret everybody knows, and this book is not: `billhook serve` would \
                         not start on it any more. Import it with --force if it is to be here all the same",
                        tenant.api_key
                    ),
                )
                .into());
            }
            if !keep_clock {
                operations::due_work::reset_clock(tx, tenant.tenant_id)?;
            }
            Ok(tenant)
        })?;
        bar.finish_and_clear();
        store.close();
        println!("{}", tenant.id);
        Ok(())
    }
}

fn open(is_file: bool, path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    Ok(if is_file {
        Box::new(BufReader::with_capacity(1 << 16, File::open(path)?))
    } else {
        Box::new(std::io::stdin().lock())
    })
}

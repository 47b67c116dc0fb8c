//! `billhook export`: a whole tenant as JSON Lines.

use crate::{Book, progress};
use anyhow::Context;
use billing::{Caller, TenantId};
use clap::Args;
use indicatif::ProgressBar;
use operations::transfer;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use storage::{Connection, Outcome, Store, StoreError};
use uuid::Uuid;

/// Write a whole tenant as JSON Lines, to be read by `billhook import`
///
/// The export is what the book held at one moment; a server may run meanwhile. It has hashes of secrets and passwords
/// and keys that sign tokens, so a file is made for its owner alone. What belongs to the server (its
/// secrets, sessions, roles) is not in it.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// API key of the tenant
    #[arg(long, value_name = "API_KEY")]
    tenant: String,
    /// File to write; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Export {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open_for_long_work()?;
        let tenant_id = super::verify::find_tenant(&store, self.tenant.clone())?.tenant_id;
        let bar = progress::bar(store.read_now(move |tx| transfer::count(tx, tenant_id))?, "rows");
        let rows = if self.output == Path::new("-") {
            to_standard_output(&store, tenant_id, &bar)?
        } else {
            to_file(&store, tenant_id, &bar, &self.output)?
        };
        bar.finish_and_clear();
        store.close();
        eprintln!("exported {rows} rows of tenant {}", self.tenant);
        Ok(())
    }
}

fn to_standard_output(store: &Store, tenant_id: TenantId, bar: &ProgressBar) -> anyhow::Result<u64> {
    let bar = bar.clone();
    let is_begun = std::sync::atomic::AtomicBool::new(false);
    Ok(store.read_now(move |tx| {
        // The store may run work again when a connection is lost; what was printed cannot be taken back.
        if is_begun.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Err(StoreError::Engine("the connection was lost; the output is incomplete".into()).into());
        }
        write(tx, tenant_id, std::io::stdout().lock(), &bar)
    })?)
}

/// Writes beside the file and moves it there once it is whole.
fn to_file(store: &Store, tenant_id: TenantId, bar: &ProgressBar, path: &Path) -> anyhow::Result<u64> {
    let mut name = path.file_name().context("the output must be a file")?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let (target, bar) = (part.clone(), bar.clone());
    let exported = store.read_now(move |tx| {
        let file = create(&target).map_err(|error| {
            StoreError::Engine(format!("{} cannot be written: {error}", target.display()))
        })?;
        bar.set_position(0);
        let rows = write(tx, tenant_id, &file, &bar)?;
        file.sync_all().map_err(|error| StoreError::Engine(error.to_string()))?;
        Ok(rows)
    });
    let moved = exported.map_err(anyhow::Error::from).and_then(|rows| {
        std::fs::rename(&part, path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(rows)
    });
    if moved.is_err() {
        drop(std::fs::remove_file(&part));
    }
    moved
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn write(
    tx: &mut dyn Connection,
    tenant_id: TenantId,
    output: impl Write,
    bar: &ProgressBar,
) -> Outcome<u64> {
    let caller = Caller::system(Uuid::new_v4());
    transfer::export(tx, &caller, tenant_id, &mut BufWriter::with_capacity(1 << 16, output), &|| bar.inc(1))
}

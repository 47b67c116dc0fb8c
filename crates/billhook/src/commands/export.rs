//! `billhook export`: a whole tenant as JSON Lines.

use crate::{Book, progress};
use anyhow::Context;
use billing::{Caller, TenantId};
use clap::Args;
use indicatif::ProgressBar;
use operations::transfer;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
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
    /// File to write, replaced once the export is whole; a device or a pipe is written as it is; - is standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

impl Export {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open_for_long_work()?;
        let tenant_id = super::verify::find_tenant(&store, self.tenant.clone())?.tenant_id;
        let bar = progress::bar(store.read_now(move |tx| transfer::count(tx, tenant_id))?, "rows");
        let rows = match Target::of(&self.output)? {
            Target::StandardOutput => {
                to_stream(&store, tenant_id, &bar, || Ok(Box::new(std::io::stdout().lock())))?
            }
            Target::Stream(path) => to_stream(&store, tenant_id, &bar, move || {
                let opened = OpenOptions::new().write(true).open(&path);
                Ok(Box::new(opened.map_err(|error| cannot_write(&path, &error))?))
            })?,
            Target::File(path) => to_file(&store, tenant_id, &bar, &path)?,
        };
        bar.finish_and_clear();
        store.close();
        eprintln!("exported {rows} rows of tenant {}", self.tenant);
        Ok(())
    }
}

/// Where an export goes.
enum Target {
    StandardOutput,
    /// A device, a pipe or a socket: written as it is.
    Stream(PathBuf),
    /// A file, there or not: replaced once the new one is whole.
    File(PathBuf),
}

impl Target {
    /// What stands at a path, links followed.
    fn of(path: &Path) -> anyhow::Result<Target> {
        if path == Path::new("-") {
            return Ok(Target::StandardOutput);
        }
        let found = match std::fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Target::File(end_of_links(path)));
            }
            found => found.with_context(|| format!("{} cannot be written", path.display()))?,
        };
        anyhow::ensure!(!found.is_dir(), "{} is a folder: the output must be a file", path.display());
        Ok(if found.is_file() {
            Target::File(path.canonicalize().with_context(|| path.display().to_string())?)
        } else {
            Target::Stream(path.to_owned())
        })
    }
}

/// Where a link leads that leads to nothing yet.
fn end_of_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(next) = std::fs::read_link(&path) {
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

fn cannot_write(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Engine(format!("{} cannot be written: {error}", path.display()))
}

fn to_stream(
    store: &Store,
    tenant_id: TenantId,
    bar: &ProgressBar,
    open: impl Fn() -> Result<Box<dyn Write>, StoreError> + Send + 'static,
) -> anyhow::Result<u64> {
    let bar = bar.clone();
    let is_begun = std::sync::atomic::AtomicBool::new(false);
    Ok(store.read_now(move |tx| {
        // The store may run work again when a connection is lost; what was written cannot be taken back.
        if is_begun.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Err(StoreError::Engine("the connection was lost; the output is incomplete".into()).into());
        }
        write(tx, tenant_id, open()?, &bar)
    })?)
}

/// Writes beside the file and moves it there once it is whole.
fn to_file(store: &Store, tenant_id: TenantId, bar: &ProgressBar, path: &Path) -> anyhow::Result<u64> {
    let mut name = path.file_name().context("the output must be a file")?.to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let (target, bar) = (part.clone(), bar.clone());
    let exported = store.read_now(move |tx| {
        let file = create(&target).map_err(|error| cannot_write(&target, &error))?;
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

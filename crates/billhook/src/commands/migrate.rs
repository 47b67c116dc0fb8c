//! `billhook migrate`: bring the book's schema up to date.

use crate::Book;
use clap::Args;

/// Bring the book's schema up to date and print its version
///
/// Servers do so themselves when they start; this is for those who want it done before.
#[derive(Args, Debug)]
pub(crate) struct Migrate {}

impl Migrate {
    pub(crate) fn run(self, book: &Book) -> anyhow::Result<()> {
        let store = book.open_or_make_for_long_work()?;
        let version = store.read_now(|tx| Ok(storage::schema_version(tx)?))?;
        store.close();
        println!("schema version {version}");
        Ok(())
    }
}

//! Bringing the search index of SQLite up to the newest accounts.

use super::connection::SqliteConnection;
use crate::{Connection, Param, StoreError};

/// Accounts indexed in one transaction. At most about as many wait to be indexed while the server is busy, and are read
/// by every search.
const BATCH: i64 = 2048;
/// Of a batch, every so many-th account is in the sample of trigrams.
const SAMPLE_STEP: i64 = 128;

/// Indexes the next batch of accounts, if that many wait. Says whether it did.
pub(super) fn index_batch(connection: &mut SqliteConnection) -> bool {
    index(connection, BATCH)
}

/// Indexes the accounts that wait, however few.
pub(super) fn index_rest(connection: &mut SqliteConnection) {
    while index(connection, 1) {}
}

fn index(connection: &mut SqliteConnection, fewest: i64) -> bool {
    match try_index(connection, fewest) {
        Ok(indexed) => indexed,
        Err(error) => {
            connection.rollback();
            // Search stays right: what is not indexed is read.
            tracing::warn!(%error, "new accounts could not be indexed for search; the next batch tries again");
            false
        }
    }
}

fn try_index(connection: &mut SqliteConnection, fewest: i64) -> Result<bool, StoreError> {
    connection.begin()?;
    let waiting = connection.query_one(
        "SELECT indexed_until, COALESCE((SELECT MAX(record_id) FROM accounts), 0) FROM account_search_state",
        &[],
    );
    connection.end_read();
    let mut waiting = waiting?;
    let (indexed_until, newest): (i64, i64) = (waiting.next()?, waiting.next()?);
    if newest - indexed_until < fewest {
        return Ok(false);
    }
    connection.begin_immediate()?;
    // Another process may have been faster: the condition is looked at again under the lock.
    let still = connection.query_one("SELECT indexed_until FROM account_search_state", &[])?.next::<i64>()?;
    if still == indexed_until {
        let until = newest.min(indexed_until + BATCH);
        let range = [Param::Integer(indexed_until), Param::Integer(until)];
        connection.execute(
            "INSERT INTO account_search (rowid, search_text)
             SELECT record_id, search_text FROM accounts WHERE record_id > $1 AND record_id <= $2",
            &range,
        )?;
        sample(connection, indexed_until, until)?;
        connection.execute("UPDATE account_search_state SET indexed_until = $1", &[Param::Integer(until)])?;
    }
    connection.commit()?;
    Ok(true)
}

/// Counts the trigrams of some of the accounts.
fn sample(connection: &mut SqliteConnection, after: i64, until: i64) -> Result<(), StoreError> {
    let texts = connection.query(
        "SELECT search_text FROM accounts WHERE record_id > $1 AND record_id <= $2 AND record_id % $3 = 0",
        &[after.into(), until.into(), SAMPLE_STEP.into()],
    )?;
    for mut row in texts {
        let text: String = row.next()?;
        for trigram in crate::search::trigrams(&text) {
            connection.execute(
                "INSERT INTO account_search_sample (trigram, occurrences) VALUES ($1, 1)
                 ON CONFLICT (trigram) DO UPDATE SET occurrences = occurrences + 1",
                &[(&trigram).into()],
            )?;
        }
    }
    Ok(())
}

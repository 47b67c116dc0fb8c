//! Sessions: who was let in and need not show a password again for a while. Only a digest of the token is kept.

use crate::{Connection, Row, StoreError};
use jiff::Timestamp;
use uuid::Uuid;

/// A session of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its public id; the token is another.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// The address that it was opened from.
    pub host: Option<String>,
    /// When it was opened.
    pub started_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_access_at: Timestamp,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// Keeps a new session under the digest of its token.
pub fn insert(tx: &mut dyn Connection, token_digest: &[u8], session: &Session) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO sessions (token_digest, id, user_id, host, started_at, last_access_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        &[
            token_digest.into(),
            session.id.into(),
            session.user_id.into(),
            (&session.host).into(),
            session.started_at.into(),
            session.last_access_at.into(),
            session.expires_at.into(),
        ],
    )?;
    Ok(())
}

/// The session with this token, unless it has ended.
pub fn by_token(
    tx: &mut dyn Connection,
    token_digest: &[u8],
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let row = tx.query_optional(
        "SELECT id, user_id, host, started_at, last_access_at, expires_at FROM sessions
         WHERE token_digest = $1 AND expires_at > $2",
        &[token_digest.into(), now.into()],
    )?;
    row.map(read).transpose()
}

fn read(mut row: Row) -> Result<Session, StoreError> {
    Ok(Session {
        id: row.next()?,
        user_id: row.next()?,
        host: row.next()?,
        started_at: row.next()?,
        last_access_at: row.next()?,
        expires_at: row.next()?,
    })
}

/// A session of a user, unless it has ended.
pub fn by_id(
    tx: &mut dyn Connection,
    user_id: Uuid,
    id: Uuid,
    now: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let row = tx.query_optional(
        "SELECT id, user_id, host, started_at, last_access_at, expires_at FROM sessions
         WHERE user_id = $1 AND id = $2 AND expires_at > $3",
        &[user_id.into(), id.into(), now.into()],
    )?;
    row.map(read).transpose()
}

/// Lets a session last as long as it now says.
pub fn extend(tx: &mut dyn Connection, session: &Session, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET last_access_at = $3, expires_at = $4 WHERE user_id = $1 AND id = $2 AND expires_at > $3",
        &[session.user_id.into(), session.id.into(), now.into(), session.expires_at.into()],
    )?;
    Ok(())
}

/// Notes that a session was used.
pub fn touch(
    tx: &mut dyn Connection,
    token_digest: &[u8],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET last_access_at = $2, expires_at = $3 WHERE token_digest = $1 AND expires_at > $2",
        &[token_digest.into(), now.into(), expires_at.into()],
    )?;
    Ok(())
}

/// Ends the session with this token. False when there is none.
pub fn end(tx: &mut dyn Connection, token_digest: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM sessions WHERE token_digest = $1", &[token_digest.into()])? == 1)
}

/// Ends one session of a user. False when there is none.
pub fn end_one(tx: &mut dyn Connection, user_id: Uuid, id: Uuid) -> Result<bool, StoreError> {
    Ok(tx.execute("DELETE FROM sessions WHERE user_id = $1 AND id = $2", &[user_id.into(), id.into()])? == 1)
}

/// Ends all sessions of a user.
pub fn end_all(tx: &mut dyn Connection, user_id: Uuid) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM sessions WHERE user_id = $1", &[user_id.into()])
}

/// Ends all sessions of a user but one.
pub fn end_others(tx: &mut dyn Connection, user_id: Uuid, id: Uuid) -> Result<u64, StoreError> {
    tx.execute("DELETE FROM sessions WHERE user_id = $1 AND id <> $2", &[user_id.into(), id.into()])
}

/// Forgets up to `limit` sessions that ended before `before`.
pub fn forget(tx: &mut dyn Connection, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE token_digest IN (
             SELECT token_digest FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
        &[before.into(), limit.into()],
    )
}

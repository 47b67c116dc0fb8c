//! Who may come in: tenants by key and secret, operators by name and password.

use crate::Edge;
use billing::{Permissions, Tenant, TenantId};
use jiff::{SignedDuration, Timestamp};
use operations::clock;
use operations::credentials::{self, Remembered};
use std::sync::Arc;
use storage::sessions::Session;
use storage::{Connection, Outcome, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// A user of the server (Kill Bill's users): he belongs to no tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// His id.
    pub id: Uuid,
    /// His name.
    pub username: String,
    /// What his roles permit.
    pub permissions: Permissions,
}

/// Credentials that were right a moment ago.
pub struct Gate {
    tenants: Remembered<Tenant>,
    operators: Remembered<Operator>,
    sessions: Remembered<(Operator, Session)>,
    /// The slow hash that credentials were right for.
    proofs: Remembered<String>,
    /// One slow hash at a time, so that memory and processors are left for those who are in.
    hashing: Hashing,
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            tenants: Remembered::default(),
            operators: Remembered::default(),
            sessions: Remembered::default(),
            proofs: Remembered::lasting(credentials::PROOF_LASTS),
            hashing: Hashing::default(),
        }
    }
}

struct Hashing {
    turn: Arc<Semaphore>,
    /// Most requests that wait for their turn; the next is told to come again.
    places: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing { turn: Arc::new(Semaphore::new(1)), places: Arc::new(Semaphore::new(256)) }
    }
}

/// The right to hash, until it is dropped.
struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Hashing {
    async fn turn(&self) -> Result<Turn, StoreError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| StoreError::Overloaded)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| StoreError::Overloaded)?;
        Ok(Turn { _place: place, _turn: turn })
    }
}

/// Does slow `work` on a thread for that. It cannot be broken off, so the turn ends with the work, and not with the
/// request whose client has hung up.
async fn do_slowly<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|error| StoreError::Engine(format!("a slow hash did not end: {error}")))
}

/// A session ends when it was not used for so long.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(1);

/// The use of a session is noted no more often than this.
const SESSION_NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);

impl Gate {
    /// Forgets all that was proven, after a password, role or tenant has changed.
    pub fn forget_all(&self) {
        self.tenants.forget_all();
        self.operators.forget_all();
        self.sessions.forget_all();
    }
}

impl Edge {
    /// The tenant with this key, if the secret is its own. In test mode its clock is read anew each time, because
    /// another node or the command line may have moved it.
    pub async fn tenant(&self, api_key: &str, api_secret: &str) -> Outcome<Option<Tenant>> {
        let digest = self.gate.tenants.digest(&[api_key.as_bytes(), api_secret.as_bytes()]);
        if let Some(mut tenant) = self.gate.tenants.recall(&digest) {
            if self.settings.test_mode {
                let tenant_id = tenant.tenant_id;
                tenant.clock_offset = self
                    .store
                    .read_point(move |tx| Ok(storage::tenants::clock_offset(tx, tenant_id)?))
                    .await?;
            }
            return Ok(Some(tenant));
        }
        let generation = self.gate.tenants.generation();
        let key = api_key.to_owned();
        let found = self.store.read_point(move |tx| Ok(storage::tenants::by_api_key(tx, &key)?)).await?;
        let Some((tenant, hash)) = found else {
            self.verify((digest, api_secret), credentials::decoy().to_owned(), || false).await?;
            return Ok(None);
        };
        let known = || self.gate.tenants.recall(&digest).is_some();
        if !self.verify((digest, api_secret), hash, known).await? {
            return Ok(None);
        }
        self.gate.tenants.remember(digest, tenant.clone(), generation);
        Ok(Some(tenant))
    }

    /// The operator with this name, if the password is his.
    pub async fn operator(&self, username: &str, password: &str) -> Outcome<Option<Operator>> {
        let digest = self.gate.operators.digest(&[username.as_bytes(), password.as_bytes()]);
        if let Some(operator) = self.gate.operators.recall(&digest) {
            return Ok(Some(operator));
        }
        let generation = self.gate.operators.generation();
        let name = username.to_owned();
        let found = self
            .store
            .read_point(move |tx| {
                let Some(user) = storage::users::by_username(tx, TenantId::SERVER, &name)? else {
                    return Ok(None);
                };
                let permissions = storage::users::permissions(tx, user.id)?;
                Ok(Some((user, permissions)))
            })
            .await?;
        let hash = found.as_ref().and_then(|(user, _)| user.password_hash.clone());
        // A name that nobody has costs as much as a wrong password.
        let hash = hash.unwrap_or_else(|| credentials::decoy().to_owned());
        let known = || self.gate.operators.recall(&digest).is_some();
        let verified = self.verify((digest, password), hash, known).await?;
        let Some((user, permissions)) = found.filter(|_| verified) else { return Ok(None) };
        let operator =
            Operator { id: user.id, username: user.username, permissions: Permissions::new(permissions) };
        self.gate.operators.remember(digest, operator.clone(), generation);
        Ok(Some(operator))
    }

    /// Opens a session for an operator who has just shown his password. Returns the token that stands for it.
    pub async fn open_session(&self, operator: &Operator, host: Option<String>) -> Outcome<String> {
        let token = credentials::random_secret();
        let now = clock::real();
        let session = Session {
            id: Uuid::new_v4(),
            user_id: operator.id,
            host,
            started_at: now,
            last_access_at: now,
            expires_at: session_end(now),
        };
        let digest = credentials::token_digest(&token);
        self.store.write(move |tx| Ok(storage::sessions::insert(tx, &digest, &session)?)).await?;
        Ok(token)
    }

    /// The session that a token stands for, and whose it is, unless it has ended. Using it keeps it open.
    pub async fn session(&self, token: &str) -> Outcome<Option<(Operator, Session)>> {
        let remembered = self.gate.sessions.digest(&[token.as_bytes()]);
        if let Some(known) = self.gate.sessions.recall(&remembered) {
            return Ok(Some(known));
        }
        let generation = self.gate.sessions.generation();
        let digest = credentials::token_digest(token);
        let now = clock::real();
        let found = self.store.read_point(move |tx| session_of(tx, &digest, now)).await?;
        let Some((operator, mut session)) = found else { return Ok(None) };
        if now.duration_since(session.last_access_at) >= SESSION_NOTED_EVERY {
            (session.last_access_at, session.expires_at) = (now, session_end(now));
            let expires_at = session.expires_at;
            self.store.write(move |tx| Ok(storage::sessions::touch(tx, &digest, now, expires_at)?)).await?;
        }
        self.gate.sessions.remember(remembered, (operator.clone(), session.clone()), generation);
        Ok(Some((operator, session)))
    }

    /// Whether a secret is the one that was hashed. Of a burst of requests with the same credentials only the first
    /// pays for the hash: the others find it `known` when their turn comes. Nor does a secret pay that was right for this
    /// very hash before; `digest` is of all the credentials.
    async fn verify(
        &self,
        (digest, secret): ([u8; 32], &str),
        hash: String,
        known: impl Fn() -> bool,
    ) -> Outcome<bool> {
        if self.gate.proofs.recall(&digest).is_some_and(|proven| proven == hash) {
            return Ok(true);
        }
        let turn = self.gate.hashing.turn().await?;
        if known() {
            return Ok(true);
        }
        let (secret, proven) = (secret.to_owned(), hash.clone());
        let is_right = do_slowly(turn, move || credentials::verify(&secret, &hash)).await?;
        if is_right {
            self.gate.proofs.remember(digest, proven, self.gate.proofs.generation());
        }
        Ok(is_right)
    }

    /// Whether a password is the one that was hashed. Without a hash it is not, and that takes as long to say.
    pub async fn is_password(&self, password: &str, hash: Option<&str>) -> Outcome<bool> {
        let turn = self.gate.hashing.turn().await?;
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        let work = move || match hash {
            Some(hash) => credentials::verify(&password, &hash),
            None => {
                credentials::verify(&password, credentials::decoy());
                false
            }
        };
        Ok(do_slowly(turn, work).await?)
    }

    /// Hashes a new password or secret when its turn has come among all that is hashed.
    pub async fn hash(&self, secret: &str) -> Outcome<String> {
        let (turn, secret) = (self.gate.hashing.turn().await?, secret.to_owned());
        Ok(do_slowly(turn, move || credentials::hash(&secret)).await??)
    }
}

fn session_end(now: Timestamp) -> Timestamp {
    now.checked_add(SESSION_IDLE).unwrap_or(now)
}

fn session_of(
    tx: &mut dyn Connection,
    digest: &[u8],
    now: Timestamp,
) -> Outcome<Option<(Operator, Session)>> {
    let Some(session) = storage::sessions::by_token(tx, digest, now)? else { return Ok(None) };
    let Some(user) = storage::users::by_id(tx, session.user_id)? else { return Ok(None) };
    if user.tenant_id != TenantId::SERVER {
        return Ok(None);
    }
    let permissions = Permissions::new(storage::users::permissions(tx, user.id)?);
    Ok(Some((Operator { id: user.id, username: user.username, permissions }, session)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn who_hangs_up_keeps_his_turn_until_his_hash_is_done() {
        let hashing = Hashing::default();
        let ((begin, has_begun), (end, may_end)) = (mpsc::channel(), mpsc::channel::<()>());
        let turn = hashing.turn().await.unwrap();
        let asked = tokio::spawn(do_slowly(turn, move || {
            begin.send(()).unwrap();
            let _ = may_end.recv();
        }));
        tokio::task::spawn_blocking(move || has_begun.recv()).await.unwrap().unwrap();
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        assert_eq!(hashing.turn.available_permits(), 0);
        assert_eq!(hashing.places.available_permits(), 255);
        end.send(()).unwrap();
        drop(hashing.turn().await.unwrap());
        assert_eq!(hashing.turn.available_permits(), 1);
        assert_eq!(hashing.places.available_permits(), 256);
    }
}

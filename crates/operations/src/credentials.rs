//! Passwords and secrets: hashed with argon2 at rest, and remembered for a short while once they were right, because
//! a slow hash a request would be all the server does.

use crate::clock;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use storage::{Connection, Outcome, api_tokens};

/// The memory of one slow hash, some 19 MB. All hashes share it, one at a time: a burst of logins would take that much
/// for each, and the allocator would keep it.
static MEMORY: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// Fills `output` with the hash of `secret`.
fn digest_slowly(argon: &Argon2<'_>, secret: &str, salt: &[u8], output: &mut [u8]) -> argon2::Result<()> {
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    memory.resize(argon.params().block_count(), Block::default());
    argon.hash_password_into_with_memory(secret.as_bytes(), salt, output, &mut memory[..])
}

/// Hashes a password or secret with argon2id and a random salt.
pub fn hash(secret: &str) -> Result<String, storage::StoreError> {
    let failed = |error: String| storage::StoreError::Corrupt(format!("argon2: {error}"));
    let argon = Argon2::default();
    let salt: [u8; 16] = rand::random();
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    digest_slowly(&argon, secret, &salt, &mut output).map_err(|error| failed(error.to_string()))?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon.params()).map_err(|error| failed(error.to_string()))?,
        salt: Some(Salt::new(&salt).map_err(|error| failed(error.to_string()))?),
        hash: Some(Output::new(&output).map_err(|error| failed(error.to_string()))?),
    };
    Ok(hash.to_string())
}

/// Whether `secret` is the one that was hashed. Takes some twenty milliseconds and compares in constant time.
pub fn verify(secret: &str, hash: &str) -> bool {
    let matches = || {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
        let argon = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
        let mut output = vec![0; expected.as_bytes().len()];
        digest_slowly(&argon, secret, salt.as_ref(), &mut output).ok()?;
        Some(Output::new(&output).ok()? == *expected)
    };
    matches().unwrap_or(false)
}

/// A hash that no secret is known for. Checking a secret against it takes as long as against a real one, so that the
/// answer for a name that nobody has takes as long as any other.
pub fn decoy() -> &'static str {
    static DECOY: LazyLock<String> = LazyLock::new(|| hash(&random_secret()).unwrap_or_default());
    &DECOY
}

/// The digest under which a token is kept. Tokens are random, so that no slow hash is needed.
pub fn token_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A password or token of 160 random bits, in base 32 digits and lower-case letters.
pub fn random_secret() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// A secret of the server, which is made when it is asked for the first time.
pub fn server_secret(tx: &mut dyn Connection, name: &str) -> Outcome<String> {
    match api_tokens::server_secret(tx, name)? {
        Some(secret) => Ok(secret),
        None => Ok(api_tokens::ensure_server_secret(tx, name, &random_secret(), clock::real())?),
    }
}

/// HMAC-SHA-256 over some parts, whose lengths count, so that no two lists of parts look alike.
pub fn keyed_digest(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => return rand::random(), // cannot be: HMAC takes keys of any length
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// How long a credential that was right is taken without hashing it again. A password that is changed or a user who is
/// deleted on another node is refused there after this long at the latest; on this node at once.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// How long it is remembered which hash a credential was right for. Within this time it is enough that the hash is still
/// the one that is kept: who was in an hour ago does not queue behind those who guess.
pub const PROOF_LASTS: Duration = Duration::from_secs(3600);

/// Most credentials remembered at a time.
const REMEMBERED_LIMIT: usize = 10_000;

/// What was proven by credentials a moment ago, found by a keyed digest of them: neither the credentials nor a plain
/// hash of them stay in memory.
pub struct Remembered<T> {
    key: [u8; 32],
    lasts: Duration,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    proven: HashMap<[u8; 32], (Instant, T)>,
    /// How often all was forgotten: what was looked up before that is not remembered after it.
    generation: u64,
}

impl<T: Clone> Default for Remembered<T> {
    fn default() -> Self {
        Remembered::lasting(REMEMBERED_FOR)
    }
}

impl<T> Remembered<T> {
    /// What is remembered for so long.
    pub fn lasting(lasts: Duration) -> Self {
        Remembered {
            key: rand::random(),
            lasts,
            entries: Mutex::new(Entries { proven: HashMap::new(), generation: 0 }),
        }
    }
}

impl<T: Clone> Remembered<T> {
    /// The keyed digest of some credentials, given in a fixed order.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        keyed_digest(&self.key, parts)
    }

    /// What the credentials with this digest proved, if that was a short while ago.
    pub fn recall(&self, digest: &[u8; 32]) -> Option<T> {
        let entries = self.lock();
        let (proven_at, what) = entries.proven.get(digest)?;
        (proven_at.elapsed() < self.lasts).then(|| what.clone())
    }

    /// To be asked before credentials are looked up, and given to [`Remembered::remember`] after.
    pub fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Remembers what credentials proved, unless all was forgotten since they were looked up.
    pub fn remember(&self, digest: [u8; 32], what: T, generation: u64) {
        let mut entries = self.lock();
        if entries.generation != generation {
            return;
        }
        if entries.proven.len() >= REMEMBERED_LIMIT {
            entries.proven.retain(|_, (proven_at, _)| proven_at.elapsed() < self.lasts);
        }
        if entries.proven.len() < REMEMBERED_LIMIT {
            entries.proven.insert(digest, (Instant::now(), what));
        }
    }

    /// Forgets all, after a password, role or tenant has changed.
    pub fn forget_all(&self) {
        let mut entries = self.lock();
        entries.proven.clear();
        entries.generation += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::{PasswordHasher, PasswordVerifier};

    #[test]
    fn only_the_right_secret_verifies() {
        let hashed = hash("lazar").unwrap();
        assert!(verify("lazar", &hashed));
        assert!(!verify("Lazar", &hashed));
        assert!(!verify("lazar", "not a hash"));
        assert!(!verify("lazar", ""));
        assert_ne!(hash("lazar").unwrap(), hashed);
    }

    #[test]
    fn hashes_are_in_the_common_format() {
        let hashed = PasswordHash::new(&hash("lazar").unwrap()).unwrap();
        assert!(Argon2::default().verify_password(b"lazar", &hashed).is_ok());
        let theirs = Argon2::default().hash_password(b"lazar").unwrap().to_string();
        assert!(verify("lazar", &theirs));
    }

    #[test]
    fn digests_do_not_run_together() {
        let remembered: Remembered<i32> = Remembered::default();
        let digest = remembered.digest(&[b"ab", b"c"]);
        let generation = remembered.generation();
        remembered.remember(digest, 7, generation);
        assert_eq!(remembered.recall(&remembered.digest(&[b"ab", b"c"])), Some(7));
        assert_eq!(remembered.recall(&remembered.digest(&[b"a", b"bc"])), None);
        remembered.forget_all();
        assert_eq!(remembered.recall(&digest), None);
        remembered.remember(digest, 7, generation);
        assert_eq!(remembered.recall(&digest), None, "it was looked up before all was forgotten");
    }
}

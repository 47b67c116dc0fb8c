//! Passwords and secrets: hashed with argon2 at rest, and remembered for a short while once they were right, because
//! a slow hash a request would be all the server does.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Hashes a password or secret with argon2id and a random salt.
pub fn hash(secret: &str) -> Result<String, storage::StoreError> {
    Argon2::default()
        .hash_password(secret.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| storage::StoreError::Corrupt(format!("argon2: {error}")))
}

/// Whether `secret` is the one that was hashed. Takes some twenty milliseconds and compares in constant time.
pub fn verify(secret: &str, hash: &str) -> bool {
    argon2::password_hash::phc::PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
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

/// How long a credential that was right is taken without hashing it again. A password that is changed or a user who is
/// deleted on another node is refused there after this long at the latest; on this node at once.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// Most credentials remembered at a time.
const REMEMBERED_LIMIT: usize = 10_000;

/// What was proven by credentials a moment ago, found by a keyed digest of them: neither the credentials nor a plain
/// hash of them stay in memory.
pub struct Remembered<T> {
    key: [u8; 32],
    entries: Mutex<HashMap<[u8; 32], (Instant, T)>>,
}

impl<T: Clone> Default for Remembered<T> {
    fn default() -> Self {
        Remembered { key: rand::random(), entries: Mutex::new(HashMap::new()) }
    }
}

impl<T: Clone> Remembered<T> {
    /// The keyed digest of some credentials, given in a fixed order.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mac) => mac,
            Err(_) => return rand::random(), // cannot be: HMAC takes keys of any length
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// What the credentials with this digest proved, if that was a short while ago.
    pub fn recall(&self, digest: &[u8; 32]) -> Option<T> {
        let entries = self.lock();
        let (proven_at, what) = entries.get(digest)?;
        (proven_at.elapsed() < REMEMBERED_FOR).then(|| what.clone())
    }

    /// Remembers what credentials proved.
    pub fn remember(&self, digest: [u8; 32], what: T) {
        let mut entries = self.lock();
        if entries.len() >= REMEMBERED_LIMIT {
            entries.retain(|_, (proven_at, _)| proven_at.elapsed() < REMEMBERED_FOR);
        }
        if entries.len() < REMEMBERED_LIMIT {
            entries.insert(digest, (Instant::now(), what));
        }
    }

    /// Forgets all, after a password, role or tenant has changed.
    pub fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], (Instant, T)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_verifies() {
        let hashed = hash("lazar").unwrap();
        assert!(verify("lazar", &hashed));
        assert!(!verify("Lazar", &hashed));
        assert!(!verify("lazar", "not a hash"));
    }

    #[test]
    fn digests_do_not_run_together() {
        let remembered: Remembered<i32> = Remembered::default();
        let digest = remembered.digest(&[b"ab", b"c"]);
        remembered.remember(digest, 7);
        assert_eq!(remembered.recall(&remembered.digest(&[b"ab", b"c"])), Some(7));
        assert_eq!(remembered.recall(&remembered.digest(&[b"a", b"bc"])), None);
        remembered.forget_all();
        assert_eq!(remembered.recall(&digest), None);
    }
}

//! The hash chain over what happened to one account: each audit record and ledger entry seals all before it.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The end of an account's chain. It stands on the account's row, so whoever writes holds it locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    length: i64,
    head: [u8; 32],
}

/// One link: where it stands, counted from one, and the hash that seals it and all before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Position in the chain, from one.
    pub position: i64,
    /// SHA-256 over the hash before it and the record.
    pub hash: [u8; 32],
}

impl Chain {
    /// The chain of an account to which nothing has happened yet.
    pub fn start(account_id: Uuid) -> Chain {
        Chain { length: 0, head: Sha256::digest(account_id.as_bytes()).into() }
    }

    /// A chain as it was stored.
    pub fn resume(length: i64, head: [u8; 32]) -> Chain {
        Chain { length, head }
    }

    /// How many links it has.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// The hash of its last link.
    pub fn head(&self) -> &[u8; 32] {
        &self.head
    }

    /// Adds a record, given as its parts in a fixed order. Lengths are hashed too, so no two records look alike.
    pub fn link(&mut self, parts: &[&[u8]]) -> Link {
        let mut hasher = Sha256::new();
        hasher.update(self.head);
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        self.head = hasher.finalize().into();
        self.length += 1;
        Link { position: self.length, hash: self.head }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_be_shifted_or_reordered() {
        let link = |parts: &[&[u8]]| Chain::start(Uuid::nil()).link(parts).hash;
        assert_ne!(link(&[b"ab", b"c"]), link(&[b"a", b"bc"]));
        assert_ne!(link(&[b"a", b"b"]), link(&[b"b", b"a"]));
        assert_eq!(link(&[b"a", b"b"]), link(&[b"a", b"b"]));
    }

    #[test]
    fn a_link_depends_on_all_before_it() {
        let mut one = Chain::start(Uuid::nil());
        let mut other = Chain::start(Uuid::nil());
        one.link(&[b"first"]);
        other.link(&[b"another"]);
        assert_ne!(one.link(&[b"second"]), other.link(&[b"second"]));
        assert_eq!(one.length(), 2);
    }
}

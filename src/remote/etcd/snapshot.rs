//! The digest at the end of a snapshot.

use sha2::{Digest as _, Sha256};

/// SHA-256 of all that is before it.
const TRAILER: usize = 32;
/// What is before it are pages of a database: etcd holds a size for one with a digest by this remainder
/// (`hasChecksum` in `etcdutl/snapshot`).
const SECTOR: u64 = 512;

/// Why something is no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Not a byte of data.
    #[error("it is empty")]
    Empty,
    /// It was cut off, or something came in between.
    #[error("{0} bytes are no pages with a digest behind them")]
    Size(u64),
    /// A byte is another.
    #[error("its digest is another")]
    Digest,
}

/// Proves a snapshot while it comes.
#[derive(Debug, Default)]
pub struct Proof {
    digest: Sha256,
    sure: u64,
    /// The last bytes, which may be the digest.
    held: Vec<u8>,
}

impl Proof {
    /// What came next.
    pub fn push(&mut self, part: &[u8]) {
        self.held.extend_from_slice(part);
        let sure = self.held.len().saturating_sub(TRAILER);
        self.digest.update(&self.held[..sure]);
        self.sure += sure as u64;
        self.held.drain(..sure);
    }

    /// All has come. Its size with the digest, in bytes.
    ///
    /// # Errors
    /// It is not what was sent.
    pub fn finish(self) -> Result<u64, Damage> {
        let size = self.sure + self.held.len() as u64;
        if self.sure == 0 {
            return Err(Damage::Empty);
        }
        if !self.sure.is_multiple_of(SECTOR) {
            return Err(Damage::Size(size));
        }
        if self.digest.finalize()[..] != self.held[..] {
            return Err(Damage::Digest);
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Vec<u8> {
        let mut data = vec![7; 1024];
        data.extend(Sha256::digest(&data));
        data
    }

    #[test]
    fn what_is_not_whole_is_no_snapshot() {
        let check = |change: fn(&mut Vec<u8>), expected: Result<u64, Damage>| {
            let mut data = whole();
            change(&mut data);
            for size in [1, 31, 32, 33, 4096] {
                let mut proof = Proof::default();
                data.chunks(size).for_each(|it| proof.push(it));
                assert_eq!(proof.finish(), expected, "in parts of {size}");
            }
        };
        check(|_| (), Ok(1056));
        check(|it| it[500] ^= 1, Err(Damage::Digest));
        check(|it| it[1050] ^= 1, Err(Damage::Digest));
        check(|it| it.truncate(1055), Err(Damage::Size(1055)));
        check(|it| it.push(0), Err(Damage::Size(1057)));
        check(|it| drop(it.drain(..512)), Err(Damage::Digest));
        check(|it| it.truncate(32), Err(Damage::Empty));
        check(Vec::clear, Err(Damage::Empty));
    }
}

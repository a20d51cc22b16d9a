//! Whether the database in a snapshot holds together, page by page.
//!
//! A digest proves that what came is what a member sent; it says nothing of a member whose own pages were damaged, and
//! `etcdutl snapshot status` says nothing of either. The format is that of bbolt (`internal/common` of
//! go.etcd.io/bbolt), which etcd opens with pages of 4 KiB on most machines; its numbers are little-endian here. Only
//! what a restore would read is held: heads of pages, tables of elements, keys, and a few values of etcd's own.

mod content;
mod meta;
mod run;
mod walk;

use std::io;

pub use self::content::Facts;
use self::content::Reading;
use self::meta::Meta;
use self::walk::Walk;

/// A page of the database, by its number.
type Number = u64;

/// Bytes that can be read anywhere.
pub trait Source {
    /// Fills all of `into` with what is at this offset.
    ///
    /// # Errors
    /// There is less, or it cannot be read.
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

/// Why it is no database that etcd could be restored from.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file itself.
    #[error("it cannot be read: {0}")]
    Unread(#[from] io::Error),
    /// One of the two first pages.
    #[error("its page {0} {1}")]
    Meta(Number, &'static str),
    /// Cut off.
    #[error("its pages are {pages} bytes, and it has {found}")]
    Size {
        /// What the first page says.
        pages: u64,
        /// What is there.
        found: u64,
    },
    /// A page of a tree.
    #[error("its page {0} {1}")]
    Page(Number, &'static str),
    /// What etcd needs is not in it.
    #[error("it has no bucket {0:?}, so it is no database of etcd")]
    Bucket(&'static str),
    /// A key that is no revision.
    #[error("its page {0} has a key that is no revision")]
    Revision(Number),
    /// A change that is not what its revision says.
    #[error("its page {0} has something else than a change at revision {1}")]
    Change(Number, u64),
}

/// Reads every page that a restore would, once, with 2 MiB and a bit for each page in memory.
///
/// `size` is that of the database in bytes, without the digest behind it.
///
/// # Errors
/// The first damage that is met.
pub fn check(source: &impl Source, size: u64) -> Result<Facts, Damage> {
    let meta = Meta::read(source, size)?;
    let mut reading = Reading::default();
    let mut walk = Walk::new(source, meta);
    // Of the tree of buckets each leaf is another tree.
    let mut buckets = Vec::new();
    walk.tree(meta.root, &mut |leaf| {
        buckets.push(leaf.bucket()?);
        Ok(())
    })?;
    for (name, bucket) in buckets {
        reading.bucket(&name);
        bucket.walk(&mut walk, &mut |leaf| reading.take(&name, leaf))?;
    }
    reading.facts(meta.high * meta.page)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use self::tests::{image, snapshot};

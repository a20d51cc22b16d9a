//! What etcd keeps in its database, as far as a restore asks for it (`server/storage/schema` of etcd).

use prost::Message as _;
use prost::bytes::Bytes;

use super::walk::Leaf;
use super::{Damage, Source};

/// Revisions and what they set.
const KEY: &str = "key";
const META: &str = "meta";
const CLUSTER: &str = "cluster";
/// Main and sub revision with a sign between them, and a mark if it deleted (`mvcc/revision.go`).
const REVISION: usize = 17;
const TOMBSTONE: &[u8] = b"t";
/// A restore that raises revisions leaves an empty change at the highest (`unsafeBumpBucketsRevision` in `etcdutl/snapshot`),
/// and everything up to it as compacted. By less nobody raises them.
const LEAST_BUMP: u64 = 1_000_000;

/// What is in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What a member that starts from it has, as etcd's `store.restore` computes it.
    pub revision: u64,
    /// How many changes of keys are kept.
    pub changes: u64,
    /// Of the cluster; a member of another minor does not start from it. Without for a cluster that never agreed on one.
    pub version: Option<(u16, u16)>,
    /// Of all pages, in bytes.
    pub size: u64,
}

#[derive(Debug, Default)]
pub(super) struct Reading {
    has_keys: bool,
    has_meta: bool,
    last: u64,
    compacted: u64,
    changes: u64,
    version: Option<(u16, u16)>,
    /// Empty changes of restores: the last one, and its page.
    raised: Option<(u64, u64)>,
}

impl Reading {
    pub(super) fn bucket(&mut self, name: &[u8]) {
        self.has_keys |= name == KEY.as_bytes();
        self.has_meta |= name == META.as_bytes();
    }

    /// A leaf of this bucket.
    pub(super) fn take<S: Source>(
        &mut self,
        bucket: &[u8],
        leaf: &Leaf<'_, S>,
    ) -> Result<(), Damage> {
        if leaf.is_bucket() {
            return Err(Damage::Page(leaf.page(), "has a bucket in a bucket"));
        }
        let revision = |bytes: &[u8]| revision(bytes).ok_or(Damage::Revision(leaf.page()));
        match (std::str::from_utf8(bucket), leaf.key) {
            (Ok(KEY), key) => {
                let (main, is_tombstone) = revision(key)?;
                let value = leaf.value()?;
                if value.is_empty() && self.last.saturating_add(LEAST_BUMP) <= main {
                    (self.last, self.raised) = (main, Some((main, leaf.page())));
                    return Ok(());
                }
                let change = KeyValue::decode(Bytes::from(value)).ok();
                if !change.is_some_and(|it| it.fits(main, is_tombstone)) {
                    return Err(Damage::Change(leaf.page(), main));
                }
                self.last = self.last.max(main);
                self.changes += 1;
            }
            (Ok(META), b"finishedCompactRev" | b"scheduledCompactRev") => {
                self.compacted = self.compacted.max(revision(&leaf.value()?)?.0);
            }
            (Ok(CLUSTER), b"clusterVersion") => self.version = version(&leaf.value()?),
            _ => {}
        }
        Ok(())
    }

    pub(super) fn facts(self, size: u64) -> Result<Facts, Damage> {
        if !self.has_keys {
            return Err(Damage::Bucket(KEY));
        }
        if !self.has_meta {
            return Err(Damage::Bucket(META));
        }
        if let Some((main, page)) = self.raised.filter(|it| self.compacted < it.0) {
            return Err(Damage::Change(page, main));
        }
        let revision = self.last.max(self.compacted).max(1);
        Ok(Facts { revision, changes: self.changes, version: self.version, size })
    }
}

/// What a change set (`mvccpb.KeyValue`).
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) key: Bytes,
    #[prost(int64, tag = "2")]
    pub(super) created: i64,
    #[prost(int64, tag = "3")]
    pub(super) modified: i64,
    #[prost(int64, tag = "4")]
    pub(super) version: i64,
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) value: Bytes,
    #[prost(int64, tag = "6")]
    pub(super) lease: i64,
}

impl KeyValue {
    /// Whether it is what stands at this revision; one that was deleted has its key only.
    fn fits(&self, revision: u64, is_tombstone: bool) -> bool {
        if self.key.is_empty() {
            return false;
        }
        if is_tombstone {
            return *self == Self { key: self.key.clone(), ..Self::default() };
        }
        let is_own = u64::try_from(self.modified).is_ok_and(|it| it == revision);
        is_own && (1..=self.modified).contains(&self.created) && 1 <= self.version
    }
}

/// The main revision, and whether it is that of a key that was deleted.
fn revision(bytes: &[u8]) -> Option<(u64, bool)> {
    let (revision, mark) = bytes.split_at_checked(REVISION)?;
    if revision[8] != b'_' || !(mark.is_empty() || mark == TOMBSTONE) {
        return None;
    }
    // Neither is ever negative: they are signed there.
    let number = |it: &[u8]| it.try_into().ok().map(i64::from_be_bytes);
    let (main, sub) = (number(&revision[..8])?, number(&revision[9..])?);
    let main = u64::try_from(main).ok().filter(|_| 0 <= sub)?;
    Some((main, !mark.is_empty()))
}

fn version(text: &[u8]) -> Option<(u16, u16)> {
    let mut numbers = std::str::from_utf8(text).ok()?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

//! Through the trees, each page once.

use super::meta::{Meta, u64_at};
use super::run::{Content, Run};
use super::{Damage, Number, Source};

/// A tree of 64-bit page numbers with two keys a page is not deeper.
const DEEPEST: usize = 64;
/// What stands before a page in the value of a bucket: its root, and a counter.
const BUCKET_HEAD: u64 = 16;
/// Longest value that is held; etcd takes requests of 1.5 MiB if nothing else is asked (`DefaultMaxRequestBytes`).
const MOST_VALUE: u64 = 32 << 20;

/// What is done with each leaf.
pub(super) type Visit<'v, S> = dyn FnMut(&Leaf<'_, S>) -> Result<(), Damage> + 'v;

/// A key and its value.
pub(super) struct Leaf<'a, S> {
    run: &'a Run<'a, S>,
    pub(super) key: &'a [u8],
    at: u64,
    size: u64,
    is_bucket: bool,
}

/// Where the tree of a bucket begins.
pub(super) enum Bucket {
    /// At a page.
    Root(Number),
    /// In the value itself: in which page it is, where it begins in the source, and its length.
    Inside { number: Number, offset: u64, size: u64 },
}

impl<S: Source> Leaf<'_, S> {
    pub(super) fn page(&self) -> Number {
        self.run.number
    }

    /// The value of a key.
    pub(super) fn value(&self) -> Result<Vec<u8>, Damage> {
        if MOST_VALUE < self.size {
            return Err(Damage::Page(self.page(), "has a value larger than any request"));
        }
        self.run.bytes(self.at, self.size)
    }

    /// A value of the tree of buckets; there is no bucket below it, and nothing but buckets in it.
    pub(super) fn bucket(&self) -> Result<(Vec<u8>, Bucket), Damage> {
        if !self.is_bucket || self.size < BUCKET_HEAD {
            return Err(Damage::Page(self.page(), "has something else than a bucket"));
        }
        let root = u64_at(&self.run.bytes(self.at, 8)?, 0);
        let (offset, size) = (self.run.offset(self.at + BUCKET_HEAD), self.size - BUCKET_HEAD);
        let bucket = match root {
            0 => Bucket::Inside { number: self.page(), offset, size },
            _ if size == 0 => Bucket::Root(root),
            _ => return Err(Damage::Page(self.page(), "has a bucket in two places")),
        };
        Ok((self.key.to_vec(), bucket))
    }

    pub(super) fn is_bucket(&self) -> bool {
        self.is_bucket
    }
}

impl Bucket {
    pub(super) fn walk<S: Source>(
        &self,
        walk: &mut Walk<'_, S>,
        visit: &mut Visit<'_, S>,
    ) -> Result<(), Damage> {
        match *self {
            Self::Root(root) => walk.tree(root, visit),
            Self::Inside { number, offset, size } => {
                let run = Run::inside(walk.source, number, offset, size)?;
                leaves(&run, (None, None), visit)
            }
        }
    }
}

/// Which pages were met.
pub(super) struct Walk<'a, S> {
    source: &'a S,
    meta: Meta,
    met: Vec<u64>,
}

/// Between which keys a page has its own: from the first on, before the second.
type Bounds<'b> = (Option<&'b [u8]>, Option<&'b [u8]>);

impl<'a, S: Source> Walk<'a, S> {
    pub(super) fn new(source: &'a S, meta: Meta) -> Self {
        let words = usize::try_from(meta.high.div_ceil(64)).unwrap_or(usize::MAX);
        Self { source, meta, met: vec![0; words] }
    }

    /// Visits every leaf of a tree in the order of the keys.
    pub(super) fn tree(&mut self, root: Number, visit: &mut Visit<'_, S>) -> Result<(), Damage> {
        self.below(root, (None, None), DEEPEST, visit)
    }

    fn below(
        &mut self,
        number: Number,
        bounds: Bounds<'_>,
        depth: usize,
        visit: &mut Visit<'_, S>,
    ) -> Result<(), Damage> {
        let damage = |why| Err(Damage::Page(number, why));
        let Some(depth) = depth.checked_sub(1) else { return damage("is deeper than any tree") };
        if number < 2 || self.meta.high <= number {
            return damage("is named in a tree, and is no page of one");
        }
        let run = Run::read(self.source, self.meta, number)?;
        if run.count() == 0 && (run.is_branch() || bounds != (None, None)) {
            return damage("is empty, and not the whole tree");
        }
        for it in number..=number + run.more {
            self.meet(it)?;
        }
        if !run.is_branch() {
            return leaves(&run, bounds, visit);
        }
        let mut current = child(&run, 0)?;
        inside(&run, &current.0, bounds, None)?;
        for index in 1..=run.count() {
            let next = if index < run.count() { Some(child(&run, index)?) } else { None };
            if let Some((key, _)) = &next {
                inside(&run, key, bounds, Some(&current.0))?;
            }
            let until = next.as_ref().map(|it| it.0.as_slice()).or(bounds.1);
            self.below(current.1, (Some(&current.0), until), depth, visit)?;
            let Some(next) = next else { break };
            current = next;
        }
        Ok(())
    }

    fn meet(&mut self, number: Number) -> Result<(), Damage> {
        let bit = 1 << (number % 64);
        let word = usize::try_from(number / 64).ok().and_then(|it| self.met.get_mut(it));
        match word {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                Ok(())
            }
            _ => Err(Damage::Page(number, "is in two places of the trees")),
        }
    }
}

fn child<S: Source>(run: &Run<'_, S>, index: u64) -> Result<(Vec<u8>, Number), Damage> {
    match run.get(index)? {
        (key, Content::Below(number)) => Ok((key, number)),
        (_, Content::Value { .. }) => Err(Damage::Page(run.number, "is no branch")),
    }
}

fn leaves<S: Source>(
    run: &Run<'_, S>,
    bounds: Bounds<'_>,
    visit: &mut Visit<'_, S>,
) -> Result<(), Damage> {
    let mut before: Option<Vec<u8>> = None;
    for index in 0..run.count() {
        let (key, Content::Value { at, size, is_bucket }) = run.get(index)? else {
            return Err(Damage::Page(run.number, "is no leaf"));
        };
        inside(run, &key, bounds, before.as_deref())?;
        visit(&Leaf { run, key: &key, at, size, is_bucket })?;
        before = Some(key);
    }
    Ok(())
}

/// A key is behind the one before it, and between the bounds.
fn inside<S>(
    run: &Run<'_, S>,
    key: &[u8],
    bounds: Bounds<'_>,
    before: Option<&[u8]>,
) -> Result<(), Damage> {
    let is_late = bounds.0.is_none_or(|it| it <= key) && before.is_none_or(|it| it < key);
    if is_late && bounds.1.is_none_or(|it| key < it) {
        return Ok(());
    }
    Err(Damage::Page(run.number, "has keys in another order"))
}

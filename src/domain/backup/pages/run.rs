//! A page with those that go on with it: a head, a table of elements, and behind it their keys and values.

use super::meta::{Meta, u16_at, u32_at, u64_at};
use super::{Damage, Number, Source};

const HEAD: u64 = 16;
const ELEMENT: u64 = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const BUCKET: u32 = 0x01;
/// Longest key of bbolt (`MaxKeySize`).
const LONGEST_KEY: u64 = 32768;
/// What is held of a run: a table has at most 65,535 elements.
const HELD: u64 = HEAD + 65535 * ELEMENT;

/// Where an element of a page leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// To a page below.
    Below(Number),
    /// To a value: where it is in the run, how long, and whether it is a bucket.
    Value { at: u64, size: u64, is_bucket: bool },
}

/// A page that is known to be one of a tree.
pub(super) struct Run<'a, S> {
    source: &'a S,
    pub(super) number: Number,
    /// Where it begins in the source.
    offset: u64,
    size: u64,
    held: Vec<u8>,
    is_branch: bool,
    /// Pages that go on with it.
    pub(super) more: u64,
}

impl<'a, S: Source> Run<'a, S> {
    /// The page of this number.
    pub(super) fn read(source: &'a S, meta: Meta, number: Number) -> Result<Self, Damage> {
        let offset = number * meta.page;
        let mut head = [0; 16];
        source.read(offset, &mut head)?;
        let more = u64::from(u32_at(&head, 12));
        if u64_at(&head, 0) != number {
            return Err(Damage::Page(number, "has the number of another"));
        }
        if number + more >= meta.high {
            return Err(Damage::Page(number, "goes on behind the end"));
        }
        let run = Self::begin(source, number, offset, (more + 1) * meta.page)?;
        // bbolt takes so many pages as the content needs.
        let used = run.used()?;
        if used.div_ceil(meta.page) != more + 1 {
            return Err(Damage::Page(number, "has another length than its content"));
        }
        Ok(Self { more, ..run })
    }

    /// A page in the value of a bucket, of so many bytes; it has no number of its own.
    pub(super) fn inside(
        source: &'a S,
        number: Number,
        offset: u64,
        size: u64,
    ) -> Result<Self, Damage> {
        if size < HEAD {
            return Err(Damage::Page(number, "has a bucket without a page"));
        }
        let run = Self::begin(source, number, offset, size)?;
        if run.is_branch || u64_at(&run.held, 0) != 0 || run.used()? != size {
            return Err(Damage::Page(number, "has a bucket with another page than a leaf"));
        }
        Ok(run)
    }

    fn begin(source: &'a S, number: Number, offset: u64, size: u64) -> Result<Self, Damage> {
        let mut held = vec![0; usize::try_from(size.min(HELD)).unwrap_or_default()];
        source.read(offset, &mut held)?;
        let is_branch = match u16_at(&held, 8) {
            BRANCH => true,
            LEAF => false,
            _ => return Err(Damage::Page(number, "is neither a branch nor a leaf")),
        };
        let run = Self { source, number, offset, size, held, is_branch, more: 0 };
        if HEAD + run.count() * ELEMENT > size {
            return Err(Damage::Page(number, "has more elements than fit"));
        }
        Ok(run)
    }

    pub(super) fn is_branch(&self) -> bool {
        self.is_branch
    }

    pub(super) fn count(&self) -> u64 {
        u16_at(&self.held, 10).into()
    }

    /// Bytes up to the end of the last value.
    fn used(&self) -> Result<u64, Damage> {
        let mut end = HEAD + self.count() * ELEMENT;
        for index in 0..self.count() {
            end = self.place(index, end)?.1;
        }
        Ok(end)
    }

    /// Where the key of an element ends, and its value. bbolt writes one behind the other, and so they lie.
    fn place(&self, index: u64, expected: u64) -> Result<(u64, u64), Damage> {
        let damage = |why| Err(Damage::Page(self.number, why));
        let (at, key, value) = self.element(index);
        if at != expected {
            return damage("has elements that do not lie one behind the other");
        }
        if !(1..=LONGEST_KEY).contains(&key) {
            return damage("has a key of a length that no key has");
        }
        let end = at + key + value;
        if end > self.size {
            return damage("has an element behind its end");
        }
        Ok((at + key, end))
    }

    /// Begin and length of a key, and the length of its value.
    fn element(&self, index: u64) -> (u64, u64, u64) {
        let start = HEAD + index * ELEMENT;
        let table = usize::try_from(start).unwrap_or(usize::MAX);
        let number = |it: usize| u64::from(u32_at(&self.held, table + it));
        if self.is_branch {
            (start + number(0), number(4), 0)
        } else {
            (start + number(4), number(8), number(12))
        }
    }

    /// The key of an element, and where it leads. Its place was looked at before.
    pub(super) fn get(&self, index: u64) -> Result<(Vec<u8>, Content), Damage> {
        let (at, key, value) = self.element(index);
        let name = self.bytes(at, key)?;
        let table = usize::try_from(HEAD + index * ELEMENT).unwrap_or(usize::MAX);
        if self.is_branch {
            return Ok((name, Content::Below(u64_at(&self.held, table + 8))));
        }
        let is_bucket = match u32_at(&self.held, table) {
            0 => false,
            BUCKET => true,
            _ => return Err(Damage::Page(self.number, "has an element of no kind")),
        };
        Ok((name, Content::Value { at: at + key, size: value, is_bucket }))
    }

    /// What is at this place of the run.
    pub(super) fn bytes(&self, at: u64, size: u64) -> Result<Vec<u8>, Damage> {
        let range = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
        if let Some(found) = self.held.get(range(at)..range(at + size)) {
            return Ok(found.to_vec());
        }
        let mut found = vec![0; range(size)];
        self.source.read(self.offset + at, &mut found)?;
        Ok(found)
    }

    /// Where in the source this place is.
    pub(super) fn offset(&self, at: u64) -> u64 {
        self.offset + at
    }
}

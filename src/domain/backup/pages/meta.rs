//! The two first pages, which say where the trees begin.

use super::{Damage, Number, Source};

const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;
/// The flag of such a page.
const FLAG: u16 = 0x04;
/// Page sizes are powers of two, as those of the machines; the limits are those of bbolt's own tools.
const SIZES: std::ops::RangeInclusive<u32> = 1024..=65536;
const HEAD: usize = 16;
/// Of what is in the page, the checksum being the last eight.
const BYTES: usize = 64;

/// What is read of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    /// Bytes of a page.
    pub(super) page: u64,
    /// The root of the tree of buckets.
    pub(super) root: Number,
    /// The first page that is not there.
    pub(super) high: Number,
    transaction: u64,
}

impl Meta {
    /// Both are whole: a snapshot has them from one transaction (`Tx.WriteTo`), the second one numbered before it.
    pub(super) fn read(source: &impl Source, size: u64) -> Result<Self, Damage> {
        let first = one(source, 0, 0)?;
        let second = one(source, 1, first.page)?;
        let expected = Self { transaction: first.transaction.wrapping_sub(1), ..first };
        if second != expected {
            return Err(Damage::Meta(1, "is of another transaction than the one before it"));
        }
        if first.root < 2 || first.root >= first.high {
            return Err(Damage::Meta(0, "names a root that is no page"));
        }
        match first.high.checked_mul(first.page) {
            Some(pages) if pages <= size => Ok(first),
            pages => Err(Damage::Size { pages: pages.unwrap_or(u64::MAX), found: size }),
        }
    }
}

fn one(source: &impl Source, number: Number, offset: u64) -> Result<Meta, Damage> {
    let damage = |why| Err(Damage::Meta(number, why));
    let mut bytes = [0; HEAD + BYTES];
    source.read(offset, &mut bytes)?;
    let (head, meta) = bytes.split_at(HEAD);
    // It has no elements, and no page goes on with it.
    let is_alone = u16_at(head, 10) == 0 && u32_at(head, 12) == 0;
    if u64_at(head, 0) != number || u16_at(head, 8) != FLAG || !is_alone {
        return damage("is none that says where the others are");
    }
    if u32_at(meta, 0) != MAGIC || u32_at(meta, 4) != VERSION {
        return damage("has not the sign of bbolt");
    }
    if u64_at(meta, 56) != fnv(&meta[..56]) {
        return damage("has another checksum");
    }
    let page = u32_at(meta, 8);
    if !SIZES.contains(&page) || !page.is_power_of_two() {
        return damage("has a page size that no machine has");
    }
    Ok(Meta {
        page: page.into(),
        root: u64_at(meta, 16),
        high: u64_at(meta, 40),
        transaction: u64_at(meta, 48),
    })
}

/// FNV-1a of 64 bits, as Go's `fnv.New64a` (RFC 9923 gives the constants).
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A number at this place of a slice that is long enough; zero where it is not.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..at + N).and_then(|it| it.try_into().ok()).unwrap_or([0; N])
}

//! Pages made by hand; real snapshots are in `tests/etcd`.

use std::io;

use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::content::KeyValue;
use super::meta::fnv;
use super::{Damage, Facts, Source, check};
use crate::domain::chance::Rng;

const PAGE: usize = 4096;

impl Source for Vec<u8> {
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let found = self.get(start..start + into.len());
        into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A page of a tree, or what is in the value of a bucket.
fn page(number: u64, is_branch: bool, elements: &[(u32, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend(if is_branch { 1_u16 } else { 2 }.to_le_bytes());
    bytes.extend(u16::try_from(elements.len()).unwrap().to_le_bytes());
    bytes.extend([0; 4]);
    let mut content = Vec::new();
    for (index, (flags, key, value)) in elements.iter().enumerate() {
        let at = 16 * (elements.len() - index) + content.len();
        let [at, key_size, value_size] =
            [at, key.len(), value.len()].map(|it| u32::try_from(it).unwrap());
        content.extend_from_slice(key);
        if is_branch {
            bytes.extend([at, key_size].map(u32::to_le_bytes).concat());
            bytes.extend_from_slice(value);
        } else {
            bytes.extend([*flags, at, key_size, value_size].map(u32::to_le_bytes).concat());
            content.extend_from_slice(value);
        }
    }
    bytes.extend(content);
    bytes
}

fn leaf(key: &[u8], value: &[u8]) -> (u32, Vec<u8>, Vec<u8>) {
    (0, key.to_vec(), value.to_vec())
}

fn bucket(name: &str, root: u64, inside: &[u8]) -> (u32, Vec<u8>, Vec<u8>) {
    let head = [root.to_le_bytes(), [0; 8]].concat();
    (1, name.into(), [&head, inside].concat())
}

fn revision(main: i64) -> Vec<u8> {
    [&main.to_be_bytes()[..], b"_", &[0; 8]].concat()
}

fn change(main: i64, size: usize) -> (u32, Vec<u8>, Vec<u8>) {
    let value = KeyValue {
        key: "/a".into(),
        created: 1,
        modified: main,
        version: 1,
        value: vec![7; size].into(),
        lease: 0,
    };
    leaf(&revision(main), &value.encode_to_vec())
}

fn meta(number: u64, transaction: u64, high: u64) -> Vec<u8> {
    let mut bytes = [0xED0C_DAED_u32, 2, 4096, 0].map(u32::to_le_bytes).concat();
    bytes.extend([2, 0, u64::MAX, high, transaction].map(u64::to_le_bytes).concat());
    let checksum = fnv(&bytes);
    bytes.extend(checksum.to_le_bytes());
    let head = [number.to_le_bytes(), (4_u64).to_le_bytes()].concat();
    [head, bytes].concat()
}

/// [`image`] with its digest behind it, as a member sends it.
pub(crate) fn snapshot() -> Vec<u8> {
    let mut data = image();
    data.extend(Sha256::digest(&data));
    data
}

/// 2: buckets; 3: branch of `key`; 4, and 5 with 6: its leaves; 7 is free.
pub(crate) fn image() -> Vec<u8> {
    let compacted = page(0, false, &[leaf(b"finishedCompactRev", &revision(3))]);
    let version = page(0, false, &[leaf(b"clusterVersion", b"3.6.0")]);
    let buckets =
        [bucket("cluster", 0, &version), bucket("key", 3, b""), bucket("meta", 0, &compacted)];
    let below = |first: i64, number: u64| (0, revision(first), number.to_le_bytes().to_vec());
    let deleted = KeyValue { key: "/a".into(), ..Default::default() };
    let tombstone = leaf(&[&revision(9)[..], b"t"].concat(), &deleted.encode_to_vec());
    let mut long = page(5, false, &[change(7, 10), change(8, 5000), tombstone]);
    long[12] = 1;
    let pages = [
        meta(0, 12, 8),
        meta(1, 11, 8),
        page(2, false, &buckets),
        page(3, true, &[below(4, 4), below(7, 5)]),
        page(4, false, &[change(4, 10), change(5, 10), change(6, 10)]),
        long,
        vec![0xEE; PAGE],
    ];
    let mut image = Vec::new();
    for page in pages {
        image.extend_from_slice(&page);
        image.resize(image.len().next_multiple_of(PAGE), 0);
    }
    assert_eq!(image.len(), 8 * PAGE);
    image
}

fn checked(image: &Vec<u8>) -> Result<Facts, Damage> {
    check(image, image.len() as u64)
}

#[test]
fn what_a_restore_would_start_with_is_told() {
    let facts = Facts { revision: 9, changes: 6, version: Some((3, 6)), size: 8 * 4096 };
    assert_eq!(checked(&image()).unwrap(), facts);
    // What lies behind the pages belongs to nobody.
    let mut longer = image();
    longer.resize(9 * PAGE, 1);
    assert_eq!(checked(&longer).unwrap(), facts);
}

/// As `etcdutl snapshot restore` leaves it that raises revisions.
#[test]
fn an_empty_change_far_beyond_the_last_is_that_of_a_restore() {
    let with = |raised: i64, compacted: i64| {
        let compacted = page(0, false, &[leaf(b"scheduledCompactRev", &revision(compacted))]);
        let keys = page(3, false, &[change(4, 10), leaf(&revision(raised), b"")]);
        let buckets = [bucket("key", 3, b""), bucket("meta", 0, &compacted)];
        let mut image = Vec::new();
        for page in [meta(0, 12, 4), meta(1, 11, 4), page(2, false, &buckets), keys] {
            image.extend_from_slice(&page);
            image.resize(image.len().next_multiple_of(PAGE), 0);
        }
        checked(&image).map(|it| (it.revision, it.changes)).map_err(|it| it.to_string())
    };
    assert_eq!(with(1_000_000_004, 1_000_000_004), Ok((1_000_000_004, 1)));
    let told = |at| Err(format!("its page 3 has something else than a change at revision {at}"));
    assert_eq!(with(1_000_000_004, 1_000_000_003), told(1_000_000_004));
    assert_eq!(with(5, 5), told(5));
}

fn put(image: &mut [u8], page: usize, at: usize, bytes: &[u8]) {
    let start = page * PAGE + at;
    image[start..start + bytes.len()].copy_from_slice(bytes);
}

#[test]
fn each_damage_is_told() {
    let check = |change: fn(&mut Vec<u8>), expected: &str| {
        let mut image = image();
        change(&mut image);
        assert_eq!(checked(&image).unwrap_err().to_string(), expected);
    };
    check(Vec::clear, "it cannot be read: unexpected end of file");
    check(|it| it.truncate(7 * PAGE), "its pages are 32768 bytes, and it has 28672");
    check(|it| it[PAGE + 60] ^= 1, "its page 1 has another checksum");
    check(|it| it[16] ^= 1, "its page 0 has not the sign of bbolt");
    check(|it| it[8] = 2, "its page 0 is none that says where the others are");
    check(
        |it| put(it, 1, 0, &meta(1, 12, 8)),
        "its page 1 is of another transaction than the one before it",
    );
    check(|it| put(it, 4, 0, &[5]), "its page 4 has the number of another");
    check(|it| put(it, 4, 8, &[9]), "its page 4 is neither a branch nor a leaf");
    check(|it| put(it, 5, 12, &[3]), "its page 5 goes on behind the end");
    check(|it| put(it, 5, 12, &[2]), "its page 5 has another length than its content");
    check(|it| put(it, 4, 10, &[0xFF, 0xFF]), "its page 4 has more elements than fit");
    check(|it| put(it, 4, 10, &[0, 0]), "its page 4 is empty, and not the whole tree");
    check(|it| put(it, 4, 16, &[1]), "its page 4 has a bucket in a bucket");
    check(|it| put(it, 2, 16, &[0]), "its page 2 has something else than a bucket");
    check(|it| put(it, 4, 24, &[0]), "its page 4 has a key of a length that no key has");
    check(
        |it| put(it, 4, 24, &[18]),
        "its page 4 has elements that do not lie one behind the other",
    );
    check(|it| put(it, 4, 62, &[0xFF]), "its page 4 has an element behind its end");
    check(|it| put(it, 3, 24, &[5]), "its page 5 has keys in another order");
    check(|it| put(it, 3, 24, &[1]), "its page 1 is named in a tree, and is no page of one");
    check(|it| put(it, 3, 40, &[4]), "its page 4 is in two places of the trees");
    check(|it| put(it, 4, 150, b"~"), "its page 4 has a key that is no revision");
    check(|it| put(it, 5, 88, &[8]), "its page 5 has something else than a change at revision 7");
}

#[test]
fn a_bit_that_is_another_in_what_holds_the_pages_together_is_found() {
    let whole = image();
    // Heads and tables.
    let structure = [(0, 80), (1, 80), (2, 64), (3, 48), (4, 64), (5, 64)];
    for (page, size) in structure {
        for at in page * PAGE..page * PAGE + size {
            for bit in 0..8 {
                let mut image = whole.clone();
                image[at] ^= 1 << bit;
                // The last key of a branch that is shorter leads where it led.
                let found = checked(&image);
                let is_harmless = (page, at % PAGE) == (3, 36);
                assert!(is_harmless || found.is_err(), "bit {bit} of byte {at}: {found:?}");
            }
        }
    }
}

#[test]
fn whatever_the_bytes_are_it_ends() {
    let (whole, mut chance) = (image(), Rng(20_261_129));
    for _ in 0..20_000 {
        let mut image = whole.clone();
        for _ in 0..=chance.below(8) {
            let at = chance.below(6 * PAGE);
            image[at] = u8::try_from(chance.below(256)).unwrap();
        }
        // Valid checksums, so that what they guard is read.
        for page in [0, PAGE] {
            let checksum = fnv(&image[page + 16..page + 72]);
            image[page + 72..page + 80].copy_from_slice(&checksum.to_le_bytes());
        }
        let _ = checked(&image);
    }
}

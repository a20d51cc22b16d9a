//! What lies in a directory or a bucket, put together to snapshots by the names of files.

use std::collections::BTreeMap;

use super::manifest::{Compression, MANIFEST, Manifest};
use super::retention::{Kept, Retention, forget};
use super::schedule::{Moment, Schedule, unstamp};
use super::settings::is_of;

/// Of the digest in the name of an object, in hexadecimal digits.
const DIGITS: usize = 16;

/// A snapshot that lies somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Of its files, without their ends.
    pub name: String,
    /// Its files, and how many bytes each of them has.
    pub files: BTreeMap<String, u64>,
    /// Why it does not count is said in words.
    pub manifest: Result<Manifest, String>,
}

/// The snapshots of a backup of a cluster that these files are of, by name; an empty name is that of any. A file of
/// somebody else is of none.
pub fn together(
    files: impl IntoIterator<Item = (String, u64)>,
    (cluster, backup): (&str, &str),
) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut found: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (file, size) in files {
        if let Some(name) = snapshot_of(&file).filter(|it| is_of(it, cluster, backup)) {
            found.entry(name.to_owned()).or_default().insert(file, size);
        }
    }
    found
}

/// In a bucket the digest stands before the end.
fn snapshot_of(file: &str) -> Option<&str> {
    let whole = Compression::before_end(file).or_else(|| file.strip_suffix(MANIFEST))?;
    let is_digest = |it: &str| it.len() == DIGITS && it.bytes().all(|it| it.is_ascii_hexdigit());
    match whole.rsplit_once('.') {
        Some((name, digest)) if is_digest(digest) => Some(name),
        _ => Some(whole),
    }
}

/// The name of the data in a bucket. What has other bytes has another name, so nothing takes the place of anything.
pub fn object(manifest: &Manifest) -> String {
    let digest = manifest.sha256.get(..DIGITS).unwrap_or(&manifest.sha256);
    format!("{}.{digest}{}", manifest.name, manifest.compression.end())
}

impl Found {
    /// By the text of its manifest, if it has one; `data` tells what its data is called.
    pub fn of(
        name: String,
        files: BTreeMap<String, u64>,
        text: Option<&[u8]>,
        data: fn(&Manifest) -> String,
    ) -> Self {
        let judge = || {
            let text = text.ok_or_else(|| "it has no manifest".to_owned())?;
            let manifest = Manifest::parse(text, &name)
                .map_err(|fault| format!("its manifest cannot be used: {fault}"))?;
            match files.get(&data(&manifest)) {
                None => Err("its data is gone".to_owned()),
                Some(size) if *size != manifest.size => {
                    Err(format!("it has {size} bytes instead of {}", manifest.size))
                }
                Some(_) => Ok(manifest),
            }
        };
        let manifest = judge();
        Self { name, files, manifest }
    }

    /// Its files in the order in which they go.
    pub fn leaving(&self) -> Vec<&str> {
        leaving(self.files.keys())
    }
}

/// The files of a snapshot in the order in which they go: the data first, so that what is left never counts.
pub fn leaving<'a>(files: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut files: Vec<_> = files.into_iter().map(String::as_str).collect();
    files.sort_by_key(|it| it.ends_with(MANIFEST));
    files
}

/// Which of these may go by [`forget`].
pub fn surplus<'a>(
    retention: &Retention,
    schedule: &Schedule,
    all: &'a [Found],
) -> impl Iterator<Item = &'a Found> {
    let kept = |it: &Found| match &it.manifest {
        Ok(manifest) => Kept { at: manifest.covers(), is_verified: true },
        // When it was taken is told by what is beside it alone; its name says so, too.
        Err(_) => Kept { at: moment(&it.name), is_verified: false },
    };
    let kept: Vec<_> = all.iter().map(kept).collect();
    forget(retention, schedule, &kept).into_iter().map(|it| &all[it])
}

/// From the end of a name. One that says none is as old as can be.
fn moment(name: &str) -> Moment {
    unstamp(name.rsplit('.').next().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::stamp;

    const DIGEST: &str = "0123456789abcdef0123";

    fn manifest(name: &str) -> Manifest {
        let name = name.to_owned();
        Manifest { name, size: 4, sha256: DIGEST.to_owned(), ..Manifest::empty() }
    }

    #[test]
    fn files_are_put_together_by_their_names() {
        let files = ["p.n.1.json", "p.n.1.db.zst", "p.n.1.0123456789abcdef.db", "p.n.2.db"];
        let others =
            ["p.m.1.json", "q.n.1.json", "p.n.1.json.old", "readme", "p.n.x.y.db", ".json"];
        let all = || files.iter().chain(&others).map(|it| ((*it).to_owned(), 4));
        let found = together(all(), ("p", "n"));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["p.n.1", "p.n.2"]);
        assert_eq!(found["p.n.1"].len(), 3);
        assert_eq!(together(all(), ("", "")).len(), 4);
        assert_eq!(object(&manifest("p.n.1")), "p.n.1.0123456789abcdef.db.zst");
    }

    #[test]
    fn what_does_not_count_says_why() {
        let check = |files: &[&str], text: Option<&str>, expected: &str| {
            let files = files.iter().map(|it| ((*it).to_owned(), 4)).collect();
            let found = Found::of("p.n.1".to_owned(), files, text.map(str::as_bytes), object);
            assert_eq!(found.manifest.clone().map_or_else(|it| it, |it| it.name), expected);
            assert!(found.leaving().iter().rev().skip(1).all(|it| !it.ends_with(MANIFEST)));
        };
        let (data, beside) = ("p.n.1.0123456789abcdef.db.zst", "p.n.1.json");
        let whole = manifest("p.n.1").print().unwrap();
        check(&[data, beside], Some(&whole), "p.n.1");
        check(&[data], None, "it has no manifest");
        check(&[beside], Some(&whole), "its data is gone");
        // Of another attempt, whose manifest did not come.
        check(&["p.n.1.ffffffffffffffff.db.zst", beside], Some(&whole), "its data is gone");
        let longer = Manifest { size: 5, ..manifest("p.n.1") }.print().unwrap();
        check(&[data, beside], Some(&longer), "it has 4 bytes instead of 5");
        let other = manifest("p.n.2").print().unwrap();
        let expected = "its manifest cannot be used: it is the manifest of \"p.n.2\"";
        check(&[data, beside], Some(&other), expected);
    }

    #[test]
    fn a_name_tells_of_when_it_is() {
        assert_eq!(moment("prod.nightly.19700101T000102Z"), 62);
        assert_eq!(moment(&format!("p.n.{}", stamp(1_796_004_000))), 1_796_004_000);
        assert_eq!(moment("p.n.else"), 0);
    }
}

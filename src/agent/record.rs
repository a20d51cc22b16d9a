//! Records: what a host says about itself, opaque to the agent but for the number of their format, and for who uses a
//! cluster of etcd, which goes into the manifests of its snapshots.

use rustix::fs::{Dir, Mode};

use super::fault::Fault;
use super::files::look;
use super::files::owner::Owner;
use super::files::put::{Wanted, put};
use super::files::remove::remove;
use super::place::{OWN, Root};
use super::{name, state};
use crate::proto::agent::Record;
use crate::proto::agent::file::Kind;

const FOLDER: &str = "records";
const MOST_BYTES: u64 = 1 << 20;
const HEAD: &[u8] = b"format ";

/// Writes a record as a whole. True when it was another.
pub(super) fn put_record(root: &Root, record: &Record) -> Result<bool, Fault> {
    name::file("record", &record.name)?;
    let content = [format!("format {}\n", record.format).as_bytes(), &record.content].concat();
    if content.len() as u64 > MOST_BYTES {
        return Err(Fault::Invalid(format!("a record is at most {MOST_BYTES} bytes long")));
    }
    let mode = Mode::RUSR | Mode::WUSR;
    let wanted = Wanted { content: &content, mode, owner: Owner::of_agent() };
    put(&state::place(root, FOLDER, &record.name)?, wanted)
}

/// Removes a record. True when there was one.
pub(super) fn remove_record(root: &Root, record: &str) -> Result<bool, Fault> {
    name::file("record", record)?;
    state::find(root, FOLDER, record)?.map_or(Ok(false), |it| remove(&it, false))
}

/// The records with these names, as far as they exist, or all.
pub(super) fn get_records(root: &Root, names: &[String]) -> Result<Vec<Record>, Fault> {
    let names = if names.is_empty() { all(root)? } else { names.to_vec() };
    let records = names.iter().map(|it| get(root, it));
    Ok(records.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn get(root: &Root, record: &str) -> Result<Option<Record>, Fault> {
    name::file("record", record)?;
    let Some(place) = state::find(root, FOLDER, record)? else { return Ok(None) };
    let (seen, content) = look::read(&place, MOST_BYTES)?;
    if seen.kind() == Kind::Absent {
        return Ok(None);
    }
    let (format, content) =
        parse(&content).ok_or_else(|| Fault::Refused(format!("{} is no record", place.path())))?;
    let content = content.to_vec().into();
    Ok(Some(Record { name: record.to_owned(), format, content }))
}

fn parse(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = text.strip_prefix(HEAD)?;
    let at = text.iter().position(|it| *it == b'\n')?;
    Some((std::str::from_utf8(&text[..at]).ok()?.parse().ok()?, &text[at + 1..]))
}

/// Sorted, so that the answer does not depend on the file system.
fn all(root: &Root) -> Result<Vec<String>, Fault> {
    let Some(place) = state::find(root, FOLDER, "any")? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in Dir::read_from(place.parent()).map_err(place.failed("list what is beside"))? {
        let entry = entry.map_err(place.failed("list what is beside"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if ![".", ".."].contains(&name.as_str()) && !name.starts_with(OWN) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(name: &str, format: u32, content: &[u8]) -> Record {
        Record { name: name.to_owned(), format, content: content.to_vec().into() }
    }

    proptest! {
        // Each case makes files durable.
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_record_comes_back(format: u32, content: Vec<u8>) {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open(Some(folder.path())).unwrap();
            let record = record("a", format, &content);
            prop_assert!(put_record(&root, &record).unwrap());
            prop_assert!(!put_record(&root, &record).unwrap());
            prop_assert_eq!(get_records(&root, &[]).unwrap(), [record]);
        }
    }

    #[test]
    fn records_are_listed_and_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        assert_eq!(get_records(&root, &[]).unwrap(), []);
        let (a, b) = (record("a", 1, b"x"), record("b", 2, b""));
        for it in [&b, &a] {
            put_record(&root, it).unwrap();
        }
        assert_eq!(get_records(&root, &[]).unwrap(), [a, b.clone()]);
        assert_eq!(get_records(&root, &["b".to_owned(), "c".to_owned()]).unwrap(), [b]);
        put_record(&root, &record("../a", 1, b"x")).unwrap_err();
        get_records(&root, &["/etc/passwd".to_owned()]).unwrap_err();
    }

    #[test]
    fn what_is_no_record_is_refused_and_not_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        put_record(&root, &record("a", 1, b"x")).unwrap();
        std::fs::write(folder.path().join("var/lib/ha-agent/records/a"), "half").unwrap();
        let fault = get_records(&root, &[]).unwrap_err();
        assert_eq!(fault.to_string(), "/var/lib/ha-agent/records/a is no record");
    }
}

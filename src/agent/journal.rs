//! What was done to this host, by whom: one line an entry, only ever added to.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fsync, openat, renameat};

use super::fault::Fault;
use super::files::look;
use super::line;
use super::place::{Place, Root};
use super::state;
use crate::proto::agent::JournalEntry as Entry;
use crate::proto::agent::journal_entry::Phase;

const FOLDER: &str = "journal";
const NAME: &str = "entries";
/// The entries before those; the ones before that are gone.
const OLD_NAME: &str = "entries.old";
/// From here on a new file is begun.
const FULL: u64 = 4 << 20;
/// More than a full one can have, its last entry included.
const MOST_BYTES: u64 = 2 * FULL;
/// A text of any length would fill the disk.
const LONGEST_TEXT: usize = 4096;

const PHASES: [(Phase, &str); 4] = [
    (Phase::Note, "note"),
    (Phase::Begin, "begin"),
    (Phase::Done, "done"),
    (Phase::Failed, "failed"),
];

/// Adds an entry and makes it durable.
pub(super) fn append(root: &Root, entry: &Entry) -> Result<(), Fault> {
    if entry.what.len() > LONGEST_TEXT || entry.caller.len() > LONGEST_TEXT {
        return Err(Fault::Invalid(format!("a text is longer than {LONGEST_TEXT} bytes")));
    }
    let place = state::place(root, FOLDER, NAME)?;
    let failed = |doing: &str| Fault::failed(format!("{doing} {}", place.path()));
    let mut file = open(&place)?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed("measure"))?;
    let mut text = render(entry);
    if length > 0 && !ends_line(&mut file).map_err(failed("read"))? {
        // What a crash cut off stays a line of its own.
        text.insert(0, '\n');
    }
    file.write_all(text.as_bytes()).map_err(failed("write"))?;
    fsync(&file).map_err(place.failed("make durable"))?;
    if length > FULL {
        // Under the lock: whoever waits for it opens anew.
        renameat(place.parent(), NAME, place.parent(), OLD_NAME)
            .map_err(place.failed("begin anew"))?;
    }
    Ok(())
}

/// The newest entries, oldest first, and how many lines could not be read.
pub(super) fn read(root: &Root, last: usize, lock: &str) -> Result<(Vec<Entry>, u32), Fault> {
    let (mut entries, mut unreadable) = (Vec::new(), 0);
    for name in [OLD_NAME, NAME] {
        let (_, content) = look::read(&state::place(root, FOLDER, name)?, MOST_BYTES)?;
        for line in content.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
            match std::str::from_utf8(line).ok().and_then(parse) {
                Some(entry) if lock.is_empty() || entry.lock == lock => entries.push(entry),
                Some(_) => {}
                None => unreadable += 1,
            }
        }
    }
    if last > 0 {
        entries.drain(..entries.len().saturating_sub(last));
    }
    Ok((entries, unreadable))
}

/// Opens it for adding, alone: several agents may work on a host.
fn open(place: &Place) -> Result<File, Fault> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let file = openat(place.parent(), place.name(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(place.failed("open"))?;
        flock(&file, FlockOperation::LockExclusive).map_err(place.failed("lock"))?;
        let file = File::from(file);
        let opened = rustix::fs::fstat(&file).map_err(place.failed("look at"))?;
        let now = rustix::fs::statat(place.parent(), place.name(), rustix::fs::AtFlags::empty());
        // It may have been renamed while the lock was waited for.
        if now.is_ok_and(|it| it.st_ino == opened.st_ino) {
            return Ok(file);
        }
    }
}

fn ends_line(file: &mut File) -> std::io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn render(entry: &Entry) -> String {
    let phase = PHASES.iter().find(|it| it.0 == entry.phase()).map_or("note", |it| it.1);
    line::render(&[
        &entry.time.to_string(),
        phase,
        &entry.lock,
        &entry.generation.to_string(),
        &entry.caller,
        &entry.what,
        &line::hex(&entry.digest),
    ])
}

fn parse(line: &str) -> Option<Entry> {
    let [time, phase, lock, generation, caller, what, digest] = line::parse(line)?;
    Some(Entry {
        time: time.parse().ok()?,
        phase: PHASES.iter().find(|it| it.1 == phase)?.0.into(),
        lock,
        generation: generation.parse().ok()?,
        caller,
        what,
        digest: unhex(&digest)?.into(),
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok()).collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn root() -> (TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        (folder, root)
    }

    fn entry(what: &str) -> Entry {
        Entry {
            time: 12,
            lock: "etcd".to_owned(),
            generation: 3,
            caller: "anna".to_owned(),
            phase: Phase::Begin.into(),
            what: what.to_owned(),
            digest: vec![0, 255].into(),
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(what: String, caller: String, digest: Vec<u8>) {
            let entry = Entry { caller, digest: digest.into(), ..entry(&what) };
            prop_assert_eq!(parse(render(&entry).trim_end_matches('\n')), Some(entry));
        }
    }

    #[test]
    fn entries_are_read_in_their_order_by_lock_and_number() {
        let (_folder, root) = root();
        assert_eq!(read(&root, 0, "").unwrap(), (vec![], 0));
        let other = Entry { lock: "other".to_owned(), ..entry("b") };
        for entry in [&entry("a"), &other, &entry("c")] {
            append(&root, entry).unwrap();
        }
        assert_eq!(read(&root, 0, "").unwrap().0, [entry("a"), other, entry("c")]);
        assert_eq!(read(&root, 0, "etcd").unwrap().0, [entry("a"), entry("c")]);
        assert_eq!(read(&root, 1, "").unwrap().0, [entry("c")]);
        append(&root, &entry(&"x".repeat(LONGEST_TEXT + 1))).unwrap_err();
    }

    #[test]
    fn a_line_that_was_cut_off_spoils_no_other() {
        let (folder, root) = root();
        append(&root, &entry("a")).unwrap();
        let file = folder.path().join("var/lib/ha-agent/journal/entries");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, [&whole, &whole[..whole.len() / 2]].concat()).unwrap();
        append(&root, &entry("b")).unwrap();
        assert_eq!(read(&root, 0, "").unwrap(), (vec![entry("a"), entry("b")], 1));
    }

    #[test]
    fn a_full_journal_is_begun_anew_and_the_last_one_kept() {
        let (folder, root) = root();
        append(&root, &entry("a")).unwrap();
        let file = folder.path().join("var/lib/ha-agent/journal/entries");
        let whole = fs::read_to_string(&file).unwrap();
        let lines = usize::try_from(FULL).unwrap() / whole.len() + 1;
        fs::write(&file, whole.repeat(lines)).unwrap();
        append(&root, &entry("b")).unwrap();
        assert!(!file.exists());
        append(&root, &entry("c")).unwrap();
        let (entries, _) = read(&root, 0, "").unwrap();
        assert_eq!(entries.len(), lines + 2);
        assert_eq!(entries.last(), Some(&entry("c")));
    }
}

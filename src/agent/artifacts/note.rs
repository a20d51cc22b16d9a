//! What is remembered of the files of a version: which artifact each came in, and its digest.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, fsync, openat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::project::{EXECUTABLE, Project};
use crate::agent::fault::Fault;
use crate::agent::line::{self, hex};

/// No program can be called so.
const NAME: &str = ".digests";
const MOST_BYTES: u64 = 1 << 20;

/// A file of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) digest: [u8; 32],
    /// Of what it came in, and where it lay in there; empty when it is that itself.
    pub(super) artifact: [u8; 32],
    pub(super) path: String,
}

/// The rows of a version. None when there is no such version.
///
/// # Errors
/// The directory has no note that can be read: somebody else made it, or changed it.
pub(super) fn read(project: &Project, version: &str) -> Result<Option<Vec<Row>>, Fault> {
    let Some(directory) = project.version(version)? else { return Ok(None) };
    let foreign = || {
        let path = project.path().join(version.as_ref());
        Fault::Refused(format!("{path} has no note of what was installed: it is not from here"))
    };
    let file = match open(directory.as_fd(), NAME) {
        Err(Errno::NOENT | Errno::LOOP) => return Err(foreign()),
        file => file.map_err(project.failed("open a note in"))?,
    };
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text).map_err(|_| foreign())?;
    text.lines().map(parse).collect::<Option<_>>().map(Some).ok_or_else(foreign)
}

/// Writes the note into a directory that nobody reads yet.
pub(super) fn write(directory: BorrowedFd<'_>, rows: &[Row]) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(directory, NAME, flags, Mode::RUSR | Mode::WUSR)?);
    for row in rows {
        let [digest, artifact] = [row.digest, row.artifact].map(|it| hex(&it));
        file.write_all(line::render(&[&row.name, &digest, &artifact, &row.path]).as_bytes())?;
    }
    Ok(fsync(&file)?)
}

/// Whether the file is there as a program, whatever it holds.
pub(super) fn is_there(directory: BorrowedFd<'_>, row: &Row) -> Result<bool, Fault> {
    Ok(open_program(directory, row)?.is_some())
}

/// Whether the file is there as it was installed. Reads all of it.
pub(super) fn is_intact(directory: BorrowedFd<'_>, row: &Row) -> Result<bool, Fault> {
    let Some(mut file) = open_program(directory, row)? else { return Ok(false) };
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut chunk).map_err(Fault::failed(format!("read {:?}", row.name)))? {
            0 => return Ok(hash.finalize()[..] == row.digest),
            count => hash.update(&chunk[..count]),
        }
    }
}

fn open_program(directory: BorrowedFd<'_>, row: &Row) -> Result<Option<File>, Fault> {
    let failed = || Fault::failed(format!("look at {:?}", row.name));
    let file = match open(directory, &row.name) {
        Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
        file => file.map_err(failed())?,
    };
    let stat = fstat(&file).map_err(failed())?;
    let is_program = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_mode & 0o7777 == EXECUTABLE.as_raw_mode()
        && stat.st_uid == rustix::process::geteuid().as_raw();
    Ok(is_program.then_some(file))
}

fn open(directory: BorrowedFd<'_>, name: &str) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::empty()).map(File::from)
}

fn parse(text: &str) -> Option<Row> {
    let [name, digest, artifact, path] = line::parse(text)?;
    crate::agent::name::file("program", &name).ok()?;
    Some(Row { name, digest: bytes(&digest)?, artifact: bytes(&artifact)?, path })
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let pairs = hex.is_ascii().then(|| hex.as_bytes().chunks(2))?;
    let bytes = pairs.map(|it| u8::from_str_radix(std::str::from_utf8(it).ok()?, 16).ok());
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_row_comes_back(digest: [u8; 32], artifact: [u8; 32], path: String) {
            let row = Row { name: "etcd".to_owned(), digest, artifact, path };
            let text = line::render(&[&row.name, &hex(&digest), &hex(&artifact), &row.path]);
            prop_assert_eq!(parse(text.trim_end_matches('\n')), Some(row));
        }
    }

    #[test]
    fn a_row_that_leads_elsewhere_is_none() {
        let digest = "ab".repeat(32);
        for (name, digest) in [("../x", digest.as_str()), ("x", "ab"), ("x", "zz"), ("x", "é")] {
            assert_eq!(parse(&format!("{name}\t{digest}\t{digest}\tx")), None);
        }
    }
}

//! Files with secrets on the machine that runs Terraform: written as a whole or not at all, for their owner alone.
#![expect(clippy::disallowed_methods, reason = "reads and writes files")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalFile {
    /// Whole.
    pub content: Vec<u8>,
    /// Others than its owner may read or change it.
    pub is_open: bool,
}

/// What lies there. None: nothing does.
///
/// # Errors
/// It cannot be read, or is no file.
pub fn read_file(path: &Path) -> io::Result<Option<LocalFile>> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    Ok(Some(LocalFile { content, is_open: is_open(&fs::metadata(path)?) }))
}

/// Writes a file where none is. Missing directories are made, for their owner alone.
///
/// # Errors
/// There is one already, or it cannot be written.
pub fn create_file(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        make_directory(directory)?;
    }
    beside(path, content, |new| fs::hard_link(new, path).and_then(|()| fs::remove_file(new)))
}

/// Writes a file in the place of the one that is there, if any.
///
/// # Errors
/// It cannot be written.
pub fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    beside(path, content, |new| fs::rename(new, path))
}

/// Removes a file, if it is there.
///
/// # Errors
/// It cannot be removed.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

/// Nobody ever sees half of it: it is written under another name first.
fn beside(
    path: &Path,
    content: &[u8],
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(format!(".new-{}", std::process::id()));
    let new = path.with_file_name(new);
    let written = write(&new, content).and_then(|()| put(&new));
    if written.is_err() {
        // What it was written for has failed: that is told.
        let _ = fs::remove_file(&new);
    }
    written
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    remove_file(path)?;
    let mut file = private(OpenOptions::new().write(true).create_new(true)).open(path)?;
    file.write_all(content)?;
    File::sync_all(&file)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn is_open(of: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    of.permissions().mode() & 0o077 != 0
}

#[cfg(not(unix))]
fn is_open(_: &fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_for_its_owner_and_takes_no_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/config");
        assert_eq!(read_file(&path).unwrap(), None);
        create_file(&path, b"one").unwrap();
        let found = read_file(&path).unwrap().unwrap();
        assert_eq!(found, LocalFile { content: b"one".to_vec(), is_open: false });
        let taken = create_file(&path, b"two").unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        replace_file(&path, b"three").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let found = read_file(&path).unwrap().unwrap();
        assert_eq!(found, LocalFile { content: b"three".to_vec(), is_open: true });
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1, "something is left beside it");
        remove_file(&path).unwrap();
        remove_file(&path).unwrap();
        assert_eq!(read_file(&path).unwrap(), None);
    }
}

//! Removes a file, an empty directory, or a tree.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, fsync, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

use crate::agent::fault::Fault;
use crate::agent::place::Place;

/// True when there was something. A symlink goes itself.
///
/// # Errors
/// A directory that is not empty, unless `tree`; anything below on another file system.
pub(crate) fn remove(place: &Place, tree: bool) -> Result<bool, Fault> {
    let stat = match statat(place.parent(), place.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(false),
        stat => stat.map_err(place.failed("look at"))?,
    };
    let above = fstat(place.parent()).map_err(place.failed("look at the directory of"))?;
    if stat.st_dev != above.st_dev {
        return Err(Fault::Refused(format!("{} is a mount point", place.path())));
    }
    let removed = if tree {
        remove_tree(place.parent(), place.name(), stat.st_dev)
    } else {
        remove_one(place.parent(), place.name(), is_directory(stat.st_mode))
    };
    match removed {
        Ok(()) => {}
        Err(Errno::XDEV) => {
            let path = place.path();
            return Err(Fault::Refused(format!("another file system is mounted below {path}")));
        }
        Err(error) => return Err(place.failed("remove")(error)),
    }
    fsync(place.parent()).map_err(place.failed("make durable the removal of"))?;
    Ok(true)
}

/// Never follows a symlink: each level is opened as a directory from the one above.
pub(crate) fn remove_tree(
    parent: BorrowedFd<'_>,
    name: impl Arg + Copy,
    device: u64,
) -> rustix::io::Result<()> {
    let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        stat => stat?,
    };
    if stat.st_dev != device {
        return Err(Errno::XDEV);
    }
    if is_directory(stat.st_mode) {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(parent, name, flags, Mode::empty())?;
        // The descriptor of a `Dir` is its own.
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            if ![c".", c".."].contains(&entry.file_name()) {
                remove_tree(std::os::fd::AsFd::as_fd(&opened), entry.file_name(), device)?;
            }
        }
    }
    remove_one(parent, name, is_directory(stat.st_mode))
}

fn remove_one(parent: BorrowedFd<'_>, name: impl Arg, directory: bool) -> rustix::io::Result<()> {
    unlinkat(parent, name, if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })
}

fn is_directory(mode: u32) -> bool {
    FileType::from_raw_mode(mode) == FileType::Directory
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::agent::place::{HostPath, Root};

    #[test]
    fn a_tree_goes_but_nothing_that_its_symlinks_name() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let place = root.place(&HostPath::parse(b"/tree").unwrap()).unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir(folder.path().join("kept")).unwrap();
        fs::write(folder.path().join("kept/x"), "x").unwrap();
        symlink("../kept", tree.join("link")).unwrap();
        fs::write(tree.join("a/b/y"), "y").unwrap();
        remove(&place, false).unwrap_err();
        assert!(remove(&place, true).unwrap());
        assert!(!tree.exists());
        assert!(folder.path().join("kept/x").exists());
        assert!(!remove(&place, true).unwrap());
    }
}

//! Makes directories.

use rustix::fs::{Mode, OFlags, fchmod, fchown, fstat, fsync, mkdirat, openat};
use rustix::io::Errno;

use super::owner::Owner;
use crate::agent::fault::Fault;
use crate::agent::place::{HostPath, Place, Root};

/// True when it was not there or not as wanted. Asked for again after being cut off, it finishes.
///
/// # Errors
/// A symlink in the way is refused, even one to a directory.
pub(crate) fn make(place: &Place, mode: Mode, owner: Owner) -> Result<bool, Fault> {
    let is_new = match mkdirat(place.parent(), place.name(), Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(place.failed("make the directory")(error)),
    };
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match openat(place.parent(), place.name(), flags, Mode::empty()) {
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return Err(Fault::Refused(format!("{} is there, and is no directory", place.path())));
        }
        opened => opened.map_err(place.failed("open"))?,
    };
    let stat = fstat(&opened).map_err(place.failed("look at"))?;
    let is_so = stat.st_mode & 0o7777 == mode.as_raw_mode()
        && (stat.st_uid, stat.st_gid) == (owner.user.as_raw(), owner.group.as_raw());
    if !is_so {
        let (user, group) = (owner.user, owner.group);
        fchown(&opened, Some(user), Some(group)).map_err(place.failed("give an owner to"))?;
        fchmod(&opened, mode).map_err(place.failed("give a mode to"))?;
    }
    if is_new {
        fsync(place.parent()).map_err(place.failed("make the directory durable above"))?;
    }
    Ok(is_new || !is_so)
}

/// Makes what is missing on the way to a path, 0755 and owned as the agent. What is there stays as it is.
pub(crate) fn make_above(root: &Root, path: &HostPath) -> Result<(), Fault> {
    let Some((above, _)) = path.split() else { return Ok(()) };
    match root.directory(&above) {
        Ok(_) => return Ok(()),
        Err(Errno::NOENT) => {}
        Err(error) => return Err(Fault::failed(format!("open {above}"))(error)),
    }
    make_above(root, &above)?;
    let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
    make(&root.place(&above)?, mode, Owner::of_agent()).map(drop)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_directory_gets_its_mode_and_its_parents() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/a/b/c").unwrap();
        make_above(&root, &path).unwrap();
        let ask =
            |mode| make(&root.place(&path).unwrap(), Mode::from_raw_mode(mode), Owner::of_agent());
        assert!(ask(0o700).unwrap());
        assert!(!ask(0o700).unwrap());
        assert!(ask(0o1777).unwrap());
        let mode =
            |it: &str| fs::metadata(folder.path().join(it)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("a"), mode("a/b/c")), (0o755, 0o1777));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        symlink("/tmp", folder.path().join("link")).unwrap();
        for path in [b"/file".as_slice(), b"/link"] {
            let place = root.place(&HostPath::parse(path).unwrap()).unwrap();
            make(&place, Mode::RWXU, Owner::of_agent()).unwrap_err();
        }
    }
}

//! Writes a whole file or nothing.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, fchmod, fchown, flock, fsync, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::look;
use super::owner::Owner;
use crate::agent::fault::Fault;
use crate::agent::line::hex;
use crate::agent::place::{OWN, Place};

/// How a file is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) content: &'a [u8],
    pub(crate) mode: Mode,
    pub(crate) owner: Owner,
}

/// True when it was not as wanted.
///
/// # Guarantees
/// Who reads the path sees what was there before or what is wanted, whenever the process or the machine stops. What is
/// as wanted is not written. A symlink in the way is replaced, not followed; a directory in the way is refused.
///
/// # Caveats
/// Something cut off leaves one file beside, which the next put to the same path sweeps away.
pub(crate) fn put(place: &Place, wanted: Wanted<'_>) -> Result<bool, Fault> {
    if is_as_wanted(place, wanted)? {
        return Ok(false);
    }
    let (temporary, name) = temporary(place)?;
    let written = write(place, temporary, wanted).and_then(|()| {
        renameat(place.parent(), &name, place.parent(), place.name())
            .map_err(place.failed("put in its place"))
    });
    if let Err(fault) = written {
        // It would do no harm there; the first fault is the one to tell.
        let _ = unlinkat(place.parent(), &name, AtFlags::empty());
        return Err(fault);
    }
    fsync(place.parent()).map_err(place.failed("make the directory durable of"))?;
    Ok(true)
}

/// Only a regular file can be. What cannot be read is not as wanted.
fn is_as_wanted(place: &Place, wanted: Wanted<'_>) -> Result<bool, Fault> {
    let (file, stat) = match look::open(place) {
        Ok(Some(opened)) => opened,
        Ok(None) | Err(Fault::Refused(_)) => return Ok(false),
        Err(fault) => return Err(fault),
    };
    let is_so = stat.st_size == i64::try_from(wanted.content.len()).unwrap_or(i64::MAX)
        && stat.st_mode & 0o7777 == wanted.mode.as_raw_mode()
        && (stat.st_uid, stat.st_gid) == (wanted.owner.user.as_raw(), wanted.owner.group.as_raw());
    if !is_so {
        return Ok(false);
    }
    let mut content = Vec::with_capacity(wanted.content.len());
    let read = file.take(wanted.content.len() as u64 + 1).read_to_end(&mut content);
    read.map_err(Fault::failed(format!("read {}", place.path())))?;
    Ok(content == wanted.content)
}

fn write(place: &Place, mut file: File, wanted: Wanted<'_>) -> Result<(), Fault> {
    let (user, group) = (wanted.owner.user, wanted.owner.group);
    // The owner first: the kernel takes some bits of the mode away with a change of owner.
    fchown(&file, Some(user), Some(group)).map_err(place.failed("give an owner to"))?;
    fchmod(&file, wanted.mode).map_err(place.failed("give a mode to"))?;
    file.write_all(wanted.content).map_err(Fault::failed(format!("write {}", place.path())))?;
    fsync(&file).map_err(place.failed("make durable"))
}

/// A new file beside, named after the target, and locked while it is written. An unlocked one with this name was left
/// by an agent that was killed.
fn temporary(place: &Place) -> Result<(File, OsString), Fault> {
    let name = temporary_name(place);
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let owner_only = Mode::RUSR | Mode::WUSR;
    for _ in 0..3 {
        let new = flags | OFlags::CREATE | OFlags::EXCL;
        match openat(place.parent(), &name, new, owner_only) {
            Ok(file) => {
                flock(&file, FlockOperation::NonBlockingLockExclusive)
                    .map_err(place.failed("lock the new file for"))?;
                return Ok((file.into(), name));
            }
            Err(Errno::EXIST) => {}
            Err(error) => return Err(place.failed("write beside")(error)),
        }
        if let Ok(left) = openat(place.parent(), &name, flags, Mode::empty())
            && flock(&left, FlockOperation::NonBlockingLockExclusive).is_err()
        {
            break;
        }
        match unlinkat(place.parent(), &name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(place.failed("sweep what was left beside")(error)),
        }
    }
    Err(Fault::Refused(format!("{} is being written by somebody else", place.path())))
}

/// What becomes of this place is made under this name first. Short whatever the length of the name.
pub(crate) fn temporary_name(place: &Place) -> OsString {
    format!("{OWN}{}", hex(&Sha256::digest(place.name().as_bytes())[..8])).into()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::Path;

    use proptest::prelude::*;
    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::agent::place::{HostPath, Root};

    fn place(folder: &TempDir, name: &[u8]) -> Result<Place, Fault> {
        let root = Root::open(Some(folder.path()))?;
        root.place(&HostPath::parse(&[b"/", name].concat())?)
    }

    fn put_as(folder: &TempDir, name: &[u8], content: &[u8], mode: u32) -> Result<bool, Fault> {
        let mode = Mode::from_raw_mode(mode);
        put(&place(folder, name)?, Wanted { content, mode, owner: Owner::of_agent() })
    }

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect()
    }

    #[test]
    fn what_is_as_wanted_is_not_written() {
        let folder = tempdir().unwrap();
        let file = folder.path().join("a");
        assert!(put_as(&folder, b"a", b"one", 0o640).unwrap());
        let first = fs::metadata(&file).unwrap();
        assert_eq!(first.permissions().mode() & 0o7777, 0o640);
        assert!(!put_as(&folder, b"a", b"one", 0o640).unwrap());
        assert_eq!(fs::metadata(&file).unwrap().ino(), first.ino());
        assert!(put_as(&folder, b"a", b"one", 0o600).unwrap());
        assert!(put_as(&folder, b"a", b"two", 0o600).unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn another_owner_is_given_or_refused() {
        let folder = tempdir().unwrap();
        let owner =
            Owner { user: rustix::fs::Uid::from_raw(12), group: rustix::fs::Gid::from_raw(13) };
        let wanted = Wanted { content: b"x", mode: Mode::from_raw_mode(0o4755), owner };
        let done = put(&place(&folder, b"a").unwrap(), wanted);
        if rustix::process::geteuid().is_root() {
            assert!(done.unwrap());
            let seen = fs::metadata(folder.path().join("a")).unwrap();
            assert_eq!((seen.uid(), seen.gid(), seen.mode() & 0o7777), (12, 13, 0o4755));
        } else {
            done.unwrap_err();
            assert_eq!(names(folder.path()), Vec::<OsString>::new());
        }
    }

    #[test]
    fn a_symlink_in_the_way_is_replaced_and_not_followed() {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("precious"), "precious").unwrap();
        symlink("precious", folder.path().join("a")).unwrap();
        assert!(put_as(&folder, b"a", b"precious", 0o600).unwrap());
        assert!(fs::symlink_metadata(folder.path().join("a")).unwrap().is_file());
        put_as(&folder, b"a", b"new", 0o600).unwrap();
        assert_eq!(fs::read(folder.path().join("precious")).unwrap(), b"precious");
    }

    #[test]
    fn a_directory_in_the_way_is_refused() {
        let folder = tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        put_as(&folder, b"a", b"x", 0o600).unwrap_err();
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_a_killed_agent_left_is_swept_and_what_another_writes_is_not() {
        let folder = tempdir().unwrap();
        let target = place(&folder, b"a").unwrap();
        let beside = folder.path().join(temporary_name(&target));
        fs::write(&beside, "half").unwrap();
        assert!(put_as(&folder, b"a", b"x", 0o600).unwrap());
        assert_eq!(names(folder.path()), ["a"]);

        let (_other, _) = temporary(&target).unwrap();
        let fault = put_as(&folder, b"a", b"y", 0o600).unwrap_err();
        assert_eq!(fault.to_string(), "/a is being written by somebody else");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"x");
    }

    #[test]
    fn the_names_of_the_agent_are_refused() {
        let folder = tempdir().unwrap();
        put_as(&folder, b".ha-agent-0123456789abcdef", b"x", 0o600).unwrap_err();
    }

    proptest! {
        #[test]
        fn any_bytes_arrive_or_are_refused(
            name in prop::collection::vec(any::<u8>(), 0..300),
            content in prop::collection::vec(any::<u8>(), 0..2000),
        ) {
            let folder = tempdir().unwrap();
            if put_as(&folder, &name, &content, 0o600).is_ok() {
                let found = names(folder.path());
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0].as_bytes(), &name[..]);
                let (_, read) = look::read(&place(&folder, &name).unwrap(), 2000).unwrap();
                prop_assert_eq!(read, content);
            } else {
                prop_assert!(names(folder.path()).is_empty());
                let is_odd = name.is_empty() || name.len() > 255 || name == b"." || name == b"..";
                prop_assert!(is_odd || name.contains(&0) || name.contains(&b'/'));
            }
        }
    }
}

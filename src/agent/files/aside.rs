//! Moves something aside instead of removing it.

use std::ffi::OsString;

use rustix::fs::{AtFlags, RenameFlags, fsync, renameat_with, statat};
use rustix::io::Errno;

use crate::agent::fault::Fault;
use crate::agent::name;
use crate::agent::place::{HostPath, Place};

/// Renames to the name with `.aside-` and the label. Tells whether it did, and where it lies, if anything does.
///
/// # Errors
/// Both are there: something new stands at the path since the move with this label.
pub(crate) fn move_aside(place: &Place, label: &str) -> Result<(bool, Option<HostPath>), Fault> {
    name::file("label", label)?;
    let mut to = OsString::from(place.name());
    to.push(format!(".aside-{label}"));
    let path = place.path().split().map(|(above, _)| above.join(&to));
    match renameat_with(place.parent(), place.name(), place.parent(), &to, RenameFlags::NOREPLACE) {
        Ok(()) => {
            fsync(place.parent()).map_err(place.failed("make durable the move of"))?;
            Ok((true, path))
        }
        Err(Errno::NOENT) => match statat(place.parent(), &to, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok((false, path)),
            Err(Errno::NOENT) => Ok((false, None)),
            Err(error) => Err(place.failed("look beside")(error)),
        },
        Err(Errno::EXIST) => Err(Fault::Refused(format!(
            "{} was moved aside as {label} before, and is there again",
            place.path()
        ))),
        Err(error) => Err(place.failed("move aside")(error)),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use super::*;
    use crate::agent::place::Root;

    #[test]
    fn a_move_can_be_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let root = Root::open(Some(folder.path())).unwrap();
        let place = root.place(&HostPath::parse(b"/data").unwrap()).unwrap();
        assert_eq!(move_aside(&place, "7").unwrap(), (false, None));
        fs::create_dir(&data).unwrap();
        fs::write(data.join("x"), "x").unwrap();
        let there = Some(HostPath::parse(b"/data.aside-7").unwrap());
        assert_eq!(move_aside(&place, "7").unwrap(), (true, there.clone()));
        assert_eq!(move_aside(&place, "7").unwrap(), (false, there));
        fs::create_dir(&data).unwrap();
        move_aside(&place, "7").unwrap_err();
        assert_eq!(fs::read(folder.path().join("data.aside-7/x")).unwrap(), b"x");
        move_aside(&place, "../x").unwrap_err();
    }
}

//! Unit files, as far as they are files: what is there, and what is enabled or masked.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, Mode, fsync, readlinkat, symlinkat, unlinkat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::agent::fault::Fault;
use crate::agent::files::directory::{make, make_above};
use crate::agent::files::look;
use crate::agent::files::owner::Owner;
use crate::agent::files::remove::remove;
use crate::agent::line::hex;
use crate::agent::place::{HostPath, Place, Root};
use crate::domain::service::{Definition, parse};
use crate::proto::agent::file::Kind;

const DIRECTORY: &str = "/etc/systemd/system";
/// Where the target that a machine starts with finds what it wants.
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";
/// A unit that points here does not start.
const NOTHING: &[u8] = b"/dev/null";
const MOST_BYTES: u64 = 1 << 20;

/// What is known of a unit from its file.
#[derive(Debug)]
pub(super) enum Loaded {
    /// There is none.
    Absent,
    Masked,
    /// It is there and cannot be run.
    Bad {
        why: String,
        digest: String,
    },
    Good {
        definition: Box<Definition>,
        digest: String,
    },
}

impl Loaded {
    /// systemd's `LoadState`.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Absent => "not-found",
            Self::Masked => "masked",
            Self::Bad { .. } => "bad-setting",
            Self::Good { .. } => "loaded",
        }
    }

    /// Of the file; empty when there is none.
    pub(super) fn digest(&self) -> &str {
        match self {
            Self::Absent | Self::Masked => "",
            Self::Bad { digest, .. } | Self::Good { digest, .. } => digest,
        }
    }

    /// # Errors
    /// It cannot be run.
    pub(super) fn definition(self, unit: &str) -> Result<(Definition, String), Fault> {
        let why = match self {
            Self::Good { definition, digest } => return Ok((*definition, digest)),
            Self::Absent => "is not there".to_owned(),
            Self::Masked => "is masked".to_owned(),
            Self::Bad { why, .. } => format!("cannot be run without systemd: {why}"),
        };
        Err(Fault::Refused(format!("the unit {unit} {why}")))
    }
}

/// Reads the file of a unit.
pub(super) fn load(root: &Root, unit: &str) -> Result<Loaded, Fault> {
    let Some(place) = root.find(&path(DIRECTORY, unit)?)? else { return Ok(Loaded::Absent) };
    match points_to(&place)? {
        Some(target) if target == NOTHING => return Ok(Loaded::Masked),
        Some(_) => {
            let why = "its file is a symlink".to_owned();
            return Ok(Loaded::Bad { why, digest: String::new() });
        }
        None => {}
    }
    let (seen, text) = look::read(&place, MOST_BYTES)?;
    if seen.kind() == Kind::Absent {
        return Ok(Loaded::Absent);
    }
    let digest = hex(&Sha256::digest(&text));
    let Some(name) = unit.strip_suffix(".service") else {
        return Ok(Loaded::Bad { why: "it is no service".to_owned(), digest });
    };
    Ok(match parse(name, &String::from_utf8_lossy(&text)) {
        Ok(definition) => Loaded::Good { definition: Box::new(definition), digest },
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
            Loaded::Bad { why: format!("{error}{}", cause.unwrap_or_default()), digest }
        }
    })
}

/// systemd's `UnitFileState`.
pub(super) fn enabled(root: &Root, unit: &str, loaded: &Loaded) -> Result<&'static str, Fault> {
    match loaded {
        Loaded::Absent => return Ok(""),
        Loaded::Masked => return Ok("masked"),
        Loaded::Bad { .. } | Loaded::Good { .. } => {}
    }
    let Some(place) = root.find(&path(WANTS, unit)?)? else { return Ok("disabled") };
    Ok(if points_to(&place)?.is_some() { "enabled" } else { "disabled" })
}

pub(super) fn enable(root: &Root, unit: &str) -> Result<(), Fault> {
    match load(root, unit)? {
        Loaded::Absent => return Err(Fault::Refused(format!("the unit {unit} is not there"))),
        Loaded::Masked => return Err(Fault::Refused(format!("the unit {unit} is masked"))),
        Loaded::Bad { .. } | Loaded::Good { .. } => {}
    }
    point(root, &path(WANTS, unit)?, path(DIRECTORY, unit)?.bytes())
}

pub(super) fn disable(root: &Root, unit: &str) -> Result<(), Fault> {
    unpoint(root, &path(WANTS, unit)?, |_| true)
}

/// Refused while the unit has a file, as systemd does it.
pub(super) fn mask(root: &Root, unit: &str) -> Result<(), Fault> {
    point(root, &path(DIRECTORY, unit)?, NOTHING)
}

pub(super) fn unmask(root: &Root, unit: &str) -> Result<(), Fault> {
    unpoint(root, &path(DIRECTORY, unit)?, |target| target == NOTHING)
}

fn path(directory: &str, unit: &str) -> Result<HostPath, Fault> {
    Ok(HostPath::parse(directory.as_bytes())?.join(OsStr::new(unit)))
}

/// None when it is no symlink, or not there.
fn points_to(place: &Place) -> Result<Option<Vec<u8>>, Fault> {
    match readlinkat(place.parent(), place.name(), Vec::new()) {
        Ok(target) => Ok(Some(target.into_bytes())),
        Err(Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(place.failed("read the symlink")(error)),
    }
}

fn point(root: &Root, path: &HostPath, target: &[u8]) -> Result<(), Fault> {
    make_above(root, path)?;
    let place = root.place(path)?;
    match symlinkat(OsStr::from_bytes(target), place.parent(), place.name()) {
        Ok(()) => fsync(place.parent()).map_err(place.failed("make durable")),
        Err(Errno::EXIST) if points_to(&place)?.as_deref() == Some(target) => Ok(()),
        Err(Errno::EXIST) => Err(Fault::Refused(format!("{path} is in the way"))),
        Err(error) => Err(place.failed("make the symlink")(error)),
    }
}

fn unpoint(root: &Root, path: &HostPath, is_it: impl Fn(&[u8]) -> bool) -> Result<(), Fault> {
    let Some(place) = root.find(path)? else { return Ok(()) };
    if !points_to(&place)?.is_some_and(|it| is_it(&it)) {
        return Ok(());
    }
    match unlinkat(place.parent(), place.name(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => fsync(place.parent()).map_err(place.failed("make durable")),
        Err(error) => Err(place.failed("remove the symlink")(error)),
    }
}

/// The directories that a service finds: those it keeps, and those that go with it. Their paths as the system calls
/// them, with a `:` between.
pub(super) fn make_directories(
    root: &Root,
    above: &str,
    names: &[String],
    mode: Mode,
    owner: Owner,
) -> Result<OsString, Fault> {
    let mut paths = Vec::new();
    for name in names {
        let path = path(above, name)?;
        make_above(root, &path)?;
        make(&root.place(&path)?, mode, owner)?;
        paths.push(root.outside(&path));
    }
    Ok(paths.join(OsStr::new(":")))
}

/// Removes what goes with a service.
pub(super) fn remove_directories(root: &Root, above: &str, names: &[String]) -> Result<(), Fault> {
    for name in names {
        if let Some(place) = root.find(&path(above, name)?)? {
            remove(&place, true)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use super::*;
    use crate::domain::service::{Service, render};

    const UNIT: &str = "a.service";

    #[test]
    fn a_unit_is_enabled_and_masked_by_symlinks() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let check = |load: &str, is_enabled: &str| {
            let loaded = load_it(&root);
            assert_eq!((loaded.word(), enabled(&root, UNIT, &loaded).unwrap()), (load, is_enabled));
        };
        check("not-found", "");
        enable(&root, UNIT).unwrap_err();
        disable(&root, UNIT).unwrap();
        for _ in 0..2 {
            mask(&root, UNIT).unwrap();
        }
        check("masked", "masked");
        enable(&root, UNIT).unwrap_err();
        for _ in 0..2 {
            unmask(&root, UNIT).unwrap();
        }
        check("not-found", "");

        let file = folder.path().join("etc/systemd/system/a.service");
        let definition = Definition::new(Service::new("a", "A", "/bin/a")).unwrap();
        fs::write(&file, render(&definition)).unwrap();
        check("loaded", "disabled");
        for _ in 0..2 {
            enable(&root, UNIT).unwrap();
        }
        check("loaded", "enabled");
        let wanted = folder.path().join("etc/systemd/system/multi-user.target.wants/a.service");
        assert_eq!(fs::read_link(wanted).unwrap().to_str(), Some("/etc/systemd/system/a.service"));
        mask(&root, UNIT).unwrap_err();
        unmask(&root, UNIT).unwrap();
        check("loaded", "enabled");
        disable(&root, UNIT).unwrap();
        check("loaded", "disabled");
        fs::write(&file, "[Service]\nType=forking\n").unwrap();
        check("bad-setting", "disabled");
        let why = load_it(&root).definition(UNIT).unwrap_err().to_string();
        assert!(why.ends_with("line 2 of the unit holds what only systemd understands"), "{why}");
    }

    fn load_it(root: &Root) -> Loaded {
        load(root, UNIT).unwrap()
    }
}

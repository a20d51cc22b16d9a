//! Paths as clients give them, and the directory that holds what they name.
//!
//! A directory on the way may be a symlink, as `/var/run` is. The last part is never followed. With a root of its own
//! (a host of transport "local") no symlink leads out of it: the kernel resolves every path inside.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use super::fault::Fault;

/// Names that begin so are the agent's own.
pub(super) const OWN: &str = ".ha-agent-";
/// What the kernel takes, less its NUL.
const MOST_BYTES: usize = 4095;

/// An absolute path that means the same to everybody who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPath(Vec<u8>);

impl HostPath {
    /// # Errors
    /// Whatever would be normalised on the way is refused, so that no path has two spellings.
    pub(super) fn parse(path: &[u8]) -> Result<Self, Fault> {
        let parsed = Self(path.to_vec());
        let why = if path.first() != Some(&b'/') {
            "is not absolute"
        } else if path.len() > MOST_BYTES {
            "is longer than 4095 bytes"
        } else if path.contains(&0) {
            "holds a NUL"
        } else if path == b"/" {
            return Ok(parsed);
        } else if path[1..].split(|it| *it == b'/').any(|it| matches!(it, b"" | b"." | b"..")) {
            "has a part that is empty, `.` or `..`"
        } else {
            return Ok(parsed);
        };
        Err(Fault::Invalid(format!("the path {parsed} {why}")))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Relative to the root; `.` is the root itself.
    fn below_root(&self) -> &OsStr {
        if self.0 == b"/" { OsStr::new(".") } else { OsStr::from_bytes(&self.0[1..]) }
    }

    /// The path above and the last name. None for the root.
    pub(super) fn split(&self) -> Option<(Self, &OsStr)> {
        let at = self.0.iter().rposition(|it| *it == b'/')?;
        let (above, name) = (&self.0[..at.max(1)], &self.0[at + 1..]);
        (!name.is_empty()).then(|| (Self(above.to_vec()), OsStr::from_bytes(name)))
    }

    pub(super) fn join(&self, name: &OsStr) -> Self {
        let mut path = if self.0 == b"/" { Vec::new() } else { self.0.clone() };
        path.push(b'/');
        path.extend_from_slice(name.as_bytes());
        Self(path)
    }
}

/// As it is where that can be read without doubt, escaped otherwise.
impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.chars().any(char::is_control) => f.write_str(text),
            _ => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

/// Where all paths begin.
#[derive(Debug)]
pub(super) struct Root {
    top: OwnedFd,
    prefix: Option<PathBuf>,
}

impl Root {
    /// The system itself, or a directory that stands for it.
    pub(super) fn open(prefix: Option<&Path>) -> Result<Self, Fault> {
        let path = prefix.unwrap_or(Path::new("/"));
        let top = openat(CWD, path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(Fault::failed(format!("open the root {}", path.display())))?;
        Ok(Self { top, prefix: prefix.map(|it| it.components().collect()) })
    }

    /// Whether this is a directory that stands for a host, and not the system.
    pub(super) fn is_own(&self) -> bool {
        self.prefix.is_some()
    }

    /// The directory that stands for the host.
    pub(super) fn prefix(&self) -> Option<&Path> {
        self.prefix.as_deref()
    }

    /// What the system calls a path of the host.
    pub(super) fn outside(&self, path: &HostPath) -> OsString {
        let mut outside = self.prefix.clone().unwrap_or_default().into_os_string();
        outside.push(OsStr::from_bytes(path.bytes()));
        outside
    }

    /// Opens a directory. Symlinks on the way and at its end are followed, within an own root.
    pub(super) fn directory(&self, path: &HostPath) -> rustix::io::Result<OwnedFd> {
        let (top, path) = (self.top.as_fd(), path.below_root());
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        if !self.is_own() {
            return openat(top, path, flags, Mode::empty());
        }
        // The kernel asks to try again when something was renamed meanwhile.
        loop {
            let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            match openat2(top, path, flags, Mode::empty(), within) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return opened,
            }
        }
    }

    /// The place that a path names. The directory above must be there.
    pub(super) fn place(&self, path: &HostPath) -> Result<Place, Fault> {
        let Some(place) = self.find(path)? else {
            return Err(Fault::Refused(format!("there is no directory above {path}")));
        };
        Ok(place)
    }

    /// The same; None when the directory above is proven to be absent.
    pub(super) fn find(&self, path: &HostPath) -> Result<Option<Place>, Fault> {
        let Some((above, name)) = path.split() else {
            return Err(Fault::Invalid("the root itself cannot be named here".to_owned()));
        };
        if name.as_bytes().starts_with(OWN.as_bytes()) {
            return Err(Fault::Invalid(format!("the name of {path} is kept for the agent")));
        }
        match self.directory(&above) {
            Ok(parent) => Ok(Some(Place { parent, name: name.to_owned(), path: path.clone() })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Fault::failed(format!("open {above}"))(error)),
        }
    }
}

/// A name in an open directory. Whatever happens to the path meanwhile, it stays in that directory.
#[derive(Debug)]
pub(super) struct Place {
    parent: OwnedFd,
    name: OsString,
    path: HostPath,
}

impl Place {
    pub(super) fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    pub(super) fn path(&self) -> &HostPath {
        &self.path
    }

    /// A name of the agent's own in the same directory, for what is not finished.
    pub(super) fn beside(&self, name: &OsStr) -> Result<Self, Fault> {
        let above = self.parent.try_clone();
        let parent =
            above.map_err(Fault::failed(format!("open the directory of {}", self.path)))?;
        Ok(Self { parent, name: name.to_owned(), path: self.path.clone() })
    }

    /// A name in the directory that lies here.
    pub(super) fn below(&self, name: &str) -> Result<Self, Fault> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let parent = openat(self.parent(), &self.name, flags, Mode::empty());
        let path = self.path.join(name.as_ref());
        Ok(Self { parent: parent.map_err(self.failed("open"))?, name: name.into(), path })
    }

    /// For `map_err`: what was being done to it.
    pub(super) fn failed(&self, doing: &str) -> impl FnOnce(Errno) -> Fault + use<> {
        Fault::failed(format!("{doing} {}", self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for path in ["/", "/a", "/a/b c", "/ä/…", "/...", "/a/-", "/a\n"] {
            assert_eq!(HostPath::parse(path.as_bytes()).unwrap().bytes(), path.as_bytes());
        }
        for path in ["", "a", "./a", "//", "/a/", "/a//b", "/.", "/..", "/a/../b", "/a/./b", "/a\0"]
        {
            HostPath::parse(path.as_bytes()).unwrap_err();
        }
        HostPath::parse(&[b"/".as_slice(), &[b'a'; 4095]].concat()).unwrap_err();
    }

    #[test]
    fn a_path_is_shown_without_control_signs() {
        let shown = |path: &[u8]| HostPath::parse(path).unwrap().to_string();
        assert_eq!(shown("/ä b".as_bytes()), "/ä b");
        assert_eq!(shown(b"/a\n\x1b\xff"), r"/a\n\x1b\xff");
    }

    #[test]
    fn a_path_comes_apart_and_together() {
        for path in ["/a", "/a/b", "/a/b/c"] {
            let path = HostPath::parse(path.as_bytes()).unwrap();
            let (above, name) = path.split().unwrap();
            assert_eq!(above.join(name), path);
        }
        assert!(HostPath::parse(b"/").unwrap().split().is_none());
    }

    #[test]
    fn no_symlink_leads_out_of_an_own_root() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("absolute")).unwrap();
        std::os::unix::fs::symlink("../../../../../../etc", folder.path().join("climbing"))
            .unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        for path in [b"/absolute/passwd".as_slice(), b"/climbing/passwd"] {
            assert!(root.find(&HostPath::parse(path).unwrap()).unwrap().is_none());
        }
        let system = Root::open(None).unwrap();
        assert!(system.find(&HostPath::parse(b"/etc/passwd").unwrap()).unwrap().is_some());
    }
}

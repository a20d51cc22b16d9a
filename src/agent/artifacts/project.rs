//! The directory of a project, and who may work in it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, openat, readlinkat,
    unlinkat,
};
use rustix::io::Errno;

use super::wanted::{self, CURRENT};
use crate::agent::fault::Fault;
use crate::agent::files::directory::{make, make_above};
use crate::agent::files::owner::Owner;
use crate::agent::files::remove::remove_tree;
use crate::agent::name;
use crate::agent::place::{HostPath, OWN, Root};

/// All projects are below.
const DIRECTORY: &str = "/usr/local/lib/ha";
/// Of directories and programs.
pub(super) const EXECUTABLE: Mode = Mode::from_bits_retain(0o755);

/// An open directory with the versions of a project.
#[derive(Debug)]
pub(super) struct Project {
    path: HostPath,
    directory: OwnedFd,
}

/// Nobody else changes anything in the directory while this exists, whichever agent it is.
#[derive(Debug)]
pub(super) struct Locked(Project);

impl Project {
    /// None when it is proven to be absent.
    pub(super) fn find(root: &Root, project: &str) -> Result<Option<Self>, Fault> {
        let path = path(project)?;
        match root.directory(&path) {
            Ok(directory) => Ok(Some(Self { path, directory })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Fault::failed(format!("open {path}"))(error)),
        }
    }

    /// Makes it if it is missing.
    pub(super) fn make(root: &Root, project: &str) -> Result<Self, Fault> {
        if let Some(found) = Self::find(root, project)? {
            return Ok(found);
        }
        let path = path(project)?;
        make_above(root, &path)?;
        make(&root.place(&path)?, EXECUTABLE, Owner::of_agent())?;
        let directory = root.directory(&path).map_err(Fault::failed(format!("open {path}")))?;
        Ok(Self { path, directory })
    }

    /// Waits until nobody else works in it, and sweeps what killed agents left.
    pub(super) fn lock(self) -> Result<Locked, Fault> {
        loop {
            match flock(&self.directory, FlockOperation::LockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(self.failed("lock")(error)),
            }
        }
        let locked = Locked(self);
        for name in locked.names()?.iter().filter(|it| it.starts_with(OWN)) {
            locked.sweep(name)?;
        }
        Ok(locked)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    pub(super) fn path(&self) -> &HostPath {
        &self.path
    }

    /// For `map_err`: what was being done to it.
    pub(super) fn failed(&self, doing: &str) -> impl FnOnce(Errno) -> Fault + use<> {
        Fault::failed(format!("{doing} {}", self.path))
    }

    /// The directory of a version. None when it is proven to be absent.
    pub(super) fn version(&self, version: &str) -> Result<Option<OwnedFd>, Fault> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(self.fd(), version, flags, Mode::empty()) {
            Ok(opened) => Ok(Some(opened)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(&format!("open the version {version} in"))(error)),
        }
    }

    /// The names of all versions, sorted.
    pub(super) fn versions(&self) -> Result<Vec<String>, Fault> {
        let mut names = self.names()?;
        names.retain(|it| wanted::version(it).is_ok());
        names.sort();
        Ok(names)
    }

    /// The version that `current` leads to.
    ///
    /// # Errors
    /// It is no link to a version: then nobody knows what is in use.
    pub(super) fn current(&self) -> Result<Option<String>, Fault> {
        let target = match readlinkat(self.fd(), CURRENT, Vec::new()) {
            Err(Errno::NOENT) => return Ok(None),
            target => target.map_err(self.failed("read the link `current` in"))?,
        };
        match target.into_string() {
            Ok(version) if wanted::version(&version).is_ok() => Ok(Some(version)),
            _ => Err(Fault::Refused(format!("`current` in {} leads to no version", self.path))),
        }
    }

    fn names(&self) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.fd()).map_err(self.failed("list"))? {
            let entry = entry.map_err(self.failed("list"))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}

impl Locked {
    /// Removes what has a name of the agent's own, unless it is a file that somebody still writes.
    pub(super) fn sweep(&self, name: &str) -> Result<(), Fault> {
        let failed = || self.failed("sweep what was left in");
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let is_directory = match openat(self.fd(), name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::LOOP) => false,
            Err(error) => return Err(failed()(error)),
            Ok(opened) => {
                let kind = FileType::from_raw_mode(fstat(&opened).map_err(failed())?.st_mode);
                if kind == FileType::RegularFile
                    && flock(&opened, FlockOperation::NonBlockingLockExclusive).is_err()
                {
                    return Ok(());
                }
                kind == FileType::Directory
            }
        };
        let done = if is_directory {
            let device = fstat(self.fd()).map_err(failed())?.st_dev;
            remove_tree(self.fd(), name, device)
        } else {
            unlinkat(self.fd(), name, AtFlags::empty())
        };
        done.map_err(failed())
    }
}

impl std::ops::Deref for Locked {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.0
    }
}

fn path(project: &str) -> Result<HostPath, Fault> {
    name::file("project", project)?;
    HostPath::parse(format!("{DIRECTORY}/{project}").as_bytes())
}

//! A file that is not whole yet, beside where it is to lie: nobody takes it for what it will be.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use bytes::Bytes;
use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, fsync, openat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;
use rustix::path::Arg;
use tokio::sync::mpsc;

use super::artifacts::{available, full};
use super::fault::Fault;
use super::place::{HostPath, OWN};

/// How their names end.
const PART: &str = ".part";
/// Stays free beside a snapshot: etcd makes files of its log by so much (`SegmentSizeBytes`).
pub(super) const SPARE: u64 = 64 << 20;

/// The file, removed when this is dropped, unless it is in its place.
#[derive(Debug)]
pub(super) struct Part {
    directory: OwnedFd,
    path: HostPath,
    name: String,
    file: File,
}

impl Part {
    /// For its owner alone. Those that were left by a process that was killed are swept.
    ///
    /// # Errors
    /// There is no room for so many bytes, or somebody else writes the same.
    pub(super) fn begin(
        directory: &OwnedFd,
        path: &HostPath,
        name: &str,
        needed: u64,
    ) -> Result<Self, Fault> {
        let failed = |doing: &str| Fault::failed(format!("{doing} {path}"));
        sweep(directory, path)?;
        let needed = needed.saturating_add(SPARE);
        if available(directory.as_fd()) < needed {
            return Err(full(directory.as_fd(), &format!("a snapshot in {path}"), needed));
        }
        let name = format!("{OWN}{name}{PART}");
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(directory, &name, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => {
                return Err(Fault::Refused("it is being taken by somebody else".to_owned()));
            }
            file => file.map_err(failed("begin a snapshot in"))?,
        };
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(failed("lock a new file in"))?;
        let directory = directory.try_clone().map_err(Fault::failed(format!("open {path}")))?;
        Ok(Self { directory, path: path.clone(), name, file: file.into() })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The same file, read from its beginning.
    pub(super) fn rewound(&self) -> io::Result<&File> {
        rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Start(0))?;
        Ok(&self.file)
    }

    /// Writes what comes until there is no more; `see` sees each piece before it is written. Blocks.
    pub(super) fn fill(
        &self,
        mut pieces: mpsc::Receiver<Bytes>,
        at: &dyn Display,
        mut see: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut file = &self.file;
        while let Some(piece) = pieces.blocking_recv() {
            see(&piece)?;
            file.write_all(&piece).map_err(Fault::failed(format!("write {at}")))?;
        }
        Ok(())
    }

    pub(super) fn make_durable(&self) -> Result<(), Fault> {
        fsync(&self.file).map_err(Fault::failed(format!("make durable what is in {}", self.path)))
    }

    /// Puts what is durable in its place. False: something is there, and stays.
    pub(super) fn settle(&self, name: impl Arg, how: RenameFlags) -> Result<bool, Fault> {
        let at = &self.directory;
        match renameat_with(at, &self.name, at, name, how) {
            Err(Errno::EXIST) => return Ok(false),
            renamed => {
                renamed.map_err(Fault::failed(format!("put a snapshot into {}", self.path)))?;
            }
        }
        fsync(at).map_err(Fault::failed(format!("make durable {}", self.path)))?;
        Ok(true)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may be in its place. What stays is swept the next time.
        let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
    }
}

/// Who writes a part holds its lock.
fn sweep(directory: &OwnedFd, path: &HostPath) -> Result<(), Fault> {
    let is_part = |it: &String| it.starts_with(OWN) && it.ends_with(PART);
    let all = names(directory).map_err(Fault::failed(format!("look into {path}")))?;
    for name in all.into_iter().filter(is_part) {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = openat(directory, &name, flags, Mode::empty()) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            unlinkat(directory, &name, AtFlags::empty())
                .map_err(Fault::failed(format!("sweep {path}")))?;
        }
    }
    Ok(())
}

/// What is in a directory.
pub(super) fn names(directory: &OwnedFd) -> rustix::io::Result<Vec<String>> {
    Dir::read_from(directory)?
        .map(|it| Ok(it?.file_name().to_string_lossy().into_owned()))
        .collect()
}

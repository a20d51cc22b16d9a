//! The file beside that an artifact is brought into, before anybody may trust it.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fstatvfs, openat, unlinkat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::project::Project;
use super::wanted::Wanted;
use crate::agent::fault::Fault;
use crate::agent::line::hex;
use crate::agent::place::{OWN, Root};

/// The largest artifact, and the most that is unpacked of one.
pub(super) const MOST_BYTES: u64 = 2 << 30;

/// A file that nobody uses, removed when this is dropped. Locked while it is written: an unlocked one was left by an
/// agent that was killed, and is swept.
#[derive(Debug)]
pub(super) struct Part {
    project: Project,
    name: String,
    file: File,
    what: String,
}

/// One that is whole, and what it is.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) part: Part,
    pub(super) digest: [u8; 32],
    pub(super) size: u64,
}

impl Part {
    pub(super) fn begin(root: &Root, wanted: &Wanted) -> Result<Self, Fault> {
        let locked = Project::make(root, &wanted.project)?.lock()?;
        let which = format!("{}/{}", wanted.version, wanted.file);
        let name = format!("{OWN}{}.part", hex(&Sha256::digest(which)[..8]));
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(locked.fd(), &name, flags, Mode::RUSR | Mode::WUSR) {
            // What nobody writes was swept with the locking.
            Err(Errno::EXIST) => {
                return Err(Fault::Refused(format!("{wanted} is being brought by somebody else")));
            }
            file => file.map_err(locked.failed("begin a file in"))?,
        };
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(locked.failed("lock a new file in"))?;
        drop(locked);
        let project = Project::make(root, &wanted.project)?;
        Ok(Self { project, name, file: file.into(), what: wanted.to_string() })
    }

    /// Writes what comes until there is no more. Blocks.
    pub(super) fn fill(
        mut self,
        size: oneshot::Receiver<u64>,
        mut chunks: mpsc::Receiver<Bytes>,
    ) -> Result<Filled, Fault> {
        // Without one it is not known, or there is nothing to come.
        let size = size.blocking_recv().unwrap_or_default();
        if size > available(self.project.fd()) {
            return Err(self.full(size));
        }
        let mut writer = Hashing::new(&self.file);
        while let Some(chunk) = chunks.blocking_recv() {
            check_size(writer.count + chunk.len() as u64)?;
            if let Err(error) = writer.write_all(&chunk) {
                let needed = size.max(writer.count + chunk.len() as u64);
                return Err(match error.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => self.full(needed),
                    _ => Fault::failed(format!("write {}", self.what))(error),
                });
            }
        }
        let (digest, size) = writer.finish();
        self.file.rewind().map_err(Fault::failed(format!("read {}", self.what)))?;
        Ok(Filled { part: self, digest, size })
    }

    fn full(&self, needed: u64) -> Fault {
        full(self.project.fd(), &format!("{} in {}", self.what, self.project.path()), needed)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Still locked, so the name is still ours, or gone since it was put in its place. A part that stays is swept.
        let _ = unlinkat(self.project.fd(), &self.name, AtFlags::empty());
    }
}

/// # Errors
/// More than any artifact has.
pub(super) fn check_size(size: u64) -> Result<(), Fault> {
    if size <= MOST_BYTES {
        return Ok(());
    }
    Err(Fault::Refused(format!("{size} bytes are more than an artifact may have, {MOST_BYTES}")))
}

/// The file system is full.
pub(crate) fn full(directory: BorrowedFd<'_>, what: &str, needed: u64) -> Fault {
    let free = available(directory);
    Fault::Refused(format!("no space for {what}: {needed} bytes are needed, {free} are free"))
}

/// Bytes; without an answer as many as one likes.
pub(crate) fn available(directory: BorrowedFd<'_>) -> u64 {
    fstatvfs(directory.as_fd()).map_or(u64::MAX, |it| it.f_bavail.saturating_mul(it.f_frsize))
}

/// Writes on, and hashes what was written.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    count: u64,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), count: 0 }
    }

    pub(super) fn finish(self) -> ([u8; 32], u64) {
        (self.hash.finalize().into(), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

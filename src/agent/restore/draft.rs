//! A file of any size that is not whole yet.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd as _;

use rustix::fs::{AtFlags, Mode, fsync, renameat, unlinkat};

use crate::agent::artifacts::{available, full};
use crate::agent::fault::Fault;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::temporary;
use crate::agent::files::{directory, look};
use crate::agent::part::SPARE;
use crate::agent::place::{HostPath, Place, Root};

/// Removed when it is dropped before it is kept.
#[derive(Debug)]
pub(super) struct Draft {
    place: Place,
    name: OsString,
    pub(super) file: File,
}

impl Draft {
    /// Of a file at this path, for its owner alone; its directory is made, 0700, where there is none.
    pub(super) fn begin(root: &Root, path: &HostPath, size: u64) -> Result<Self, Fault> {
        if let Some((above, _)) = path.split()
            && root.find(path)?.is_none()
        {
            directory::make_above(root, &above)?;
            directory::make(&root.place(&above)?, Mode::RWXU, Owner::of_agent())?;
        }
        let place = root.place(path)?;
        let needed = size.saturating_add(SPARE);
        if available(place.parent().as_fd()) < needed {
            return Err(full(place.parent().as_fd(), &path.to_string(), needed));
        }
        let (file, name) = temporary(&place)?;
        Ok(Self { place, name, file })
    }

    /// Puts it in its place.
    pub(super) fn keep(self) -> Result<(), Fault> {
        let place = &self.place;
        fsync(&self.file).map_err(place.failed("make durable"))?;
        renameat(place.parent(), &self.name, place.parent(), place.name())
            .map_err(place.failed("put in its place"))?;
        fsync(place.parent()).map_err(place.failed("make the directory durable of"))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It may be in its place. What stays is swept the next time.
        let _ = unlinkat(self.place.parent(), &self.name, AtFlags::empty());
    }
}

/// Whether a file has this SHA-256.
pub(super) fn has_digest(root: &Root, path: &HostPath, digest: &[u8]) -> Result<bool, Fault> {
    let Some(place) = root.find(path)? else { return Ok(false) };
    let Some((file, _)) = look::open(&place)? else { return Ok(false) };
    let found = look::digest(file).map_err(Fault::failed(format!("read {path}")))?;
    Ok(found == digest)
}

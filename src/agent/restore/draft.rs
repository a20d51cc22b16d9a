//! A file of any size that is not whole yet.

use std::ffi::OsString;

use rustix::fs::{Mode, RenameFlags};

use crate::agent::fault::Fault;
use crate::agent::files::owner::Owner;
use crate::agent::files::{directory, look};
use crate::agent::part::Part;
use crate::agent::place::{HostPath, Root};

/// A part that knows what it is to be.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) part: Part,
    name: OsString,
}

impl Draft {
    /// Of a file at this path, for its owner alone; its directory is made, 0700, where there is none.
    pub(super) fn begin(root: &Root, path: &HostPath, size: u64) -> Result<Self, Fault> {
        let whole = || Fault::Invalid(format!("{path} is no path of a file"));
        let (above, name) = path.split().ok_or_else(whole)?;
        if root.find(path)?.is_none() {
            directory::make_above(root, &above)?;
            directory::make(&root.place(&above)?, Mode::RWXU, Owner::of_agent())?;
        }
        let at = root.directory(&above).map_err(Fault::failed(format!("open {above}")))?;
        let part = Part::begin(&at, &above, &name.to_string_lossy(), size)?;
        Ok(Self { part, name: name.to_owned() })
    }

    /// Puts it in its place.
    pub(super) fn keep(self) -> Result<(), Fault> {
        self.part.make_durable()?;
        self.part.settle(&self.name, RenameFlags::empty()).map(drop)
    }
}

/// Whether a file has this SHA-256.
pub(super) fn has_digest(root: &Root, path: &HostPath, digest: &[u8]) -> Result<bool, Fault> {
    let Some(place) = root.find(path)? else { return Ok(false) };
    let Some((file, _)) = look::open(&place)? else { return Ok(false) };
    let found = look::digest(file).map_err(Fault::failed(format!("read {path}")))?;
    Ok(found == digest)
}

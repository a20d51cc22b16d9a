//! Where the agent keeps what must outlive it: generations of locks, the journal, records.

use rustix::fs::Mode;

use super::fault::Fault;
use super::files::directory::{make, make_above};
use super::files::owner::Owner;
use super::place::{HostPath, Place, Root};

/// Only its owner looks inside.
pub(super) const DIRECTORY: &str = "/var/lib/ha-agent";

/// A file in a directory below, which is made when it is missing. The name was checked by whoever asks.
pub(super) fn place(root: &Root, directory: &str, name: &str) -> Result<Place, Fault> {
    let top = HostPath::parse(DIRECTORY.as_bytes())?;
    let directory = HostPath::parse(format!("{DIRECTORY}/{directory}").as_bytes())?;
    if root.directory(&directory).is_err() {
        make_above(root, &top)?;
        for path in [&top, &directory] {
            make(&root.place(path)?, Mode::RWXU, Owner::of_agent())?;
        }
    }
    root.place(&directory.join(name.as_ref()))
}

/// The same, where nothing is made: None when the directory is not there.
pub(super) fn find(root: &Root, directory: &str, name: &str) -> Result<Option<Place>, Fault> {
    let directory = HostPath::parse(format!("{DIRECTORY}/{directory}").as_bytes())?;
    root.find(&directory.join(name.as_ref()))
}

//! What tells a machine from every other. A directory that stands for a host has an id of its own.

use rustix::fs::Mode;

use super::facts::system;
use super::fault::Fault;
use super::files::look;
use super::files::owner::Owner;
use super::files::put::{Wanted, put};
use super::place::Root;
use super::state;

/// Below the directory of the agent's state, in a root of its own.
const FOLDER: &str = "machine";
const FILE: &str = "id";
/// A UUID and a line feed.
const MOST_BYTES: u64 = 100;

/// The machine-id; empty when there is none yet.
pub(super) fn id(root: &Root) -> Result<String, Fault> {
    if !root.is_own() {
        return Ok(system::optional("/etc/machine-id")?.trim().to_owned());
    }
    let Some(place) = state::find(root, FOLDER, FILE)? else { return Ok(String::new()) };
    let (_, text) = look::read(&place, MOST_BYTES)?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Gives an id to a directory that has none. A machine gets its own when it is installed.
pub(super) fn ensure(root: &Root) -> Result<(), Fault> {
    if !root.is_own() || !id(root)?.is_empty() {
        return Ok(());
    }
    let id = system::read("/proc/sys/kernel/random/uuid")?.replace('-', "");
    let place = state::place(root, FOLDER, FILE)?;
    let mode = Mode::RUSR | Mode::WUSR;
    put(&place, Wanted { content: id.as_bytes(), mode, owner: Owner::of_agent() })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_gets_an_id_once() {
        let [first, second] = [(); 2].map(|()| {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open(Some(folder.path())).unwrap();
            assert_eq!(id(&root).unwrap(), "");
            ensure(&root).unwrap();
            let given = id(&root).unwrap();
            ensure(&root).unwrap();
            assert_eq!(id(&root).unwrap(), given);
            given
        });
        assert!(first.len() == 32 && first != second, "{first} {second}");
    }
}

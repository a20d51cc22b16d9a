//! A service and the files that it reads: whether it runs as they say, and making it so.

use sha2::{Digest as _, Sha256};

use crate::domain::host::Unit;
use crate::host::messages::service_request::Action;
use crate::host::messages::{self, FactsReply, file};
use crate::host::{File, HostError, Locked};

/// How a service comes to run with its present files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It starts now, and whenever the host does.
    Start,
    /// It starts anew.
    Restart,
    /// It reads its files again.
    Reload,
}

/// What runs of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// It runs.
    pub runs: bool,
    /// It was started, or made to read them, since its files are as they are wanted.
    pub is_current: bool,
    /// Its unit is there.
    pub has_unit: bool,
}

impl Running {
    /// From facts that have the unit and the file of [`stamp_path`].
    pub fn of(facts: &FactsReply, unit: &str, stamp: &[u8; 32]) -> Self {
        let seen = facts.units.iter().find(|it| it.name == unit);
        let path = stamp_path(unit);
        let noted = facts.files.iter().find(|it| it.path == path);
        let digest: [u8; 32] = Sha256::digest(stamp).into();
        Self {
            runs: seen.is_some_and(|it| it.active == "active"),
            is_current: noted.is_some_and(|it| *it.digest == digest),
            has_unit: seen.is_some_and(|it| it.load == "loaded"),
        }
    }
}

/// What a unit is by the word of the service manager. Whether what runs serves is for itself to say.
pub(super) fn state(unit: &messages::Unit) -> Unit {
    match (unit.load.as_str(), unit.active.as_str()) {
        (_, "active" | "activating" | "reloading") => Unit::Starting,
        ("not-found" | "masked", _) => Unit::Absent,
        _ => Unit::Stopped,
    }
}

/// Stands for everything that a service reads when it starts.
pub fn stamp(files: &[File]) -> [u8; 32] {
    let mut all = Sha256::new();
    for file in files {
        // So that no byte moves from one to the next.
        for part in [file.path.as_bytes(), &file.content] {
            all.update((part.len() as u64).to_le_bytes());
            all.update(part);
        }
    }
    all.finalize().into()
}

/// Where it is noted what a service was started with. systemd forgets that its unit changed as soon as it has read it,
/// and never knew the other files; clocks of hosts may jump. So it is written down.
pub fn stamp_path(unit: &str) -> String {
    format!("{STAMPS}/{unit}")
}

const STAMPS: &str = "/var/lib/ha";

/// Writes what differs of the files, makes the service run with them, and notes that it does. The note comes last: a
/// crash before it costs one more restart, never one too few.
///
/// # Errors
/// As the calls that it is made of.
pub async fn run_service(
    host: &Locked,
    unit: &str,
    act: Act,
    stamp: &[u8; 32],
) -> Result<(), HostError> {
    match act {
        Act::Start => {
            host.service(Action::Enable, unit).await?;
            host.service(Action::Start, unit).await?;
        }
        Act::Restart => {
            host.service(Action::Restart, unit).await?;
        }
        Act::Reload => {
            host.service(Action::Reload, unit).await?;
        }
    }
    host.make_directory(STAMPS, 0o755, ("", ""), true).await?;
    let content = stamp.to_vec();
    host.put(File { path: stamp_path(unit), content, mode: 0o600, ..File::default() }).await?;
    Ok(())
}

/// Stops a service and takes its unit away. Nothing happens where there is none.
///
/// # Errors
/// As the calls that it is made of.
pub async fn remove_service(host: &Locked, unit: &str) -> Result<(), HostError> {
    let path = format!("/etc/systemd/system/{unit}");
    let request = messages::FactsRequest {
        files: vec![path.clone().into()],
        ..messages::FactsRequest::default()
    };
    let facts = host.facts(request).await?;
    if facts.files.iter().any(|it| it.kind() != file::Kind::Absent) {
        host.service(Action::Stop, unit).await?;
        host.service(Action::Disable, unit).await?;
        host.remove(&path, false).await?;
        host.service(Action::ReadUnits, "").await?;
    }
    host.remove(&stamp_path(unit), false).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_every_file_from_every_other() {
        let file = |path: &str, content: &str| File {
            path: path.to_owned(),
            content: content.into(),
            ..File::default()
        };
        let base = stamp(&[file("/a", "1"), file("/b", "2")]);
        assert_eq!(base, stamp(&[file("/a", "1"), file("/b", "2")]));
        for other in [
            vec![file("/a", "1")],
            vec![file("/a", "1"), file("/b", "3")],
            vec![file("/a", "1/b"), file("", "2")],
            vec![file("/b", "2"), file("/a", "1")],
        ] {
            assert_ne!(base, stamp(&other), "{other:?}");
        }
    }
}

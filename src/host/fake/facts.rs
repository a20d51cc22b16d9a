//! What a host in memory tells of itself.
#![expect(clippy::disallowed_methods, reason = "its clock is that of this machine")]

use std::time::{SystemTime, UNIX_EPOCH};

use super::pki;
use super::state::State;
use crate::proto::agent::{Disk, FactsReply, FactsRequest};

impl State {
    pub(super) fn facts(&self, request: &FactsRequest) -> FactsReply {
        let disk = |path: &bytes::Bytes| {
            let error = if is_plain(path) { String::new() } else { "no path".to_owned() };
            Disk { path: path.clone(), total: 1 << 40, available: 1 << 39, error }
        };
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        FactsReply {
            clock: i64::try_from(clock).unwrap_or(i64::MAX),
            architecture: "x86_64".to_owned(),
            machine_id: self.machine.clone(),
            hostname: self.machine.clone(),
            boot_id: self.machine.clone(),
            systemd: true,
            open_files: 1 << 20,
            addresses: self.addresses.clone(),
            disks: request.disks.iter().map(disk).collect(),
            units: request.units.iter().map(|it| self.unit(it)).collect(),
            files: request.files.iter().map(|it| self.file(it)).collect(),
            projects: request.projects.iter().map(|it| self.project(it)).collect(),
            keys: request.keys.iter().map(|it| pki::describe(self, it)).collect(),
            ..FactsReply::default()
        }
    }
}

/// As the agent wants it, which takes no path with two spellings.
fn is_plain(path: &[u8]) -> bool {
    let parts = path.strip_prefix(b"/").map(|it| it.split(|it| *it == b'/'));
    parts.is_some_and(|mut it| !it.any(|it| matches!(it, b"" | b"." | b"..")))
}

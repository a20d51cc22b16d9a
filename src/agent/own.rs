//! The agent itself as a program that stays, when the one that speaks to a client is gone.
#![expect(clippy::disallowed_methods, reason = "reads its own program")]

use std::sync::Arc;

use rustix::fs::Mode;

use super::change::{Deed, Host};
use super::fault::Fault;
use super::files::directory;
use super::files::owner::Owner;
use super::files::put::{Wanted, put};
use super::place::{HostPath, Root};
use crate::proto::agent::{PlaceAgentReply, PlaceAgentRequest};

/// It may have been replaced or removed since it was started: this is what runs.
const PROGRAM: &str = "/proc/self/exe";

/// Puts a copy to a path.
pub(super) async fn place_agent(
    host: &Arc<Host>,
    mut request: PlaceAgentRequest,
) -> Result<PlaceAgentReply, Fault> {
    let (claim, path) = (request.claim.take(), HostPath::parse(&request.path)?);
    let deed = Deed::new(format!("place the agent at {path}"), &request);
    let changed = host.change_files(claim, deed, move |root| place(root, &path)).await?;
    Ok(PlaceAgentReply { changed })
}

/// True when something else was there.
fn place(root: &Root, path: &HostPath) -> Result<bool, Fault> {
    let content = std::fs::read(PROGRAM).map_err(Fault::failed("read the agent itself"))?;
    directory::make_above(root, path)?;
    let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
    put(&root.place(path)?, Wanted { content: &content, mode, owner: Owner::of_agent() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_lies_there_as_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/usr/lib/x/ha-agent").unwrap();
        assert!(place(&root, &path).unwrap());
        assert!(!place(&root, &path).unwrap());
        let placed = std::fs::read(folder.path().join("usr/lib/x/ha-agent")).unwrap();
        assert!(placed == std::fs::read(PROGRAM).unwrap());
    }
}

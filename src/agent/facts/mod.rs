//! What is asked about the host, in one message.

mod limits;
pub(super) mod network;
pub(super) mod system;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use tokio::task::spawn_blocking;

use super::fault::Fault;
use super::files::look;
use super::place::{HostPath, Root};
use super::{artifacts, clock, machine, packages, pki, services};
use crate::proto::agent::{Disk, FactsReply, FactsRequest};

/// More in one message would hold up the heartbeat of the client.
const MOST_SUBJECTS: usize = 10_000;

/// Looks at everything at the same time.
pub(super) async fn look(root: &Arc<Root>, request: FactsRequest) -> Result<FactsReply, Fault> {
    let FactsRequest { disks, units, files, listeners, projects, packages, keys } = request;
    let subjects =
        [disks.len(), units.len(), files.len(), projects.len(), packages.len(), keys.len()];
    if subjects.iter().sum::<usize>() > MOST_SUBJECTS {
        return Err(Fault::Invalid(format!("more than {MOST_SUBJECTS} things are asked for")));
    }
    let seen = spawn_blocking({
        let root = Arc::clone(root);
        move || {
            let mut reply = system::look()?;
            reply.machine_id = machine::id(&root)?;
            reply.addresses = network::addresses()?;
            reply.links = network::links()?;
            reply.open_files = limits::open_files(&root)?;
            if listeners {
                reply.listeners = network::listeners()?;
            }
            reply.disks = disks.iter().map(|it| disk(&root, it)).collect();
            reply.files = files.iter().map(|it| look::describe(&root, it)).collect();
            reply.projects = projects.iter().map(|it| artifacts::look(&root, it)).collect();
            reply.keys = keys.iter().map(|it| pki::describe(&root, it)).collect();
            Ok::<_, Fault>(reply)
        }
    });
    let systemd = services::are_systemd(root);
    let (seen, units, packages) =
        tokio::join!(seen, services::look(root, &units), packages::look(root, &packages));
    let mut reply = seen.map_err(Fault::failed("look at the host"))??;
    reply.units = units?;
    reply.packages = packages;
    reply.systemd = systemd;
    reply.clock = clock::now();
    Ok(reply)
}

/// The directory, or the first one above it that is there.
fn nearest(root: &Root, path: &HostPath) -> rustix::io::Result<OwnedFd> {
    match (root.directory(path), path.split()) {
        (Err(Errno::NOENT | Errno::NOTDIR), Some((above, _))) => nearest(root, &above),
        (directory, _) => directory,
    }
}

/// The file system that the path is on, or would be: it is asked before anything is made.
fn disk(root: &Root, path: &[u8]) -> Disk {
    let space = HostPath::parse(path).and_then(|parsed| {
        let failed = || format!("measure the file system of {parsed}");
        let directory = nearest(root, &parsed).map_err(Fault::failed(failed()))?;
        rustix::fs::fstatvfs(directory).map_err(Fault::failed(failed()))
    });
    let path = path.to_vec().into();
    match space {
        Ok(space) => Disk {
            path,
            total: space.f_blocks.saturating_mul(space.f_frsize),
            available: space.f_bavail.saturating_mul(space.f_frsize),
            error: String::new(),
        },
        Err(fault) => {
            let error = tonic::Status::from(fault).message().to_owned();
            Disk { path, error, ..Disk::default() }
        }
    }
}

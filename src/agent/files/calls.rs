//! The calls about files, each checked and done under its claim.

use std::sync::Arc;

use rustix::fs::Mode;

use super::owner::Owner;
use super::put::Wanted;
use super::{aside, directory, look, put as files_put, remove as files_remove};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::place::{HostPath, Root};
use crate::proto::agent::{
    MakeDirectoryReply, MakeDirectoryRequest, MoveAsideReply, MoveAsideRequest, PutReply,
    PutRequest, ReadReply, ReadRequest, RemoveReply, RemoveRequest,
};

/// What one message may hold.
const LARGEST: u64 = 16 << 20;

fn mode(bits: u32) -> Result<Mode, Fault> {
    if bits == 0 || bits > 0o7777 {
        return Err(Fault::Invalid(format!("{bits:o} is no mode of a file")));
    }
    Ok(Mode::from_raw_mode(bits))
}

pub(crate) async fn put(host: &Arc<Host>, mut request: PutRequest) -> Result<PutReply, Fault> {
    let claim = request.claim.take();
    let (path, mode) = (HostPath::parse(&request.path)?, mode(request.mode)?);
    let deed = Deed::new(format!("put {path}"), &request);
    let work = move |root: &Root| {
        let owner = Owner::named(root, &request.user, &request.group)?;
        files_put::put(&root.place(&path)?, Wanted { content: &request.content, mode, owner })
    };
    Ok(PutReply { changed: host.change_files(claim, deed, work).await? })
}

/// Also tells that there is nothing.
pub(crate) async fn read(host: &Arc<Host>, request: ReadRequest) -> Result<ReadReply, Fault> {
    let ReadRequest { path, limit } = request;
    let parsed = HostPath::parse(&path)?;
    let limit = if limit == 0 { LARGEST } else { limit.min(LARGEST) };
    let work = move |host: &Host| match host.root.find(&parsed)? {
        Some(place) => look::read(&place, limit),
        None => Ok((look::describe(&host.root, &path), Vec::new())),
    };
    let (file, content) = host.blocking(work).await?;
    Ok(ReadReply { file: Some(file), content: content.into() })
}

pub(crate) async fn remove(
    host: &Arc<Host>,
    mut request: RemoveRequest,
) -> Result<RemoveReply, Fault> {
    let (claim, path) = (request.claim.take(), HostPath::parse(&request.path)?);
    let deed = Deed::new(format!("remove {path}"), &request);
    let work = move |root: &Root| match root.find(&path)? {
        Some(place) => files_remove::remove(&place, request.tree),
        None => Ok(false),
    };
    Ok(RemoveReply { changed: host.change_files(claim, deed, work).await? })
}

pub(crate) async fn move_aside(
    host: &Arc<Host>,
    mut request: MoveAsideRequest,
) -> Result<MoveAsideReply, Fault> {
    let (claim, path) = (request.claim.take(), HostPath::parse(&request.path)?);
    let deed = Deed::new(format!("move {path} aside as {}", request.label), &request);
    let work = move |root: &Root| match root.find(&path)? {
        Some(place) => aside::move_aside(&place, &request.label),
        None => Ok((false, None)),
    };
    let (changed, path) = host.change_files(claim, deed, work).await?;
    let path = path.map(|it| it.bytes().to_vec()).unwrap_or_default().into();
    Ok(MoveAsideReply { changed, path })
}

pub(crate) async fn make_directory(
    host: &Arc<Host>,
    mut request: MakeDirectoryRequest,
) -> Result<MakeDirectoryReply, Fault> {
    let claim = request.claim.take();
    let (path, mode) = (HostPath::parse(&request.path)?, mode(request.mode)?);
    let deed = Deed::new(format!("make the directory {path}"), &request);
    let work = move |root: &Root| {
        let owner = Owner::named(root, &request.user, &request.group)?;
        if request.parents {
            directory::make_above(root, &path)?;
        }
        directory::make(&root.place(&path)?, mode, owner)
    };
    Ok(MakeDirectoryReply { changed: host.change_files(claim, deed, work).await? })
}

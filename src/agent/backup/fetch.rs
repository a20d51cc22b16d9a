//! One snapshot from a store to a directory of this host.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::calls::open;
use super::shelf::Shelf;
use super::store::Store;
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::line::hex;
use crate::agent::part::Part;
use crate::agent::place::{HostPath, Root};
use crate::agent::snapshot::WAITING;
use crate::domain::backup::{Found, Manifest, is_of};
use crate::proto::agent::{FetchBackupReply, FetchBackupRequest};

/// Brings it, proven by its manifest.
pub(in crate::agent) async fn fetch(
    host: &Arc<Host>,
    mut request: FetchBackupRequest,
) -> Result<FetchBackupReply, Fault> {
    let claim = request.claim.take();
    let (name, path) = (request.name.clone(), HostPath::parse(&request.directory)?);
    if !is_of(&name, "", "") || name.contains('/') {
        return Err(Fault::Invalid(format!("{name:?} is no name of a snapshot")));
    }
    let deed = Deed::new(format!("bring the snapshot {name} from a store into {path}"), &request);
    let store = open(&request.store.unwrap_or_default())?;
    let at = Arc::clone(host);
    host.change(claim, deed, async move { bring(&at, &store, name, path).await }).await
}

async fn bring(
    host: &Arc<Host>,
    store: &Store,
    name: String,
    path: HostPath,
) -> Result<FetchBackupReply, Fault> {
    let found = store.find(&name).await?;
    let found = found.ok_or_else(|| Fault::Refused(format!("{name} is not in the store")))?;
    let counts = found.manifest.map_err(|why| Fault::Refused(format!("{name}: {why}")));
    let manifest = counts?;
    let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
    let reply = |changed| FetchBackupReply { manifest: text.into(), changed };
    let own = manifest.clone();
    let begin = move |it: &Host| begin(&it.root, &path, &own);
    let Some((shelf, part)) = host.blocking(begin).await? else { return Ok(reply(false)) };
    let (sender, parts) = mpsc::channel(WAITING);
    let own = manifest.clone();
    let filling = host.blocking(move |it| fill(&it.root, &shelf, &part, parts, &own));
    let (sent, kept) = tokio::join!(store.fetch(&manifest, sender), filling);
    // What broke off on its way is damaged too.
    sent?;
    kept.map(|()| reply(true))
}

/// None: it is there.
fn begin(
    root: &Root,
    path: &HostPath,
    manifest: &Manifest,
) -> Result<Option<(Shelf, Part)>, Fault> {
    let shelf = Shelf::make(root, path)?;
    let is_it = |it: &Found| it.manifest.as_ref().is_ok_and(|it| it == manifest);
    if shelf.list(root, (&manifest.cluster, &manifest.backup))?.iter().any(is_it) {
        return Ok(None);
    }
    let part = shelf.part(&manifest.name, manifest.size)?;
    Ok(Some((shelf, part)))
}

fn fill(
    root: &Root,
    shelf: &Shelf,
    part: &Part,
    pieces: mpsc::Receiver<Bytes>,
    manifest: &Manifest,
) -> Result<(), Fault> {
    let mut digest = Sha256::new();
    part.fill(pieces, &manifest.name, |piece| {
        digest.update(piece);
        Ok(())
    })?;
    if hex(&digest.finalize()) != manifest.sha256 {
        let name = &manifest.name;
        return Err(Fault::Refused(format!("{name} is damaged: its digest is another")));
    }
    shelf.keep(root, part, manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_its_manifest_says_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/restored").unwrap();
        let manifest = Manifest {
            name: "p.n.1".to_owned(),
            cluster: "p".to_owned(),
            backup: "n".to_owned(),
            size: 4,
            sha256: hex(&Sha256::digest(b"data")),
            ..Manifest::empty()
        };
        let fetch = |parts: &[&'static str]| -> Result<bool, String> {
            let said = |it| tonic::Status::from(it).message().to_owned();
            let begun = begin(&root, &path, &manifest).map_err(said)?;
            let Some((shelf, part)) = begun else { return Ok(false) };
            let (sender, received) = mpsc::channel(8);
            for part in parts {
                sender.try_send(Bytes::from(*part)).unwrap();
            }
            drop(sender);
            fill(&root, &shelf, &part, received, &manifest).map(|()| true).map_err(said)
        };
        for damaged in [&["da"][..], &["data", "x"], &["dete"], &[]] {
            assert_eq!(fetch(damaged).unwrap_err(), "p.n.1 is damaged: its digest is another");
        }
        assert!(fetch(&["da", "ta"]).unwrap());
        assert!(!fetch(&[]).unwrap());
    }
}

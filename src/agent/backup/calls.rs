//! What a client may ask for: a snapshot beside the schedule, and what there is.

use std::sync::Arc;

use super::shelf::Shelf;
use super::take::{Outcome, take};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::place::{HostPath, Root};
use crate::domain::backup::Settings;
use crate::proto::agent::{
    BackUpReply, BackUpRequest, Backup, ListBackupsReply, ListBackupsRequest,
};

const MOST_SETTINGS: u64 = 1 << 20;

/// Takes a snapshot now, as the settings in a file say.
pub(in crate::agent) async fn back_up(
    host: &Arc<Host>,
    mut request: BackUpRequest,
) -> Result<BackUpReply, Fault> {
    let claim = request.claim.take();
    let path = HostPath::parse(&request.settings)?;
    let deed = Deed::new(format!("take a snapshot as {path} says"), &request);
    let at = Arc::clone(host);
    let work = async move {
        let from = path.clone();
        let read = move |it: &Host| {
            let text = look::read(&it.root.place(&from)?, MOST_SETTINGS)?.1;
            Settings::parse(&text).map_err(|it| Fault::Refused(format!("{from}: {it}")))
        };
        let (settings, schedule) = at.blocking(read).await?;
        let taken = take(&at.root, &settings, &schedule, None, Some(at.life.ending())).await?;
        let Outcome::Kept(manifest) = taken else {
            return Err(Fault::Refused("another host has a later one".to_owned()));
        };
        let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
        Ok(BackUpReply { manifest: text.into() })
    };
    host.change(claim, deed, work).await
}

/// What lies in a directory of a backup.
pub(in crate::agent) fn list(
    root: &Root,
    request: &ListBackupsRequest,
) -> Result<ListBackupsReply, Fault> {
    let path = HostPath::parse(&request.directory)?;
    let Some(shelf) = Shelf::open(root, &path)? else {
        return Ok(ListBackupsReply { backups: Vec::new() });
    };
    let stored = shelf.list(root, (&request.cluster, &request.name))?;
    let backup = |it: super::shelf::Stored| {
        let (manifest, fault) = match it.manifest {
            Ok(manifest) => match manifest.print() {
                Ok(text) => (text, String::new()),
                Err(error) => (String::new(), error.to_string()),
            },
            Err(fault) => (String::new(), fault),
        };
        Backup { name: it.name, files: it.files, manifest: manifest.into(), fault }
    };
    Ok(ListBackupsReply { backups: stored.into_iter().map(backup).collect() })
}

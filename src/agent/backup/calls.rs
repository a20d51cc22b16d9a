//! What a client may ask for: a snapshot beside the schedule, what there is, and the end of it.

use std::sync::Arc;

use super::shelf::Shelf;
use super::ship::ship;
use super::store::Store;
use super::take::{Outcome, take};
use crate::agent::change::{Deed, Host};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::place::HostPath;
use crate::agent::program::ended;
use crate::domain::backup::{Bucket, Found, Keys, Settings};
use crate::proto::agent::{
    BackUpReply, BackUpRequest, Backup, ForgetBackupsReply, ForgetBackupsRequest, ListBackupsReply,
    ListBackupsRequest, ObjectStore,
};

const MOST_SETTINGS: u64 = 1 << 20;

/// Takes a snapshot now, as the settings in a file say, and brings it to their store.
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
        let elsewhere = || Fault::Refused("another host has a later one".to_owned());
        let Outcome::Kept(manifest) = taken else { return Err(elsewhere()) };
        if settings.store.is_some() {
            let there = tokio::select! {
                there = ship(&at.root, &settings, &schedule) => there?,
                () = ended(Some(at.life.ending())) => {
                    let why = "the snapshot waits on its host for the store: the agent ends";
                    return Err(Fault::Refused(why.to_owned()));
                }
            };
            if there.contains(&manifest.name) {
                return Err(elsewhere());
            }
        }
        let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
        Ok(BackUpReply { manifest: text.into() })
    };
    host.change(claim, deed, work).await
}

/// What lies in a directory of a backup, or in a store.
pub(in crate::agent) async fn list(
    host: &Arc<Host>,
    request: ListBackupsRequest,
) -> Result<ListBackupsReply, Fault> {
    if let Some(store) = request.store {
        let found = open(&store)?.list((&request.cluster, &request.name)).await?;
        return Ok(told(found, String::new()));
    }
    let look = move |host: &Host| {
        let (root, path) = (&host.root, HostPath::parse(&request.directory)?);
        let Some(shelf) = Shelf::open(root, &path)? else {
            return Ok(ListBackupsReply::default());
        };
        let found = shelf.list(root, (&request.cluster, &request.name))?;
        Ok(told(found, shelf.noted(root)?))
    };
    host.blocking(look).await
}

/// Removes all of a backup from a store.
pub(in crate::agent) async fn forget(
    host: &Arc<Host>,
    mut request: ForgetBackupsRequest,
) -> Result<ForgetBackupsReply, Fault> {
    let claim = request.claim.take();
    let (cluster, name) = (request.cluster.clone(), request.name.clone());
    if cluster.is_empty() || name.is_empty() {
        return Err(Fault::Invalid("only the snapshots of one backup can be removed".to_owned()));
    }
    let what = format!("remove the snapshots {name} of {cluster} from a store");
    let deed = Deed::new(what, &request);
    let store = open(&request.store.unwrap_or_default())?;
    let work = async move {
        let all = store.list((&cluster, &name)).await?;
        for found in &all {
            store.forget(found).await?;
        }
        Ok(ForgetBackupsReply { count: u32::try_from(all.len()).unwrap_or(u32::MAX) })
    };
    host.change(claim, deed, work).await
}

pub(super) fn open(store: &ObjectStore) -> Result<Store, Fault> {
    let invalid = |it: &dyn std::fmt::Display| Fault::Invalid(format!("the store: {it}"));
    let bucket = Bucket::parse(&store.bucket).map_err(|it| invalid(&it))?;
    let keys = (!store.keys.is_empty()).then(|| Keys::parse(&store.keys)).transpose();
    Store::open(bucket, keys.map_err(|it| invalid(&it))?)
}

fn told(found: Vec<Found>, waits: String) -> ListBackupsReply {
    let backup = |it: Found| {
        let (manifest, fault) = match it.manifest {
            Ok(manifest) => match manifest.print() {
                Ok(text) => (text, String::new()),
                Err(error) => (String::new(), error.to_string()),
            },
            Err(fault) => (String::new(), fault),
        };
        let files = it.files.into_keys().collect();
        Backup { name: it.name, files, manifest: manifest.into(), fault }
    };
    ListBackupsReply { backups: found.into_iter().map(backup).collect(), waits }
}

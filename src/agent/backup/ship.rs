//! From the disk of this host to the store: what the store has goes from the disk, and what it does not take waits there.

use std::sync::Arc;

use super::shelf::Shelf;
use super::store::{Brought, Store};
use super::take::{blocking, note, tell};
use crate::agent::fault::{Fault, chain};
use crate::agent::files::look;
use crate::agent::place::{HostPath, Root};
use crate::domain::backup::{Found, Keys, Schedule, Settings, surplus};

const MOST_KEYS: u64 = 64 << 10;

/// Brings all that waits on this host to the store, the newest first. The names of those that the store had from another
/// host already.
///
/// # Guarantees
/// A snapshot goes from this host when the store has one of its name, with its data. Nothing goes from the store before
/// that; then what is more than is wished. Where the store does not take all, that is noted beside what waits.
pub(super) async fn ship(
    root: &Arc<Root>,
    settings: &Settings,
    schedule: &Schedule,
) -> Result<Vec<String>, Fault> {
    let path = HostPath::parse(settings.directory.as_bytes())?;
    let (at, names) = (Arc::clone(root), (settings.cluster.name.clone(), settings.name.clone()));
    let look = move || {
        let Some(shelf) = Shelf::open(&at, &path)? else { return Ok(None) };
        let all = shelf.list(&at, (&names.0, &names.1))?;
        Ok(Some((Arc::new(shelf), all)))
    };
    let Some((shelf, all)) = blocking(look).await? else { return Ok(Vec::new()) };
    let mut waiting: Vec<_> = all.into_iter().filter(|it| it.manifest.is_ok()).collect();
    waiting.reverse();
    let done = bring(root, settings, schedule, &shelf, waiting).await;
    let why = done.as_ref().err().map(|it| chain(it));
    let at = Arc::clone(root);
    blocking(move || shelf.note(&at, why.as_deref())).await?;
    done
}

async fn bring(
    root: &Arc<Root>,
    settings: &Settings,
    schedule: &Schedule,
    shelf: &Arc<Shelf>,
    waiting: Vec<Found>,
) -> Result<Vec<String>, Fault> {
    // Nobody is asked for nothing.
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let store = open(root, settings).await?;
    let (mut elsewhere, mut refused) = (Vec::new(), None);
    for found in waiting {
        let Ok(manifest) = found.manifest.clone() else { continue };
        let (at, own) = (Arc::clone(shelf), manifest.clone());
        // Who was asked for a snapshot may have brought it meanwhile, and the service what was asked for.
        let Some(data) = blocking(move || at.data(&own)).await? else { continue };
        match store.bring(data, &manifest).await {
            Ok(Brought::Kept) => {
                tell(&format!("the store has {}", manifest.name));
                note(root, settings, &manifest).await;
            }
            Ok(Brought::Elsewhere) => {
                tell(&format!("the store has {} from another host", manifest.name));
                elsewhere.push(manifest.name);
            }
            // That is of this one alone.
            Err(fault @ Fault::Refused(_)) => {
                refused.get_or_insert(fault);
                continue;
            }
            Err(fault) => return Err(fault),
        }
        let at = Arc::clone(shelf);
        blocking(move || at.forget(&found)).await?;
    }
    // Keys that may not remove anything are no fault: what is more than is wished stays.
    if let Err(fault) = tidy(&store, settings, schedule).await {
        tell(&format!("what is more than is wished stays: {}", chain(&fault)));
    }
    refused.map_or(Ok(elsewhere), Err)
}

async fn tidy(store: &Store, settings: &Settings, schedule: &Schedule) -> Result<(), Fault> {
    let all = store.list((&settings.cluster.name, &settings.name)).await?;
    for found in surplus(&settings.retention, schedule, &all) {
        store.forget(found).await?;
    }
    Ok(())
}

async fn open(root: &Arc<Root>, settings: &Settings) -> Result<Store, Fault> {
    let store = settings.store.clone();
    let store = store.ok_or_else(|| Fault::Invalid("there is no store".to_owned()))?;
    let keys = match store.keys {
        Some(path) => {
            let at = Arc::clone(root);
            Some(blocking(move || read(&at, &path)).await?)
        }
        None => None,
    };
    Store::open(store.bucket, keys)
}

fn read(root: &Root, path: &str) -> Result<Keys, Fault> {
    let at = HostPath::parse(path.as_bytes())?;
    let text = look::read(&root.place(&at)?, MOST_KEYS)?.1;
    Keys::parse(&text).map_err(|it| Fault::Refused(format!("{path}: {it}")))
}

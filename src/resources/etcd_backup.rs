//! `ha_etcd_backup`: snapshots that the hosts of a cluster take on a schedule.
#![expect(clippy::disallowed_methods, reason = "judges by the clock whether a snapshot is overdue")]

mod course;
mod drift;
mod forecast;
mod imported;
mod model;
#[cfg(test)]
mod tests;
mod wish;

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use self::course::remember;
use self::model::{EtcdBackupModel, hosts};
use super::etcd_snapshots::dark;
use super::fleet::{Ready, fleet, unseen};
use super::hosted::{self, Hosted as _, all_may_go};
use super::hosts as places;
use super::import::HostedIdentity;
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::backup::{Setup, Stored, Where, look_at_all, stored, stored_in};
use crate::domain::Kind;
use crate::engine::{Announced, Fleet};
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The resource.
pub(super) struct EtcdBackup;

/// What stands beside the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    announced: Announced,
    /// The keys that hosts have shown, where none was given.
    pins: Pins,
}

impl Resource for EtcdBackup {
    const NAME: &'static str = "ha_etcd_backup";
    type Provider = Ha;
    type Model = EtcdBackupModel;
    type Identity = HostedIdentity;
    type Private = Kept;

    fn validate(&self, config: &EtcdBackupModel) -> Diagnostics {
        wish::check(config)
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &change.planned;
        let at = Path::root("cluster").attribute("hosts");
        let mut found = wish::check(planned);
        found.extend(places::check_connections(
            &at,
            &Self::hosts(planned).collect::<Vec<_>>(),
            client,
        ));
        let prior = change.prior.as_ref().map(|it| &it.state);
        found.extend(other_cluster(prior, planned));
        if found.has_errors() {
            return found;
        }
        found.extend(mortal(prior, planned));
        let store = planned.store.known();
        let store = store.map(|it| client.object_store(it, &Path::root("store")));
        if let Some(Err(Gap::Fault(fault))) = store {
            found.push(fault);
            return found;
        }
        let is_open = matches!(store, Some(Err(Gap::Unknown(_))))
            || planned.cluster.known().is_none_or(|it| it.hosts.is_unknown())
            || hosts(planned).any(|(_, it)| it.host.is_unknown());
        if is_open {
            change.private.announced = all_may_go::<Self>(&[Kind::Remove], prior);
            return found;
        }
        let forecast = forecast::forecast(prior, planned);
        found.extend(forecast.refusal.iter().map(wish::explain));
        change.private.announced = forecast.announced;
        change.steps = forecast.steps.iter().map(ToString::to_string).collect();
        found
    }

    async fn create(
        &self,
        client: &Client,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        Box::pin(hosted::create(client, wanted, context)).await
    }

    async fn read(&self, client: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, mut private, .. } = object;
        let present = |state, private, diags| Read::Present(Applied { state, private, diags });
        let ready = Self::ready(client, &state, None, &private, &state.id.or_default());
        let Ready { setup, sites, targets, places, .. } = match ready {
            Ok(ready) => ready,
            Err(Gap::Unknown(unknown)) => return present(state, private, unknown.warning().into()),
            Err(Gap::Fault(fault)) => return Read::Failed(fault.into()),
        };
        let fleet = fleet(client, targets, &setup.own);
        let ((looks, silent), stored) =
            tokio::join!(look_at_all(&fleet, &sites, &setup), there_is(&fleet, &setup));
        let seen = sites.iter().filter_map(|(key, site)| Some((site, looks.get(key)?)));
        let mut found: Vec<_> = seen.flat_map(|(site, look)| look.drift(site, &setup)).collect();
        found.extend(drift::drift(&state, &stored, now()));
        state.drift = Value::Known(found);
        remember(&mut private, &looks, &places);
        let mut diags: Diagnostics = unseen(&silent).collect();
        if let Where::Store(store) = &setup.into {
            diags.extend(stored.silent.get(&store.name).map(|why| dark(&store.name, why)));
        }
        present(state, private, diags)
    }

    async fn update(
        &self,
        client: &Client,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        Box::pin(hosted::update(client, prior, wanted, context)).await
    }

    async fn delete(
        &self,
        client: &Client,
        object: Object<Self>,
        context: &Context,
    ) -> Deleted<Self> {
        Box::pin(hosted::delete(client, object, context)).await
    }

    fn identify(
        &self,
        state: &EtcdBackupModel,
        known: Option<&HostedIdentity>,
    ) -> Option<HostedIdentity> {
        hosted::identify::<Self>(state, known)
    }

    async fn import(
        &self,
        client: &Client,
        key: ImportKey<HostedIdentity>,
        _: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        hosted::import(client, key).await
    }
}

/// The snapshots of a backup; what waits for a store does not count.
async fn there_is(fleet: &Fleet, setup: &Setup) -> Stored {
    let names = (setup.cluster.as_str(), setup.name.as_str());
    let directory = setup.directory();
    let on_hosts = stored(fleet, &directory, names);
    match &setup.into {
        Where::Directory(_) => on_hosts.await,
        Where::Store(store) => {
            let (on_hosts, found) = tokio::join!(on_hosts, stored_in(fleet, store, names));
            Stored { waits: on_hosts.waits, ..found }
        }
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    time::OffsetDateTime::from(SystemTime::now()).unix_timestamp()
}

fn other_cluster(prior: Option<&EtcdBackupModel>, planned: &EtcdBackupModel) -> Option<Diagnostic> {
    let before = prior?.cluster.known()?.id.known()?;
    let now = planned.cluster.known()?.id.known()?;
    (before != now).then(|| {
        let detail = format!("It was of the cluster with the id {before}, and that one has {now}.");
        Diagnostic::error("A backup stays with its cluster", detail)
            .at(Path::root("cluster").attribute("id"))
            .hint("Make another backup for the other cluster; the snapshots of this one stay.")
    })
}

/// A directory on the hosts is no place for the only copy. Told when it is chosen.
fn mortal(prior: Option<&EtcdBackupModel>, planned: &EtcdBackupModel) -> Option<Diagnostic> {
    let directory = planned.directory.known()?;
    let is_told = prior.is_some_and(|it| it.directory.known() == Some(directory));
    (!is_told).then(|| {
        let detail = format!("{directory} is on the hosts of the cluster, and dies with them.");
        Diagnostic::warning("The snapshots are where the data is", detail)
            .at(Path::root("directory"))
            .hint("Copy them elsewhere, or mount the directory from elsewhere.")
    })
}

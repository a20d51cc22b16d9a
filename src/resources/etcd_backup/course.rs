//! One run over the hosts of a cluster, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::model::{EtcdBackupModel, hosts, needs_snapshot};
use super::{Kept, wish};
use crate::actions::backup::{Backups, Look, Setup, Site};
use crate::actions::former_key;
use crate::domain::backup::hosts::{Leave, Observed};
use crate::domain::name::Name;
use crate::engine::{Announced, converge};
use crate::host::Target;
use crate::resources::fleet::{self, locked};
use crate::resources::host::target;
use crate::resources::hosts::cluster_address;
use crate::resources::pins::{Places, place_of};
use crate::resources::provider::{Client, Gap};
use crate::resources::{etcd_access, run};
use crate::tfplugin::api::Context;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;

/// Everything that a run needs.
pub(super) type Ready = fleet::Ready<Setup, Site>;

/// The end of a run.
pub(super) type Reached = fleet::Reached<Observed, Look>;

impl Reached {
    /// What is known of the hosts of these states, and of no others.
    pub(super) fn kept(&self, mut private: Kept, states: &[&EtcdBackupModel]) -> Kept {
        private.pins.take(&self.places, &self.shown);
        remember(&mut private, &self.looks, &self.places);
        let all = states.iter().flat_map(|it| hosts(it)).filter_map(|(_, it)| it.host.known());
        private.pins.retain(all);
        private
    }
}

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
    }
}

/// From what is wanted and what was, if there was something.
pub(super) fn ready(
    client: &Client,
    wanted: &EtcdBackupModel,
    prior: Option<&EtcdBackupModel>,
    private: &Kept,
    id: &str,
) -> Result<Ready, Gap> {
    let is_new = prior.is_none() && wanted.id.known().is_none();
    let setup = wish::setup(wanted, client, id, (is_new, needs_snapshot(prior, wanted)))?;
    let (mut sites, mut targets) = (BTreeMap::new(), BTreeMap::<String, Target>::new());
    let mut places = Places::new();
    for (model, is_prior) in [(Some(wanted), false), (prior, true)] {
        let Some(model) = model else { continue };
        let endpoints = model.cluster.known().and_then(|it| it.endpoints.known());
        let endpoints = endpoints.map(Vec::as_slice).unwrap_or_default();
        for (rank, (key, host)) in hosts(model).enumerate() {
            let (Some(way), Ok(name)) = (host.host.known(), key.parse::<Name>()) else { continue };
            let at = Path::root("cluster").attribute("hosts").key(key);
            let target = target(way, key, &at.attribute("host"), client, private.pins.of(way))?;
            // What leads to a host that is wanted needs no second way.
            if targets.values().any(|it| it.is_same_place(&target)) {
                continue;
            }
            let address = cluster_address(way, &host.address, &at)?;
            let port = endpoints.get(rank).and_then(|it| etcd_access::port(it.known()?));
            let port = port.ok_or_else(|| {
                let detail = "There is not one for each host, with its port.";
                let fault = Diagnostic::error("This is no `access` of a cluster of etcd", detail);
                Gap::Fault(fault.at(Path::root("cluster").attribute("endpoints")))
            })?;
            let fleet_key = if is_prior { former_key(&name) } else { key.clone() };
            let site = Site {
                key: name,
                host: target.name.clone(),
                endpoint: SocketAddr::new(address, port),
                rank: u32::try_from(rank).unwrap_or(u32::MAX),
                root: target.root().to_owned(),
            };
            places.insert(fleet_key.clone(), place_of(way));
            sites.insert(fleet_key.clone(), site);
            targets.insert(fleet_key, target);
        }
    }
    Ok(Ready { setup, sites, targets, places })
}

pub(super) async fn go(
    client: &Client,
    ready: Ready,
    announced: Announced,
    patient: &BTreeSet<String>,
    leaves: Option<Leave>,
    context: &Context,
) -> Reached {
    let Ready { setup, sites, targets, places } = ready;
    let run = run(context, announced);
    let mut fleet = match locked(client, targets, &setup.own, patient, &run).await {
        Ok(fleet) => fleet,
        Err(stopped) => return Reached::nothing(setup.own.id, stopped),
    };
    let shown = fleet.host_keys();
    let mut world = Backups::new(&mut fleet, setup, sites, leaves);
    let converged = converge(&mut world, &run).await;
    let (looks, id) = (world.looks().clone(), world.id().to_owned());
    let mut warnings = Diagnostics::new();
    if leaves.is_none() {
        warnings.extend(converged.observed.iter().flat_map(silent));
    }
    fleet.release().await;
    let (observed, stopped) = (converged.observed, converged.stopped);
    Reached { id, observed, stopped, looks, places, shown, warnings }
}

fn silent(observed: &Observed) -> impl Iterator<Item = Diagnostic> {
    let stays = observed.hosts.iter().map(|it| (it, "it goes on there as before"));
    let leaves = observed.former.iter().map(|it| (it, "it may go on there"));
    let silent = stays.chain(leaves).filter(|((_, facts), _)| facts.is_none());
    silent.map(|((key, _), what)| {
        let detail = format!("{key} does not answer: {what}.");
        Diagnostic::warning("A host of the backup does not answer", detail)
            .hint("Wait for it, or take it out of the cluster.")
    })
}

//! One run over the hosts of a cluster, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::model::{EtcdBackupModel, hosts, needs_snapshot, with_recorded};
use super::{EtcdBackup, Kept, imported, other_cluster, wish};
use crate::actions::Own;
use crate::actions::backup::{Backups, KIND, Look, Setup, Site};
use crate::domain::backup::hosts::{Observed, Refusal};
use crate::engine::record::Record;
use crate::engine::{Announced, Fleet, Stopped, converge};
use crate::resources::etcd_access;
use crate::resources::fleet::{Laid, Ready};
use crate::resources::host::HostModel;
use crate::resources::hosted::{End, Hosted, Job};
use crate::resources::hosts::{Placed, cluster_address};
use crate::resources::import::{HostedIdentity, Sought};
use crate::resources::pins::Places;
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::api::{ImportKey, Resource as _};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The end of a run.
type Reached = End<EtcdBackup>;

impl Hosted for EtcdBackup {
    const KIND: &'static str = KIND;
    const WHAT: &'static str = "backup";
    const REMAINS: &'static str = "the unit `etcd-backup-<cluster>_<name>`, its file in /etc/etcd-backup and the record of the backup in /var/lib/ha-agent/records on each host";
    const SAVED: &'static str = "The state is as it was; an apply goes on from what was reached.";
    type Setup = Setup;
    type Site = Site;
    type More = ();
    type Observed = Observed;
    type Look = Look;

    fn hosts(model: &EtcdBackupModel) -> impl Iterator<Item = Placed<'_>> {
        hosts(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address })
    }

    fn name(model: &EtcdBackupModel) -> Value<String> {
        imported::called(model).into()
    }

    fn id(model: &mut EtcdBackupModel) -> &mut Value<String> {
        &mut model.id
    }

    fn drift(model: &EtcdBackupModel) -> &Value<Vec<String>> {
        &model.drift
    }

    fn with_recorded(from: &EtcdBackupModel, of: EtcdBackupModel) -> EtcdBackupModel {
        with_recorded(from, of)
    }

    fn refusal(prior: &EtcdBackupModel, planned: &EtcdBackupModel) -> Option<Diagnostic> {
        other_cluster(Some(prior), planned)
    }

    fn ready(
        client: &Client,
        wanted: &EtcdBackupModel,
        prior: Option<&EtcdBackupModel>,
        private: &Kept,
        id: &str,
    ) -> Result<Ready<Setup, Site>, Gap> {
        let is_new = prior.is_none() && wanted.id.known().is_none();
        // What is there already is to be what it is.
        let before = prior.or((!is_new).then_some(wanted));
        let setup = wish::setup(wanted, client, id, (is_new, needs_snapshot(before, wanted)))?;
        let map = Path::root("cluster").attribute("hosts");
        let wanted_keys: BTreeSet<_> = hosts(wanted).map(|(key, _)| key.as_str()).collect();
        let Laid { sites, targets, places } = Laid::out(
            client,
            &private.pins,
            &map,
            [Some(wanted), prior].into_iter().flatten().flat_map(members),
            |name| wanted_keys.contains(name.as_str()),
            |seat, (rank, address, endpoint)| {
                let port = endpoint.and_then(etcd_access::port).ok_or_else(|| {
                    let detail = "There is not one for each host, with its port.";
                    let fault =
                        Diagnostic::error("This is no `access` of a cluster of etcd", detail);
                    Gap::Fault(fault.at(Path::root("cluster").attribute("endpoints")))
                })?;
                let address = cluster_address(seat.host, address, &seat.at)?;
                Ok(Site {
                    key: seat.name.clone(),
                    host: seat.way.name.clone(),
                    endpoint: SocketAddr::new(address, port),
                    rank: u32::try_from(rank).unwrap_or(u32::MAX),
                    root: seat.way.root().to_owned(),
                })
            },
        )?;
        Ok(Ready { setup, sites, targets, places, more: () })
    }

    fn own(setup: &Setup) -> &Own {
        &setup.own
    }

    fn announced(private: &Kept, _: Option<&EtcdBackupModel>, _: &EtcdBackupModel) -> Announced {
        private.announced.clone()
    }

    async fn work(fleet: &mut Fleet, job: Job<'_, Self>) -> Result<Reached, Stopped> {
        let Job { setup, sites, leaves, run, .. } = job;
        let leaves = leaves.map(wish::leave);
        let mut world = Backups::new(fleet, setup, sites, leaves);
        let converged = converge(&mut world, run).await;
        let told = converged.observed.iter().filter(|_| leaves.is_none());
        let warnings = told.flat_map(silent).collect();
        Ok(Reached::ended((world.id(), world.looks()), converged, warnings))
    }

    fn tell(_: &Reached, _: &mut EtcdBackupModel) {}

    fn kept(reached: &Reached, mut private: Kept, states: &[&EtcdBackupModel]) -> Kept {
        private.pins.take(&reached.places, &reached.shown);
        remember(&mut private, &reached.looks, &reached.places);
        let all = states.iter().flat_map(|it| hosts(it)).filter_map(|(_, it)| it.host.known());
        private.pins.retain(all);
        private
    }

    /// The hosts are those of the cluster, and not for a backup to choose.
    fn joined(_: &mut EtcdBackupModel, _: &EtcdBackupModel, _: Option<&Observed>) {}

    fn found_on(stopped: &Stopped) -> Option<&str> {
        let Refusal::Foreign { name, .. } = stopped.refusal()? else { return None };
        Some(name.as_str())
    }

    fn sought(key: ImportKey<HostedIdentity>) -> Result<Sought, Diagnostic> {
        Sought::within(Self::NAME, key)
    }

    fn title(sought: &Sought) -> String {
        Setup::called(sought.cluster(), sought.name())
    }

    fn restored(record: &Record, sought: &Sought) -> Result<EtcdBackupModel, Diagnostics> {
        imported::restored(record, sought.name())
    }
}

/// The hosts of the cluster, each with its turn, its address and its endpoint.
fn members(model: &EtcdBackupModel) -> impl Iterator<Item = Member<'_>> {
    let endpoints = model.cluster.known().and_then(|it| it.endpoints.known());
    let endpoints = endpoints.map(Vec::as_slice).unwrap_or_default();
    hosts(model).enumerate().map(move |(rank, (key, it))| {
        let endpoint = endpoints.get(rank).and_then(Value::known).map(String::as_str);
        (key, &it.host, (rank, &it.address, endpoint))
    })
}

type Member<'a> = (&'a String, &'a Value<HostModel>, (usize, &'a Value<String>, Option<&'a str>));

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
    }
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

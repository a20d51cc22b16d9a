//! One run over the hosts of a cluster, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{
    EtcdClusterModel, complete, has_same_settings, is_only_way, members, name, with_recorded,
};
use super::{EtcdCluster, Kept, Last, ill, imported, restore, wish};
use crate::actions::etcd::{
    Certificates, Consumer, EtcdCluster as World, KIND, Look, Restore, Setup, Site, Terms,
    preflight,
};
use crate::actions::{Own, former_key};
use crate::domain::Kind;
use crate::domain::artifacts::Project;
use crate::domain::etcd::{
    ClusterId, Host, MemberId, Observed, Refusal, Settings, Warning, warnings,
};
use crate::engine::record::Record;
use crate::engine::{Announced, Fleet, Stopped, converge};
use crate::resources::certificates::{CertificateTerms, terms};
use crate::resources::fleet::{Laid, Ready, as_one};
use crate::resources::hosted::{End, Hosted, Job, is_silence, join, known, left_behind, unknown};
use crate::resources::hosts::Placed;
use crate::resources::import::Sought;
use crate::resources::pins::Places;
use crate::resources::programs::programs;
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The end of a run.
type Reached = End<EtcdCluster>;

impl Hosted for EtcdCluster {
    const KIND: &'static str = KIND;
    const WHAT: &'static str = "etcd cluster";
    const REMAINS: &'static str = "the unit `etcd-<name>`, /etc/etcd-<name>, the data directory and the records of the cluster in /var/lib/ha-agent/records on each host";
    const LEAVING: Kind = Kind::MoveAside;
    type Setup = Setup;
    type Site = Site;
    /// What is to be restored.
    type More = Option<Terms>;
    type Observed = Observed;
    type Look = Look;

    fn hosts(model: &EtcdClusterModel) -> impl Iterator<Item = Placed<'_>> {
        members(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address })
    }

    fn name(model: &EtcdClusterModel) -> Value<String> {
        model.name.clone()
    }

    fn id(model: &mut EtcdClusterModel) -> &mut Value<String> {
        &mut model.id
    }

    fn drift(model: &EtcdClusterModel) -> &Value<Vec<String>> {
        &model.drift
    }

    fn with_recorded(from: &EtcdClusterModel, of: EtcdClusterModel) -> EtcdClusterModel {
        with_recorded(from, of)
    }

    fn is_only_way(one: &EtcdClusterModel, other: &EtcdClusterModel) -> bool {
        is_only_way(one, other)
    }

    fn ready(
        client: &Client,
        wanted: &EtcdClusterModel,
        prior: Option<&EtcdClusterModel>,
        private: &Kept,
        id: &str,
    ) -> Result<Ready<Setup, Site, Option<Terms>>, Gap> {
        let desired = known::<Self, _>(wish::desired(wanted))?;
        let all = [Some(wanted), prior].into_iter().flatten();
        let Laid { sites, targets, places } = Laid::out(
            client,
            &private.pins,
            &Path::root("members"),
            all.flat_map(members).map(|(key, it)| (key, &it.host, &it.address)),
            |name| desired.members.contains_key(name),
            |seat, address| {
                let place = wish::place(seat.key, seat.host, address)?;
                let (name, host) = (seat.name.clone(), seat.way.name.clone());
                let site = Site::new(&desired, name, host, place, seat.way.root());
                site.map_err(|err| seat.unfit(err))
            },
        )?;
        let is_same = prior.is_none_or(|it| has_same_settings(it, wanted));
        let last = private.last.iter().filter_map(|(key, it)| {
            let (version, address) = (it.version.parse().ok()?, it.address);
            Some((key.clone(), Settings { version, address, is_current: it.is_current && is_same }))
        });
        let known_id = u64::from_str_radix(&wanted.cluster_id.or_default(), 16).ok();
        let cluster = wanted.name.or_default();
        let is_new = prior.is_none() && wanted.id.known().is_none();
        let CertificateTerms { validity, ca_validity, extra_sans } =
            terms(&wanted.certificates).ok_or_else(unknown::<Self>)?;
        let called = format!("etcd-{cluster}").parse();
        let setup = Setup {
            called: called.map_err(|_| unknown::<Self>())?,
            certificates: Certificates { validity, ca_validity, extra_sans },
            own: Own::new(KIND, &cluster, id, is_new, wish::applied(wanted)),
            known: known_id.map(ClusterId),
            generation: restore::reached(prior.or((!is_new).then_some(wanted))),
            last: last.collect(),
            programs: Arc::new(programs(client, Project::Etcd)?),
            desired,
        };
        for (key, site) in &sites {
            setup.leaves(site, None).map_err(|err| {
                let fault = Diagnostic::error(format!("{key} cannot have certificates"), &err);
                Gap::Fault(fault.at(Path::root("certificates")))
            })?;
        }
        // A look restores nothing, and needs no store.
        let is_change = prior.is_some() || is_new;
        let restores = is_change.then(|| restore::terms(prior, wanted, prior.map(|_| id), client));
        let more = restores.transpose()?.flatten();
        Ok(Ready { setup, sites, targets, places, more })
    }

    fn own(setup: &Setup) -> &Own {
        &setup.own
    }

    fn announced(
        private: &Kept,
        prior: Option<&EtcdClusterModel>,
        planned: &EtcdClusterModel,
    ) -> Announced {
        let mut announced = private.announced.clone();
        if prior.is_none() {
            // What a creation left that was never of use to anybody. A member that was never started, when the others have
            // found each other already, joins anew: nobody can tell whether it had data that is lost.
            for kind in [Kind::MoveAside, Kind::Remove] {
                announced.add(kind, members(planned).map(|(key, _)| key.as_str()));
            }
        }
        announced
    }

    async fn work(fleet: &mut Fleet, job: Job<'_, Self>) -> Result<Reached, Stopped> {
        let Job { client, setup, sites, more: restores, leaves, run, .. } = job;
        let leaves = leaves.is_some();
        // Nothing new is put on hosts that are to be left.
        if !leaves {
            preflight(fleet, &sites, &setup).await?;
        }
        let desired = setup.desired.clone();
        let mut world = World::new(fleet, setup, sites, leaves);
        let mut unreadable = None;
        if let Some(terms) = restores {
            let reach = |it: &Consumer| restore::reach(it, client);
            let mut restore = Restore::new(&mut world, terms, &reach);
            let stopped = converge(&mut restore, run).await.stopped;
            unreadable = as_one("A snapshot holds what cannot be read", restore.unreadable());
            if let Some(stopped) = stopped {
                let (looks, warnings) = (world.looks().clone(), unreadable.into_iter().collect());
                let nothing = Reached::nothing(world.id().to_owned(), stopped);
                return Ok(Reached { looks, warnings, ..nothing });
            }
        }
        let converged = converge(&mut world, run).await;
        let told = converged.observed.iter().filter(|_| !leaves);
        let told = told.flat_map(|it| warnings(&desired, it));
        let told = as_one("Something about the etcd cluster is worth knowing", told);
        let warnings = told.into_iter().chain(unreadable).collect();
        Ok(Reached::ended((world.id(), world.looks()), converged, warnings))
    }

    fn tell(reached: &Reached, state: &mut EtcdClusterModel) {
        if let Some(ca) = reached.looks.values().find_map(Look::authority) {
            state.ca_certificate = Value::Known(ca);
        }
        if let Some(cluster) = reached.observed.as_ref().and_then(|it| it.cluster.as_ref()) {
            state.cluster_id = Value::Known(cluster.id.to_string());
        }
        complete(state);
    }

    fn kept(reached: &Reached, mut private: Kept, states: &[&EtcdClusterModel]) -> Kept {
        private.pins.take(&reached.places, &reached.shown);
        let corrupt = ill::corrupt(reached.observed.as_ref());
        if let Some(state) = states.first() {
            remember(&mut private, state, (&reached.looks, &reached.places), &corrupt);
        }
        let all = || states.iter().flat_map(|it| members(it));
        let hosts = all().filter_map(|(_, it)| it.host.known());
        private.pins.retain(hosts);
        // A host that a member had is of interest until the run has come to its end.
        let is_over = reached.stopped.is_none();
        let had = |key: &str, it: &str| name(key).is_some_and(|key| former_key(&key) == it);
        private.last.retain(|it, _| all().any(|(key, _)| key == it || !is_over && had(key, it)));
        private
    }

    /// Those that joined are in.
    fn joined(
        state: &mut EtcdClusterModel,
        planned: &EtcdClusterModel,
        observed: Option<&Observed>,
    ) {
        if let Some(Observed { cluster: Some(cluster), former, .. }) = observed {
            let is_voter =
                |key: &String| cluster.members.iter().any(|it| it.name == *key && !it.is_learner);
            let remains = |key: &String| {
                let host = name(key).and_then(|it| former.get(&it));
                is_voter(key)
                    || host.is_some_and(|it| match &it.host {
                        Host::Unseen { .. } => true,
                        Host::Seen(facts) => facts.is_ours(),
                    })
            };
            join(&mut state.members, &planned.members, is_voter, remains);
        }
        complete(state);
    }

    fn is_silence(reached: &Reached, before: &EtcdClusterModel) -> bool {
        let is_want = |it: &Refusal| {
            matches!(
                it,
                Refusal::NobodyAnswers(_)
                    | Refusal::FormerSilent(_)
                    | Refusal::Unseen(_)
                    | Refusal::Silent(_)
                    | Refusal::QuorumLost { .. }
            )
        };
        is_silence::<Self, _>(reached, before, is_want, Look::is_blank)
    }

    fn found_on(stopped: &Stopped) -> Option<&str> {
        let Refusal::Foreign { name, .. } = stopped.refusal()? else { return None };
        Some(name.as_str())
    }

    fn left(state: &EtcdClusterModel, observed: Option<&Observed>) -> Diagnostics {
        let hosts = observed.into_iter().flat_map(|it| &it.hosts);
        let lost = hosts.filter(|it| it.1.seen().is_none());
        let mut told: Diagnostics =
            left_behind::<Self>(lost.map(|it| Warning::LeftBehind(it.0.clone()))).collect();
        if state.on_destroy.known().is_none_or(|it| it != "purge")
            && let Some(Ok(desired)) = wish::desired(state)
        {
            let detail = format!(
                "On each host it is beside {}, with `.aside-` and the id of its member.",
                desired.data_dir
            );
            told.push(Diagnostic::warning("The data of the etcd cluster was kept", detail));
        }
        told
    }

    fn restored(record: &Record, _: &Sought) -> Result<EtcdClusterModel, Diagnostics> {
        imported::restored(record)
    }
}

pub(super) fn remember(
    private: &mut Kept,
    state: &EtcdClusterModel,
    (looks, places): (&BTreeMap<String, Look>, &Places),
    corrupt: &BTreeSet<MemberId>,
) {
    let is_member = |key: &str| members(state).any(|(it, _)| it == key);
    private.ill = ill::found(&private.ill, looks, corrupt, is_member);
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
        if let Some(Settings { version, address, is_current }) = look.running() {
            let last = Last { version: version.to_string(), address, is_current };
            private.last.insert(key.clone(), last);
        }
    }
}

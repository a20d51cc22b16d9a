//! One run over the hosts of a cluster, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{EtcdClusterModel, complete, has_same_settings, members, name};
use super::{EtcdCluster, Kept, Last, ill, restore, wish};
use crate::actions::etcd::{
    Certificates, Consumer, EtcdCluster as World, KIND, Look, Restore, Setup, Site, Terms,
    preflight,
};
use crate::actions::{Own, former_key};
use crate::domain::Kind;
use crate::domain::artifacts::Project;
use crate::domain::etcd::{ClusterId, Host, MemberId, Observed, Refusal, Settings, warnings};
use crate::engine::{Announced, Stopped, converge};
use crate::host::Target;
use crate::resources::certificates::{CertificateTerms, terms};
use crate::resources::fleet::{self, as_one, locked, newcomers};
use crate::resources::host::target;
use crate::resources::pins::{Places, place_of};
use crate::resources::programs::programs;
use crate::resources::provider::{Client, Gap};
use crate::resources::run;
use crate::tfplugin::api::{Context, Wanted};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// Everything that a run needs.
pub(super) type Ready = fleet::Ready<Setup, Site>;

/// The end of a run.
pub(super) type Reached = fleet::Reached<Observed, Look>;

impl Reached {
    /// What only the hosts know.
    pub(super) fn tell(&self, state: &mut EtcdClusterModel) {
        if let Some(ca) = self.looks.values().find_map(Look::authority) {
            state.ca_certificate = Value::Known(ca);
        }
        if let Some(cluster) = self.observed.as_ref().and_then(|it| it.cluster.as_ref()) {
            state.cluster_id = Value::Known(cluster.id.to_string());
        }
        complete(state);
    }

    /// What is known of the members of these states, the first of which is the present one, and of no others.
    pub(super) fn kept(&self, mut private: Kept, states: &[&EtcdClusterModel]) -> Kept {
        private.pins.take(&self.places, &self.shown);
        let corrupt = ill::corrupt(self.observed.as_ref());
        if let Some(state) = states.first() {
            remember(&mut private, state, (&self.looks, &self.places), &corrupt);
        }
        let all = || states.iter().flat_map(|it| members(it));
        let hosts = all().filter_map(|(_, it)| it.host.known());
        private.pins.retain(hosts);
        // A host that a member had is of interest until the run has come to its end.
        let is_over = self.stopped.is_none();
        let had = |key: &str, it: &str| name(key).is_some_and(|key| former_key(&key) == it);
        private.last.retain(|it, _| all().any(|(key, _)| key == it || !is_over && had(key, it)));
        private
    }
}

impl Reached {
    /// Whether it was stopped for want of hosts, and none of those that answer has shown to be another machine than before.
    pub(super) fn is_silence(&self, before: &EtcdClusterModel) -> bool {
        let Some(Stopped::Refused(why)) = &self.stopped else { return false };
        let is_silence = matches!(
            why.downcast_ref(),
            Some(
                Refusal::NobodyAnswers(_)
                    | Refusal::FormerSilent(_)
                    | Refusal::Unseen(_)
                    | Refusal::Silent(_)
                    | Refusal::QuorumLost { .. }
            )
        );
        let was_there = |key: &str| members(before).any(|(it, _)| it == key);
        let is_other = |(key, look): (&String, &Look)| was_there(key) && look.is_blank();
        is_silence && !self.looks.iter().any(is_other)
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

/// From what is wanted and what was, if there was something.
pub(super) fn ready(
    client: &Client,
    wanted: &EtcdClusterModel,
    prior: Option<&EtcdClusterModel>,
    private: &Kept,
    id: &str,
) -> Result<Ready, Gap> {
    let unknown = || {
        let detail = "A value of the cluster is not known.";
        Gap::Fault(Diagnostic::error("The etcd cluster cannot be worked on", detail))
    };
    let desired = wish::desired(wanted).ok_or_else(unknown)?;
    let desired =
        desired.map_err(|faults| faults.into_iter().next().map_or_else(unknown, Gap::Fault))?;
    let (mut sites, mut targets) = (BTreeMap::new(), BTreeMap::<String, Target>::new());
    let mut places = Places::new();
    for model in [Some(wanted), prior].into_iter().flatten() {
        for (key, member) in members(model) {
            let (Some(host), Some(name)) = (member.host.known(), name(key)) else { continue };
            let at = Path::root("members").key(key).attribute("host");
            let way = target(host, key, &at, client, private.pins.of(host))?;
            // What leads to a host that is wanted needs no second way.
            if targets.values().any(|it| it.is_same_place(&way)) {
                continue;
            }
            let place = wish::place(key, host, &member.address)?;
            let fleet_key = if targets.contains_key(key) || !desired.members.contains_key(&name) {
                former_key(&name)
            } else {
                key.clone()
            };
            let site = Site::new(&desired, name, way.name.clone(), place, way.root());
            let site = site.map_err(|err| {
                let fault = Diagnostic::error("The root of a host cannot be used", &err);
                Gap::Fault(fault.at(at.attribute("root")))
            })?;
            places.insert(fleet_key.clone(), place_of(host));
            sites.insert(fleet_key.clone(), site);
            targets.insert(fleet_key, way);
        }
    }
    let is_same = prior.is_none_or(|it| has_same_settings(it, wanted));
    let last = private.last.iter().filter_map(|(key, it)| {
        let (version, address) = (it.version.parse().ok()?, it.address);
        Some((key.clone(), Settings { version, address, is_current: it.is_current && is_same }))
    });
    let known_id = u64::from_str_radix(&wanted.cluster_id.or_default(), 16).ok().map(ClusterId);
    let cluster = wanted.name.or_default();
    let is_new = prior.is_none() && wanted.id.known().is_none();
    let CertificateTerms { validity, ca_validity, extra_sans } =
        terms(&wanted.certificates).ok_or_else(unknown)?;
    let called = format!("etcd-{cluster}").parse();
    let setup = Setup {
        called: called.map_err(|_| unknown())?,
        certificates: Certificates { validity, ca_validity, extra_sans },
        own: Own::new(KIND, &cluster, id, is_new, wish::applied(wanted)),
        known: known_id,
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
    Ok(Ready { setup, sites, targets, places })
}

pub(super) async fn reach(
    client: &Client,
    prior: Option<&EtcdClusterModel>,
    wanted: &Wanted<EtcdCluster>,
    id: &str,
    context: &Context,
) -> Result<Reached, Diagnostics> {
    let ready = ready(client, &wanted.planned, prior, &wanted.private, id);
    let ready = ready.map_err(|gap| Diagnostics::from(gap.into_error()))?;
    let before = prior.into_iter().flat_map(members).map(|(key, _)| key);
    let new = newcomers(before, members(&wanted.planned).map(|(key, _)| key));
    let mut announced = wanted.private.announced.clone();
    if prior.is_none() {
        // What a creation left that was never of use to anybody. A member that was never started, when the others have found
        // each other already, joins anew: nobody can tell whether it had data that is lost.
        for kind in [Kind::MoveAside, Kind::Remove] {
            announced.add(kind, members(&wanted.planned).map(|(key, _)| key.as_str()));
        }
    }
    let id = prior.map(|_| id);
    let restores = restore::terms(prior, &wanted.planned, id);
    Ok(go(client, ready, (announced, restores), &new, false, context).await)
}

pub(super) async fn go(
    client: &Client,
    ready: Ready,
    (announced, restores): (Announced, Option<Terms>),
    patient: &BTreeSet<String>,
    leaves: bool,
    context: &Context,
) -> Reached {
    let Ready { setup, sites, targets, places } = ready;
    let run = run(context, announced);
    let mut fleet = match locked(client, targets, &setup.own, patient, &run).await {
        Ok(fleet) => fleet,
        Err(stopped) => return Reached::nothing(setup.own.id, stopped),
    };
    // Nothing new is put on hosts that are to be left.
    let fit = if leaves { Ok(()) } else { preflight(&mut fleet, &sites, &setup).await };
    if let Err(stopped) = fit {
        fleet.release().await;
        return Reached::nothing(setup.own.id, stopped);
    }
    let shown = fleet.host_keys();
    let desired = setup.desired.clone();
    let mut world = World::new(&mut fleet, setup, sites, leaves);
    if let Some(terms) = restores {
        let reach = |it: &Consumer| restore::reach(it, client);
        let stopped = converge(&mut Restore::new(&mut world, terms, &reach), &run).await.stopped;
        if let Some(stopped) = stopped {
            let (looks, id) = (world.looks().clone(), world.id().to_owned());
            fleet.release().await;
            return Reached { looks, places, shown, ..Reached::nothing(id, stopped) };
        }
    }
    let converged = converge(&mut world, &run).await;
    let (looks, id) = (world.looks().clone(), world.id().to_owned());
    fleet.release().await;
    let told = converged.observed.iter().filter(|_| !leaves);
    let told = told.flat_map(|it| warnings(&desired, it));
    let told = as_one("Something about the etcd cluster is worth knowing", told);
    Reached {
        id,
        warnings: told.into_iter().collect(),
        observed: converged.observed,
        stopped: converged.stopped,
        looks,
        places,
        shown,
    }
}

/// The members after a run that was stopped: those that joined are in, those that were to leave stay until they have.
pub(super) fn joined(
    state: &mut EtcdClusterModel,
    planned: &EtcdClusterModel,
    observed: Option<&Observed>,
) {
    let Some(Observed { cluster: Some(cluster), former, .. }) = observed else { return };
    let votes = |key: &String| cluster.members.iter().any(|it| it.name == *key && !it.is_learner);
    let (mut now, planned) = (state.members.or_default(), planned.members.or_default());
    let remains = |key: &String| {
        let host = name(key).and_then(|it| former.get(&it));
        votes(key)
            || host.is_some_and(|it| match &it.host {
                Host::Unseen { .. } => true,
                Host::Seen(facts) => facts.is_ours(),
            })
    };
    now.retain(|key, _| planned.contains_key(key) || remains(key));
    for (key, member) in planned {
        if !now.contains_key(&key) && votes(&key) {
            now.insert(key, member);
        }
    }
    state.members = Value::Known(now);
}

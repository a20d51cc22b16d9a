//! One run over the hosts of a control plane, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::forecast::is_alike;
use super::model::{ControlPlaneModel, complete, name, nodes};
use super::{ControlPlane, Kept, Last, recovery, wish};
use crate::actions::kubernetes::{ControlPlane as World, KIND, Look, Setup, Site};
use crate::actions::{Own, former_key};
use crate::domain::artifacts::Project;
use crate::domain::kubernetes::{
    CertificateWish, Facts, Node, Observed, Refusal, Settings, warnings,
};
use crate::engine::{Announced, Fleet, Stopped, converge};
use crate::host::Target;
use crate::resources::certificates::{CertificateTerms, terms};
use crate::resources::etcd_access;
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
pub(super) struct Ready {
    pub(super) setup: Setup,
    pub(super) sites: BTreeMap<String, Site>,
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) places: Places,
    /// The hosts of the cluster of etcd.
    etcd: Fleet,
}

/// The end of a run.
pub(super) type Reached = fleet::Reached<Observed, Look>;

impl Reached {
    /// What only the hosts know.
    pub(super) fn tell(&self, state: &mut ControlPlaneModel) {
        if let Some(ca) = self.looks.values().filter(|it| it.is_ours()).find_map(Look::authority) {
            state.ca_certificate = Value::Known(ca);
        }
        if state.recovery_bundle.is_unknown() {
            let kept = self.looks.values().find_map(Look::bundle);
            state.recovery_bundle = kept.map_or(Value::Null, Value::from);
        }
        complete(state);
    }

    /// What is known of the nodes of these states, and of no others.
    pub(super) fn kept(&self, mut private: Kept, states: &[&ControlPlaneModel]) -> Kept {
        private.pins.take(&self.places, &self.shown);
        remember(&mut private, &self.looks, &self.places);
        let all = || states.iter().flat_map(|it| nodes(it));
        let hosts = all().filter_map(|(_, it)| it.host.known());
        private.pins.retain(hosts);
        // A host that a node had is of interest until the run has come to its end.
        let is_over = self.stopped.is_none();
        let had = |key: &str, it: &str| name(key).is_some_and(|key| former_key(&key) == it);
        private.bare.retain(|it| all().any(|(key, _)| key == it));
        private.silent.retain(|it| all().any(|(key, _)| key == it));
        private.last.retain(|it, _| all().any(|(key, _)| key == it || !is_over && had(key, it)));
        private
    }

    /// Whether it was stopped for want of hosts, and none of those that answer has shown to be another machine than before.
    pub(super) fn is_silence(&self, before: &ControlPlaneModel) -> bool {
        let Some(Stopped::Refused(why)) = &self.stopped else { return false };
        let is_silence =
            matches!(why.downcast_ref(), Some(Refusal::Unseen(_) | Refusal::Silent(_)));
        let was_there = |key: &str| nodes(before).any(|(it, _)| it == key);
        let is_other = |(key, look): (&String, &Look)| was_there(key) && look.is_blank();
        is_silence && !self.looks.iter().any(is_other)
    }
}

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
        if let Some(Settings { version, is_current }) = look.running() {
            let last = Last { version: version.to_string(), is_current };
            private.last.insert(key.clone(), last);
        }
    }
    recovery::remember_keys(private, looks);
}

/// From what is wanted and what was, if there was something.
pub(super) fn ready(
    client: &Client,
    wanted: &ControlPlaneModel,
    prior: Option<&ControlPlaneModel>,
    private: &Kept,
    id: &str,
) -> Result<Ready, Gap> {
    let unknown = || {
        let detail = "A value of the control plane is not known.";
        Gap::Fault(Diagnostic::error("The control plane cannot be worked on", detail))
    };
    let desired = wish::desired(wanted).ok_or_else(unknown)?;
    let desired =
        desired.map_err(|faults| faults.into_iter().next().map_or_else(unknown, Gap::Fault))?;
    let (access, etcd) = etcd_access::open(&wanted.etcd, &Path::root("etcd"), client)?;
    let (mut sites, mut targets) = (BTreeMap::new(), BTreeMap::<String, Target>::new());
    let mut places = Places::new();
    for model in [Some(wanted), prior].into_iter().flatten() {
        for (key, node) in nodes(model) {
            let (Some(host), Some(name)) = (node.host.known(), name(key)) else { continue };
            let at = Path::root("nodes").key(key).attribute("host");
            let way = target(host, key, &at, client, private.pins.of(host))?;
            // What leads to a host that is wanted needs no second way.
            if targets.values().any(|it| it.is_same_place(&way)) {
                continue;
            }
            let place = wish::place(key, host, &node.address)?;
            let is_former = targets.contains_key(key) || !desired.nodes.contains_key(&name);
            let fleet_key = if is_former { former_key(&name) } else { key.clone() };
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
    // With other settings, nobody who was seen before runs what is wished.
    let before = prior.and_then(wish::desired).and_then(Result::ok);
    let is_same = |key: &str| {
        let is_alike = |key| before.as_ref().is_some_and(|it| is_alike(it, &desired, &key));
        prior.is_none() || name(key).is_some_and(is_alike)
    };
    let last = private.last.iter().filter_map(|(key, it)| {
        let is_current = it.is_current && is_same(key);
        Some((key.clone(), Settings { version: it.version.parse().ok()?, is_current }))
    });
    let CertificateTerms { validity, ca_validity, extra_sans } =
        terms(&wanted.certificates).ok_or_else(unknown)?;
    let cluster = wanted.name.or_default();
    let is_new = prior.is_none() && wanted.id.known().is_none();
    let is_lost = prior.is_some_and(|it| recovery::is_lost(it, wanted, private));
    let recovery =
        if is_new || is_lost { recovery::keys(client, wanted, prior, &desired)? } else { None };
    let called = format!("kubernetes-{cluster}").parse();
    let setup = Setup {
        called: called.map_err(|_| unknown())?,
        certificates: CertificateWish { validity, ca_validity, extra_sans },
        own: Own::new(KIND, &cluster, id, is_new, wish::applied(wanted)),
        is_known: !is_new,
        last: last.collect(),
        programs: Arc::new(programs(client, Project::Kubernetes)?),
        recovery,
        etcd: access,
        desired,
    };
    for (key, site) in &sites {
        setup.check_certificates(site.place).map_err(|err| {
            let fault = Diagnostic::error(format!("{key} cannot have certificates"), &err);
            Gap::Fault(fault.at(Path::root("certificates")))
        })?;
    }
    Ok(Ready { setup, sites, targets, places, etcd })
}

pub(super) async fn reach(
    client: &Client,
    prior: Option<&ControlPlaneModel>,
    wanted: &Wanted<ControlPlane>,
    id: &str,
    context: &Context,
) -> Result<Reached, Diagnostics> {
    let ready = ready(client, &wanted.planned, prior, &wanted.private, id);
    let ready = ready.map_err(|gap| Diagnostics::from(gap.into_error()))?;
    let before = prior.into_iter().flat_map(nodes).map(|(key, _)| key);
    let new = newcomers(before, nodes(&wanted.planned).map(|(key, _)| key));
    let announced = wanted.private.announced.clone();
    Ok(go(client, ready, announced, &new, false, context).await)
}

pub(super) async fn go(
    client: &Client,
    ready: Ready,
    announced: Announced,
    patient: &BTreeSet<String>,
    leaves: bool,
    context: &Context,
) -> Reached {
    let Ready { setup, sites, targets, places, mut etcd } = ready;
    let run = run(context, announced);
    let mut fleet = match locked(client, targets, &setup.own, patient, &run).await {
        Ok(fleet) => fleet,
        Err(stopped) => return Reached::nothing(setup.own.id, stopped),
    };
    let shown = fleet.host_keys();
    let desired = setup.desired.clone();
    let mut world = World::new(&mut fleet, &mut etcd, setup, sites, leaves);
    let converged = converge(&mut world, &run).await;
    let (looks, id) = (world.looks().clone(), world.id().to_owned());
    fleet.release().await;
    let told = converged.observed.iter().filter(|_| !leaves);
    let told = told.flat_map(|it| warnings(&desired, it));
    let told = as_one("Something about the control plane is worth knowing", told);
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

/// The nodes after a run that was stopped: those that serve are in, those that were to leave stay until they have.
pub(super) fn joined(
    state: &mut ControlPlaneModel,
    planned: &ControlPlaneModel,
    observed: Option<&Observed>,
) {
    let Some(Observed { nodes, former, .. }) = observed else { return };
    let node =
        |of: &'_ BTreeMap<_, Node>, key: &String| name(key).and_then(|it| of.get(&it).cloned());
    let is_ours = |it: &Facts| it.owner.is_us();
    let serves = |key: &String| {
        node(nodes, key).as_ref().and_then(Node::seen).is_some_and(|it| is_ours(it) && it.serves())
    };
    let remains = |key: &String| node(former, key).is_some_and(|it| it.seen().is_none_or(is_ours));
    let (mut now, planned) = (state.nodes.or_default(), planned.nodes.or_default());
    now.retain(|key, _| planned.contains_key(key) || remains(key));
    for (key, node) in planned {
        if !now.contains_key(&key) && serves(&key) {
            now.insert(key, node);
        }
    }
    state.nodes = Value::Known(now);
}

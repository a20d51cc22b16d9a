//! What an apply would do, from the configuration and the state alone.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{ControlPlaneModel, NodeModel, name, nodes};
use super::wish::desired as wished;
use crate::domain::Kind;
use crate::domain::host::{Certificates, MachineId, Owner, Unit};
use crate::domain::kubernetes::{
    Component, Data, Desired, Facts, KeptBundle, KeysId, Layout, Leader, Leaders, Node, Observed,
    Part, Refusal, Settings, Step, Version, VersionFault, believe, files, next, service,
};
use crate::domain::name::Name;
use crate::engine::{Announced, End, steps_of};
use crate::resources::host::HostModel;
use crate::tfplugin::value::Value;

/// The steps, what of them is announced, and why there are no more.
pub(super) struct Forecast {
    pub(super) steps: Vec<Step>,
    pub(super) announced: Announced,
    pub(super) refusal: Option<Refusal>,
    /// What the steps begin with.
    pub(super) observed: Observed,
}

/// As if every host answered and every component served. `is_lost`: but that none has the keys.
pub(super) fn forecast(
    prior: Option<&ControlPlaneModel>,
    planned: &ControlPlaneModel,
    desired: &Desired,
    is_lost: bool,
) -> Forecast {
    let observed = observed(prior, planned, desired, is_lost);
    let apply = |it: &mut Observed, step: &Step| believe(desired, it, step);
    let found = steps_of(observed.clone(), |it| next(desired, it), apply);
    let mut announced = Announced::by(&found.steps);
    for key in prior.map(|it| may_be_others(it, planned)).unwrap_or_default() {
        announced.add(Kind::Remove, [key.as_str()]);
    }
    let refusal = match found.end {
        End::Refused(refusal) => Some(refusal),
        End::Done | End::Waits(_) | End::Endless => None,
    };
    Forecast { steps: found.steps, announced, refusal, observed }
}

/// What can be refused while it is not known where all nodes are to be.
pub(super) fn early(
    prior: Option<&ControlPlaneModel>,
    planned: &ControlPlaneModel,
) -> Option<VersionFault> {
    let version = |it: &ControlPlaneModel| it.version.known()?.parse::<Version>().ok();
    version(prior?)?.check_upgrade(version(planned)?).err()
}

/// Keys behind which the machine may be another: what was behind them may have to go.
fn may_be_others(prior: &ControlPlaneModel, planned: &ControlPlaneModel) -> BTreeSet<String> {
    let before: BTreeMap<_, _> = nodes(prior).collect();
    let is_other = |key: &String, it: &NodeModel| {
        let (Some(was), Some(is)) =
            (before.get(key).and_then(|it| it.host.known()), it.host.known())
        else {
            return true;
        };
        was.address != is.address || (was.host_key != is.host_key && !is.host_key.is_null())
    };
    nodes(planned).filter(|(key, it)| is_other(key, it)).map(|(key, _)| key.clone()).collect()
}

/// Stands for a machine: the words that lead to it.
fn machine(host: &HostModel) -> MachineId {
    MachineId(format!("{:?} {:?} {:?}", host.address, host.port, host.root))
}

fn observed(
    prior: Option<&ControlPlaneModel>,
    planned: &ControlPlaneModel,
    desired: &Desired,
    is_lost: bool,
) -> Observed {
    let before = prior.and_then(wished).and_then(Result::ok);
    let old: Vec<(Name, MachineId)> = prior
        .into_iter()
        .flat_map(nodes)
        .filter_map(|(key, it)| Some((name(key)?, machine(it.host.known()?))))
        .collect();
    let sans = |it: &ControlPlaneModel| it.certificates.known().map(|it| it.extra_sans.clone());
    let has_same_sans =
        prior.is_some_and(|it| sans(it) == sans(planned) && it.endpoint == planned.endpoint);
    let facts = |key: &Name, machine: MachineId| {
        let was = old.iter().find(|it| it.1 == machine).map(|it| &it.0);
        let mut facts = fresh(machine);
        if let (Some(before), Some(was)) = (&before, was) {
            serving(&mut facts, (before, was), (desired, key));
            if !has_same_sans || before.nodes.get(was) != desired.nodes.get(key) {
                facts.certificates = Certificates::OtherNames;
            }
            facts.bundle = match prior.map(|it| &it.recovery_bundle) {
                Some(Value::Known(_)) if before.recipients == desired.recipients => {
                    KeptBundle::Current(String::new())
                }
                Some(Value::Known(_)) => KeptBundle::Stale,
                _ => KeptBundle::Absent,
            };
            if is_lost {
                facts.keys = None;
            }
        }
        Node::Seen(Box::new(facts))
    };
    let wanted = nodes(planned).filter_map(|(key, it)| {
        let name = name(key)?;
        let node = facts(&name, machine(it.host.known()?));
        Some((name, node))
    });
    let wanted: BTreeMap<Name, Node> = wanted.collect();
    let stays =
        |it: &MachineId| wanted.values().filter_map(Node::seen).any(|facts| facts.machine == *it);
    let former = old.iter().filter(|it| !stays(&it.1));
    let former = former.map(|(key, machine)| (key.clone(), facts(key, machine.clone())));
    let may_recover = (prior.is_none() || is_lost) && !planned.recover_from.is_null();
    // Who leads is not known: the first one, most likely.
    let leader = || old.first().map_or(Leader::Nobody, |it| leader(&it.1, &wanted));
    Observed {
        former: former.collect(),
        is_known: prior.is_some(),
        data: if prior.is_some() { Data::Present } else { Data::Absent },
        leaders: prior.map(|_| Leaders { controller_manager: leader(), scheduler: leader() }),
        has_admins: prior.map(|_| true),
        recovery: may_recover.then(|| KeysId(String::new())),
        failed: BTreeSet::new(),
        nodes: wanted,
    }
}

fn leader(machine: &MachineId, nodes: &BTreeMap<Name, Node>) -> Leader {
    let is_it = |it: &Node| it.seen().is_some_and(|it| it.machine == *machine);
    let found = nodes.iter().find(|(_, it)| is_it(it));
    found.map_or(Leader::Other, |(name, _)| Leader::Node(name.clone()))
}

fn fresh(machine: MachineId) -> Facts {
    Facts {
        machine,
        owner: Owner::Nobody,
        keys: None,
        is_begun: false,
        staged: BTreeSet::new(),
        parts: [Part::ABSENT; 3],
        previous: None,
        certificates: Certificates::Missing,
        bundle: KeptBundle::Absent,
    }
}

/// A node as the state has it.
fn serving(facts: &mut Facts, before: (&Desired, &Name), now: (&Desired, &Name)) {
    let version = before.0.version;
    facts.owner = Owner::Ours { is_current: true };
    facts.keys = Some(KeysId(String::new()));
    facts.is_begun = true;
    facts.staged = BTreeSet::from([version]);
    facts.certificates = Certificates::Good;
    for component in Component::ALL {
        let settings = Some(Settings { version, is_current: is_same(*component, before, now) });
        let part = Part { unit: Unit::Running, on_disk: settings, running: settings };
        *facts.part_mut(*component) = part;
    }
}

/// Whether all components of a node would be started alike.
pub(super) fn is_alike(before: &Desired, now: &Desired, key: &Name) -> bool {
    Component::ALL.iter().all(|it| is_same(*it, (before, key), (now, key)))
}

/// Whether this component reads the same when it starts.
fn is_same(component: Component, before: (&Desired, &Name), now: (&Desired, &Name)) -> bool {
    let rendered = |(desired, key): (&Desired, &Name)| {
        // The root is the same for both.
        let at = Layout::new(&desired.name, "").ok()?;
        let place = *desired.nodes.get(key)?;
        let unit = service(desired, component, place, before.0.version, &at);
        Some((unit, files(desired, component, place, &at, None)))
    };
    match (rendered(before), rendered(now)) {
        (Some(before), Some(now)) => before == now,
        _ => false,
    }
}

//! What an apply would do, from the configuration and the state alone.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{LoadBalancerModel, nodes};
use super::wish::desired as wished;
use crate::domain::balancer::{
    Backend, Desired, Facts, Keepalived, Lies, Node, Observed, Process, Refusal, Running, Step,
    believe, next,
};
use crate::domain::host::{MachineId, Owner};
use crate::domain::name::Name;
use crate::engine::{Announced, End, steps_of};
use crate::resources::host::HostModel;

/// The steps, what of them is announced, and why there are no more.
pub(super) struct Forecast {
    pub(super) steps: Vec<Step>,
    pub(super) announced: Announced,
    pub(super) refusal: Option<Refusal>,
}

/// As if every host answered and every backend served.
pub(super) fn forecast(
    prior: Option<&LoadBalancerModel>,
    planned: &LoadBalancerModel,
    desired: &Desired,
) -> Forecast {
    let apply = |it: &mut Observed, step: &Step| believe(desired, it, step);
    let begin = observed(prior, planned, desired);
    let found = steps_of(begin, |it| next(desired, it), apply);
    let refusal = match found.end {
        End::Refused(refusal) => Some(refusal),
        End::Done | End::Waits(_) | End::Endless => None,
    };
    Forecast { announced: Announced::by(&found.steps), steps: found.steps, refusal }
}

/// Stands for a machine: the words that lead to it.
fn machine(host: &HostModel) -> MachineId {
    MachineId(format!("{:?} {:?} {:?}", host.address, host.port, host.root))
}

fn observed(
    prior: Option<&LoadBalancerModel>,
    planned: &LoadBalancerModel,
    desired: &Desired,
) -> Observed {
    let before = prior.and_then(wished).and_then(Result::ok);
    let hosts = |model: &LoadBalancerModel| -> Vec<(Name, MachineId)> {
        let all = nodes(model);
        all.filter_map(|(key, it)| Some((key.parse().ok()?, machine(it.host.known()?)))).collect()
    };
    let old = prior.map(&hosts).unwrap_or_default();
    let fresh = |machine: MachineId| Facts {
        machine,
        owner: Owner::Nobody,
        foreign: None,
        has_programs: false,
        most_files: u64::MAX,
        has_network: true,
        on_disk: Lies::Nothing,
        good: Lies::Nothing,
        proxy: Process::Absent,
        keepalived: Keepalived::Absent,
        holds: false,
    };
    let facts = |machine: MachineId| match (&before, old.iter().position(|it| it.1 == machine)) {
        (Some(before), Some(at)) => {
            // Who has the virtual IP is not known: the first one, most likely.
            serving(fresh(machine), before, desired, &old[at].0, at == 0)
        }
        _ => fresh(machine),
    };
    let wanted = hosts(planned);
    let stays: BTreeSet<_> = wanted.iter().map(|it| it.1.clone()).collect();
    let seen = |machine| Node::Seen(Box::new(facts(machine)));
    let nodes: BTreeMap<_, _> =
        wanted.into_iter().map(|(key, machine)| (key, seen(machine))).collect();
    let former = old.iter().filter(|it| !stays.contains(&it.1));
    Observed {
        former: former.map(|(key, machine)| (key.clone(), seen(machine.clone()))).collect(),
        nodes,
        is_known: prior.is_some(),
        tried: BTreeSet::new(),
        failed: BTreeMap::new(),
        is_early: false,
        before: None,
        after: None,
    }
}

/// A node as the state has it.
fn serving(fresh: Facts, before: &Desired, desired: &Desired, key: &Name, is_first: bool) -> Facts {
    let is_same = before == desired;
    let backend = |(name, endpoint): (&Name, &std::net::SocketAddr)| {
        let backend = Backend { endpoint: *endpoint, is_up: true, is_drained: false, sessions: 0 };
        (name.clone(), backend)
    };
    // What the process was started with, but for its backends.
    let is_wished = {
        let files = |it: &Desired| crate::domain::balancer::Files::new(&it.name, "", false).ok();
        let digest = |it: &Desired| {
            let place = it.nodes.get(key)?;
            Some(crate::domain::balancer::proxy(it, place, &files(it)?).digest)
        };
        digest(before).is_some_and(|it| Some(it) == digest(desired))
    };
    let is_cramped = before.open_files() < desired.open_files();
    let lies = if is_same { Lies::Wished } else { Lies::Other };
    let backends = before.backends.iter().map(backend).collect();
    let has_keepalived = before.virtual_ip.is_some();
    Facts {
        owner: Owner::Ours { is_current: is_same },
        has_programs: has_keepalived || desired.virtual_ip.is_none(),
        on_disk: lies,
        good: lies,
        proxy: Process::Running(Running { is_wished, is_cramped, backends }),
        keepalived: if has_keepalived {
            let is_current =
                before.virtual_ip == desired.virtual_ip && before.nodes == desired.nodes;
            Keepalived::Running { is_current }
        } else {
            Keepalived::Absent
        },
        holds: has_keepalived && is_first,
        ..fresh
    }
}

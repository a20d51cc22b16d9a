//! What an apply would do, from the configuration and the state alone.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{EtcdBackupModel, hosts, needs_snapshot};
use super::wish::applied;
use crate::domain::backup::hosts::{Facts, Observed, Refusal, Step, believe, next};
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

/// As if every host answered and every member ran.
pub(super) fn forecast(prior: Option<&EtcdBackupModel>, planned: &EtcdBackupModel) -> Forecast {
    let found = steps_of(observed(prior, planned), next, believe);
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

fn observed(prior: Option<&EtcdBackupModel>, planned: &EtcdBackupModel) -> Observed {
    let all = |model: &EtcdBackupModel| -> Vec<(Name, MachineId)> {
        let all = hosts(model);
        all.filter_map(|(key, it)| Some((key.parse().ok()?, machine(it.host.known()?)))).collect()
    };
    let is_same = prior.is_some_and(|it| applied(it) == applied(planned));
    let is_edited = prior.and_then(|it| it.drift.known()).is_some_and(|it| !it.is_empty());
    let old = prior.map(&all).unwrap_or_default();
    let facts = |machine: MachineId| {
        let is_old = old.iter().any(|it| it.1 == machine);
        let owner = if is_old { Owner::Ours { is_current: is_same } } else { Owner::Nobody };
        // What differs is not worked out: to write what is there already does no harm.
        let is_written = is_old && is_same && !is_edited;
        Facts { machine, owner, foreign: None, is_written, runs: is_written, has_member: true }
    };
    let wanted = all(planned);
    let stays: BTreeSet<_> = wanted.iter().map(|it| it.1.clone()).collect();
    let hosts: BTreeMap<_, _> =
        wanted.into_iter().map(|(key, machine)| (key, Some(facts(machine)))).collect();
    let former = old.iter().filter(|it| !stays.contains(&it.1));
    let former = former.map(|(key, machine)| (key.clone(), Some(facts(machine.clone()))));
    Observed {
        former: former.collect(),
        hosts,
        is_known: prior.is_some(),
        needs_snapshot: needs_snapshot(prior, planned),
    }
}

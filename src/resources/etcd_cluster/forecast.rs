//! What an apply would do, from the configuration and the state alone.

use std::collections::{BTreeMap, BTreeSet};

use super::ill::{self, Ill};
use super::model::{EtcdClusterModel, EtcdMemberModel, has_same_settings, members, name};
use super::wish::place;
use crate::domain::Kind;
use crate::domain::etcd::{
    Alarm, Certificates, Cluster, ClusterId, Data, Desired, Done, Facts, Former, Host, MachineId,
    Member, MemberId, Name, Observed, Owner, Refusal, Settings, Status, Step, Unit, Version,
    believe, next,
};
use crate::engine::{Announced, End, steps_of};
use crate::resources::host::HostModel;

/// The steps, what of them is announced, and why there are no more.
pub(super) struct Forecast {
    pub(super) steps: Vec<Step>,
    pub(super) announced: Announced,
    pub(super) refusal: Option<Refusal>,
    /// What the steps begin with.
    pub(super) observed: Observed,
}

/// As if every host answered and every member served, but for those that are `ill`.
pub(super) fn forecast(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
    desired: &Desired,
    ill: &ill::Found,
) -> Forecast {
    let observed = observed(prior, planned, desired);
    let apply = |it: &mut Observed, step: &Step| believe(desired, it, step);
    let foretell = |it: Observed| steps_of(it, |it| next(desired, it), apply);
    let mut found = foretell(observed.clone());
    let mut others = prior.map(|it| may_be_others(it, planned)).unwrap_or_default();
    if !ill.is_empty() && ill::are_mendable(ill, prior.map_or(0, |it| members(it).count())) {
        let (worse, keys) = with_ill(observed.clone(), ill);
        let worse = foretell(worse);
        // What would stop it is told by the apply, which sees whether they are ill still.
        if !matches!(worse.end, End::Refused(_)) {
            found = worse;
        }
        others.extend(keys);
    }
    let mut announced = Announced::by(&found.steps);
    for key in others {
        for kind in [Kind::Remove, Kind::MoveAside] {
            announced.add(kind, [key.as_str()]);
        }
    }
    let refusal = match found.end {
        End::Refused(refusal) => Some(refusal),
        End::Done | End::Waits(_) | End::Endless => None,
    };
    Forecast { steps: found.steps, announced, refusal, observed }
}

/// What can be refused while it is not known where all members are to be.
pub(super) fn early(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
) -> Option<Refusal> {
    let version = |it: &EtcdClusterModel| it.version.known()?.parse::<Version>().ok();
    let fault = match (prior.map(version), version(planned)) {
        (None, Some(version)) => version.check_new().err(),
        (Some(Some(from)), Some(to)) => from.check_upgrade(to).err(),
        _ => None,
    };
    let size = planned.members.known().map(BTreeMap::len).filter(|it| it.is_multiple_of(2));
    let even = size.filter(|_| prior.is_none()).map(Refusal::EvenStart);
    fault.map(Refusal::Version).or(even)
}

/// The same with members whose data is gone or differs, and their keys.
fn with_ill(mut observed: Observed, ill: &ill::Found) -> (Observed, BTreeSet<String>) {
    let Some(cluster) = &mut observed.cluster else { return (observed, BTreeSet::new()) };
    let mut keys = BTreeSet::new();
    for (key, ill) in ill {
        let Some(member) = cluster.members.iter_mut().find(|it| it.name == *key) else { continue };
        let id = member.id;
        // A key may have been renamed, or have left the map.
        let former = observed.former.iter_mut().map(|(name, it)| (name, &mut it.host));
        let hosts = observed.hosts.iter_mut().chain(former);
        for (name, host) in hosts {
            if let Host::Seen(facts) = host
                && facts.data.is_some_and(|it| it.member == id)
            {
                keys.insert(name.to_string());
                if *ill == Ill::Blank {
                    (facts.data, facts.running, facts.unit) = (None, None, Unit::Stopped);
                }
            }
        }
        match ill {
            Ill::Blank => member.status = None,
            Ill::Corrupt => drop(cluster.alarms.insert((id, Alarm::Corrupt))),
        }
    }
    if !cluster.members.iter().any(Member::is_leader)
        && let Some(first) = cluster.members.iter_mut().find_map(|it| it.status.as_mut())
    {
        first.is_leader = true;
    }
    (observed, keys)
}

/// Keys behind which the machine may be another, or one on which an earlier run had begun: their members may have to be
/// replaced.
fn may_be_others(prior: &EtcdClusterModel, planned: &EtcdClusterModel) -> BTreeSet<String> {
    let before: BTreeMap<_, _> = members(prior).collect();
    let is_other = |key: &String, it: &EtcdMemberModel| {
        let (Some(was), Some(is)) =
            (before.get(key).and_then(|it| it.host.known()), it.host.known())
        else {
            return true;
        };
        was.address != is.address || (was.host_key != is.host_key && !is.host_key.is_null())
    };
    members(planned).filter(|(key, it)| is_other(key, it)).map(|(key, _)| key.clone()).collect()
}

/// Stands for a machine: the words that lead to it.
fn machine(host: &HostModel) -> MachineId {
    MachineId(format!("{:?} {:?} {:?}", host.address, host.port, host.root))
}

pub(super) fn observed(
    prior: Option<&EtcdClusterModel>,
    planned: &EtcdClusterModel,
    desired: &Desired,
) -> Observed {
    let ids: BTreeMap<MachineId, Data> = prior
        .into_iter()
        .flat_map(members)
        .zip(1..)
        .filter_map(|((_, it), id)| Some((machine(it.host.known()?), data(id))))
        .collect();
    let is_same = prior.is_some_and(|it| has_same_settings(it, planned));
    let sans = |it: &EtcdClusterModel| it.certificates.known().map(|it| it.extra_sans.clone());
    let has_same_sans = prior.is_some_and(|it| sans(it) == sans(planned));
    let was = |id: MachineId| {
        let mut all = prior.into_iter().flat_map(members);
        all.find(|(_, it)| it.host.known().map(machine).as_ref() == Some(&id))
    };
    let facts = |key: &str, host: &HostModel, at: Option<std::net::IpAddr>| {
        let id = machine(host);
        let mut facts = fresh(id.clone());
        if let (Some((old_key, old)), Some(prior)) = (was(id.clone()), prior)
            && let Some(data) = ids.get(&id)
            && let Some(host) = old.host.known()
            && let Ok(before) = place(old_key, host, &old.address)
            && let Some(version) = prior.version.known().and_then(|it| it.parse().ok())
        {
            let is_moved = at.is_some_and(|it| it != before.address);
            let is_current = is_same && old_key == key && !is_moved;
            let settings = Settings { version, address: before.address, is_current };
            facts.owner = Owner::Ours { is_current: true };
            facts.is_formed = true;
            facts.data = Some(*data);
            facts.unit = Unit::Running;
            facts.staged = BTreeSet::from([version]);
            facts.told = Some(before.address);
            (facts.on_disk, facts.running) = (Some(settings), Some(settings));
            let is_good = has_same_sans && !is_moved;
            facts.certificates =
                if is_good { Certificates::Good } else { Certificates::OtherNames };
        }
        Host::Seen(Box::new(facts))
    };
    let wanted = members(planned).filter_map(|(key, it)| {
        let name = name(key)?;
        let at = desired.members.get(&name)?.address;
        Some((name, facts(key, it.host.known()?, Some(at))))
    });
    let hosts: BTreeMap<Name, Host> = wanted.collect();
    let now: BTreeMap<_, _> = members(planned).collect();
    let former = prior.into_iter().flat_map(members).filter_map(|(key, it)| {
        let host = it.host.known()?;
        let stays = now.get(key).and_then(|it| it.host.known()).map(machine);
        if stays == Some(machine(host)) {
            return None;
        }
        let peer_url = desired.peer_url(place(key, host, &it.address).ok()?);
        Some((name(key)?, Former { peer_url, host: facts(key, host, None) }))
    });
    let former = former.collect();
    let cluster = prior.map(|it| cluster(it, desired));
    Observed {
        hosts,
        former,
        known: cluster.as_ref().map(|it| it.id),
        last_voters: cluster.iter().flat_map(|it| &it.members).map(|it| it.id).collect(),
        cluster,
        done: Done::default(),
    }
}

fn data(id: u64) -> Data {
    Data { cluster: ClusterId(0), member: MemberId(id) }
}

fn fresh(machine: MachineId) -> Facts {
    Facts {
        machine,
        memory: None,
        owner: Owner::Nobody,
        token: None,
        is_formed: false,
        data: None,
        unit: Unit::Absent,
        seeds: None,
        staged: BTreeSet::new(),
        told: None,
        on_disk: None,
        running: None,
        certificates: Certificates::Missing,
    }
}

/// All members serve, and the first one leads.
fn cluster(prior: &EtcdClusterModel, desired: &Desired) -> Cluster {
    let version = prior.version.known().and_then(|it| it.parse().ok());
    let member = |((key, it), id): ((&String, &EtcdMemberModel), u64)| {
        let place = place(key, it.host.known()?, &it.address).ok()?;
        Some(Member {
            id: MemberId(id),
            name: key.clone(),
            peer_urls: vec![desired.peer_url(place)],
            is_learner: false,
            status: Some(Status {
                is_leader: id == 1,
                version: version.unwrap_or(desired.version),
                raft_index: 1,
                revision: 1,
                db_size: 1,
            }),
        })
    };
    Cluster {
        id: ClusterId(0),
        members: members(prior).zip(1..).filter_map(member).collect(),
        alarms: BTreeSet::new(),
        is_settled: true,
    }
}

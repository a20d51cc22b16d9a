//! What a step is expected to do, for the forecast of a plan. Apply never believes it: it looks again.

use super::desired::{Desired, Name, Place};
use super::observed::{
    Alarm, Certificates, Cluster, ClusterId, Data, Facts, Host, Member, MemberId, Observed, Owner,
    Settings, Status, Token, Unit,
};
use super::steps::Step;
use super::version::Version;

/// Changes a look as if the step had done all that it is for, and its members had come up.
pub fn believe(desired: &Desired, observed: &mut Observed, step: &Step) {
    let on = |observed: &mut Observed, hosts: &[Name], edit: &dyn Fn(&mut Facts)| {
        for name in hosts {
            if let Some(Host::Seen(facts)) = observed.hosts.get_mut(name) {
                edit(facts);
            }
        }
    };
    observed.done.note(step);
    match step {
        Step::Claim { hosts } => on(observed, hosts, &|it| {
            it.owner = Owner::Unfinished;
            it.token = Some(Token(String::new()));
        }),
        Step::Discard { hosts } => on(observed, hosts, &clean),
        Step::Certify { hosts } => on(observed, hosts, &|it| it.certificates = Certificates::Good),
        Step::Stage { hosts, version } => on(observed, hosts, &|it| {
            it.staged.insert(*version);
        }),
        Step::Prepare { hosts, version } => {
            let is_formed = observed.cluster.is_some();
            let seeds = desired.members.iter();
            let seeds = seeds.map(|(name, at)| (name.clone(), desired.peer_url(*at))).collect();
            let seeds = (!is_formed).then_some(seeds);
            put(desired, observed, hosts, *version);
            on(observed, hosts, &|it| {
                it.seeds.clone_from(&seeds);
                it.is_formed |= is_formed;
                it.unit = Unit::Stopped;
            });
        }
        Step::Bootstrap { .. } => bootstrap(desired, observed),
        Step::RecordFormed { hosts } => on(observed, hosts, &|it| {
            it.is_formed = true;
            it.seeds = None;
        }),
        Step::Start { hosts } => hosts.iter().for_each(|it| run(observed, it)),
        Step::Restart { host } => run(observed, host),
        Step::Reconfigure { host, version } => {
            put(desired, observed, std::slice::from_ref(host), *version);
            run(observed, host);
        }
        Step::StartLearner { host } => {
            let cluster = observed.cluster.as_ref();
            let learner = cluster.and_then(|it| it.members.iter().find(|it| it.is_learner));
            let data = cluster
                .zip(learner)
                .map(|(it, learner)| Data { cluster: it.id, member: learner.id });
            on(observed, std::slice::from_ref(host), &|it| it.data = data);
            run(observed, host);
        }
        Step::MoveAside { host } | Step::StartOver { host, .. } => {
            on(observed, std::slice::from_ref(host), &|it| {
                it.data = None;
                it.unit = Unit::Stopped;
                it.running = None;
            });
            enlist(observed, step);
        }
        Step::Retire { host } => {
            if let Some(Host::Seen(facts)) = observed.former.get_mut(host).map(|it| &mut it.host) {
                clean(facts);
            }
        }
        Step::Snapshot { .. } | Step::CutLog { .. } => {}
        Step::Rewrite { hosts } => put(desired, observed, hosts, desired.version),
        Step::Record { hosts } => {
            on(observed, hosts, &|it| it.owner = Owner::Ours { is_current: true });
        }
        Step::Dismantle { hosts, .. } => {
            on(observed, hosts, &clean);
            for name in hosts {
                if let Some(Host::Seen(facts)) =
                    observed.former.get_mut(name).map(|it| &mut it.host)
                {
                    clean(facts);
                }
            }
        }
        Step::AddLearner { .. }
        | Step::Promote { .. }
        | Step::DropLearner { .. }
        | Step::RemoveMember { .. }
        | Step::MoveLeader { .. }
        | Step::UpdatePeerUrl { .. }
        | Step::Disarm { .. } => enlist(observed, step),
    }
    if let Some(cluster) = &mut observed.cluster {
        cluster.is_settled = true;
    }
}

/// What a step changes in the list of members.
fn enlist(observed: &mut Observed, step: &Step) {
    match step {
        Step::AddLearner { peer_url, .. } => {
            let Some(cluster) = &mut observed.cluster else { return };
            // From the other end than where the ids of real members are likely to be.
            let made = cluster.members.iter().map(|it| it.id.0).filter(|it| u64::MAX - 1000 < *it);
            let id = MemberId(made.min().unwrap_or(u64::MAX) - 1);
            cluster.members.push(Member {
                id,
                name: String::new(),
                peer_urls: vec![peer_url.clone()],
                is_learner: true,
                status: None,
            });
        }
        Step::Promote { member, .. } => edit(observed, *member, |it| it.is_learner = false),
        Step::DropLearner { member, .. }
        | Step::StartOver { member, .. }
        | Step::RemoveMember { member, .. } => {
            if let Some(cluster) = &mut observed.cluster {
                cluster.members.retain(|it| it.id != *member);
            }
        }
        Step::MoveLeader { member, .. } => {
            let members = observed.cluster.iter_mut().flat_map(|it| &mut it.members);
            for it in members {
                let is_leader = it.id == *member;
                it.status = it.status.map(|status| Status { is_leader, ..status });
            }
        }
        Step::UpdatePeerUrl { member, peer_url, .. } => {
            // Nobody finds it there until it has restarted.
            let is_alone = observed.cluster.as_ref().is_some_and(|it| it.voters() == 1);
            edit(observed, *member, |it| {
                it.peer_urls = vec![peer_url.clone()];
                it.status = it.status.filter(|_| is_alone);
            });
        }
        Step::Disarm { member } => {
            if let Some(cluster) = &mut observed.cluster {
                cluster.alarms.remove(&(*member, Alarm::Corrupt));
            }
        }
        _ => {}
    }
}

fn edit(observed: &mut Observed, id: MemberId, edit: impl FnOnce(&mut Member)) {
    let mut members = observed.cluster.iter_mut().flat_map(|it| &mut it.members);
    if let Some(member) = members.find(|it| it.id == id) {
        edit(member);
    }
}

fn clean(facts: &mut Facts) {
    *facts = Facts {
        owner: Owner::Nobody,
        token: None,
        is_formed: false,
        data: None,
        unit: Unit::Absent,
        seeds: None,
        told: None,
        on_disk: None,
        running: None,
        certificates: Certificates::Missing,
        machine: facts.machine.clone(),
        memory: facts.memory,
        staged: std::mem::take(&mut facts.staged),
    };
}

/// The files of these hosts say what is wished.
fn put(desired: &Desired, observed: &mut Observed, hosts: &[Name], version: Version) {
    for name in hosts {
        if let Some(Host::Seen(facts)) = observed.hosts.get_mut(name)
            && let Some(Place { address, .. }) = desired.members.get(name).copied()
        {
            facts.on_disk = Some(Settings { version, address, is_current: true });
        }
    }
}

/// The unit of this host comes up, and its member serves.
fn run(observed: &mut Observed, host: &Name) {
    let Some(Host::Seen(facts)) = observed.hosts.get_mut(host) else { return };
    facts.unit = Unit::Running;
    facts.running = facts.on_disk;
    let (Some(data), Some(settings)) = (facts.data, facts.on_disk) else { return };
    let cluster = observed.cluster.iter();
    let statuses = cluster.flat_map(|it| &it.members).filter_map(|it| it.status);
    let ahead = statuses.map(|it| it.raft_index).max().unwrap_or_default();
    edit(observed, data.member, |it| {
        it.name = host.to_string();
        it.status = Some(Status {
            is_leader: it.is_leader(),
            version: settings.version,
            raft_index: ahead,
            revision: 0,
            db_size: 0,
        });
    });
}

fn bootstrap(desired: &Desired, observed: &mut Observed) {
    let id = ClusterId(0);
    let members = desired.members.iter().zip(1..).map(|((name, place), at)| Member {
        id: MemberId(at),
        name: name.to_string(),
        peer_urls: vec![desired.peer_url(*place)],
        is_learner: false,
        status: Some(Status {
            is_leader: at == 1,
            version: desired.version,
            raft_index: 0,
            revision: 0,
            db_size: 0,
        }),
    });
    let members: Vec<_> = members.collect();
    for (name, member) in desired.members.keys().zip(&members) {
        if let Some(Host::Seen(facts)) = observed.hosts.get_mut(name) {
            facts.data = Some(Data { cluster: id, member: member.id });
            facts.unit = Unit::Running;
            facts.running = facts.on_disk;
        }
    }
    let alarms = std::collections::BTreeSet::new();
    observed.cluster = Some(Cluster { id, members, alarms, is_settled: true });
}

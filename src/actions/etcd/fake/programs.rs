//! The processes of etcd on hosts in memory, each with the data that lies on its host.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::cluster::{Cluster, Present, Seat};
use super::flags::Flags;
use crate::actions::etcd::notes::first_ids;
use crate::actions::machines::Hosts;
use crate::domain::etcd::{Name, PeerUrl};
use crate::host::fake::FakeHost;
use crate::remote::etcd::fake::{Answer, MemberListResponse, Question, ResponseHeader, identity};
use crate::remote::etcd::{AlarmMember, Member, StatusResponse};

/// From this minor on etcd ends at entries that members of 3.5 have written.
const READS_NO_V2: u16 = 7;

/// Clusters, and what runs.
#[derive(Clone, Default)]
pub(crate) struct Programs {
    /// By their ids.
    pub(super) clusters: BTreeMap<u64, Cluster>,
    /// By the hosts that they are on.
    pub(super) running: BTreeMap<String, Process>,
    /// Why processes have ended, oldest first.
    pub(super) ends: Vec<String>,
    /// What must never happen.
    pub(super) breaches: Vec<String>,
    /// Entries that change nothing and were asked for.
    pub(super) asked: usize,
}

#[derive(Clone)]
pub(super) struct Process {
    number: u32,
    unit: String,
    pub(super) cluster: u64,
    pub(super) member: u64,
    /// Whether the others know where it listens.
    is_reached: bool,
    since: Instant,
    /// Entries of its cluster that were there before it.
    pub(super) skipped: u64,
    pub(super) flags: Flags,
    /// With the files that it was made of.
    identity: Option<(Vec<Vec<u8>>, Arc<ServerConfig>)>,
}

/// Why a member does not do what it is asked.
pub(super) enum Declined {
    Said(Status),
    /// It says nothing until it gives up: there is no quorum.
    Late,
}

impl Programs {
    /// All but numbers of processes and times, for comparison.
    pub(super) fn in_words(&self) -> String {
        let process = |(at, it): (&String, &Process)| {
            format!("{at} {} {:x} {} {:?}", it.unit, it.member, it.is_reached, it.flags)
        };
        let running: Vec<_> = self.running.iter().map(process).collect();
        format!("{:?} {running:?}", self.clusters)
    }

    /// Goes on to where everything is by now.
    pub(super) fn go_on(&mut self, hosts: &Hosts, now: Instant) {
        let mut begun = Vec::new();
        for (at, host) in hosts {
            let found = host.processes().into_iter().find(|it| it.0.starts_with("etcd-"));
            let known = self.running.get(at).map(|it| it.number);
            if found.as_ref().map(|it| it.1) == known {
                continue;
            }
            if let Some(stopped) = self.running.remove(at) {
                // All members stop before other data takes the place of theirs.
                let prepared = stopped.flags.prepared();
                if hosts.values().all(|it| it.file(&prepared).is_none()) {
                    self.judge(hosts, at);
                }
            }
            if let Some((unit, number, text)) = found {
                match Flags::read(&unit, &text) {
                    Ok(flags) => begun.push((at, unit, number, flags)),
                    Err(why) => self.end(host, at, &unit, &why),
                }
            }
        }
        // Who looks for others finds those that began with it.
        begun.sort_by_key(|(at, .., flags)| (!flags.is_new, (*at).clone()));
        for (at, unit, number, flags) in begun {
            match self.boot(hosts, at, &flags) {
                Ok((cluster, member)) => {
                    let found = self.clusters.get(&cluster);
                    let skipped = found.map(|it| it.entries).unwrap_or_default();
                    let listed = found.and_then(|it| it.members.get(&member));
                    let is_reached = listed.is_some_and(|it| it.peer_url == flags.peer_url);
                    let process = Process {
                        number,
                        unit,
                        cluster,
                        member,
                        is_reached,
                        since: now,
                        skipped,
                        flags,
                        identity: None,
                    };
                    self.running.insert(at.clone(), process);
                    self.keep_up(hosts);
                }
                Err(why) => self.end(&hosts[at], at, &unit, &why),
            }
        }
        self.keep_up(hosts);
    }

    fn end(&mut self, host: &FakeHost, at: &str, unit: &str, why: &str) {
        self.ends.push(format!("{at}: {why}"));
        host.crash(unit);
    }

    /// A member was stopped: the others must be a quorum without it, where that is possible.
    fn judge(&mut self, hosts: &Hosts, at: &str) {
        for cluster in self.clusters.clone().into_values() {
            let present = self.present(hosts, &cluster);
            let voters = cluster.voters().count();
            if cluster.has_quorum && 3 <= voters && !cluster.has_majority(&present) {
                self.breaches.push(format!(
                    "{} of {voters} members are left when the one on {at} stops",
                    present.len()
                ));
            }
        }
    }

    fn keep_up(&mut self, hosts: &Hosts) {
        let ids: Vec<_> = self.clusters.keys().copied().collect();
        for id in ids {
            let Some(mut cluster) = self.clusters.get(&id).cloned() else { continue };
            let present = self.present(hosts, &cluster);
            cluster.keep_up(&present);
            if cluster.has_quorum {
                let there = self.running.values().filter(|it| it.cluster == id);
                for process in there.filter(|it| present.contains_key(&it.member)) {
                    if let Some(seat) = cluster.members.get_mut(&process.member) {
                        seat.name.clone_from(&process.flags.name);
                    }
                }
                let minors = self.running.values().filter(|it| it.cluster == id);
                let lowest = minors.map(|it| it.flags.version.minor).min();
                cluster.minor = cluster.minor.max(lowest.unwrap_or_default());
            }
            self.clusters.insert(id, cluster);
        }
    }

    /// Who takes part in it.
    fn present(&self, hosts: &Hosts, cluster: &Cluster) -> Present {
        let is_there = |(at, it): &(&String, &Process)| {
            let is_alone = cluster.members.len() == 1;
            cluster.members.contains_key(&it.member)
                && (it.is_reached || is_alone)
                && !hosts.get(*at).is_none_or(FakeHost::is_silent)
        };
        self.running.iter().filter(is_there).map(|(_, it)| (it.member, it.since)).collect()
    }

    /// Whose data the process has, from now on.
    fn boot(&mut self, hosts: &Hosts, at: &str, flags: &Flags) -> Result<(u64, u64), String> {
        let host = &hosts[at];
        let version = flags.version.to_string();
        if !host.has_installed("etcd", &version) {
            return Err(format!("there is no etcd {version}"));
        }
        if let Some(missing) = flags.files().find(|it| host.file(it).is_none()) {
            return Err(format!("there is no {missing}"));
        }
        if let Some(found) = host.file(&flags.data()) {
            return self.resume(flags, &String::from_utf8_lossy(&found));
        }
        if let Some(found) = host.file(&flags.restored()) {
            let (cluster, member) = self.restore(flags, &String::from_utf8_lossy(&found))?;
            host.edit(&flags.data(), format!("{cluster:x} {member:x}").as_bytes());
            return Ok((cluster, member));
        }
        if !flags.lists_itself() {
            return Err(format!("{} is not in the list that it is told of", flags.name));
        }
        let (cluster, member) =
            if flags.is_new { self.found(flags) } else { self.join(hosts, flags)? };
        if let Some(it) = self.clusters.get_mut(&cluster) {
            it.started.insert(member);
            if READS_NO_V2 <= flags.version.minor {
                it.is_readable.insert(member);
            }
        }
        host.make_directory(&format!("{}/member", flags.data_dir));
        host.edit(&flags.data(), format!("{cluster:x} {member:x}").as_bytes());
        if let Some(log) = &flags.wal_dir {
            host.edit(&format!("{log}/0.wal"), format!("{member:x}").as_bytes());
        }
        Ok((cluster, member))
    }

    fn resume(&mut self, flags: &Flags, data: &str) -> Result<(u64, u64), String> {
        let ids = data.split_once(' ').and_then(|(cluster, member)| {
            Some((u64::from_str_radix(cluster, 16).ok()?, u64::from_str_radix(member, 16).ok()?))
        });
        let (cluster, member) = ids.ok_or("the data cannot be read")?;
        let known = self.clusters.get(&cluster).ok_or("it is of a cluster that is gone")?;
        if !known.members.contains_key(&member) {
            return Err("the member has been permanently removed from the cluster".to_owned());
        }
        if flags.version.minor < known.minor {
            return Err(format!("the cluster is at 3.{} already", known.minor));
        }
        if known.minor + 1 < flags.version.minor {
            self.breaches.push(format!("{} skips a minor", flags.name));
        }
        if READS_NO_V2 <= flags.version.minor && !known.is_readable.contains(&member) {
            return Err("its log has entries that it cannot read".to_owned());
        }
        if self.running.values().any(|it| it.cluster != cluster) {
            self.breaches.push(format!("{} runs beside a member of another cluster", flags.name));
        }
        if self.running.values().any(|it| it.member == member) {
            self.breaches.push(format!("{} runs twice", flags.name));
        }
        Ok((cluster, member))
    }

    fn found(&mut self, flags: &Flags) -> (u64, u64) {
        let (id, members) = first_ids(&flags.token, &flags.initial);
        let own = members.iter().find(|(name, _)| name.as_str() == flags.name);
        let own = own.map_or(0, |(_, id)| id.0);
        if self.clusters.get(&id.0).is_some_and(|it| it.started.contains(&own)) {
            self.breaches
                .push(format!("{} founds its cluster once more, without data", flags.name));
        }
        let seat = |(name, url): (&Name, &PeerUrl)| (members[name].0, Seat::first(name, url));
        self.clusters.entry(id.0).or_insert_with(|| Cluster {
            members: flags.initial.iter().map(seat).collect(),
            minor: flags.version.minor,
            ..Cluster::default()
        });
        (id.0, own)
    }

    fn join(&mut self, hosts: &Hosts, flags: &Flags) -> Result<(u64, u64), String> {
        let told: Vec<_> = flags.initial.values().map(ToString::to_string).collect();
        let is_it = |cluster: &Cluster| {
            let present = self.present(hosts, cluster);
            let mut listed = cluster.members.iter().filter(|(id, _)| present.contains_key(id));
            cluster.has_majority(&present) && listed.any(|(_, it)| told.contains(&it.peer_url))
        };
        let found = self.clusters.iter().find(|(_, it)| is_it(it));
        let (id, cluster) = found.ok_or("none of the peers that it is told of answers")?;
        let mut listed: Vec<_> = cluster.members.values().map(|it| it.peer_url.clone()).collect();
        let mut told = told;
        listed.sort();
        told.sort();
        if listed != told {
            return Err(format!("it is told of {told:?}, and there are {listed:?}"));
        }
        let own = cluster.members.iter().find(|(_, it)| it.peer_url == flags.peer_url);
        let (member, _) = own.ok_or("it is in no list")?;
        if cluster.started.contains(member) {
            // etcd panics: the others count on entries that it has not.
            self.breaches.push(format!("{} starts again without its data", flags.name));
        }
        Ok((*id, *member))
    }

    /// The process that is on this host.
    pub(super) fn on(&self, at: &str) -> Option<&Process> {
        self.running.get(at)
    }

    /// What the process shows to clients: it reads its files anew for each connection.
    pub(super) fn identity(&mut self, host: &FakeHost, at: &str) -> Option<Arc<ServerConfig>> {
        let process = self.running.get_mut(at)?;
        let Flags { authority, certificate, key, .. } = &process.flags;
        let files: Vec<_> = [authority, certificate, key]
            .iter()
            .map(|it| host.file(it).unwrap_or_default())
            .collect();
        if let Some((known, config)) = &process.identity
            && *known == files
        {
            return Some(Arc::clone(config));
        }
        let config = identity(&files[0], &files[1], &files[2])?;
        process.identity = Some((files, Arc::clone(&config)));
        Some(config)
    }

    /// What `/health` says.
    pub(super) fn health(&self, at: &str) -> Option<&'static str> {
        let cluster = self.clusters.get(&self.running.get(at)?.cluster)?;
        Some(match cluster.has_quorum {
            true if cluster.alarms.is_empty() => r#"{"health":"true","reason":""}"#,
            true => r#"{"health":"false","reason":"ALARM NOSPACE"}"#,
            false => r#"{"health":"false","reason":"RAFT NO LEADER"}"#,
        })
    }

    /// The member on this host is asked.
    pub(super) fn answer(
        &mut self,
        hosts: &Hosts,
        at: &str,
        question: Question,
        now: Instant,
    ) -> Result<Answer, Declined> {
        let gone = || Declined::Said(Status::unavailable("the connection is closed"));
        let process = self.running.get(at).ok_or_else(gone)?.clone();
        let (id, own) = (process.cluster, process.member);
        let mut cluster = self.clusters.get(&id).ok_or_else(gone)?.clone();
        let present = self.present(hosts, &cluster);
        let header = || Some(ResponseHeader { cluster: id, member: own, revision: 7 });
        if question == Question::Status {
            return Ok(Answer::Status(StatusResponse {
                header: header(),
                version: process.flags.version.to_string(),
                db_size: 20_480,
                leader: cluster.leader.unwrap_or_default(),
                raft_index: 9,
                is_learner: !cluster.is_voter(own),
            }));
        }
        if !cluster.is_voter(own) {
            let text = "etcdserver: rpc not supported for learner";
            return Err(Declined::Said(Status::new(Code::Unavailable, text)));
        }
        if !present.contains_key(&own) || !cluster.has_majority(&present) {
            return Err(Declined::Late);
        }
        let done = match question {
            Question::Status => Ok(()),
            Question::Members => {
                let member = |(id, it): (&u64, &Seat)| Member {
                    id: *id,
                    name: it.name.clone(),
                    peer_urls: vec![it.peer_url.clone()],
                    client_urls: Vec::new(),
                    is_learner: it.is_learner,
                };
                let members = cluster.members.iter().map(member).collect();
                return Ok(Answer::Members(MemberListResponse { header: header(), members }));
            }
            Question::Alarms => {
                let alarm =
                    |(member, alarm): &(u64, i32)| AlarmMember { member: *member, alarm: *alarm };
                return Ok(Answer::Alarms(cluster.alarms.iter().map(alarm).collect()));
            }
            Question::AddLearner(url) => cluster.add(url, own, &present, now),
            Question::Promote(id) => cluster.promote(id, &present),
            Question::Remove(id) => cluster.remove(id, own, &present, now).map(drop),
            Question::Update(id, url) => cluster.update(id, url),
            Question::MoveLeader(target) => cluster.move_leader(own, target, &present),
            Question::Disarm(id, alarm) => {
                cluster.alarms.remove(&(id, alarm.into()));
                Ok(())
            }
            Question::Count => {
                return Err(Declined::Said(Status::unimplemented("there are no keys here")));
            }
            Question::Pass => {
                self.pass(id, &mut cluster, &present);
                Ok(())
            }
        };
        done.map_err(Declined::Said)?;
        self.clusters.insert(id, cluster);
        self.evict(hosts, id);
        self.keep_up(hosts);
        Ok(Answer::Done)
    }

    /// Who was removed ends.
    fn evict(&mut self, hosts: &Hosts, id: u64) {
        let Some(cluster) = self.clusters.get(&id) else { return };
        let is_out = |it: &Process| it.cluster == id && !cluster.members.contains_key(&it.member);
        let out: Vec<_> = self
            .running
            .iter()
            .filter(|(_, it)| is_out(it))
            .map(|(at, it)| (at.clone(), it.unit.clone()))
            .collect();
        for (at, unit) in out {
            self.running.remove(&at);
            self.end(&hosts[&at], &at, &unit, "it was removed from its cluster");
        }
    }
}

//! What the members say, each asked through its own host.
#![expect(clippy::disallowed_methods, reason = "measures how long members have been connected")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{EtcdCluster, is_alive};
use crate::actions::signing::Newborn;
use crate::domain::etcd::{Alarm, Cluster, ClusterId, Member, MemberId, PeerUrl, Status, Unit};
use crate::host::{HostError, HostName};
use crate::remote::etcd::{AlarmMember, AlarmType, Api, CallError, Credentials, Members};

/// etcd refuses changes of the membership until its voters have been connected for so long (`HealthInterval`), which
/// they are not in the moment in which this is first seen.
const SETTLES: Duration = Duration::from_millis(5500);
/// A process that does not serve for so long hangs.
const STUCK: Duration = Duration::from_secs(30);
/// For a look, in which a member without a quorum is one that does not serve.
const LOOK: Duration = Duration::from_secs(3);
/// Longer than any run.
const LIFETIME: Duration = Duration::from_hours(24);

/// What one round of questions brought, and what was noticed in those before.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// By the keys of the fleet: those who answered.
    answers: BTreeMap<String, Answer>,
    list: Option<Members>,
    alarms: Vec<AlarmMember>,
    /// When its unit was first seen not to serve, since it last served or was started by us. The process does not matter:
    /// one that dies and is started again and again serves as little as one that hangs.
    since: BTreeMap<String, Instant>,
    stuck: BTreeSet<String>,
    /// Members and processes that were connected since then.
    settled: Option<(String, Instant)>,
}

/// A member that answers.
#[derive(Debug)]
pub(super) struct Answer {
    api: Api,
    pub(super) id: u64,
    process: u32,
    pub(super) status: Status,
    pub(super) serves: bool,
    pub(super) members: Option<Members>,
    pub(super) alarms: Vec<AlarmMember>,
}

impl EtcdCluster<'_> {
    pub(super) async fn ask_members(&mut self) -> Result<(), HostError> {
        let alive: BTreeMap<String, u32> = self
            .looks
            .iter()
            .filter(|(_, it)| is_alive(it))
            .map(|(key, it)| (key.clone(), it.process))
            .collect();
        self.round.answers.clear();
        (self.round.list, self.round.alarms) = (None, Vec::new());
        if !alive.is_empty() && self.credentials.is_none() {
            self.credentials = self.sign_for_us().await?;
        }
        if let Some(credentials) = self.credentials.clone() {
            let (sites, looks, port) = (&self.sites, &self.looks, self.setup.desired.ports.client);
            let keys = alive.keys().cloned().collect();
            let asked = self.fleet.some(&keys, async |key, host| {
                // It listens where it was started, until it is restarted for another address.
                let address = looks[&key].listens().unwrap_or(sites[&key].place.address);
                let client = SocketAddr::new(address, port).to_string();
                let asks = async {
                    let stream = host.forward(&client).await.ok()?;
                    let opened = Api::open(stream, address, &credentials).await;
                    ask(opened.ok()?, alive[&key]).await
                };
                Ok(timeout(LOOK * 2, asks).await.ok().flatten())
            });
            for (key, answer) in asked.await {
                if let Ok(Some(answer)) = answer {
                    self.round.answers.insert(key, answer);
                }
            }
        }
        self.round.conclude(&alive);
        Ok(())
    }

    /// A key that never leaves this process, with a certificate of the cluster's authority. None while there is none.
    async fn sign_for_us(&mut self) -> Result<Option<Credentials>, HostError> {
        let signer = self.looks.iter().find(|(_, it)| it.signs());
        let Some((key, look)) = signer else { return Ok(None) };
        let (site, authority) = (&self.sites[key], look.authority().unwrap_or_default());
        let failed = |reason: String| HostError::Failed {
            host: site.host.clone(),
            call: "make a certificate for the provider".to_owned(),
            reason,
        };
        let own = Newborn::new().map_err(failed)?;
        let request = own.request(&site.authority(), ("provider", ""), LIFETIME);
        let made = self.fleet.one(key, async |_, host| host.sign(request.clone()).await);
        let certificate = made.await?.unwrap_or_default();
        Credentials::new(&authority, &certificate, &own.key())
            .map(Some)
            .map_err(|it| failed(it.to_string()))
    }

    /// A voter that serves, if possible another than this one.
    pub(super) fn voter(&self, other_than: MemberId) -> Result<(Api, HostName), HostError> {
        let voters = || {
            let serving = self.round.answers.iter().filter(|(_, it)| it.serves);
            serving.filter(|(_, it)| it.members.is_some())
        };
        let found = voters().find(|(_, it)| it.id != other_than.0).or_else(|| voters().next());
        self.reached(found)
    }

    /// The member that leads.
    pub(super) fn leader(&self) -> Result<(Api, HostName), HostError> {
        self.reached(self.round.answers.iter().find(|(_, it)| it.status.is_leader))
    }

    /// What the member on the host of this key has said of itself.
    pub(super) fn status_on(&self, key: &str) -> Result<Status, HostError> {
        let answer = self.round.answers.get(key);
        answer.map(|it| it.status).ok_or_else(|| self.nobody())
    }

    fn reached(&self, found: Option<(&String, &Answer)>) -> Result<(Api, HostName), HostError> {
        let (key, answer) = found.ok_or_else(|| self.nobody())?;
        Ok((answer.api.clone(), self.sites[key].host.clone()))
    }

    fn nobody(&self) -> HostError {
        let host = self.setup.called.clone();
        let source = "no member answers that could do it".into();
        HostError::Unreachable { host, source }
    }

    /// Asks a voter for the members of this moment.
    pub(super) async fn list_now(&self) -> Result<Members, HostError> {
        let (api, host) = self.voter(MemberId(0))?;
        api.members().await.map_err(|it| explain(host, it))
    }
}

pub(super) async fn ask(api: Api, process: u32) -> Option<Answer> {
    let told = timeout(LOOK, api.status()).await.ok()?.ok()?;
    let header = told.header.unwrap_or_default();
    let mut answer = Answer {
        id: header.member,
        process,
        status: Status {
            is_leader: told.leader == header.member,
            version: told.version.parse().ok()?,
            raft_index: told.raft_index,
            revision: u64::try_from(header.revision).unwrap_or_default(),
            db_size: u64::try_from(told.db_size).unwrap_or_default(),
        },
        // A learner answers no linearizable read.
        serves: told.is_learner,
        members: None,
        alarms: Vec::new(),
        api,
    };
    if !told.is_learner {
        let list = timeout(LOOK, answer.api.members()).await;
        answer.members = list.ok().and_then(Result::ok);
        answer.serves = answer.members.is_some();
        if answer.serves {
            answer.alarms = timeout(LOOK, answer.api.alarms()).await.ok()?.ok()?;
        }
    }
    Some(answer)
}

impl Round {
    fn conclude(&mut self, alive: &BTreeMap<String, u32>) {
        let listed = self.answers.values().find(|it| it.members.is_some());
        self.list = listed.and_then(|it| it.members.clone());
        self.alarms = listed.map(|it| it.alarms.clone()).unwrap_or_default();
        let now = Instant::now();
        let serves = |key: &String| self.answers.get(key).is_some_and(|it| it.serves);
        let waiting = alive
            .keys()
            .filter(|it| !serves(it))
            .map(|key| (key.clone(), self.since.get(key).copied().unwrap_or(now)));
        self.since = waiting.collect();
        let stuck = self.since.iter().filter(|(_, it)| STUCK <= it.elapsed());
        self.stuck = stuck.map(|(key, _)| key.clone()).collect();
        let serving = self.answers.iter().filter(|(_, it)| it.serves);
        let serving: Vec<_> = serving.map(|(key, it)| (key, it.process)).collect();
        let members = self.list.iter().flat_map(|it| &it.members);
        let members: Vec<_> = members.map(|it| (it.id, it.is_learner, &it.peer_urls)).collect();
        let picture = format!("{serving:?} {members:?}");
        if self.settled.as_ref().is_none_or(|it| it.0 != picture) {
            self.settled = Some((picture, now));
        }
    }

    /// The units of these hosts were started just now.
    pub(super) fn started(&mut self, keys: &BTreeSet<String>) {
        self.since.retain(|key, _| !keys.contains(key));
    }

    /// Whether the member of this host has answered.
    pub(super) fn has(&self, key: &str) -> bool {
        self.answers.contains_key(key)
    }

    /// Of a host on which a process is.
    pub(super) fn unit(&self, key: &str) -> Unit {
        if self.answers.get(key).is_some_and(|it| it.serves) {
            return Unit::Running;
        }
        if self.stuck.contains(key) { Unit::Stuck } else { Unit::Starting }
    }

    pub(super) fn cluster(&self) -> Option<Cluster> {
        let list = self.list.as_ref()?;
        let status = |id: u64| {
            let answer = self.answers.values().find(|it| it.id == id && it.serves)?;
            Some(answer.status)
        };
        let members = list.members.iter().map(|it| Member {
            id: MemberId(it.id),
            name: it.name.clone(),
            peer_urls: it.peer_urls.iter().map(|it| PeerUrl::listed(it)).collect(),
            is_learner: it.is_learner,
            status: status(it.id),
        });
        let alarm = |it: &AlarmMember| match it.alarm() {
            AlarmType::Nospace => Some((MemberId(it.member), Alarm::NoSpace)),
            AlarmType::Corrupt => Some((MemberId(it.member), Alarm::Corrupt)),
            AlarmType::None => None,
        };
        Some(Cluster {
            id: ClusterId(list.cluster),
            members: members.collect(),
            alarms: self.alarms.iter().filter_map(alarm).collect(),
            is_settled: self.settled.as_ref().is_some_and(|it| SETTLES <= it.1.elapsed()),
        })
    }
}

/// What a member said, as the loop understands it: what may have happened is looked at again.
pub(super) fn explain(host: HostName, error: CallError) -> HostError {
    if error.is_refusal() {
        let reason = crate::engine::chain(&error);
        return HostError::Failed { host, call: "ask its member".to_owned(), reason };
    }
    HostError::Interrupted { host, call: "ask its member".to_owned(), source: Box::new(error) }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test lets time pass")]
mod tests {
    use super::*;

    /// systemd starts it again after each crash, and a look now and then finds another process.
    #[tokio::test(start_paused = true)]
    async fn a_member_that_crashes_again_and_again_hangs_and_one_just_started_does_not() {
        let mut round = Round::default();
        let look = |round: &mut Round, process: u32| {
            round.conclude(&BTreeMap::from([("a".to_owned(), process)]));
            round.unit("a")
        };
        for process in [10, 0, 11, 12, 0, 13] {
            assert_eq!(look(&mut round, process), Unit::Starting);
            tokio::time::advance(Duration::from_secs(5)).await;
        }
        assert_eq!(look(&mut round, 14), Unit::Stuck);
        // The planner restarts it, and sees whether that has helped.
        round.started(&BTreeSet::from(["a".to_owned()]));
        assert_eq!(look(&mut round, 15), Unit::Starting);
        tokio::time::advance(STUCK).await;
        assert_eq!(look(&mut round, 16), Unit::Stuck);
        // Once it is down it is not alive, and begins anew.
        round.conclude(&BTreeMap::new());
        assert_eq!(look(&mut round, 17), Unit::Starting);
    }
}

//! How a cluster is at this moment. Nothing is changed, locked or waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::access::{Access, issue};
use super::members::{Answer, ask};
use super::setup::{PEER, SERVER};
use super::site::certificates;
use crate::domain::etcd::MemberId;
use crate::domain::pki::Certificate;
use crate::engine::{Fleet, chain};
use crate::host::{Host, HostError};
use crate::remote::etcd::{AlarmType, Api, Credentials, Members};

/// Longer than any look.
const LIFETIME: Duration = Duration::from_mins(10);

/// How a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every member votes and serves, one leads, and there is no alarm.
    pub is_healthy: bool,
    /// A member has answered a linearizable read.
    pub has_quorum: bool,
    /// Its name.
    pub leader: Option<String>,
    /// The newest that a member knows.
    pub revision: Option<u64>,
    /// "b: NOSPACE".
    pub alarms: Vec<String>,
    /// By name, those that were asked for.
    pub members: BTreeMap<String, MemberReport>,
}

/// How a member is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberReport {
    /// As itself or the others say.
    pub id: Option<MemberId>,
    /// Without a vote.
    pub is_learner: Option<bool>,
    /// What it said of itself. None: it has not answered.
    pub told: Option<Told>,
    /// When the first certificate on its host expires.
    pub expires: Option<OffsetDateTime>,
    /// Why it, or something of it, is not known.
    pub trouble: Option<String>,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What it runs.
    pub version: String,
    /// In bytes.
    pub db_size: u64,
    id: u64,
    revision: u64,
    is_learner: bool,
    is_leader: bool,
    serves: bool,
    alarms: Vec<(u64, &'static str)>,
    list: Option<Vec<Listed>>,
}

/// A member in the list of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listed {
    id: u64,
    name: String,
    is_learner: bool,
}

/// What one host brought.
#[derive(Debug, Default)]
struct Seen {
    told: Option<Told>,
    expires: Option<OffsetDateTime>,
    trouble: Option<String>,
}

/// Asks all members at the same time, each through its own host, until `by` at the latest.
pub async fn status(fleet: &Fleet, access: &Access, by: Instant) -> Report {
    let issued = timeout_at(by, issue(fleet, access, "provider", LIFETIME)).await;
    let credentials = match issued {
        Ok(Ok(it)) => {
            Credentials::new(&access.authority, &it.certificate, &it.key).map_err(|it| chain(&it))
        }
        Ok(Err(_)) => Err("no host signs a certificate to ask it with".to_owned()),
        Err(_) => Err("no host has signed a certificate in time".to_owned()),
    };
    let credentials = &credentials;
    let answers = fleet.look(async |key, host| {
        // What was learnt of the host until then stays.
        let mut seen = Seen::default();
        let looked = timeout_at(by, look(&key, &host, access, credentials, &mut seen)).await;
        seen.trouble = match looked {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it has not answered in time".to_owned()),
        };
        Ok(seen)
    });
    let late = |key: &String| {
        let trouble = Some("its host has not answered in time".to_owned());
        (key.clone(), Seen { trouble, ..Seen::default() })
    };
    let seen = match timeout_at(by, answers).await {
        Ok(answers) => {
            answers.into_iter().map(|(key, it)| (key, it.unwrap_or_else(silent))).collect()
        }
        Err(_) => access.members.keys().map(late).collect(),
    };
    conclude(seen)
}

#[expect(clippy::needless_pass_by_value, reason = "for `unwrap_or_else`")]
fn silent(error: HostError) -> Seen {
    Seen { trouble: Some(chain(&error)), ..Seen::default() }
}

async fn look(
    key: &str,
    host: &Host,
    access: &Access,
    credentials: &Result<Credentials, String>,
    seen: &mut Seen,
) -> Result<(), String> {
    seen.expires = expires(host, access).await;
    let credentials = credentials.as_ref().map_err(Clone::clone)?;
    let at = access.members.get(key).ok_or("it has no address")?;
    let stream = host.forward(&at.to_string()).await.map_err(|it| chain(&it))?;
    let api = Api::open(stream, at.ip(), credentials).await.map_err(|it| chain(&it))?;
    // Which process answers matters to nobody here.
    let answer = ask(api, 0).await.ok_or("its member does not tell its status")?;
    seen.told = Some(told(&answer));
    if answer.serves { Ok(()) } else { Err("its member sees no quorum".to_owned()) }
}

/// None where a certificate is missing or cannot be read: what is wrong with it is told as drift.
async fn expires(host: &Host, access: &Access) -> Option<OffsetDateTime> {
    let directory = certificates(access.name.as_str());
    let mut first = None;
    for leaf in [SERVER, PEER] {
        let read = host.read(&format!("{directory}/{leaf}.crt"), 1 << 16).await.ok()?;
        let ends = Certificate::parse(&read.content).ok()?.not_after;
        first = Some(first.map_or(ends, |it: OffsetDateTime| it.min(ends)));
    }
    first
}

fn told(answer: &Answer) -> Told {
    let alarm = |it: &crate::remote::etcd::AlarmMember| match it.alarm() {
        AlarmType::Nospace => Some((it.member, "NOSPACE")),
        AlarmType::Corrupt => Some((it.member, "CORRUPT")),
        AlarmType::None => None,
    };
    let listed = |it: &Members| {
        let one = |it: &crate::remote::etcd::Member| Listed {
            id: it.id,
            name: it.name.clone(),
            is_learner: it.is_learner,
        };
        it.members.iter().map(one).collect()
    };
    Told {
        version: answer.status.version.to_string(),
        db_size: answer.status.db_size,
        id: answer.id,
        revision: answer.status.revision,
        // Only a learner serves without answering a linearizable read.
        is_learner: answer.serves && answer.members.is_none(),
        is_leader: answer.status.is_leader,
        serves: answer.serves,
        alarms: answer.alarms.iter().filter_map(alarm).collect(),
        list: answer.members.as_ref().map(listed),
    }
}

fn conclude(seen: BTreeMap<String, Seen>) -> Report {
    let told = || seen.values().filter_map(|it| it.told.as_ref());
    let list = told().find_map(|it| it.list.clone());
    let has_quorum = list.is_some();
    let list = list.unwrap_or_default();
    let name = |id: u64| {
        let here = seen.iter().find(|(_, it)| it.told.as_ref().is_some_and(|it| it.id == id));
        let listed = || list.iter().find(|it| it.id == id).map(|it| &it.name);
        here.map(|(key, _)| key).or_else(listed).filter(|it| !it.is_empty()).cloned()
    };
    let leader = told().find(|it| it.is_leader && it.serves).and_then(|it| name(it.id));
    let alarms: BTreeSet<_> = told().flat_map(|it| &it.alarms).collect();
    let alarm = |(id, what): &&(u64, &str)| {
        format!("{}: {what}", name(*id).unwrap_or_else(|| MemberId(*id).to_string()))
    };
    let alarms: Vec<_> = alarms.iter().map(alarm).collect();
    let votes =
        |it: &Listed| !it.is_learner && told().any(|other| other.id == it.id && other.serves);
    let is_healthy = has_quorum && leader.is_some() && alarms.is_empty() && list.iter().all(votes)
        // One that answers and is in no list was removed.
        && told().all(|it| list.iter().any(|other| other.id == it.id))
        && seen.values().all(|it| it.told.is_some());
    let revision = told().map(|it| it.revision).max();
    let member = |(key, it): (String, Seen)| {
        let listed = list.iter().find(|other| match &it.told {
            Some(told) => told.id == other.id,
            None => other.name == key,
        });
        let own = it.told.as_ref().map(|it| (it.id, it.is_learner));
        let (id, is_learner) = listed.map(|it| (it.id, it.is_learner)).or(own).unzip();
        let Seen { told, expires, trouble } = it;
        (key, MemberReport { id: id.map(MemberId), is_learner, told, expires, trouble })
    };
    let (has_quorum, leader, alarms) = (has_quorum, leader.clone(), alarms);
    let members = seen.into_iter().map(member).collect();
    Report { is_healthy, has_quorum, leader, revision, alarms, members }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<Listed> {
        let one = |(id, name): (u64, &str)| Listed { id, name: name.to_owned(), is_learner: false };
        [(1, "a"), (2, "b"), (3, "c")].map(one).into()
    }

    fn voter(id: u64) -> Seen {
        let told =
            Told { id, revision: 40 + id, serves: true, list: Some(list()), ..Told::default() };
        Seen { told: Some(Told { is_leader: id == 2, ..told }), ..Seen::default() }
    }

    /// Of a, b and c after `change`: health, quorum, leader, revision, alarms.
    fn check(change: impl Fn(&mut BTreeMap<String, Seen>), expected: &str) -> Report {
        let mut seen: BTreeMap<_, _> =
            [("a", 1), ("b", 2), ("c", 3)].map(|(key, id)| (key.to_owned(), voter(id))).into();
        change(&mut seen);
        let report = conclude(seen);
        let Report { is_healthy, has_quorum, leader, revision, alarms, .. } = &report;
        let words = [(is_healthy, "healthy"), (has_quorum, "quorum")];
        let mut said: Vec<_> = words.iter().filter(|it| *it.0).map(|it| it.1.to_owned()).collect();
        said.extend(leader.iter().map(|it| format!("{it} leads")));
        said.extend(revision.iter().map(ToString::to_string));
        said.extend(alarms.iter().cloned());
        assert_eq!(said.join(", "), expected);
        report
    }

    fn told(seen: &mut BTreeMap<String, Seen>, key: &str, change: impl Fn(&mut Told)) {
        seen.get_mut(key).and_then(|it| it.told.as_mut()).into_iter().for_each(change);
    }

    #[test]
    fn what_members_say_is_one_report() {
        check(|_| (), "healthy, quorum, b leads, 43");
        // One is silent: the others know who it is.
        let report = check(|it| it.get_mut("c").unwrap().told = None, "quorum, b leads, 42");
        assert_eq!(report.members["c"].id, Some(MemberId(3)));
        assert_eq!(report.members["c"].is_learner, Some(false));
        // Two are: the third knows no more than itself.
        let alone = |it: &mut BTreeMap<String, Seen>| {
            (it.get_mut("b").unwrap().told, it.get_mut("c").unwrap().told) = (None, None);
            told(it, "a", |it| (it.serves, it.list) = (false, None));
        };
        let report = check(alone, "41");
        assert_eq!((report.members["a"].id, report.members["b"].id), (Some(MemberId(1)), None));
        check(BTreeMap::clear, "");
        let full = |it: &mut BTreeMap<String, Seen>| {
            told(it, "a", |it| it.alarms = vec![(3, "NOSPACE")]);
            told(it, "b", |it| it.alarms = vec![(3, "NOSPACE"), (9, "CORRUPT")]);
        };
        check(full, "quorum, b leads, 43, c: NOSPACE, 9: CORRUPT");
        // A learner serves, and has no vote.
        let learner = |it: &mut BTreeMap<String, Seen>| {
            for key in ["a", "b"] {
                told(it, key, |it| it.list.as_mut().unwrap()[2].is_learner = true);
            }
            told(it, "c", |it| (it.is_learner, it.list) = (true, None));
        };
        let report = check(learner, "quorum, b leads, 43");
        assert_eq!(report.members["c"].is_learner, Some(true));
        // One that answers was removed; one in the list is nobody's.
        check(|it| told(it, "c", |it| it.id = 4), "quorum, b leads, 43");
        check(|it| drop(it.remove("c")), "quorum, b leads, 42");
    }
}

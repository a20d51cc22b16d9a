//! The hosts of one resource during one run: reached, locked and asked in parallel.
#![expect(clippy::disallowed_methods, reason = "remembers for how long a host has been silent")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::Stopped;
use crate::host::{Host, HostError, Hosts, Lease, Locked, Patience, Target};

/// A host that did not answer is not tried again for so long: each try takes seconds, and each look would wait for it.
const LET_BE: Duration = Duration::from_secs(10);

/// How often a look that was cut off is repeated. A connection that broke may take a moment until it counts as closed.
const LOOKS_AGAIN: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// Hosts by the keys that the user gave them.
#[derive(Debug)]
pub struct Fleet {
    hosts: Arc<Hosts>,
    members: BTreeMap<String, Member>,
}

#[derive(Debug)]
struct Member {
    lease: Lease,
    /// It answered the last time. So when it is lost it is waited for, as long as its connection says: it may be rebooting.
    is_expected: bool,
    /// Since when it has not answered, and how that was put.
    silent: Option<(Instant, String)>,
}

/// The answers of all hosts, by their keys.
pub type Answers<T> = BTreeMap<String, Result<T, HostError>>;

impl Fleet {
    /// Nothing is contacted yet. `lock` is what keeps two runs on the same object apart.
    pub fn new(hosts: Arc<Hosts>, targets: BTreeMap<String, Target>, lock: &str) -> Self {
        let member = |target| {
            let lease = Lease::new(Arc::clone(&hosts), target, lock.to_owned());
            Member { lease, is_expected: false, silent: None }
        };
        let members = targets.into_iter().map(|(key, target)| (key, member(target))).collect();
        Self { hosts, members }
    }

    /// The keys of the hosts, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Locks all hosts that answer. Those that are `patient` are waited for, at most until `by`: they may be starting. The
    /// others that do not answer are told of in the log, and are unseen from then on.
    ///
    /// # Errors
    /// [`Stopped::Locked`]: another run is at work on one of them. Then this one holds none.
    pub async fn lock(&mut self, patient: &BTreeSet<String>, by: Instant) -> Result<(), Stopped> {
        let locks = self.members.iter_mut().map(async |(key, member)| {
            let patience = if patient.contains(key) { Patience::Boot(by) } else { Patience::Once };
            member.locked(patience).await.err()
        });
        let mut taken = None;
        for error in join_all(locks).await.into_iter().flatten() {
            if let HostError::Failed { .. } = error {
                taken = Some(error);
                continue;
            }
            warn!(host = %error.host(), error = %chain(&error), "the host is not seen");
        }
        let Some(taken) = taken else { return Ok(()) };
        self.release().await;
        Err(Stopped::Locked(taken))
    }

    /// Asks all hosts at the same time, each under the lock of this run, for a look: what was cut off is asked again. A host
    /// that answered before and is lost is waited for, as long as its connection says: it may be rebooting.
    pub async fn each<T, F, A>(&mut self, ask: F) -> Answers<T>
    where
        F: Fn(String, Locked) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let ask = &ask;
        let asked = self.members.iter_mut().map(async |(key, member)| {
            let mut answer = member.ask(key, ask).await;
            for _ in 0..LOOKS_AGAIN {
                if !member.is_expected || !answer.as_ref().is_err_and(HostError::is_transient) {
                    break;
                }
                sleep(PAUSE).await;
                answer = member.ask(key, ask).await;
            }
            (key.clone(), answer)
        });
        join_all(asked).await.into_iter().collect()
    }

    /// Asks some of the hosts at the same time, each under the lock of this run, and each once: it may change something.
    /// Keys that are no hosts are passed over.
    pub async fn some<T, F, A>(&mut self, keys: &BTreeSet<String>, ask: F) -> Answers<T>
    where
        F: Fn(String, Locked) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let ask = &ask;
        let chosen = self.members.iter_mut().filter(|(key, _)| keys.contains(*key));
        let asked = chosen.map(async |(key, member)| (key.clone(), member.ask(key, ask).await));
        join_all(asked).await.into_iter().collect()
    }

    /// Asks one of the hosts once, under the lock of this run: it may change something. None: the key is no host.
    ///
    /// # Errors
    /// Those of the host.
    pub async fn one<T, F, A>(&mut self, key: &str, ask: F) -> Result<Option<T>, HostError>
    where
        F: Fn(String, Locked) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        match self.members.get_mut(key) {
            Some(member) => member.ask(key, &ask).await.map(Some),
            None => Ok(None),
        }
    }

    /// Asks all hosts at the same time without any lock, for a look that changes nothing.
    pub async fn look<T, F, A>(&self, ask: F) -> Answers<T>
    where
        F: Fn(String, Host) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let asked = self
            .members
            .iter()
            .map(async |(key, member)| (key.clone(), self.ask_unlocked(key, member, &ask).await));
        join_all(asked).await.into_iter().collect()
    }

    /// Asks all hosts at the same time without any lock, for what each of them could tell: the first that can.
    ///
    /// # Errors
    /// None can: why not, by the keys of the hosts.
    pub async fn first<T, F, A>(&self, ask: F) -> Result<T, BTreeMap<String, HostError>>
    where
        F: Fn(String, Host) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let asked = self
            .members
            .iter()
            .map(async |(key, member)| (key.clone(), self.ask_unlocked(key, member, &ask).await));
        let mut asked: FuturesUnordered<_> = asked.collect();
        let mut why = BTreeMap::new();
        while let Some((key, answer)) = asked.next().await {
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => drop(why.insert(key, error)),
            }
        }
        Err(why)
    }

    async fn ask_unlocked<T, F, A>(&self, key: &str, of: &Member, ask: &F) -> Result<T, HostError>
    where
        F: Fn(String, Host) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let host = self.hosts.connect(of.lease.target(), Patience::Once).await?;
        ask(key.to_owned(), host).await
    }

    /// The keys that hosts have proven to have, for pinning: "ssh-ed25519 AAAA…".
    pub fn host_keys(&self) -> BTreeMap<String, String> {
        let key = |(key, member): (&String, &Member)| Some((key.clone(), member.lease.host_key()?));
        self.members.iter().filter_map(key).collect()
    }

    /// Gives all locks back, for whoever comes next while this process lives on.
    pub async fn release(&mut self) {
        join_all(self.members.values_mut().map(|it| it.lease.release())).await;
    }
}

impl Member {
    fn patience(&self) -> Patience {
        if !self.is_expected {
            return Patience::Once;
        }
        Patience::Boot(Instant::now() + self.lease.target().boot_wait())
    }

    async fn ask<T, F, A>(&mut self, key: &str, ask: &F) -> Result<T, HostError>
    where
        F: Fn(String, Locked) -> A,
        A: Future<Output = Result<T, HostError>>,
    {
        let host = self.locked(self.patience()).await?;
        ask(key.to_owned(), host).await
    }

    async fn locked(&mut self, patience: Patience) -> Result<Locked, HostError> {
        if patience == Patience::Once
            && let Some((since, reason)) = &self.silent
            && since.elapsed() < LET_BE
        {
            let host = self.lease.target().name.clone();
            return Err(HostError::Unreachable { host, source: reason.clone().into() });
        }
        let locked = self.lease.locked(patience).await;
        self.is_expected = locked.is_ok();
        self.silent = match &locked {
            Err(error @ HostError::Unreachable { .. }) => Some((Instant::now(), chain(error))),
            _ => None,
        };
        locked
    }
}

/// The gravest failure of a step over several hosts, if any failed: interrupted before failed before unreachable.
///
/// # Errors
/// That one.
pub fn gravest<T>(answers: Answers<T>) -> Result<BTreeMap<String, T>, HostError> {
    let mut done = BTreeMap::new();
    let mut worst = None;
    for (key, answer) in answers {
        match answer {
            Ok(answer) => {
                done.insert(key, answer);
            }
            Err(error) if worst.as_ref().is_none_or(|it| gravity(it) < gravity(&error)) => {
                worst = Some(error);
            }
            Err(_) => {}
        }
    }
    worst.map_or(Ok(done), Err)
}

fn gravity(error: &HostError) -> u8 {
    match error {
        HostError::Unreachable { .. } => 0,
        HostError::Failed { .. } => 1,
        HostError::Interrupted { .. } => 2,
    }
}

/// An error with its sources, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |it| (*it).source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test chooses a time limit")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::fake::FakeHost;
    use crate::host::{Cause, Way};

    fn fleet(caller: &str, fakes: &[FakeHost]) -> Fleet {
        let hosts = Arc::new(Hosts::new(caller.to_owned(), None));
        let target = |(key, fake): (&str, &FakeHost)| {
            let way = Way::Fake(fake.clone());
            (key.to_owned(), Target { name: key.parse().unwrap(), way })
        };
        let targets = ["a", "b", "c"].into_iter().zip(fakes).map(target).collect();
        Fleet::new(hosts, targets, "service-x")
    }

    fn three() -> [FakeHost; 3] {
        ["m1", "m2", "m3"].map(FakeHost::new)
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_boot_are_waited_for_and_others_are_not() {
        let fakes = three();
        fakes[1].set_silent(true);
        let mut fleet = fleet("anna", &fakes);
        let by = Instant::now() + Duration::from_mins(5);
        let began = Instant::now();
        fleet.lock(&BTreeSet::new(), by).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1));
        let answers = fleet.each(async |_, host| Ok(host.generation())).await;
        let seen: Vec<_> = answers.values().map(|it| it.as_ref().ok().copied()).collect();
        assert_eq!(seen, [Some(1), None, Some(1)]);

        fleet.lock(&BTreeSet::from(["b".to_owned()]), by).await.unwrap();
        assert!(began.elapsed() > Duration::from_mins(4));
        let late = fakes[1].clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            late.set_silent(false);
        });
        fleet.lock(&BTreeSet::from(["b".to_owned()]), by + Duration::from_mins(5)).await.unwrap();
        assert_eq!(gravest(fleet.each(async |_, _| Ok(())).await).unwrap().len(), 3);
    }

    #[tokio::test]
    async fn of_two_runs_one_is_turned_away_and_holds_nothing() {
        let fakes = three();
        let mut first = fleet("anna", &fakes[..1]);
        first.lock(&BTreeSet::new(), Instant::now()).await.unwrap();
        fakes[0].hold("service-x", "anna");
        let mut second = fleet("bob", &fakes);
        let stopped = second.lock(&BTreeSet::new(), Instant::now()).await.unwrap_err();
        assert_eq!(
            chain(&stopped),
            "another run is at work: a: cannot lock service-x: anna holds it (run 1, agent process 1)"
        );
        let mut third = fleet("carl", &fakes[1..]);
        third.lock(&BTreeSet::new(), Instant::now()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_step_of_a_run_that_was_killed_is_waited_for() {
        let fakes = three();
        fakes[2].hold_to_the_end_of_a_step("service-x", "anna", 9);
        let mut next = fleet("anna", &fakes);
        next.lock(&BTreeSet::new(), Instant::now()).await.unwrap();
        // Not for ever.
        fakes[2].hold_to_the_end_of_a_step("service-x", "anna", u32::MAX);
        let stopped = fleet("anna", &fakes[2..]).lock(&BTreeSet::new(), Instant::now()).await;
        assert!(matches!(stopped, Err(Stopped::Locked(_))), "{stopped:?}");
    }

    #[tokio::test]
    async fn the_first_that_can_answers_and_silence_is_told_when_none_does() {
        let fakes = three();
        fakes[0].set_silent(true);
        let fleet = fleet("anna", &fakes);
        let told = fleet.first(async |key, host| {
            if key == "b" {
                // It hangs.
                std::future::pending::<()>().await;
            }
            Ok(host.name().to_string())
        });
        assert_eq!(told.await.unwrap(), "c");
        let refused = fleet.first(async |_, host| {
            let (host, call) = (host.name().clone(), "tell".to_owned());
            Err::<(), _>(HostError::Failed { host, call, reason: "no".to_owned() })
        });
        let why = refused.await.unwrap_err();
        let why: Vec<_> = why.values().map(ToString::to_string).collect();
        assert_eq!(why.len(), 3);
        assert_eq!(why[1..], ["b: cannot tell: no", "c: cannot tell: no"]);
    }

    #[test]
    fn the_gravest_failure_is_told() {
        let host = || "b".parse().unwrap();
        let cause = || -> Cause { "x".into() };
        let errors = [
            HostError::Unreachable { host: host(), source: cause() },
            HostError::Interrupted { host: host(), call: "y".to_owned(), source: cause() },
            HostError::Failed { host: host(), call: "y".to_owned(), reason: "z".to_owned() },
        ];
        let keys = ["a", "b", "c"].map(str::to_owned);
        let answers: Answers<()> = keys.into_iter().zip(errors.into_iter().map(Err)).collect();
        assert!(matches!(gravest(answers), Err(HostError::Interrupted { .. })));
    }
}

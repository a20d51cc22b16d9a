//! Members that are started and stopped, several at once: none is to wait for another in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::EtcdCluster;
use crate::domain::etcd::{Name, Version};
use crate::engine::{Answers, gravest};
use crate::host::messages::service_request::Action;
use crate::host::{Host, HostError};
use crate::remote::etcd::health;

/// A member asks each of the others for what their data adds up to, and waits 7 s for one that does not say (`ReqTimeout` of
/// etcd with our election timeout of 1 s).
const COMPARES: Duration = Duration::from_secs(30);
const LOOKS_AGAIN: Duration = Duration::from_millis(50);

impl EtcdCluster<'_> {
    /// Notes the start once it was made: a crash in between costs one more restart, never one too few.
    pub(super) async fn start(
        &mut self,
        keys: &BTreeSet<String>,
        action: Action,
        version: Option<Version>,
    ) -> Result<(), HostError> {
        let (sites, desired) = (&self.sites, &self.setup.desired);
        let has_data = |it: &String| self.looks.get(it).is_some_and(|it| it.facts.data.is_some());
        let turns = turns(keys, has_data);
        let mut done = Answers::new();
        for (number, turn) in turns.iter().enumerate() {
            let is_last = number + 1 == turns.len();
            let started = self.fleet.some(turn, async |key, host| {
                let site = &sites[&key];
                host.service(Action::Enable, &site.unit()).await?;
                host.service(action, &site.unit()).await?;
                if !is_last {
                    until_it_answers(&host, &site.metrics(desired)).await;
                }
                Ok(())
            });
            done.extend(started.await);
        }
        let done = gravest(done);
        // Also where the answer was lost: it has its time to come up.
        self.round.started(keys);
        done?;
        let desired = self.setup.desired.clone();
        let on_disk: BTreeMap<Name, _> = self
            .looks
            .iter()
            .filter(|(key, _)| keys.contains(*key))
            .filter_map(|(key, it)| Some((self.sites[key].name.clone(), it.facts.on_disk?)))
            .collect();
        self.note(keys, |site, notes| {
            let before = on_disk.get(&site.name);
            // What was just written is as wished; what was found may not be.
            let (version, is_wish) = match version {
                Some(version) => (Some(version), true),
                None => (before.map(|it| it.version), before.is_some_and(|it| it.is_current)),
            };
            notes.started = None;
            if let Some(version) = version.filter(|_| is_wish) {
                notes.start(site, version, site.stamp(&desired, version));
            }
        })
        .await
    }

    /// Stops the members of these hosts; nor do they start when their hosts do.
    pub(super) async fn stop(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        for turn in self.leader_last(keys) {
            let sites = &self.sites;
            let stopped = self.fleet.some(&turn, async |key, host| {
                let unit = sites[&key].unit();
                host.service(Action::Disable, &unit).await?;
                host.service(Action::Stop, &unit).await
            });
            gravest(stopped.await)?;
        }
        Ok(())
    }

    /// Which of these members end at the same time. As long as whoever leads sees others it waits for one to take over
    /// (`TryTransferLeadershipOnShutdown` of etcd), which none of these does.
    pub(super) fn leader_last(&self, keys: &BTreeSet<String>) -> [BTreeSet<String>; 2] {
        let leads = |it: &String| self.status_on(it).is_ok_and(|it| it.is_leader);
        let (leaders, others) = keys.iter().cloned().partition(leads);
        [others, leaders]
    }
}

/// Which of these members start at the same time. One with data compares it with that of the others before it answers any of
/// them: started at the same time, all would wait for all until they give up.
fn turns(keys: &BTreeSet<String>, has_data: impl Fn(&String) -> bool) -> Vec<BTreeSet<String>> {
    let (one_by_one, at_once): (BTreeSet<_>, BTreeSet<_>) =
        keys.iter().cloned().partition(has_data);
    let turns = one_by_one.into_iter().map(|it| BTreeSet::from([it])).chain([at_once]);
    turns.filter(|it| !it.is_empty()).collect()
}

/// Returns when the member on this host, whose metrics are at this address, says how it is, well or not; from then on it answers
/// the others too. Or when it had time enough for that.
async fn until_it_answers(host: &Host, metrics: &str) {
    let answered = async {
        loop {
            if let Ok(stream) = host.forward(metrics).await
                && health(stream).await.is_some()
            {
                return;
            }
            sleep(LOOKS_AGAIN).await;
        }
    };
    let _ = timeout(COMPARES, answered).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_data_start_one_by_one_and_others_at_once() {
        let check = |keys: &str, with_data: &str, expected: &[&str]| {
            let keys = keys.chars().map(String::from).collect();
            let found = turns(&keys, |it| with_data.contains(it));
            let found: Vec<String> = found.into_iter().map(|it| it.into_iter().collect()).collect();
            assert_eq!(found, expected);
        };
        check("abc", "", &["abc"]);
        check("abc", "abc", &["a", "b", "c"]);
        check("abcd", "bd", &["b", "d", "ac"]);
        check("", "", &[]);
    }
}

//! Whether the hosts of members reach each other, proven before a member depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::EtcdCluster;
use super::setup::SERVER;
use crate::actions::is_former;
use crate::domain::etcd::{Member, Name, PeerUrl};
use crate::engine::{Fleet, gravest};
use crate::host::messages::Dialled;
use crate::host::messages::dialled::Outcome;
use crate::host::{HostError, HostName, Locked};

/// What a host is to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Whose member is there, or will be.
    pub(super) to: String,
    pub(super) at: SocketAddr,
    /// A member serves there. Otherwise that its machine has an answer is proof enough: nobody listens there yet.
    pub(super) is_served: bool,
}

const PEERS: &str =
    "Members speak to each other on that port: open it between their hosts, in both directions";
const CLIENTS: &str = "Nothing between the hosts may answer for a member, or end its TLS";

/// By the keys of the hosts that are to reach something.
pub(super) type Ways = BTreeMap<String, Vec<Way>>;

impl EtcdCluster<'_> {
    /// Of a newcomer and all members, in both directions.
    pub(super) async fn prove_ways_of(&mut self, newcomer: &Name) -> Result<(), HostError> {
        let there = self.members();
        let there = there.map(|(it, at)| Way { to: it.label(), at, is_served: true });
        let port = self.setup.desired.ports.peer;
        let at = SocketAddr::new(self.sites[newcomer.as_str()].place.address, port);
        let back = Way { to: newcomer.to_string(), at, is_served: false };
        let others = self.sites.keys().filter(|it| self.round.has(it));
        let mut ways: Ways = others.map(|it| (it.clone(), vec![back.clone()])).collect();
        ways.insert(newcomer.to_string(), there.collect());
        self.prove(&ways).await?;
        self.meet_from(newcomer).await
    }

    /// Those that the last look has told of, and where the others reach them.
    fn members(&self) -> impl Iterator<Item = (Member, SocketAddr)> + use<> {
        let address = |it: &PeerUrl| it.as_str().strip_prefix("https://")?.parse().ok();
        let members = self.round.cluster().into_iter().flat_map(|it| it.members);
        members.filter_map(move |it| {
            let at = it.peer_urls.first().and_then(address)?;
            Some((it, at))
        })
    }

    /// On the host of a newcomer every member proves itself, and takes its certificate: a port that is open may be that of
    /// something between them. The certificates of members have the same names for clients as for each other.
    async fn meet_from(&mut self, newcomer: &Name) -> Result<(), HostError> {
        let port = self.setup.desired.ports.client;
        let there = self.members().filter(|(it, _)| it.is_healthy());
        let there = there.map(|(it, peer)| (it.label(), SocketAddr::new(peer.ip(), port)));
        let (labels, targets): (Vec<_>, Vec<_>) = there.unzip();
        let site = &self.sites[newcomer.as_str()];
        let files = [site.certificate("ca"), site.certificate(SERVER), site.key(SERVER)];
        let ask = async |_, host: Locked| host.meet(&targets, files.clone()).await;
        let met = self.fleet.one(newcomer.as_str(), ask).await?.unwrap_or_default();
        let unmet = met.into_iter().zip(labels).filter(|(it, _)| it.outcome() != Outcome::Open);
        let unmet = unmet.map(|(Dialled { target, error, .. }, to)| {
            format!("{newcomer} reaches {target}, where {to} should answer: {error}")
        });
        refuse(&self.setup.called, &unmet.collect::<Vec<_>>(), CLIENTS)
    }

    /// Of all first members to each other.
    pub(super) async fn prove_first_ways(&mut self) -> Result<(), HostError> {
        let port = self.setup.desired.ports.peer;
        let wanted = || self.sites.iter().filter(|(key, _)| !is_former(key));
        let from = |(key, _): (&String, _)| {
            let others = wanted().filter(|(it, _)| *it != key);
            let ways = others.map(|(to, site)| Way {
                to: to.clone(),
                at: SocketAddr::new(site.place.address, port),
                is_served: false,
            });
            (key.clone(), ways.collect())
        };
        let ways: Ways = wanted().map(from).collect();
        self.prove(&ways).await
    }

    async fn prove(&mut self, ways: &Ways) -> Result<(), HostError> {
        prove(self.fleet, &self.setup.called, ways).await
    }
}

async fn prove(fleet: &mut Fleet, called: &HostName, ways: &Ways) -> Result<(), HostError> {
    let keys: BTreeSet<String> = ways.keys().cloned().collect();
    let dial = async |key: String, host: crate::host::Locked| {
        let targets: Vec<_> = ways[&key].iter().map(|it| it.at).collect();
        host.dial(&targets).await
    };
    let mut blocked = Vec::new();
    for (key, dialled) in gravest(fleet.some(&keys, dial).await)? {
        for (way, found) in ways[&key].iter().zip(dialled) {
            let Way { to, at, is_served } = way;
            match found.outcome() {
                Outcome::Silent => {
                    blocked.push(format!("{key} does not reach {to} at {at} ({})", found.error));
                }
                Outcome::Refused if *is_served => {
                    blocked.push(format!(
                        "{key} reaches the machine of {to}, and nobody listens at {at}"
                    ));
                }
                // A meeting has a question of its own.
                Outcome::Open | Outcome::Refused | Outcome::Unproven => {}
            }
        }
    }
    refuse(called, &blocked, PEERS)
}

fn refuse(called: &HostName, blocked: &[String], advice: &str) -> Result<(), HostError> {
    if blocked.is_empty() {
        return Ok(());
    }
    let reason = format!("{}. {advice}", blocked.join("; "));
    let (host, call) = (called.clone(), "connect the members".to_owned());
    Err(HostError::Failed { host, call, reason })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test chooses a time limit")]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::host::fake::FakeHost;
    use crate::host::{Hosts, Target, Way as To};

    #[tokio::test]
    async fn hosts_that_do_not_reach_each_other_are_named_with_the_port() {
        let fakes = ["a", "b"].map(FakeHost::new);
        let target = |fake: &FakeHost| {
            let name = format!("{fake:?}").replace("FakeHost(\"", "").replace("\")", "");
            (name.clone(), Target { name: name.parse().unwrap(), way: To::Fake(fake.clone()) })
        };
        let targets = fakes.iter().map(target).collect();
        let hosts = Arc::new(Hosts::new("anna".to_owned(), None));
        let mut fleet = Fleet::new(hosts, targets, "etcd_cluster-prod");
        fleet.lock(&BTreeSet::new(), Instant::now()).await.unwrap();
        let way = |to: &str, at: &str| {
            vec![Way { to: to.to_owned(), at: at.parse().unwrap(), is_served: false }]
        };
        let ways = Ways::from([
            ("a".to_owned(), way("b", "192.0.2.2:2380")),
            ("b".to_owned(), way("a", "192.0.2.1:2380")),
        ]);
        let called = "etcd-prod".parse().unwrap();
        prove(&mut fleet, &called, &ways).await.unwrap();
        fakes[1].wall_off("192.0.2.1:2380");
        let error = prove(&mut fleet, &called, &ways).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "etcd-prod: cannot connect the members: b does not reach a at 192.0.2.1:2380 (timed out). Members speak to each other on that port: open it between their hosts, in both directions"
        );
        assert!(!error.is_transient());
    }
}

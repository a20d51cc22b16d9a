//! Whether hosts are fit for what is to be put on them: asked before the first change, so that a refusal leaves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use super::{Fleet, Stopped};
use crate::host::messages::FactsRequest;
use crate::host::{Facts, HostError, Locked};

/// More would make certificates of one host invalid on another. Chrony and timesyncd keep within milliseconds.
const MOST_SKEW: i128 = 5_000_000_000;

/// What one host is to offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Whether the agent must run as root, which it does not under a root of its own.
    pub root: bool,
    /// Bytes that must be free on the file system of each path.
    pub space: Vec<(String, u64)>,
    /// TCP ports that nothing may listen on yet, each at an address or, when empty, at any.
    pub ports: Vec<(String, u16)>,
}

/// Why a host is not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Nothing is built for it.
    #[error("its processor is {0}, and there are programs for x86_64 and aarch64 alone")]
    Architecture(String),
    /// The user that logs in may not do what has to be done.
    #[error("the agent does not run as root: log in as root, or let the user use sudo")]
    NotRoot,
    /// A file system is too full.
    #[error("{path} has {available} bytes free, and {needed} are needed")]
    Space {
        /// A path on it.
        path: String,
        /// Free for everybody.
        available: u64,
        /// Asked for.
        needed: u64,
    },
    /// A file system could not be measured.
    #[error("the space at {path} is not known: {reason}")]
    UnknownSpace {
        /// A path on it.
        path: String,
        /// What the host said.
        reason: String,
    },
    /// Somebody else is there.
    #[error("something listens on port {port} of {address} already")]
    Port {
        /// Where it listens.
        address: String,
        /// The port.
        port: u16,
    },
    /// The clocks differ.
    #[error("its clock is {} the one of this machine, and at most 5 s are tolerated", Skew(*ahead))]
    Clock {
        /// Nanoseconds.
        ahead: i128,
    },
    /// Two keys lead to one machine.
    #[error("it is the same machine as {0}, by its machine-id")]
    SameMachine(String),
    /// It cannot be told from others.
    #[error("it has no machine-id: run systemd-machine-id-setup there")]
    NoMachine,
}

/// In words.
struct Skew(i128);

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (amount, side) = if self.0 < 0 { (-self.0, "behind") } else { (self.0, "ahead of") };
        write!(f, "{}.{} s {side}", amount / 1_000_000_000, amount / 100_000_000 % 10)
    }
}

impl Fleet {
    /// Judges some of the hosts, each by what it is to offer, which may follow from what is there already. Those that do
    /// not answer are for the planner to judge.
    ///
    /// # Errors
    /// [`Stopped::Unfit`] names every host that is not fit; [`Stopped::Unseen`] one that cannot tell.
    pub async fn preflight<F, A>(
        &mut self,
        keys: &BTreeSet<String>,
        needs: F,
    ) -> Result<(), Stopped>
    where
        F: Fn(String, Locked) -> A,
        A: Future<Output = Result<Needs, HostError>>,
    {
        let needs = &needs;
        let asked = self.some(keys, async |key, host| {
            let needs = needs(key, host.clone()).await?;
            let request = FactsRequest {
                disks: needs.space.iter().map(|(path, _)| path.clone().into()).collect(),
                listeners: !needs.ports.is_empty(),
                ..FactsRequest::default()
            };
            Ok((host.facts(request).await?, needs))
        });
        let mut seen = BTreeMap::new();
        for (key, answer) in asked.await {
            match answer {
                Ok(answer) => drop(seen.insert(key, answer)),
                Err(error @ HostError::Failed { .. }) => return Err(Stopped::Unseen(error)),
                Err(_) => {}
            }
        }
        let found = unfit(&seen);
        if found.is_empty() { Ok(()) } else { Err(Stopped::Unfit(found)) }
    }
}

/// Everything that is not as it must be, host by host. Hosts that were not seen are not judged.
pub fn unfit(hosts: &BTreeMap<String, (Facts, Needs)>) -> Vec<(String, Unfit)> {
    let mut machines = BTreeMap::new();
    let mut found = Vec::new();
    for (key, (facts, needs)) in hosts {
        let mut say = |it| found.push((key.clone(), it));
        if !["x86_64", "aarch64"].contains(&facts.architecture.as_str()) {
            say(Unfit::Architecture(facts.architecture.clone()));
        }
        if facts.machine_id.is_empty() {
            say(Unfit::NoMachine);
        } else if let Some(other) = machines.insert(facts.machine_id.clone(), key.clone()) {
            say(Unfit::SameMachine(other));
        }
        if MOST_SKEW < facts.ahead.abs() {
            say(Unfit::Clock { ahead: facts.ahead });
        }
        if needs.root && facts.user != 0 {
            say(Unfit::NotRoot);
        }
        needs.space.iter().filter_map(|it| space(facts, it)).for_each(&mut say);
        needs.ports.iter().filter_map(|it| port(facts, it)).for_each(&mut say);
    }
    found
}

fn space(facts: &Facts, (path, needed): &(String, u64)) -> Option<Unfit> {
    let path = path.clone();
    let Some(disk) = facts.disks.iter().find(|it| it.path == path) else {
        return Some(Unfit::UnknownSpace { path, reason: "it was not asked for".to_owned() });
    };
    if !disk.error.is_empty() {
        return Some(Unfit::UnknownSpace { path, reason: disk.error.clone() });
    }
    let (available, needed) = (disk.available, *needed);
    (available < needed).then_some(Unfit::Space { path, available, needed })
}

fn port(facts: &Facts, (address, port): &(String, u16)) -> Option<Unfit> {
    let is_any = |it: &str| it.is_empty() || it == "0.0.0.0" || it == "::";
    let taken = facts.listeners.iter().find(|it| {
        it.protocol() == crate::host::messages::listener::Protocol::Tcp
            && it.port == u32::from(*port)
            && (it.address == *address || is_any(&it.address) || is_any(address))
    })?;
    Some(Unfit::Port { address: taken.address.clone(), port: *port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::messages::{Disk, FactsReply, Listener};

    fn host(machine: &str) -> FactsReply {
        FactsReply {
            machine_id: machine.to_owned(),
            architecture: "x86_64".to_owned(),
            disks: vec![Disk { path: "/".into(), available: 100, ..Disk::default() }],
            listeners: vec![
                Listener { address: "10.0.0.1".to_owned(), port: 2379, ..Listener::default() },
                Listener { address: "::".to_owned(), port: 22, ..Listener::default() },
                Listener { address: "10.0.0.1".to_owned(), port: 53, protocol: 1 },
            ],
            ..FactsReply::default()
        }
    }

    fn check(facts: &FactsReply, ahead: i128, needs: &Needs, expected: &[&str]) {
        let facts = Facts::new(facts.clone(), ahead);
        let other = Facts::new(host("m0"), 0);
        let hosts = BTreeMap::from([
            ("a".to_owned(), (other, Needs::default())),
            ("b".to_owned(), (facts, needs.clone())),
        ]);
        let found: Vec<_> =
            unfit(&hosts).into_iter().map(|(key, it)| format!("{key}: {it}")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_wrong_with_a_host_is_said_at_once() {
        let none = Needs::default();
        let fine = host("m1");
        check(&fine, 4_999_000_000, &none, &[]);
        check(&host("m0"), 0, &none, &["b: it is the same machine as a, by its machine-id"]);
        check(
            &host(""),
            0,
            &none,
            &["b: it has no machine-id: run systemd-machine-id-setup there"],
        );
        check(
            &fine,
            -7_260_000_000,
            &none,
            &[
                "b: its clock is 7.2 s behind the one of this machine, and at most 5 s are tolerated",
            ],
        );
        let user = FactsReply { user: 1000, architecture: "riscv64".to_owned(), ..fine.clone() };
        check(
            &user,
            0,
            &Needs { root: true, ..none.clone() },
            &[
                "b: its processor is riscv64, and there are programs for x86_64 and aarch64 alone",
                "b: the agent does not run as root: log in as root, or let the user use sudo",
            ],
        );
        let space = |path: &str, needed| Needs {
            space: vec![(path.to_owned(), needed)],
            ..Needs::default()
        };
        check(&fine, 0, &space("/", 100), &[]);
        check(&fine, 0, &space("/", 101), &["b: / has 100 bytes free, and 101 are needed"]);
        check(
            &fine,
            0,
            &space("/x", 1),
            &["b: the space at /x is not known: it was not asked for"],
        );
        let port = |address: &str, port| Needs {
            ports: vec![(address.to_owned(), port)],
            ..Needs::default()
        };
        check(&fine, 0, &port("10.0.0.2", 2379), &[]);
        check(&fine, 0, &port("10.0.0.1", 53), &[]);
        let taken = "b: something listens on port 2379 of 10.0.0.1 already";
        check(&fine, 0, &port("10.0.0.1", 2379), &[taken]);
        check(&fine, 0, &port("", 2379), &[taken]);
        let taken = "b: something listens on port 22 of :: already";
        check(&fine, 0, &port("10.0.0.2", 22), &[taken]);
    }
}

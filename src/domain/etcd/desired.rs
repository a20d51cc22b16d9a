//! What a user wishes, in types that hold no invalid wish.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::time::Duration;

use super::arguments::{Arguments, Environment};
use super::refusal::{Refusal, Subject};
use super::timing::Timing;
use super::version::Version;
pub use crate::domain::host::Place;
pub use crate::domain::name::{ClusterName, Folder, Name, OnDestroy, TextFault};

/// Where members reach a member: `https://192.0.2.1:2380`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerUrl(String);

/// The three ports of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// For clients.
    pub client: u16,
    /// For members.
    pub peer: u16,
    /// Plain HTTP, on loopback; on a local host on its address.
    pub metrics: u16,
}

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// For clients.
    Client,
    /// For members.
    Peer,
    /// For metrics.
    Metrics,
}

/// Everything that a user wishes of a cluster, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Of the cluster.
    pub name: ClusterName,
    /// That all members are to run.
    pub version: Version,
    /// By name.
    pub members: BTreeMap<Name, Place>,
    /// The same on all.
    pub ports: Ports,
    /// Null in the configuration is `/var/lib/etcd/<name>`.
    pub data_dir: Folder,
    /// None: inside the data directory.
    pub wal_dir: Option<Folder>,
    /// The same on all.
    pub timing: Timing,
    /// Bytes.
    pub quota: u64,
    /// None: clients compact.
    pub auto_compaction: Option<Duration>,
    /// For all members.
    pub arguments: Arguments,
    /// For all members.
    pub environment: Environment,
    /// Members whose machines are gone for ever.
    pub lost_hosts: BTreeSet<Name>,
    /// Refuses to destroy.
    pub is_protected: bool,
    /// What becomes of the data.
    pub on_destroy: OnDestroy,
}

/// A [`Wish`] whose parts fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired(Wish);

/// The most members that a cluster has: more make it slower and no safer.
pub const MOST_MEMBERS: usize = 7;

/// The most that etcd suggests for its data (`server/storage/quota.go`), in bytes.
pub const MOST_QUOTA: u64 = 8 << 30;

impl Desired {
    /// A wish that can be followed.
    ///
    /// # Errors
    /// Everything that does not fit, each with the attribute that is at fault.
    pub fn new(wish: Wish) -> Result<Self, Vec<Refusal>> {
        let mut faults = Vec::new();
        if wish.version.lowest().is_none() {
            let fault = super::version::VersionFault::Unknown(wish.version);
            faults.push(Refusal::Version(fault));
        }
        if wish.members.is_empty() {
            faults.push(Refusal::NoMembers);
        }
        if MOST_MEMBERS < wish.members.len() {
            faults.push(Refusal::TooManyMembers(wish.members.len()));
        }
        let all_local = wish.members.values().all(|it| it.is_local);
        let mut addresses = BTreeMap::new();
        for (name, place) in &wish.members {
            let at = place.address;
            if at.is_unspecified() || at.is_multicast() || at.is_loopback() && !all_local {
                faults.push(Refusal::Address { name: name.clone(), address: at });
            } else if let Some(other) = addresses.insert(at, name) {
                let (name, other) = (name.clone(), other.clone());
                faults.push(Refusal::SameAddress { name, other, address: at });
            }
        }
        faults.extend(wish.ports.unfit().map(Refusal::Ports));
        if wish.wal_dir.as_ref() == Some(&wish.data_dir) {
            faults.push(Refusal::WalDir);
        }
        if wish.quota == 0 || MOST_QUOTA < wish.quota {
            faults.push(Refusal::Quota(wish.quota));
        }
        let is_odd = |it: &Duration| it.subsec_nanos() != 0;
        faults.extend(wish.auto_compaction.filter(is_odd).map(Refusal::Compaction));
        for (at, fault) in wish.arguments.unknown_to(wish.version.minor) {
            faults.push(Refusal::Argument { subject: Subject::ExtraArgs(at), fault });
        }
        if faults.is_empty() { Ok(Self(wish)) } else { Err(faults) }
    }

    /// Where the member of this name is to be reached by the others.
    pub fn peer_url(&self, place: Place) -> PeerUrl {
        PeerUrl::new(place.address, self.ports.peer)
    }
}

impl Deref for Desired {
    type Target = Wish;

    fn deref(&self) -> &Wish {
        &self.0
    }
}

impl Default for Ports {
    /// Those that are registered for etcd, and the one after them.
    fn default() -> Self {
        Self { client: 2379, peer: 2380, metrics: 2381 }
    }
}

impl Ports {
    /// One that is 0 or has the number of another: rather one that somebody chose than one that was left as it is.
    fn unfit(self) -> Option<Port> {
        let all = |it: Self| {
            [(Port::Client, it.client), (Port::Peer, it.peer), (Port::Metrics, it.metrics)]
        };
        let is_unfit = |(port, number): (Port, u16)| {
            number == 0 || all(self).iter().any(|it| it.0 != port && it.1 == number)
        };
        let unfit: Vec<_> = all(self).into_iter().filter(|it| is_unfit(*it)).collect();
        let chosen = unfit.iter().find(|it| !all(Self::default()).contains(it));
        chosen.or(unfit.last()).map(|(port, _)| *port)
    }
}

impl Port {
    /// What it is called in the configuration.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Client => "client_port",
            Self::Peer => "peer_port",
            Self::Metrics => "metrics_port",
        }
    }
}

impl PeerUrl {
    /// Of an address and a port.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self(format!("https://{}", std::net::SocketAddr::new(address, port)))
    }

    /// As a list of members has it. It is only compared, so its form does not matter.
    pub fn listed(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As etcd writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::etcd::notation::wish;

    #[test]
    fn a_peer_url_has_brackets_when_it_needs_them() {
        let url = |it: &str| PeerUrl::new(it.parse().unwrap(), 2380).to_string();
        assert_eq!(url("192.0.2.1"), "https://192.0.2.1:2380");
        assert_eq!(url("2001:db8::1"), "https://[2001:db8::1]:2380");
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_with_their_attribute() {
        let check = |edit: fn(&mut Wish), expected: &[&str]| {
            let mut wish = wish("a b c", "3.6.16");
            edit(&mut wish);
            let faults = Desired::new(wish).err().unwrap_or_default();
            let found: Vec<_> = faults.iter().map(|it| format!("{}: {it}", it.subject())).collect();
            assert_eq!(found, expected);
        };
        check(|_| (), &[]);
        check(
            |it| it.members.clear(),
            &["members: a cluster has at least one member: to end it, destroy it"],
        );
        check(
            |it| it.members.values_mut().for_each(|it| it.address = [0, 0, 0, 0].into()),
            &[
                "members[\"a\"].address: 0.0.0.0 is no address by which members can reach a",
                "members[\"b\"].address: 0.0.0.0 is no address by which members can reach b",
                "members[\"c\"].address: 0.0.0.0 is no address by which members can reach c",
            ],
        );
        check(
            |it| it.members.values_mut().for_each(|it| it.address = [192, 0, 2, 1].into()),
            &[
                "members[\"b\"].address: a and b have the same address 192.0.2.1",
                "members[\"c\"].address: b and c have the same address 192.0.2.1",
            ],
        );
        check(|it| it.ports.peer = 2379, &["peer_port: the three ports differ, and none is 0"]);
        check(|it| it.ports.client = 2380, &["client_port: the three ports differ, and none is 0"]);
        check(|it| it.ports.metrics = 0, &["metrics_port: the three ports differ, and none is 0"]);
        check(
            |it| it.wal_dir = Some(it.data_dir.clone()),
            &[
                "wal_dir: wal_dir and data_dir differ: leave wal_dir out to have the log inside data_dir",
            ],
        );
        check(
            |it| it.quota = 9 << 30,
            &["quota_backend_bytes: a quota of 9663676416 bytes is not between 1 and 8589934592"],
        );
        check(
            |it| it.arguments = Arguments::new(vec!["--enable-v2=true".to_owned()]).unwrap(),
            &["extra_args[0]: etcd 3.6 has no flag --enable-v2 that can be passed on"],
        );
        check(
            |it| it.version = Version::new(4, 30),
            &["version: etcd 3.4.30 cannot be managed: this provider knows 3.5, 3.6 and 3.7"],
        );
        check(
            |it| {
                for at in 0..5 {
                    let place = Place { address: [192, 0, 2, 50 + at].into(), is_local: false };
                    it.members.insert(format!("x{at}").parse().unwrap(), place);
                }
            },
            &[
                "members: 8 members are more than 7, and more make a cluster slower and no safer: take some out of the map",
            ],
        );
    }

    #[test]
    fn loopback_is_for_local_hosts_alone() {
        let mut wish = wish("a", "3.6.16");
        let local = |is_local| Place { address: [127, 0, 0, 1].into(), is_local };
        *wish.members.values_mut().next().unwrap() = local(false);
        assert!(Desired::new(wish.clone()).is_err());
        *wish.members.values_mut().next().unwrap() = local(true);
        assert!(Desired::new(wish).is_ok());
    }
}

//! What a host remembers of its member beside its record: the journal that the planner reads.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha1::{Digest as _, Sha1};

use super::site::Site;
use crate::actions::notes::Journal;
use crate::domain::etcd::restore::Begun;
use crate::domain::etcd::{ClusterId, Data, MemberId, Name, PeerUrl, Token, Version};

/// Written before each change is asked for, for a lost answer must not hide what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notes {
    /// One for all hosts of one incarnation of the cluster.
    pub(super) token: Option<String>,
    /// Whose data the member has, or will have.
    pub(super) cluster: Option<u64>,
    pub(super) member: Option<u64>,
    /// A quorum was seen.
    pub(super) is_formed: bool,
    pub(super) voters: BTreeSet<u64>,
    /// By which address the others were told to find it.
    pub(super) told: Option<IpAddr>,
    pub(super) started: Option<Started>,
    /// Of the last restore that came to its end.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) generation: u64,
    /// The highest that was seen then.
    #[serde(skip_serializing_if = "is_none")]
    pub(super) revision: u64,
    /// A restore that has not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) restoring: Option<Restoring>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What a restore brings to this host, and whether it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restoring {
    generation: u64,
    source: String,
    token: String,
    digest: String,
    size: u64,
    bump: u64,
    cluster: u64,
    pub(super) has_file: bool,
}

impl Restoring {
    pub(super) fn new(begun: &Begun, has_file: bool) -> Self {
        Self {
            generation: begun.generation,
            source: begun.source.clone(),
            token: begun.token.0.clone(),
            digest: begun.digest.clone(),
            size: begun.size,
            bump: begun.bump,
            cluster: begun.cluster.0,
            has_file,
        }
    }

    pub(super) fn begun(&self) -> Begun {
        Begun {
            generation: self.generation,
            source: self.source.clone(),
            token: Token(self.token.clone()),
            digest: self.digest.clone(),
            size: self.size,
            bump: self.bump,
            cluster: ClusterId(self.cluster),
        }
    }
}

/// What the process was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Started {
    pub(super) version: String,
    pub(super) address: IpAddr,
    pub(super) stamp: String,
}

impl Journal for Notes {}

impl Notes {
    pub(super) fn token(&self) -> Option<Token> {
        self.token.clone().map(Token)
    }

    /// Whose data lies there, given that there is some. What nobody has noted belongs to nobody of us.
    pub(super) fn data(&self) -> Data {
        let [cluster, member] = [self.cluster, self.member].map(Option::unwrap_or_default);
        Data { cluster: ClusterId(cluster), member: MemberId(member) }
    }

    pub(super) fn start(&mut self, site: &Site, version: Version, stamp: String) {
        let (version, address) = (version.to_string(), site.place.address);
        self.started = Some(Started { version, address, stamp });
    }

    /// The data is not there any more.
    pub(super) fn forget_data(&mut self) {
        (self.cluster, self.member, self.is_formed) = (None, None, false);
        (self.started, self.told) = (None, None);
    }
}

/// The ids that the first start of a cluster gives: they follow from the token and the peer URLs
/// (`computeMemberID` and `genID` in etcd's `membership`).
pub(super) fn first_ids(
    token: &str,
    seeds: &BTreeMap<Name, PeerUrl>,
) -> (ClusterId, BTreeMap<Name, MemberId>) {
    let first_eight = |digest: &[u8]| {
        digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte))
    };
    let member = |url: &PeerUrl| first_eight(&Sha1::digest(format!("{url}{token}")));
    let members: BTreeMap<_, _> =
        seeds.iter().map(|(name, url)| (name.clone(), MemberId(member(url)))).collect();
    let sorted: BTreeSet<_> = members.values().map(|it| it.0).collect();
    let all: Vec<u8> = sorted.into_iter().flat_map(u64::to_be_bytes).collect();
    (ClusterId(first_eight(&Sha1::digest(all))), members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::Claim;
    use crate::host::messages;

    #[test]
    fn the_ids_of_a_first_start_are_those_that_etcd_gives() {
        // As etcd 3.6.16 with `--name=default`, its default peer URL and its default token.
        let url = PeerUrl::listed("http://localhost:2380");
        let seeds = BTreeMap::from([("default".parse().unwrap(), url)]);
        let (cluster, members) = first_ids("etcd-cluster", &seeds);
        assert_eq!(cluster.to_string(), "cdf818194e3a8c32");
        assert_eq!(members.values().next().unwrap().to_string(), "8e9e05c52164694d");
    }

    #[test]
    fn notes_that_cannot_be_read_are_no_absence() {
        let claim = Claim {
            kind: "etcd_cluster".to_owned(),
            name: "prod".to_owned(),
            id: None,
            given: None,
        };
        let stored = |format, content: &str| messages::Record {
            name: "etcd_cluster-prod.notes".to_owned(),
            format,
            content: content.to_owned().into(),
        };
        assert_eq!(Notes::of(&[], &claim), Some(Notes::default()));
        let one = Notes { token: Some("1".to_owned()), ..Notes::default() };
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(Notes::of(&[stored(1, &text)], &claim), Some(one));
        assert_eq!(Notes::of(&[stored(2, &text)], &claim), None);
        assert_eq!(Notes::of(&[stored(1, "{")], &claim), None);
    }
}

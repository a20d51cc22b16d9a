//! The first start of a cluster, on hosts that have all been looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::{Desired, Name, PeerUrl};
use super::observed::{Certificates, Facts, Observed, Owner, Settings, Unit};
use super::refusal::Refusal;
use super::steps::Step;
use super::version::Version;
use crate::domain::Next;

/// Claim, certify, prepare, start together. Before a quorum was seen nothing that was written can have been
/// acknowledged to anybody, so what an earlier try left is cleaned rather than mended.
pub(super) fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    let names = desired.members.keys();
    let facts = |it: &Name| observed.hosts.get(it).and_then(super::observed::Host::seen);
    let unseen: Vec<_> = names.clone().filter(|it| facts(it).is_none()).cloned().collect();
    if !unseen.is_empty() {
        return Next::Refuse(Refusal::Unseen(unseen));
    }
    let size = desired.members.len();
    if size.is_multiple_of(2) {
        return Next::Refuse(Refusal::EvenStart(size));
    }
    if let Err(fault) = desired.version.check_new() {
        return Next::Refuse(Refusal::Version(fault));
    }
    let hosts: Vec<_> = names.filter_map(|it| Some((it, facts(it)?))).collect();
    if let Some(refusal) = too_small(&hosts, desired) {
        return Next::Refuse(refusal);
    }
    let seeds: BTreeMap<Name, PeerUrl> =
        desired.members.iter().map(|(name, at)| (name.clone(), desired.peer_url(*at))).collect();
    if let Some(step) = discard(&hosts, &seeds) {
        return Next::Act(step);
    }
    if let Some(step) = outfit(&hosts, desired.version, Some(&seeds)) {
        return Next::Act(step);
    }
    let down = names_of(&hosts, |it| it.unit.is_down());
    if !down.is_empty() {
        return Next::Act(Step::Bootstrap { hosts: down });
    }
    if let Some((name, _)) = hosts.iter().find(|(_, it)| it.unit == Unit::Stuck) {
        return Next::Act(Step::Restart { host: (*name).clone() });
    }
    Next::Wait("the first members to find each other".to_owned())
}

/// A host on which the data would not fit into memory. Members that run are not judged, for they may have to be mended.
pub(super) fn too_small(hosts: &[(&Name, &Facts)], desired: &Desired) -> Option<Refusal> {
    let quota = desired.quota;
    hosts.iter().find_map(|(name, facts)| {
        let memory = facts.memory.filter(|it| *it <= quota)?;
        Some(Refusal::Memory { name: (*name).clone(), memory, quota })
    })
}

/// Cleans what was made for other members, or by more than one try.
fn discard(hosts: &[(&Name, &Facts)], seeds: &BTreeMap<Name, PeerUrl>) -> Option<Step> {
    let tokens: BTreeSet<_> = hosts.iter().filter_map(|(_, it)| it.token.as_ref()).collect();
    let clusters: BTreeSet<_> =
        hosts.iter().filter_map(|(_, it)| it.data).map(|it| it.cluster).collect();
    let is_other = |it: &Facts| match &it.seeds {
        Some(found) => found != seeds,
        None => it.data.is_some(),
    };
    let is_mixed = 1 < tokens.len() || 1 < clusters.len();
    if !is_mixed && !hosts.iter().any(|(_, it)| is_other(it)) {
        return None;
    }
    // All of them: the next try gets a token that no process has heard of.
    Some(Step::Discard { hosts: names_of(hosts, Facts::is_ours) })
}

/// What hosts need before a member can start there; the same for first members and for later ones.
pub(super) fn outfit(
    hosts: &[(&Name, &Facts)],
    version: Version,
    seeds: Option<&BTreeMap<Name, PeerUrl>>,
) -> Option<Step> {
    let nobodys = names_of(hosts, |it| it.owner == Owner::Nobody);
    if !nobodys.is_empty() {
        return Some(Step::Claim { hosts: nobodys });
    }
    let bare =
        names_of(hosts, |it| !matches!(it.certificates, Certificates::Good | Certificates::Due));
    if !bare.is_empty() {
        return Some(Step::Certify { hosts: bare });
    }
    let unstaged = names_of(hosts, |it| !it.staged.contains(&version));
    if !unstaged.is_empty() {
        return Some(Step::Stage { hosts: unstaged, version });
    }
    let unprepared =
        names_of(hosts, |it| !is_wish(it.on_disk, version) || it.seeds.as_ref() != seeds);
    (!unprepared.is_empty()).then_some(Step::Prepare { hosts: unprepared, version })
}

/// Whether there are settings, and they are what is wished for this version.
pub(super) fn is_wish(settings: Option<Settings>, version: Version) -> bool {
    settings.is_some_and(|it| it.is_wish(version))
}

/// The names of the hosts of which this is true.
pub(super) fn names_of(hosts: &[(&Name, &Facts)], is_it: impl Fn(&Facts) -> bool) -> Vec<Name> {
    hosts.iter().filter(|(_, it)| is_it(it)).map(|(name, _)| (*name).clone()).collect()
}

//! Members that have to be replaced though nobody edited anything: what the last look found, for plans to tell of.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::actions::etcd::Look;
use crate::domain::etcd::{Concern, MemberId, Name, Observed, are_replaceable};

/// What was found, by the keys of the members.
pub(super) type Found = BTreeMap<String, Ill>;

/// What is wrong with the data of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ill {
    /// The machine behind its key answers, and holds no data.
    Blank,
    /// Its data differs from that of the others.
    Corrupt,
}

impl Ill {
    /// What an apply would mend.
    fn drift(self, key: &str) -> String {
        match self {
            Self::Blank => format!("{key}: the data of the member is not there"),
            Self::Corrupt => {
                format!("{key}: the data of the member differs from that of the others (CORRUPT)")
            }
        }
    }
}

/// What these looks tell; of hosts that were not seen it stays as it was. `is_member` knows the keys of the state.
pub(super) fn found(
    before: &Found,
    looks: &BTreeMap<String, Look>,
    corrupt: &BTreeSet<MemberId>,
    is_member: impl Fn(&str) -> bool,
) -> Found {
    let ill = |(key, look): (&String, &Look)| {
        let is_corrupt = look.member().is_some_and(|it| corrupt.contains(&it));
        let ill = match () {
            () if look.is_blank() => Ill::Blank,
            () if is_corrupt => Ill::Corrupt,
            () => return None,
        };
        Some((key.clone(), ill))
    };
    let unseen = before.iter().filter(|(key, _)| !looks.contains_key(*key));
    let unseen = unseen.map(|(key, ill)| (key.clone(), *ill));
    let now = looks.iter().filter_map(ill);
    unseen.chain(now).filter(|(key, _)| is_member(key)).collect()
}

/// The members whose data differs, by the last list of alarms.
pub(super) fn corrupt(observed: Option<&Observed>) -> BTreeSet<MemberId> {
    let alarms = observed.and_then(|it| it.cluster.as_ref()).into_iter().flat_map(|it| &it.alarms);
    let corrupt = alarms.filter(|(_, it)| *it == crate::domain::etcd::Alarm::Corrupt);
    corrupt.map(|(id, _)| *id).collect()
}

/// Whether an apply can replace them all, as far as a look can tell.
pub(super) fn are_mendable(found: &Found, members: usize) -> bool {
    let blank = found.values().filter(|it| **it == Ill::Blank).count();
    are_replaceable(blank, members) || found.is_empty()
}

/// What an apply would mend, or why it would not.
pub(super) fn told(found: &Found, members: usize) -> (Vec<String>, Option<Concern>) {
    if are_mendable(found, members) {
        return (found.iter().map(|(key, it)| it.drift(key)).collect(), None);
    }
    let blank = found.iter().filter(|(_, it)| **it == Ill::Blank);
    let names: Vec<Name> = blank.filter_map(|(key, _)| key.parse().ok()).collect();
    (Vec::new(), (!names.is_empty()).then_some(Concern::Lost(names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mended_is_no_drift() {
        let check = |ill: &[(&str, Ill)], members, drift: &[&str], concern: &str| {
            let found = ill.iter().map(|(key, it)| ((*key).to_owned(), *it)).collect();
            let (told, why) = told(&found, members);
            assert_eq!(told, drift);
            assert_eq!(why.map(|it| it.to_string()).unwrap_or_default(), concern);
        };
        check(&[], 1, &[], "");
        let lost = "c: the data of the member is not there";
        check(&[("c", Ill::Blank)], 3, &[lost], "");
        check(
            &[("a", Ill::Corrupt), ("c", Ill::Blank)],
            3,
            &["a: the data of the member differs from that of the others (CORRUPT)", lost],
            "",
        );
        check(
            &[("b", Ill::Blank), ("c", Ill::Blank)],
            3,
            &[],
            "the data of b, c is not there, and the other members are no quorum: bring the data back, or restore a snapshot",
        );
        check(
            &[("a", Ill::Blank)],
            1,
            &[],
            "the data of a is not there, and the other members are no quorum: bring the data back, or restore a snapshot",
        );
        check(&[("a", Ill::Corrupt)], 1, &[], "");
    }
}

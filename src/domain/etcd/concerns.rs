//! What a look without a quorum tells that no apply mends by itself: not drift, but something to know.

use std::collections::BTreeMap;
use std::fmt;

use super::desired::{Desired, Name};
use super::observed::quorum;
use super::version::Version;
use super::warnings::REMEDY;
use crate::domain::name::List;

/// What a host told of its member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saying {
    /// What the member says is wrong with it, in etcd's words. None: nothing, or it does not answer.
    pub ailment: Option<String>,
    /// What was started there.
    pub version: Option<Version>,
}

/// Something to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// These members have no leader, or cannot read.
    NoQuorum(Vec<Name>),
    /// The quota is used up.
    NoSpace,
    /// Data of a member differs from that of the others, and nobody tells which, or it cannot be replaced.
    Corrupt,
    /// The data of these members is gone, and the others are too few to replace them.
    Lost(Vec<Name>),
    /// It is never taken back.
    Newer {
        /// Where.
        name: Name,
        /// What runs there.
        found: Version,
        /// What is wished.
        wished: Version,
    },
}

/// Everything to know, the gravest first. The words are those of `checkHealth` in
/// `server/etcdserver/api/etcdhttp/health.go`; an alarm hides what it would say otherwise.
pub fn concerns(desired: &Desired, said: &BTreeMap<Name, Saying>) -> Vec<Concern> {
    let ailing = |words: &str| -> Vec<Name> {
        let says = |it: &Saying| it.ailment.as_deref().is_some_and(|text| text.contains(words));
        said.iter().filter(|(_, it)| says(it)).map(|(name, _)| name.clone()).collect()
    };
    let mut lost = ailing("NO LEADER");
    lost.extend(ailing("QGET"));
    let mut found = Vec::new();
    if !lost.is_empty() {
        found.push(Concern::NoQuorum(lost));
    }
    if !ailing("NOSPACE").is_empty() {
        found.push(Concern::NoSpace);
    }
    if !ailing("CORRUPT").is_empty() {
        found.push(Concern::Corrupt);
    }
    let wished = desired.version;
    found.extend(said.iter().filter_map(|(name, saying)| {
        let found = saying.version.filter(|it| wished < *it)?;
        Some(Concern::Newer { name: name.clone(), found, wished })
    }));
    found
}

/// Whether members whose data is gone can be replaced one after the other, when all others of `voters` serve: the first of
/// them must be bearable among those that then have a vote.
pub fn are_replaceable(lost: usize, voters: usize) -> bool {
    let serving = voters.saturating_sub(lost);
    1 < voters && quorum(voters - 1) <= serving
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoQuorum(names) => write!(
                f,
                "{} cannot serve, for there is no quorum: bring hosts and members back, or restore; an apply starts members that are down, and changes nothing else",
                List(names)
            ),
            Self::NoSpace => write!(f, "the quota is used up, and writes are refused: {REMEDY}"),
            Self::Corrupt => f.write_str(
                "the data of a member differs from that of the others (CORRUPT), and writes are refused: an apply replaces that member where others hold the data, otherwise restore a snapshot",
            ),
            Self::Lost(names) => write!(
                f,
                "the data of {} is not there, and the other members are no quorum: bring the data back, or restore a snapshot",
                List(names)
            ),
            Self::Newer { name, found, wished } => write!(
                f,
                "{name} runs etcd {found}, and {wished} is wished: it is not taken back, so raise `version`, or restore a snapshot"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::etcd::notation::wish;

    #[test]
    fn what_members_say_is_told_once_with_its_way_out() {
        let desired = Desired::new(wish("a b c", "3.6.16")).unwrap();
        let check = |said: &[(&str, &str, &str)], expected: &[&str]| {
            let saying = |(name, ailment, version): &(&str, &str, &str)| {
                let ailment = (!ailment.is_empty()).then(|| (*ailment).to_owned());
                (name.parse().unwrap(), Saying { ailment, version: version.parse().ok() })
            };
            let found = concerns(&desired, &said.iter().map(saying).collect());
            let texts: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(texts.len(), expected.len(), "{texts:?}");
            for (text, begin) in texts.iter().zip(expected) {
                assert!(text.starts_with(begin), "{text}");
            }
        };
        check(&[("a", "", "3.6.16"), ("b", "", "3.6.14")], &[]);
        check(
            &[("a", "RAFT NO LEADER", ""), ("b", "QGET ERROR:timeout", ""), ("c", "", "")],
            &["a, b cannot serve, for there is no quorum"],
        );
        check(
            &[("a", "ALARM NOSPACE", ""), ("b", "ALARM NOSPACE", ""), ("c", "ALARM CORRUPT", "")],
            &["the quota is used up, and writes are refused: compact", "the data of a member"],
        );
        check(&[("b", "", "3.7.3")], &["b runs etcd 3.7.3, and 3.6.16 is wished"]);
    }

    #[test]
    fn lost_data_is_replaced_where_the_others_are_a_quorum() {
        let check = |voters, most| {
            let found = (0..=voters).rev().find(|it| are_replaceable(*it, voters));
            assert_eq!(found, most, "of {voters}");
        };
        check(1, None);
        check(2, Some(1));
        check(3, Some(1));
        check(4, Some(2));
        check(5, Some(2));
        check(7, Some(3));
    }
}

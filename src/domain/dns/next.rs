//! What is to be done about one record set.
//!
//! There is no step that adds a record to a set: a set is created whole where there is none, replaced whole, or removed
//! whole. So nothing is ever merged into what somebody else has put there.

use std::collections::BTreeSet;
use std::fmt;

use super::{Data, Name, Records};

/// What is wanted of a record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The set; `None` when there is to be none.
    pub records: Option<Records>,
    /// What the set held when it was last seen as ours; `None` when it never was.
    pub owned: Option<BTreeSet<Data>>,
    /// Whether a set of somebody else may be replaced.
    pub adopts: bool,
}

/// What a server that answers for the zone says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// There is no such set.
    Absent,
    /// The set.
    Present(Records),
    /// The name is an alias of another one, so that it cannot have records of other types.
    Alias(Name),
    /// The name has records of other types, so that it cannot be an alias.
    Occupied,
}

/// One message to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Create the set, unless there is one.
    Create,
    /// Replace the set, if it holds what was seen.
    Replace,
    /// Remove the set, if it holds what was seen.
    Remove,
}

/// Why nothing is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A set that was never ours.
    #[error("it exists already, and holds {0}")]
    Foreign(Records),
    /// Ours, until somebody changed it.
    #[error("somebody else has changed it meanwhile: it holds {0}")]
    Changed(Records),
    /// An alias.
    #[error("the name is an alias (CNAME) of {0}, and an alias stands alone")]
    Alias(Name),
    /// No alias.
    #[error("the name has records of other types, and an alias (CNAME) stands alone")]
    Occupied,
}

/// The next message; none when all is as desired. A time to live that somebody changed is mended, and never a reason to
/// refuse.
///
/// # Errors
/// Nothing must be done.
pub fn next(desired: &Desired, observed: &Observed) -> Result<Option<Step>, Refusal> {
    match (observed, &desired.records) {
        // What was ours is gone, and what may stand there instead is not ours to remove.
        (Observed::Absent | Observed::Alias(_) | Observed::Occupied, None) => Ok(None),
        (Observed::Absent, Some(_)) => Ok(Some(Step::Create)),
        (Observed::Present(seen), Some(wanted)) if seen == wanted => Ok(None),
        (Observed::Present(seen), wanted) => {
            let step = if wanted.is_some() { Step::Replace } else { Step::Remove };
            match &desired.owned {
                Some(owned) if *owned == seen.data => Ok(Some(step)),
                // Another run of ours may have come this far.
                Some(_) if wanted.as_ref().is_some_and(|it| it.data == seen.data) => Ok(Some(step)),
                _ if desired.adopts && wanted.is_some() => Ok(Some(step)),
                Some(_) => Err(Refusal::Changed(seen.clone())),
                None => Err(Refusal::Foreign(seen.clone())),
            }
        }
        (Observed::Alias(name), Some(_)) => Err(Refusal::Alias(name.clone())),
        (Observed::Occupied, Some(_)) => Err(Refusal::Occupied),
    }
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such record set"),
            Self::Present(records) => records.fmt(f),
            Self::Alias(name) => write!(f, "an alias of {name}"),
            Self::Occupied => f.write_str("records of other types"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create the record set",
            Self::Replace => "replace the record set",
            Self::Remove => "remove the record set",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dns::Type;

    /// `1 2/30`: addresses by their last number, and the time to live; `-` is none.
    fn records(text: &str) -> Option<Records> {
        let (data, ttl) = text.split_once('/')?;
        let one = |it: &str| Data::parse(Type::A, &format!("10.0.0.{it}")).unwrap();
        Some(Records { ttl: ttl.parse().unwrap(), data: data.split(' ').map(one).collect() })
    }

    fn observed(text: &str) -> Observed {
        match text {
            "-" => Observed::Absent,
            "alias" => Observed::Alias("web.example.test".parse().unwrap()),
            "occupied" => Observed::Occupied,
            text => Observed::Present(records(text).unwrap()),
        }
    }

    fn check(wanted: &str, owned: &str, seen: &str, adopts: bool, said: &str) {
        let owned = records(owned).map(|it| it.data);
        let desired = Desired { records: records(wanted), owned, adopts };
        let next = match next(&desired, &observed(seen)) {
            Ok(None) => "done".to_owned(),
            Ok(Some(step)) => step.to_string().replace(" the record set", ""),
            Err(refusal) => format!("refuse: {refusal}"),
        };
        assert!(
            next.starts_with(said),
            "{wanted} from {owned:?} at {seen}: {next}",
            owned = desired.owned
        );
    }

    #[test]
    fn a_set_is_created_only_where_there_is_none() {
        check("1/30", "-", "-", false, "create");
        check("1/30", "-", "1/30", false, "done");
        check("1/30", "-", "2/30", false, "refuse: it exists already, and holds 10.0.0.2 for 30 s");
        check("1/30", "-", "1 2/30", false, "refuse: it exists already");
        check("1/30", "-", "1/60", false, "refuse: it exists already");
        check("1/30", "-", "2/60", true, "replace");
    }

    #[test]
    fn a_set_of_ours_is_replaced_whole() {
        check("1/30", "2/30", "2/30", false, "replace");
        check("1/30", "2/30", "2/99", false, "replace");
        check("1/60", "1/30", "1/30", false, "replace");
        check("1/30", "2/30", "1/30", false, "done");
        check("1/30", "2/30", "-", false, "create");
        // An update of which only the records got there is finished.
        check("1/60", "2/30", "1/30", false, "replace");
        check("1/30", "2/30", "3/30", false, "refuse: somebody else has changed it meanwhile");
        check("1/30", "2/30", "1 2/30", false, "refuse: somebody else has changed it meanwhile");
        check("1/30", "2/30", "3/30", true, "replace");
    }

    #[test]
    fn a_set_is_removed_only_if_it_is_ours() {
        check("-", "1/30", "1/30", false, "remove");
        check("-", "1/30", "1/99", false, "remove");
        check("-", "1/30", "-", false, "done");
        check("-", "1/30", "2/30", false, "refuse: somebody else has changed it meanwhile");
        check("-", "1/30", "2/30", true, "refuse: somebody else has changed it meanwhile");
        check("-", "1/30", "alias", false, "done");
    }

    #[test]
    fn an_alias_stands_alone() {
        check(
            "1/30",
            "-",
            "alias",
            true,
            "refuse: the name is an alias (CNAME) of web.example.test",
        );
        check("1/30", "1/30", "alias", false, "refuse: the name is an alias");
        check("1/30", "-", "occupied", true, "refuse: the name has records of other types");
    }

    #[test]
    fn every_step_leads_to_the_end_or_to_a_refusal() {
        for wanted in ["-", "1/30", "1 2/60"] {
            for owned in ["-", "1/30", "3/30"] {
                for seen in ["-", "1/30", "1/60", "1 2/60", "3/30"] {
                    for adopts in [false, true] {
                        let owned = records(owned).map(|it| it.data);
                        let desired = Desired { records: records(wanted), owned, adopts };
                        let Ok(Some(step)) = next(&desired, &observed(seen)) else { continue };
                        let after = match step {
                            Step::Remove => Observed::Absent,
                            Step::Create | Step::Replace => {
                                Observed::Present(desired.records.clone().unwrap())
                            }
                        };
                        assert_eq!(next(&desired, &after), Ok(None), "{desired:?} {seen}");
                    }
                }
            }
        }
    }
}

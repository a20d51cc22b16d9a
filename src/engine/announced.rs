//! What the plan has told the user that apply may destroy.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::{Kind, Step};

/// The destructive kinds that a plan announced, each with the hosts that it announced it for. Travels in the private
/// data of the plan; a kind that this version does not know is refused there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Announced(BTreeMap<Kind, BTreeSet<String>>);

impl Announced {
    /// What these steps destroy.
    pub fn by<S: Step>(steps: &[S]) -> Self {
        let mut announced = Self::default();
        for step in steps.iter().filter(|it| it.kind().is_destructive()) {
            announced.add(step.kind(), step.hosts());
        }
        announced
    }

    /// Each of these kinds for each of these hosts.
    pub fn each<'a>(kinds: &[Kind], hosts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut announced = Self::default();
        for host in hosts {
            for kind in kinds {
                announced.add(*kind, [host]);
            }
        }
        announced
    }

    /// Announces one kind for these hosts, beside what there is.
    pub fn add<'a>(&mut self, kind: Kind, hosts: impl IntoIterator<Item = &'a str>) {
        self.0.entry(kind).or_default().extend(hosts.into_iter().map(str::to_owned));
    }

    /// Whether the step may be done: it destroys nothing, or was announced for every host that it changes.
    pub fn allows(&self, step: &impl Step) -> bool {
        let announced = || self.0.get(&step.kind());
        !step.kind().is_destructive()
            || announced().is_some_and(|them| step.hosts().iter().all(|it| them.contains(*it)))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;
    use crate::engine::fake::Step::{Join, Remove, Start};

    #[test]
    fn a_removal_is_allowed_only_where_it_was_announced() {
        let announced = Announced::by(&[Join("d".into()), Remove("c".into())]);
        assert!(announced.allows(&Remove("c".into())));
        assert!(!announced.allows(&Remove("a".into())));
        assert!(!Announced::default().allows(&Remove("c".into())));
        assert!(Announced::default().allows(&Start("a".into())));
    }

    #[derive(Clone, PartialEq)]
    struct RestoreOn(Vec<&'static str>);

    impl Step for RestoreOn {
        fn kind(&self) -> Kind {
            Kind::Restore
        }

        fn hosts(&self) -> Vec<&str> {
            self.0.clone()
        }
    }

    impl fmt::Display for RestoreOn {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("restore")
        }
    }

    #[test]
    fn every_host_of_a_step_must_have_been_announced() {
        let announced = Announced::by(&[RestoreOn(vec!["a", "b"])]);
        let check = |hosts, allowed| {
            assert_eq!(announced.allows(&RestoreOn(hosts)), allowed);
        };
        check(vec!["a"], true);
        check(vec!["b", "a"], true);
        check(vec!["a", "c"], false);
        // A step that changes no host in particular needs its kind alone.
        check(vec![], true);
        assert!(!Announced::default().allows(&RestoreOn(vec![])));
    }

    #[test]
    fn it_travels_as_text() {
        let mut announced = Announced::by(&[Join("d".into()), Remove("c".into())]);
        announced.add(Kind::Restore, []);
        let text = serde_json::to_string(&announced).unwrap();
        assert_eq!(text, r#"{"remove":["c"],"restore":[]}"#);
        assert_eq!(serde_json::from_str::<Announced>(&text).unwrap(), announced);
        assert!(serde_json::from_str::<Announced>(r#"{"melt":[]}"#).is_err());
    }
}

//! What a host remembers of its node beside its record: the journal that the planner reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::actions::notes::Journal;
use crate::domain::kubernetes::{Component, Version};

/// Written before each change is asked for, for a lost answer must not hide what was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Notes {
    /// An API server was to be started there.
    pub(super) is_begun: bool,
    /// What was there before the last change of settings, until that has served.
    pub(super) previous: Option<Previous>,
    /// What each process was started with, by the name of its program.
    pub(super) started: BTreeMap<String, Started>,
}

/// What lies among the files that were kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    /// Of the API server.
    pub(super) version: String,
    /// Of the files of each component, as [`Started::stamp`], by the name of its program.
    pub(super) parts: BTreeMap<String, Started>,
    /// What came after it has served: nobody needs them any more, and they may be gone already.
    #[serde(default)]
    pub(super) is_over: bool,
}

/// Program and files of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Started {
    pub(super) version: String,
    /// Stands for unit and files.
    pub(super) stamp: String,
}

impl Journal for Notes {}

impl Notes {
    pub(super) fn started(&self, component: Component) -> Option<&Started> {
        self.started.get(component.program())
    }

    pub(super) fn start(&mut self, component: Component, started: Option<Started>) {
        match started {
            Some(it) => drop(self.started.insert(component.program().to_owned(), it)),
            None => drop(self.started.remove(component.program())),
        }
    }

    /// The version that could be put back.
    pub(super) fn previous(&self) -> Option<Version> {
        self.previous.as_ref()?.version.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::record::Claim;
    use crate::host::messages;

    #[test]
    fn notes_that_cannot_be_read_are_no_absence() {
        let claim = Claim {
            kind: "control_plane".to_owned(),
            name: "prod".to_owned(),
            id: None,
            given: None,
        };
        let stored = |format, content: &str| messages::Record {
            name: "control_plane-prod.notes".to_owned(),
            format,
            content: content.to_owned().into(),
        };
        assert_eq!(Notes::of(&[], &claim), Some(Notes::default()));
        let mut one = Notes { is_begun: true, ..Notes::default() };
        let started = Started { version: "1.34.4".to_owned(), stamp: "ab".to_owned() };
        one.start(Component::Scheduler, Some(started.clone()));
        let parts = BTreeMap::from([("kube-scheduler".to_owned(), started)]);
        one.previous = Some(Previous { version: "1.34.4".to_owned(), parts, is_over: false });
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(Notes::of(&[stored(1, &text)], &claim), Some(one));
        assert_eq!(Notes::of(&[stored(2, &text)], &claim), None);
        assert_eq!(Notes::of(&[stored(1, "{")], &claim), None);
    }
}

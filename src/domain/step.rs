//! What a planner answers, and what all steps have in common.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a planner wants to happen, after one look at everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<S, R> {
    /// All is as desired.
    Done,
    /// Do this one thing, then look again.
    Act(S),
    /// Nothing can be done until this has come about by itself: "b to become healthy".
    Wait(String),
    /// It must not go on.
    Refuse(R),
}

/// One thing to do: plain data whose text says what it does, in the imperative: "restart etcd on b".
pub trait Step: fmt::Display + Clone + PartialEq + Send + Sync {
    /// What it means to those who use the cluster.
    fn kind(&self) -> Kind;

    /// The hosts that it changes, by the names that the user gave them. Empty when it changes none in particular.
    fn hosts(&self) -> Vec<&str>;
}

/// What a step means to those who use the cluster, from harmless to grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing that runs notices: files, packages, reloads.
    Prepare,
    /// Something new takes part.
    Join,
    /// Something that runs is away for a moment.
    Restart,
    /// Something that took part does not any more.
    Remove,
    /// Data is put where nothing reads it any more.
    MoveAside,
    /// Older data takes the place of newer.
    Restore,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: &[Self] =
        &[Self::Prepare, Self::Join, Self::Restart, Self::Remove, Self::MoveAside, Self::Restore];

    /// Whether it is done only if the plan has announced it.
    pub fn is_destructive(self) -> bool {
        match self {
            Self::Prepare | Self::Join | Self::Restart => false,
            Self::Remove | Self::MoveAside | Self::Restore => true,
        }
    }

    /// Whether a user wants to read of it before it happens.
    pub fn is_notable(self) -> bool {
        self != Self::Prepare
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "preparation",
            Self::Join => "join",
            Self::Restart => "restart",
            Self::Remove => "removal",
            Self::MoveAside => "move-aside",
            Self::Restore => "restore",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_destructive_is_notable_too() {
        let texts: Vec<_> = Kind::ALL
            .iter()
            .map(|it| format!("{it} {} {}", it.is_notable(), it.is_destructive()))
            .collect();
        assert_eq!(
            texts,
            [
                "preparation false false",
                "join true false",
                "restart true false",
                "removal true true",
                "move-aside true true",
                "restore true true",
            ]
        );
        assert!(Kind::ALL.is_sorted());
    }
}

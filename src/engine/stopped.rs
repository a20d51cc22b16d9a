//! Why a run ended before all was as planned.

use std::error::Error;

use super::preflight::Unfit;
use crate::domain::Kind;
use crate::host::HostError;

/// Why a run ended early. What it had reached until then is in [`super::Converged`].
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The planner refuses to go on. The source is the `Refusal` of the world.
    #[error("it is not safe to go on")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Another run is at work on one of the hosts, or has been since this one began.
    #[error("another run is at work")]
    Locked(#[source] HostError),
    /// Hosts are not fit for it, each with a reason. Nothing was changed.
    #[error("{}", told(.0))]
    Unfit(Vec<(String, Unfit)>),
    /// A step failed, or could not be made to run.
    #[error("cannot {step}")]
    Host {
        /// What was to be done.
        step: String,
        /// How it failed, the last time.
        source: HostError,
    },
    /// What is there could not be seen.
    #[error("cannot look at the hosts")]
    Unseen(#[source] HostError),
    /// A step succeeded, and is needed still or again. Doing it once more would not help.
    #[error("it did not help to {step}: it succeeded{}, and it is needed again", how_often(*times))]
    NoEffect {
        /// What was done.
        step: String,
        /// How often this run has done it.
        times: usize,
    },
    /// The time limit passed.
    #[error("the time limit passed, waiting for {waiting_for}")]
    TimedOut {
        /// What did not come about.
        waiting_for: String,
    },
    /// The run was asked to stop.
    #[error("it was stopped {}", whereabouts(after.as_deref()))]
    Cancelled {
        /// The last step that was done.
        after: Option<String>,
    },
    /// A step would destroy what the plan did not tell of.
    #[error("the plan announced no {kind}, and it is necessary to {step}: plan again")]
    NotAnnounced {
        /// What would be done.
        step: String,
        /// What that means.
        kind: Kind,
    },
}

impl Stopped {
    /// Why the planner refuses to go on, if it does and its refusals are of this type.
    pub fn refusal<R: Error + 'static>(&self) -> Option<&R> {
        match self {
            Self::Refused(refusal) => refusal.downcast_ref(),
            _ => None,
        }
    }
}

fn told(unfit: &[(String, Unfit)]) -> String {
    let told: Vec<_> = unfit.iter().map(|(key, it)| format!("{key} is not fit: {it}")).collect();
    told.join("; ")
}

fn how_often(times: usize) -> String {
    if times == 1 { String::new() } else { format!(" {times} times") }
}

fn whereabouts(after: Option<&str>) -> String {
    after.map_or("before its first step".to_owned(), |step| format!("after this step: {step}"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::iter::successors;

    use super::*;

    fn check(stopped: &Stopped, chain: &[&str]) {
        let texts: Vec<_> = successors(Some(stopped as &dyn Error), |it| (*it).source())
            .map(ToString::to_string)
            .collect();
        assert_eq!(texts, chain);
    }

    fn unreachable() -> HostError {
        let source = io::Error::other("no route to host").into();
        HostError::Unreachable { host: "b".parse().unwrap(), source }
    }

    #[test]
    fn the_whole_chain_is_told_without_saying_anything_twice() {
        let step = || "restart b".to_owned();
        check(
            &Stopped::Refused(io::Error::other("1 of 3 members is healthy, 2 are needed").into()),
            &["it is not safe to go on", "1 of 3 members is healthy, 2 are needed"],
        );
        check(
            &Stopped::Unfit(vec![
                ("a".to_owned(), Unfit::NoMachine),
                ("b".to_owned(), Unfit::SameMachine("a".to_owned())),
            ]),
            &["a is not fit: it has no machine-id: run systemd-machine-id-setup there; \
               b is not fit: it is the same machine as a, by its machine-id"],
        );
        check(
            &Stopped::Host { step: step(), source: unreachable() },
            &["cannot restart b", "b: cannot be reached", "no route to host"],
        );
        check(
            &Stopped::Unseen(unreachable()),
            &["cannot look at the hosts", "b: cannot be reached", "no route to host"],
        );
        check(
            &Stopped::NoEffect { step: step(), times: 1 },
            &["it did not help to restart b: it succeeded, and it is needed again"],
        );
        check(
            &Stopped::NoEffect { step: step(), times: 5 },
            &["it did not help to restart b: it succeeded 5 times, and it is needed again"],
        );
        check(
            &Stopped::TimedOut { waiting_for: "b to become healthy".to_owned() },
            &["the time limit passed, waiting for b to become healthy"],
        );
        check(&Stopped::Cancelled { after: None }, &["it was stopped before its first step"]);
        check(
            &Stopped::Cancelled { after: Some(step()) },
            &["it was stopped after this step: restart b"],
        );
        check(
            &Stopped::NotAnnounced { step: "remove c".to_owned(), kind: Kind::Remove },
            &["the plan announced no removal, and it is necessary to remove c: plan again"],
        );
    }
}

//! The planner of the trial service. Pure.
//!
//! The service is one program that says a line to whoever connects. It runs on each node; nodes join and leave one at a
//! time, and one at a time restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use terraform_provider_ha::actions::Owner;
use terraform_provider_ha::domain::{self, Kind, Next};
use terraform_provider_ha::engine::record::Record;

/// What the user wishes. Without nodes: that nothing of it is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Desired {
    pub(crate) name: String,
    pub(crate) nodes: BTreeMap<String, Node>,
}

/// One node as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The line that it says.
    pub(crate) line: String,
}

/// What one look saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    pub(crate) nodes: BTreeMap<String, Sight>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It did not answer, which proves nothing. How that was put.
    Unseen(String),
    Seen(Seen),
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) owner: Owner,
    /// The program is there, with the digest that it must have.
    pub(crate) is_installed: bool,
    /// Files that are not as they must be, by what they are.
    pub(crate) differing: BTreeSet<String>,
    pub(crate) is_running: bool,
    /// It runs as an older unit file says.
    pub(crate) is_stale: bool,
    /// What it says.
    pub(crate) said: Option<String>,
    /// Something of it is there at all.
    pub(crate) has_traces: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Claim(Vec<String>),
    Install(Vec<String>),
    Configure(String),
    Start(String),
    Restart(String),
    Remove(String),
    Finish(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0} cannot be looked at, and may hold a part of this service: {1}")]
    Unseen(String, String),
    #[error("{0} belongs to {1}: import that, or clean the host")]
    Foreign(String, String),
}

/// Claim, install, then node after node; those that leave go last.
pub(crate) fn next(desired: &Desired, observed: &Observed) -> Next<Step, Refusal> {
    let (seen, unseen) = split(observed);
    for (key, it) in &seen {
        if let Owner::Other(other) = &it.owner {
            return Next::Refuse(Refusal::Foreign((*key).clone(), other.clone()));
        }
    }
    if let Some((key, why)) = unseen.iter().next() {
        return Next::Refuse(Refusal::Unseen((*key).clone(), (*why).clone()));
    }
    let wanted = |key: &&&String| desired.nodes.contains_key(key.as_str());
    let lacking = |test: fn(&Seen) -> bool| -> Vec<String> {
        let lacking = seen.iter().filter(|(_, it)| test(it)).map(|(key, _)| key);
        lacking.filter(wanted).map(|it| (*it).clone()).collect()
    };
    let unclaimed = lacking(|it| it.owner == Owner::Nobody);
    if !unclaimed.is_empty() {
        return Next::Act(Step::Claim(unclaimed));
    }
    let bare = lacking(|it| !it.is_installed);
    if !bare.is_empty() {
        return Next::Act(Step::Install(bare));
    }
    for (key, node) in &desired.nodes {
        let Some(it) = seen.get(key) else { continue };
        if !it.differing.is_empty() {
            return Next::Act(Step::Configure(key.clone()));
        }
        if !it.is_running {
            return Next::Act(Step::Start(key.clone()));
        }
        if it.is_stale {
            return Next::Act(Step::Restart(key.clone()));
        }
        if it.said.as_deref() != Some(&node.line) {
            return Next::Wait(format!("{key} to say {:?}", node.line));
        }
    }
    let mut leaving = seen.iter().filter(|(key, it)| it.has_traces && !wanted(key));
    if let Some((key, _)) = leaving.next() {
        return Next::Act(Step::Remove((*key).clone()));
    }
    let unfinished = lacking(|it| !matches!(it.owner, Owner::Ours(_)));
    if !unfinished.is_empty() {
        return Next::Act(Step::Finish(unfinished));
    }
    Next::Done
}

/// What an apply would mend, in sentences.
pub(crate) fn drift(desired: &Desired, observed: &Observed) -> Vec<String> {
    let (seen, _) = split(observed);
    let mut found = Vec::new();
    for key in desired.nodes.keys() {
        let Some(it) = seen.get(key) else { continue };
        if !it.is_installed {
            found.push(format!("{key}: the program is not as installed"));
        }
        found.extend(it.differing.iter().map(|what| format!("{key}: {what} was edited")));
        if !it.is_running {
            found.push(format!("{key}: the service does not run"));
        }
    }
    found
}

type Split<'a> = (BTreeMap<&'a String, &'a Seen>, BTreeMap<&'a String, &'a String>);

fn split(observed: &Observed) -> Split<'_> {
    let (mut seen, mut unseen) = (BTreeMap::new(), BTreeMap::new());
    for (key, sight) in &observed.nodes {
        match sight {
            Sight::Seen(it) => {
                seen.insert(key, it);
            }
            Sight::Unseen(why) => {
                unseen.insert(key, why);
            }
        }
    }
    (seen, unseen)
}

impl domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Claim(_) | Self::Install(_) | Self::Configure(_) | Self::Finish(_) => {
                Kind::Prepare
            }
            Self::Start(_) => Kind::Join,
            Self::Restart(_) => Kind::Restart,
            Self::Remove(_) => Kind::Remove,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        match self {
            Self::Claim(all) | Self::Install(all) | Self::Finish(all) => {
                all.iter().map(String::as_str).collect()
            }
            Self::Configure(one) | Self::Start(one) | Self::Restart(one) | Self::Remove(one) => {
                vec![one]
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |it: &[String]| it.join(", ");
        match self {
            Self::Claim(hosts) => write!(f, "claim {}", all(hosts)),
            Self::Install(hosts) => write!(f, "install the program on {}", all(hosts)),
            Self::Configure(host) => write!(f, "configure {host}"),
            Self::Start(host) => write!(f, "start the service on {host}"),
            Self::Restart(host) => write!(f, "restart the service on {host}"),
            Self::Remove(host) => write!(f, "remove the service from {host}"),
            Self::Finish(hosts) => write!(f, "note on {} that all is done", all(hosts)),
        }
    }
}

/// What a step brings about when nothing goes wrong, for the plan.
pub(crate) fn foresee(desired: &Desired, observed: &mut Observed, step: &Step) {
    let hosts: Vec<String> = domain::Step::hosts(step).into_iter().map(str::to_owned).collect();
    for host in hosts {
        let Some(Sight::Seen(it)) = observed.nodes.get_mut(&host) else { continue };
        match step {
            Step::Claim(_) => (it.owner, it.has_traces) = (unfinished(), true),
            Step::Install(_) => it.is_installed = true,
            Step::Configure(_) => {
                it.differing.clear();
                it.is_stale = it.is_running;
            }
            Step::Start(_) | Step::Restart(_) => {
                (it.is_running, it.is_stale) = (true, false);
                it.said = desired.nodes.get(&host).map(|it| it.line.clone());
            }
            Step::Remove(_) => *it = Seen::default(),
            Step::Finish(_) => it.owner = ours(),
        }
    }
}

/// As a host would say it, for forecasts.
pub(crate) fn ours() -> Owner {
    Owner::Ours(record(true))
}

fn unfinished() -> Owner {
    Owner::OursUnfinished(record(false))
}

fn record(complete: bool) -> Record {
    Record {
        kind: String::new(),
        name: String::new(),
        id: String::new(),
        complete,
        applied: serde_json::Map::new(),
        consumers: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use terraform_provider_ha::engine::{End, steps_of};

    use super::*;

    /// Nodes as `a:bare b:up c:other -d:up`: how far each is; those with `-` are not wanted.
    fn fleet(text: &str) -> (Desired, Observed) {
        let (mut desired, mut observed) = (Desired::default(), Observed::default());
        for word in text.split_whitespace() {
            let (name, stage) = word.split_once(':').unwrap();
            let key = name.trim_start_matches('-').to_owned();
            let line = "1 hello".to_owned();
            if !name.starts_with('-') {
                desired.nodes.insert(key.clone(), Node { line: line.clone() });
            }
            let up = Seen {
                owner: ours(),
                is_installed: true,
                is_running: true,
                said: Some(line),
                has_traces: true,
                ..Seen::default()
            };
            let edited = BTreeSet::from(["the unit".to_owned()]);
            let sight = match stage {
                "unseen" => Sight::Unseen("no route".to_owned()),
                "bare" => Sight::Seen(Seen::default()),
                "other" => Sight::Seen(Seen { owner: Owner::Other("x".to_owned()), ..up }),
                "edited" => Sight::Seen(Seen { differing: edited, ..up }),
                "down" => Sight::Seen(Seen { is_running: false, said: None, ..up }),
                "mute" => Sight::Seen(Seen { said: None, ..up }),
                "unfinished" => Sight::Seen(Seen { owner: unfinished(), ..up }),
                _ => Sight::Seen(up),
            };
            observed.nodes.insert(key, sight);
        }
        (desired, observed)
    }

    fn check(text: &str, expected: &[&str]) {
        let (desired, observed) = fleet(text);
        let apply = |it: &mut Observed, step: &Step| foresee(&desired, it, step);
        let forecast = steps_of(observed, |it| next(&desired, it), apply);
        let mut told: Vec<_> = forecast.steps.iter().map(ToString::to_string).collect();
        match forecast.end {
            End::Done => {}
            End::Waits(what) => told.push(format!("waits for {what}")),
            End::Refused(refusal) => told.push(format!("refuses: {refusal}")),
            End::Endless => told.push("endless".to_owned()),
        }
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn the_steps_to_what_is_desired() {
        check("a:up b:up", &[]);
        check("", &[]);
        check(
            "a:bare b:bare",
            &[
                "claim a, b",
                "install the program on a, b",
                "start the service on a",
                "start the service on b",
                "note on a, b that all is done",
            ],
        );
        check("a:edited b:up", &["configure a", "restart the service on a"]);
        check("a:down -b:up", &["start the service on a", "remove the service from b"]);
        check("a:mute", &["waits for a to say \"1 hello\""]);
        check("a:unfinished", &["note on a that all is done"]);
        check("-a:up -b:down -c:bare", &["remove the service from a", "remove the service from b"]);
        check("a:other", &["refuses: a belongs to x: import that, or clean the host"]);
        let unseen =
            "refuses: b cannot be looked at, and may hold a part of this service: no route";
        check("a:bare b:unseen", &[unseen]);
    }

    #[test]
    fn drift_is_told_in_sentences() {
        let (desired, observed) = fleet("a:edited b:down c:up -d:down e:unseen");
        assert_eq!(
            drift(&desired, &observed),
            ["a: the unit was edited", "b: the service does not run"]
        );
    }
}

//! A fleet in memory, with all that can go wrong on one.
//!
//! A fleet is written as `a:up b:joined -c:up`: hosts with how far they are, those with `-` are not wanted. Behind them
//! stand its quirks: `rivals` (what comes up stops the others), `useless:start` (the step has no effect).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::time::Duration;

use tokio::time::sleep;

use super::World;
use crate::domain::{self, Kind, Next};
use crate::host::HostError;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) is_foreign: bool,
    pub(super) is_prepared: bool,
    /// To join is not idempotent: a second time is seen here, and nothing mends it.
    pub(super) joined: u32,
    pub(super) is_started: bool,
    /// A host that was started is up after as many looks.
    pub(super) looks_to_go: u32,
}

pub(super) type Hosts = BTreeMap<String, Host>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Prepare(String),
    Join(String),
    Start(String),
    Remove(String),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} holds the data of somebody else")]
pub(super) struct Foreign(pub(super) String);

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Unreachable,
    Failed,
    Lost { has_happened: bool },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Fleet {
    pub(super) hosts: Hosts,
    pub(super) wanted: BTreeSet<String>,
    /// How many looks it takes until what was started is up.
    pub(super) slowness: u32,
    pub(super) are_rivals: bool,
    /// The first word of steps that have no effect.
    pub(super) useless: BTreeSet<String>,
    /// By the number of the call, counted from 0.
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) blind: BTreeMap<usize, Fault>,
    /// How long a step takes. Its effect comes about at the end, or at the begin if it is `hasty`.
    pub(super) duration: Duration,
    pub(super) is_hasty: bool,
    /// Every call and every look, in order; a call that ended is marked.
    pub(super) transcript: Vec<String>,
    pub(super) calls: usize,
    pub(super) looks: usize,
}

/// The planner: one host after the other, foreign data first, removals last.
pub(super) fn next(hosts: &Hosts, wanted: &BTreeSet<String>) -> Next<Step, Foreign> {
    if let Some((name, _)) = hosts.iter().find(|(_, it)| it.is_foreign) {
        return Next::Refuse(Foreign(name.clone()));
    }
    for name in wanted {
        match hosts.get(name).cloned().unwrap_or_default() {
            Host { is_prepared: false, .. } => return Next::Act(Step::Prepare(name.clone())),
            Host { joined: 0, .. } => return Next::Act(Step::Join(name.clone())),
            Host { is_started: false, .. } => return Next::Act(Step::Start(name.clone())),
            Host { looks_to_go: 0, .. } => {}
            Host { .. } => return Next::Wait(format!("{name} to come up")),
        }
    }
    match hosts.iter().find(|(name, it)| 0 < it.joined && !wanted.contains(*name)) {
        Some((name, _)) => Next::Act(Step::Remove(name.clone())),
        None => Next::Done,
    }
}

impl Fleet {
    pub(super) fn parse(text: &str) -> Self {
        let mut fleet = Self { slowness: 2, duration: Duration::from_secs(1), ..Self::default() };
        for word in text.split_whitespace() {
            let (name, stage) = word.split_once(':').unwrap_or((word, ""));
            match name {
                "rivals" => fleet.are_rivals = true,
                "useless" => {
                    fleet.useless.insert(stage.to_owned());
                }
                _ => {
                    let bare = name.trim_start_matches('-');
                    if bare == name {
                        fleet.wanted.insert(bare.to_owned());
                    }
                    let at = ["", "prepared", "joined", "starting", "up", "foreign"]
                        .iter()
                        .position(|it| *it == stage)
                        .unwrap();
                    let host = Host {
                        is_foreign: at == 5,
                        is_prepared: 0 < at,
                        joined: u32::from(1 < at),
                        is_started: 2 < at,
                        looks_to_go: if at == 3 { u32::MAX } else { 0 },
                    };
                    fleet.hosts.insert(bare.to_owned(), host);
                }
            }
        }
        fleet
    }

    pub(super) fn effect_of(&self, step: &Step, hosts: &mut Hosts) {
        if step.to_string().split(' ').next().is_some_and(|it| self.useless.contains(it)) {
            return;
        }
        let (Step::Prepare(name) | Step::Join(name) | Step::Start(name) | Step::Remove(name)) =
            step;
        if self.are_rivals && matches!(step, Step::Start(_)) {
            for host in hosts.values_mut() {
                host.is_started = false;
            }
        }
        let host = hosts.entry(name.clone()).or_default();
        match step {
            Step::Prepare(_) => host.is_prepared = true,
            Step::Join(_) => host.joined += 1,
            Step::Start(_) => (host.is_started, host.looks_to_go) = (true, self.slowness),
            Step::Remove(_) => *host = Host::default(),
        }
    }

    fn happen(&mut self, step: &Step) {
        let mut hosts = std::mem::take(&mut self.hosts);
        self.effect_of(step, &mut hosts);
        self.hosts = hosts;
    }

    pub(super) fn is_joined_twice(&self) -> bool {
        self.hosts.values().any(|it| 1 < it.joined)
    }
}

impl World for Fleet {
    type Observed = Hosts;
    type Step = Step;
    type Refusal = Foreign;

    async fn observe(&mut self) -> Result<Hosts, HostError> {
        self.looks += 1;
        self.transcript.push("look".to_owned());
        for host in self.hosts.values_mut().filter(|it| it.looks_to_go != u32::MAX) {
            host.looks_to_go = host.looks_to_go.saturating_sub(1);
        }
        // A look takes a moment, in which a run may be cancelled.
        if !self.duration.is_zero() {
            sleep(self.duration / 10).await;
        }
        match self.blind.remove(&(self.looks - 1)) {
            Some(fault) => Err(fault.error("tell the facts")),
            None => Ok(self.hosts.clone()),
        }
    }

    fn next(&self, observed: &Hosts) -> Next<Step, Foreign> {
        next(observed, &self.wanted)
    }

    async fn perform(&mut self, step: &Step) -> Result<(), HostError> {
        self.calls += 1;
        self.transcript.push(format!("{step} …"));
        let fault = self.faults.remove(&(self.calls - 1));
        let happens = matches!(fault, None | Some(Fault::Lost { has_happened: true }));
        if happens && self.is_hasty {
            self.happen(step);
        }
        sleep(self.duration).await;
        if happens && !self.is_hasty {
            self.happen(step);
        }
        self.transcript.push(format!("… {step}"));
        fault.map_or(Ok(()), |it| Err(it.error(&step.to_string())))
    }
}

impl Fault {
    pub(super) fn error(self, call: &str) -> HostError {
        let (host, call) = ("b".parse().unwrap(), call.to_owned());
        let source = io::Error::other("connection reset").into();
        match self {
            Self::Unreachable => HostError::Unreachable { host, source },
            Self::Failed => HostError::Failed { host, call, reason: "no space left".to_owned() },
            Self::Lost { .. } => HostError::Interrupted { host, call, source },
        }
    }
}

impl domain::Step for Step {
    fn kind(&self) -> Kind {
        match self {
            Self::Prepare(_) => Kind::Prepare,
            Self::Join(_) => Kind::Join,
            Self::Start(_) => Kind::Restart,
            Self::Remove(_) => Kind::Remove,
        }
    }

    fn hosts(&self) -> Vec<&str> {
        let (Self::Prepare(it) | Self::Join(it) | Self::Start(it) | Self::Remove(it)) = self;
        vec![it]
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare(it) => write!(f, "prepare {it}"),
            Self::Join(it) => write!(f, "join {it}"),
            Self::Start(it) => write!(f, "start {it}"),
            Self::Remove(it) => write!(f, "remove {it}"),
        }
    }
}

//! The loop itself.
#![expect(clippy::disallowed_methods, reason = "measures its steps, and keeps a time limit")]

use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::{Announced, Backoff, Stopped, World};
use crate::domain::{Next, Step};
use crate::host::HostError;

/// How long a run may take, and what it may do.
#[derive(Clone, Debug)]
pub struct Run {
    /// No step begins after this.
    pub by: Instant,
    /// Asks the run to stop at its next safe point.
    pub cancelled: CancellationToken,
    /// What the user was told that may be destroyed.
    pub announced: Announced,
    /// How long it pauses before it looks or tries again.
    pub backoff: Backoff,
    /// How often it tries again, in a row, when a host cannot be reached or the answer is lost.
    pub retries: u32,
}

/// What a run has reached.
#[derive(Debug)]
pub struct Converged<O, S> {
    /// What was seen last, and after the last step. None when nothing could be seen since then.
    pub observed: Option<O>,
    /// The steps that succeeded, in order.
    pub steps: Vec<Performed<S>>,
    /// Why it is not all that was planned.
    pub stopped: Option<Stopped>,
}

/// A step that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed<S> {
    /// What was done.
    pub step: S,
    /// How long that took.
    pub took: Duration,
}

/// How long the last look may take, after the time limit or a cancellation: a state is to tell what is.
const LAST_LOOK: Duration = Duration::from_secs(30);

/// As often as this one step may be needed in a run. More is two steps that undo each other.
const MOST_TIMES: usize = 5;

/// Looks, does the one next step, and looks again, until the planner is content or something stops it.
///
/// # Guarantees
/// - What is done next follows from a look that began after the last step ended, never from memory.
/// - A step whose answer was lost is done again only if a later look shows that it is still needed.
/// - It ends between steps, never inside one, and then looks once more, so that the state can tell what is. When that
///   look shows that all is as desired, nothing stopped it.
/// - It ends: each step is done a few times at most, each wait and each look end with the time limit.
///
/// # Assumptions
/// The caller does not drop the future: it runs in a task of its own. A process that dies is survived; a new run
/// continues from what it sees.
pub async fn converge<W: World>(world: &mut W, run: &Run) -> Converged<W::Observed, W::Step> {
    let mut course =
        Course { observed: None, steps: Vec::new(), is_fresh: false, failures: 0, waits: 0 };
    let mut stopped = course.follow(world, run).await.err();
    // The others stopped it at or for want of a look: one more tells nothing new.
    let is_stale = matches!(
        stopped,
        Some(Stopped::Host { .. } | Stopped::TimedOut { .. } | Stopped::Cancelled { .. })
    );
    if is_stale && let Some(observed) = last_look(world).await {
        if matches!(world.next(&observed), Next::Done) {
            warn!(reason = stopped.as_ref().map(tracing::field::display), "all is as planned");
            stopped = None;
        }
        course.observed = Some(observed);
    }
    Converged { observed: course.observed, steps: course.steps, stopped }
}

async fn last_look<W: World>(world: &mut W) -> Option<W::Observed> {
    match timeout(LAST_LOOK, world.observe()).await {
        Ok(Ok(observed)) => Some(observed),
        Ok(Err(error)) => {
            warn!(%error, "cannot see what was reached");
            None
        }
        Err(_) => {
            warn!("the hosts do not tell in time what was reached");
            None
        }
    }
}

/// Where a run has come to.
struct Course<O, S> {
    /// None from the begin of a step to the end of the next look.
    observed: Option<O>,
    steps: Vec<Performed<S>>,
    /// Nothing has been tried since the last of the steps, as far as is known.
    is_fresh: bool,
    /// How often a host could not be reached, since the last step that succeeded.
    failures: u32,
    /// How often the run has waited since the last step.
    waits: u32,
}

impl<O, S: Step> Course<O, S> {
    async fn follow<W>(&mut self, world: &mut W, run: &Run) -> Result<(), Stopped>
    where
        W: World<Observed = O, Step = S>,
    {
        loop {
            let observed = self.observe(world, run).await?;
            match world.next(observed) {
                Next::Done => return Ok(()),
                Next::Refuse(refusal) => return Err(Stopped::Refused(Box::new(refusal))),
                Next::Wait(reason) => self.wait(reason, run).await?,
                Next::Act(step) => self.act(step, world, run).await?,
            }
        }
    }

    async fn observe<W>(&mut self, world: &mut W, run: &Run) -> Result<&O, Stopped>
    where
        W: World<Observed = O, Step = S>,
    {
        let mut tries = 0;
        loop {
            let looked = select! {
                biased;
                () = run.cancelled.cancelled() => return Err(self.cancelled()),
                looked = timeout_at(run.by, world.observe()) => looked,
            };
            match looked {
                Ok(Ok(observed)) => return Ok(self.observed.insert(observed)),
                Ok(Err(source)) if tries == run.retries || !source.is_transient() => {
                    return Err(Stopped::Unseen(source));
                }
                // To look changes nothing, so whether it ran does not matter.
                Ok(Err(error)) => {
                    warn!(%error, "cannot look at the hosts, and tries again");
                    match run.pause(tries).await {
                        Paused::Over => tries += 1,
                        Paused::Cancelled => return Err(self.cancelled()),
                        Paused::TimedOut => return Err(Stopped::Unseen(error)),
                    }
                }
                Err(_) => return Err(timed_out("the hosts to tell what there is")),
            }
        }
    }

    async fn wait(&mut self, reason: String, run: &Run) -> Result<(), Stopped> {
        debug!(reason, "waits");
        self.waits += 1;
        match run.pause(self.waits - 1).await {
            Paused::Over => Ok(()),
            Paused::Cancelled => Err(self.cancelled()),
            Paused::TimedOut => Err(Stopped::TimedOut { waiting_for: reason }),
        }
    }

    async fn act<W>(&mut self, step: S, world: &mut W, run: &Run) -> Result<(), Stopped>
    where
        W: World<Observed = O, Step = S>,
    {
        let times = self.steps.iter().filter(|it| it.step == step).count();
        let is_last = self.is_fresh && self.steps.last().is_some_and(|it| it.step == step);
        if is_last || times == MOST_TIMES {
            return Err(Stopped::NoEffect { step: step.to_string(), times });
        }
        if !run.announced.allows(&step) {
            return Err(Stopped::NotAnnounced { step: step.to_string(), kind: step.kind() });
        }
        let began = Instant::now();
        if run.by <= began {
            return Err(timed_out(&format!("the turn of this step: {step}")));
        }
        self.observed = None;
        let performed = world.perform(&step).await;
        let (took, hosts) = (began.elapsed(), step.hosts().join(" "));
        match performed {
            Ok(()) => {
                info!(%step, hosts, ?took, "done");
                self.steps.push(Performed { step, took });
                (self.is_fresh, self.failures, self.waits) = (true, 0, 0);
                Ok(())
            }
            Err(source) if !source.is_transient() => {
                Err(Stopped::Host { step: step.to_string(), source })
            }
            Err(source) => {
                // It may have happened, and undone the step before: only a new look can tell.
                self.is_fresh &= matches!(source, HostError::Unreachable { .. });
                self.failures += 1;
                warn!(%step, hosts, ?took, error = %source, "not known to be done");
                if run.retries < self.failures {
                    return Err(Stopped::Host { step: step.to_string(), source });
                }
                match run.pause(self.failures - 1).await {
                    Paused::Over => Ok(()),
                    Paused::Cancelled => Err(self.cancelled()),
                    Paused::TimedOut => Err(Stopped::Host { step: step.to_string(), source }),
                }
            }
        }
    }

    fn cancelled(&self) -> Stopped {
        Stopped::Cancelled { after: self.steps.last().map(|it| it.step.to_string()) }
    }
}

fn timed_out(waiting_for: &str) -> Stopped {
    Stopped::TimedOut { waiting_for: waiting_for.to_owned() }
}

enum Paused {
    Over,
    Cancelled,
    TimedOut,
}

impl Run {
    async fn pause(&self, attempts: u32) -> Paused {
        let until = Instant::now() + self.backoff.pause(attempts);
        select! {
            biased;
            () = self.cancelled.cancelled() => Paused::Cancelled,
            () = sleep_until(until.min(self.by)) => {
                if self.by <= until { Paused::TimedOut } else { Paused::Over }
            }
        }
    }
}

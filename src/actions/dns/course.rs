//! One record set on its way to what is desired.
#![expect(clippy::disallowed_methods, reason = "keeps a time limit")]

use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::convert::{data_in_message, in_message, observed, question, type_in_message};
use crate::domain::dns::{Desired, Key, Observed, Records, Refusal, Step, Type, next};
use crate::remote::dns::{
    Change, Client, Failed, Looked, Prerequisite, RData, Server, Settings, Update, Updated,
};

/// How long a run may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Nothing is sent after this.
    pub by: Instant,
    /// Asks the run to stop.
    pub cancelled: CancellationToken,
}

/// All is as desired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// By this run, and not before it.
    pub by_us: bool,
}

/// Why it is not all as desired.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It must not be done.
    #[error(transparent)]
    Refused(Refusal),
    /// No server has done it.
    #[error("no server takes the update: {source}")]
    Failed {
        /// What each of them failed of.
        source: Failed,
        /// An update may have been done whose answer was lost.
        may_have_run: bool,
    },
    /// The server has agreed and does not show it, or has a prerequisite of its own.
    #[error("the server has taken the message to {step}, and still does not show it: {shown}")]
    NoEffect {
        /// What was sent.
        step: Step,
        /// What it shows.
        shown: String,
    },
    /// The user wants it to end.
    #[error("interrupted")]
    Cancelled {
        /// An update was done, or may have been.
        may_have_run: bool,
    },
}

/// As often as an update is sent whose prerequisites do not hold although a look has just shown that they do.
const MOST_UNMET: usize = 5;
/// How long to wait until a server shows what it has taken: zones that are signed by the server lag behind.
const SHOW_PAUSE: Duration = Duration::from_millis(200);
/// How long to wait until servers are tried again, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One record set, and who is asked about it.
#[derive(Debug)]
pub struct Course<'a> {
    client: Client<'a>,
    key: &'a Key,
}

/// What was seen, as the domain and as messages have it.
struct Sight {
    observed: Observed,
    data: Vec<RData>,
}

impl Sight {
    fn absent() -> Self {
        Self { observed: Observed::Absent, data: Vec::new() }
    }

    /// A create and a removal begin without a look: their prerequisites look closer, for they see no wildcards. A
    /// replacement does not: whether one is needed depends on the time to live, which no prerequisite asks for.
    fn presumed(desired: &Desired) -> Option<Self> {
        match (&desired.records, &desired.owned) {
            (Some(_), None) => Some(Self::absent()),
            (None, Some(owned)) => Some(Self {
                observed: Observed::Present(Records { ttl: 0, data: owned.clone() }),
                data: owned.iter().map(data_in_message).collect(),
            }),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

impl<'a> Course<'a> {
    /// Nothing is sent yet.
    pub fn new(settings: &'a Settings, key: &'a Key) -> Self {
        Self { client: Client::new(settings), key }
    }

    /// Looks once, and says whom it saw. Only the first server is believed that something is absent or has changed: another
    /// one may lag behind.
    ///
    /// # Errors
    /// No server answered.
    pub async fn look(&mut self, by: Instant) -> Result<(Observed, Server, bool), Failed> {
        let Looked { server, is_first, answer } =
            self.client.look(&question(&self.key.name, self.key.ty), by).await?;
        Ok((observed(&answer), server, is_first))
    }

    pub(super) fn client(&mut self) -> &mut Client<'a> {
        &mut self.client
    }

    pub(super) fn key(&self) -> &'a Key {
        self.key
    }

    /// Brings the record set to what is desired, and sees that it is.
    ///
    /// # Guarantees
    /// - Every update has a prerequisite: that there is no such set, or that it holds what was seen.
    /// - When the answer to an update is lost, nothing is sent before a look.
    ///
    /// # Errors
    /// It is not as desired, for the reason told.
    pub async fn reach(&mut self, desired: &Desired, limits: &Limits) -> Result<Reached, Stopped> {
        let mut sight = Sight::presumed(desired);
        let mut run = Run { limits, failures: 0, has_acted: false };
        let (mut taken, mut is_confirmed, mut unmet) = (None, false, 0);
        loop {
            let seen = match sight.take() {
                Some(it) => it,
                None => self.see(&mut run).await?,
            };
            let step = match (next(desired, &seen.observed), taken) {
                (Ok(None), _) => return Ok(Reached { by_us: run.has_acted }),
                (_, Some(step)) => {
                    let shown = seen.observed.to_string();
                    run.pause(SHOW_PAUSE, || Stopped::NoEffect { step, shown }).await?;
                    continue;
                }
                (Err(refusal), None) => {
                    // What a look shows may be made of a wildcard. To be refused it must exist.
                    if is_confirmed || !self.is_absent(&mut run).await? {
                        return Err(Stopped::Refused(refusal));
                    }
                    is_confirmed = true;
                    sight = Some(Sight::absent());
                    continue;
                }
                (Ok(Some(step)), None) => step,
            };
            let update = self.update(step, desired, &seen);
            match self.client.update(&update, limits.by).await {
                Ok(Updated::Done) => {
                    info!(key = %self.key, %step, "done");
                    run.has_acted = true;
                    if step == Step::Remove {
                        return Ok(Reached { by_us: true });
                    }
                    taken = Some(step);
                }
                Ok(Updated::Unmet { of_name, exists }) => {
                    debug!(key = %self.key, %step, of_name, exists, "a prerequisite does not hold");
                    unmet += 1;
                    if unmet == MOST_UNMET {
                        let shown = "what it shows is not what it holds".to_owned();
                        return Err(Stopped::NoEffect { step, shown });
                    }
                    sight = self.after_unmet(step, of_name, &mut run).await?;
                }
                Err(failed) => run.fail(failed).await?,
            }
        }
    }

    /// A closer look where a prerequisite did not hold; none when the usual look can tell.
    async fn after_unmet(
        &mut self,
        step: Step,
        of_name: bool,
        run: &mut Run<'_>,
    ) -> Result<Option<Sight>, Stopped> {
        if step != Step::Create {
            return Ok(self.is_absent(run).await?.then(Sight::absent));
        }
        let mut sight = self.see(run).await?;
        if of_name && sight.observed == Observed::Absent {
            sight.observed = Observed::Occupied;
        }
        Ok(Some(sight))
    }

    async fn see(&mut self, run: &mut Run<'_>) -> Result<Sight, Stopped> {
        let question = question(&self.key.name, self.key.ty);
        loop {
            match self.client.look(&question, run.limits.by).await {
                Ok(Looked { answer, .. }) => {
                    return Ok(Sight { observed: observed(&answer), data: answer.data });
                }
                Err(failed) => run.fail_to_look(failed).await?,
            }
        }
    }

    /// Asks the server to hold its own prerequisites against the zone, and to change nothing.
    async fn is_absent(&mut self, run: &mut Run<'_>) -> Result<bool, Stopped> {
        let (zone, prerequisites) = (in_message(&self.key.zone), self.absent());
        let update = Update { zone, prerequisites, changes: Vec::new() };
        loop {
            match self.client.update(&update, run.limits.by).await {
                Ok(updated) => return Ok(updated == Updated::Done),
                // To look changes nothing, so whether it ran does not matter.
                Err(failed) => run.fail_to_look(failed).await?,
            }
        }
    }

    fn update(&self, step: Step, desired: &Desired, seen: &Sight) -> Update {
        let (name, ty) = (in_message(&self.key.name), type_in_message(self.key.ty));
        let mut changes = Vec::new();
        if step != Step::Create {
            changes.push(Change::Remove(name.clone(), ty));
        }
        if let Some(records) = &desired.records {
            let add = |it| Change::Add(name.clone(), records.ttl, data_in_message(it));
            changes.extend(records.data.iter().map(add));
        }
        let prerequisites = match step {
            Step::Create => self.absent(),
            Step::Replace | Step::Remove => vec![Prerequisite::Exactly(name, seen.data.clone())],
        };
        Update { zone: in_message(&self.key.zone), prerequisites, changes }
    }

    /// An alias stands alone: servers pass over what does not obey, without a word (RFC 2136, section 3.4.2.2).
    fn absent(&self) -> Vec<Prerequisite> {
        let name = in_message(&self.key.name);
        let absent = |ty| Prerequisite::Absent(name.clone(), type_in_message(ty));
        match self.key.ty {
            Type::Cname => vec![Prerequisite::Unused(name)],
            ty => vec![absent(ty), absent(Type::Cname)],
        }
    }
}

/// What a run has gone through.
struct Run<'a> {
    limits: &'a Limits,
    /// In a row.
    failures: u32,
    /// An update was done, or may have been.
    has_acted: bool,
}

impl Run<'_> {
    async fn fail(&mut self, failed: Failed) -> Result<(), Stopped> {
        self.has_acted |= failed.may_have_run();
        self.fail_to_look(failed).await
    }

    async fn fail_to_look(&mut self, failed: Failed) -> Result<(), Stopped> {
        let may_have_run = self.has_acted;
        if !failed.is_transient() {
            return Err(Stopped::Failed { source: failed, may_have_run });
        }
        warn!(error = %failed, "tries again");
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(8)).min(LONGEST_PAUSE);
        self.failures += 1;
        self.pause(pause, || Stopped::Failed { source: failed, may_have_run }).await
    }

    async fn pause(
        &self,
        pause: Duration,
        too_late: impl FnOnce() -> Stopped,
    ) -> Result<(), Stopped> {
        let until = Instant::now() + pause;
        select! {
            biased;
            () = self.limits.cancelled.cancelled() => {
                Err(Stopped::Cancelled { may_have_run: self.has_acted })
            }
            () = sleep_until(until.min(self.limits.by)) => {
                if until < self.limits.by { Ok(()) } else { Err(too_late()) }
            }
        }
    }
}

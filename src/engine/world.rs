//! What the loop works on.

use std::error::Error;
use std::future::Future;

use crate::domain::{Next, Step};
use crate::host::HostError;

/// Hosts that can be looked at and changed, together with the wish that decides how.
pub trait World: Send {
    /// Everything that was seen in one look. A host that did not answer is in it as unseen.
    type Observed: Send + Sync;
    /// One thing to do.
    type Step: Step;
    /// Why the planner does not go on.
    type Refusal: Error + Send + Sync + 'static;

    /// Looks at everything, and changes nothing.
    ///
    /// # Assumptions
    /// Work that was [interrupted](HostError::Interrupted) is over before this looks at its host: an agent keeps the
    /// lock of its host until then, and to look takes the lock. Otherwise a step could be repeated while it still runs.
    ///
    /// It may be dropped midway, when the run is cancelled or its time is up.
    ///
    /// # Errors
    /// Nothing useful could be seen at all.
    fn observe(&mut self) -> impl Future<Output = Result<Self::Observed, HostError>> + Send;

    /// What is to be done about it. Pure, and quick.
    fn next(&self, observed: &Self::Observed) -> Next<Self::Step, Self::Refusal>;

    /// Does one step, and waits no longer than until the hosts have answered: what the step brings about is seen by
    /// the next looks. It is never dropped by the loop, so it sets time limits of its own.
    ///
    /// # Errors
    /// With several hosts in one step, the gravest kind: interrupted before failed before unreachable.
    fn perform(&mut self, step: &Self::Step) -> impl Future<Output = Result<(), HostError>> + Send;
}

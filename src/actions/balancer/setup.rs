//! What the actions know beyond the planner.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::actions::Own;
use crate::domain::balancer::Desired;
use crate::host::Hosts;

/// The wish, and what stands around it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the planner brings about.
    pub desired: Desired,
    /// Whose hosts they are.
    pub own: Own,
    /// Whether there is a state.
    pub is_known: bool,
    /// Whether each node ran what is wished now when it was last seen, by its key.
    pub last: BTreeMap<String, bool>,
    /// Who has the agents.
    pub hosts: Arc<Hosts>,
}

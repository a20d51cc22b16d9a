//! Control planes that use a cluster, in the records of its hosts.

use crate::actions::notes::Journal;
pub use crate::domain::consumers::Consumer;
pub(in crate::actions) use crate::domain::consumers::Consumers;
use crate::engine::record::Claim;

impl Journal for Consumers {
    fn name(claim: &Claim) -> String {
        Self::record(&claim.name)
    }
}

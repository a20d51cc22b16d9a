//! Record sets on name servers: looks, updates, and the loop between them.
//!
//! It is not the engine's loop, for there is no host and no lock here: the server itself holds each update against its
//! prerequisites, so that a message that arrives twice, late, or from two runs at once does no harm.

mod convert;
mod course;
mod everywhere;
#[cfg(test)]
mod tests;

pub use self::convert::{data, question};
pub use self::course::{Course, Limits, Reached, Stopped};
pub use self::everywhere::{Elsewhere, Shown};

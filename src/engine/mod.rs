//! The one loop: observe, ask the planner, perform, and observe again (ADR 0002).
//!
//! [`converge`] brings a [`World`] to what is desired. [`steps_of`] tells beforehand what it would do;
//! [`Announced`] is what of that the user has been told and apply may not go beyond. [`record`] is what a host
//! remembers of those who change it.

mod announced;
mod backoff;
mod converge;
mod fleet;
mod forecast;
pub mod preflight;
pub mod record;
mod stopped;
mod world;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use self::announced::Announced;
pub use self::backoff::Backoff;
pub use self::converge::{Converged, Performed, Run, converge};
pub use self::fleet::{Answers, Fleet, chain, gravest};
pub use self::forecast::{End, Forecast, steps_of, warning};
pub use self::stopped::Stopped;
pub use self::world::World;

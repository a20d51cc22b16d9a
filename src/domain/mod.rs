//! Pure: facts in, decisions out. Nothing here awaits, reads a clock or meets a host.
//!
//! Each topic has a `Desired`, an `Observed`, a `Step`, a `Refusal` and a planner `next`. Here is what they share.
//! [`backup`], [`consumers`], [`recovery`] and [`service`] are shared with the agent too.

#[cfg(feature = "provider")]
pub mod artifacts;
pub mod backup;
#[cfg(feature = "provider")]
pub mod balancer;
#[cfg(test)]
mod chance;
pub mod consumers;
#[cfg(feature = "provider")]
pub mod dns;
#[cfg(feature = "provider")]
pub mod etcd;
#[cfg(feature = "provider")]
pub mod host;
#[cfg(feature = "provider")]
pub mod kubernetes;
#[cfg(feature = "provider")]
pub mod name;
#[cfg(feature = "provider")]
pub mod pki;
pub mod recovery;
pub mod service;
#[cfg(feature = "provider")]
mod step;
#[cfg(feature = "provider")]
mod text;

#[cfg(feature = "provider")]
pub use self::step::{Kind, Next, Step};

//! Pure: facts in, decisions out. Nothing here awaits, reads a clock or meets a host.
//!
//! Each topic has a `Desired`, an `Observed`, a `Step`, a `Refusal` and a planner `next`. Here is what they share.

pub mod etcd;
mod step;

pub use self::step::{Kind, Next, Step};

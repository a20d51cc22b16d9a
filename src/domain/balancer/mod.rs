//! A balancer of TCP connections: HAProxy on each of its nodes, and an address that keepalived moves between them. What
//! is wished, what was seen, the one next step, and the files that follow. Pure.
//!
//! [`next`] brings a balancer where it is wished to be, [`leave`] ends it. [`believe`] says what a step is expected to
//! do, for the forecast of a plan.
//!
//! # To those who observe
//! - What a proxy runs is what its process says: its `description` is the [`Digest`] of what it was started with, and its
//!   backends are those that it has, with what was changed while it runs.
//! - A host that did not answer completely is unseen. A file that cannot be read is no absent file.
//! - Who is no stranger: a host of ours, whether it stays or leaves, also at an address that it had before.
//! - `former` has every node that the state names and the wish does not.
//!
//! # To those who perform
//! | step | what it must guarantee |
//! |---|---|
//! | `Listen` | long enough for two advertisements of the usual virtual router, once a second each. Nothing is changed |
//! | `Confirm` | every host asks anew who has the virtual IP, but those that have it |
//! | `Claim` | the record (unfinished, with the id) is on disk before anything else is |
//! | `Write` | the program itself has found no fault with the new configuration; otherwise nothing is changed. Nothing reads the files yet |
//! | `Start`, `Restart`, `Reload` | the first two note what room the process gets. Each waits a few seconds for the process to tell that it runs with the file. That it does not is for the next look |
//! | `AddBackends`, `DropBackends` | by the socket of the process. Where that refuses, the process reads its file instead |
//! | `DrainBackends` | checks end first: one that fails later would cut connections |
//! | `PutBack` | the copy takes the place of file and authority, and the process reads it or is started |
//! | `Keep` | the copy is what the process runs |
//! | `TakePart`, `Inform`, `MoveAway` | enabled and started, reloaded, or stopped and disabled: not even a reboot brings the address back to a node that is to have none |
//! | `Unguard`, `Retire`, `Dismantle` | keepalived ends before the proxy. The record goes last |

mod believe;
mod desired;
mod next;
mod observed;
#[cfg(test)]
mod properties;
mod proxy;
mod refusal;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod simulate;
mod steps;
#[cfg(test)]
mod tables;
mod text;
mod units;
mod vrrp;

pub use self::believe::believe;
pub use self::desired::{
    Balance, Check, Desired, Install, MOST_CONNECTIONS, Place, Protocol, Timeouts, VirtualIp, Wish,
};
pub use self::next::{leave, next};
pub use self::observed::{
    Backend, Facts, Keepalived, Lies, Node, Observed, Process, Running, Strangers,
};
pub use self::proxy::{BACK, Digest, Proxy, proxy, server};
pub use self::refusal::{Refusal, Subject};
pub use self::steps::Step;
pub use self::text::{
    Advertisement, Authority, Interface, Network, RouterId, ServerName, TextFault, Time, UriPath,
};
pub use self::units::{Files, keepalived, proxy_service, proxy_unit};
pub use self::vrrp::{PROBE, vrrp};

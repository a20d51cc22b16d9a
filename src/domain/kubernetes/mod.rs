//! A Kubernetes control plane against an etcd of its own: what is wished, what was seen, the one next step, and what its
//! nodes run and read. Pure.
//!
//! [`Desired`] holds no wish that could not be followed. [`flags`], [`files`], [`service`] and [`Authority`] say what is on
//! a node, and [`settings`] reads it back; values follow upstream (kubeadm) and the CIS benchmark. What [`rehearsal`]
//! says is tried by [`verdict`] before anything restarts with it. [`next`] brings a control plane where it is wished to
//! be and keeps it there, [`leave`] ends it. The phases are files, in the order in which they are asked: `create` (it was
//! never whole), `recover` (it was, and nobody has its keys any more), `rescue`, `grow`, `shrink`, `change`, `renew` with
//! `keep`. [`believe`] says what a step is expected to do, for the
//! forecast of a plan.
//!
//! # To those who observe
//! - A host that did not answer completely is unseen. A file that cannot be read is no absent file.
//! - `former` has every node that the state or a record names and the wish does not, and the former host of a key whose
//!   `host.address` was edited. It is empty only if there is none.
//! - [`Data`] is asked of etcd itself, with a linearizable read of one key below the prefix. It matters before the first
//!   start alone.
//! - `failed` is what this run has put back, and no other.
//! - What lies in the journal of a host is told as well: that an API server was begun, and what ran before.
//! - `recovery` stands for the keys of a bundle that was opened, and is for this control plane.
//!
//! # To those who perform
//! A name means the wanted host of that key; in [`Step::Retire`] the former one, in [`Step::Discard`] and
//! [`Step::Dismantle`] both. Steps with many hosts do them all at once, and one that ended midway is asked for again for
//! what is left.
//!
//! | step | what it must guarantee |
//! |---|---|
//! | `Claim` | the record (unfinished, with the id) is on disk before anything else is |
//! | `Discard` | only where the journal has no beginning: removes units, files, certificates, keys, and the record last |
//! | `Certify` | asks the planner of certificates, for each authority, until it is content with these hosts; the authority of etcd is never made. Keys of service accounts and Secrets are copied from a host that has begun, otherwise from any that has them, and made only where none does. What is read by a component belongs to its user. Nothing restarts |
//! | `Reset` | as `Discard`, whatever the journal says; but keys that are left are moved aside |
//! | `Recover` | authorities, the key of service accounts and that of Secrets lie there as the bundle has them |
//! | `Stage` | the programs lie beside the others, their digests verified; nothing runs them |
//! | `Prepare` | users, folders, files, units; the settings have passed a dry start of the program |
//! | `Begin`, `Join` | the journal says that it was begun; then the API server is started, and nobody is waited for |
//! | `BindAdmins` | the group of the administrators is bound to `cluster-admin`, and [`KUBELET_CLIENT`] to what it needs, with a certificate of a few minutes that lives in memory alone |
//! | `Start` | starts those that do not run, with what is on disk |
//! | `Restart` | ends a process that hangs, if need be with SIGKILL, and starts it |
//! | `Reconfigure` | the settings have passed a dry start; what was there is kept and noted as previous, unless something is already; then files and programs are written and these components restarted, and nobody is waited for |
//! | `Confirm` | the journal has no previous any more |
//! | `PutBack` | the run remembers it as failed; then the kept files take the place of the new ones, and all three are restarted with them |
//! | `Retire` | stops the API server last; removes units and files, wipes keys, and removes the record last |
//! | `Rewrite` | files and units as rendered; nothing restarts |
//! | `KeepBundle` | the bundle of that node, or one that was sealed on the first of these hosts, lies on all of them |
//! | `ForgetBundle` | none lies there |
//! | `Record` | the record is complete and holds what is wished |
//! | `Dismantle` | as `Retire`, on all hosts at once; keys are moved aside, or deleted if they are to be purged |

mod arguments;
mod certificates;
mod change;
mod cidr;
mod create;
mod desired;
mod expect;
mod files;
mod flags;
mod found;
mod grow;
mod keep;
mod layout;
mod leave;
mod next;
#[cfg(test)]
mod notation;
mod observed;
mod ranges;
mod recover;
mod refusal;
mod rehearse;
mod renew;
mod rescue;
mod shrink;
#[cfg(test)]
mod simulate;
mod steps;
#[cfg(test)]
mod tables;
mod text;
mod unit;
mod version;
mod view;
mod warnings;

pub use self::arguments::{ArgumentFault, Arguments, Component, Environment};
pub use self::certificates::{Authority, CertificateWish, KUBELET_CLIENT};
pub use self::cidr::{Cidr, CidrFault};
pub use self::desired::{Admission, Audit, Desired, Encryption, Etcd, Extras, TlsVersion, Wish};
pub use self::expect::believe;
pub use self::files::{ConfigFile, EncryptionKey, files};
pub use self::flags::flags;
pub use self::found::settings;
pub use self::layout::{API_SERVER_LEAVES, Layout};
pub use self::leave::leave;
pub use self::next::next;
pub use self::observed::{
    Data, Facts, KeptBundle, KeysId, Leader, Leaders, Node, Observed, Part, Settings,
};
pub use self::refusal::{Refusal, Subject};
pub use self::rehearse::{LOADED, Scratch, Verdict, rehearsal, verdict};
pub use self::steps::Step;
pub use self::text::{
    AuditPolicy, Domain, Endpoint, EtcdEndpoint, Issuer, Prefix, Suite, UrlPath, Word, WordFault,
};
pub use self::unit::service;
pub use self::version::{Version, VersionFault};
pub use self::warnings::{Warning, warnings};

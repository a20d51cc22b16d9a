//! Backups of etcd: when one is taken and by whom, what is kept, what stands beside a snapshot, and whether its pages hold
//! together. Pure.
//!
//! The agent takes snapshots by itself, whether anybody runs Terraform or not: [`Settings`] is the file that tells it how.
//! What brings that file, and the service that reads it, to the hosts is the planner in [`hosts`].

mod bucket;
mod found;
#[cfg(feature = "provider")]
pub mod hosts;
mod manifest;
#[cfg(feature = "agent")]
pub mod pages;
mod retention;
mod schedule;
mod settings;
mod turn;

pub use self::bucket::{Bucket, BucketFault, Keys, ObjectStore};
pub use self::found::{Found, leaving, object, surplus, together};
pub use self::manifest::{Compression, MOST_MANIFEST, Manifest, ManifestFault};
pub use self::retention::{Kept, Retention, forget};
pub use self::schedule::{Moment, Schedule, ScheduleFault, stamp, unstamp};
pub use self::settings::{Cluster, Member, Settings, SettingsFault, Store, is_of};
pub use self::turn::{Missed, Turn, turn};

//! Certificates of a cluster: an authority of its own on its hosts, and leaves that it signs there.
//!
//! [`Certificate`] is what was found, [`Profile`] what is wanted, and [`due`] why the one does not do for the other.
//! [`next`] plans for all hosts of a cluster at once. It never sees a private key: a key is known by the digest of its
//! public half. Nor does it know paths or services; to reload what has read a certificate is up to the resource.

mod certificate;
mod due;
mod next;
mod plan;
mod profile;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;

pub use self::certificate::{Certificate, CertificateError, Digest, Usage};
pub use self::due::{Reason, authority_warning, due};
pub use self::next::{drift, next};
pub use self::plan::{
    Authority, Desired, DesiredError, Found, Leaf, Observed, Pair, Refusal, Seen, Step, Wish,
};
pub use self::profile::{Profile, ProfileError};

//! What is installed on hosts: where it comes from, and by which digest it is known.

mod checksums;
mod digest;
mod release;
mod source;
mod template;

pub use self::checksums::{ChecksumError, find};
pub use self::digest::{Digest, DigestError};
pub use self::release::{Architecture, Member, Project, Release, Version, VersionError};
pub use self::source::{Checksum, Located, Source};
pub use self::template::{Template, TemplateError};

/// One file of a release, of which everything is known before a host is asked to fetch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it belongs to.
    pub project: Project,
    /// Of the project.
    pub version: Version,
    /// What it runs on, beside Linux.
    pub architecture: Architecture,
    /// What it is called where it comes from.
    pub file: String,
    /// Of the file as it is downloaded.
    pub digest: Digest,
    /// What is installed of it.
    pub members: Vec<Member>,
}

impl Artifact {
    /// A release that was located, once its digest is known.
    pub fn new(release: &Release, located: &Located, digest: Digest) -> Self {
        Self {
            project: release.project(),
            version: release.version().clone(),
            architecture: release.architecture(),
            file: located.file.clone(),
            digest,
            members: release.members(),
        }
    }
}

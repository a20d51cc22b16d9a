//! What stands beside a snapshot: whose it is, of when, and what its bytes are to be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schedule::Moment;

/// The form of manifests. Rises when an older reader would misread.
const FORMAT: u32 = 1;
/// How the names of manifests end.
pub(super) const MANIFEST: &str = ".json";
/// No file that is longer, in bytes, is read as a manifest, which has less than a thousandth.
pub const MOST_MANIFEST: u64 = 1 << 20;

/// How a snapshot is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As Zstandard.
    #[default]
    Zstd,
    /// As it came.
    None,
}

impl Compression {
    /// How the names of such files end.
    pub fn end(self) -> &'static str {
        match self {
            Self::Zstd => ".db.zst",
            Self::None => ".db",
        }
    }

    /// What stands before such an end in the name of a file: the longer end first.
    pub fn before_end(file: &str) -> Option<&str> {
        [Self::Zstd, Self::None].iter().find_map(|it| file.strip_suffix(it.end()))
    }
}

/// What stands beside a snapshot. It is written once the snapshot was verified: its digest was right, its pages hold
/// together, and its revision is as new as was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the manifest itself.
    pub format: u32,
    /// Of both files, without their ends.
    pub name: String,
    /// The cluster.
    pub cluster: String,
    /// Its id in Terraform, which it has for life.
    pub cluster_resource: String,
    /// Its id in etcd, in hexadecimal digits; a restore changes it.
    pub cluster_id: String,
    /// The backup that it belongs to.
    pub backup: String,
    /// The name of the member that it is of.
    pub member: String,
    /// The slot that it is for. None: it was asked for beside the schedule.
    pub slot: Option<Moment>,
    /// When it was taken.
    pub taken: Moment,
    /// The last change in it.
    pub revision: u64,
    /// Of the member.
    pub etcd_version: String,
    /// Of the program that took it.
    pub agent_version: String,
    /// How it is stored.
    pub compression: Compression,
    /// Of the stored file, in bytes.
    pub size: u64,
    /// Of the stored file, in hexadecimal digits.
    pub sha256: String,
    /// Of the snapshot before it was compressed, with the digest at its end, in bytes.
    pub database_size: u64,
    /// Fingerprints of the keys that Secrets in it are encrypted with, by the names of the control planes that used the
    /// cluster; as far as its hosts knew them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub encryption_keys: BTreeMap<String, String>,
}

/// Why something is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFault {
    /// Not in this form.
    #[error("it is no manifest")]
    Form(#[source] serde_json::Error),
    /// Of a later version.
    #[error("it has format {0}, and this version reads up to {FORMAT}")]
    Newer(u32),
    /// The manifest of another snapshot.
    #[error("it is the manifest of {0:?}")]
    Other(String),
}

impl Manifest {
    /// The name of the file with the manifest of a snapshot.
    pub fn beside(name: &str) -> String {
        format!("{name}{MANIFEST}")
    }

    /// Without anything in it.
    pub fn empty() -> Self {
        Self {
            format: FORMAT,
            name: String::new(),
            cluster: String::new(),
            cluster_resource: String::new(),
            cluster_id: String::new(),
            backup: String::new(),
            member: String::new(),
            slot: None,
            taken: 0,
            revision: 0,
            etcd_version: String::new(),
            agent_version: String::new(),
            compression: Compression::default(),
            size: 0,
            sha256: String::new(),
            database_size: 0,
            encryption_keys: BTreeMap::new(),
        }
    }

    /// The moment that it covers: its slot, or when it was taken.
    pub fn covers(&self) -> Moment {
        self.slot.unwrap_or(self.taken)
    }

    /// The name of the file beside it.
    pub fn file(&self) -> String {
        format!("{}{}", self.name, self.compression.end())
    }

    /// As a text for people and programs.
    ///
    /// # Errors
    /// None that a manifest can cause.
    pub fn print(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|it| it + "\n")
    }

    /// Reads the manifest of the snapshot that is called so.
    ///
    /// # Errors
    /// It is none, or that of another.
    pub fn parse(text: &[u8], name: &str) -> Result<Self, ManifestFault> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(text).map_err(ManifestFault::Form)?;
        if FORMAT < head.format {
            return Err(ManifestFault::Newer(head.format));
        }
        let found: Self = serde_json::from_slice(text).map_err(ManifestFault::Form)?;
        if found.name == name { Ok(found) } else { Err(ManifestFault::Other(found.name)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_comes_back_and_no_other_is_taken_for_it() {
        let manifest = Manifest {
            name: "prod.nightly.20261129T020000Z".to_owned(),
            slot: Some(7),
            revision: 42,
            ..Manifest::empty()
        };
        let text = manifest.print().unwrap();
        assert_eq!(Manifest::parse(text.as_bytes(), &manifest.name).unwrap(), manifest);
        assert_eq!(manifest.file(), "prod.nightly.20261129T020000Z.db.zst");
        let said = |text: &str, name: &str| {
            Manifest::parse(text.as_bytes(), name).unwrap_err().to_string()
        };
        assert_eq!(said(&text, "x"), "it is the manifest of \"prod.nightly.20261129T020000Z\"");
        assert_eq!(said("{}", "x"), "it is no manifest");
        assert_eq!(said(&text[..text.len() / 2], "x"), "it is no manifest");
        let later = r#"{"format": 2, "what": "else"}"#;
        assert_eq!(said(later, "x"), "it has format 2, and this version reads up to 1");
    }
}

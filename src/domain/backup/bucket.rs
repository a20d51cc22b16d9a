//! Where snapshots go that do not stay on hosts: a bucket of S3, and what proves who asks there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A bucket of S3, or of a service that speaks its protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where it is. None: as the service takes it.
    pub region: Option<String>,
    /// URL of the service. None: that of AWS for the region.
    pub endpoint: Option<String>,
    /// Whether the bucket is named in the path, and not in the name of the server.
    pub path_style: bool,
    /// What the names of all objects begin with.
    pub prefix: String,
    /// PEM of who is believed beside those of the system.
    pub ca_certificate: Option<String>,
}

/// What proves who asks. It prints as dots.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Which pair.
    pub access_key: String,
    /// What signs.
    pub secret_key: String,
}

/// A bucket, what proves who asks there, and what users call both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectStore {
    /// By what name it is chosen.
    pub name: String,
    /// Where it is.
    pub bucket: Bucket,
    /// None: what the machine may do by its role.
    pub keys: Option<Keys>,
}

/// Why a text says nothing of a bucket. What it holds is not told: it may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketFault {
    /// Not in this form.
    #[error("it says no bucket in a form that this version knows")]
    Bucket,
    /// Not in this form.
    #[error("it has no keys in a form that this version knows")]
    Keys,
}

impl Bucket {
    /// As a text for an agent.
    ///
    /// # Errors
    /// None that a bucket can cause.
    pub fn print(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads such a text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, BucketFault> {
        serde_json::from_slice(text).map_err(|_| BucketFault::Bucket)
    }
}

impl Keys {
    /// As a file.
    ///
    /// # Errors
    /// None that keys can cause.
    pub fn print(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|it| it + "\n")
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &[u8]) -> Result<Self, BucketFault> {
        serde_json::from_slice(text).map_err(|_| BucketFault::Keys)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_come_back_and_no_key_is_told() {
        let bucket = Bucket {
            name: "b".to_owned(),
            endpoint: Some("https://s3.example".to_owned()),
            prefix: "etcd/".to_owned(),
            ..Bucket::default()
        };
        assert_eq!(Bucket::parse(bucket.print().unwrap().as_bytes()).unwrap(), bucket);
        let keys = Keys { access_key: "hunter2".to_owned(), secret_key: "hunter3".to_owned() };
        let text = keys.print().unwrap();
        assert_eq!(Keys::parse(text.as_bytes()).unwrap(), keys);
        assert_eq!(format!("{keys:?}"), "Keys(…)");
        let said = Keys::parse(text.replace("secret_key", "hunter4").as_bytes()).unwrap_err();
        assert!(!format!("{said} {said:?}").contains("hunter"), "{said}");
        Bucket::parse(text.as_bytes()).unwrap_err();
    }
}

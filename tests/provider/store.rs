//! Objects as JSON files, and a log of what was done to them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A directory of objects.
pub(crate) struct Store(PathBuf);

/// What is really there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) note: Option<String>,
    pub(crate) size: i64,
    pub(crate) serial: i64,
    /// The password, to prove that a write-only value arrived.
    #[serde(default)]
    pub(crate) password: Option<String>,
    /// The last applied state in MessagePack, so that an import finds the thing whole.
    #[serde(default)]
    pub(crate) state: Vec<u8>,
    /// Set by hand in a test: somebody else changed the object.
    #[serde(default)]
    pub(crate) edited: bool,
}

impl Store {
    pub(crate) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self(directory))
    }

    pub(crate) fn directory(&self) -> String {
        self.0.display().to_string()
    }

    /// Appends a line to `events.log`.
    pub(crate) fn log(&self, event: &str) -> io::Result<()> {
        let log = self.0.join("events.log");
        let mut log = OpenOptions::new().create(true).append(true).open(log)?;
        // One write, so that lines of parallel operations do not mix.
        log.write_all(format!("{event}\n").as_bytes())
    }

    /// The object, or `None` when there is proof that there is none.
    pub(crate) fn get(&self, name: &str) -> io::Result<Option<Record>> {
        match fs::read(self.path(name)) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(err),
        }
    }

    pub(crate) fn put(&self, record: &Record) -> io::Result<()> {
        let path = self.path(&record.name);
        let beside = path.with_extension("new");
        fs::write(&beside, serde_json::to_vec_pretty(record)?)?;
        fs::rename(beside, path)
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    }

    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(|it| it.strip_suffix(".json")).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

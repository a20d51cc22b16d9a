//! What a bundle holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The form of bundles. Rises when an older reader would misread.
const FORMAT: u32 = 1;

/// Files of an object, and whose they are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    format: u32,
    /// Of the object.
    pub kind: String,
    /// Of the object.
    pub name: String,
    /// Of the object.
    pub id: String,
    /// Text by name.
    pub files: BTreeMap<String, String>,
}

impl Bundle {
    /// These files, of the object of this kind, name and id.
    pub fn new(
        kind: String,
        name: String,
        id: String,
        files: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { format: FORMAT, kind, name, id, files: files.into_iter().collect() }
    }

    /// None: it is none, or one that a later provider has made.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let found: Self = serde_json::from_slice(content).ok()?;
        (found.format == FORMAT).then_some(found)
    }

    /// # Errors
    /// Never: all of it is text.
    pub fn print(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}

impl fmt::Debug for Bundle {
    /// The files are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({} {:?})", self.kind, self.name)
    }
}

//! A path that is built only when something is wrong with it.

use crate::tfplugin::path::Path;

/// The way from the root to the value at hand, kept on the stack while values are walked.
#[derive(Clone, Copy, Debug)]
pub enum Trail<'a> {
    /// The block itself.
    Root,
    /// An attribute of an object.
    Attribute(&'a Trail<'a>, &'a str),
    /// An element of a map.
    Key(&'a Trail<'a>, &'a str),
    /// An element of a list.
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    /// The path; of an element of a set the path of the set, for such an element has no address.
    pub fn path(&self) -> Path {
        match self {
            Self::Root => Path::default(),
            Self::Attribute(parent, name) => parent.path().attribute(name),
            Self::Key(parent, key) => parent.path().key(key),
            Self::Index(parent, index) => parent.path().index(*index),
        }
    }
}

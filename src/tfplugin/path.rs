//! Where a value is inside an object: the attribute path of a diagnostic.

use std::fmt;

use crate::proto::tfplugin6::{AttributePath, attribute_path};

/// A path from the root of a resource, data source or provider block to one value in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

/// One step of a [`Path`]. An element of a set has no address, so there is no step for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a map.
    Key(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

impl Path {
    /// The path of a top-level attribute.
    pub fn root(attribute: &str) -> Self {
        Self::default().attribute(attribute)
    }

    /// The attribute `name` of the object at this path.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.then(Step::Attribute(name.to_owned()))
    }

    /// The element `key` of the map at this path.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Step::Key(key.to_owned()))
    }

    /// The element `index` (from 0) of the list at this path.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// The steps from the root.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether this is the object itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The same path, seen from one level further out.
    #[must_use]
    pub(crate) fn inside(mut self, step: Step) -> Self {
        self.0.insert(0, step);
        self
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(crate) fn to_proto(&self) -> AttributePath {
        use attribute_path::step::Selector;
        let selector = |step: &Step| match step {
            Step::Attribute(name) => Selector::AttributeName(name.clone()),
            Step::Key(key) => Selector::ElementKeyString(key.clone()),
            Step::Index(at) => Selector::ElementKeyInt(i64::try_from(*at).unwrap_or(i64::MAX)),
        };
        let step = |it| attribute_path::Step { selector: Some(selector(it)) };
        AttributePath { steps: self.0.iter().map(step).collect() }
    }
}

/// As Terraform writes it: `members["a"].host.address`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if at == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_in_terraform() {
        let path = Path::root("members").key("a").attribute("tags").index(2);
        assert_eq!(path.to_string(), r#"members["a"].tags[2]"#);
        let path = path.inside(Step::Index(1)).inside(Step::Attribute("clusters".to_owned()));
        assert_eq!(path.to_string(), r#"clusters[1].members["a"].tags[2]"#);
    }
}

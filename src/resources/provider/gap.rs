//! What is not there although somebody asks for it: not known yet, or not usable.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Known only after apply. A plan skips what needs it.
    Unknown(Unknown),
    /// Wrong, or missing.
    Fault(Diagnostic),
}

/// A value that is known only after apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Of the provider block.
    Provider(Path),
    /// Of the resource at hand.
    Own(Path),
}

impl Gap {
    /// For what cannot go on without, such as an ephemeral resource or an apply.
    pub fn into_error(self) -> Diagnostic {
        match self {
            Self::Unknown(unknown) => unknown.error(),
            Self::Fault(fault) => fault,
        }
    }
}

impl Unknown {
    /// For a read: nothing is contacted.
    pub fn warning(&self) -> Diagnostic {
        let detail = format!("{self} is known only after apply. What is stored stays as it is.");
        self.pointed(Diagnostic::warning("The hosts cannot be looked at yet", detail))
    }

    /// For what cannot go on without.
    pub fn error(&self) -> Diagnostic {
        let detail = format!("{self} is known only after apply.");
        let hint = "Apply what it depends on first, with `-target`, or use a value that is known.";
        self.pointed(
            Diagnostic::error("A value is missing that is not known yet", detail).hint(hint),
        )
    }

    /// A path into another block would point at nothing.
    fn pointed(&self, diagnostic: Diagnostic) -> Diagnostic {
        match self {
            Self::Provider(_) => diagnostic,
            Self::Own(path) => diagnostic.at(path.clone()),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(path) => write!(f, "`{path}` of the provider block"),
            Self::Own(path) => write!(f, "`{path}`"),
        }
    }
}

/// What a map of the provider block became.
#[derive(Debug)]
pub(super) struct Named<T> {
    /// The attribute of the provider block.
    pub(super) attribute: &'static str,
    /// What is written there.
    pub(super) entries: BTreeMap<String, Result<Arc<T>, Gap>>,
    /// Whether more of them may come.
    pub(super) is_open: bool,
}

impl<T> Named<T> {
    /// The entry of this name, which stands at `asked`.
    ///
    /// # Errors
    /// There is none, or it is not known yet.
    pub(super) fn get(&self, name: &str, asked: &Path) -> Result<Arc<T>, Gap> {
        if let Some(entry) = self.entries.get(name) {
            return entry.clone();
        }
        if self.is_open {
            return Err(Gap::Unknown(Unknown::Provider(Path::root(self.attribute))));
        }
        let attribute = self.attribute;
        let names: Vec<_> = self.entries.keys().map(|it| format!("{it:?}")).collect();
        let others = match names.len() {
            0 => format!("It has no `{attribute}` at all."),
            _ => format!("There is {}.", names.join(", ")),
        };
        let summary = format!("`{asked}` names what the provider does not have");
        let missing = Path::root(attribute).key(name);
        let detail = format!("The provider block has no `{missing}`. {others}");
        let hint = "Add it to the provider block, or name another.";
        Err(Gap::Fault(Diagnostic::error(summary, detail).at(asked.clone()).hint(hint)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfplugin::diagnostics::Severity;

    #[test]
    fn a_read_goes_on_without_and_others_say_what_is_missing() {
        let host = Path::root("members").key("a").attribute("address");
        let check = |unknown: Unknown, name: &str, path: Path| {
            let warning = unknown.warning();
            assert_eq!(warning.severity(), Severity::Warning);
            assert!(warning.detail().starts_with(name), "{}", warning.detail());
            let error = Gap::Unknown(unknown).into_error();
            assert_eq!(error.severity(), Severity::Error);
            assert!(error.detail().starts_with(name), "{}", error.detail());
            assert_eq!([warning.path(), error.path()], [&path, &path]);
        };
        let key = Path::root("ssh").attribute("private_key");
        let name = "`ssh.private_key` of the provider block is";
        check(Unknown::Provider(key), name, Path::default());
        check(Unknown::Own(host.clone()), "`members[\"a\"].address` is", host);
    }
}

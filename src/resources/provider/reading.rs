//! Reading one object of the provider block: the values that are there, and everything that is wrong with them.

use std::path::PathBuf;

use super::gap::{Gap, Unknown};
use crate::resources::checks::is_label;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Secret, Value};

/// Looks up a variable; an empty one is an absent one.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The environment of this process. Nothing else in the provider looks at it for values of the provider block.
pub(super) fn environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|it| !it.is_empty())
}

/// What a thing in a map of the provider block is called must be safe in texts, and as the name of a file.
pub(super) fn check_name(what: &str, name: &str, at: &Path, told: &mut Diagnostics) {
    if !is_label(name) {
        let detail = format!(
            "{name:?} must be 1 to 40 letters, digits, `.`, `-` and `_`, with a letter or a digit first."
        );
        told.push(Diagnostic::error(format!("{what} has an unusable name"), detail).at(at.clone()));
    }
}

/// An object that is being read.
pub(super) struct Reading<'a> {
    at: Path,
    environment: Environment<'a>,
    faults: Diagnostics,
    gap: Option<Gap>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(at: Path, environment: Environment<'a>) -> Self {
        Self { at, environment, faults: Diagnostics::new(), gap: None }
    }

    /// Where the object is.
    pub(super) fn at(&self) -> &Path {
        &self.at
    }

    /// The value of an attribute. Where it is unknown, the object as a whole is, in the end.
    pub(super) fn known<T: Clone>(&mut self, name: &str, value: &Value<T>) -> Option<T> {
        if value.is_unknown() {
            let unknown = Gap::Unknown(Unknown::Provider(self.at.attribute(name)));
            self.gap.get_or_insert(unknown);
        }
        value.known().cloned()
    }

    /// The value of an attribute, or of a variable.
    pub(super) fn secret(
        &mut self,
        name: &str,
        value: &Value<Secret<String>>,
        variable: &str,
    ) -> Option<Secret<String>> {
        match value {
            Value::Null => self.variable(variable).map(Secret::new),
            value => self.known(name, value),
        }
    }

    /// A variable of the environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }

    /// A path, with `~` for the home of the user. What is relative starts where Terraform was started.
    pub(super) fn path(&mut self, name: &str, value: &Value<String>) -> Option<PathBuf> {
        let text = self.known(name, value)?;
        self.expand(name, &text)
    }

    /// As [`Reading::path`], of a text that is known.
    pub(super) fn expand(&mut self, name: &str, text: &str) -> Option<PathBuf> {
        let Some(rest) = text.strip_prefix('~') else { return Some(PathBuf::from(text)) };
        let path = self.at.attribute(name);
        let summary = format!("`{path}` cannot be found");
        if !rest.is_empty() && !rest.starts_with('/') {
            let detail = "Only `~` alone stands for a home, that of the user who runs Terraform.";
            self.fault(name, Diagnostic::error(summary, detail).hint("Write the path without it."));
            return None;
        }
        let Some(home) = self.variable("HOME") else {
            let detail = format!("{text:?} begins with `~`, and HOME is not set.");
            let hint = "Set HOME, or write an absolute path.";
            self.fault(name, Diagnostic::error(summary, detail).hint(hint));
            return None;
        };
        Some(PathBuf::from(home).join(rest.trim_start_matches('/')))
    }

    /// Something is wrong with an attribute.
    pub(super) fn fault(&mut self, name: &str, diagnostic: Diagnostic) -> Gap {
        self.fault_at(self.at.attribute(name), diagnostic)
    }

    /// Something is wrong with the object.
    pub(super) fn fault_at(&mut self, path: Path, diagnostic: Diagnostic) -> Gap {
        let diagnostic = diagnostic.at(path);
        self.faults.push(diagnostic.clone());
        Gap::Fault(diagnostic)
    }

    /// What was unknown so far.
    pub(super) fn gap(&self) -> Option<Gap> {
        self.gap.clone()
    }

    /// What the object cannot do without, and was read elsewhere, where its faults were told.
    pub(super) fn needs<T>(&mut self, read: Result<T, Gap>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(gap) => {
                self.gap = Some(gap);
                None
            }
        }
    }

    /// Everything was looked at.
    ///
    /// # Errors
    /// Something is wrong, which is told now, or not known yet.
    pub(super) fn end(self, told: &mut Diagnostics) -> Result<(), Gap> {
        let first = self.faults.iter().next().cloned().map(Gap::Fault);
        told.extend(self.faults);
        first.or(self.gap).map_or(Ok(()), Err)
    }
}

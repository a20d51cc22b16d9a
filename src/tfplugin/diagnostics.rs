//! What the user is told: errors and warnings, at a path when an attribute is at fault.

use std::error::Error;

use super::path::Path;
use crate::proto::tfplugin6;

/// How bad it is. There is no third kind: progress belongs into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The operation did not reach what was planned.
    Error,
    /// It did, and the user should know something.
    Warning,
}

/// One problem. The summary says what is not as planned; the detail tells the whole chain, what is
/// saved and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    severity: Severity,
    summary: String,
    detail: String,
    path: Path,
}

impl Diagnostic {
    /// An error; `detail` is a text or an error, of which the whole chain of sources is told.
    pub fn error(summary: impl Into<String>, detail: impl Explain) -> Self {
        Self::new(Severity::Error, summary.into(), detail.explain())
    }

    /// A warning; `detail` as in [`Diagnostic::error`].
    pub fn warning(summary: impl Into<String>, detail: impl Explain) -> Self {
        Self::new(Severity::Warning, summary.into(), detail.explain())
    }

    fn new(severity: Severity, summary: String, detail: String) -> Self {
        Self { severity, summary, detail, path: Path::default() }
    }

    /// The same problem, at the attribute that is at fault.
    #[must_use]
    pub fn at(mut self, path: Path) -> Self {
        self.path = path;
        self
    }

    /// The same problem with a next action, a full sentence, in a paragraph of its own.
    #[must_use]
    pub fn hint(mut self, sentence: &str) -> Self {
        if !self.detail.is_empty() {
            self.detail.push_str("\n\n");
        }
        self.detail.push_str(sentence);
        self
    }

    /// Error or warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is not as planned, in one line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The whole chain, what is saved, the next action.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The attribute at fault; the root when it is the object as a whole.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Terraform and OpenTofu point at a top-level attribute, but for a path inside one only at the
    /// block, so that the text must name it.
    fn detail_with_path(&self) -> String {
        let path = self.path.to_string();
        let is_told = self.summary.contains(&path) || self.detail.contains(&path);
        if self.path.steps().len() < 2 || is_told {
            return self.detail.clone();
        }
        self.clone().hint(&format!("This is about `{path}`.")).detail
    }

    fn to_proto(&self) -> tfplugin6::Diagnostic {
        let severity = match self.severity {
            Severity::Error => tfplugin6::diagnostic::Severity::Error,
            Severity::Warning => tfplugin6::diagnostic::Severity::Warning,
        };
        tfplugin6::Diagnostic {
            severity: severity.into(),
            summary: self.summary.clone(),
            detail: self.detail_with_path(),
            attribute: (!self.path.is_root()).then(|| self.path.to_proto()),
        }
    }
}

/// What can be told in a diagnostic's detail.
pub trait Explain {
    /// The text; of an error with all its sources.
    fn explain(self) -> String;
}

impl Explain for &str {
    fn explain(self) -> String {
        self.to_owned()
    }
}

impl Explain for String {
    fn explain(self) -> String {
        self
    }
}

impl<E: Error> Explain for &E {
    fn explain(self) -> String {
        let mut text = self.to_string();
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

/// A list of problems, in the order in which they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// No problem yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|it| it.severity == Severity::Error)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All problems, first found first.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    pub(crate) fn to_proto(&self) -> Vec<tfplugin6::Diagnostic> {
        self.0.iter().map(Diagnostic::to_proto).collect()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_path_is_named_in_the_text() {
        let detail = |diag: Diagnostic| diag.to_proto().detail;
        let nested = Path::root("members").key("a").attribute("address");
        let fault = |text: &str| Diagnostic::error("Two members share an address", text);
        assert_eq!(detail(fault("Why.").at(Path::root("members"))), "Why.");
        let named = "Why.\n\nThis is about `members[\"a\"].address`.";
        assert_eq!(detail(fault("Why.").at(nested.clone())), named);
        let told = "`members[\"a\"].address` is used twice.";
        assert_eq!(detail(fault(told).at(nested)), told);
    }

    #[test]
    fn an_error_is_told_with_all_its_sources() {
        let inner = std::io::Error::other("no route to host");
        let outer = std::io::Error::new(std::io::ErrorKind::TimedOut, Chain(inner));
        assert_eq!((&outer).explain(), "cannot open a session: no route to host");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open a session")]
    struct Chain(#[source] std::io::Error);
}

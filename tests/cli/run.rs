//! What an engine said and how it ended.

use std::process::Output;

use serde_json::Value;

pub(crate) struct Run {
    code: Option<i32>,
    stdout: Vec<u8>,
    /// Everything it said.
    pub(crate) text: String,
    /// The same without line breaks and frames, which depend on the width.
    flat: String,
}

impl Run {
    pub(crate) fn new(what: &str, output: &Output) -> Self {
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
        // What went wrong comes first: reports of tests are cut.
        let text = format!("{what}\n{stderr}\n{stdout}");
        let words = text.split_whitespace().filter(|it| !["│", "╷", "╵"].contains(it));
        let flat = words.collect::<Vec<_>>().join(" ");
        Self { code: output.status.code(), stdout: output.stdout.clone(), text, flat }
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "it failed:\n{}", self.text);
        self
    }

    /// Succeeds; after `plan -detailed-exitcode` that is: nothing would be changed.
    #[track_caller]
    pub(crate) fn plans_nothing(self) -> Self {
        assert_eq!(self.code, Some(0), "the plan is not empty:\n{}", self.text);
        self
    }

    /// Fails with errors of its own: nothing crashed, and no bug was told.
    #[track_caller]
    pub(crate) fn fails(self) -> Self {
        let run = self.fails_and_lives();
        for bug in ["bug in the provider", "inconsistent"] {
            assert!(!run.has(bug), "a bug was told:\n{}", run.text);
        }
        run
    }

    /// Fails, by whatever it is, and the process of the provider lives on.
    #[track_caller]
    pub(crate) fn fails_and_lives(self) -> Self {
        assert_eq!(self.code, Some(1), "it did not fail:\n{}", self.text);
        for crash in ["plugin crashed", "did not respond", "Request cancelled", "stack trace"] {
            assert!(
                !self.has(crash),
                "the process of the provider did not live on:\n{}",
                self.text
            );
        }
        self
    }

    /// Whether it said so, at any width.
    pub(crate) fn has(&self, sentence: &str) -> bool {
        self.flat.contains(sentence)
    }

    #[track_caller]
    pub(crate) fn says(self, sentence: &str) -> Self {
        assert!(self.has(sentence), "{sentence:?} was not said:\n{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn never_says(self, sentence: &str) -> Self {
        assert!(!self.has(sentence), "{sentence:?} was said:\n{}", self.text);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

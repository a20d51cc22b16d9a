//! The command line of the agent. Pure.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Without a heartbeat for so long the agent ends.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) const USAGE: &str = "\
usage: ha-agent serve --nonce TEXT [--root DIRECTORY] [--silence MILLISECONDS]
       ha-agent --version

The provider starts it; there is nothing in it for people.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Serve(Options),
    Version,
}

/// How to serve.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Options {
    /// Stands in the first line, so that the client finds it behind whatever a login script printed.
    pub(super) nonce: String,
    /// A directory that stands for the host.
    pub(super) root: Option<PathBuf>,
    pub(super) silence: Duration,
}

/// Reads the arguments, without the name of the program. None: they make no sense.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Option<Wish> {
    let mut arguments = arguments.into_iter();
    match arguments.next()?.to_str()? {
        "--version" if arguments.next().is_none() => return Some(Wish::Version),
        "serve" => {}
        _ => return None,
    }
    let mut options = Options { nonce: String::new(), root: None, silence: SILENCE };
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.to_str()? {
            "--nonce" => options.nonce = value.into_string().ok()?,
            "--root" => options.root = Some(value.into()),
            "--silence" => options.silence = Duration::from_millis(value.to_str()?.parse().ok()?),
            _ => return None,
        }
    }
    let is_nonce = (8..=64).contains(&options.nonce.len())
        && options.nonce.bytes().all(|it| it.is_ascii_alphanumeric());
    let is_root = options.root.as_ref().is_none_or(|it| it.is_absolute());
    (is_nonce && is_root).then_some(Wish::Serve(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(line: &str) -> Option<Wish> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_command_line() {
        assert_eq!(given("--version"), Some(Wish::Version));
        let wish = Options { nonce: "12345678".to_owned(), root: None, silence: SILENCE };
        assert_eq!(given("serve --nonce 12345678"), Some(Wish::Serve(wish)));
        let wish = Options {
            nonce: "abcdefgh".to_owned(),
            root: Some("/r".into()),
            silence: Duration::from_millis(5),
        };
        assert_eq!(given("serve --root /r --silence 5 --nonce abcdefgh"), Some(Wish::Serve(wish)));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "serve",
            "serve --nonce",
            "serve --nonce short",
            "serve --nonce 1234567;",
            "serve --nonce 12345678 --root relative",
            "serve --nonce 12345678 --silence soon",
            "serve --nonce 12345678 --what 1",
            "--version now",
            "backup",
        ] {
            assert_eq!(given(line), None, "{line}");
        }
    }
}

//! The command line of the agent. Pure.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Without a heartbeat for so long the agent ends.
const SILENCE: Duration = Duration::from_secs(30);

/// keepalived asks every second.
const PROBE_LIMIT: Duration = Duration::from_millis(800);

pub(super) const USAGE: &str = "\
usage: ha-agent serve --nonce TEXT [--root DIRECTORY] [--silence MILLISECONDS]
       ha-agent supervise --unit NAME [--root DIRECTORY]
       ha-agent launch PARENT OPEN-FILES PROGRAM [ARGUMENT…]
       ha-agent probe --socket PATH [--limit MILLISECONDS]
       ha-agent backup --settings PATH [--root DIRECTORY]
       ha-agent --version

The provider starts it; there is nothing in it for people.
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Serve(Options),
    Supervise(Supervised),
    Launch(Launch),
    Probe(Probe),
    Backup(Resident),
    Version,
}

/// Which service to keep running.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Supervised {
    pub(super) root: Option<PathBuf>,
    /// With its type: `etcd.service`.
    pub(super) unit: String,
}

/// What to become.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Launch {
    /// Nothing is launched for another, and nothing outlives it.
    pub(super) parent: i32,
    /// The largest number of open files; 0: as it is.
    pub(super) open_files: u64,
    pub(super) program: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// Which proxy to ask.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// Where it answers.
    pub(super) socket: PathBuf,
    /// Who answers later is not alive.
    pub(super) limit: Duration,
}

/// What to back up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resident {
    pub(super) root: Option<PathBuf>,
    /// As the system calls it, with any root in front.
    pub(super) settings: PathBuf,
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
        "supervise" => return supervised(arguments).map(Wish::Supervise),
        "probe" => return probed(arguments).map(Wish::Probe),
        "backup" => return resident(arguments).map(Wish::Backup),
        "launch" => {
            let mut number = || arguments.next()?.into_string().ok();
            let (parent, open_files) = (number()?.parse().ok()?, number()?.parse().ok()?);
            let (program, arguments) = (arguments.next()?, arguments.collect());
            return Some(Wish::Launch(Launch { parent, open_files, program, arguments }));
        }
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
    (is_nonce && is_root(options.root.as_ref())).then_some(Wish::Serve(options))
}

fn supervised(mut arguments: impl Iterator<Item = OsString>) -> Option<Supervised> {
    let (mut root, mut unit) = (None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.to_str()? {
            "--root" => root = Some(PathBuf::from(value)),
            "--unit" => unit = Some(value.into_string().ok()?),
            _ => return None,
        }
    }
    is_root(root.as_ref()).then_some(Supervised { root, unit: unit? })
}

fn resident(mut arguments: impl Iterator<Item = OsString>) -> Option<Resident> {
    let (mut root, mut settings) = (None, None);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.to_str()? {
            "--root" => root = Some(PathBuf::from(value)),
            "--settings" => settings = Some(PathBuf::from(value)),
            _ => return None,
        }
    }
    is_root(root.as_ref()).then_some(Resident { root, settings: settings? })
}

fn probed(mut arguments: impl Iterator<Item = OsString>) -> Option<Probe> {
    let (mut socket, mut limit) = (None, PROBE_LIMIT);
    while let Some(name) = arguments.next() {
        let value = arguments.next()?;
        match name.to_str()? {
            "--socket" => socket = Some(PathBuf::from(value)),
            "--limit" => limit = Duration::from_millis(value.to_str()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(Probe { socket: socket?, limit })
}

fn is_root(root: Option<&PathBuf>) -> bool {
    root.is_none_or(|it| it.is_absolute())
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
    fn the_command_lines_of_a_service() {
        let wish = Supervised { root: Some("/r".into()), unit: "a.service".to_owned() };
        assert_eq!(given("supervise --unit a.service --root /r"), Some(Wish::Supervise(wish)));
        let wish = Launch {
            parent: 7,
            open_files: 0,
            program: "/bin/x".into(),
            arguments: vec!["--root".into(), "--".into()],
        };
        assert_eq!(given("launch 7 0 /bin/x --root --"), Some(Wish::Launch(wish)));
        let wish = Resident { root: Some("/r".into()), settings: "/r/etc/x.json".into() };
        assert_eq!(given("backup --settings /r/etc/x.json --root /r"), Some(Wish::Backup(wish)));
        let probe = |limit| Some(Wish::Probe(Probe { socket: "/run/x".into(), limit }));
        assert_eq!(given("probe --socket /run/x"), probe(PROBE_LIMIT));
        assert_eq!(given("probe --limit 5 --socket /run/x"), probe(Duration::from_millis(5)));
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
            "supervise",
            "supervise --root /r",
            "supervise --unit a.service --root r",
            "launch",
            "launch 7 0",
            "launch 7 x /bin/x",
            "backup --root /r",
            "backup --settings",
            "probe",
            "probe --socket",
            "probe --limit 5",
            "probe --socket /x --limit soon",
        ] {
            assert_eq!(given(line), None, "{line}");
        }
    }
}

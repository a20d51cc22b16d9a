//! Reads a unit that [`render`] wrote, and no other: a setting that was not understood would be one that is not obeyed.

use std::time::Duration;

use super::{Definition, DefinitionError, Hardening, Restart, Service, Signal, Start, render};

/// Why a unit is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A setting that is not one of ours.
    #[error("line {line} of the unit holds what only systemd understands")]
    Unknown {
        /// From 1.
        line: usize,
    },
    /// A value that no definition has.
    #[error("the unit holds no service")]
    Invalid(#[source] DefinitionError),
    /// It is understood, and written in another way than ours. Line by line that may mean something else to systemd.
    #[error("line {line} of the unit was changed by somebody else")]
    Changed {
        /// The first that differs, from 1.
        line: usize,
    },
}

/// Reads the unit of the service `name`.
///
/// # Guarantees
/// `render` writes the result as exactly this text.
///
/// # Errors
/// Any other text than `render` writes.
pub fn parse(name: &str, text: &str) -> Result<Definition, ParseError> {
    let mut service = Service::new(name, "", "");
    for (line, number) in text.lines().zip(1..) {
        if line.is_empty() || line.starts_with(['#', '[']) {
            continue;
        }
        let read = line.split_once('=').and_then(|(key, value)| set(&mut service, key, value));
        read.ok_or(ParseError::Unknown { line: number })?;
    }
    let definition = Definition::new(service).map_err(ParseError::Invalid)?;
    let ours = render(&definition);
    if ours == text {
        return Ok(definition);
    }
    let same = ours.lines().zip(text.lines()).take_while(|(ours, theirs)| ours == theirs).count();
    Err(ParseError::Changed { line: same + 1 })
}

/// Takes one setting over. Whether it stands where it belongs, and in our spelling, shows when all is written again.
fn set(service: &mut Service, key: &str, value: &str) -> Option<()> {
    let it = service;
    match key {
        "Description" => it.description = literal(value),
        "After" => it.after = list(value),
        "Wants" => it.wants = list(value),
        "Type" => {
            it.start = match value {
                "simple" => Start::Simple,
                "notify" => Start::Notify,
                _ => return None,
            }
        }
        "User" => it.user = Some(value.to_owned()),
        "Group" => it.group = Some(value.to_owned()),
        "WorkingDirectory" => it.working_directory = Some(literal(value)),
        "Environment" => {
            let word = words(value)?.pop()?;
            let (name, value) = word.split_once('=')?;
            it.environment.insert(name.to_owned(), value.to_owned());
        }
        "ExecStartPre" => it.start_pre.push(command(value)?),
        "ExecStart" => {
            it.arguments = command(value)?;
            it.program = it.arguments.remove(0);
        }
        "ExecReload" => {
            let name = value.strip_prefix("/bin/kill -")?.strip_suffix(" $MAINPID")?;
            it.reload = Some(signal(name)?);
        }
        "ExecStopPost" => it.stop_post.push(command(value)?),
        "Restart" => {
            it.restart = match value {
                "always" => Restart::Always,
                "on-failure" => Restart::OnFailure,
                _ => return None,
            }
        }
        "RestartSec" => it.restart_delay = time(value)?,
        "KillSignal" => it.stop_signal = signal(value.strip_prefix("SIG")?)?,
        "TimeoutStopSec" => it.stop_timeout = time(value)?,
        "LimitNOFILE" => it.open_files = Some(value.parse().ok()?),
        "StateDirectory" => it.state_directories = list(value),
        "RuntimeDirectory" => it.runtime_directories = list(value),
        "ReadWritePaths" => it.writable.push(words(value)?.pop()?),
        "CapabilityBoundingSet" => it.capabilities = Some(list(value)),
        // Always the same, or the same as another.
        "StartLimitIntervalSec"
        | "KillMode"
        | "StateDirectoryMode"
        | "AmbientCapabilities"
        | "WantedBy" => {}
        _ => {
            let known = Hardening::ALL.iter().find(|it| it.setting() == (key, value));
            it.hardening.insert(*known?);
        }
    }
    Some(())
}

fn literal(value: &str) -> String {
    value.replace("%%", "%")
}

fn list(value: &str) -> Vec<String> {
    value.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

/// At least one word.
fn command(value: &str) -> Option<Vec<String>> {
    Some(words(value)?.iter().map(|it| it.replace("$$", "$")).collect())
}

/// Words in quotes with one space between.
fn words(value: &str) -> Option<Vec<String>> {
    let (mut signs, mut words) = (value.chars(), Vec::new());
    loop {
        if signs.next()? != '"' {
            return None;
        }
        let mut word = String::new();
        loop {
            match signs.next()? {
                '"' => break,
                '\\' => word.push(signs.next()?),
                sign => word.push(sign),
            }
        }
        words.push(literal(&word));
        match signs.next() {
            None => return Some(words),
            Some(' ') => {}
            Some(_) => return None,
        }
    }
}

fn signal(name: &str) -> Option<Signal> {
    Signal::ALL.iter().copied().find(|it| it.name() == name)
}

fn time(value: &str) -> Option<Duration> {
    if let Some(number) = value.strip_suffix("ms") {
        return Some(Duration::from_millis(number.parse().ok()?));
    }
    Some(Duration::from_secs(value.strip_suffix('s')?.parse().ok()?))
}

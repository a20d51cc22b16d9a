//! What the fields of a service may hold: whatever systemd reads as it was meant.

use std::time::Duration;

use super::Service;

/// A field that cannot be written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct DefinitionError {
    /// As it is called in [`Service`].
    pub field: &'static str,
    /// What is wrong with its value.
    pub why: &'static str,
}

type Verdict = Result<(), &'static str>;

/// Longer, and somebody mistook the unit.
const LONGEST_TIME: Duration = Duration::from_hours(24);
/// The types of units that can be waited for.
const TYPES: [&str; 6] = [".service", ".target", ".socket", ".mount", ".path", ".slice"];

pub(super) fn check(service: &Service) -> Result<(), DefinitionError> {
    let it = service;
    one("name", file_name(&it.name))?;
    one("description", line(&it.description))?;
    one("program", program(&it.program))?;
    all("arguments", &it.arguments, |it| text(it))?;
    for (name, value) in &it.environment {
        one("environment", variable(name).and_then(|()| text(value)))?;
    }
    all("user", &it.user, |it| account(it))?;
    all("group", &it.group, |it| account(it))?;
    all("working_directory", &it.working_directory, |it| path(it).and_then(|()| line(it)))?;
    one("restart_delay", time(it.restart_delay))?;
    one("stop_timeout", time(it.stop_timeout))?;
    all("after", &it.after, |it| unit(it))?;
    all("wants", &it.wants, |it| unit(it))?;
    all("open_files", &it.open_files, |it| verdict(*it > 0, "is 0"))?;
    all("writable", &it.writable, |it| path(it))?;
    all("capabilities", it.capabilities.iter().flatten(), |it| capability(it))?;
    all("state_directories", &it.state_directories, |it| file_name(it))?;
    all("runtime_directories", &it.runtime_directories, |it| file_name(it))?;
    all("start_pre", &it.start_pre, |it| command(it))?;
    all("stop_post", &it.stop_post, |it| command(it))
}

fn one(field: &'static str, verdict: Verdict) -> Result<(), DefinitionError> {
    verdict.map_err(|why| DefinitionError { field, why })
}

fn all<T>(
    field: &'static str,
    values: impl IntoIterator<Item = T>,
    check: impl Fn(T) -> Verdict,
) -> Result<(), DefinitionError> {
    values.into_iter().try_for_each(|it| one(field, check(it)))
}

fn verdict(is_so: bool, why: &'static str) -> Verdict {
    if is_so { Ok(()) } else { Err(why) }
}

fn text(text: &str) -> Verdict {
    // Older systemd skips a line with one of the code points that Unicode reserves for itself.
    let is_reserved =
        |it: char| (it as u32) & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&(it as u32));
    verdict(
        !text.chars().any(|it| it.is_control() || is_reserved(it)),
        "holds a line feed or another control character",
    )
}

/// The rest of a line, which systemd trims, and continues after a `\` at its end.
fn line(it: &str) -> Verdict {
    text(it)?;
    verdict(!it.is_empty(), "is empty")?;
    verdict(it.trim() == it, "begins or ends with a space")?;
    verdict(!it.contains('\\'), "holds a `\\`")
}

fn path(path: &str) -> Verdict {
    text(path)?;
    verdict(path.starts_with('/'), "is not absolute")?;
    let mut parts = path[1..].split('/');
    verdict(
        path == "/" || !parts.any(|it| matches!(it, "" | "." | "..")),
        "has a part that is empty, `.` or `..`",
    )
}

/// systemd puts variables into arguments, not into the path, so there is no way to write a `$`.
fn program(program: &str) -> Verdict {
    path(program)?;
    verdict(program != "/" && !program.contains('$'), "is no path of a program, or holds a `$`")
}

fn command(argv: &[String]) -> Verdict {
    let Some((first, rest)) = argv.split_first() else { return Err("is empty") };
    program(first)?;
    rest.iter().try_for_each(|it| text(it))
}

fn file_name(name: &str) -> Verdict {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    verdict(
        (1..=100).contains(&name.len())
            && !name.starts_with(['-', '.'])
            && name.chars().all(is_allowed),
        "is not 1 to 100 letters, digits, `.`, `_` and `-`, or begins with `.` or `-`",
    )
}

fn variable(name: &str) -> Verdict {
    verdict(
        !name.is_empty()
            && !name.starts_with(|it: char| it.is_ascii_digit())
            && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_'),
        "has a name with more than letters, digits and `_`",
    )
}

fn account(name: &str) -> Verdict {
    let is_allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_-".contains(it);
    verdict(
        (1..=31).contains(&name.len())
            && name.starts_with(|it: char| it.is_ascii_lowercase() || it == '_')
            && name.chars().all(is_allowed),
        "is not 1 to 31 lower-case letters, digits, `_` and `-`, or begins with a digit or `-`",
    )
}

fn unit(name: &str) -> Verdict {
    let is_allowed = |it: char| it.is_ascii_alphanumeric() || ":._-@".contains(it);
    verdict(
        name.len() <= 200
            && !name.starts_with(['-', '.'])
            && name.chars().all(is_allowed)
            && TYPES.iter().any(|it| name.ends_with(it)),
        "is no unit with its type, such as `network-online.target`",
    )
}

fn capability(name: &str) -> Verdict {
    let is_allowed = |it: char| it.is_ascii_uppercase() || it == '_';
    let rest = name.strip_prefix("CAP_").unwrap_or_default();
    verdict(!rest.is_empty() && rest.chars().all(is_allowed), "is no capability")
}

fn time(time: Duration) -> Verdict {
    verdict(!time.is_zero() && time <= LONGEST_TIME, "is not between 1 ms and 24 h")?;
    verdict(time.subsec_nanos().is_multiple_of(1_000_000), "is not in whole milliseconds")
}

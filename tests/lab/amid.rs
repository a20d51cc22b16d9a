//! An apply in the middle of its work, and what is done to it there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::processes::{Running, children, is_gone, until_within};
use crate::run::Run;
use crate::workspace::Workspace;

/// Something that is done to a run.
pub(crate) type Deed = fn(&Running);

/// No apply of these tests needs longer, whatever is done to hosts and members meanwhile.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// Where an apply tells of its steps.
const LOG: &str = "amid.log";

/// Which runs lose their provider, and what none of them exceeds.
pub(crate) struct Kills {
    /// For each run, whether its provider is killed after its first step that no run before has told of.
    pub(crate) chosen: fn(usize) -> bool,
    /// No run takes longer.
    pub(crate) limit: Duration,
    /// More runs than any of the operations has steps.
    pub(crate) most: usize,
}

/// An apply that has told of a step with these words.
#[track_caller]
pub(crate) fn amid(at: &Workspace, words: &str) -> Running {
    let running = start(at, &[]);
    is_amid(&at.path(LOG), running, words)
}

/// The same of an apply by this command, which was not started.
#[track_caller]
pub(crate) fn amid_command(at: &Workspace, mut command: Command, words: &str) -> Running {
    let log = at.path(LOG);
    let _ = fs::remove_file(&log);
    command.env("TF_LOG_PROVIDER", "INFO").env("TF_LOG_PATH", &log);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    is_amid(&log, Running::new(command.spawn().unwrap()), words)
}

#[track_caller]
fn is_amid(log: &Path, running: Running, words: &str) -> Running {
    let what = format!("a step to {words:?}");
    let is_it = |line: &str| step(line).is_some() && line.contains(words);
    let is_amid = tells(log, &running, &what, LIMIT, is_it);
    assert!(is_amid, "no step was to {words:?}:\n{}", Run::new("apply", &running.end()).text);
    running
}

/// It goes on until all is as planned.
#[track_caller]
pub(crate) fn converges(at: &Workspace, running: Running) {
    Run::new("apply", &running.end_within(LIMIT)).succeeds();
    at.plan_is_empty();
}

/// Applies until it succeeds; runs are killed as soon as they tell of a step of which no run before has told: each begins
/// with what it may not take from an earlier one, such as a snapshot. How many were killed.
#[track_caller]
pub(crate) fn killed_after_steps(at: &Workspace, arguments: &[&str], kills: &Kills) -> usize {
    let mut known = BTreeSet::new();
    for run in 0..kills.most {
        let running = start(at, arguments);
        let is_new = |line: &str| step(line).is_some_and(|it| !known.contains(it));
        let is_killed = (kills.chosen)(run)
            && tells(&at.path(LOG), &running, "another step", kills.limit, is_new);
        if is_killed {
            kill_provider(&running);
        }
        let ended = Run::new("apply", &running.end_within(kills.limit));
        let log = fs::read_to_string(at.path(LOG)).unwrap_or_default();
        known.extend(log.lines().filter_map(step).map(str::to_owned));
        assert!(!ended.has("tainted") && !ended.has("another run is at work"), "{}", ended.text);
        let state = fs::read_to_string(at.path("terraform.tfstate")).unwrap_or_default();
        assert!(!state.contains("tainted"), "{state}");
        if is_killed {
            continue;
        }
        // The last step was the last word to the hosts, and the state never heard it.
        if let Some((address, id)) = import_that_is_asked_for(&ended) {
            at.run(&["import", &address, &id]).succeeds();
            continue;
        }
        ended.succeeds();
        return run;
    }
    panic!("{} applies did not suffice", kills.most);
}

fn start(at: &Workspace, arguments: &[&str]) -> Running {
    let log = at.path(LOG);
    let _ = fs::remove_file(&log);
    Running::new(at.spawn_apply(|command| {
        command.args(arguments).env("TF_LOG_PROVIDER", "INFO").env("TF_LOG_PATH", &log);
    }))
}

/// Waits for a line of the log. False: the run ended before.
fn tells(
    log: &Path,
    running: &Running,
    what: &str,
    limit: Duration,
    is_it: impl Fn(&str) -> bool,
) -> bool {
    let engine = running.pid();
    until_within(limit, what, || {
        let log = fs::read_to_string(log).unwrap_or_default();
        if log.lines().any(&is_it) { Some(true) } else { is_gone(engine).then_some(false) }
    })
}

/// What a line says to be the step.
fn step(line: &str) -> Option<&str> {
    let (_, step) = line.split_once("step=")?;
    match step.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => step.split(' ').next(),
    }
}

/// What Ctrl-C does: the whole group gets it, the provider too.
pub(crate) fn interrupt(running: &Running) {
    kill_process_group(pid(running.pid()), Signal::INT).unwrap();
}

pub(crate) fn interrupt_twice(running: &Running) {
    interrupt(running);
    // An engine takes two at once for one.
    std::thread::sleep(Duration::from_millis(300));
    // It may have come to its end.
    let _ = kill_process_group(pid(running.pid()), Signal::INT);
}

/// Its provider notices, and ends after the steps it is at: until then a next run is told that another is at work.
pub(crate) fn kill_engine(running: &Running) {
    let providers = children(running.pid());
    kill_process(pid(running.pid()), Signal::KILL).unwrap();
    until_within(LIMIT, "the end of the providers", || {
        providers.iter().all(|it| is_gone(*it)).then_some(())
    });
}

pub(crate) fn kill_provider(running: &Running) {
    for provider in children(running.pid()) {
        // It may have come to its end.
        let _ = kill_process(pid(provider), Signal::KILL);
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// Address and id, with which a run says that the object of a lost state can be had back.
fn import_that_is_asked_for(run: &Run) -> Option<(String, String)> {
    let text = run.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, asked) = text.split_once("bring it back by `terraform import ")?;
    let (address, id) = asked.split_once('`')?.0.split_once(' ')?;
    Some((address.replace("NAME", "this"), id.to_owned()))
}

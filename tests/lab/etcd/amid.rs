//! An apply in the middle of its work, and what is done to it there.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::cluster::{ABC, Cluster, VERSION};
use crate::processes::{Running, children, is_gone, until_within};
use crate::run::Run;

/// Something that is done to a run.
pub(crate) type Deed = fn(&Running);

/// No apply of these tests needs longer, whatever is done to hosts and members meanwhile.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// Another setting, so that every member has to restart.
pub(crate) fn quota(number: usize) -> String {
    format!("deletion_protection = false\n  quota_backend_bytes = {}", (1 << 30) + number)
}

/// An apply that has told of a step with these words. None: it ended before.
pub(crate) fn try_amid(on: &Cluster, arguments: &[&str], words: &str) -> (Running, bool) {
    let log = on.at.path("amid.log");
    let _ = fs::remove_file(&log);
    let running = Running::new(on.at.spawn_apply(|command| {
        command.args(arguments).env("TF_LOG_PROVIDER", "INFO").env("TF_LOG_PATH", &log);
    }));
    let engine = running.pid();
    let is_amid = until_within(LIMIT, words, || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let is_told = log.lines().any(|it| it.contains("step=") && it.contains(words));
        if is_told { Some(true) } else { is_gone(engine).then_some(false) }
    });
    (running, is_amid)
}

/// An apply that has told of a step with these words.
#[track_caller]
pub(crate) fn amid(on: &Cluster, words: &str) -> Running {
    let (running, is_amid) = try_amid(on, &[], words);
    assert!(is_amid, "no step was to {words:?}:\n{}", Run::new("apply", &running.end()).text);
    running
}

/// An apply that rolls new settings through the members, and has restarted the first.
#[track_caller]
pub(crate) fn amid_a_roll(on: &Cluster, number: usize) -> Running {
    on.wish(VERSION, &ABC, &quota(number));
    amid(on, "restart etcd on")
}

/// It goes on until all is as planned.
#[track_caller]
pub(crate) fn converges(on: &Cluster, running: Running) {
    Run::new("apply", &running.end_within(LIMIT)).succeeds();
    on.at.plan_is_empty();
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

pub(crate) fn kill_engine(running: &Running) {
    kill_process(pid(running.pid()), Signal::KILL).unwrap();
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

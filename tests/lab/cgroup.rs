//! The processes of a host are those in a cgroup of its own: none can hide from there, and a name is never mistaken.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::within;

const ROOT: &str = "/sys/fs/cgroup";

/// Whether this machine has only cgroup v2. Else systemd uses a hierarchy of its own, beside those of the controllers.
pub(crate) fn unified() -> bool {
    Path::new(ROOT).join("cgroup.controllers").exists()
}

/// The directories of the cgroup of that name, the one by which processes are found first.
fn directories(name: &str) -> Vec<PathBuf> {
    if unified() {
        return vec![Path::new(ROOT).join(name)];
    }
    // A cpuset would have to be filled before a process may enter it; nothing here needs one.
    ["systemd", "unified", "cpu", "cpuacct", "memory", "pids", "devices", "freezer", "blkio"]
        .iter()
        .map(|it| Path::new(ROOT).join(it))
        .filter(|it| it.join("cgroup.procs").exists())
        .map(|it| it.join(name))
        .collect()
}

/// Makes the cgroup; a process enters it by writing its number to each of these files.
pub(crate) fn create(name: &str) -> Vec<PathBuf> {
    let all = directories(name);
    for directory in &all {
        fs::create_dir_all(directory).unwrap();
    }
    all.iter().map(|it| it.join("cgroup.procs")).collect()
}

/// The names of cgroups that begin so.
pub(crate) fn names(prefix: &str) -> Vec<String> {
    let Some(parent) = directories(prefix).first().and_then(|it| it.parent().map(PathBuf::from))
    else {
        return Vec::new();
    };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let names = entries.filter_map(|it| it.file_name().into_string().ok());
    names.filter(|it| it.starts_with(prefix)).collect()
}

/// The processes in the cgroup and below it.
pub(crate) fn processes(name: &str) -> Vec<Pid> {
    let mut found = Vec::new();
    if let Some(directory) = directories(name).first() {
        collect(directory, &mut found);
    }
    found
}

fn collect(directory: &Path, found: &mut Vec<Pid>) {
    let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|it| Pid::from_raw(it.parse().ok()?)));
    for child in children(directory) {
        collect(&child, found);
    }
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|it| it.path()).filter(|it| it.is_dir()).collect()
}

/// Kills until nothing is left; processes that are being born meanwhile are caught by the next look.
pub(crate) fn kill(name: &str) -> Result<(), String> {
    let gone = within(Duration::from_secs(20), || {
        let left = processes(name);
        for pid in &left {
            let _ = kill_process(*pid, Signal::KILL);
        }
        left.is_empty()
    });
    if gone { Ok(()) } else { Err(format!("{name}: processes survive being killed")) }
}

/// Stops or continues each process until none is left that is not so.
pub(crate) fn stop(name: &str, stopped: bool) -> bool {
    let signal = if stopped { Signal::STOP } else { Signal::CONT };
    within(Duration::from_secs(20), || {
        let wrong: Vec<_> = processes(name)
            .into_iter()
            .filter(|it| is_stopped(*it).is_some_and(|it| it != stopped))
            .collect();
        for pid in &wrong {
            let _ = kill_process(*pid, signal);
        }
        wrong.is_empty()
    })
}

/// `None` for a process that has ended.
fn is_stopped(pid: Pid) -> Option<bool> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, even a parenthesis.
    let (_, rest) = stat.rsplit_once(") ")?;
    (!rest.starts_with(['Z', 'X'])).then(|| rest.starts_with('T'))
}

/// Removes the cgroup with all below it. It must be without processes.
pub(crate) fn remove(name: &str) -> Result<(), String> {
    for directory in directories(name) {
        // The kernel may need a moment after the last process.
        if !within(Duration::from_secs(5), || remove_tree(&directory)) {
            return Err(format!("{} cannot be removed", directory.display()));
        }
    }
    Ok(())
}

fn remove_tree(directory: &Path) -> bool {
    for child in children(directory) {
        remove_tree(&child);
    }
    fs::remove_dir(directory).is_ok() || !directory.exists()
}

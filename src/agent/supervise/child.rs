//! Starts what a unit names: its user, its environment, its output.

use std::ffi::OsString;
use std::io::{self, PipeWriter};
use std::process::Stdio;

use rustix::fs::Mode;
use rustix::process::{Pid, geteuid, getpid, kill_process};
use tokio::process::{Child, Command};

use super::units::make_directories;
use crate::agent::fault::Fault;
use crate::agent::files::owner::{Owner, account};
use crate::agent::place::Root;
use crate::agent::program::DIRECTORIES;
use crate::domain::service::{Definition, Signal};

/// systemd's names for where such directories lie.
const STATE: &str = "/var/lib";
pub(super) const RUNTIME: &str = "/run";

/// What all commands of a service have in common.
#[derive(Debug)]
pub(super) struct Setting {
    environment: Vec<(OsString, OsString)>,
    directory: String,
    open_files: u64,
    /// None: as the supervisor.
    user: Option<Owner>,
}

impl Setting {
    /// Makes the directories of the service too.
    pub(super) fn make(root: &Root, definition: &Definition) -> Result<Self, Fault> {
        let user = user(root, definition)?;
        let owner = user.unwrap_or(Owner::of_agent());
        let mut environment: Vec<(OsString, OsString)> =
            vec![("PATH".into(), DIRECTORIES.join(":").into()), ("LANG".into(), "C.UTF-8".into())];
        let readable = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        for (variable, above, names, mode) in [
            ("STATE_DIRECTORY", STATE, &definition.state_directories, Mode::RWXU),
            ("RUNTIME_DIRECTORY", RUNTIME, &definition.runtime_directories, readable),
        ] {
            if !names.is_empty() {
                let paths = make_directories(root, above, names, mode, owner)?;
                environment.push((variable.into(), paths));
            }
        }
        environment.extend(definition.environment.iter().map(|(k, v)| (k.into(), v.into())));
        let directory = definition.working_directory.clone().unwrap_or("/".to_owned());
        let open_files = definition.open_files.unwrap_or_default();
        Ok(Self { environment, directory, open_files, user })
    }

    /// Starts one, which lives no longer than we do.
    pub(super) fn start(
        &self,
        program: &str,
        arguments: &[String],
        notify: Option<&str>,
        output: &PipeWriter,
    ) -> io::Result<Child> {
        // Not by its path: it may be replaced meanwhile, or lie where the user may not look.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("ha-agent")
            .args(["launch", &getpid().to_string(), &self.open_files.to_string(), program])
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(notify.map(|it| ("NOTIFY_SOCKET", it)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        if let Some(Owner { user, group }) = self.user {
            command.uid(user.as_raw()).gid(group.as_raw());
        }
        command.spawn()
    }
}

/// Root alone can become somebody else, and a host in a directory has nobody else.
fn user(root: &Root, definition: &Definition) -> Result<Option<Owner>, Fault> {
    let Some(name) = definition.user.as_ref().filter(|_| !root.is_own() && geteuid().is_root())
    else {
        return Ok(None);
    };
    let main = account(root, "/etc/passwd", name)?.and_then(|it| it.group);
    let group = definition.group.clone().or(main.map(|it| it.to_string()));
    Owner::named(root, name, &group.unwrap_or_default()).map(Some)
}

/// The number of a child that was not waited for yet is its own.
pub(super) fn number(child: &Child) -> i32 {
    child.id().map_or(0, u32::cast_signed)
}

/// Does nothing when it has ended.
pub(super) fn signal(child: &Child, signal: rustix::process::Signal) {
    if let Some(id) = Pid::from_raw(number(child)) {
        // It may be at its end, and is waited for by whoever asked.
        let _ = kill_process(id, signal);
    }
}

pub(super) fn kernel(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Kernel;
    match signal {
        Signal::Hup => Kernel::HUP,
        Signal::Int => Kernel::INT,
        Signal::Quit => Kernel::QUIT,
        Signal::Term => Kernel::TERM,
        Signal::Usr1 => Kernel::USR1,
        Signal::Usr2 => Kernel::USR2,
    }
}

//! Becomes the program of a service. A step of its own, since only the process itself can tie its life to its parent's.
#![expect(clippy::disallowed_methods, reason = "becomes another program")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
    setsid,
};

use crate::agent::options::Launch;

/// Returns only when it could not be done. Environment, directory, user and output are as they are.
pub(in crate::agent) fn launch(wish: &Launch) -> io::Error {
    if let Err(error) = prepare(wish) {
        return error;
    }
    let error = Command::new(&wish.program).args(&wish.arguments).exec();
    io::Error::new(error.kind(), format!("cannot run {}: {error}", wish.program.display()))
}

fn prepare(wish: &Launch) -> io::Result<()> {
    // Kept by the program. A change of the user would undo it: that has happened before.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().map(|it| it.as_raw_nonzero().get()) != Some(wish.parent) {
        return Err(io::Error::other("the supervisor is gone"));
    }
    // What the program leaves behind is found by its session.
    setsid()?;
    if wish.open_files > 0 {
        let most = getrlimit(Resource::Nofile).maximum;
        let wanted = Some(wish.open_files);
        let limit = Rlimit { current: wanted, maximum: wanted };
        if setrlimit(Resource::Nofile, limit).is_err() {
            // Only root raises the hard limit.
            let current = Some(most.map_or(wish.open_files, |it| it.min(wish.open_files)));
            setrlimit(Resource::Nofile, Rlimit { current, maximum: most })?;
        }
    }
    Ok(())
}

//! One supervisor for each unit, and nothing left of the one before.
#![expect(clippy::disallowed_methods, reason = "measures how long it waits")]

use std::fs::File;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::identity::{Process, boot};
use super::state::{FOLDER, State};
use crate::agent::fault::Fault;
use crate::agent::place::Root;
use crate::agent::state;

/// For another supervisor to write its first state, or to end.
const PATIENCE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(5);
/// For what is left of a service to be gone.
const REST: Duration = Duration::from_secs(5);

/// Whoever has the lock is the supervisor of the unit. None when another is.
pub(super) async fn lock(root: &Root, unit: &str) -> Result<Option<File>, Fault> {
    let place = state::place(root, FOLDER, &format!("{unit}.lock"))?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(place.parent(), place.name(), flags, Mode::RUSR | Mode::WUSR)
        .map_err(place.failed("open"))?;
    let began = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(place.failed("lock")(error)),
        }
        // Without a state it has only begun, and with an old one it has as good as ended.
        let other = State::read(root, unit)?;
        if began.elapsed() > PATIENCE || other.map_or(Ok(false), |it| it.is_live())? {
            return Ok(None);
        }
        sleep(STEP).await;
    }
    // A supervisor that was killed took its program along, but not what that had started.
    if let Some(State { main: Some(main), boot: earlier, .. }) = State::read(root, unit)?
        && earlier == boot()?
    {
        main.signal(Signal::KILL)?;
        sweep(main).await?;
    }
    Ok(Some(file.into()))
}

/// Kills what is left of the session of a program.
pub(super) async fn sweep(main: Process) -> Result<(), Fault> {
    let began = Instant::now();
    while main.is_alive() || !main.sweep_session() {
        if began.elapsed() > REST {
            return Err(Fault::Refused(format!("what the process {} left does not end", main.id)));
        }
        sleep(STEP).await;
    }
    Ok(())
}

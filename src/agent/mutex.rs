//! What a system cannot do twice at once: its package manager, and systemd reading its units again. One agent of a host
//! does it, and the others wait, whichever resource they work for.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::fault::Fault;
use super::place::Root;
use super::program::ended;
use super::state;

const FOLDER: &str = "mutex";
const NAME: &str = "system";
/// Nobody is told when it is free.
const PAUSE: Duration = Duration::from_millis(100);

/// While it exists, no other agent has one on this host. It ends with the process.
#[derive(Debug)]
pub(super) struct Alone {
    _locked: File,
}

/// Waits until nobody else is at it.
///
/// # Errors
/// It took longer than the limit, or the agent ends.
pub(super) async fn alone(
    root: &Root,
    limit: Duration,
    ending: watch::Receiver<bool>,
) -> Result<Alone, Fault> {
    let place = state::place(root, FOLDER, NAME)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(place.parent(), place.name(), flags, Mode::RUSR | Mode::WUSR)
        .map_err(place.failed("open"))?;
    let taken = async {
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(()),
                Err(Errno::WOULDBLOCK | Errno::INTR) => sleep(PAUSE).await,
                Err(error) => return Err(place.failed("lock")(error)),
            }
        }
    };
    tokio::select! {
        taken = timeout(limit, taken) => taken.unwrap_or_else(|_| Err(Fault::Refused(format!(
            "another agent has been at the packages or units of this host for {limit:?}"
        ))))?,
        () = ended(Some(ending)) => return Err(Fault::Ending),
    }
    Ok(Alone { _locked: file.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_is_at_it_and_the_next_waits() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let life = watch::Sender::new(false);
        let long = Duration::from_secs(20);
        let first = alone(&root, long, life.subscribe()).await.unwrap();
        let fault = alone(&root, Duration::ZERO, life.subscribe()).await.unwrap_err();
        assert!(fault.to_string().starts_with("another agent has been at"), "{fault}");
        let second = async {
            let second = alone(&root, long, life.subscribe());
            tokio::join!(second, async { drop(first) }).0
        };
        let second = second.await.unwrap();
        life.send_replace(true);
        let fault = alone(&root, long, life.subscribe()).await.unwrap_err();
        assert!(matches!(fault, Fault::Ending));
        drop(second);
    }
}

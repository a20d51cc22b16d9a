//! The service: sleeps until a slot is due, and takes its snapshot when it is this host's turn.
#![expect(clippy::disallowed_methods, reason = "sleeps by the clock, and reads its settings")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::take::{Outcome, ask, take, tell};
use crate::agent::clock;
use crate::agent::fault::{Fault, chain};
use crate::agent::options::Resident;
use crate::agent::place::Root;
use crate::domain::backup::{Moment, Schedule, Settings, Turn, turn};
use crate::remote::etcd::CoverKey;

/// The clock may be set, or the machine sleep: it is looked at so often.
const LONGEST: Duration = Duration::from_secs(20);
/// After something failed.
const PAUSE: Duration = Duration::from_secs(10);

/// Stays until somebody ends the process.
pub(in crate::agent) fn stay(wish: &Resident) -> io::Result<()> {
    let root = Root::open(wish.root.as_deref()).map_err(io::Error::other)?;
    let text = std::fs::read(&wish.settings)?;
    let (settings, schedule) = Settings::parse(&text)
        .map_err(|fault| io::Error::other(format!("the settings: {}", chain(&fault))))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let root = Arc::new(root);
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = live(&root, &settings, &schedule) => Ok(()),
            // What is not whole is swept the next time.
            _ = terminate.recv() => Ok(()),
        }
    });
    runtime.shutdown_background();
    ended
}

async fn live(root: &Arc<Root>, settings: &Settings, schedule: &Schedule) {
    let (mut covered, mut said) = (None, String::new());
    loop {
        let pause = match step(root, settings, schedule, &mut covered).await {
            Ok(pause) => {
                said.clear();
                pause
            }
            Err(fault) => {
                let text = chain(&fault);
                // The same once.
                if text != said {
                    tell(&text);
                    said = text;
                }
                PAUSE
            }
        };
        sleep(pause).await;
    }
}

/// How long to sleep after that.
async fn step(
    root: &Arc<Root>,
    settings: &Settings,
    schedule: &Schedule,
    covered: &mut Option<Moment>,
) -> Result<Duration, Fault> {
    let until = |at: i64| {
        let left = u64::try_from(at.saturating_sub(clock::seconds())).unwrap_or_default();
        Duration::from_secs(left).clamp(Duration::from_millis(200), LONGEST)
    };
    // Nobody is asked while nothing can be due.
    if let Turn::Wait(at) = turn(schedule, *covered, None, clock::seconds()) {
        return Ok(until(at));
    }
    let voter = ask(root, settings).await?;
    let key = CoverKey::of(&settings.name);
    let said = |it| crate::agent::snapshot::unasked(&settings.member.endpoint, it);
    *covered = voter.api.cover(&key).await.map_err(said)?.until;
    let own = voter.status.header.map(|it| it.member);
    let rank = (own != Some(voter.status.leader)).then_some(settings.member.rank);
    match turn(schedule, *covered, rank, clock::seconds()) {
        Turn::Wait(at) => Ok(until(at)),
        Turn::Take(slot) => {
            drop(voter);
            match take(root, settings, schedule, Some(slot), None).await? {
                Outcome::Kept(it) => {
                    tell(&format!("kept {}: {} bytes, revision {}", it.name, it.size, it.revision));
                }
                Outcome::Elsewhere => tell("another host has the snapshot of this slot"),
            }
            // This host has done what it could, whatever the cluster says of it.
            *covered = Some(slot);
            Ok(Duration::ZERO)
        }
    }
}

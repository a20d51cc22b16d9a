//! The service: sleeps until a slot is due, and takes its snapshot when it is this host's turn.
#![expect(clippy::disallowed_methods, reason = "sleeps by the clock, and reads its settings")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::shelf::Shelf;
use super::ship::ship;
use super::take::{Outcome, ask, blocking, take, tell};
use crate::agent::clock;
use crate::agent::fault::{Fault, chain};
use crate::agent::options::Resident;
use crate::agent::place::{HostPath, Root};
use crate::domain::backup::{Moment, Schedule, Settings, Turn, turn};
use crate::remote::etcd::CoverKey;

/// The clock may be set, or the machine sleep: it is looked at so often.
const LONGEST: Duration = Duration::from_secs(20);
/// After something failed.
const PAUSE: Duration = Duration::from_secs(10);
/// A store is tried again twice as long after each failure, up to this: a snapshot may be sent in vain.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// What the service remembers.
struct Course<'a> {
    root: &'a Arc<Root>,
    settings: &'a Settings,
    schedule: &'a Schedule,
    /// Until then there is a snapshot, or this host has done what it could.
    covered: Option<Moment>,
    /// When the store is tried again, and how long after it the next time.
    again: Option<(Moment, Duration)>,
    /// What was told last: the same is told once.
    said: String,
}

/// Stays until somebody ends the process.
pub(in crate::agent) fn stay(wish: &Resident) -> io::Result<()> {
    let root = Root::open(wish.root.as_deref()).map_err(io::Error::other)?;
    let text = std::fs::read(&wish.settings)?;
    let (settings, schedule) = Settings::parse(&text)
        .map_err(|fault| io::Error::other(format!("the settings: {}", chain(&fault))))?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let root = Arc::new(root);
    let course = Course {
        root: &root,
        settings: &settings,
        schedule: &schedule,
        covered: None,
        again: None,
        said: String::new(),
    };
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = live(course) => Ok(()),
            // What is not whole is swept the next time.
            _ = terminate.recv() => Ok(()),
        }
    });
    runtime.shutdown_background();
    ended
}

async fn live(mut course: Course<'_>) {
    loop {
        let pause = match course.step().await {
            Ok(pause) => pause,
            Err(fault) => {
                course.complain(&fault);
                PAUSE
            }
        };
        sleep(pause).await;
    }
}

impl Course<'_> {
    /// How long to sleep after that.
    async fn step(&mut self) -> Result<Duration, Fault> {
        let brought = self.bring().await;
        let due = match turn(self.schedule, self.covered, None, clock::seconds()) {
            // Nobody is asked while nothing can be due.
            Turn::Wait(at) => at,
            Turn::Take(_) => match self.take().await? {
                Some(at) => at,
                None => return Ok(Duration::ZERO),
            },
        };
        if brought.is_ok() {
            self.said.clear();
        }
        let again = self.again.map_or(Moment::MAX, |it| it.0);
        let left = u64::try_from(due.min(again).saturating_sub(clock::seconds()));
        Ok(Duration::from_secs(left.unwrap_or_default()).clamp(Duration::from_millis(200), LONGEST))
    }

    /// What waits for the store, unless it has just refused.
    async fn bring(&mut self) -> Result<(), ()> {
        let is_early = self.again.is_some_and(|it| clock::seconds() < it.0);
        if self.settings.store.is_none() || is_early {
            return if is_early { Err(()) } else { Ok(()) };
        }
        match ship(self.root, self.settings, self.schedule).await {
            Ok(_) => {
                self.again = None;
                Ok(())
            }
            Err(fault) => {
                self.complain(&fault);
                let pause = self.again.map_or(PAUSE, |it| it.1);
                let seconds = i64::try_from(pause.as_secs()).unwrap_or(Moment::MAX);
                let at = clock::seconds().saturating_add(seconds);
                self.again = Some((at, LONGEST_PAUSE.min(pause * 2)));
                Err(())
            }
        }
    }

    /// A slot is due somewhere. None: this host has done what it could; otherwise when to look again.
    async fn take(&mut self) -> Result<Option<Moment>, Fault> {
        let voter = ask(self.root, self.settings).await?;
        let key = CoverKey::of(&self.settings.name);
        let said = |it| crate::agent::snapshot::unasked(&self.settings.member.endpoint, it);
        self.covered = self.covered.max(voter.api.cover(&key).await.map_err(said)?.until);
        let own = voter.status.header.map(|it| it.member);
        let rank = (own != Some(voter.status.leader)).then_some(self.settings.member.rank);
        let slot = match turn(self.schedule, self.covered, rank, clock::seconds()) {
            Turn::Wait(at) => return Ok(Some(at)),
            Turn::Take(slot) => slot,
        };
        drop(voter);
        if !self.has_waiting(slot).await? {
            match take(self.root, self.settings, self.schedule, Some(slot), None).await? {
                Outcome::Kept(it) => {
                    tell(&format!("kept {}: {} bytes, revision {}", it.name, it.size, it.revision));
                }
                Outcome::Elsewhere => tell("another host has the snapshot of this slot"),
            }
        }
        // Whatever the cluster says of it.
        self.covered = Some(slot);
        Ok(None)
    }

    /// Whether one of this slot waits for the store, which was taken before the service was started anew.
    async fn has_waiting(&self, of: Moment) -> Result<bool, Fault> {
        if self.settings.store.is_none() {
            return Ok(false);
        }
        let (root, path) =
            (Arc::clone(self.root), HostPath::parse(self.settings.directory.as_bytes())?);
        let (cluster, name) = (self.settings.cluster.name.clone(), self.settings.name.clone());
        blocking(move || {
            let Some(lies) = Shelf::open(&root, &path)? else { return Ok(false) };
            let all = lies.list(&root, (&cluster, &name))?;
            Ok(all.iter().any(|it| it.manifest.as_ref().is_ok_and(|it| it.slot == Some(of))))
        })
        .await
    }

    fn complain(&mut self, fault: &Fault) {
        let text = chain(fault);
        if text != self.said {
            tell(&text);
            self.said = text;
        }
    }
}

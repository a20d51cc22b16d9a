//! What all calls that change something have in common: a lock is shown, the journal has it before and after, and it
//! goes on to its end when the client is gone.

use std::sync::Arc;

use prost::Message;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::clock;
use super::fault::Fault;
use super::journal;
use super::life::Life;
use super::lock::{Held, Locks};
use super::place::Root;
use crate::proto::agent::journal_entry::Phase;
use crate::proto::agent::{Claim, JournalEntry};

/// What calls share.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) root: Arc<Root>,
    pub(super) locks: Locks,
    pub(super) life: Life,
}

/// What is to be changed, for the journal.
#[derive(Debug)]
pub(super) struct Deed {
    what: String,
    digest: Vec<u8>,
}

impl Deed {
    /// The digest is that of the request without its claim: the same wish has the same in every generation.
    pub(super) fn new(what: impl Into<String>, request: &impl Message) -> Self {
        Self { what: what.into(), digest: Sha256::digest(request.encode_to_vec()).to_vec() }
    }

    fn entry(&self, held: &Held, phase: Phase) -> JournalEntry {
        JournalEntry {
            time: clock::now(),
            lock: held.name.clone(),
            generation: held.generation,
            caller: held.caller.clone(),
            phase: phase.into(),
            what: self.what.clone(),
            digest: self.digest.clone().into(),
        }
    }
}

impl Host {
    /// Does a deed under a lock.
    ///
    /// # Guarantees
    /// The work is not begun without its entry in the journal. Once begun it runs to its end, with the lock held, even
    /// if nobody waits for it any more.
    pub(super) async fn change<T, W>(
        self: &Arc<Self>,
        claim: Option<Claim>,
        deed: Deed,
        work: W,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let step = self.life.begin()?;
        let held = self.locks.claimed(claim.as_ref())?;
        let host = Arc::clone(self);
        let task = tokio::spawn(async move {
            host.note(deed.entry(&held, Phase::Begin)).await?;
            let done = work.await;
            let phase = if done.is_ok() { Phase::Done } else { Phase::Failed };
            let noted = host.note(deed.entry(&held, phase)).await;
            drop((held, step));
            let done = done?;
            noted.map(|()| done)
        });
        task.await.map_err(Fault::failed("finish the step"))?
    }

    /// The same for work with files, which blocks.
    pub(super) async fn change_files<T: Send + 'static>(
        self: &Arc<Self>,
        claim: Option<Claim>,
        deed: Deed,
        work: impl FnOnce(&Root) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let host = Arc::clone(self);
        self.change(claim, deed, async move { host.blocking(move |it| work(&it.root)).await }).await
    }

    pub(super) async fn note(self: &Arc<Self>, entry: JournalEntry) -> Result<(), Fault> {
        self.blocking(move |it| journal::append(&it.root, &entry)).await
    }

    /// Work with files off the thread that answers pings.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let host = Arc::clone(self);
        let task = spawn_blocking(move || work(&host));
        task.await.map_err(Fault::failed("finish the work"))?
    }
}

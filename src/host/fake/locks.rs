//! Locks and the journal of a host in memory.

use super::state::State;
use crate::proto::agent::lock_reply::Outcome;
use crate::proto::agent::{AppendJournalRequest, Claim, Holder, JournalEntry, LockRequest};

impl State {
    pub(super) fn lock(&mut self, request: LockRequest) -> Outcome {
        let LockRequest { name, generation } = request;
        let last = self.generations.get(&name).copied().unwrap_or_default();
        match self.taken.get_mut(&name) {
            Some((_, Some(0))) => drop(self.taken.remove(&name)),
            Some((caller, asks)) => {
                let (caller, ending) = (caller.clone(), asks.is_some());
                *asks = asks.map(|it| it - 1);
                return Outcome::Taken(Holder {
                    caller,
                    generation: last,
                    process: 1,
                    since: 0,
                    ending,
                });
            }
            None => {}
        }
        if generation != 0 && generation < last {
            return Outcome::Outdated(last);
        }
        let generation = if generation == 0 { last + 1 } else { generation };
        self.generations.insert(name.clone(), generation);
        self.held.insert(name.clone());
        Outcome::Held(Claim { lock: name, generation })
    }

    pub(super) fn note(&mut self, request: AppendJournalRequest) {
        let AppendJournalRequest { claim, phase, what, digest } = request;
        let Claim { lock, generation } = claim.unwrap_or_default();
        let entry =
            JournalEntry { lock, generation, phase, what, digest, ..JournalEntry::default() };
        self.journal.push(entry);
    }

    /// What was noted under a lock; without one all of it.
    pub(super) fn noted(&self, lock: &str) -> Vec<JournalEntry> {
        let is_asked = |it: &&JournalEntry| lock.is_empty() || it.lock == lock;
        self.journal.iter().filter(is_asked).cloned().collect()
    }
}

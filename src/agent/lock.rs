//! Locks that die with the agent, and generations that only rise.
//!
//! A lock is the kernel's: an open file with `flock` on it, in a process that ends with its client. So nobody has to
//! judge whether a lock is stale. The file is never replaced or removed: two files would be two locks.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::Errno;

use super::fault::Fault;
use super::files::look;
use super::files::owner::Owner;
use super::files::put::{Wanted, put};
use super::place::Root;
use super::{line, name, state};
use crate::proto::agent::lock_reply::Outcome as Told;
use crate::proto::agent::{Claim, Holder};

const FOLDER: &str = "locks";
/// What a holder writes below its line when its client is gone.
const ENDING: &str = "ending";
/// A lock file holds one short line.
const MOST_BYTES: u64 = 64 << 10;

/// The locks that this agent holds.
#[derive(Debug, Default)]
pub(super) struct Locks(Mutex<HashMap<String, Arc<Held>>>);

/// A lock in our hands. Each step has a share in it, so that it outlasts them.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) generation: u64,
    pub(super) caller: String,
    locked: File,
}

/// What became of the wish for a lock.
#[derive(Debug)]
pub(super) enum Outcome {
    Held(Arc<Held>),
    Taken(Holder),
    /// The last generation, which is later than the one asked for.
    Outdated(u64),
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Held(held) => {
                Self::Held(Claim { lock: held.name.clone(), generation: held.generation })
            }
            Outcome::Taken(holder) => Self::Taken(holder),
            Outcome::Outdated(last) => Self::Outdated(last),
        }
    }
}

/// Who asks, and when.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) caller: String,
    pub(super) process: u32,
    /// Nanoseconds since 1970.
    pub(super) now: i64,
}

impl Locks {
    /// Takes a lock, or tells who has it. Never waits.
    pub(super) fn take(&self, root: &Root, claim: &Claim, asker: &Asker) -> Result<Outcome, Fault> {
        name::file("lock", &claim.lock)?;
        let mut file = open(root, &claim.lock)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Outcome::Taken(holder(file))),
            Err(error) => return Err(Fault::failed(format!("lock {}", claim.lock))(error)),
        }
        let last = last_generation(root, &claim.lock)?;
        let generation = match grant(claim.generation, last) {
            Grant::Given(number) => number,
            Grant::Outdated => return Ok(Outcome::Outdated(last)),
            Grant::Exhausted => {
                let lock = &claim.lock;
                return Err(Fault::Refused(format!("the lock {lock:?} has no further generation")));
            }
        };
        note_generation(root, &claim.lock, generation)?;
        note_holder(&mut file, generation, asker)
            .map_err(Fault::failed(format!("note who holds {}", claim.lock)))?;
        let held = Arc::new(Held {
            name: claim.lock.clone(),
            generation,
            caller: asker.caller.clone(),
            locked: file,
        });
        self.held().insert(claim.lock.clone(), Arc::clone(&held));
        Ok(Outcome::Held(held))
    }

    /// Lets it go, as soon as the steps that share it are done.
    pub(super) fn release(&self, claim: Option<&Claim>) -> Result<(), Fault> {
        let held = self.claimed(claim)?;
        self.held().remove(&held.name);
        Ok(())
    }

    /// Tells whoever asks from now on that the steps at work are the last of this agent.
    pub(super) fn tell_end(&self) {
        for held in self.held().values() {
            // One that nobody can read this of is refused, as if this agent went on.
            let _ = (&held.locked).write_all(format!("{ENDING}\n").as_bytes());
        }
    }

    /// The lock that a call shows.
    pub(super) fn claimed(&self, claim: Option<&Claim>) -> Result<Arc<Held>, Fault> {
        let Some(claim) = claim else {
            return Err(Fault::Invalid("a call that changes something shows a lock".to_owned()));
        };
        let Claim { lock, generation } = claim;
        match self.held().get(lock) {
            Some(held) if held.generation == *generation => Ok(Arc::clone(held)),
            Some(held) => Err(Fault::Refused(format!(
                "the lock {lock:?} is held in generation {}, not {generation}",
                held.generation
            ))),
            None => Err(Fault::Refused(format!("the lock {lock:?} is not held by this agent"))),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Held>>> {
        // A panic between two lines that only insert or remove leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(root: &Root, lock: &str) -> Result<File, Fault> {
    let place = state::place(root, FOLDER, &format!("{lock}.lock"))?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(place.parent(), place.name(), flags, Mode::RUSR | Mode::WUSR);
    file.map(File::from).map_err(place.failed("open"))
}

fn note_holder(file: &mut File, generation: u64, asker: &Asker) -> std::io::Result<()> {
    let [generation, process, since] =
        [generation.to_string(), asker.process.to_string(), asker.now.to_string()];
    let line = line::render(&[&asker.caller, &generation, &process, &since]);
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(line.as_bytes())
}

/// As far as it can be read: for a moment after the lock is taken there is no line yet.
fn holder(file: File) -> Holder {
    let mut text = String::new();
    // Without a text the holder has no name, and is one nevertheless.
    let _ = file.take(MOST_BYTES).read_to_string(&mut text);
    let mut lines = text.lines();
    let Some([caller, generation, process, since]) = lines.next().and_then(line::parse) else {
        return Holder::default();
    };
    Holder {
        caller,
        generation: generation.parse().unwrap_or_default(),
        process: process.parse().unwrap_or_default(),
        since: since.parse::<i64>().unwrap_or_default() / 1_000_000_000,
        ending: lines.next() == Some(ENDING),
    }
}

fn last_generation(root: &Root, lock: &str) -> Result<u64, Fault> {
    let place = state::place(root, FOLDER, &format!("{lock}.generation"))?;
    let (_, text) = look::read(&place, MOST_BYTES)?;
    if text.is_empty() {
        return Ok(0);
    }
    // To begin anew could let an old run think that it is the newest.
    let number = String::from_utf8(text).ok().and_then(|it| it.trim_end().parse().ok());
    number.ok_or_else(|| Fault::Refused(format!("{} holds no number", place.path())))
}

fn note_generation(root: &Root, lock: &str, generation: u64) -> Result<(), Fault> {
    let place = state::place(root, FOLDER, &format!("{lock}.generation"))?;
    let content = format!("{generation}\n");
    let mode = Mode::RUSR | Mode::WUSR;
    let wanted = Wanted { content: content.as_bytes(), mode, owner: Owner::of_agent() };
    put(&place, wanted).map(drop)
}

/// Whether a run may begin or go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Given(u64),
    /// A later run has been at work since.
    Outdated,
    Exhausted,
}

/// 0 asks for a new generation, any other number for that one. The lock keeps two runs apart that live at the same
/// time; this keeps out what a run still wants after it was overtaken.
fn grant(asked: u64, last: u64) -> Grant {
    match asked {
        0 => last.checked_add(1).map_or(Grant::Exhausted, Grant::Given),
        number if number < last => Grant::Outdated,
        number => Grant::Given(number),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Runs follow each other on any of the hosts; one of them wakes up late and tries to go on.
        #[test]
        fn a_run_that_was_overtaken_goes_on_nowhere_that_it_was(
            runs in vec(vec(0_usize..4, 1..4), 1..8),
            late in any::<prop::sample::Index>(),
        ) {
            let (mut last, mut given) = ([0; 4], Vec::new());
            for hosts in &runs {
                let mut numbers = Vec::new();
                for host in hosts {
                    let Grant::Given(number) = grant(0, last[*host]) else { panic!("no number") };
                    prop_assert!(number > last[*host]);
                    last[*host] = number;
                    numbers.push((*host, number));
                }
                given.push(numbers);
            }
            let late = late.index(runs.len());
            for (at, (host, number)) in given[late].iter().enumerate() {
                let overtaken = given[late][at + 1..].iter().any(|it| it.0 == *host)
                    || given[late + 1..].iter().flatten().any(|it| it.0 == *host);
                prop_assert_eq!(grant(*number, last[*host]) == Grant::Outdated, overtaken);
            }
        }
    }

    #[test]
    fn no_number_comes_after_the_last() {
        assert_eq!(grant(0, u64::MAX), Grant::Exhausted);
        assert_eq!(grant(u64::MAX, u64::MAX), Grant::Given(u64::MAX));
    }

    fn ask(locks: &Locks, root: &Root, generation: u64, caller: &str) -> Outcome {
        let asker = Asker { caller: caller.to_owned(), process: 7, now: 5_000_000_001 };
        locks.take(root, &Claim { lock: "etcd".to_owned(), generation }, &asker).unwrap()
    }

    fn generation(outcome: &Outcome) -> Option<u64> {
        if let Outcome::Held(held) = outcome { Some(held.generation) } else { None }
    }

    #[test]
    fn a_second_holder_is_refused_with_the_name_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let (first, second) = (Locks::default(), Locks::default());
        assert_eq!(generation(&ask(&first, &root, 0, "anna\t@\na")), Some(1));
        let Outcome::Taken(holder) = ask(&second, &root, 0, "bert") else { panic!("two holders") };
        let caller = "anna\t@\na".to_owned();
        assert_eq!(holder, Holder { caller, generation: 1, process: 7, since: 5, ending: false });
        // Nor may the holder itself take it twice.
        assert!(matches!(ask(&first, &root, 0, "anna"), Outcome::Taken(_)));
        drop(first);
        assert_eq!(generation(&ask(&second, &root, 0, "bert")), Some(2));
    }

    #[test]
    fn a_holder_whose_client_is_gone_says_so_until_its_step_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let (first, second) = (Locks::default(), Locks::default());
        let told = || match ask(&second, &root, 0, "bert") {
            Outcome::Taken(holder) => Some((holder.caller, holder.ending)),
            _ => None,
        };
        let step = ask(&first, &root, 0, "anna");
        assert_eq!(told(), Some(("anna".to_owned(), false)));
        first.tell_end();
        drop(first);
        assert_eq!(told(), Some(("anna".to_owned(), true)));
        drop(step);
        assert_eq!(told(), None);
        // The next one begins with a line of its own.
        let Outcome::Taken(holder) = ask(&Locks::default(), &root, 0, "cora") else {
            panic!("two")
        };
        assert_eq!((holder.caller.as_str(), holder.ending), ("bert", false));
    }

    #[test]
    fn an_older_generation_is_refused_and_the_same_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        for (asked, given) in [(7, Some(7)), (7, Some(7)), (6, None), (0, Some(8)), (7, None)] {
            let outcome = ask(&Locks::default(), &root, asked, "anna");
            assert_eq!(generation(&outcome), given, "{outcome:?}");
        }
        let file = folder.path().join("var/lib/ha-agent/locks/etcd.generation");
        std::fs::write(file, "x").unwrap();
        let asker = Asker { caller: String::new(), process: 1, now: 0 };
        let claim = Claim { lock: "etcd".to_owned(), generation: 0 };
        Locks::default().take(&root, &claim, &asker).unwrap_err();
    }

    #[test]
    fn a_claim_is_a_lock_that_is_held_in_its_generation() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let locks = Locks::default();
        let claim = |generation| Claim { lock: "etcd".to_owned(), generation };
        locks.claimed(None).unwrap_err();
        locks.claimed(Some(&claim(1))).unwrap_err();
        ask(&locks, &root, 0, "anna");
        locks.claimed(Some(&claim(2))).unwrap_err();
        let step = locks.claimed(Some(&claim(1))).unwrap();
        locks.release(Some(&claim(1))).unwrap();
        locks.claimed(Some(&claim(1))).unwrap_err();
        // The step still has its share.
        assert!(matches!(ask(&Locks::default(), &root, 0, "bert"), Outcome::Taken(_)));
        drop(step);
        assert_eq!(generation(&ask(&Locks::default(), &root, 0, "bert")), Some(2));
    }
}

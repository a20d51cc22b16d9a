//! A host under a lock: the calls that change it.

use std::ops::Deref;

use super::messages::lock_reply::Outcome;
use super::messages::run_request::Program;
use super::messages::service_request::Action;
use super::messages::{
    AppendJournalRequest, Claim, EnsurePackagesRequest, EnsureUserReply, EnsureUserRequest, Holder,
    JournalEntry, LockRequest, MakeDirectoryRequest, MoveAsideRequest, PutRecordRequest,
    PutRequest, Record, RemoveRecordRequest, RemoveRequest, RunReply, RunRequest, ServiceRequest,
    Unit, UnlockRequest, journal_entry,
};
use super::{Host, HostError};

/// Seconds. The service manager ends a service by itself before, whatever that may take to stop: an API server that has lost
/// etcd does not end otherwise.
const LONGEST_STOP: u32 = 900;

/// A host that nobody else changes under the same lock. The lock ends with the connection or with
/// [`Locked::release`].
#[derive(Clone, Debug)]
pub struct Locked {
    host: Host,
    claim: Claim,
}

/// A file as it is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Absolute, as the host sees it.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Name of the owner; empty: the agent's.
    pub user: String,
    /// Name of the group; empty: the agent's.
    pub group: String,
}

/// The answer to the wish for a lock.
pub(super) enum Asked {
    Held(Locked),
    Taken(Holder),
    Outdated(u64),
}

impl Host {
    /// Takes a lock; never waits. `generation` 0 begins a new run, and the number of an earlier lock continues that one.
    ///
    /// # Errors
    /// [`HostError::Failed`] names who has it, or says that a later run was there.
    pub async fn lock(&self, name: &str, generation: u64) -> Result<Locked, HostError> {
        match self.ask_lock(name, generation).await? {
            Asked::Held(locked) => Ok(locked),
            Asked::Taken(holder) => Err(self.has_no_lock(
                name,
                format!(
                    "{} holds it (run {}, agent process {})",
                    holder.caller, holder.generation, holder.process
                ),
            )),
            Asked::Outdated(last) => {
                Err(self.has_no_lock(name, format!("run {last} has been at work since")))
            }
        }
    }

    pub(super) async fn ask_lock(&self, name: &str, generation: u64) -> Result<Asked, HostError> {
        let request = LockRequest { name: name.to_owned(), generation };
        let call = format!("lock {name}");
        match self.call(call, async |mut it| it.lock(request).await).await?.outcome {
            Some(Outcome::Held(claim)) => Ok(Asked::Held(Locked { host: self.clone(), claim })),
            Some(Outcome::Taken(holder)) => Ok(Asked::Taken(holder)),
            Some(Outcome::Outdated(last)) => Ok(Asked::Outdated(last)),
            None => Err(self.has_no_lock(name, "its answer is not known here".to_owned())),
        }
    }

    fn has_no_lock(&self, name: &str, reason: String) -> HostError {
        HostError::Failed { host: self.name().clone(), call: format!("lock {name}"), reason }
    }
}

impl Locked {
    /// The number of the run, which a new connection continues with.
    pub fn generation(&self) -> u64 {
        self.claim.generation
    }

    #[expect(clippy::unnecessary_wraps, reason = "a request has it so")]
    pub(super) fn claim(&self) -> Option<Claim> {
        Some(self.claim.clone())
    }

    /// Writes a whole file or nothing. Whether that changed anything.
    ///
    /// # Errors
    /// As every call, see [`HostError`].
    pub async fn put(&self, file: File) -> Result<bool, HostError> {
        let call = format!("put {}", file.path);
        let request = PutRequest {
            claim: self.claim(),
            path: file.path.into(),
            content: file.content.into(),
            mode: file.mode,
            user: file.user,
            group: file.group,
        };
        Ok(self.call(call, async |mut it| it.put(request).await).await?.changed)
    }

    /// Removes a file or an empty directory, or all that is below too. Whether there was one.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove(&self, path: &str, tree: bool) -> Result<bool, HostError> {
        let request = RemoveRequest { claim: self.claim(), path: path.to_owned().into(), tree };
        let call = format!("remove {path}");
        Ok(self.call(call, async |mut it| it.remove(request).await).await?.changed)
    }

    /// Renames in place. The same label names the same move. Where it lies now, or that there was nothing.
    ///
    /// # Errors
    /// As every call.
    pub async fn move_aside(&self, path: &str, label: &str) -> Result<Option<String>, HostError> {
        let request = MoveAsideRequest {
            claim: self.claim(),
            path: path.to_owned().into(),
            label: label.to_owned(),
        };
        let call = format!("move {path} aside");
        let moved = self.call(call, async |mut it| it.move_aside(request).await).await?.path;
        Ok((!moved.is_empty()).then(|| String::from_utf8_lossy(&moved).into_owned()))
    }

    /// Makes sure that a directory exists with this mode and owner; with `parents` those above too, 0755.
    ///
    /// # Errors
    /// As every call.
    pub async fn make_directory(
        &self,
        path: &str,
        mode: u32,
        (user, group): (&str, &str),
        parents: bool,
    ) -> Result<bool, HostError> {
        let request = MakeDirectoryRequest {
            claim: self.claim(),
            path: path.to_owned().into(),
            mode,
            user: user.to_owned(),
            group: group.to_owned(),
            parents,
        };
        let call = format!("make the directory {path}");
        Ok(self.call(call, async |mut it| it.make_directory(request).await).await?.changed)
    }

    /// Makes sure that a system user and its group exist.
    ///
    /// # Errors
    /// As every call.
    pub async fn ensure_user(
        &self,
        name: &str,
        group: &str,
        home: &str,
    ) -> Result<EnsureUserReply, HostError> {
        let request = EnsureUserRequest {
            claim: self.claim(),
            name: name.to_owned(),
            group: group.to_owned(),
            home: home.to_owned().into(),
        };
        let call = format!("ensure the user {name}");
        self.call(call, async |mut it| it.ensure_user(request).await).await
    }

    /// Does something to a service and waits until it is done, at most 90 s; for its end as long as that takes. How it is then.
    ///
    /// # Errors
    /// As every call.
    pub async fn service(&self, action: Action, unit: &str) -> Result<Option<Unit>, HostError> {
        let limit = if action == Action::Stop { LONGEST_STOP } else { 0 };
        self.service_within(action, unit, limit).await
    }

    /// As [`Locked::service`], for one that takes its time to end. `limit`: seconds.
    ///
    /// # Errors
    /// As every call.
    pub async fn service_within(
        &self,
        action: Action,
        unit: &str,
        limit: u32,
    ) -> Result<Option<Unit>, HostError> {
        let request = ServiceRequest {
            claim: self.claim(),
            action: action.into(),
            unit: unit.to_owned(),
            limit,
        };
        let verb = action.as_str_name().to_lowercase().replace('_', " ");
        let call = format!("{verb} {unit}");
        Ok(self.call(call, async |mut it| it.service(request).await).await?.unit)
    }

    /// Runs one of the few programs that an agent runs; its status is for the caller to judge.
    ///
    /// # Errors
    /// It could not be run.
    pub async fn run(
        &self,
        program: Program,
        directory: &str,
        arguments: &[&str],
    ) -> Result<RunReply, HostError> {
        self.run_until(program, directory, arguments, "").await
    }

    /// As [`Locked::run`]; it is killed once it has written the text.
    ///
    /// # Errors
    /// It could not be run.
    pub async fn run_until(
        &self,
        program: Program,
        directory: &str,
        arguments: &[&str],
        until: &str,
    ) -> Result<RunReply, HostError> {
        let request = RunRequest {
            until: until.to_owned().into(),
            claim: self.claim(),
            program: program.into(),
            directory: directory.to_owned().into(),
            arguments: arguments.iter().map(|&it| it.to_owned().into()).collect(),
            ..RunRequest::default()
        };
        let call = format!("run {}", program.as_str_name().to_lowercase());
        self.call(call, async |mut it| it.run(request).await).await
    }

    /// Installs packages of the distribution that are not there; those that are stay as they are. Whether any was not.
    ///
    /// # Errors
    /// The end of what the package manager said.
    pub async fn ensure_packages(&self, names: &[&str]) -> Result<bool, HostError> {
        let packages = names.iter().map(|&it| it.to_owned()).collect();
        let request = EnsurePackagesRequest { claim: self.claim(), names: packages };
        let call = format!("install {}", names.join(", "));
        Ok(self.call(call, async |mut it| it.ensure_packages(request).await).await?.changed)
    }

    /// Replaces a record.
    ///
    /// # Errors
    /// As every call.
    pub async fn put_record(&self, record: Record) -> Result<bool, HostError> {
        let call = format!("put the record {}", record.name);
        let request = PutRecordRequest { claim: self.claim(), record: Some(record) };
        Ok(self.call(call, async |mut it| it.put_record(request).await).await?.changed)
    }

    /// Removes a record. Whether there was one.
    ///
    /// # Errors
    /// As every call.
    pub async fn remove_record(&self, name: &str) -> Result<bool, HostError> {
        let request = RemoveRecordRequest { claim: self.claim(), name: name.to_owned() };
        let call = format!("remove the record {name}");
        Ok(self.call(call, async |mut it| it.remove_record(request).await).await?.changed)
    }

    /// Adds to the journal what only the provider knows.
    ///
    /// # Errors
    /// As every call.
    pub async fn note(&self, what: &str) -> Result<(), HostError> {
        let request = AppendJournalRequest {
            claim: self.claim(),
            phase: journal_entry::Phase::Note.into(),
            what: what.to_owned(),
            ..AppendJournalRequest::default()
        };
        self.call("write its journal", async |mut it| it.append_journal(request).await).await?;
        Ok(())
    }

    /// What was done under this lock, newest last.
    ///
    /// # Errors
    /// As every call.
    pub async fn deeds(&self, last: u32) -> Result<Vec<JournalEntry>, HostError> {
        self.host.journal(&self.claim.lock, last).await
    }

    /// Gives the lock back before the connection ends.
    ///
    /// # Errors
    /// As every call.
    pub async fn release(self) -> Result<(), HostError> {
        let request = UnlockRequest { claim: self.claim() };
        self.call("release its lock", async |mut it| it.unlock(request).await).await?;
        Ok(())
    }
}

impl Deref for Locked {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

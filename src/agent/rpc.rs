//! The table of calls: each is checked, handed on, and answered. No work is done here.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::Stream;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::change::{Deed, Host};
use super::fault::Fault;
use super::files::calls as files;
use super::lock::Asker;
use super::place::{HostPath, Root};
use super::{
    artifacts, backup, clock, dial, facts, forward, journal, kubernetes, listen, machine, own,
    packages, pki, record, recovery, restore, run, services, snapshot, users,
};
use crate::proto::agent::agent_server::Agent;
#[allow(clippy::wildcard_imports, reason = "every call has a request and a reply")]
use crate::proto::agent::*;

/// Of the messages. Rises when an older client would misread.
pub(super) const FORMAT: u32 = 1;
/// The largest file, and room for what is around it.
pub(super) const MESSAGE_LIMIT: usize = (16 << 20) + (64 << 10);
/// Answers of a forwarded stream that wait for the client.
const WAITING: usize = 4;
/// Who calls is told to others in a line.
const LONGEST_CALLER: usize = 200;

/// Answers calls.
#[derive(Debug)]
pub(super) struct Rpc {
    host: Arc<Host>,
    caller: Mutex<String>,
}

impl Rpc {
    pub(super) fn new(host: Arc<Host>) -> Self {
        Self { host, caller: Mutex::default() }
    }

    fn asker(&self) -> Asker {
        let caller = self.caller.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Asker { caller, process: std::process::id(), now: clock::now() }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what every call returns")]
fn answer<T>(reply: T) -> Answer<T> {
    Ok(Response::new(reply))
}

/// What a call returns.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Agent for Rpc {
    async fn hello(&self, request: Request<HelloRequest>) -> Answer<HelloReply> {
        let caller = request.into_inner().caller;
        if caller.is_empty() || caller.len() > LONGEST_CALLER {
            return Err(Fault::Invalid(format!("who calls has 1 to {LONGEST_CALLER} bytes")).into());
        }
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = caller;
        self.host.life.beat();
        answer(HelloReply {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: FORMAT,
            process: std::process::id(),
            user: rustix::process::geteuid().as_raw(),
        })
    }

    async fn heartbeat(&self, _: Request<HeartbeatRequest>) -> Answer<HeartbeatReply> {
        self.host.life.beat();
        answer(HeartbeatReply {})
    }

    async fn facts(&self, request: Request<FactsRequest>) -> Answer<FactsReply> {
        answer(facts::look(&self.host.root, request.into_inner()).await?)
    }

    async fn lock(&self, request: Request<LockRequest>) -> Answer<LockReply> {
        let LockRequest { name, generation } = request.into_inner();
        let asker = self.asker();
        if asker.caller.is_empty() {
            return Err(Fault::Refused("a lock is taken after a hello".to_owned()).into());
        }
        let _step = self.host.life.begin()?;
        let claim = Claim { lock: name, generation };
        let take = move |it: &Host| {
            machine::ensure(&it.root)?;
            it.locks.take(&it.root, &claim, &asker)
        };
        let taken = self.host.blocking(take).await?;
        answer(LockReply { outcome: Some(taken.into()) })
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Answer<UnlockReply> {
        self.host.locks.release(request.into_inner().claim.as_ref())?;
        answer(UnlockReply {})
    }

    async fn put(&self, request: Request<PutRequest>) -> Answer<PutReply> {
        answer(files::put(&self.host, request.into_inner()).await?)
    }

    async fn read(&self, request: Request<ReadRequest>) -> Answer<ReadReply> {
        answer(files::read(&self.host, request.into_inner()).await?)
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Answer<RemoveReply> {
        answer(files::remove(&self.host, request.into_inner()).await?)
    }

    async fn move_aside(&self, request: Request<MoveAsideRequest>) -> Answer<MoveAsideReply> {
        answer(files::move_aside(&self.host, request.into_inner()).await?)
    }

    async fn make_directory(
        &self,
        request: Request<MakeDirectoryRequest>,
    ) -> Answer<MakeDirectoryReply> {
        answer(files::make_directory(&self.host, request.into_inner()).await?)
    }

    async fn ensure_user(&self, request: Request<EnsureUserRequest>) -> Answer<EnsureUserReply> {
        let mut request = request.into_inner();
        let claim = request.claim.take();
        let deed = Deed::new(format!("ensure the user {:?}", request.name), &request);
        let root = Arc::clone(&self.host.root);
        let work = async move { users::ensure(&root, &request).await };
        answer(self.host.change(claim, deed, work).await?)
    }

    async fn service(&self, request: Request<ServiceRequest>) -> Answer<ServiceReply> {
        answer(services::serve(&self.host, request.into_inner()).await?)
    }

    async fn logs(&self, request: Request<LogsRequest>) -> Answer<LogsReply> {
        let LogsRequest { unit, lines } = request.into_inner();
        let text = services::logs(&self.host.root, &unit, lines).await?;
        answer(LogsReply { text: text.into() })
    }

    async fn run(&self, request: Request<RunRequest>) -> Answer<RunReply> {
        let mut request = request.into_inner();
        let claim = request.claim.take();
        let deed = Deed::new(format!("run {}", request.program().as_str_name()), &request);
        let (root, ending) = (Arc::clone(&self.host.root), self.host.life.ending());
        let work = async move { run::run(&root, request, ending).await };
        answer(self.host.change(claim, deed, work).await?)
    }

    async fn append_journal(
        &self,
        request: Request<AppendJournalRequest>,
    ) -> Answer<AppendJournalReply> {
        let AppendJournalRequest { claim, phase, what, digest } = request.into_inner();
        let _step = self.host.life.begin()?;
        let held = self.host.locks.claimed(claim.as_ref())?;
        let entry = JournalEntry {
            time: clock::now(),
            lock: held.name.clone(),
            generation: held.generation,
            caller: held.caller.clone(),
            phase,
            what,
            digest,
        };
        self.host.note(entry).await?;
        answer(AppendJournalReply {})
    }

    async fn read_journal(&self, request: Request<ReadJournalRequest>) -> Answer<ReadJournalReply> {
        let ReadJournalRequest { last, lock } = request.into_inner();
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        let read = self.host.blocking(move |it| journal::read(&it.root, last, &lock)).await;
        let (entries, unreadable) = read?;
        answer(ReadJournalReply { entries, unreadable })
    }

    async fn put_record(&self, request: Request<PutRecordRequest>) -> Answer<PutRecordReply> {
        let PutRecordRequest { claim, record } = request.into_inner();
        let Some(record) = record else {
            return Err(Fault::Invalid("there is no record in the request".to_owned()).into());
        };
        let deed = Deed::new(format!("put the record {:?}", record.name), &record);
        let work = move |root: &Root| record::put_record(root, &record);
        answer(PutRecordReply { changed: self.host.change_files(claim, deed, work).await? })
    }

    async fn remove_record(
        &self,
        request: Request<RemoveRecordRequest>,
    ) -> Answer<RemoveRecordReply> {
        let RemoveRecordRequest { claim, name } = request.into_inner();
        let deed = Deed::new(format!("remove the record {name:?}"), &name);
        let work = move |root: &Root| record::remove_record(root, &name);
        answer(RemoveRecordReply { changed: self.host.change_files(claim, deed, work).await? })
    }

    async fn get_records(&self, request: Request<GetRecordsRequest>) -> Answer<GetRecordsReply> {
        let names = request.into_inner().names;
        let read = self.host.blocking(move |it| record::get_records(&it.root, &names));
        answer(GetRecordsReply { records: read.await? })
    }

    async fn make_key(&self, request: Request<MakeKeyRequest>) -> Answer<MakeKeyReply> {
        let mut request = request.into_inner();
        let (claim, path) = (request.claim.take(), HostPath::parse(&request.path)?);
        let deed = Deed::new(format!("make the key {path}"), &request);
        let work = move |root: &Root| pki::make_key(root, &path, &request);
        answer(self.host.change_files(claim, deed, work).await?)
    }

    async fn make_csr(&self, request: Request<MakeCsrRequest>) -> Answer<MakeCsrReply> {
        let request = request.into_inner();
        answer(self.host.blocking(move |it| pki::make_csr(&it.root, &request)).await?)
    }

    async fn make_authority(
        &self,
        request: Request<MakeAuthorityRequest>,
    ) -> Answer<MakeAuthorityReply> {
        let mut request = request.into_inner();
        let (claim, path) = (request.claim.take(), HostPath::parse(&request.directory)?);
        let deed = Deed::new(format!("make a certificate authority in {path}"), &request);
        let work = move |root: &Root| pki::make_authority(root, &path, &request, clock::now());
        answer(self.host.change_files(claim, deed, work).await?)
    }

    async fn sign(&self, request: Request<SignRequest>) -> Answer<SignReply> {
        let mut request = request.into_inner();
        let (claim, path) = (request.claim.take(), HostPath::parse(&request.authority)?);
        let name = request.subject.as_ref().map_or("", |it| &it.common_name);
        let deed = Deed::new(format!("sign a certificate for {name:?} with {path}"), &request);
        let is_question = claim.is_none() && pki::is_for_a_moment(&request);
        let work = move |root: &Root| pki::sign(root, &path, &request, clock::now());
        if is_question {
            return answer(self.host.blocking(move |it| work(&it.root)).await?);
        }
        answer(self.host.change_files(claim, deed, work).await?)
    }

    async fn save_snapshot(
        &self,
        request: Request<SaveSnapshotRequest>,
    ) -> Answer<SaveSnapshotReply> {
        answer(snapshot::save(&self.host, request.into_inner()).await?)
    }

    async fn place_agent(&self, request: Request<PlaceAgentRequest>) -> Answer<PlaceAgentReply> {
        answer(own::place_agent(&self.host, request.into_inner()).await?)
    }

    async fn back_up(&self, request: Request<BackUpRequest>) -> Answer<BackUpReply> {
        answer(backup::back_up(&self.host, request.into_inner()).await?)
    }

    async fn list_backups(&self, request: Request<ListBackupsRequest>) -> Answer<ListBackupsReply> {
        answer(backup::list(&self.host, request.into_inner()).await?)
    }

    async fn fetch_backup(&self, request: Request<FetchBackupRequest>) -> Answer<FetchBackupReply> {
        answer(backup::fetch(&self.host, request.into_inner()).await?)
    }

    async fn forget_backups(
        &self,
        request: Request<ForgetBackupsRequest>,
    ) -> Answer<ForgetBackupsReply> {
        answer(backup::forget(&self.host, request.into_inner()).await?)
    }

    async fn stage_snapshot(
        &self,
        request: Request<StageSnapshotRequest>,
    ) -> Answer<StageSnapshotReply> {
        answer(restore::stage(&self.host, request.into_inner()).await?)
    }

    async fn put_snapshot(
        &self,
        request: Request<Streaming<PutSnapshotRequest>>,
    ) -> Answer<PutSnapshotReply> {
        let changed = restore::put(&self.host, request.into_inner()).await?;
        answer(PutSnapshotReply { changed })
    }

    type ReadSnapshotStream = Pin<Box<dyn Stream<Item = Result<ReadSnapshotReply, Status>> + Send>>;

    async fn read_snapshot(
        &self,
        request: Request<ReadSnapshotRequest>,
    ) -> Answer<Self::ReadSnapshotStream> {
        let (sender, answers) = mpsc::channel(WAITING);
        restore::read(&self.host, &request.into_inner(), sender).await?;
        answer(Box::pin(ReceiverStream::new(answers)) as Self::ReadSnapshotStream)
    }

    async fn prepare_member(
        &self,
        request: Request<PrepareMemberRequest>,
    ) -> Answer<PrepareMemberReply> {
        let changed = restore::prepare(&self.host, request.into_inner()).await?;
        answer(PrepareMemberReply { changed })
    }

    async fn switch_member(
        &self,
        request: Request<SwitchMemberRequest>,
    ) -> Answer<SwitchMemberReply> {
        answer(restore::switch(&self.host, request.into_inner()).await?)
    }

    async fn bind_administrators(
        &self,
        request: Request<BindAdministratorsRequest>,
    ) -> Answer<BindAdministratorsReply> {
        answer(kubernetes::bind(&self.host, request.into_inner()).await?)
    }

    async fn seal_files(&self, request: Request<SealFilesRequest>) -> Answer<SealFilesReply> {
        answer(recovery::seal_files(&self.host, request.into_inner()).await?)
    }

    type ForwardStream = Pin<Box<dyn Stream<Item = Result<ForwardReply, Status>> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Answer<Self::ForwardStream> {
        let (sender, answers) = mpsc::channel(WAITING);
        let root = Arc::clone(&self.host.root);
        tokio::spawn(async move { forward::forward(&root, request.into_inner(), sender).await });
        answer(Box::pin(ReceiverStream::new(answers)) as Self::ForwardStream)
    }

    async fn dial(&self, request: Request<DialRequest>) -> Answer<DialReply> {
        answer(dial::dial(&self.host, request.into_inner()).await?)
    }

    async fn listen(&self, request: Request<ListenRequest>) -> Answer<ListenReply> {
        answer(listen::listen(request.into_inner()).await?)
    }

    async fn ensure_packages(
        &self,
        request: Request<EnsurePackagesRequest>,
    ) -> Answer<EnsurePackagesReply> {
        answer(packages::ensure(&self.host, request.into_inner()).await?)
    }

    type FetchArtifactStream =
        Pin<Box<dyn Stream<Item = Result<FetchArtifactReply, Status>> + Send>>;

    async fn fetch_artifact(
        &self,
        request: Request<FetchArtifactRequest>,
    ) -> Answer<Self::FetchArtifactStream> {
        let (sender, answers) = mpsc::channel(WAITING);
        let host = Arc::clone(&self.host);
        tokio::spawn(async move { artifacts::fetch(&host, request.into_inner(), sender).await });
        answer(Box::pin(ReceiverStream::new(answers)) as Self::FetchArtifactStream)
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<UploadArtifactRequest>>,
    ) -> Answer<UploadArtifactReply> {
        let changed = artifacts::upload(&self.host, request.into_inner()).await?;
        answer(UploadArtifactReply { changed })
    }

    async fn switch_artifact(
        &self,
        request: Request<SwitchArtifactRequest>,
    ) -> Answer<SwitchArtifactReply> {
        let changed = artifacts::switch(&self.host, request.into_inner()).await?;
        answer(SwitchArtifactReply { changed })
    }

    async fn remove_artifact(
        &self,
        request: Request<RemoveArtifactRequest>,
    ) -> Answer<RemoveArtifactReply> {
        let changed = artifacts::remove(&self.host, request.into_inner()).await?;
        answer(RemoveArtifactReply { changed })
    }
}

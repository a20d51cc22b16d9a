//! The calls of `proto/agent.proto`, answered from memory.

use std::pin::Pin;

use tonic::codegen::tokio_stream::{Stream, iter};
use tonic::{Request, Response, Status, Streaming};

use super::change::Calls;
use super::files::{owner, text};
use super::pki;
use super::restore::STORE;
use super::state::State;
use crate::proto::agent::agent_server::Agent;
use crate::proto::agent::file::Kind;
#[allow(clippy::wildcard_imports, reason = "every call has a request and a reply")]
use crate::proto::agent::*;

/// What a call returns.
type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Agent for Calls {
    async fn hello(&self, _: Request<HelloRequest>) -> Answer<HelloReply> {
        Ok(Response::new(HelloReply { version: "fake".to_owned(), format: 1, process: 1, user: 0 }))
    }

    async fn heartbeat(&self, _: Request<HeartbeatRequest>) -> Answer<HeartbeatReply> {
        Ok(Response::new(HeartbeatReply {}))
    }

    async fn facts(&self, request: Request<FactsRequest>) -> Answer<FactsReply> {
        // That it fails is for changes alone.
        self.host.comes(None);
        Ok(Response::new(self.host.state().facts(&request.into_inner())))
    }

    async fn lock(&self, request: Request<LockRequest>) -> Answer<LockReply> {
        let outcome = Some(self.host.state().lock(request.into_inner()));
        Ok(Response::new(LockReply { outcome }))
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Answer<UnlockReply> {
        let claim = request.into_inner().claim.unwrap_or_default();
        self.host.state().held.remove(&claim.lock);
        Ok(Response::new(UnlockReply {}))
    }

    async fn put(&self, request: Request<PutRequest>) -> Answer<PutReply> {
        let PutRequest { claim, path, content, mode, user, group } = request.into_inner();
        let path = text(&path);
        let line = format!("put {path} {mode:o}{} {} bytes", owner(&user, &group), content.len());
        let put = |state: &mut State| Ok(PutReply { changed: state.put(path, &content, mode) });
        self.change(claim, line, put).await
    }

    async fn read(&self, request: Request<ReadRequest>) -> Answer<ReadReply> {
        let (path, state) = (request.into_inner().path, self.host.state());
        let file = state.file(&path);
        if file.kind() == Kind::Directory {
            return Err(Status::failed_precondition("it is a directory"));
        }
        let content = state.files.get(&text(&path)).map(|it| it.content.clone());
        let content = content.unwrap_or_default().into();
        Ok(Response::new(ReadReply { file: Some(file), content }))
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Answer<RemoveReply> {
        let RemoveRequest { claim, path, tree } = request.into_inner();
        let path = text(&path);
        let line = format!("remove {path}");
        let remove = |state: &mut State| Ok(RemoveReply { changed: state.remove(&path, tree)? });
        self.change(claim, line, remove).await
    }

    async fn move_aside(&self, request: Request<MoveAsideRequest>) -> Answer<MoveAsideReply> {
        let MoveAsideRequest { claim, path, label } = request.into_inner();
        let path = text(&path);
        let line = format!("move {path} aside");
        self.change(claim, line, |state| Ok(state.move_aside(&path, &label))).await
    }

    async fn make_directory(
        &self,
        request: Request<MakeDirectoryRequest>,
    ) -> Answer<MakeDirectoryReply> {
        let MakeDirectoryRequest { claim, path, mode, user, group, .. } = request.into_inner();
        let path = text(&path);
        let line = format!("make the directory {path} {mode:o}{}", owner(&user, &group));
        let make = |state: &mut State| {
            Ok(MakeDirectoryReply { changed: state.make_directory(path, mode) })
        };
        self.change(claim, line, make).await
    }

    async fn ensure_user(&self, request: Request<EnsureUserRequest>) -> Answer<EnsureUserReply> {
        let EnsureUserRequest { claim, name, .. } = request.into_inner();
        self.change(claim, format!("ensure the user {name}"), |_| {
            Ok(EnsureUserReply { changed: false, user: 900, group: 900 })
        })
        .await
    }

    async fn service(&self, request: Request<ServiceRequest>) -> Answer<ServiceReply> {
        self.serve(request.into_inner()).await
    }

    async fn logs(&self, _: Request<LogsRequest>) -> Answer<LogsReply> {
        Ok(Response::new(LogsReply::default()))
    }

    async fn dial(&self, request: Request<DialRequest>) -> Answer<DialReply> {
        Ok(Response::new(super::forward::dial(&self.host, request.into_inner())))
    }

    async fn listen(&self, request: Request<ListenRequest>) -> Answer<ListenReply> {
        // That it fails is for changes alone.
        self.host.comes(None);
        drop(request);
        Ok(Response::new(self.host.state().strangers.clone()))
    }

    async fn run(&self, request: Request<RunRequest>) -> Answer<RunReply> {
        let request = request.into_inner();
        let line = format!("run {}", request.program().as_str_name().to_lowercase());
        // Whatever it is waited for to say, it says.
        let end = Some(run_reply::End::Status(0));
        let ended = RunReply { end, stdout: request.until, ..RunReply::default() };
        self.change(request.claim, line, |_| Ok(ended)).await
    }

    async fn ensure_packages(
        &self,
        request: Request<EnsurePackagesRequest>,
    ) -> Answer<EnsurePackagesReply> {
        let EnsurePackagesRequest { claim, names } = request.into_inner();
        let line = format!("ensure the packages {}", names.join(" "));
        self.change(claim, line, |state| Ok(state.ensure_packages(names))).await
    }

    type FetchArtifactStream =
        Pin<Box<dyn Stream<Item = Result<FetchArtifactReply, Status>> + Send>>;

    async fn fetch_artifact(
        &self,
        request: Request<FetchArtifactRequest>,
    ) -> Answer<Self::FetchArtifactStream> {
        let FetchArtifactRequest { claim, artifact, url, .. } = request.into_inner();
        let fetched = self.change(claim, format!("fetch {url}"), |state| {
            Ok(Fetched { changed: state.install(&artifact.unwrap_or_default()) })
        });
        let fetched = fetch_artifact_reply::Message::Fetched(fetched.await?.into_inner());
        let reply = FetchArtifactReply { message: Some(fetched) };
        Ok(Response::new(Box::pin(iter([Ok(reply)])) as Self::FetchArtifactStream))
    }

    async fn upload_artifact(
        &self,
        request: Request<Streaming<UploadArtifactRequest>>,
    ) -> Answer<UploadArtifactReply> {
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|it| it.message);
        let Some(upload_artifact_request::Message::Open(open)) = first else {
            return Err(Status::invalid_argument("the first message opens the upload"));
        };
        while requests.message().await?.is_some() {}
        let artifact = open.artifact.unwrap_or_default();
        let line = format!("take {}", artifact.file);
        let take = |it: &mut State| Ok(UploadArtifactReply { changed: it.install(&artifact) });
        self.change(open.claim, line, take).await
    }

    async fn switch_artifact(
        &self,
        request: Request<SwitchArtifactRequest>,
    ) -> Answer<SwitchArtifactReply> {
        let SwitchArtifactRequest { claim, project, version } = request.into_inner();
        self.change(claim, format!("switch {project} to {version}"), |state| {
            Ok(SwitchArtifactReply { changed: state.switch(project, version) })
        })
        .await
    }

    async fn remove_artifact(
        &self,
        request: Request<RemoveArtifactRequest>,
    ) -> Answer<RemoveArtifactReply> {
        let RemoveArtifactRequest { claim, project, version } = request.into_inner();
        self.change(claim, format!("remove {project} {version}"), |state| {
            Ok(RemoveArtifactReply { changed: state.uninstall(project, &version) })
        })
        .await
    }

    async fn append_journal(
        &self,
        request: Request<AppendJournalRequest>,
    ) -> Answer<AppendJournalReply> {
        self.host.state().note(request.into_inner());
        Ok(Response::new(AppendJournalReply {}))
    }

    async fn read_journal(&self, request: Request<ReadJournalRequest>) -> Answer<ReadJournalReply> {
        let entries = self.host.state().noted(&request.into_inner().lock);
        Ok(Response::new(ReadJournalReply { entries, unreadable: 0 }))
    }

    async fn put_record(&self, request: Request<PutRecordRequest>) -> Answer<PutRecordReply> {
        let PutRecordRequest { claim, record } = request.into_inner();
        let record = record.unwrap_or_default();
        self.change(claim, format!("put the record {}", record.name), |state| {
            let before = state.records.insert(record.name.clone(), record.clone());
            Ok(PutRecordReply { changed: before != Some(record) })
        })
        .await
    }

    async fn remove_record(
        &self,
        request: Request<RemoveRecordRequest>,
    ) -> Answer<RemoveRecordReply> {
        let RemoveRecordRequest { claim, name } = request.into_inner();
        self.change(claim, format!("remove the record {name}"), |state| {
            Ok(RemoveRecordReply { changed: state.records.remove(&name).is_some() })
        })
        .await
    }

    async fn get_records(&self, request: Request<GetRecordsRequest>) -> Answer<GetRecordsReply> {
        let (names, state) = (request.into_inner().names, self.host.state());
        let is_asked = |it: &&Record| names.is_empty() || names.contains(&it.name);
        let records = state.records.values().filter(is_asked).cloned().collect();
        Ok(Response::new(GetRecordsReply { records }))
    }

    async fn make_key(&self, request: Request<MakeKeyRequest>) -> Answer<MakeKeyReply> {
        let MakeKeyRequest { claim, path, user, group } = request.into_inner();
        let path = text(&path);
        let line = format!("make the key {path}{}", owner(&user, &group));
        self.change(claim, line, |state| pki::make_key(state, &path)).await
    }

    async fn make_csr(&self, request: Request<MakeCsrRequest>) -> Answer<MakeCsrReply> {
        let path = text(&request.into_inner().path);
        Ok(Response::new(pki::make_csr(&self.host.state(), &path)?))
    }

    async fn make_authority(
        &self,
        request: Request<MakeAuthorityRequest>,
    ) -> Answer<MakeAuthorityReply> {
        let mut request = request.into_inner();
        let (claim, directory) = (request.claim.take(), text(&request.directory));
        let line = format!("make the authority {directory}");
        self.change(claim, line, |state| pki::make_authority(state, &directory, &request)).await
    }

    async fn sign(&self, request: Request<SignRequest>) -> Answer<SignReply> {
        let mut request = request.into_inner();
        let (claim, subject) = (request.claim.take(), request.subject.clone().unwrap_or_default());
        let line = format!("sign for {}", subject.common_name);
        if claim.is_none() && request.client && !request.server && request.lifetime <= 24 * 3600 {
            return Ok(Response::new(pki::sign(&self.host.state(), &subject, &request)?));
        }
        self.change(claim, line, |state| pki::sign(state, &subject, &request)).await
    }

    async fn save_snapshot(
        &self,
        request: Request<SaveSnapshotRequest>,
    ) -> Answer<SaveSnapshotReply> {
        let mut request = request.into_inner();
        let path = format!("{}/{}.db", text(&request.directory), request.name);
        if self.host.around().is_some() && self.host.connect(&request.member).is_none() {
            return Err(Status::internal(format!("cannot connect to {}", request.member)));
        }
        let line = format!("keep a snapshot of {} as {path}", request.member);
        self.change(request.claim.take(), line, |state| {
            state.put(path.clone(), b"a snapshot", 0o600);
            Ok(SaveSnapshotReply { path: path.into(), size: 10, revision: request.revision })
        })
        .await
    }

    async fn place_agent(&self, request: Request<PlaceAgentRequest>) -> Answer<PlaceAgentReply> {
        let PlaceAgentRequest { claim, path } = request.into_inner();
        let path = text(&path);
        let line = format!("place the agent at {path}");
        let place = |state: &mut State| {
            Ok(PlaceAgentReply { changed: state.put(path, b"an agent", 0o755) })
        };
        self.change(claim, line, place).await
    }

    async fn back_up(&self, request: Request<BackUpRequest>) -> Answer<BackUpReply> {
        let BackUpRequest { claim, settings } = request.into_inner();
        let line = format!("take a snapshot as {} says", text(&settings));
        self.change(claim, line, |_| Ok(BackUpReply::default())).await
    }

    async fn list_backups(&self, request: Request<ListBackupsRequest>) -> Answer<ListBackupsReply> {
        let ListBackupsRequest { directory, store, .. } = request.into_inner();
        let place = if store.is_some() { STORE.to_owned() } else { text(&directory) };
        Ok(Response::new(self.host.state().backups(&place)))
    }

    async fn stage_snapshot(
        &self,
        request: Request<StageSnapshotRequest>,
    ) -> Answer<StageSnapshotReply> {
        let mut request = request.into_inner();
        let line = format!("lay open {} as {}", text(&request.path), text(&request.into));
        self.change(request.claim.take(), line, |state| state.stage_snapshot(&request)).await
    }

    async fn put_snapshot(
        &self,
        request: Request<Streaming<PutSnapshotRequest>>,
    ) -> Answer<PutSnapshotReply> {
        let (open, content) = super::restore::received(request.into_inner()).await?;
        let path = text(&open.path);
        let line = format!("take {path}");
        let take = |it: &mut State| Ok(PutSnapshotReply { changed: it.put(path, &content, 0o600) });
        self.change(open.claim, line, take).await
    }

    type ReadSnapshotStream = Pin<Box<dyn Stream<Item = Result<ReadSnapshotReply, Status>> + Send>>;

    async fn read_snapshot(
        &self,
        request: Request<ReadSnapshotRequest>,
    ) -> Answer<Self::ReadSnapshotStream> {
        let path = text(&request.into_inner().path);
        let content = self.host.state().files.get(&path).map(|it| it.content.clone());
        let data = content.ok_or_else(|| Status::failed_precondition("it is not there"))?;
        let all = iter([Ok(ReadSnapshotReply { data: data.into() })]);
        Ok(Response::new(Box::pin(all) as Self::ReadSnapshotStream))
    }

    async fn prepare_member(
        &self,
        request: Request<PrepareMemberRequest>,
    ) -> Answer<PrepareMemberReply> {
        let mut request = request.into_inner();
        let line = format!("prepare {}", text(&request.data_dir));
        self.change(request.claim.take(), line, |state| state.prepare_member(&request)).await
    }

    async fn switch_member(
        &self,
        request: Request<SwitchMemberRequest>,
    ) -> Answer<SwitchMemberReply> {
        let mut request = request.into_inner();
        let line = format!("put what was prepared in the place of {}", text(&request.data_dir));
        self.change(request.claim.take(), line, |state| state.switch_member(&request)).await
    }

    async fn fetch_backup(&self, request: Request<FetchBackupRequest>) -> Answer<FetchBackupReply> {
        let FetchBackupRequest { claim, name, directory, .. } = request.into_inner();
        let line = format!("bring the snapshot {name} from a store");
        self.change(claim, line, |it| it.fetch_backup(&name, &text(&directory))).await
    }

    async fn forget_backups(
        &self,
        request: Request<ForgetBackupsRequest>,
    ) -> Answer<ForgetBackupsReply> {
        let ForgetBackupsRequest { claim, cluster, name, .. } = request.into_inner();
        let line = format!("remove the snapshots {name} of {cluster} from a store");
        self.change(claim, line, |_| Ok(ForgetBackupsReply::default())).await
    }

    async fn bind_administrators(
        &self,
        request: Request<BindAdministratorsRequest>,
    ) -> Answer<BindAdministratorsReply> {
        let BindAdministratorsRequest { claim, server, group, .. } = request.into_inner();
        let line = format!("let {group} administrate through {server}");
        self.change(claim, line, |_| Ok(BindAdministratorsReply { changed: true })).await
    }

    async fn seal_files(&self, request: Request<SealFilesRequest>) -> Answer<SealFilesReply> {
        Ok(Response::new(pki::seal_files(&self.host.state(), &request.into_inner())?))
    }

    type ForwardStream = Pin<Box<dyn Stream<Item = Result<ForwardReply, Status>> + Send>>;

    async fn forward(
        &self,
        request: Request<Streaming<ForwardRequest>>,
    ) -> Answer<Self::ForwardStream> {
        let answers = super::forward::answers(&self.host, request.into_inner()).await?;
        Ok(Response::new(Box::pin(answers) as Self::ForwardStream))
    }
}

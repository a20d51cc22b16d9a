//! Snapshots and what is made of them, on a host in memory. Nobody looks into one.

use sha2::{Digest as _, Sha256};
use tonic::{Status, Streaming};

use super::files::text;
use super::state::State;
use crate::proto::agent::put_snapshot_request::Message;
use crate::proto::agent::{
    Backup, FetchBackupReply, ListBackupsReply, PrepareMemberReply, PrepareMemberRequest,
    PutSnapshotOpen, PutSnapshotRequest, StageSnapshotReply, StageSnapshotRequest,
    SwitchMemberReply, SwitchMemberRequest,
};

/// Where a host in memory has what others have in a store.
pub(super) const STORE: &str = "/store";
const MARK: &str = "member/ha-restored";

/// What a client sends, once it has sent all.
pub(super) async fn received(
    mut requests: Streaming<PutSnapshotRequest>,
) -> Result<(PutSnapshotOpen, Vec<u8>), Status> {
    let (mut open, mut content) = (PutSnapshotOpen::default(), Vec::new());
    while let Some(request) = requests.message().await? {
        match request.message {
            Some(Message::Open(it)) => open = it,
            Some(Message::Data(data)) => content.extend(data),
            None => {}
        }
    }
    if Sha256::digest(&content)[..] != open.digest[..] {
        return Err(Status::failed_precondition("what came has another digest"));
    }
    Ok((open, content))
}

impl State {
    /// Every manifest counts.
    pub(super) fn backups(&self, directory: &str) -> ListBackupsReply {
        let name = |path: &String| {
            let name = path.strip_prefix(directory)?.strip_prefix('/')?.strip_suffix(".json")?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        let backups = self.files.iter().filter_map(|(path, entry)| {
            let manifest = entry.content.clone().into();
            Some(Backup { name: name(path)?, manifest, ..Backup::default() })
        });
        ListBackupsReply { backups: backups.collect(), ..ListBackupsReply::default() }
    }

    /// With the names that both have on a host.
    pub(super) fn fetch_backup(
        &mut self,
        name: &str,
        directory: &str,
    ) -> Result<FetchBackupReply, Status> {
        let begin = format!("{STORE}/{name}.");
        let found = self.files.iter().filter_map(|(path, entry)| {
            Some((path.strip_prefix(&begin)?.to_owned(), entry.content.clone()))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            return Err(Status::failed_precondition(format!("{name} is not in the store")));
        }
        let mut reply = FetchBackupReply::default();
        for (end, content) in found {
            if end == "json" {
                reply.manifest = content.clone().into();
            }
            reply.changed |= self.put(format!("{directory}/{name}.{end}"), &content, 0o600);
        }
        Ok(reply)
    }

    pub(super) fn stage_snapshot(
        &mut self,
        request: &StageSnapshotRequest,
    ) -> Result<StageSnapshotReply, Status> {
        let read = |path: &[u8]| {
            let entry = self.files.get(&text(path));
            entry.map(|it| it.content.clone()).ok_or_else(|| Status::internal("it is not there"))
        };
        let content = read(&request.path)?;
        let manifest =
            if request.manifest.is_empty() { Vec::new() } else { read(&request.manifest)? };
        let told: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
        self.put(text(&request.into), &content, 0o600);
        Ok(StageSnapshotReply {
            manifest: manifest.into(),
            digest: Sha256::digest(&content).to_vec().into(),
            size: content.len() as u64,
            revision: told["revision"].as_u64().unwrap_or(7),
        })
    }

    /// Says of which cluster the data is, for whoever plays etcd.
    pub(super) fn prepare_member(
        &mut self,
        request: &PrepareMemberRequest,
    ) -> Result<PrepareMemberReply, Status> {
        let prepared = format!("{}.restore", text(&request.data_dir));
        let mark = format!("{prepared}/{MARK}");
        if self.files.get(&mark).is_some_and(|it| it.content == request.mark.as_bytes()) {
            return Ok(PrepareMemberReply { changed: false });
        }
        let snapshot = self.files.get(&text(&request.snapshot));
        if snapshot.is_none_or(|it| Sha256::digest(&it.content)[..] != request.digest[..]) {
            return Err(Status::failed_precondition("the snapshot has another digest"));
        }
        self.remove(&prepared, true)?;
        self.make_directory(prepared.clone(), 0o700);
        self.make_directory(format!("{prepared}/member"), 0o700);
        let whose = format!("{} {}", request.token, request.initial_cluster);
        self.put(format!("{prepared}/member/restored"), whose.as_bytes(), 0o600);
        if !request.wal_dir.is_empty() {
            let log = format!("{}.restore", text(&request.wal_dir));
            self.remove(&log, true)?;
            self.make_directory(log, 0o700);
        }
        self.put(mark, request.mark.as_bytes(), 0o600);
        Ok(PrepareMemberReply { changed: true })
    }

    pub(super) fn switch_member(
        &mut self,
        request: &SwitchMemberRequest,
    ) -> Result<SwitchMemberReply, Status> {
        let data = text(&request.data_dir);
        let has_mark = |at: &str| {
            let entry = self.files.get(&format!("{at}/{MARK}"));
            entry.is_some_and(|it| it.content == request.mark.as_bytes())
        };
        if has_mark(&data) {
            return Ok(SwitchMemberReply::default());
        }
        if !has_mark(&format!("{data}.restore")) {
            return Err(Status::failed_precondition("it was not prepared as a whole"));
        }
        let mut reply = SwitchMemberReply { changed: true, ..SwitchMemberReply::default() };
        for path in [text(&request.wal_dir), data].iter().filter(|it| !it.is_empty()) {
            let below = format!("{path}/");
            if self.files.keys().any(|it| it.starts_with(&below)) {
                reply.aside = self.move_aside(path, &request.label).path;
            }
            self.rename(&format!("{path}.restore"), path);
        }
        Ok(reply)
    }
}

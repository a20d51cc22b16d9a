//! Artifacts come to a host by download and by upload, or not at all.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use terraform_provider_ha::proto::agent::fetch_artifact_reply::Message as Answer;
use terraform_provider_ha::proto::agent::{
    Artifact, EnsurePackagesRequest, FetchArtifactRequest, Member, Progress, Project,
    RemoveArtifactRequest, SwitchArtifactRequest, UploadArtifactOpen, UploadArtifactRequest,
    upload_artifact_request,
};
use tokio::sync::mpsc;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::server::Server;
use super::{
    Agent, Claim, Duration, FactsRequest, Instant, LONG, Phase, ReadJournalRequest, Signal,
    TempDir, iter, root, timeout,
};

/// A host, the agent on it, and its claim.
struct Host {
    root: TempDir,
    agent: Agent,
    claim: Claim,
}

impl Host {
    async fn start() -> Self {
        let root = root();
        let mut agent = Agent::start(root.path()).await;
        let claim = agent.lock().await;
        Self { root, agent, claim }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("usr/local/lib/ha").join(path)
    }

    fn request(&self, url: String, artifact: Artifact) -> FetchArtifactRequest {
        let (claim, artifact) = (Some(self.claim.clone()), Some(artifact));
        FetchArtifactRequest { claim, artifact, url, ..FetchArtifactRequest::default() }
    }

    async fn fetch(&mut self, url: String, artifact: Artifact) -> Result<bool, Status> {
        let request = self.request(url, artifact);
        fetched(&mut self.agent, request).await.map(|(changed, _)| changed)
    }

    async fn upload(
        &mut self,
        artifact: Artifact,
        size: usize,
        data: &[u8],
    ) -> Result<bool, Status> {
        let mut messages = vec![self.open(artifact, size)];
        messages.extend(data.chunks(256 << 10).map(chunk));
        Ok(self.agent.client.upload_artifact(iter(messages)).await?.into_inner().changed)
    }

    fn open(&self, artifact: Artifact, size: usize) -> UploadArtifactRequest {
        let open = UploadArtifactOpen {
            claim: Some(self.claim.clone()),
            artifact: Some(artifact),
            size: size as u64,
        };
        let message = Some(upload_artifact_request::Message::Open(open));
        UploadArtifactRequest { message }
    }

    async fn switch(&mut self, version: &str) -> Result<bool, Status> {
        let request = SwitchArtifactRequest {
            claim: Some(self.claim.clone()),
            project: "etcd".to_owned(),
            version: version.to_owned(),
        };
        Ok(self.agent.client.switch_artifact(request).await?.into_inner().changed)
    }

    async fn remove(&mut self, version: &str) -> Result<bool, Status> {
        let request = RemoveArtifactRequest {
            claim: Some(self.claim.clone()),
            project: "etcd".to_owned(),
            version: version.to_owned(),
        };
        Ok(self.agent.client.remove_artifact(request).await?.into_inner().changed)
    }

    async fn seen(&mut self) -> Project {
        let request = FactsRequest { projects: vec!["etcd".to_owned()], ..FactsRequest::default() };
        self.agent.client.facts(request).await.unwrap().into_inner().projects.remove(0)
    }
}

async fn fetched(
    agent: &mut Agent,
    request: FetchArtifactRequest,
) -> Result<(bool, Vec<Progress>), Status> {
    let mut answers = agent.client.fetch_artifact(request).await?.into_inner();
    let mut told = Vec::new();
    while let Some(answer) = timeout(LONG, answers.message()).await.unwrap()? {
        match answer.message.unwrap() {
            Answer::Progress(progress) => told.push(progress),
            Answer::Fetched(fetched) => return Ok((fetched.changed, told)),
        }
    }
    panic!("no outcome");
}

fn chunk(data: &[u8]) -> UploadArtifactRequest {
    let message = Some(upload_artifact_request::Message::Data(data.to_vec().into()));
    UploadArtifactRequest { message }
}

/// A program of a version.
fn program(version: &str, name: &str, content: &[u8]) -> Artifact {
    Artifact {
        project: "etcd".to_owned(),
        version: version.to_owned(),
        file: format!("{name}-linux-amd64"),
        digest: Sha256::digest(content).to_vec().into(),
        members: vec![Member { path: String::new(), name: name.to_owned() }],
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Not to be compressed away. Made before the agent is started: it ends when its client answers no ping for seconds,
/// as a test that computes does not.
fn content(length: usize) -> Vec<u8> {
    let next = |it: &u64| Some(it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let noise = std::iter::successors(Some(1_u64), next).map(|it| it.to_be_bytes()[0]);
    noise.take(length).collect()
}

fn packed(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

#[tokio::test]
async fn an_archive_is_fetched_once_and_its_programs_lie_side_by_side_by_version() {
    let server = content(1_000_000);
    let archive =
        packed(&[("v3/README.md", b"text"), ("v3/etcd", &server), ("v3/etcdctl", b"tool")]);
    let mut host = Host::start().await;
    let web = Server::start(archive.clone()).await;
    let member = |name: &str| Member { path: format!("v3/{name}"), name: name.to_owned() };
    let members = vec![member("etcd"), member("etcdctl")];
    let artifact = Artifact { members, ..program("3.6.16", "etcd", &archive) };
    let request = host.request(web.url("/moved"), artifact.clone());
    let (changed, told) = fetched(&mut host.agent, request).await.unwrap();
    assert!(changed);
    assert!(told.iter().all(|it| it.total == archive.len() as u64 && it.done <= it.total));
    assert_eq!(names(&host.path("etcd")), ["3.6.16"]);
    assert_eq!(names(&host.path("etcd/3.6.16")), [".digests", "etcd", "etcdctl"]);
    assert_eq!(fs::read(host.path("etcd/3.6.16/etcd")).unwrap(), server);
    let mode = |path: &str| fs::metadata(host.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("etcd/3.6.16"), mode("etcd/3.6.16/etcd")), (0o755, 0o755));

    // Not even asked for again: there is nothing at this place.
    assert!(!host.fetch(web.url("/none"), artifact.clone()).await.unwrap());
    assert!(
        host.fetch(web.url("/unsized"), Artifact { version: "3.6.17".into(), ..artifact })
            .await
            .unwrap()
    );
    let seen = host.seen().await;
    assert_eq!((seen.current.as_str(), seen.error.as_str()), ("", ""));
    let versions: Vec<_> = seen.versions.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(versions, ["3.6.16", "3.6.17"]);
    let file = &seen.versions[0].files[0];
    assert_eq!((file.name.as_str(), &file.digest[..]), ("etcd", &Sha256::digest(&server)[..]));
    assert_eq!(file.artifact[..], Sha256::digest(&archive)[..]);
}

#[tokio::test]
async fn programs_of_a_version_come_one_by_one_or_together() {
    let mut host = Host::start().await;
    let web = Server::start(b"program".to_vec()).await;
    let request = |name: &str| host.request(web.url("/file"), program("1.35.0", name, b"program"));
    let requests = ["kubelet", "kubeadm", "kubectl"].map(request);
    let tasks = requests.map(|request| {
        let mut client = host.agent.client.clone();
        tokio::spawn(async move {
            let mut answers = client.fetch_artifact(request).await.unwrap().into_inner();
            while timeout(LONG, answers.message()).await.unwrap().unwrap().is_some() {}
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert!(
        host.fetch(web.url("/file"), program("1.35.0", "kube-proxy", b"program")).await.unwrap()
    );
    let expected = [".digests", "kube-proxy", "kubeadm", "kubectl", "kubelet"];
    assert_eq!(names(&host.path("etcd/1.35.0")), expected);
    assert_eq!(host.seen().await.versions[0].files.len(), 4);
}

#[tokio::test]
async fn what_is_on_the_disk_is_read_before_it_counts_as_there() {
    let mut host = Host::start().await;
    let web = Server::start(b"program".to_vec()).await;
    let artifact = program("3.6.16", "etcd", b"program");
    assert!(host.fetch(web.url("/file"), artifact.clone()).await.unwrap());
    let file = host.path("etcd/3.6.16/etcd");
    let spoil: [&dyn Fn(); 3] = [
        &|| fs::write(&file, "pr0gram").unwrap(),
        &|| fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap(),
        &|| fs::remove_file(&file).unwrap(),
    ];
    for spoil in spoil {
        spoil();
        let refused = host.switch("3.6.16").await.unwrap_err();
        assert!(refused.message().ends_with("/etcd/3.6.16/etcd is not as it was installed"));
        assert!(host.fetch(web.url("/file"), artifact.clone()).await.unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"program");
        assert!(!host.fetch(web.url("/file"), artifact.clone()).await.unwrap());
    }
    // Another artifact of the same name is another one.
    fs::create_dir(host.path("etcd/9")).unwrap();
    let refused = host.fetch(web.url("/file"), program("9", "etcd", b"program")).await.unwrap_err();
    assert!(refused.message().contains("it is not from here"), "{refused}");
    assert!(!host.seen().await.versions[1].error.is_empty());
}

#[tokio::test]
async fn what_is_not_what_was_expected_is_not_installed() {
    let whole = content(1_000_000);
    let mut host = Host::start().await;
    let web = Server::start(whole.clone()).await;
    let wanted = program("3.6.16", "etcd", &whole);
    let wrong = program("3.6.16", "etcd", b"other");
    let [is, expected] = [&wanted, &wrong]
        .map(|it| it.digest.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().concat());
    let sums = format!("its 1000000 bytes have the SHA-256 {is}, not {expected}");
    for (path, artifact, code, text) in [
        ("/file", &wrong, Code::FailedPrecondition, sums.as_str()),
        (
            "/none?token=secret",
            &wanted,
            Code::FailedPrecondition,
            "/none answered with status 404 Not Found",
        ),
        ("/truncated", &wanted, Code::Internal, "cannot fetch"),
        (
            "/truncated-unsized",
            &wanted,
            Code::FailedPrecondition,
            "its 500000 bytes have the SHA-256",
        ),
        ("/loop", &wanted, Code::Internal, "too many redirects"),
        ("/huge", &wanted, Code::FailedPrecondition, "are more than an artifact may have"),
    ] {
        let refused = host.fetch(web.url(path), artifact.clone()).await.unwrap_err();
        assert_eq!(refused.code(), code, "{path}: {refused}");
        assert!(
            refused.message().contains(text) && !refused.message().contains("secret"),
            "{refused}"
        );
        assert_eq!(names(&host.path("etcd")), Vec::<OsString>::new(), "after {path}");
    }
    let refused = host.fetch("http://127.0.0.1:1/x".to_owned(), wanted.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal, "{refused}");
    let journal = host.agent.client.read_journal(ReadJournalRequest::default()).await.unwrap();
    let last = journal.into_inner().entries.pop().unwrap();
    assert_eq!(
        (last.phase(), last.what.as_str()),
        (Phase::Failed, "fetch etcd 3.6.16: etcd-linux-amd64")
    );
    assert!(host.fetch(web.url("/file"), wanted).await.unwrap());
}

#[tokio::test]
async fn what_could_lead_elsewhere_is_refused() {
    let mut host = Host::start().await;
    let web = Server::start(b"x".to_vec()).await;
    let fine = program("3.6.16", "etcd", b"x");
    for hostile in ["", "..", "../x", "a/b", "/etc", "-rf", ".x", "a b", "a\n", "a\0", "ä", "$(id)"]
    {
        let hostile = || hostile.to_owned();
        for artifact in [
            Artifact { project: hostile(), ..fine.clone() },
            Artifact { version: hostile(), ..fine.clone() },
            Artifact { file: hostile(), ..fine.clone() },
            program("3.6.16", &hostile(), b"x"),
        ] {
            let refused = host.fetch(web.url("/file"), artifact.clone()).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            host.upload(artifact, 1, b"x").await.unwrap_err();
        }
        host.switch(&hostile()).await.unwrap_err();
        host.remove(&hostile()).await.unwrap_err();
    }
    assert!(!host.path("").exists());
    for url in ["file:///etc/passwd", "ftp://a/b", "/etc/passwd", ""] {
        let refused = host.fetch(url.to_owned(), fine.clone()).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    host.claim.generation += 1;
    host.fetch(web.url("/file"), fine.clone()).await.unwrap_err();
    host.upload(fine, 1, b"x").await.unwrap_err();
    assert!(!host.path("").exists());
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_url() {
    let mut host = Host::start().await;
    let proxy = Server::start(b"x".to_vec()).await;
    let url = "http://mirror.invalid/file".to_owned();
    let mut request = host.request(url, program("3.6.16", "etcd", b"x"));
    fetched(&mut host.agent, request.clone()).await.unwrap_err();
    request.proxy = proxy.url("").replace("http://", "http://me:secret@");
    assert!(fetched(&mut host.agent, request).await.unwrap().0);
}

#[tokio::test]
async fn a_download_ends_with_the_client_that_asked_for_it() {
    let whole = content(1_000_000);
    let mut host = Host::start().await;
    let web = Server::start(whole.clone()).await;
    let artifact = program("3.6.16", "etcd", &whole);
    let request = host.request(web.url("/slow"), artifact.clone());
    let mut answers = host.agent.client.fetch_artifact(request).await.unwrap().into_inner();
    let half = Progress { done: 500_000, total: 1_000_000 };
    loop {
        let answer = timeout(LONG, answers.message()).await.unwrap().unwrap().unwrap();
        if answer.message == Some(Answer::Progress(half)) {
            break;
        }
    }
    assert_eq!(names(&host.path("etcd")).len(), 1);
    let refused = host.fetch(web.url("/file"), artifact.clone()).await.unwrap_err();
    assert!(refused.message().ends_with("is being brought by somebody else"), "{refused}");
    drop(answers);
    until(|| names(&host.path("etcd")).is_empty()).await;

    let request = host.request(web.url("/slow"), artifact.clone());
    let _answers = host.agent.client.fetch_artifact(request).await.unwrap();
    until(|| names(&host.path("etcd")).len() == 1).await;
    let began = Instant::now();
    host.agent.signal(Signal::TERM);
    assert!(host.agent.ended().await.success());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(names(&host.path("etcd")).is_empty());
}

#[tokio::test]
async fn what_a_killed_agent_left_is_swept_by_the_next_whatever_it_brings() {
    let whole = content(1_000_000);
    let mut host = Host::start().await;
    let web = Server::start(whole.clone()).await;
    let request = host.request(web.url("/slow"), program("3.6.16", "etcd", &whole));
    let _answers = host.agent.client.fetch_artifact(request).await.unwrap();
    until(|| host.path("etcd").exists() && names(&host.path("etcd")).len() == 1).await;
    host.agent.signal(Signal::KILL);
    host.agent.ended().await;
    assert_eq!(names(&host.path("etcd")).len(), 1);
    fs::create_dir_all(host.path("etcd/.ha-agent-staging/half")).unwrap();

    host.agent = Agent::start(host.root.path()).await;
    host.claim = host.agent.lock().await;
    assert!(host.fetch(web.url("/file"), program("3.6.17", "etcd", &whole)).await.unwrap());
    assert_eq!(names(&host.path("etcd")), ["3.6.17"]);
}

#[tokio::test]
async fn an_upload_is_installed_when_it_is_whole_and_right() {
    let whole = content(1_000_000);
    let mut host = Host::start().await;
    let artifact = program("3.6.16", "etcd", &whole);
    let size = whole.len();
    for (size, data, text) in [
        (size, &whole[..size / 2], "500000 bytes came, of 1000000"),
        (size / 2, &whole[..], "or all more than said"),
        (size / 2, &whole[..size / 2], "its 500000 bytes have the SHA-256"),
        (usize::MAX / 2, &whole[..1], "are more than an artifact may have"),
    ] {
        let refused = host.upload(artifact.clone(), size, data).await.unwrap_err();
        assert!(refused.message().contains(text), "{refused}");
        assert!(names(&host.path("etcd")).is_empty());
    }
    assert!(host.upload(artifact.clone(), size, &whole).await.unwrap());
    assert_eq!(fs::read(host.path("etcd/3.6.16/etcd")).unwrap(), whole);
    // Answered before all of it has come.
    assert!(!host.upload(artifact, size, &whole).await.unwrap());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let host = Host::start().await;
    let artifact = program("3.6.16", "etcd", b"x");
    let (sender, messages) = mpsc::channel(4);
    sender.send(host.open(artifact, 1 << 20)).await.unwrap();
    sender.send(chunk(&[7; 1000])).await.unwrap();
    let mut client = host.agent.client.clone();
    let uploading =
        tokio::spawn(async move { client.upload_artifact(ReceiverStream::new(messages)).await });
    until(|| host.path("etcd").exists() && names(&host.path("etcd")).len() == 1).await;
    uploading.abort();
    until(|| names(&host.path("etcd")).is_empty()).await;
    drop(sender);
}

#[tokio::test]
async fn a_full_disk_is_told_with_the_bytes_that_are_needed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut host = Host::start().await;
    let folder = host.path("etcd");
    fs::create_dir_all(&folder).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(&folder)
        .status();
    if !mount.is_ok_and(|it| it.success()) {
        return;
    }
    let _mounted = Mounted(folder.clone());
    let whole = content(2_000_000);
    let web = Server::start(whole.clone()).await;
    let wanted = program("3.6.16", "etcd", &whole);
    for path in ["/file", "/unsized"] {
        let refused = host.fetch(web.url(path), wanted.clone()).await.unwrap_err();
        assert!(
            refused.message().starts_with("no space for etcd 3.6.16: etcd-linux-amd64 in"),
            "{refused}"
        );
        assert!(names(&folder).is_empty());
    }
    let zeros = packed(&[("etcd", &vec![0; 2_000_000])]);
    let web = Server::start(zeros.clone()).await;
    let members = vec![Member { path: "etcd".to_owned(), name: "etcd".to_owned() }];
    let wanted = Artifact { members, ..program("3.6.16", "etcd", &zeros) };
    let refused = host.fetch(web.url("/file"), wanted).await.unwrap_err();
    assert!(
        refused.message().starts_with("no space for etcd: 2000000 bytes are needed"),
        "{refused}"
    );
    assert!(names(&folder).is_empty());
}

/// A file system that is unmounted when this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: the agent may still have it open.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn versions_are_switched_at_once_and_the_current_one_is_not_removed() {
    let mut host = Host::start().await;
    for version in ["1.0.0", "2.0.0"] {
        let content = version.as_bytes();
        host.upload(program(version, "etcd", content), content.len(), content).await.unwrap();
    }
    assert!(host.switch("1.0.0").await.unwrap());
    assert!(!host.switch("1.0.0").await.unwrap());
    let inode = fs::metadata(host.path("etcd/1.0.0/etcd")).unwrap().ino();
    let current = host.path("etcd/current/etcd");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let watching = tokio::task::spawn_blocking(move || {
        while stopped.try_recv().is_err() {
            let seen = fs::read(&current).unwrap();
            assert!(seen == b"1.0.0" || seen == b"2.0.0");
        }
    });
    for round in 0..50 {
        assert!(host.switch(["2.0.0", "1.0.0"][round % 2]).await.unwrap());
        // Another program of the version that is in use does not disturb it either.
        let name = format!("tool-{round}");
        host.upload(program("1.0.0", &name, b"x"), 1, b"x").await.unwrap();
    }
    stop.send(()).unwrap();
    watching.await.unwrap();
    assert_eq!(fs::metadata(host.path("etcd/1.0.0/etcd")).unwrap().ino(), inode);

    assert_eq!(fs::read_link(host.path("etcd/current")).unwrap(), Path::new("1.0.0"));
    let refused = host.remove("1.0.0").await.unwrap_err();
    assert!(refused.message().ends_with("/etcd/1.0.0 is the current version"), "{refused}");
    assert!(host.remove("2.0.0").await.unwrap());
    assert!(!host.remove("2.0.0").await.unwrap());
    let refused = host.switch("2.0.0").await.unwrap_err();
    assert_eq!(refused.message(), "etcd 2.0.0 is not installed");
    assert_eq!(host.seen().await.current, "1.0.0");
    assert_eq!(names(&host.path("etcd")), ["1.0.0", "current"]);

    fs::remove_file(host.path("etcd/current")).unwrap();
    std::os::unix::fs::symlink("/tmp", host.path("etcd/current")).unwrap();
    assert!(host.seen().await.error.ends_with("leads to no version"));
    host.remove("1.0.0").await.unwrap_err();
}

#[tokio::test]
async fn a_host_in_a_directory_has_no_packages() {
    let mut host = Host::start().await;
    let claim = Some(host.claim.clone());
    let request = EnsurePackagesRequest { claim, names: vec!["haproxy".to_owned()] };
    let refused = host.agent.client.ensure_packages(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "a host in a directory has no packages of its own");
    let packages = vec!["haproxy".to_owned()];
    let request = FactsRequest { packages, ..FactsRequest::default() };
    let facts = host.agent.client.facts(request).await.unwrap().into_inner();
    assert_eq!(facts.packages[0].error, refused.message());
}

/// Waits for a state of the host.
async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "it did not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

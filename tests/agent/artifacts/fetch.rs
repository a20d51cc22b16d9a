//! By download: from where it is told, and only what was expected.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sha2::{Digest as _, Sha256};
use terraform_provider_ha::proto::agent::fetch_artifact_reply::Message as Answer;
use terraform_provider_ha::proto::agent::{Artifact, Member, Progress};
use tonic::Code;

use super::{Host, content, fetched, names, packed, program, until};
use crate::server::Server;
use crate::{Duration, Instant, LONG, Phase, ReadJournalRequest, Signal, timeout};

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

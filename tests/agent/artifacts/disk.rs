//! What lies on the disk: spoiled, left over, without space, in use.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use terraform_provider_ha::proto::agent::{Artifact, EnsurePackagesRequest, Member};
use tonic::Code;

use super::{Host, content, names, packed, program, until};
use crate::server::Server;
use crate::{Agent, FactsRequest, Signal};

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

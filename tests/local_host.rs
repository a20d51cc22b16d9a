//! A host of transport "local": the real agent as a child process, driven by the client of the provider.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test drives processes, and fails by panicking"
)]

#[path = "support/agents.rs"]
mod agents;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use agents::agents_made_of;
use rustix::process::{Pid, Signal, kill_process};
use terraform_provider_ha::host::messages::file::Kind;
use terraform_provider_ha::host::messages::{FactsRequest, Record};
use terraform_provider_ha::host::{
    ConnectError, File, HostError, Hosts, Lease, Patience, Target, Way,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::timeout;

fn hosts(caller: &str) -> Arc<Hosts> {
    Arc::new(Hosts::new(caller.to_owned(), Some(agents_made_of(env!("CARGO_BIN_EXE_ha-agent")))))
}

fn target(root: &Path) -> Target {
    Target { name: "a".parse().unwrap(), way: Way::Local { root: root.to_owned() } }
}

fn file(path: &str, content: &[u8]) -> File {
    let content = content.to_vec();
    File { path: path.to_owned(), content, mode: 0o600, ..File::default() }
}

fn facts(path: &str) -> FactsRequest {
    FactsRequest { files: vec![path.to_owned().into()], ..FactsRequest::default() }
}

/// The agents whose root this is.
fn agents(root: &Path) -> Vec<Pid> {
    let is_ours = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let mut parts = line.split(|it| *it == 0);
        parts.any(|it| it == root.as_os_str().as_encoded_bytes())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|it| Pid::from_raw(it.file_name().to_str()?.parse().ok()?));
    all.filter(is_ours).collect()
}

#[tokio::test]
async fn a_local_host_is_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/by/the/provider");
    let hosts = hosts("anna@desk, process 1");
    let mut lease = Lease::new(Arc::clone(&hosts), target(&root), "x".to_owned());
    let missing = lease.locked(Patience::Once).await.unwrap_err();
    assert!(matches!(missing, HostError::Unreachable { .. }) && missing.is_transient());
    assert!(!folder.path().join("made").exists());
    let host = lease.locked(Patience::Boot(tokio::time::Instant::now())).await.unwrap();
    assert!(host.put(file("/hello", b"\0\xff")).await.unwrap());
    assert_eq!(fs::read(root.join("hello")).unwrap(), b"\0\xff");
    let seen = host.facts(facts("/hello")).await.unwrap();
    assert_eq!((seen.files[0].kind(), seen.files[0].size, seen.ahead), (Kind::Regular, 2, 0));
    assert_eq!(seen.machine_id.len(), 32);
    // One agent, whoever asks.
    hosts.connect(&target(&root), Patience::Once).await.unwrap();
    assert_eq!(agents(&root).len(), 1);

    let record = Record { name: "trial".to_owned(), format: 1, content: "x".into() };
    assert!(host.put_record(record.clone()).await.unwrap());
    assert_eq!(host.records(&["trial", "other"]).await.unwrap(), [record]);
    for is_there in [true, false] {
        assert_eq!(host.remove_record("trial").await.unwrap(), is_there);
    }
    assert_eq!(host.records(&[]).await.unwrap(), []);

    let error = host.put(file("relative", b"")).await.unwrap_err();
    assert_eq!(error.to_string(), "a: cannot put relative: the path relative is not absolute");
}

#[tokio::test]
async fn a_dead_agent_is_noticed_and_its_lock_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts("anna@desk, process 1");
    let mut lease = Lease::new(hosts, target(folder.path()), "x".to_owned());
    let host = lease.locked(Patience::Once).await.unwrap();
    let agents = agents(folder.path());
    kill_process(agents[0], Signal::STOP).unwrap();
    let call = tokio::spawn({
        let host = host.clone();
        async move { host.put(file("/x", b"1")).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    kill_process(agents[0], Signal::KILL).unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, HostError::Interrupted { .. }), "{error:?}");
    let error = host.put(file("/x", b"1")).await.unwrap_err();
    assert!(matches!(error, HostError::Unreachable { .. }), "{error:?}");
    let again = lease.locked(Patience::Once).await.unwrap();
    assert_eq!((host.generation(), again.generation()), (1, 1));
    again.put(file("/x", b"1")).await.unwrap();
}

#[tokio::test]
async fn a_run_begins_though_nobody_has_noticed_that_the_agent_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts("anna@desk, process 1");
    for _ in 0..20 {
        hosts.connect(&target(folder.path()), Patience::Once).await.unwrap();
        for agent in agents(folder.path()) {
            kill_process(agent, Signal::KILL).unwrap();
        }
        let mut lease = Lease::new(Arc::clone(&hosts), target(folder.path()), "x".to_owned());
        lease.locked(Patience::Once).await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_stands_still_is_noticed_within_15_s() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts("anna@desk, process 1");
    let host = hosts.connect(&target(folder.path()), Patience::Once).await.unwrap();
    let agent = agents(folder.path())[0];
    kill_process(agent, Signal::STOP).unwrap();
    let began = Instant::now();
    let error = host.facts(facts("/x")).await.unwrap_err();
    assert!(matches!(error, HostError::Interrupted { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    kill_process(agent, Signal::KILL).unwrap();
}

#[tokio::test]
async fn another_process_is_turned_away_until_the_first_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let first = hosts("anna@desk, process 1");
    let mut lease = Lease::new(Arc::clone(&first), target(folder.path()), "x".to_owned());
    lease.locked(Patience::Once).await.unwrap();
    let second = hosts("bob@bench, process 2");
    let mut other = Lease::new(second, target(folder.path()), "x".to_owned());
    let text = other.locked(Patience::Once).await.unwrap_err().to_string();
    let expected = "a: cannot lock x: anna@desk, process 1 holds it (run 1, agent process ";
    assert!(text.starts_with(expected), "{text}");
    drop((lease, first));
    let began = Instant::now();
    while let Err(error) = other.locked(Patience::Once).await {
        assert!(began.elapsed() < Duration::from_secs(10), "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn bytes_go_to_a_socket_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let host = hosts("anna").connect(&target(folder.path()), Patience::Once).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        all.reverse();
        stream.write_all(&all).await.unwrap();
    });
    let mut stream = host.forward(&address).await.unwrap();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|it| it.to_le_bytes()[0]).collect();
    stream.write_all(&sent).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.unwrap();
    back.reverse();
    assert!(back == sent);

    // A server that speaks and leaves is heard to the end, though we have not said a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { listener.accept().await.unwrap().0.write_all(b"hello").await });
    let mut stream = host.forward(&address).await.unwrap();
    let mut said = String::new();
    timeout(Duration::from_secs(10), stream.read_to_string(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, "hello");

    let error = host.forward("127.0.0.1:1").await.err().unwrap();
    assert!(matches!(error, HostError::Failed { .. }), "{error:?}");
}

#[tokio::test]
async fn an_agent_that_does_not_come_up_is_refused_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let check = async |agent: &str, expected: &str| {
        let hosts = Hosts::new("anna".to_owned(), Some(agents_made_of(agent)));
        let error = hosts.connect(&target(folder.path()), Patience::Once).await.unwrap_err();
        let HostError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
        let source: &ConnectError = source.downcast_ref().unwrap();
        assert!(source.to_string().contains(expected) && !error.is_transient(), "{source}");
    };
    check("/does/not/exist", "ha-agent_linux_").await;
    check("/bin/false", "the agent did not come up: exit status: 1").await;
    check("/bin/ls", "unrecognized option").await;
}

/// When the last connection is dropped the agent ends by itself.
#[tokio::test]
async fn nothing_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts("anna");
    let host = hosts.connect(&target(folder.path()), Patience::Once).await.unwrap();
    drop((host, hosts));
    let began = Instant::now();
    while !agents(folder.path()).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
        thread::yield_now();
    }
}

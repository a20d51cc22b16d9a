//! The agent as a child process, spoken to as the provider does it.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test drives processes, fails by panicking, and tells what it measured"
)]

mod artifacts;
#[path = "../support/connection.rs"]
mod connection;
mod probe;
mod server;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use terraform_provider_ha::proto::agent::agent_client::AgentClient;
use terraform_provider_ha::proto::agent::file::Kind;
use terraform_provider_ha::proto::agent::journal_entry::Phase;
use terraform_provider_ha::proto::agent::lock_reply::Outcome;
use terraform_provider_ha::proto::agent::{
    Claim, FactsRequest, File, ForwardOpen, ForwardRequest, GetRecordsRequest, HeartbeatRequest,
    HelloRequest, Holder, LockRequest, PutRecordRequest, PutRequest, ReadJournalRequest,
    ReadRequest, Record, RemoveRequest, forward_open, forward_reply, forward_request,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tonic::Code;
use tonic::codegen::tokio_stream::iter;

use self::connection::Connection;

const NONCE: &str = "0123456789abcdef";
/// Everything here takes milliseconds on a machine with nothing else to do.
const LONG: Duration = Duration::from_secs(20);

/// A running agent and its client. The process is killed when this is dropped.
struct Agent {
    process: Child,
    client: AgentClient<Connection>,
}

async fn client(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> AgentClient<Connection> {
    Connection::client(stream).await.max_decoding_message_size(32 << 20)
}

impl Agent {
    async fn start(root: &Path) -> Self {
        Self::start_with(root, &[]).await
    }

    async fn start_with(root: &Path, arguments: &[&str]) -> Self {
        let mut process = command(root, arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut output = process.stdout.take().unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            line.push(timeout(LONG, output.read_u8()).await.unwrap().unwrap());
        }
        assert_eq!(line, format!("ha-agent {NONCE} 1\n").as_bytes());
        let stream = tokio::io::join(output, process.stdin.take().unwrap());
        let client = client(stream).await;
        let mut agent = Self { process, client };
        agent.hello("anna@desk").await;
        agent
    }

    async fn hello(&mut self, caller: &str) {
        let hello = HelloRequest { caller: caller.to_owned() };
        let reply = self.client.hello(hello).await.unwrap().into_inner();
        assert_eq!((reply.format, Some(reply.process)), (1, self.process.id()));
    }

    async fn ask_lock(&mut self, generation: u64) -> Outcome {
        let request = LockRequest { name: "etcd".to_owned(), generation };
        self.client.lock(request).await.unwrap().into_inner().outcome.unwrap()
    }

    async fn lock(&mut self) -> Claim {
        match self.ask_lock(0).await {
            Outcome::Held(claim) => claim,
            other => panic!("no lock: {other:?}"),
        }
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().unwrap().cast_signed()).unwrap();
        kill_process(id, signal).unwrap();
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        timeout(LONG, self.process.wait()).await.unwrap().unwrap()
    }
}

fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ha-agent"));
    command.args(["serve", "--nonce", NONCE, "--root"]).arg(root).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn put(claim: &Claim, path: &[u8], content: &[u8]) -> PutRequest {
    PutRequest {
        claim: Some(claim.clone()),
        path: path.to_vec().into(),
        content: content.to_vec().into(),
        mode: 0o600,
        ..PutRequest::default()
    }
}

fn read(path: &[u8]) -> ReadRequest {
    ReadRequest { path: path.to_vec().into(), limit: 0 }
}

fn root() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn facts_come_in_one_message_and_absence_is_proven() {
    let root = root();
    let began = Instant::now();
    let mut agent = Agent::start(root.path()).await;
    fs::write(root.path().join("a"), "abc").unwrap();
    symlink("loop", root.path().join("loop")).unwrap();
    let request = FactsRequest {
        disks: vec![b"/".to_vec().into(), b"/none/at/all".to_vec().into(), b"none".to_vec().into()],
        units: vec!["etcd.service".to_owned()],
        files: [b"/a".as_slice(), b"/none/b", b"/loop/x", b"relative"]
            .map(|it| it.to_vec().into())
            .to_vec(),
        listeners: true,
        ..FactsRequest::default()
    };
    let facts = agent.client.facts(request).await.unwrap().into_inner();
    eprintln!("start to first facts: {:?}", began.elapsed());
    assert!(facts.clock > 0 && !facts.boot_id.is_empty() && !facts.addresses.is_empty());
    assert!(!facts.systemd && facts.units[0].load == "not-found");
    assert!(facts.disks[0].total > 0 && facts.disks[0].error.is_empty());
    assert_eq!(facts.disks[1].total, facts.disks[0].total);
    assert!(!facts.disks[2].error.is_empty());
    let kinds: Vec<_> = facts.files.iter().map(File::kind).collect();
    assert_eq!(kinds, [Kind::Regular, Kind::Absent, Kind::Unseen, Kind::Unseen]);
    assert_eq!(facts.files[0].size, 3);
    assert_eq!(facts.files[0].digest[..4], [0xba, 0x78, 0x16, 0xbf]);
}

#[tokio::test]
async fn a_file_is_put_read_and_removed_with_any_bytes() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    let claim = agent.lock().await;
    for name in
        [b"/plain".as_slice(), b"/$(id)\n'\"\\", b"/\xff\xfe", b"/-rf", "/ä…\u{202e}".as_bytes()]
    {
        let content = [name, b"\0\r\n\xff"].concat();
        for changed in [true, false] {
            let reply = agent.client.put(put(&claim, name, &content)).await.unwrap();
            assert_eq!(reply.into_inner().changed, changed);
        }
        let reply = agent.client.read(read(name)).await.unwrap().into_inner();
        assert_eq!(reply.content, content);
        let remove =
            RemoveRequest { claim: Some(claim.clone()), path: name.to_vec().into(), tree: false };
        for changed in [true, false] {
            let reply = agent.client.remove(remove.clone()).await.unwrap();
            assert_eq!(reply.into_inner().changed, changed);
        }
        let reply = agent.client.read(read(name)).await.unwrap().into_inner();
        assert_eq!(reply.file.unwrap().kind(), Kind::Absent);
    }
    for name in [b"x".as_slice(), b"/../x", b"/a\0b", b""] {
        let refused = agent.client.put(put(&claim, name, b"")).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let large = vec![7; 16 << 20];
    agent.client.put(put(&claim, b"/large", &large)).await.unwrap();
    let reply = agent.client.read(read(b"/large")).await.unwrap().into_inner();
    assert_eq!(reply.content, large);
}

#[tokio::test]
async fn nothing_is_changed_without_the_lock_in_its_generation() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    let claim = Claim { lock: "etcd".to_owned(), generation: 1 };
    let refused = agent.client.put(put(&claim, b"/a", b"")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "the lock \"etcd\" is not held by this agent");
    let request = PutRequest { claim: None, ..put(&claim, b"/a", b"") };
    let refused = agent.client.put(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(!root.path().join("a").exists());
    agent.lock().await;
    let newer = Claim { generation: 2, ..claim };
    agent.client.put(put(&newer, b"/a", b"")).await.unwrap_err();
}

#[tokio::test]
async fn a_lock_has_one_holder_and_dies_with_it() {
    let root = root();
    let (mut first, mut second) =
        (Agent::start(root.path()).await, Agent::start(root.path()).await);
    first.hello("anna@desk, run 7").await;
    assert_eq!(first.lock().await.generation, 1);
    let Outcome::Taken(holder) = second.ask_lock(0).await else { panic!("two holders") };
    let Holder { caller, generation, process, since, ending } = holder;
    assert_eq!((caller.as_str(), generation), ("anna@desk, run 7", 1));
    assert_eq!(Some(process), first.process.id());
    assert!(since > 0 && !ending);
    first.signal(Signal::KILL);
    first.ended().await;
    assert_eq!(second.lock().await.generation, 2);
    let mut third = Agent::start(root.path()).await;
    drop(second.client);
    second.process.wait().await.unwrap();
    assert!(matches!(third.ask_lock(1).await, Outcome::Outdated(2)));
    assert!(matches!(third.ask_lock(2).await, Outcome::Held(_)));
}

#[tokio::test]
async fn each_change_is_in_the_journal_before_and_after() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    let claim = agent.lock().await;
    agent.client.put(put(&claim, b"/a", b"x")).await.unwrap();
    agent.client.put(put(&claim, b"/none/a", b"x")).await.unwrap_err();
    let record = Record { name: "etcd-prod".to_owned(), format: 1, content: b"\0".to_vec().into() };
    let request = PutRecordRequest { claim: Some(claim), record: Some(record.clone()) };
    agent.client.put_record(request).await.unwrap();
    drop(agent);

    let mut agent = Agent::start(root.path()).await;
    let journal = agent.client.read_journal(ReadJournalRequest::default()).await.unwrap();
    let entries = journal.into_inner().entries;
    let told: Vec<_> = entries.iter().map(|it| (it.phase(), it.what.as_str())).collect();
    assert_eq!(
        told,
        [
            (Phase::Begin, "put /a"),
            (Phase::Done, "put /a"),
            (Phase::Begin, "put /none/a"),
            (Phase::Failed, "put /none/a"),
            (Phase::Begin, "put the record \"etcd-prod\""),
            (Phase::Done, "put the record \"etcd-prod\""),
        ]
    );
    assert_eq!((entries[0].caller.as_str(), entries[0].generation), ("anna@desk", 1));
    let records = agent.client.get_records(GetRecordsRequest::default()).await.unwrap();
    assert_eq!(records.into_inner().records, [record]);
}

#[tokio::test]
async fn bytes_are_forwarded_to_a_port_and_a_socket() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = tcp.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let unix = UnixListener::bind(root.path().join("socket")).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = unix.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    for target in
        [forward_open::Target::Tcp(address), forward_open::Target::Unix(b"/socket".to_vec().into())]
    {
        assert_eq!(echo(&mut agent, target, &data).await.unwrap(), data);
    }
    let refused = |target: &str| forward_open::Target::Tcp(target.to_owned());
    for (target, code) in [
        ("127.0.0.1:1", Code::Internal),
        ("192.0.2.1:80", Code::FailedPrecondition),
        ("localhost:80", Code::InvalidArgument),
    ] {
        let status = echo(&mut agent, refused(target), b"").await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
    }
    agent.client.heartbeat(HeartbeatRequest {}).await.unwrap();
}

async fn echo(
    agent: &mut Agent,
    target: forward_open::Target,
    data: &[u8],
) -> Result<Vec<u8>, tonic::Status> {
    let open = ForwardOpen { target: Some(target) };
    let mut messages = vec![ForwardRequest { message: Some(forward_request::Message::Open(open)) }];
    messages.extend(data.chunks(100_000).map(|it| ForwardRequest {
        message: Some(forward_request::Message::Data(it.to_vec().into())),
    }));
    let mut answers = agent.client.forward(iter(messages)).await?.into_inner();
    let mut echoed = Vec::new();
    let (mut opened, mut ended) = (0, 0);
    while let Some(answer) = timeout(LONG, answers.message()).await.unwrap()? {
        match answer.message.unwrap() {
            forward_reply::Message::Opened(_) => opened += 1,
            forward_reply::Message::Data(data) => echoed.extend_from_slice(&data),
            forward_reply::Message::Ended(_) => ended += 1,
        }
    }
    assert_eq!((opened, ended), (1, 1));
    Ok(echoed)
}

#[tokio::test]
async fn the_end_of_the_client_ends_the_agent() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    agent.lock().await;
    let Agent { mut process, client } = agent;
    let began = Instant::now();
    drop(client);
    assert!(timeout(LONG, process.wait()).await.unwrap().unwrap().success());
    eprintln!("client's end to agent's end: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_silent_client_loses_its_agent_and_a_beating_one_does_not() {
    let root = root();
    let mut agent = Agent::start_with(root.path(), &["--silence", "1000"]).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        agent.client.heartbeat(HeartbeatRequest {}).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(agent.ended().await.code(), Some(1));
    let mut text = String::new();
    agent.process.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "ha-agent: no heartbeat for 1s\n");
}

#[tokio::test]
async fn a_client_that_answers_no_ping_loses_its_agent() {
    let root = root();
    let mut process = command(root.path(), &[]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    // The preface and empty settings; then nothing, as after a partition.
    input.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let began = Instant::now();
    timeout(LONG, process.wait()).await.unwrap().unwrap();
    eprintln!("partition to agent's end: {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn ctrl_c_at_the_terminal_is_for_the_client() {
    let root = root();
    let mut agent = Agent::start(root.path()).await;
    agent.signal(Signal::INT);
    agent.signal(Signal::HUP);
    agent.client.heartbeat(HeartbeatRequest {}).await.unwrap();
    agent.signal(Signal::TERM);
    assert!(agent.ended().await.success());
}

#[tokio::test]
async fn a_kill_at_any_time_leaves_the_old_file_or_the_new_one() {
    let root = root();
    let [old, new] = [[b'a'; 1], [b'b'; 1]].map(|it| it.repeat(1 << 20));
    let target = root.path().join("a");
    fs::write(&target, &old).unwrap();
    for round in 0..30 {
        let mut agent = Agent::start(root.path()).await;
        let claim = agent.lock().await;
        let mut client = agent.client.clone();
        let contents = [new.clone(), old.clone()];
        let writing = tokio::spawn(async move {
            loop {
                for content in &contents {
                    if client.put(put(&claim, b"/a", content)).await.is_err() {
                        return;
                    }
                }
            }
        });
        let is_whole = {
            let (target, old, new) = (target.clone(), old.clone(), new.clone());
            move || fs::read(&target).is_ok_and(|it| it == old || it == new)
        };
        let folder = root.path().to_owned();
        let watching = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let mut looks = 0;
            // In the middle of writing, and in each round a little later.
            while looks <= round % 6 && began.elapsed() < LONG {
                assert!(is_whole(), "seen while it was written");
                looks += u32::from(is_writing(&folder));
            }
            is_whole
        });
        let is_whole = watching.await.unwrap();
        agent.signal(Signal::KILL);
        agent.ended().await;
        writing.await.unwrap();
        assert!(is_whole(), "after the kill in round {round}");
    }
    let mut agent = Agent::start(root.path()).await;
    let claim = agent.lock().await;
    agent.client.put(put(&claim, b"/a", b"last")).await.unwrap();
    let beside = fs::read_dir(root.path()).unwrap().map(|it| it.unwrap().file_name());
    let mut names: Vec<_> = beside.collect();
    names.sort();
    assert_eq!(names, ["a", "var"], "what was left beside was swept");
}

/// Whether there is a file beside that will become the target.
fn is_writing(folder: &Path) -> bool {
    let mut names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    names.any(|it| it.to_string_lossy().starts_with(".ha-agent-"))
}

#[tokio::test]
async fn what_is_no_stream_is_refused() {
    let root = root();
    let output = command(root.path(), &[]).stdin(Stdio::null()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text, "ha-agent: standard input is neither a socket nor a pipe\n");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn a_socket_serves_as_well_as_pipes() {
    let root = root();
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let far = std::os::fd::OwnedFd::from(far);
    let mut command = command(root.path(), &[]);
    command.stdin(far.try_clone().unwrap()).stdout(far);
    let _process = command.spawn().unwrap();
    drop(command);
    near.set_nonblocking(true).unwrap();
    let mut near = tokio::net::UnixStream::from_std(near).unwrap();
    let mut line = vec![0; format!("ha-agent {NONCE} 1\n").len()];
    timeout(LONG, near.read_exact(&mut line)).await.unwrap().unwrap();
    client(near).await.heartbeat(HeartbeatRequest {}).await.unwrap();
}

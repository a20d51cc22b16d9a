//! The way to a host by SSH, with everything that hosts and users do to it.

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use secrecy::SecretString;
use tempfile::TempDir;
use terraform_provider_ha::host::ssh::HostKeyPolicy::{AcceptNew, Strict};
use terraform_provider_ha::host::ssh::{Bastion, Connection, Key, Opened, Target, open};
use terraform_provider_ha::host::{ConnectError, Stream};
use terraform_provider_ha::proto::agent::agent_client::AgentClient;
use terraform_provider_ha::proto::agent::{HelloReply, HelloRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::body::Body;
use tonic::codegen::Service;

use crate::agents::agent_binaries;
use crate::lab::{Lab, PASSWORD};
use crate::network::End;
use crate::program::{run, text, within};

const PLACE: &str = "/usr/local/lib/ha-agent";

/// How the lab's own key logs in.
fn connection(lab: &Lab) -> Connection {
    Connection {
        user: "root".to_owned(),
        port: 22,
        key: Key::File(lab.key()),
        passphrase: None,
        certificate_file: None,
        known_hosts_file: lab.known_hosts(),
        host_key_policy: Strict,
        sudo_password: None,
        bastions: Vec::new(),
        connect_timeout: Duration::from_secs(10),
        boot_wait: Duration::ZERO,
    }
}

fn target(lab: &Lab, host: usize, connection: Connection) -> Target {
    let address = lab.address(host).to_owned();
    let user = connection.user.clone();
    Target { address, port: 22, user, host_key: None, connection: Arc::new(connection) }
}

/// How root is reached.
pub(crate) fn root(lab: &Lab, host: usize) -> Target {
    target(lab, host, connection(lab))
}

fn bastion(lab: &Lab, host: usize, connection: Connection) -> Bastion {
    let Target { address, port, user, host_key, connection } = target(lab, host, connection);
    Bastion { address, port, user, host_key, connection }
}

fn as_user(lab: &Lab, user: &str) -> Connection {
    Connection { user: user.to_owned(), ..connection(lab) }
}

pub(crate) fn now<T>(what: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(what)
}

async fn try_open(target: &Target) -> Result<Opened, ConnectError> {
    open(target, &agent_binaries()).await
}

/// Opens, and lets the agent say who it is; the key that the host has proved.
fn works(target: &Target) -> String {
    now(async {
        let opened = try_open(target).await.unwrap_or_else(|it| panic!("{}", chain(&it)));
        let reply = hello(opened.stream).await;
        assert_eq!((reply.format, reply.user), (1, 0));
        opened.host_key
    })
}

/// Opens in vain; what is said about it, in which no secret may be.
fn fails(target: &Target, is_transient: bool, expected: &str) -> String {
    let began = Instant::now();
    let error = now(async { try_open(target).await.err().expect("there should be no connection") });
    let text = format!("{}\n{error:?}\n{target:?}", chain(&error));
    eprintln!("after {:?}: {}", began.elapsed(), chain(&error));
    assert!(text.contains(expected), "{text}");
    assert_eq!(error.is_transient(), is_transient, "{text}");
    for secret in [PASSWORD, WRONG, "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{text}");
    }
    chain(&error)
}

/// A secret that opens nothing.
const WRONG: &str = "wrong-secret";

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |text, it| format!("{text}: {it}"))
}

#[derive(Clone)]
struct Http(http2::SendRequest<Body>);

impl Service<http::Request<Body>> for Http {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

async fn hello(stream: Box<dyn Stream>) -> HelloReply {
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let origin = http::Uri::from_static("http://agent");
    let mut client = AgentClient::with_origin(Http(sender), origin);
    client.hello(HelloRequest { caller: "lab".to_owned() }).await.unwrap().into_inner()
}

/// Waits until no agent runs on the host: each must end with its session.
fn no_agent_is_left(lab: &Lab, host: usize) {
    let running = "pgrep -c -x ha-agent || true";
    assert!(within(Duration::from_secs(10), || lab.ssh(host, running).trim() == "0"));
}

fn keygen(arguments: &[&str]) {
    run("ssh-keygen", &[&["-q"], arguments].concat()).unwrap();
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

fn public(key: &Path) -> String {
    fs::read_to_string(format!("{}.pub", key.display())).unwrap().trim().to_owned()
}

/// An ssh-agent with keys, ended when this is dropped.
struct SshAgent {
    process: Child,
    socket: PathBuf,
    _directory: TempDir,
}

impl SshAgent {
    fn with(keys: &[&Path]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let process = command.spawn().unwrap();
        assert!(within(Duration::from_secs(5), || socket.exists()));
        for key in keys {
            let mut add = Command::new("ssh-add");
            let added = add.arg(key).env("SSH_AUTH_SOCK", &socket).output().unwrap();
            assert!(added.status.success(), "{}", text(&added));
        }
        Self { process, socket, _directory: directory }
    }

    fn key(&self, only: Option<&str>) -> Key {
        Key::Agent { socket: self.socket.clone(), key: only.map(String::from) }
    }
}

impl Drop for SshAgent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_way_to_log_in_works_and_each_failure_names_its_cure() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let to = |change: &dyn Fn(&mut Connection)| {
        let mut connection = connection(&lab);
        change(&mut connection);
        target(&lab, 0, connection)
    };
    let began = Instant::now();
    works(&to(&|_| ()));
    eprintln!("first contact: {:?}", began.elapsed());
    let placed = format!("find {PLACE} -type f -printf '%p %m %U %T@\\n'");
    let first = lab.ssh(0, &placed);
    assert!(first.contains("/ha-agent 755 0 ") && first.lines().count() == 1, "{first}");
    let began = Instant::now();
    let text = fs::read_to_string(lab.key()).unwrap();
    works(&to(&|it| it.key = Key::Text(text.clone().into())));
    eprintln!("second contact: {:?}", began.elapsed());
    assert_eq!(lab.ssh(0, &placed), first, "it was placed again");
    no_agent_is_left(&lab, 0);

    let encrypted = lab.directory().join("encrypted");
    fs::copy(lab.key(), &encrypted).unwrap();
    keygen(&["-p", "-P", "", "-N", "lab-passphrase", "-f", &show(&encrypted)]);
    let with = |passphrase: Option<&str>| {
        to(&|it| {
            it.key = Key::File(encrypted.clone());
            it.passphrase = passphrase.map(SecretString::from);
        })
    };
    works(&with(Some("lab-passphrase")));
    fails(&with(None), false, "give its `passphrase`");
    fails(&with(Some(WRONG)), false, "cannot be opened with this `passphrase`");

    let other = lab.directory().join("other");
    keygen(&["-t", "ed25519", "-N", "", "-f", &show(&other)]);
    fails(&to(&|it| it.key = Key::File(other.clone())), false, "is not accepted for this user");
    fails(&to(&|it| it.key = Key::File("/none".into())), false, "/none cannot be read");
    fails(&to(&|it| it.user = "nobody-here".to_owned()), false, "nobody-here@");
    fails(&to(&|it| it.user = "-l".to_owned()), false, "is no user");

    // RSA: an agent signs, a file is refused in every format.
    let rsa = lab.directory().join("rsa");
    keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", &show(&rsa)]);
    let keys = lab.hosts[0].root().join("root/.ssh/authorized_keys");
    let more = format!("{}\n{}\n", fs::read_to_string(&keys).unwrap(), public(&rsa));
    fs::write(&keys, more).unwrap();
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );
    let agent = SshAgent::with(&[&other, &rsa]);
    works(&to(&|it| it.key = agent.key(None)));
    keygen(&["-p", "-P", "", "-N", "", "-m", "PEM", "-f", &show(&rsa)]);
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );
    keygen(&["-p", "-P", "", "-N", "", "-m", "PKCS8", "-f", &show(&rsa)]);
    fails(
        &to(&|it| it.key = Key::File(rsa.clone())),
        false,
        "load it there and set `agent = true`",
    );

    let agent = SshAgent::with(&[&other, &lab.key()]);
    works(&to(&|it| it.key = agent.key(None)));
    works(&to(&|it| it.key = agent.key(Some(&public(&lab.key())))));
    let listed = run("ssh-keygen", &["-l", "-f", &show(&lab.key())]).unwrap();
    let fingerprint = listed.split(' ').nth(1).unwrap().to_owned();
    works(&to(&|it| it.key = agent.key(Some(&fingerprint))));
    fails(&to(&|it| it.key = agent.key(Some(&public(&other)))), false, "is not accepted");
    fails(
        &to(&|it| it.key = agent.key(Some("SHA256:none"))),
        false,
        "holds no key that may be used",
    );
    let many: Vec<_> = (0..7).map(|it| lab.directory().join(format!("many{it}"))).collect();
    for it in &many {
        keygen(&["-t", "ed25519", "-N", "", "-f", &show(it)]);
    }
    let crowd = SshAgent::with(&many.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    fails(&to(&|it| it.key = crowd.key(None)), false, "Too many authentication failures");
    drop(agent);
    let gone = Key::Agent { socket: crowd.socket.with_extension("gone"), key: None };
    fails(&to(&|it| it.key = gone.clone()), false, "cannot be reached");
    no_agent_is_left(&lab, 0);
}

#[test]
fn a_certificate_logs_in_where_its_signer_is_trusted() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let [authority, key] = ["authority", "other"].map(|it| lab.directory().join(it));
    for it in [&authority, &key] {
        keygen(&["-t", "ed25519", "-N", "", "-f", &show(it)]);
    }
    // An ssh-agent takes a certificate along that lies beside its key, as it does not beside this copy.
    let bare = lab.directory().join("bare");
    fs::copy(&key, &bare).unwrap();
    keygen(&["-s", &show(&authority), "-I", "lab", "-n", "root", &format!("{}.pub", show(&key))]);
    fs::write(lab.hosts[0].root().join("etc/ssh/authority.pub"), public(&authority)).unwrap();
    configure(&lab, 0, "TrustedUserCAKeys /etc/ssh/authority.pub");

    let with = |key: Key, certificate: Option<&str>| {
        let certificate_file = certificate.map(|it| lab.directory().join(it));
        target(&lab, 0, Connection { key, certificate_file, ..connection(&lab) })
    };
    let certificate = Some("other-cert.pub");
    works(&with(Key::File(key.clone()), certificate));
    fails(&with(Key::File(key.clone()), None), false, "is not accepted for this user");
    fails(&with(Key::File(lab.key()), certificate), false, "is not for this private key");
    fails(&with(Key::File(key.clone()), Some("none")), false, "none cannot be read");
    let (knows_the_key, knows_both) = (SshAgent::with(&[&bare]), SshAgent::with(&[&key]));
    works(&with(knows_the_key.key(None), certificate));
    fails(&with(knows_the_key.key(None), None), false, "is not accepted for this user");
    works(&with(knows_both.key(None), certificate));
    works(&with(knows_both.key(None), None));
}

/// Adds a line to what sshd is told.
fn configure(lab: &Lab, host: usize, line: &str) {
    lab.ssh(host, &format!("echo {line} >>/etc/ssh/sshd_config && systemctl restart ssh"));
}

#[test]
fn root_is_reached_by_sudo_with_and_without_a_password() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let with = |user: &str, password: Option<&str>| {
        let sudo_password = password.map(SecretString::from);
        target(&lab, 0, Connection { sudo_password, ..as_user(&lab, user) })
    };
    works(&with("ops", None));
    // Not asked for, so not given: it would be the first thing that the agent reads.
    works(&with("ops", Some(PASSWORD)));
    works(&with("opspw", Some(PASSWORD)));
    fails(&with("opspw", Some(WRONG)), false, "sudo does not accept `sudo_password`");
    let said = fails(&with("opspw", None), false, "or `sudo_password`: ");
    assert!(said.contains("password is required"), "{said}");
    // A shell that traces what it does shows the prompt in its command line.
    let bashrc = lab.hosts[0].root().join("home/opspw/.bashrc");
    fs::write(&bashrc, "set -x\n").unwrap();
    works(&with("opspw", Some(PASSWORD)));
    lab.ssh(0, "chsh -s /usr/sbin/nologin ops");
    let said = fails(&with("ops", None), false, "before anything of ours ran");
    assert!(said.contains("not available"), "{said}");
    lab.ssh(0, "chsh -s /bin/sh ops");
    works(&with("ops", None));
    no_agent_is_left(&lab, 0);
}

#[test]
fn a_host_is_known_or_refused() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let empty = lab.directory().join("empty");
    let file = lab.directory().join("file");
    let with = |file: &Path, policy, pin: Option<&str>| {
        let connection = Connection {
            known_hosts_file: file.to_owned(),
            host_key_policy: policy,
            ..connection(&lab)
        };
        Target { host_key: pin.map(String::from), ..target(&lab, 0, connection) }
    };
    let line = fs::read_to_string(lab.known_hosts()).unwrap();
    let key = line.trim().split_once(' ').unwrap().1.rsplit_once(' ').unwrap().0;

    assert_eq!(works(&with(&lab.known_hosts(), Strict, None)), key);
    let said = fails(&with(&empty, Strict, None), false, "is not known");
    assert!(said.contains("SHA256:") && said.contains(key), "{said}");
    assert_eq!(works(&with(&empty, AcceptNew, None)), key);
    assert!(!empty.exists(), "the file belongs to the user");
    assert_eq!(works(&with(&empty, Strict, Some(key))), key);
    fails(&with(&empty, Strict, Some("ssh-ed25519")), false, "is not of the form");

    fs::write(&file, &line).unwrap();
    keygen(&["-H", "-f", &show(&file)]);
    assert!(fs::read_to_string(&file).unwrap().starts_with("|1|"));
    works(&with(&file, Strict, None));

    // The file knows another kind of key than the host would show by itself.
    let root = lab.hosts[0].root();
    let ecdsa = fs::read_to_string(root.join("etc/ssh/ssh_host_ecdsa_key.pub")).unwrap();
    fs::write(&file, format!("{} {ecdsa}", lab.address(0))).unwrap();
    assert!(works(&with(&file, Strict, None)).starts_with("ecdsa-sha2-nistp256 "));

    // A certificate of the host, by an authority that the file trusts.
    let authority = lab.directory().join("authority");
    keygen(&["-t", "ed25519", "-N", "", "-f", &show(&authority)]);
    let host_key = root.join("etc/ssh/ssh_host_ed25519_key.pub");
    let signed =
        ["-s", &show(&authority), "-h", "-I", "h0", "-n", lab.address(0), &show(&host_key)];
    keygen(&signed);
    configure(&lab, 0, "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub");
    fs::write(&file, format!("@cert-authority 10.77.* {}", public(&authority))).unwrap();
    assert_eq!(works(&with(&file, Strict, None)), key);
    fs::write(&file, format!("@cert-authority 10.78.* {}", public(&authority))).unwrap();
    fails(&with(&file, Strict, None), false, "is not known");
    works(&with(&lab.known_hosts(), Strict, None));

    // IPv6, written in both ways.
    run("ip", &["address", "add", "fd77::1/64", "dev", lab.name(), "nodad"]).unwrap();
    lab.ssh(0, "ip address add fd77::10/64 dev host0 nodad");
    fs::write(&file, format!("fd77::10 {key}\n")).unwrap();
    for address in ["fd77::10", "[fd77::10]"] {
        works(&Target { address: address.to_owned(), ..with(&file, Strict, None) });
    }

    // Another machine with the same address.
    fs::write(&file, &line).unwrap();
    lab.shut_down(0);
    fails(&with(&file, Strict, None), true, "");
    lab.rebuild(0);
    for policy in [Strict, AcceptNew] {
        let said = fails(&with(&file, policy, None), false, "the host key has changed");
        assert_eq!(said.matches("SHA256:").count(), 2, "{said}");
    }
    fails(&with(&lab.known_hosts(), AcceptNew, Some(key)), false, "is not the pinned one");
    works(&with(&lab.known_hosts(), Strict, None));
}

#[test]
fn bastions_are_verified_like_hosts_and_a_peer_that_stalls_is_noticed() {
    let Some(lab) = Lab::with_plain_hosts(3) else { return };
    let ops = || as_user(&lab, "ops");
    let way = |bastions| target(&lab, 2, Connection { bastions, ..connection(&lab) });
    // Only the second bastion can reach the target.
    lab.block(End::Here, End::Host(2));
    lab.block(End::Host(0), End::Host(2));
    let both = vec![bastion(&lab, 0, ops()), bastion(&lab, 1, ops())];
    let began = Instant::now();
    now(async {
        let opened =
            try_open(&way(both.clone())).await.unwrap_or_else(|it| panic!("{}", chain(&it)));
        assert_eq!(opened.bastion_host_keys.len(), 2);
        assert!(!opened.bastion_host_keys.contains(&opened.host_key));
        hello(opened.stream).await;
    });
    eprintln!("two bastions: {:?}", began.elapsed());
    no_agent_is_left_behind(&lab, 2);

    let wrong = lab.directory().join("wrong");
    let lines = fs::read_to_string(lab.known_hosts()).unwrap();
    let (of_0, of_1) = (lab.address(0), lab.address(1));
    let swapped = lines.replace(of_0, "@").replace(of_1, of_0).replace('@', of_1);
    fs::write(&wrong, swapped).unwrap();
    let distrusts = || Connection { known_hosts_file: wrong.clone(), ..ops() };
    let said = fails(
        &way(vec![bastion(&lab, 0, ops()), bastion(&lab, 1, distrusts())]),
        false,
        "the host key has changed",
    );
    assert!(said.starts_with(&format!("bastion ops@{of_1}: ")), "{said}");
    let said = fails(&way(vec![bastion(&lab, 0, distrusts())]), false, "the host key has changed");
    assert!(said.starts_with(&format!("bastion ops@{of_0}: ")), "{said}");

    configure(&lab, 1, "AllowTcpForwarding no");
    fails(&way(both.clone()), false, "forwards nothing");
    lab.ssh(1, "sed -i /AllowTcpForwarding/d /etc/ssh/sshd_config && systemctl restart ssh");
    let closed = Target { port: 2222, ..way(both.clone()) };
    fails(&closed, true, "cannot reach it");
    lab.heal();

    // Nobody says goodbye, whether packets are dropped, a machine is frozen, or a bastion is cut off.
    // With and without something to send, which then waits in the buffers.
    let stalls = |target: &Target, bytes: usize, stall: &dyn Fn()| {
        now(async {
            let opened = try_open(target).await.unwrap_or_else(|it| panic!("{}", chain(&it)));
            let (mut read, mut write) = tokio::io::split(opened.stream);
            // The greeting of HTTP/2.
            read.read_u8().await.unwrap();
            stall();
            let began = Instant::now();
            tokio::spawn(async move { write.write_all(&vec![0; bytes]).await });
            let ended = read.read_to_end(&mut Vec::new()).await.unwrap_err().to_string();
            eprintln!("noticed after {:?}: {ended}", began.elapsed());
            assert!(began.elapsed() <= Duration::from_secs(15));
            assert!(ended.contains("the SSH session was lost"), "{ended}");
        });
    };
    stalls(&way(Vec::new()), 0, &|| lab.isolate(2));
    let began = Instant::now();
    fails(&way(Vec::new()), true, "");
    assert!(began.elapsed() < Duration::from_secs(12));
    lab.heal();
    stalls(&way(Vec::new()), 16 << 20, &|| lab.isolate(2));
    lab.heal();
    stalls(&way(both), 0, &|| lab.isolate(0));
    lab.heal();
    stalls(&way(Vec::new()), 16 << 20, &|| lab.freeze(2));
    fails(&way(Vec::new()), true, "no login within 10s");
    lab.thaw(2);
}

/// As `no_agent_is_left`, seen without SSH.
fn no_agent_is_left_behind(lab: &Lab, host: usize) {
    let processes = || crate::cgroup::processes(&lab.hosts[host].machine);
    let is_agent = |it: &rustix::process::Pid| {
        fs::read_to_string(format!("/proc/{it}/comm")).is_ok_and(|it| it.trim() == "ha-agent")
    };
    assert!(within(Duration::from_secs(10), || !processes().iter().any(is_agent)));
}

#[test]
fn what_a_host_does_to_a_start_is_borne_or_named() {
    let Some(lab) = Lab::with_plain_hosts(1) else { return };
    let root = lab.hosts[0].root();
    let to = || target(&lab, 0, connection(&lab));
    let bashrc = root.join("root/.bashrc");
    let noise = "head -c 80000 /dev/zero | tr '\\0' x\nprintf 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'\n\
                 printf 'noise on stderr: ' >&2\nprintf 'no end of line'\n";
    fs::write(&bashrc, noise).unwrap();
    works(&to());
    fs::write(&bashrc, "head -c 3000000 /dev/zero\n").unwrap();
    fails(&to(), false, "prints without end");
    fs::write(&bashrc, "echo before >&2\ncat >/dev/null\n").unwrap();
    let said = fails(&to(), false, "A login script");
    assert!(said.ends_with("before"), "{said}");
    fs::write(&bashrc, "exit 7\n").unwrap();
    fails(&to(), false, "shell ended with status 7, before anything of ours ran");
    fs::remove_file(&bashrc).unwrap();

    // An agent that is killed says how it ended.
    now(async {
        let mut stream = try_open(&to()).await.unwrap().stream;
        stream.read_u8().await.unwrap();
        lab.ssh(0, "pkill -KILL -x ha-agent");
        let ended = stream.read_to_end(&mut Vec::new()).await.unwrap_err().to_string();
        assert!(ended.contains("the agent ended by signal KILL"), "{ended}");
    });

    // Several at once, to a host that has no agent.
    lab.ssh(0, &format!("rm -r {PLACE}"));
    now(async {
        let to = to();
        let (a, b, c) = tokio::join!(try_open(&to), try_open(&to), try_open(&to));
        for opened in [a, b, c] {
            hello(opened.unwrap_or_else(|it| panic!("{}", chain(&it))).stream).await;
        }
    });
    assert_eq!(lab.ssh(0, &format!("find {PLACE} -type f")).lines().count(), 1);

    lab.ssh(0, &format!("rm -r {PLACE}"));
    lab.ssh(0, "mount -t tmpfs -o noexec lab /usr/local/lib");
    for _ in 0..2 {
        fails(&to(), false, "does not let programs run");
    }
    lab.ssh(0, "umount /usr/local/lib");

    lab.small_disk(0, "/usr/local/lib", 1);
    let said = fails(&to(), false, "the agent cannot be placed: it cannot be written");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(lab.ssh(0, &format!("find {PLACE} -type f")), "", "something was left");
    lab.ssh(0, "umount /usr/local/lib");

    lab.ssh(0, "mv /usr/bin/sha256sum /usr/bin/gone");
    fails(&to(), false, "`sha256sum` is missing");
    lab.ssh(0, "printf '#!/bin/sh\\nexit 1\\n' >/usr/bin/sha256sum && chmod +x /usr/bin/sha256sum");
    fails(&to(), false, "its checksum is wrong");
    lab.ssh(0, "mv /usr/bin/gone /usr/bin/sha256sum");

    lab.ssh(0, "printf '#!/bin/sh\\necho riscv64\\n' >/usr/local/bin/uname && chmod +x /usr/local/bin/uname");
    fails(&to(), false, "machines of the kind `riscv64`");
    lab.ssh(0, "rm /usr/local/bin/uname");

    // A version that nobody has placed for long goes; a file with that name which is not ours is not run.
    lab.ssh(
        0,
        &format!(
            "mkdir -p {PLACE}/0123456789abcdef && touch -d '10 days ago' {PLACE}/0123456789abcdef"
        ),
    );
    works(&to());
    assert_eq!(lab.ssh(0, &format!("ls {PLACE}")).lines().count(), 1);
    lab.ssh(0, &format!("chown ops {PLACE}/*/ha-agent"));
    works(&to());
    let owner = lab.ssh(0, &format!("stat -c %U {PLACE}/*/ha-agent"));
    assert_eq!(owner, "root\n");

    // A host that boots, or goes down, lets only root in.
    lab.ssh(0, "echo down for repair >/run/nologin");
    fails(&target(&lab, 0, as_user(&lab, "ops")), true, "down for repair");
    lab.ssh(0, "rm /run/nologin");
    no_agent_is_left(&lab, 0);
}

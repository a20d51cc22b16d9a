//! The way to a host by SSH, with everything that hosts and users do to it.

mod bastions;
#[path = "../../support/connection.rs"]
mod client;
mod known_hosts;
mod login;
mod starts;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use terraform_provider_ha::host::ssh::HostKeyPolicy::Strict;
use terraform_provider_ha::host::ssh::{Bastion, Connection, Key, Opened, Target, open};
use terraform_provider_ha::host::{ConnectError, Stream};
use terraform_provider_ha::proto::agent::{HelloReply, HelloRequest};

use crate::agents::agent_binaries;
use crate::lab::{Lab, PASSWORD};
use crate::program::{run, within};

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

async fn hello(stream: Box<dyn Stream>) -> HelloReply {
    let mut client = client::Connection::client(stream).await;
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

/// Adds a line to what sshd is told.
fn configure(lab: &Lab, host: usize, line: &str) {
    lab.ssh(host, &format!("echo {line} >>/etc/ssh/sshd_config && systemctl restart ssh"));
}

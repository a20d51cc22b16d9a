//! A host by SSH: connect, verify, log in, place the agent, start it, and hand over its standard input and output.
//!
//! Reading order: `session` goes from hop to hop; at each, `wire` carries the bytes, `host_key` judges who answers by
//! what `known_hosts` says, and `authenticate` logs in. At the end `start` runs the `script` that places and starts the
//! agent, and `stdio` is what remains of it all. `fault` lists what can go wrong.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::{Binaries, ConnectError, Stream};

mod address;
mod authenticate;
mod fault;
mod host_key;
mod known_hosts;
mod script;
mod session;
mod start;
mod stdio;
mod wire;

/// How to log in, as the provider's configuration says it once for many hosts.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The user where a host or bastion names none.
    pub user: String,
    /// The port where a host or bastion names none.
    pub port: u16,
    /// What proves who we are.
    pub key: Key,
    /// Opens an encrypted key.
    pub passphrase: Option<SecretString>,
    /// An OpenSSH certificate for the key.
    pub certificate_file: Option<PathBuf>,
    /// Keys of hosts. A file that is not there knows none.
    pub known_hosts_file: PathBuf,
    /// What becomes of hosts without an entry there.
    pub host_key_policy: HostKeyPolicy,
    /// What sudo asks for, where it asks.
    pub sudo_password: Option<SecretString>,
    /// Hosts on the way, in the order of the way. Those of a bastion's own connection are not used.
    pub bastions: Vec<Bastion>,
    /// For each hop: to connect, verify and log in.
    pub connect_timeout: Duration,
    /// How long a create or an update waits for a host that may be starting.
    pub boot_wait: Duration,
}

/// A private key, or who has it.
#[derive(Clone, Debug)]
pub enum Key {
    /// In the formats of OpenSSH and PEM.
    Text(SecretString),
    /// The same in a file.
    File(PathBuf),
    /// An ssh-agent signs.
    Agent {
        /// Its socket.
        socket: PathBuf,
        /// The one key to use: a public key, or a fingerprint as `ssh-add -l` prints it. None: all, one by one.
        key: Option<String>,
    },
}

/// What becomes of a host of which no key is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// It is refused.
    Strict,
    /// Its key is accepted. The caller pins it.
    AcceptNew,
}

/// A host on the way.
#[derive(Clone, Debug)]
pub struct Bastion {
    /// A name or an IP address.
    pub address: String,
    /// Its SSH port.
    pub port: u16,
    /// Who logs in.
    pub user: String,
    /// The one key that it may show, `ssh-ed25519 AAAA…`.
    pub host_key: Option<String>,
    /// How to log in.
    pub connection: Arc<Connection>,
}

/// The host itself.
#[derive(Clone, Debug)]
pub struct Target {
    /// A name or an IP address.
    pub address: String,
    /// Its SSH port.
    pub port: u16,
    /// Who logs in: root, or somebody with sudo.
    pub user: String,
    /// The one key that it may show, `ssh-ed25519 AAAA…`.
    pub host_key: Option<String>,
    /// How to log in, and by which way.
    pub connection: Arc<Connection>,
}

/// A running agent.
pub struct Opened {
    /// Its input and output, from the first byte behind its first line. The agent and the session end when this is
    /// dropped. An error of reading tells how the agent or the session ended, and what was on stderr.
    pub stream: Box<dyn Stream>,
    /// The key that the host has proved to have, `ssh-ed25519 AAAA…`: what to pin.
    pub host_key: String,
    /// The same of the bastions, in the order of the way.
    pub bastion_host_keys: Vec<String>,
}

/// Connects, verifies, logs in, places the agent if it is not there, and starts it, as root or with sudo.
///
/// # Errors
/// Whatever can go wrong, with the hop that it went wrong at. No text holds a secret.
pub async fn open(target: &Target, agents: &Binaries) -> Result<Opened, ConnectError> {
    let way = session::Way::to(target)?;
    let (session, bastion_host_keys) = way.go().await?;
    let host_key = session.host_key.clone();
    let password = target.connection.sudo_password.as_ref();
    let started = start::start(session, &target.user, password, agents).await;
    let stdio = started.map_err(|it| way.failed(it))?;
    Ok(Opened { stream: Box::new(stdio), host_key, bastion_host_keys })
}

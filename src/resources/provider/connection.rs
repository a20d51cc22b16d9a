//! How to get to a host: everything that has to be known for it, with nothing null or unknown.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::host::HostName;
use crate::tfplugin::value::Secret;

/// How to log in by SSH, at any number of hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Unless the host says otherwise.
    pub user: String,
    /// Unless the host says otherwise.
    pub port: u16,
    /// What proves who we are.
    pub key: Key,
    /// Opens the key.
    pub passphrase: Option<Secret<String>>,
    /// An OpenSSH certificate for the key.
    pub certificate_file: Option<PathBuf>,
    /// Keys of hosts.
    pub known_hosts_file: PathBuf,
    /// What to do about a host that has none there.
    pub host_key_policy: HostKeyPolicy,
    /// For `sudo`, where it asks.
    pub sudo_password: Option<Secret<String>>,
    /// Gone through in this order.
    pub bastions: Vec<Bastion>,
    /// Until a session stands.
    pub connect_timeout: Duration,
    /// How long a create or an update waits for a host to start.
    pub boot_wait: Duration,
}

/// A private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// In the form of OpenSSH or PKCS#8.
    Text(Secret<String>),
    /// The same, in a file.
    File(PathBuf),
    /// Held by an agent.
    Agent {
        /// Where it listens.
        socket: PathBuf,
        /// Which of its keys: the public key or its fingerprint. All of them, without.
        key: Option<String>,
    },
}

/// What to do about a host whose key is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Nothing is said to it.
    Strict,
    /// Its key is accepted and remembered.
    AcceptNew,
}

/// A host on the way to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bastion {
    /// A name or an IP address.
    pub address: String,
    /// Of its SSH server.
    pub port: u16,
    /// Who logs in there.
    pub user: String,
    /// The one key that it may have.
    pub host_key: Option<String>,
    /// The rest.
    pub connection: Arc<Connection>,
}

/// A host by SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    /// A name or an IP address.
    pub address: String,
    /// Of its SSH server.
    pub port: u16,
    /// Who logs in there.
    pub user: String,
    /// The one key that it may have.
    pub host_key: Option<String>,
    /// The rest.
    pub connection: Arc<Connection>,
}

/// A host to go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How the user calls it.
    pub name: HostName,
    /// How to get there.
    pub way: Way,
}

/// How to get to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is a directory of this machine.
    Local {
        /// What stands for `/`.
        root: PathBuf,
    },
    /// By SSH.
    Ssh(SshTarget),
}

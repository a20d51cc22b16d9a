//! The provider block as it is written, but for the parts that have a file of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::artifacts::ArtifactsSettings;
use super::dns::DnsSettings;
use super::object_stores::ObjectStoreSettings;
use crate::model;
use crate::resources::checks;
use crate::tfplugin::model::parse_duration;
use crate::tfplugin::schema::{Check, text};
use crate::tfplugin::value::{Secret, Value};

model! {
    /// Highly available Kubernetes control planes on hosts that exist already.
    ///
    /// Secrets are set here, or by environment variables, and nowhere else: resources choose them by name. Every value may be
    /// known only after apply, such as a key that is made in the same run.
    pub struct Settings {
        /// How to log in by SSH at every host that names no connection.
        ssh: Value<ConnectionSettings> = optional(),
        /// Other ways to log in, chosen by `host.connection`.
        connections: Value<BTreeMap<String, Value<ConnectionSettings>>> = optional(),
        /// Where programs come from. Left out, from the releases of the projects.
        artifacts: Value<ArtifactsSettings> = optional(),
        /// The server that takes updates of DNS records, exactly one backend. For the server of another zone use an alias of
        /// the provider.
        dns: Value<DnsSettings> = optional(),
        /// Where backups go and restores come from, exactly one kind each. Only hosts speak to them.
        object_stores: Value<BTreeMap<String, Value<ObjectStoreSettings>>> = optional(),
        /// Age identity that opens a recovery bundle; needed only while `recover_from` is used. The environment variable
        /// `HA_RECOVERY_IDENTITY` when left out.
        recovery_identity: Value<Secret<String>> = optional().sensitive().check(not_empty()),
    }
}

model! {
    /// How to log in by SSH. At most one of `private_key`, `private_key_file` and `agent`.
    pub struct ConnectionSettings {
        /// Who logs in, unless the host says otherwise. `root` when left out.
        user: Value<String> = optional().check(checks::user()),
        /// Port of the SSH server, unless the host says otherwise. `22` when left out.
        port: Value<u16> = optional().check(checks::port()),
        /// Text of a private key. The environment variable `HA_SSH_PRIVATE_KEY` when no key is chosen. RSA keys work through an
        /// agent.
        private_key: Value<Secret<String>> = optional().sensitive().check(private_key()),
        /// File with a private key.
        private_key_file: Value<String> = optional().check(not_empty()),
        /// Whether the keys of an SSH agent are used. `true` when no key is chosen and `SSH_AUTH_SOCK` is set.
        agent: Value<bool> = optional(),
        /// Which key of the agent, by its public key or fingerprint, when it holds many.
        agent_key: Value<String> = optional().check(not_empty()),
        /// Opens an encrypted private key.
        passphrase: Value<Secret<String>> = optional().sensitive().check(not_empty()),
        /// OpenSSH certificate for the key.
        certificate_file: Value<String> = optional().check(not_empty()),
        /// Keys of hosts, as OpenSSH keeps them. `~/.ssh/known_hosts` when left out.
        known_hosts_file: Value<String> = optional().check(not_empty()),
        /// What to do about a host without a known key: `strict` refuses it, `accept-new` accepts its key once and remembers it.
        /// `strict` when left out.
        host_key_policy: Value<String> = optional().check(one_of(&["strict", "accept-new"])),
        /// Password for `sudo`, where it asks for one. The environment variable `HA_SUDO_PASSWORD` when left out.
        sudo_password: Value<Secret<String>> = optional().sensitive().check(not_empty()),
        /// Hosts on the way, gone through in this order.
        bastions: Value<Vec<BastionSettings>> = optional(),
        /// How long the way to a session may take. `10s` when left out.
        connect_timeout: Value<Duration> = optional().check(not_zero()),
        /// How long a create or an update waits for a host that is still starting. `5m` when left out.
        boot_wait: Value<Duration> = optional(),
    }
}

model! {
    /// A host on the way to others.
    pub struct BastionSettings {
        /// A name or an IP address.
        address: Value<String> = required().check(checks::address()),
        /// Port of its SSH server. That of its connection when left out.
        port: Value<u16> = optional().check(checks::port()),
        /// Who logs in there. The user of its connection when left out.
        user: Value<String> = optional().check(checks::user()),
        /// Its public key, like `ssh-ed25519 AAAA…`. The known hosts file is not asked then.
        host_key: Value<String> = optional().check(checks::host_key()),
        /// Name in `connections` of the way to log in there. The one around it when left out.
        connection: Value<String> = optional().check(not_empty()),
    }
}

/// Whoever mistakes it for the name of a file is told so at once.
fn private_key() -> Check {
    text("the text of a private key, which begins with `-----BEGIN`", |it| {
        it.trim_start().starts_with("-----BEGIN ")
    })
}

/// What is no duration at all is told when the model is read.
pub(super) fn not_zero() -> Check {
    text("longer than `0s`", |it| parse_duration(it) != Ok(Duration::ZERO))
}

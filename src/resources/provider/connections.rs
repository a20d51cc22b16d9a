//! The ways to log in, from what is written about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::gap::{Gap, Named, Unknown};
use super::reading::{Environment, Reading, check_name};
use super::settings::{BastionSettings, ConnectionSettings, Settings};
use crate::host::ssh::{Bastion, Connection, HostKeyPolicy, Key};
use crate::resources::checks::parse_host_key;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Secret, Value};

/// All ways to log in.
#[derive(Debug)]
pub(super) struct Connections {
    usual: Result<Arc<Connection>, Gap>,
    named: Named<Connection>,
}

impl Connections {
    pub(super) fn read(
        settings: &Settings,
        environment: Environment<'_>,
        told: &mut Diagnostics,
    ) -> Self {
        let none = BTreeMap::new();
        let mut readings = Readings {
            settings: settings.connections.known().unwrap_or(&none),
            is_open: settings.connections.is_unknown(),
            environment,
            done: BTreeMap::new(),
            under_way: Vec::new(),
            told,
        };
        for name in readings.settings.keys() {
            let at = Path::root(CONNECTIONS).key(name);
            check_name("A connection", name, &at, readings.told);
            readings.entry(name);
        }
        let at = Path::root("ssh");
        let usual = match &settings.ssh {
            Value::Unknown => Err(Gap::Unknown(Unknown::Provider(at))),
            Value::Known(ssh) => readings.connection(ssh, &at),
            // Local hosts need none. So what it lacks is told when a host asks for it.
            Value::Null => {
                let written = readings.told.clone();
                let usual = readings.connection(&ConnectionSettings::default(), &at);
                *readings.told = written;
                usual
            }
        };
        let Readings { done: entries, is_open, .. } = readings;
        Self { usual, named: Named { attribute: CONNECTIONS, entries, is_open } }
    }

    /// The way of this name, or the usual one. `asked` is where it is named.
    pub(super) fn get(&self, name: Option<&str>, asked: &Path) -> Result<Arc<Connection>, Gap> {
        let found = match name {
            Some(name) => self.named.get(name, asked),
            None => self.usual.clone(),
        };
        found.map_err(|gap| match gap {
            // Where it was found is in another block.
            Gap::Fault(fault) => Gap::Fault(fault.at(asked.clone())),
            unknown @ Gap::Unknown(_) => unknown,
        })
    }
}

const CONNECTIONS: &str = "connections";
const PORT: u16 = 22;
const KNOWN_HOSTS: &str = "~/.ssh/known_hosts";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const BOOT_WAIT: Duration = Duration::from_mins(5);

/// The reading of all connections, each of which may need another for a bastion.
struct Readings<'a> {
    settings: &'a BTreeMap<String, Value<ConnectionSettings>>,
    is_open: bool,
    environment: Environment<'a>,
    done: BTreeMap<String, Result<Arc<Connection>, Gap>>,
    /// Names of those that are being read, each for a bastion of the one before.
    under_way: Vec<String>,
    told: &'a mut Diagnostics,
}

impl Readings<'_> {
    /// Reads a connection, unless that was done. One that is null is none.
    fn entry(&mut self, name: &str) {
        if self.done.contains_key(name) {
            return;
        }
        let at = Path::root(CONNECTIONS).key(name);
        let read = match self.settings.get(name) {
            None | Some(Value::Null) => return,
            Some(Value::Unknown) => Err(Gap::Unknown(Unknown::Provider(at))),
            Some(Value::Known(settings)) => {
                self.under_way.push(name.to_owned());
                let read = self.connection(settings, &at);
                self.under_way.pop();
                read
            }
        };
        self.done.insert(name.to_owned(), read);
    }

    fn connection(
        &mut self,
        settings: &ConnectionSettings,
        at: &Path,
    ) -> Result<Arc<Connection>, Gap> {
        let mut reading = Reading::new(at.clone(), self.environment);
        let key = key(settings, &mut reading);
        let known_hosts = reading.known("known_hosts_file", &settings.known_hosts_file);
        let known_hosts = known_hosts.as_deref().unwrap_or(KNOWN_HOSTS);
        let known_hosts_file = reading.expand("known_hosts_file", known_hosts).unwrap_or_default();
        let policy = reading.known("host_key_policy", &settings.host_key_policy);
        let user = reading.known("user", &settings.user).unwrap_or_else(|| "root".to_owned());
        let host_key_policy = match policy.as_deref() {
            Some("accept-new") => HostKeyPolicy::AcceptNew,
            _ => HostKeyPolicy::Strict,
        };
        let port = reading.known("port", &settings.port).unwrap_or(PORT);
        let passphrase = reading.known("passphrase", &settings.passphrase).map(|it| secret(&it));
        let certificate_file = reading.path("certificate_file", &settings.certificate_file);
        let sudo_password = &settings.sudo_password;
        let sudo_password = reading.secret("sudo_password", sudo_password, "HA_SUDO_PASSWORD");
        let sudo_password = sudo_password.map(|it| secret(&it));
        let connect_timeout = reading.known("connect_timeout", &settings.connect_timeout);
        let boot_wait = reading.known("boot_wait", &settings.boot_wait).unwrap_or(BOOT_WAIT);
        let alone = key.map(|key| Connection {
            user,
            port,
            key,
            passphrase,
            certificate_file,
            known_hosts_file,
            host_key_policy,
            sudo_password,
            bastions: Vec::new(),
            connect_timeout: connect_timeout.unwrap_or(CONNECT_TIMEOUT),
            boot_wait,
        });
        let bastions = reading.known("bastions", &settings.bastions).unwrap_or_default();
        let hops = bastions.iter().enumerate().map(|(index, it)| {
            let at = at.attribute("bastions").index(index);
            self.bastion(it, at, alone.as_ref())
        });
        let hops: Vec<_> = hops.collect();
        let bastions = hops.into_iter().filter_map(|it| reading.needs(it)).collect();
        reading.end(self.told)?;
        alone.map(|it| Arc::new(Connection { bastions, ..it }))
    }

    /// A bastion; without a connection of its own it is logged in at as at what lies behind it.
    fn bastion(
        &mut self,
        settings: &BastionSettings,
        at: Path,
        around: Result<&Connection, &Gap>,
    ) -> Result<Bastion, Gap> {
        let mut reading = Reading::new(at, self.environment);
        let address = reading.known("address", &settings.address).unwrap_or_default();
        let port = reading.known("port", &settings.port);
        let user = reading.known("user", &settings.user);
        let host_key = reading.known("host_key", &settings.host_key);
        let host_key = host_key.as_deref().and_then(parse_host_key);
        let connection = match reading.known("connection", &settings.connection) {
            Some(name) => self.behind(&name, &mut reading),
            None => around.cloned().map(Arc::new).map_err(Clone::clone),
        };
        reading.end(self.told)?;
        let connection = connection?;
        let port = port.unwrap_or(connection.port);
        let user = user.unwrap_or_else(|| connection.user.clone());
        Ok(Bastion { address, port, user, host_key, connection })
    }

    /// The connection that a bastion names.
    fn behind(&mut self, name: &str, reading: &mut Reading<'_>) -> Result<Arc<Connection>, Gap> {
        if let Some(first) = self.under_way.iter().position(|it| it == name) {
            let circle = [&self.under_way[first..], &[name.to_owned()]].concat().join(" → ");
            let detail = format!("It can only be reached through itself: {circle}.");
            let fault = Diagnostic::error("Bastions lead in a circle", detail)
                .hint("Give this bastion a connection without bastions.");
            return Err(reading.fault("connection", fault));
        }
        self.entry(name);
        if let Some(read) = self.done.get(name) {
            return read.clone();
        }
        if self.is_open {
            return Err(Gap::Unknown(Unknown::Provider(Path::root(CONNECTIONS))));
        }
        let missing = Path::root(CONNECTIONS).key(name);
        let fault = Diagnostic::error(
            "A bastion names a connection that is not there",
            format!("The provider block has no `{missing}`."),
        );
        Err(reading.fault("connection", fault.hint("Add it, or name another.")))
    }
}

/// As the rooms below keep it.
fn secret(secret: &Secret<String>) -> SecretString {
    secret.expose().as_str().into()
}

/// The one key that is chosen, or the one that the environment offers.
fn key(settings: &ConnectionSettings, reading: &mut Reading<'_>) -> Result<Key, Gap> {
    let text = reading.known("private_key", &settings.private_key);
    let file = reading.path("private_key_file", &settings.private_key_file);
    let agent = reading.known("agent", &settings.agent);
    let agent_key = reading.known("agent_key", &settings.agent_key);
    let written = [
        ("private_key", settings.private_key.is_known()),
        ("private_key_file", settings.private_key_file.is_known()),
        ("agent", agent == Some(true)),
    ];
    let mut written = written.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
    let chosen = written.next();
    if let (Some(first), Some(second)) = (chosen, written.next()) {
        let detail = format!("`{first}` and `{second}` are both set.");
        let fault = Diagnostic::error("One connection has two keys", detail);
        return Err(reading.fault(second, fault.hint("Remove one of them.")));
    }
    if agent_key.is_some() && (agent == Some(false) || chosen.is_some_and(|it| it != "agent")) {
        let detail = "`agent_key` chooses among the keys of an agent, and none is used.";
        let fault = Diagnostic::error("A key of an agent is chosen without an agent", detail);
        return Err(reading.fault("agent_key", fault.hint("Remove it, or set `agent = true`.")));
    }
    if settings.passphrase.is_known() && agent == Some(true) {
        let detail = "An agent holds keys that are open already.";
        let fault = Diagnostic::error("A passphrase is given for an agent", detail);
        return Err(reading.fault("passphrase", fault.hint("Remove it.")));
    }
    if let Some(gap) = reading.gap() {
        return Err(gap);
    }
    if let Some(key) = text.map(|it| Key::Text(secret(&it))).or(file.map(Key::File)) {
        return Ok(key);
    }
    let is_agent_wanted = agent == Some(true) || agent_key.is_some();
    if !is_agent_wanted && let Some(text) = reading.variable("HA_SSH_PRIVATE_KEY") {
        return Ok(Key::Text(text.into()));
    }
    match reading.variable("SSH_AUTH_SOCK") {
        Some(socket) if agent != Some(false) => {
            Ok(Key::Agent { socket: socket.into(), key: agent_key })
        }
        _ if is_agent_wanted => {
            let detail = "SSH_AUTH_SOCK is not set, so no agent is found.";
            let fault = Diagnostic::error("There is no SSH agent", detail)
                .hint("Start one, or set `private_key_file`.");
            Err(reading.fault("agent", fault))
        }
        _ => {
            let at = reading.at().clone();
            let fault = Diagnostic::error(
                format!("`{at}` of the provider block has no key to log in with"),
                "No key is chosen there, and the environment has neither HA_SSH_PRIVATE_KEY nor SSH_AUTH_SOCK.",
            )
            .hint("Set `private_key_file`, `private_key` or `agent`, or one of these variables.");
            Err(reading.fault_at(at, fault))
        }
    }
}

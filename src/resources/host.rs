//! The `host` object, which all resources have in common: what is written, and how to get there.

use super::checks::{self, parse_host_key};
use super::provider::{Client, Gap, Unknown};
use crate::host::{Target, Way, ssh};
use crate::model;
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// A host, and how to get there.
    pub struct HostModel {
        /// Where SSH connects: a name or an IP address. An apply tries it; a silent host is only recorded and warned about. With
        /// `transport = "local"`: an address of 127.0.0.0/8.
        address: Value<String> = required().check(checks::address()).changes(
            "state, unless the machine behind it proves to be another or has data to move"
        ),
        /// Port of the SSH server. That of the connection when left out.
        port: Value<u16> = optional().check(checks::port()).records_change(),
        /// Who logs in. The user of the connection when left out.
        user: Value<String> = optional().check(checks::user()).records_change(),
        /// Name in `connections` of the provider. Its `ssh` when left out.
        connection: Value<String> = optional().check(not_empty()).records_change(),
        /// Its public key, like `ssh-ed25519 AAAA…`. Pins it: known hosts and any earlier pin are not asked. The way to agree to
        /// the new key of a machine that was built anew.
        host_key: Value<String> = optional().check(checks::host_key()).records_change(),
        /// `ssh`, or `local` for a directory of the machine that runs Terraform: Linux only, without root, services under the
        /// agent's own supervisor, no virtual IP.
        transport: Value<String> = optional().default("ssh").check(one_of(&["ssh", "local"])).refuses_change(),
        /// Absolute path that comes before every path of a local host, which is a machine of its own by it. Required with
        /// `transport = "local"`.
        root: Value<String> = optional().check(checks::root()).refuses_change(),
    }
}

impl HostModel {
    /// Whether it is a directory of this machine, once that is known.
    pub fn is_local(&self) -> Option<bool> {
        match &self.transport {
            Value::Unknown => None,
            transport => Some(transport.known().is_some_and(|it| it == "local")),
        }
    }
}

/// How to get to a host. `key` is what the user calls it, `at` is where its `host` object stands.
///
/// # Errors
/// Something about it or about its connection is wrong, or not known yet.
pub fn target(
    model: &HostModel,
    key: &str,
    at: &Path,
    client: &Client,
    pin: Option<&str>,
) -> Result<Target, Gap> {
    let name = key.parse().map_err(|err| {
        Gap::Fault(Diagnostic::error("A host has an unusable name", &err).at(at.clone()))
    })?;
    let Some(is_local) = model.is_local() else {
        return Err(Gap::Unknown(Unknown::Own(at.attribute("transport"))));
    };
    let way = if is_local { local(model, at)? } else { Way::Ssh(ssh(model, at, client, pin)?) };
    Ok(Target { name, way })
}

fn local(model: &HostModel, at: &Path) -> Result<Way, Gap> {
    if !cfg!(target_os = "linux") {
        let detail = "With `transport = \"local\"` the machine that runs Terraform is the host.";
        let fault = Diagnostic::error("A local host needs Linux", detail);
        return Err(Gap::Fault(fault.at(at.attribute("transport"))));
    }
    match known(&model.root, at, "root")? {
        Some(root) => Ok(Way::Local { root: root.into() }),
        None => Err(Gap::Fault(no_root(at))),
    }
}

pub(super) fn no_root(at: &Path) -> Diagnostic {
    let detail = "With `transport = \"local\"` every path of the host lies below `root`.";
    Diagnostic::error("A local host has no root", detail)
        .at(at.attribute("root"))
        .hint("Set `root` to an absolute path that no other host uses.")
}

fn ssh(
    model: &HostModel,
    at: &Path,
    client: &Client,
    pin: Option<&str>,
) -> Result<ssh::Target, Gap> {
    let address = known(&model.address, at, "address")?.cloned().unwrap_or_default();
    let port = known(&model.port, at, "port")?;
    let user = known(&model.user, at, "user")?;
    let host_key = known(&model.host_key, at, "host_key")?;
    let name = known(&model.connection, at, "connection")?;
    let connection = client.connection(name.map(String::as_str), &at.attribute("connection"))?;
    Ok(ssh::Target {
        address,
        port: port.copied().unwrap_or(connection.port),
        user: user.unwrap_or(&connection.user).clone(),
        host_key: host_key.map_or(pin.map(str::to_owned), |it| parse_host_key(it)),
        connection,
    })
}

/// The value, unless it is null.
pub(super) fn known<'a, T>(
    value: &'a Value<T>,
    at: &Path,
    name: &str,
) -> Result<Option<&'a T>, Gap> {
    if value.is_unknown() {
        return Err(Gap::Unknown(Unknown::Own(at.attribute(name))));
    }
    Ok(value.known())
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::provider::tests::client;
    use crate::tfplugin::model::{Model, decode};
    use crate::tfplugin::wire::notation::datum;

    const PIN: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn found(host: &Json, key: &str) -> Result<Target, Gap> {
        let client = client(
            json!({
                "ssh": {"agent": true},
                "connections": {
                    "edge": {"user": "ops", "port": 2200, "agent": true, "boot_wait": "1m"},
                    "late": {"private_key": "?"},
                },
            }),
            &[("HOME", "/root"), ("SSH_AUTH_SOCK", "/run/agent")],
        );
        let host: HostModel = decode(&datum(host, HostModel::schema(0).ty())).unwrap();
        target(&host, key, &Path::root("host"), &client, None)
    }

    #[test]
    fn the_host_comes_before_its_connection() {
        let check = |host: Json, expected: &str, wait: u64| {
            let target = found(&host, "a").unwrap();
            let way = match &target.way {
                Way::Local { root } => format!("local {}", root.display()),
                Way::Ssh(it) => format!("{}@{}:{}", it.user, it.address, it.port),
                Way::Fake(_) => panic!("it is not there to be chosen"),
            };
            assert_eq!((way.as_str(), target.boot_wait().as_secs()), (expected, wait), "{host}");
        };
        check(json!({"address": "h"}), "root@h:22", 300);
        check(json!({"address": "h", "connection": "edge"}), "ops@h:2200", 60);
        check(json!({"address": "h", "connection": "edge", "user": "x", "port": 1}), "x@h:1", 60);
        let local = json!({"address": "127.0.0.2", "transport": "local", "root": "/srv/a"});
        check(local, "local /srv/a", 0);
    }

    #[test]
    fn a_pin_is_kept_without_its_comment() {
        let host = json!({"address": "h", "host_key": format!("{PIN} root@h")});
        let Ok(Target { way: Way::Ssh(target), .. }) = found(&host, "a") else { panic!() };
        assert_eq!(target.host_key.as_deref(), Some(PIN));
    }

    #[test]
    fn a_gap_names_what_is_missing() {
        let check = |host: Json, key: &str, expected: &str| {
            let gap = match found(&host, key).unwrap_err() {
                Gap::Unknown(unknown) => format!("unknown {unknown}"),
                Gap::Fault(fault) => format!("{}: {}", fault.path(), fault.summary()),
            };
            assert_eq!(gap, expected, "{host}");
        };
        check(json!({"address": "?"}), "a", "unknown `host.address`");
        check(json!({"address": "h", "user": "?"}), "a", "unknown `host.user`");
        check(json!({"address": "h", "transport": "?"}), "a", "unknown `host.transport`");
        check(
            json!({"address": "h", "connection": "late"}),
            "a",
            "unknown `connections[\"late\"].private_key` of the provider block",
        );
        check(
            json!({"address": "h", "connection": "gone"}),
            "a",
            "host.connection: `host.connection` names what the provider does not have",
        );
        check(json!({"address": "h"}), "a b", "host: A host has an unusable name");
        let rootless = json!({"address": "127.0.0.2", "transport": "local"});
        check(rootless, "a", "host.root: A local host has no root");
    }

    #[test]
    fn a_host_is_documented_as_terraform_wants_it() {
        assert_eq!(
            HostModel::schema(0).attribute("transport").unwrap().rules.default,
            Some("ssh".into())
        );
    }
}

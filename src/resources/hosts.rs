//! All hosts of one resource: what no two of them may share, and the address that each has in the cluster. Pure, but
//! for the names of connections.

use std::net::IpAddr;
use std::path::PathBuf;

use super::checks::ip;
use super::host::{HostModel, known, no_root};
use super::provider::{Client, Gap};
use crate::host::HostName;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// What an element of the map says of its host.
#[derive(Clone, Copy, Debug)]
pub struct Placed<'a> {
    /// Of the element.
    pub key: &'a str,
    /// Its `host`.
    pub host: &'a Value<HostModel>,
    /// Its `address`.
    pub address: &'a Value<String>,
}

/// The address in the cluster as it is written: its own, or that of its host.
pub(super) fn written_address(host: &Value<HostModel>, address: &Value<String>) -> Value<String> {
    match address {
        Value::Null => host.known().map_or(Value::Unknown, |it| it.address.clone()),
        given => given.clone(),
    }
}

/// Whether two elements are meant to be one machine at one address in the cluster, however it is reached.
pub(super) fn is_one_machine(
    one: (&Value<HostModel>, &Value<String>),
    other: (&Value<HostModel>, &Value<String>),
) -> bool {
    let machine = |host: &HostModel| (host.transport.clone(), host.root.clone());
    written_address(one.0, one.1) == written_address(other.0, other.1)
        && one.0.known().map(machine) == other.0.known().map(machine)
}

/// Everything that is wrong with the hosts of the map at `map`, as far as they are known. For validate and plan.
pub fn check(map: &Path, placed: &[Placed<'_>]) -> Diagnostics {
    let mut faults = Diagnostics::new();
    for it in placed {
        if let Err(err) = it.key.parse::<HostName>() {
            let summary = format!("{:?} is no name of a host", it.key);
            faults.push(Diagnostic::error(summary, &err).at(map.key(it.key)));
        }
    }
    let hosts: Vec<_> = placed
        .iter()
        .filter_map(|it| {
            Some(Host {
                key: it.key,
                at: map.key(it.key),
                model: it.host.known()?,
                address: it.address,
            })
        })
        .collect();
    faults.extend(hosts.iter().flat_map(|it| check_one(it.model, &it.at.attribute("host"))));
    let is_loopback_legal = placed.iter().all(|it| match it.host {
        Value::Known(host) => host.is_local() != Some(false),
        _ => true,
    });
    faults.extend(hosts.iter().filter_map(|it| it.unfit(is_loopback_legal)));
    faults.extend(twice(
        &hosts,
        "Two hosts have the same address in the cluster",
        Host::own_address,
    ));
    faults.extend(twice(&hosts, "Two hosts are the same machine", Host::machine));
    faults
}

/// Everything that is wrong with one `host` object by itself, as far as it is known.
pub fn check_one(host: &HostModel, at: &Path) -> Diagnostics {
    let mut faults = Diagnostics::new();
    match host.is_local() {
        Some(true) => {
            if host.root.is_null() {
                faults.push(no_root(at));
            }
            let address = host.address.known();
            if let Some(address) = address.filter(|it| !ip(it).is_some_and(is_local_address)) {
                let detail = format!(
                    "With `transport = \"local\"` it must be one of 127.0.0.0/8, and is {address:?}."
                );
                let fault = Diagnostic::error("The address of a local host is not local", detail);
                faults.push(
                    fault
                        .at(at.attribute("address"))
                        .hint("Choose one of its own, such as 127.0.0.2."),
                );
            }
        }
        Some(false) if host.root.is_known() => {
            let detail = "Only a local host lies below a directory.";
            faults.push(
                Diagnostic::error("A host that is reached by SSH has a root", detail)
                    .at(at.attribute("root"))
                    .hint("Remove it, or set `transport = \"local\"`."),
            );
        }
        _ => (),
    }
    faults
}

/// What is wrong with the connections that the hosts name. For a plan, where the provider block may still be unknown.
pub fn check_connections(map: &Path, placed: &[Placed<'_>], client: &Client) -> Diagnostics {
    let fault = |it: &Placed<'_>| {
        let host = it.host.known().filter(|it| it.is_local() == Some(false))?;
        let at = map.key(it.key).attribute("host");
        let name = known(&host.connection, &at, "connection").ok()?;
        match client.connection(name.map(String::as_str), &at.attribute("connection")) {
            Err(Gap::Fault(fault)) => Some(fault),
            Err(Gap::Unknown(_)) | Ok(_) => None,
        }
    };
    placed.iter().filter_map(fault).collect()
}

/// The address that the cluster uses for the host of the element at `at`: its `address`, otherwise that of its host.
///
/// # Errors
/// It is no IP address, or not known yet.
pub fn cluster_address(
    host: &HostModel,
    address: &Value<String>,
    at: &Path,
) -> Result<IpAddr, Gap> {
    if let Some(text) = known(address, at, "address")? {
        return ip(text).ok_or_else(|| {
            let detail =
                format!("Programs bind to it, so it must be an IP address, and is {text:?}.");
            let fault = Diagnostic::error("The address in the cluster is no IP address", detail);
            Gap::Fault(fault.at(at.attribute("address")))
        });
    }
    let text = known(&host.address, &at.attribute("host"), "address")?;
    text.and_then(|it| ip(it)).ok_or_else(|| {
        let detail = "`host.address` is a name, and programs bind to an IP address.";
        let fault = Diagnostic::error("The address in the cluster is missing", detail);
        Gap::Fault(fault.at(at.attribute("address")).hint("Set `address` beside `host`."))
    })
}

/// An element whose host is known.
struct Host<'a> {
    key: &'a str,
    at: Path,
    model: &'a HostModel,
    address: &'a Value<String>,
}

impl Host<'_> {
    /// Where the address in the cluster is written.
    fn address_at(&self) -> Path {
        match self.address {
            Value::Null => self.at.attribute("host").attribute("address"),
            _ => self.at.attribute("address"),
        }
    }

    /// Why nothing can bind to its address in the cluster, or nobody could connect to that.
    fn unfit(&self, is_loopback_legal: bool) -> Option<Diagnostic> {
        let address = match cluster_address(self.model, self.address, &self.at) {
            Ok(address) => address,
            Err(Gap::Fault(fault)) => return Some(fault),
            Err(Gap::Unknown(_)) => return None,
        };
        if address.is_unspecified() || address.is_multicast() {
            let detail = format!("{address} is the address of no single host.");
            let fault = Diagnostic::error("The address in the cluster cannot be used", detail);
            return Some(
                fault.at(self.address_at()).hint("Give the address that the others reach it at."),
            );
        }
        if address.is_loopback() && !is_loopback_legal {
            let detail = format!(
                "{address} leads back to whoever uses it. It is allowed only where every host is local."
            );
            let fault = Diagnostic::error("The others cannot reach this address", detail);
            return Some(
                fault
                    .at(self.address_at())
                    .hint("Set `address` to the one that the others reach it at."),
            );
        }
        None
    }

    fn own_address(&self) -> Option<(String, Path)> {
        let address = cluster_address(self.model, self.address, &self.at).ok()?;
        Some((address.to_canonical().to_string(), self.address_at()))
    }

    /// What leads to one machine. Behind different bastions one address may mean two.
    fn machine(&self) -> Option<(String, Path)> {
        let HostModel { address, port, connection, root, .. } = self.model;
        let at = self.at.attribute("host");
        if self.model.is_local()? {
            return Some((plain_root(root.known()?), at.attribute("root")));
        }
        if port.is_unknown() || connection.is_unknown() {
            return None;
        }
        let address = plain_address(address.known()?);
        let port = port.known().map(|it| format!(", port {it}")).unwrap_or_default();
        let by = connection.known().map(|it| format!(", by {it:?}")).unwrap_or_default();
        Some((format!("{address}{port}{by}"), at.attribute("address")))
    }
}

/// The one spelling of an address, to compare by.
pub(super) fn plain_address(text: &str) -> String {
    ip(text).map_or_else(
        || text.trim_end_matches('.').to_ascii_lowercase(),
        |it| it.to_canonical().to_string(),
    )
}

/// The one spelling of a root, without what a path may end in.
pub(super) fn plain_root(text: &str) -> String {
    let root = PathBuf::from(text);
    let root: PathBuf = root.components().collect();
    root.display().to_string()
}

fn is_local_address(address: IpAddr) -> bool {
    address.is_ipv4() && address.is_loopback()
}

/// A fault at each host of which another before it has the same.
fn twice<'a>(
    hosts: &[Host<'a>],
    summary: &str,
    of: impl Fn(&Host<'a>) -> Option<(String, Path)>,
) -> Diagnostics {
    let mut seen: Vec<(String, &str)> = Vec::new();
    let mut faults = Diagnostics::new();
    for host in hosts {
        let Some((what, at)) = of(host) else { continue };
        match seen.iter().find(|(it, _)| *it == what) {
            Some((_, first)) => {
                let detail = format!("{first:?} and {:?} both have {what}.", host.key);
                faults.push(Diagnostic::error(summary, detail).at(at).hint("Give each its own."));
            }
            None => seen.push((what, host.key)),
        }
    }
    faults
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model;
    use crate::resources::provider::tests;
    use crate::tfplugin::model::{Model, decode};
    use crate::tfplugin::plan;
    use crate::tfplugin::wire::notation::datum;

    model! {
        /// What every resource has.
        struct Cluster {
            /// Hosts by name.
            members: Value<BTreeMap<String, Member>> = required(),
        }
    }

    model! {
        /// A member.
        struct Member {
            /// Its host.
            host: Value<HostModel> = required(),
            /// Its address in the cluster.
            address: Value<String> = optional(),
        }
    }

    fn with<T>(members: &Json, work: impl FnOnce(&Path, &[Placed<'_>]) -> T) -> T {
        let cluster = datum(&json!({ "members": members }), Cluster::schema(0).ty());
        let cluster: Cluster = decode(&cluster).unwrap();
        let members = cluster.members.into_known().unwrap();
        let placed = |(key, it): (&'_ String, &'_ Member)| (key.clone(), it.clone());
        let members: Vec<_> = members.iter().map(placed).collect();
        let placed =
            members.iter().map(|(key, it)| Placed { key, host: &it.host, address: &it.address });
        work(&Path::root("members"), &placed.collect::<Vec<_>>())
    }

    fn told(faults: &Diagnostics) -> Vec<String> {
        let told = faults.iter().map(|it| {
            let path = it.path().to_string();
            format!("{}: {}", path.trim_start_matches("members"), it.summary())
        });
        told.collect()
    }

    #[track_caller]
    fn check_map(members: Json, expected: &[&str]) {
        assert_eq!(told(&with(&members, check)), expected, "{members}");
    }

    fn by_ssh(address: &str) -> Json {
        json!({ "host": { "address": address } })
    }

    fn local(address: &str, root: &str) -> Json {
        json!({"host": {"address": address, "transport": "local", "root": root}})
    }

    #[test]
    fn hosts_that_are_told_apart_are_fine() {
        check_map(json!({"a": by_ssh("10.0.0.1"), "b": by_ssh("10.0.0.2")}), &[]);
        check_map(json!({"a": local("127.0.0.2", "/a"), "b": local("127.0.0.3", "/b")}), &[]);
        let named =
            |name: &str, address: &str| json!({"host": {"address": name}, "address": address});
        check_map(json!({"a": named("h", "10.0.0.1"), "b": named("i", "2001:db8::1")}), &[]);
        // One machine forwards two ports; two networks use the same addresses.
        let at = |host: Json, address: &str| json!({"host": host, "address": address});
        check_map(
            json!({
                "a": at(json!({"address": "127.0.0.1", "port": 2201}), "10.0.0.1"),
                "b": at(json!({"address": "127.0.0.1", "port": 2202}), "10.0.0.2"),
                "c": at(json!({"address": "127.0.0.1", "connection": "x"}), "10.0.0.3"),
            }),
            &[],
        );
    }

    #[test]
    fn a_local_host_has_a_root_and_a_local_address_and_others_have_none() {
        let local = |host: Json| json!({"a": {"host": host}});
        check_map(
            local(json!({"address": "127.0.0.2", "transport": "local"})),
            &["[\"a\"].host.root: A local host has no root"],
        );
        for address in ["10.0.0.1", "localhost", "::1"] {
            let host = json!({"address": address, "transport": "local", "root": "/a"});
            let member = json!({"a": {"host": host, "address": "127.0.0.2"}});
            check_map(member, &["[\"a\"].host.address: The address of a local host is not local"]);
        }
        check_map(
            local(json!({"address": "10.0.0.1", "root": "/a"})),
            &["[\"a\"].host.root: A host that is reached by SSH has a root"],
        );
    }

    #[test]
    fn every_host_has_an_address_that_the_others_reach() {
        check_map(
            json!({"a": by_ssh("a.example.test")}),
            &["[\"a\"].address: The address in the cluster is missing"],
        );
        check_map(
            json!({"a": {"host": {"address": "h"}, "address": "h"}}),
            &["[\"a\"].address: The address in the cluster is no IP address"],
        );
        for address in ["0.0.0.0", "::", "224.0.0.1"] {
            check_map(
                json!({"a": {"host": {"address": "h"}, "address": address}}),
                &["[\"a\"].address: The address in the cluster cannot be used"],
            );
        }
        let unreachable = "The others cannot reach this address";
        check_map(
            json!({"a": by_ssh("127.0.0.1")}),
            &[&format!("[\"a\"].host.address: {unreachable}")],
        );
        check_map(
            json!({"a": local("127.0.0.2", "/a"), "b": by_ssh("10.0.0.1")}),
            &[&format!("[\"a\"].host.address: {unreachable}")],
        );
        check_map(
            json!({"a": {"host": {"address": "h"}, "address": "::1"}}),
            &[&format!("[\"a\"].address: {unreachable}")],
        );
    }

    #[test]
    fn one_address_and_one_machine_are_one_host() {
        let (addresses, machines) =
            ("Two hosts have the same address in the cluster", "Two hosts are the same machine");
        let at = |host: &str, address: &str| json!({"host": {"address": host}, "address": address});
        check_map(
            json!({"a": at("h", "10.0.0.1"), "b": at("i", "10.0.0.1"), "c": by_ssh("10.0.0.1")}),
            &[
                &format!("[\"b\"].address: {addresses}"),
                &format!("[\"c\"].host.address: {addresses}"),
            ],
        );
        check_map(
            json!({"a": at("2001:db8::1", "10.0.0.1"), "b": at("[2001:DB8:0::1]", "10.0.0.2")}),
            &[&format!("[\"b\"].host.address: {machines}")],
        );
        check_map(
            json!({"a": at("h.test", "10.0.0.1"), "b": at("H.test.", "10.0.0.2")}),
            &[&format!("[\"b\"].host.address: {machines}")],
        );
        check_map(
            json!({"a": local("127.0.0.2", "/r"), "b": local("127.0.0.3", "/r/")}),
            &[&format!("[\"b\"].host.root: {machines}")],
        );
        let faults = with(&json!({"a": by_ssh("10.0.0.1"), "b": by_ssh("10.0.0.1")}), check);
        let detail = "\"a\" and \"b\" both have 10.0.0.1.";
        assert!(faults.iter().all(|it| it.detail().starts_with(detail)), "{faults:?}");
    }

    #[test]
    fn a_key_is_safe_to_print() {
        check_map(json!({"a b": by_ssh("10.0.0.1")}), &["[\"a b\"]: \"a b\" is no name of a host"]);
    }

    #[test]
    fn what_is_unknown_is_checked_when_it_is_known() {
        check_map(json!({"a": {"host": "?"}, "b": by_ssh("10.0.0.1")}), &[]);
        check_map(json!({"a": by_ssh("?"), "b": by_ssh("?")}), &[]);
        check_map(json!({"a": {"host": {"address": "h"}, "address": "?"}}), &[]);
        let open =
            |root: &str| json!({"host": {"address": "127.0.0.2", "transport": "?", "root": root}});
        check_map(json!({"a": open("/a")}), &[]);
        check_map(json!({"a": local("127.0.0.2", "?"), "b": local("127.0.0.3", "?")}), &[]);
        // Whatever the unknown host is, it is one of two.
        let members =
            json!({"a": open("/a"), "b": {"host": {"address": "h"}, "address": "10.0.0.1"}});
        check_map(members, &["[\"a\"].host.address: The others cannot reach this address"]);
    }

    #[test]
    fn a_connection_has_to_exist_once_the_provider_is_known() {
        let by = |name: &str| json!({"a": {"host": {"address": "10.0.0.1", "connection": name}}});
        let check = |provider: Json, members: Json, expected: &[&str]| {
            let client = tests::client(provider, &[]);
            let faults = with(&members, |map, placed| check_connections(map, placed, &client));
            assert_eq!(told(&faults), expected, "{members}");
        };
        let at = "[\"a\"].host.connection";
        let missing = format!("{at}: `members{at}` names what the provider does not have");
        check(json!({}), by("x"), &[&missing]);
        check(json!({"connections": "?"}), by("x"), &[]);
        check(json!({"connections": {"x": "?"}}), by("x"), &[]);
        check(json!({}), by("?"), &[]);
        let keyless = format!("{at}: `ssh` of the provider block has no key to log in with");
        check(json!({}), json!({"a": by_ssh("10.0.0.1")}), &[&keyless]);
        check(json!({}), json!({"a": local("127.0.0.2", "/a")}), &[]);
    }

    #[test]
    fn single_values_of_a_host_are_checked_by_the_schema() {
        let check = |host: Json, attribute: Option<&str>| {
            let schema = Cluster::schema(0);
            let cluster = datum(&json!({"members": {"a": {"host": host}}}), schema.ty());
            let faults = plan::check(&schema.attributes, &cluster);
            let paths: Vec<_> = faults.iter().map(|it| it.path().to_string()).collect();
            let expected = attribute.map(|it| format!("members[\"a\"].host.{it}"));
            assert_eq!(paths, Vec::from_iter(expected));
        };
        check(json!({"address": "10.0.0.1", "transport": "local", "root": "/a"}), None);
        check(json!({"address": "-oProxyCommand=x"}), Some("address"));
        check(json!({"address": "h", "port": 0}), Some("port"));
        check(json!({"address": "h", "user": "a b"}), Some("user"));
        check(json!({"address": "h", "connection": ""}), Some("connection"));
        check(json!({"address": "h", "host_key": "ssh-ed25519 AAAA"}), Some("host_key"));
        check(json!({"address": "h", "transport": "telnet"}), Some("transport"));
        check(json!({"address": "h", "root": "srv"}), Some("root"));
    }
}

//! What a cluster of etcd hands to those who use it, and what that means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::host::{HostModel, known, target};
use super::hosts::cluster_address;
use super::provider::{Client, Gap};
use crate::actions::etcd::{Access, KIND};
use crate::domain::etcd::ClusterName;
use crate::engine::Fleet;
use crate::model;
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// What other resources need to use a cluster of etcd. It holds no secret.
    pub(crate) struct EtcdAccessModel {
        /// Of the resource.
        id: Value<String> = required(),
        /// Of the cluster.
        name: Value<String> = required().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// URLs for clients, in the order of the names of the members.
        endpoints: Value<Vec<Value<String>>> = required(),
        /// Certificate of the authority, in PEM.
        ca_certificate: Value<String> = required().check(crate::resources::checks::certificates()),
        /// Hosts of the members, by name.
        hosts: Value<BTreeMap<String, EtcdAccessHostModel>> = required().check(not_empty()),
        /// How often the data was replaced by a restore.
        generation: Value<i64> = optional(),
    }
}

model! {
    /// A host and its address in the cluster.
    pub(crate) struct EtcdAccessHostModel {
        /// The machine.
        host: Value<HostModel> = required(),
        /// The address that the cluster uses.
        address: Value<String> = required(),
    }
}

/// What the object at `at` means, and the hosts that it names. Nothing is contacted.
///
/// # Errors
/// Something of it or of the provider is wrong, or not known yet.
pub(super) fn open(
    model: &Value<EtcdAccessModel>,
    at: &Path,
    client: &Client,
) -> Result<(Access, Fleet), Gap> {
    let wrong = |name: &str, detail: &str| {
        let fault = Diagnostic::error("This is no `access` of a cluster of etcd", detail);
        let fault = fault.at(at.attribute(name));
        Gap::Fault(fault.hint("Hand over `access` of an `ha_etcd_cluster` as it is."))
    };
    let model = model.known().ok_or_else(|| wrong("name", "It is not there."))?;
    let name = known(&model.name, at, "name")?.and_then(|it| it.parse().ok());
    let name: ClusterName = name.ok_or_else(|| wrong("name", "It has no name."))?;
    let authority = known(&model.ca_certificate, at, "ca_certificate")?;
    let authority = authority.cloned().unwrap_or_default();
    let endpoints =
        known(&model.endpoints, at, "endpoints")?.map(Vec::as_slice).unwrap_or_default();
    let hosts = known(&model.hosts, at, "hosts")?;
    let hosts: Vec<_> = hosts.into_iter().flatten().collect();
    if hosts.len() != endpoints.len() {
        return Err(wrong("endpoints", "There is not one for each host."));
    }
    let (mut members, mut targets) = (BTreeMap::new(), BTreeMap::new());
    for ((key, host), endpoint) in hosts.into_iter().zip(endpoints) {
        let at = at.attribute("hosts").key(key);
        let way = host.host.known().ok_or_else(|| wrong("hosts", "A host of it is not there."))?;
        targets.insert(key.clone(), target(way, key, &at.attribute("host"), client, None)?);
        let address = cluster_address(way, &host.address, &at)?;
        let port = endpoint.known().and_then(|it| port(it));
        let port = port.ok_or_else(|| wrong("endpoints", "One of them has no port."))?;
        members.insert(key.clone(), SocketAddr::new(address, port));
    }
    let lock = format!("{KIND}-{name}");
    let fleet = Fleet::new(Arc::clone(&client.hosts), targets, &lock);
    Ok((Access { name, authority, members }, fleet))
}

/// Of a URL for clients.
pub(super) fn port(endpoint: &str) -> Option<u16> {
    endpoint.strip_prefix("https://")?.rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::provider::tests::client;
    use crate::tfplugin::model::{Model, decode};
    use crate::tfplugin::wire::notation::datum;

    fn whole() -> Json {
        let host = |address: &str| {
            let way =
                json!({"address": address, "transport": "local", "root": format!("/{address}")});
            json!({"host": way, "address": address})
        };
        json!({
            "id": "1", "name": "prod", "ca_certificate": "x",
            "endpoints": ["https://127.0.0.2:2379", "https://127.0.0.3:2390"],
            "hosts": {"a": host("127.0.0.2"), "b": host("127.0.0.3")},
        })
    }

    fn opened(access: &Json) -> Result<(Access, Fleet), Gap> {
        let client = client(json!({"ssh": {"private_key": "?"}}), &[("HOME", "/root")]);
        let model: EtcdAccessModel =
            decode(&datum(access, EtcdAccessModel::schema(0).ty())).unwrap();
        open(&Value::Known(model), &Path::root("cluster"), &client)
    }

    #[tokio::test]
    async fn each_member_is_found_by_its_address_and_the_port_of_its_url() {
        let (access, fleet) = opened(&whole()).unwrap();
        let members: Vec<_> = access.members.iter().map(|(k, it)| format!("{k} {it}")).collect();
        assert_eq!(members, ["a 127.0.0.2:2379", "b 127.0.0.3:2390"]);
        assert!(fleet.keys().eq(["a", "b"]));
    }

    #[tokio::test]
    async fn a_gap_names_what_is_missing() {
        let check = |change: &dyn Fn(&mut Json), expected: &str| {
            let mut access = whole();
            change(&mut access);
            let gap = match opened(&access).unwrap_err() {
                Gap::Unknown(unknown) => format!("unknown {unknown}"),
                Gap::Fault(fault) => format!("{}: {}", fault.path(), fault.detail()),
            };
            assert!(gap.starts_with(expected), "{gap}");
        };
        check(&|it| it["name"] = json!("Prod!"), "cluster.name: It has no name.");
        check(&|it| it["name"] = json!("?"), "unknown `cluster.name`");
        check(&|it| it["ca_certificate"] = json!("?"), "unknown `cluster.ca_certificate`");
        check(
            &|it| drop(it["endpoints"].as_array_mut().unwrap().pop()),
            "cluster.endpoints: There is not one for each host.",
        );
        check(&|it| it["endpoints"][1] = json!("https://h"), "cluster.endpoints: One of them");
        let way = |change: Json| move |it: &mut Json| it["hosts"]["b"]["host"] = change.clone();
        check(
            &way(json!({"address": "10.0.0.2"})),
            "unknown `ssh.private_key` of the provider block",
        );
        check(
            &way(json!({"address": "127.0.0.3", "transport": "local"})),
            "cluster.hosts[\"b\"].host.root: With",
        );
    }
}

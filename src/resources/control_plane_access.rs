//! What a control plane hands to those who use it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::host::{HostModel, known, target};
use super::hosts::cluster_address;
use super::provider::{Client, Gap};
use crate::actions::kubernetes::{Access, KIND};
use crate::domain::kubernetes::Endpoint;
use crate::domain::name::ClusterName;
use crate::engine::Fleet;
use crate::model;
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// What other resources need to use a control plane. It holds no secret.
    pub(crate) struct ControlPlaneAccessModel {
        /// Of the resource.
        id: Value<String> = required(),
        /// Of the control plane.
        name: Value<String> = required().check(text("1 to 40 lower-case letters, digits and `-`, none at the ends", |it| it.parse::<ClusterName>().is_ok())),
        /// Where clients find it: `host:port`.
        endpoint: Value<String> = required().check(text("`host:port`, such as `api.example.test:6443`", |it| it.parse::<Endpoint>().is_ok())),
        /// Certificate of the authority, in PEM.
        ca_certificate: Value<String> = required().check(crate::resources::checks::certificates()),
        /// Hosts of the nodes, by name.
        hosts: Value<BTreeMap<String, ControlPlaneAccessHostModel>> = required().check(not_empty()),
        /// Port of the API servers.
        port: Value<u16> = optional(),
    }
}

model! {
    /// A host and its address.
    pub(crate) struct ControlPlaneAccessHostModel {
        /// The machine.
        host: Value<HostModel> = required(),
        /// The address that its API server is bound to.
        address: Value<String> = required(),
    }
}

/// What the object at `at` means, and the hosts that it names. Nothing is contacted.
///
/// # Errors
/// Something of it or of the provider is wrong, or not known yet.
pub(super) fn open(
    model: &Value<ControlPlaneAccessModel>,
    at: &Path,
    client: &Client,
) -> Result<(Access, Fleet), Gap> {
    let wrong = |name: &str, detail: &str| {
        let fault = Diagnostic::error("This is no `access` of a control plane", detail);
        let fault = fault.at(at.attribute(name));
        Gap::Fault(fault.hint("Hand over `access` of an `ha_control_plane` as it is."))
    };
    let model = model.known().ok_or_else(|| wrong("name", "It is not there."))?;
    let name = known(&model.name, at, "name")?.and_then(|it| it.parse().ok());
    let name: ClusterName = name.ok_or_else(|| wrong("name", "It has no name."))?;
    let authority = known(&model.ca_certificate, at, "ca_certificate")?;
    let authority = authority.cloned().unwrap_or_default();
    let port = *known(&model.port, at, "port")?.ok_or_else(|| wrong("port", "It has no port."))?;
    let (mut nodes, mut targets) = (BTreeMap::new(), BTreeMap::new());
    for (key, host) in known(&model.hosts, at, "hosts")?.into_iter().flatten() {
        let at = at.attribute("hosts").key(key);
        let way = host.host.known().ok_or_else(|| wrong("hosts", "A host of it is not there."))?;
        targets.insert(key.clone(), target(way, key, &at.attribute("host"), client, None)?);
        nodes.insert(key.clone(), SocketAddr::new(cluster_address(way, &host.address, &at)?, port));
    }
    let fleet = Fleet::new(Arc::clone(&client.hosts), targets, &format!("{KIND}-{name}"));
    Ok((Access { name, authority, nodes }, fleet))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::provider::tests::client;
    use crate::tfplugin::model::{Model, decode};
    use crate::tfplugin::wire::notation::datum;

    fn opened(edit: &Json) -> Result<(Access, Fleet), Gap> {
        let host = |at: &str| {
            let way = json!({"address": at, "transport": "local", "root": format!("/{at}")});
            json!({"host": way, "address": at})
        };
        let mut access = json!({
            "id": "1", "name": "prod", "endpoint": "api.example.test:443", "ca_certificate": "x",
            "hosts": {"a": host("127.0.0.2"), "b": host("127.0.0.3")}, "port": 7443,
        });
        for (key, value) in edit.as_object().unwrap() {
            access[key] = value.clone();
        }
        let ty = ControlPlaneAccessModel::schema(0);
        let model: ControlPlaneAccessModel = decode(&datum(&access, ty.ty())).unwrap();
        open(&Value::Known(model), &Path::root("control_plane"), &client(json!({}), &[]))
    }

    #[tokio::test]
    async fn each_node_is_found_by_its_address_and_the_port_of_all() {
        let (access, fleet) = opened(&json!({})).unwrap();
        let nodes: Vec<_> = access.nodes.iter().map(|(k, it)| format!("{k} {it}")).collect();
        assert_eq!(nodes, ["a 127.0.0.2:7443", "b 127.0.0.3:7443"]);
        assert!(fleet.keys().eq(["a", "b"]));
    }

    #[tokio::test]
    async fn a_gap_names_what_is_missing() {
        let check = |edit: Json, expected: &str| {
            let gap = match opened(&edit).unwrap_err() {
                Gap::Unknown(unknown) => format!("unknown {unknown}"),
                Gap::Fault(fault) => format!("{}: {}", fault.path(), fault.detail()),
            };
            assert!(gap.starts_with(expected), "{gap}");
        };
        check(json!({"name": "Prod!"}), "control_plane.name: It has no name.");
        check(json!({"ca_certificate": "?"}), "unknown `control_plane.ca_certificate`");
        check(json!({"port": null}), "control_plane.port: It has no port.");
        check(json!({"hosts": "?"}), "unknown `control_plane.hosts`");
    }
}

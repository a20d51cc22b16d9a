//! Credentials for a control plane: what a user asks for, who signs, and the file that clients of Kubernetes read.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::client_certificate::{is_common_name, unsigned};
use super::control_plane_access::{ControlPlaneAccessModel, open};
use super::provider::Client;
use crate::actions::Issued;
use crate::actions::kubernetes::issue;
use crate::domain::pki::Certificate;
use crate::tfplugin::api::Context;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Check;
use crate::tfplugin::value::{Datum, Set, Value};

/// Whoever is in it may do everything, whatever anybody decides later; nothing takes such a certificate back.
const MASTERS: &str = "system:masters";

/// What somebody is to be.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) user: &'a str,
    pub(super) group: &'a str,
    pub(super) ttl: Duration,
}

/// What was signed for somebody.
pub(super) struct Credentials {
    /// Of the client, in PEM.
    pub(super) certificate: String,
    /// Of the client, in PEM.
    pub(super) key: String,
    /// A little before it was signed.
    pub(super) begins: OffsetDateTime,
    pub(super) expires: OffsetDateTime,
}

/// Has a certificate signed by any node that answers. Nothing is written anywhere.
pub(super) async fn credentials(
    client: &Client,
    control_plane: &Value<ControlPlaneAccessModel>,
    person: Person<'_>,
    context: &Context,
) -> Result<Credentials, Diagnostics> {
    let at = Path::root("control_plane");
    let opened = open(control_plane, &at, client);
    let (access, fleet) = opened.map_err(|gap| Diagnostics::from(gap.into_error()))?;
    let signing = issue(&fleet, &access, (person.user, person.group), person.ttl);
    let issued = timeout(context.remaining(), signing).await;
    let Issued { certificate, key } = issued
        .unwrap_or_else(|_| Err(BTreeMap::new()))
        .map_err(|why| unsigned(("control plane", "node"), &at, why))?;
    let signed = Certificate::parse(certificate.as_bytes()).map_err(|err| {
        let summary = "What a node has signed cannot be read";
        Diagnostics::from(Diagnostic::error(summary, &err).at(at))
    })?;
    Ok(Credentials { begins: signed.not_before, expires: signed.not_after, certificate, key })
}

/// The file, for a client that finds the control plane at `endpoint`.
pub(super) fn file(
    name: &str,
    endpoint: &str,
    authority: &str,
    (user, credentials): (&str, &Credentials),
) -> String {
    // JSON is YAML, and escapes whatever a name holds.
    let quoted = |it: &str| Json::from(it).to_string();
    let base64 = |it: &str| BASE64_STANDARD.encode(it);
    let (server, context) =
        (quoted(&format!("https://{endpoint}")), quoted(&format!("{user}@{name}")));
    let (name, user) = (quoted(name), quoted(user));
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: {name}
  cluster:
    certificate-authority-data: {}
    server: {server}
contexts:
- name: {context}
  context:
    cluster: {name}
    user: {user}
current-context: {context}
users:
- name: {user}
  user:
    client-certificate-data: {}
    client-key-data: {}
",
        base64(authority),
        base64(&credentials.certificate),
        base64(&credentials.key),
    )
}

/// Groups that a certificate can have.
pub(super) fn groups() -> Check {
    Check::new("one group other than `system:masters`, of 1 to 64 printable characters", |it| {
        let [one] = it.items().unwrap_or_default() else { return false };
        one.is_unknown() || one.as_str().is_some_and(|it| it != MASTERS && is_common_name(it))
    })
}

/// The group of the administrators, whom a creation has given their rights.
pub(super) fn administrators() -> Datum {
    Datum::Set(Set(vec![crate::actions::kubernetes::ADMINISTRATORS.into()]))
}

#[cfg(test)]
mod tests {
    use super::super::client_certificate::ttl;
    use super::*;

    #[test]
    fn a_client_finds_everything_in_one_file() {
        let credentials = Credentials {
            certificate: "certificate".to_owned(),
            key: "key".to_owned(),
            begins: OffsetDateTime::UNIX_EPOCH,
            expires: OffsetDateTime::UNIX_EPOCH,
        };
        let found = file("prod", "[2001:db8::1]:6443", "authority", ("a: \"b\"", &credentials));
        let expected = r#"apiVersion: v1
kind: Config
clusters:
- name: "prod"
  cluster:
    certificate-authority-data: YXV0aG9yaXR5
    server: "https://[2001:db8::1]:6443"
contexts:
- name: "a: \"b\"@prod"
  context:
    cluster: "prod"
    user: "a: \"b\""
current-context: "a: \"b\"@prod"
users:
- name: "a: \"b\""
  user:
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: a2V5
"#;
        assert_eq!(found, expected);
    }

    #[test]
    fn nobody_becomes_a_master() {
        let check = |groups_: &[&str]| {
            let items = groups_.iter().map(|it| Datum::from(*it)).collect();
            groups().accepts(&Datum::Set(Set(items)))
        };
        assert!(check(&["ha:cluster-admins"]));
        assert!(!check(&[]) && !check(&["system:masters"]) && !check(&[""]) && !check(&["a", "b"]));
        assert!(groups().accepts(&administrators()));
        assert!(ttl().accepts(&"24h".into()) && !ttl().accepts(&"9m".into()));
    }
}

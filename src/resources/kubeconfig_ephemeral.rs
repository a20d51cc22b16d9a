//! `ha_kubeconfig`: credentials for a control plane, for one run.

use std::collections::BTreeSet;
use std::time::Duration;

use super::control_plane_access::ControlPlaneAccessModel;
use super::kubeconfig::{Person, credentials, file};
use super::moment::timestamp;
use super::provider::{Client, Ha};
use crate::domain::kubernetes::Endpoint;
use crate::model;
use crate::tfplugin::api::{Context, Ephemeral, Opened};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::value::{Secret, Value};

const TTL: Duration = Duration::from_hours(1);

model! {
    /// A key and a certificate with which to use a control plane, for the time of one run.
    ///
    /// The key is born in the provider's memory and is written nowhere: neither to the state or a plan nor to a host. Any
    /// node that answers signs. The certificate is for clients alone, and Kubernetes has no way to take it back before it
    /// expires; what its user and group may do is decided there at each request.
    pub(crate) struct KubeconfigModel {
        /// The control plane: `access` of an `ha_control_plane`.
        control_plane: Value<ControlPlaneAccessModel> = required(),
        /// Who that is, in the words of Kubernetes.
        user: Value<String> = optional().default("admin").check(crate::resources::client_certificate::user()),
        /// Groups of the user. Those of `ha:cluster-admins` may do everything; `system:masters` is refused.
        groups: Value<BTreeSet<String>> = optional().default(crate::resources::kubeconfig::administrators()).check(crate::resources::kubeconfig::groups()),
        /// How long the certificate is valid, from `10m` to `24h`.
        ttl: Value<Duration> = optional().default("1h").check(crate::resources::client_certificate::ttl()),
        /// Where the user finds the control plane, `host:port`. That of the control plane when left out; one of its
        /// `api_servers` leads past the balancer.
        endpoint: Value<String> = optional().check(text("`host:port`, such as `api.example.test:6443`", |it| it.parse::<Endpoint>().is_ok())),
        /// What `kubectl` and other clients read.
        kubeconfig: Value<Secret<String>> = computed().sensitive(),
        /// URL of the API.
        host: Value<String> = computed(),
        /// Certificate of the authority of the API, in PEM.
        cluster_ca_certificate: Value<String> = computed(),
        /// Certificate of the client, in PEM.
        client_certificate: Value<String> = computed(),
        /// Its private key, in PEM.
        client_key: Value<Secret<String>> = computed().sensitive(),
        /// When the certificate expires, like `2027-02-03T04:05:06Z`.
        expires_at: Value<String> = computed(),
    }
}

/// The ephemeral resource.
pub(super) struct Kubeconfig;

impl Ephemeral for Kubeconfig {
    const NAME: &'static str = "ha_kubeconfig";
    type Provider = Ha;
    type Model = KubeconfigModel;
    type Lease = ();

    async fn open(
        &self,
        client: &Client,
        mut model: KubeconfigModel,
        context: &Context,
    ) -> Result<Opened<Self>, Diagnostics> {
        let user = model.user.known().cloned().unwrap_or_else(|| "admin".to_owned());
        let groups = model.groups.or_default();
        let group = groups.first().map_or(crate::actions::kubernetes::ADMINISTRATORS, |it| it);
        let ttl = model.ttl.known().copied().unwrap_or(TTL);
        let person = Person { user: &user, group, ttl };
        let credentials = credentials(client, &model.control_plane, person, context).await?;
        let access = model.control_plane.or_default();
        let endpoint = model.endpoint.known().cloned();
        let endpoint = endpoint.unwrap_or_else(|| access.endpoint.or_default());
        let authority = access.ca_certificate.or_default();
        let kubeconfig =
            file(&access.name.or_default(), &endpoint, &authority, (&user, &credentials));
        model.user = Value::Known(user);
        model.groups = Value::Known(BTreeSet::from([group.to_owned()]));
        model.ttl = Value::Known(ttl);
        model.kubeconfig = Value::Known(Secret::new(kubeconfig));
        model.host = Value::Known(format!("https://{endpoint}"));
        model.cluster_ca_certificate = Value::Known(authority);
        model.client_certificate = Value::Known(credentials.certificate);
        model.client_key = Value::Known(Secret::new(credentials.key));
        model.expires_at = Value::Known(timestamp(credentials.expires));
        Ok(Opened { value: model, lease: (), renew_at: None, diags: Diagnostics::new() })
    }
}

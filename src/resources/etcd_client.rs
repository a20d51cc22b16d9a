//! `ha_etcd_client`: a key and a certificate for one run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client_certificate::unsigned;
use super::etcd_access::{EtcdAccessModel, open};
use super::provider::{Client, Ha};
use crate::actions::Issued;
use crate::actions::etcd::issue;
use crate::model;
use crate::tfplugin::api::{Context, Ephemeral, Opened};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Secret, Value};

const TTL: Duration = Duration::from_hours(1);

model! {
    /// A key and a certificate with which to speak to a cluster of etcd, for the time of one run.
    ///
    /// The key is born in the provider's memory and is written nowhere: neither to the state or a plan nor to a host.
    /// Any host of the cluster that answers signs. The certificate is for clients alone, and etcd has no way to take
    /// it back before it expires.
    pub(crate) struct EtcdClientModel {
        /// The cluster: `access` of an `ha_etcd_cluster`.
        cluster: Value<EtcdAccessModel> = required(),
        /// Common name of the certificate: the user whom etcd knows, once its authentication is switched on.
        user: Value<String> = optional().default("root").check(crate::resources::client_certificate::user()),
        /// How long the certificate is valid, from `10m` to `24h`.
        ttl: Value<Duration> = optional().default("1h").check(crate::resources::client_certificate::ttl()),
        /// URLs of the members.
        endpoints: Value<Vec<Value<String>>> = computed(),
        /// Certificate of the cluster's authority, in PEM.
        ca_certificate: Value<String> = computed(),
        /// Certificate of the client, in PEM.
        client_certificate: Value<String> = computed(),
        /// Its private key, in PEM.
        client_key: Value<Secret<String>> = computed().sensitive(),
    }
}

/// The ephemeral resource.
pub(super) struct EtcdClient;

impl Ephemeral for EtcdClient {
    const NAME: &'static str = "ha_etcd_client";
    type Provider = Ha;
    type Model = EtcdClientModel;
    type Lease = ();

    async fn open(
        &self,
        client: &Client,
        mut model: EtcdClientModel,
        context: &Context,
    ) -> Result<Opened<Self>, Diagnostics> {
        let opened = open(&model.cluster, &Path::root("cluster"), client);
        let (access, fleet) = opened.map_err(|gap| Diagnostics::from(gap.into_error()))?;
        let user = model.user.known().cloned().unwrap_or_else(|| "root".to_owned());
        let ttl = model.ttl.known().copied().unwrap_or(TTL);
        let signing = issue(&fleet, &access, &user, ttl);
        let issued = tokio::time::timeout(context.remaining(), signing).await;
        let Issued { certificate, key } = issued
            .unwrap_or_else(|_| Err(BTreeMap::new()))
            .map_err(|why| unsigned(("cluster", "host"), &Path::root("cluster"), why))?;
        let cluster = model.cluster.known().cloned().unwrap_or_default();
        model.user = Value::Known(user);
        model.ttl = Value::Known(ttl);
        model.endpoints = cluster.endpoints;
        model.ca_certificate = cluster.ca_certificate;
        model.client_certificate = Value::Known(certificate);
        model.client_key = Value::Known(Secret::new(key));
        Ok(Opened { value: model, lease: (), renew_at: None, diags: Diagnostics::new() })
    }
}

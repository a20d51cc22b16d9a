//! `ha_etcd_cluster`: an etcd cluster on hosts.

mod course;
mod filled;
mod forecast;
mod ill;
mod imported;
mod model;
mod restore;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has a clock of its own")]
mod sweep;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::course::remember;
use self::model::{EtcdClusterModel, complete, members};
use super::fleet::{Ready, as_one, fleet, unseen};
use super::hosted::{self, Hosted as _, all_may_go};
use super::hosts;
use super::import::HostedIdentity;
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::etcd::{Look, ask_corrupt, ask_health, concerns, drift, look_at_all};
use crate::domain::Kind;
use crate::domain::etcd::{Concern, warnings};
use crate::engine::Announced;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The resource.
pub(super) struct EtcdCluster;

/// What stands beside the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    announced: Announced,
    /// The keys that hosts have shown, where none was given, by where they are.
    pins: Pins,
    /// What ran on each member when it was last seen.
    last: BTreeMap<String, Last>,
    /// What is wrong with the data of members, as it was last seen.
    #[serde(default)]
    ill: ill::Found,
    /// Whether the cluster had a quorum when it was last asked.
    #[serde(default)]
    has_quorum: bool,
    /// The last restore whose data is in its place on any host: a run that ended then is gone on with.
    #[serde(default)]
    restored: u64,
}

/// What ran on a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Last {
    version: String,
    address: std::net::IpAddr,
    /// As the state of that time wished it.
    is_current: bool,
}

impl Resource for EtcdCluster {
    const NAME: &'static str = "ha_etcd_cluster";
    type Provider = Ha;
    type Model = EtcdClusterModel;
    type Identity = HostedIdentity;
    type Private = Kept;

    fn validate(&self, config: &EtcdClusterModel) -> Diagnostics {
        let found = hosts::check(&Path::root("members"), &Self::hosts(config).collect::<Vec<_>>());
        if found.has_errors() {
            return found;
        }
        let mut found = restore::check(config);
        found.extend(wish::desired(config).and_then(Result::err).unwrap_or_default());
        found
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &mut change.planned;
        let before = change.prior.as_ref().map(|it| &it.state);
        if restore::grows(before, planned) != Some(false) {
            (planned.cluster_id, planned.ca_certificate) = (Value::Unknown, Value::Unknown);
        }
        complete(planned);
        let mut found = hosts::check_connections(
            &Path::root("members"),
            &Self::hosts(planned).collect::<Vec<_>>(),
            client,
        );
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced =
                    all_may_go::<Self>(&[Kind::Remove, Kind::MoveAside], before);
                found.extend(forecast::early(before, planned).iter().map(wish::explain));
                return found;
            }
            Some(Err(faults)) => {
                found.extend(faults);
                return found;
            }
            Some(Ok(desired)) => desired,
        };
        let prior = change.prior.as_ref().map(|it| &it.state);
        found.extend(restore::shrinks(prior, planned));
        let id = prior.and_then(|it| it.id.known());
        if let Some(wanted) = restore::wanted(prior, planned, id.map(String::as_str)) {
            found.extend(restore::missing_store(planned, client));
            let is_begun = wanted.generation <= change.private.restored;
            let has_quorum = change.private.has_quorum && !is_begun;
            let (steps, announced, refusal) =
                restore::forecast(prior, planned, &desired, &wanted, has_quorum);
            found.extend(refusal.iter().map(restore::explain));
            change.private.announced = announced;
            change.steps = steps.iter().map(ToString::to_string).collect();
            return found;
        }
        let forecast = forecast::forecast(prior, planned, &desired, &change.private.ill);
        found.extend(forecast.refusal.iter().map(wish::explain));
        found.extend(as_one(
            "The etcd cluster bears less than it could",
            warnings(&desired, &forecast.observed),
        ));
        change.private.announced = forecast.announced;
        change.steps = forecast.steps.iter().map(ToString::to_string).collect();
        found
    }

    fn protects(&self, object: &Object<Self>) -> Diagnostics {
        if object.state.deletion_protection.known() == Some(&false) {
            return Diagnostics::new();
        }
        let detail = "`deletion_protection` is on: its data would be lost to those who use it.";
        Diagnostic::error("The etcd cluster is protected", detail)
            .at(Path::root("deletion_protection"))
            .hint("Set it to `false`, apply, and destroy then.")
            .into()
    }

    async fn create(
        &self,
        client: &Client,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        Box::pin(hosted::create(client, wanted, context)).await
    }

    async fn read(&self, client: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, mut private, .. } = object;
        let present = |state, private, diags| Read::Present(Applied { state, private, diags });
        let ready = Self::ready(client, &state, None, &private, &state.id.or_default());
        let Ready { setup, sites, targets, places, .. } = match ready {
            Ok(ready) => ready,
            Err(Gap::Unknown(unknown)) => return present(state, private, unknown.warning().into()),
            Err(Gap::Fault(fault)) => return Read::Failed(fault.into()),
        };
        let fleet = fleet(client, targets, &setup.own);
        let ((looks, silent), health) =
            tokio::join!(look_at_all(&fleet, &sites, &setup), ask_health(&fleet, &sites, &setup));
        let corrupt = ask_corrupt(&fleet, &sites, &setup, &looks, &health).await;
        remember(&mut private, &state, (&looks, &places), &corrupt);
        private.has_quorum = health.values().flatten().any(|it| it.ailment().is_none());
        private.restored = looks.values().map(Look::restored).fold(private.restored, u64::max);
        let (mut drifts, lost) = ill::told(&private.ill, members(&state).count());
        drifts.extend(drift(&setup, &sites, &looks));
        state.drift = Value::Known(drifts);
        imported::learn(&mut state, &looks);
        // What is drift needs no warning beside it.
        let is_told =
            |it: &Concern| *it == Concern::Corrupt && !corrupt.is_empty() && lost.is_none();
        let mut concerns = concerns(&setup, &sites, &looks, &health);
        concerns.retain(|it| !is_told(it));
        let concerns = as_one("The etcd cluster needs attention", lost.iter().chain(&concerns));
        present(state, private, unseen(&silent).chain(concerns).collect())
    }

    async fn update(
        &self,
        client: &Client,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        Box::pin(hosted::update(client, prior, wanted, context)).await
    }

    async fn delete(
        &self,
        client: &Client,
        object: Object<Self>,
        context: &Context,
    ) -> Deleted<Self> {
        Box::pin(hosted::delete(client, object, context)).await
    }

    fn identify(
        &self,
        state: &EtcdClusterModel,
        known: Option<&HostedIdentity>,
    ) -> Option<HostedIdentity> {
        hosted::identify::<Self>(state, known)
    }

    async fn import(
        &self,
        client: &Client,
        key: ImportKey<HostedIdentity>,
        _: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        hosted::import(client, key).await
    }
}

//! `ha_control_plane`: API server, controller manager and scheduler on hosts, against an external etcd.

mod course;
mod filled;
mod forecast;
mod imported;
mod model;
mod recovery;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::course::remember;
use self::model::{ControlPlaneModel, complete};
use super::fleet::{Ready, as_one, fleet, unseen};
use super::hosted::{self, Hosted as _, all_may_go};
use super::hosts;
use super::import::HostedIdentity;
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::is_former;
use crate::actions::kubernetes::{Access, ask_health, concerns, drift, look_at_all};
use crate::domain::Kind;
use crate::domain::kubernetes::{Refusal, warnings};
use crate::engine::Announced;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The resource.
pub(super) struct ControlPlane;

/// What stands beside the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    announced: Announced,
    /// The keys that hosts have shown, where none was given, by where they are.
    pins: Pins,
    /// What ran on each node when it was last seen.
    last: BTreeMap<String, Last>,
    /// Nodes that had no keys when they were last seen.
    #[serde(default)]
    bare: BTreeSet<String>,
    /// Nodes that did not answer the last read.
    #[serde(default)]
    silent: BTreeSet<String>,
}

/// What the API server of a node ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Last {
    version: String,
    /// As the state of that time wished it.
    is_current: bool,
}

impl Resource for ControlPlane {
    const NAME: &'static str = "ha_control_plane";
    type Provider = Ha;
    type Model = ControlPlaneModel;
    type Identity = HostedIdentity;
    type Private = Kept;

    fn validate(&self, config: &ControlPlaneModel) -> Diagnostics {
        let found = hosts::check(&Path::root("nodes"), &Self::hosts(config).collect::<Vec<_>>());
        if found.has_errors() {
            return found;
        }
        wish::desired(config).and_then(Result::err).unwrap_or_default()
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &mut change.planned;
        let prior = change.prior.as_ref().map(|it| &it.state);
        let is_lost = prior.is_some_and(|it| recovery::is_lost(it, planned, &change.private));
        recovery::plan_bundle(prior, planned, is_lost);
        complete(planned);
        let mut found = hosts::check_connections(
            &Path::root("nodes"),
            &Self::hosts(planned).collect::<Vec<_>>(),
            client,
        );
        found.extend(prior.and_then(|it| other_authority(it, planned)));
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced = all_may_go::<Self>(&[Kind::Remove], prior);
                let early = forecast::early(prior, planned).map(Refusal::Version);
                found.extend(early.iter().map(wish::explain));
                return found;
            }
            Some(Err(faults)) => {
                found.extend(faults);
                return found;
            }
            Some(Ok(desired)) => desired,
        };
        if (prior.is_none() || is_lost)
            && let Err(Gap::Fault(fault)) = recovery::keys(client, planned, prior, &desired)
        {
            found.push(fault);
        }
        let forecast = forecast::forecast(prior, planned, &desired, is_lost);
        found.extend(forecast.refusal.iter().map(wish::explain_early));
        found.extend(as_one(
            "The control plane bears less than it could",
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
        let detail = "`deletion_protection` is on: the API would be gone for all who use it.";
        Diagnostic::error("The control plane is protected", detail)
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
        let access = Access {
            name: setup.desired.name.clone(),
            authority: state.ca_certificate.or_default(),
            nodes: sites
                .iter()
                .filter(|(key, _)| !is_former(key))
                .map(|(key, site)| (key.clone(), setup.desired.socket(site.place)))
                .collect(),
        };
        let fleet = fleet(client, targets, &setup.own);
        let ((looks, silent), health) =
            tokio::join!(look_at_all(&fleet, &sites, &setup), ask_health(&fleet, &sites, &access));
        private.silent.extend(silent.keys().cloned());
        remember(&mut private, &looks, &places);
        state.drift = Value::Known(drift(&setup, &sites, &looks));
        recovery::read_bundle(&mut state, &looks, silent.is_empty());
        imported::learn(&mut state, &looks);
        let concerns =
            as_one("The control plane needs attention", concerns(&sites, &looks, &health));
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
        state: &ControlPlaneModel,
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

/// The data of another cluster, or of one that began anew, is not what the API servers know.
fn other_authority(prior: &ControlPlaneModel, planned: &ControlPlaneModel) -> Option<Diagnostic> {
    let (was, is) = (prior.etcd.known()?, planned.etcd.known()?);
    let is_same = was.ca_certificate.known()? == is.ca_certificate.known()?;
    if is_same || was.generation != is.generation {
        return None;
    }
    let detail = "Its authority is another one, and its `generation` is the same: this is another cluster, whose data is not that of this control plane.";
    let fault = Diagnostic::error("The control plane cannot move to another etcd", detail);
    Some(fault.at(Path::root("etcd")).hint("Set it back, or create a second control plane."))
}

//! `ha_load_balancer`: HAProxy on hosts, and an address that moves between them.

mod course;
mod forecast;
mod imported;
mod model;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has files of its own")]
mod sweep;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::course::{remember, shared};
pub(super) use self::model::BalancerAccessModel;
use self::model::{LoadBalancerModel, complete};
use super::fleet::{Ready, fleet, unseen};
use super::hosted::{self, Hosted as _, all_may_go};
use super::hosts;
use super::import::HostedIdentity;
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::balancer::look_at_all;
use crate::domain::Kind;
use crate::engine::Announced;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The resource.
pub(super) struct LoadBalancer;

/// What stands beside the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    announced: Announced,
    /// The keys that hosts have shown, where none was given.
    pins: Pins,
    /// Whether each node ran what the state of that time wished.
    last: BTreeMap<String, bool>,
}

impl Resource for LoadBalancer {
    const NAME: &'static str = "ha_load_balancer";
    type Provider = Ha;
    type Model = LoadBalancerModel;
    type Identity = HostedIdentity;
    type Private = Kept;

    fn validate(&self, config: &LoadBalancerModel) -> Diagnostics {
        let found = hosts::check(&Path::root("nodes"), &Self::hosts(config).collect::<Vec<_>>());
        if found.has_errors() {
            return found;
        }
        wish::desired(config).and_then(Result::err).unwrap_or_default()
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &mut change.planned;
        complete(planned);
        let mut found = hosts::check_connections(
            &Path::root("nodes"),
            &Self::hosts(planned).collect::<Vec<_>>(),
            client,
        );
        let prior = change.prior.as_ref().map(|it| &it.state);
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced = all_may_go::<Self>(&[Kind::Remove], prior);
                return found;
            }
            Some(Err(faults)) => {
                found.extend(faults);
                return found;
            }
            Some(Ok(desired)) => desired,
        };
        let forecast = forecast::forecast(prior, planned, &desired);
        found.extend(forecast.refusal.iter().map(wish::explain));
        change.private.announced = forecast.announced;
        change.steps = forecast.steps.iter().map(ToString::to_string).collect();
        found
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
        let (looks, silent) = look_at_all(&fleet, &sites, &setup).await;
        let seen = sites.iter().filter_map(|(key, site)| Some((site, looks.get(key)?)));
        state.drift = Value::Known(seen.flat_map(|(site, look)| look.drift(site)).collect());
        remember(&mut private, &looks, &places);
        present(state, private, unseen(&silent).chain(shared(&looks)).collect())
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
        state: &LoadBalancerModel,
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

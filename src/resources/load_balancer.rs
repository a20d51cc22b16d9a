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

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::course::{Ready, go, joined, ready, remember, shared};
pub(super) use self::model::BalancerAccessModel;
use self::model::{LoadBalancerModel, complete, is_only_recorded, nodes};
use super::explain;
use super::fleet::{fleet, newcomers, record_only, unseen};
use super::hosts::{self, Placed};
use super::import::{HostedIdentity, Sought};
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::balancer::{KIND, look_at_all};
use crate::actions::random_id;
use crate::domain::Kind;
use crate::engine::Announced;
use crate::tfplugin::api::{
    Applied, Context, Created, Deleted, ImportKey, Imported, Object, Planning, Read, Resource,
    Wanted,
};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
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
        let found = hosts::check(&Path::root("nodes"), &placed(config));
        if found.has_errors() {
            return found;
        }
        wish::desired(config).and_then(Result::err).unwrap_or_default()
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let planned = &mut change.planned;
        complete(planned);
        let mut found = hosts::check_connections(&Path::root("nodes"), &placed(planned), client);
        let prior = change.prior.as_ref().map(|it| &it.state);
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced = all_may_go(prior);
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
        let summary = "The balancer was not created";
        let id = match random_id() {
            Ok(id) => id,
            Err(reason) => return Created::Nothing(Diagnostic::error(summary, reason).into()),
        };
        let ready = match ready(client, &wanted.planned, None, &wanted.private, &id) {
            Ok(ready) => ready,
            Err(gap) => return Created::Nothing(gap.into_error().into()),
        };
        let patient = nodes(&wanted.planned).map(|(key, _)| key.clone()).collect();
        let announced = wanted.private.announced.clone();
        let reached = go(client, ready, announced, &patient, false, context).await;
        if let Some(stopped) = &reached.stopped {
            let saved = "Nothing is in the state; what was done is noted on the hosts, and an apply goes on from there. To give it up instead, stop and remove the units `haproxy-<name>` and `keepalived-<name>`, /etc/balancer-<name> and the record of the balancer in /var/lib/ha-agent/records on each host.";
            let way_out = imported::way_out(stopped, &wanted.planned);
            let saved = way_out.as_deref().unwrap_or(saved);
            return Created::Nothing(explain(summary, stopped, saved).into());
        }
        // A creation that was begun before goes on under its own id.
        let id = Value::Known(reached.id.clone());
        let mut state = LoadBalancerModel { id, ..wanted.planned };
        complete(&mut state);
        let private = reached.kept(wanted.private, &[&state]);
        Created::Made(Applied { state, private, diags: reached.warnings })
    }

    async fn read(&self, client: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, mut private, .. } = object;
        let present = |state, private, diags| Read::Present(Applied { state, private, diags });
        let ready = ready(client, &state, None, &private, state.id.or_default().as_str());
        let Ready { setup, sites, targets, places } = match ready {
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
        let Object { state: before, private, .. } = prior;
        let id = before.id.or_default();
        if is_only_recorded(&wanted.planned, &before) {
            let (state, private) = (wanted.planned, wanted.private);
            if let Ok(ready) = ready(client, &state, None, &private, &id) {
                record_only(client, ready.targets, &ready.setup.own).await;
            }
            return Applied { state, private, diags: Diagnostics::new() };
        }
        let ready = match ready(client, &wanted.planned, Some(&before), &wanted.private, &id) {
            Ok(ready) => ready,
            Err(gap) => return Applied { state: before, private, diags: gap.into_error().into() },
        };
        let keys = |it| nodes(it).map(|(key, _)| key);
        let new = newcomers(keys(&before), keys(&wanted.planned));
        let announced = wanted.private.announced.clone();
        let reached = go(client, ready, announced, &new, false, context).await;
        let Some(stopped) = &reached.stopped else {
            let mut state = wanted.planned;
            complete(&mut state);
            let private = reached.kept(wanted.private, &[&state]);
            return Applied { state, private, diags: reached.warnings };
        };
        let mut diags = reached.warnings.clone();
        let saved = "What was reached is in the state.";
        diags.push(explain("The balancer is not as planned", stopped, saved));
        let mut state = before;
        joined(&mut state, &wanted.planned, reached.observed.as_ref());
        let private = reached.kept(private, &[&state, &wanted.planned]);
        Applied { state, private, diags }
    }

    async fn delete(
        &self,
        client: &Client,
        object: Object<Self>,
        context: &Context,
    ) -> Deleted<Self> {
        let Object { state, private, .. } = object;
        let remains = |state, private, diags| Deleted::Remains(Applied { state, private, diags });
        let id = state.id.or_default();
        let ready = match ready(client, &state, None, &private, &id) {
            Ok(ready) => ready,
            Err(gap) => return remains(state, private, gap.into_error().into()),
        };
        let announced = all_may_go(Some(&state));
        let reached = go(client, ready, announced, &BTreeSet::new(), true, context).await;
        let Some(stopped) = &reached.stopped else { return Deleted::Gone(Diagnostics::new()) };
        let saved = "The state keeps it; destroy again.";
        remains(state, private, explain("The balancer was not destroyed", stopped, saved).into())
    }

    fn identify(
        &self,
        state: &LoadBalancerModel,
        known: Option<&HostedIdentity>,
    ) -> Option<HostedIdentity> {
        let hosts = nodes(state).filter_map(|(_, it)| it.host.known());
        HostedIdentity::of(&state.name, hosts, known)
    }

    async fn import(
        &self,
        client: &Client,
        key: ImportKey<HostedIdentity>,
        _: &Context,
    ) -> Result<Imported<Self>, Diagnostics> {
        let sought = Sought::new(Self::NAME, key)?;
        let record = sought.record(KIND, client).await?;
        let state = imported::restored(&record)?;
        let (private, identity) = (Kept::default(), Some(sought.identity()));
        let object = Object { state, private, identity };
        Ok(Imported { object, diags: Diagnostics::new() })
    }
}

/// While the map is not known, or when all is to go, any node may have to.
fn all_may_go(prior: Option<&LoadBalancerModel>) -> Announced {
    let all = prior.into_iter().flat_map(nodes);
    Announced::each(&[Kind::Remove], all.map(|(key, _)| key.as_str()))
}

fn placed(model: &LoadBalancerModel) -> Vec<Placed<'_>> {
    nodes(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address }).collect()
}

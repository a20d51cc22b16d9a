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

use self::course::{Ready, go, joined, reach, ready, remember};
use self::model::{
    ControlPlaneModel, complete, is_only_recorded, is_only_way, nodes, with_recorded,
};
use super::explain;
use super::fleet::{as_one, fleet, record_only, recorded_only, unseen};
use super::hosts::{self, Placed};
use super::import::{HostedIdentity, Sought};
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::kubernetes::{Access, KIND, ask_health, concerns, drift, look_at_all};
use crate::actions::{is_former, random_id};
use crate::domain::Kind;
use crate::domain::kubernetes::{Observed, Refusal, Warning, warnings};
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
        let found = hosts::check(&Path::root("nodes"), &placed(config));
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
        let mut found = hosts::check_connections(&Path::root("nodes"), &placed(planned), client);
        found.extend(prior.and_then(|it| other_authority(it, planned)));
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced = all_may_go(prior);
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
        found.extend(forecast.refusal.iter().map(wish::explain));
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
        let summary = "The control plane was not created";
        let id = match random_id() {
            Ok(id) => id,
            Err(reason) => return Created::Nothing(Diagnostic::error(summary, reason).into()),
        };
        let reached = match reach(client, None, &wanted, &id, context).await {
            Ok(reached) => reached,
            Err(diags) => return Created::Nothing(diags),
        };
        if let Some(stopped) = &reached.stopped {
            let saved = "Nothing is in the state; what was done is noted on the hosts, and an apply goes on from there. To give it up instead, stop and remove the units `kube-apiserver-<name>`, `kube-controller-manager-<name>` and `kube-scheduler-<name>`, /etc/kubernetes-<name> and the records of the control plane in /var/lib/ha-agent/records on each host, and what lies below `etcd_prefix` in etcd.";
            let way_out = imported::way_out(stopped, &wanted.planned);
            let saved = way_out.as_deref().unwrap_or(saved);
            return Created::Nothing(explain(summary, stopped, saved).into());
        }
        // A creation that was begun before goes on under its own id.
        let id = Value::Known(reached.id.clone());
        let mut state = ControlPlaneModel { id, ..wanted.planned };
        reached.tell(&mut state);
        let private = reached.kept(wanted.private, &[&state]);
        Created::Made(Applied { state, private, diags: reached.warnings })
    }

    async fn read(&self, client: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, mut private, .. } = object;
        let present = |state, private, diags| Read::Present(Applied { state, private, diags });
        let ready = ready(client, &state, None, &private, state.id.or_default().as_str());
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
        let Object { state: before, private, .. } = prior;
        let id = before.id.or_default();
        if is_only_recorded(&wanted.planned, &before) {
            let (state, private) = (wanted.planned, wanted.private);
            if let Ok(ready) = ready(client, &state, None, &private, &id) {
                record_only(client, ready.targets, &ready.setup.own).await;
            }
            return Applied { state, private, diags: Diagnostics::new() };
        }
        let reached = match reach(client, Some(&before), &wanted, &id, context).await {
            Ok(reached) => reached,
            Err(diags) => return Applied { state: before, private, diags },
        };
        let Some(stopped) = &reached.stopped else {
            let mut state = wanted.planned.clone();
            reached.tell(&mut state);
            let private = reached.kept(wanted.private, &[&state]);
            return Applied { state, private, diags: reached.warnings };
        };
        let saved = "What was reached is in the state.";
        let is_recorded = is_only_way(&wanted.planned, &before) && reached.is_silence(&before);
        let mut diags = reached.warnings.clone();
        // Where something had to be mended as well, that was not done.
        let is_well = is_recorded && before.drift.known().is_some_and(Vec::is_empty);
        diags.push(if is_well {
            recorded_only(stopped)
        } else {
            explain("The control plane is not as planned", stopped, saved)
        });
        if is_recorded {
            let mut state = wanted.planned.clone();
            reached.tell(&mut state);
            let private = reached.kept(wanted.private, &[&state]);
            if let Ok(ready) = ready(client, &state, None, &private, &id) {
                record_only(client, ready.targets, &ready.setup.own).await;
            }
            return Applied { state, private, diags };
        }
        // Nothing has to be done for what is only recorded.
        let mut state = with_recorded(&wanted.planned, before);
        joined(&mut state, &wanted.planned, reached.observed.as_ref());
        complete(&mut state);
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
        let mut announced = Announced::default();
        announced.add(Kind::MoveAside, nodes(&state).map(|(key, _)| key.as_str()));
        let reached = go(client, ready, announced, &BTreeSet::new(), true, context).await;
        if let Some(stopped) = &reached.stopped {
            let saved = "The state keeps it; destroy again.";
            let diag = explain("The control plane was not destroyed", stopped, saved);
            return remains(state, private, diag.into());
        }
        let mut told = left_behind(reached.observed.as_ref());
        if state.on_destroy.known().is_none_or(|it| it != "purge") {
            let (name, prefix) = (state.name.or_default(), state.etcd_prefix.or_default());
            let detail = format!(
                "On each host they are beside /etc/kubernetes-{name}, with `.aside-{id}`. The objects are in etcd below {prefix}; without these keys Secrets among them cannot be read."
            );
            told.push(Diagnostic::warning("The keys of the control plane were kept", detail));
        }
        Deleted::Gone(told)
    }

    fn identify(
        &self,
        state: &ControlPlaneModel,
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

/// What a destroy could not clean, since its host is lost.
fn left_behind(observed: Option<&Observed>) -> Diagnostics {
    let silent = observed.into_iter().flat_map(|it| &it.nodes).filter(|it| it.1.seen().is_none());
    let left = silent.map(|(name, _)| {
        let detail = format!("{}.", Warning::LeftBehind(name.clone()));
        Diagnostic::warning("A lost host of the control plane was not cleaned", detail)
            .hint("Should that machine ever come back, wipe it before it is used again.")
    });
    left.collect()
}

/// While the map is not known, any node may have to go.
fn all_may_go(prior: Option<&ControlPlaneModel>) -> Announced {
    let all = prior.into_iter().flat_map(nodes);
    Announced::each(&[Kind::Remove], all.map(|(key, _)| key.as_str()))
}

fn placed(model: &ControlPlaneModel) -> Vec<Placed<'_>> {
    nodes(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address }).collect()
}

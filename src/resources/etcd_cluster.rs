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

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::course::{Ready, go, joined, reach, ready, remember};
use self::model::{
    EtcdClusterModel, complete, is_only_recorded, is_only_way, members, with_recorded,
};
use super::explain;
use super::fleet::{as_one, fleet, record_only, recorded_only, unseen};
use super::hosts::{self, Placed};
use super::import::{HostedIdentity, Sought};
use super::pins::Pins;
use super::provider::{Client, Gap, Ha};
use crate::actions::etcd::{KIND, Look, ask_corrupt, ask_health, concerns, drift, look_at_all};
use crate::actions::random_id;
use crate::domain::Kind;
use crate::domain::etcd::{Concern, Observed, Warning, warnings};
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
        let found = hosts::check(&Path::root("members"), &placed(config));
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
        let mut found = hosts::check_connections(&Path::root("members"), &placed(planned), client);
        let desired = match wish::desired(planned) {
            None => {
                change.private.announced = unknown_members(change.prior.as_ref());
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
        if let Some(terms) = restore::terms(prior, planned, id.map(String::as_str)) {
            let is_begun = terms.wanted.generation <= change.private.restored;
            let has_quorum = change.private.has_quorum && !is_begun;
            let (steps, announced, refusal) =
                restore::forecast(prior, planned, &desired, &terms.wanted, has_quorum);
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
        let id = match random_id() {
            Ok(id) => id,
            Err(reason) => {
                let diag = Diagnostic::error("The etcd cluster was not created", reason);
                return Created::Nothing(diag.into());
            }
        };
        let reached = match reach(client, None, &wanted, &id, context).await {
            Ok(reached) => reached,
            Err(diags) => return Created::Nothing(diags),
        };
        if let Some(stopped) = &reached.stopped {
            let saved = "Nothing is in the state; what was done is noted on the hosts, and an apply goes on from there. To give it up instead, stop and remove the unit `etcd-<name>`, /etc/etcd-<name>, the data directory and the records of the cluster in /var/lib/ha-agent/records on each host.";
            let way_out = imported::way_out(stopped, &wanted.planned);
            let saved = way_out.as_deref().unwrap_or(saved);
            return Created::Nothing(
                explain("The etcd cluster was not created", stopped, saved).into(),
            );
        }
        // A creation that was begun before goes on under its own id.
        let id = Value::Known(reached.id.clone());
        let mut state = EtcdClusterModel { id, ..wanted.planned };
        reached.tell(&mut state);
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
            explain("The etcd cluster is not as planned", stopped, saved)
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
        announced.add(Kind::MoveAside, members(&state).map(|(key, _)| key.as_str()));
        let data_dir = ready.setup.desired.data_dir.to_string();
        let reached = go(client, ready, (announced, None), &BTreeSet::new(), true, context).await;
        if let Some(stopped) = &reached.stopped {
            let saved = "The state keeps it; destroy again.";
            let diag = explain("The etcd cluster was not destroyed", stopped, saved);
            return remains(state, private, diag.into());
        }
        let mut told = left_behind(reached.observed.as_ref());
        if state.on_destroy.known().is_none_or(|it| it != "purge") {
            let detail = format!(
                "On each host it is beside {data_dir}, with `.aside-` and the id of its member."
            );
            told.push(Diagnostic::warning("The data of the etcd cluster was kept", detail));
        }
        Deleted::Gone(told)
    }

    fn identify(
        &self,
        state: &EtcdClusterModel,
        known: Option<&HostedIdentity>,
    ) -> Option<HostedIdentity> {
        let hosts = members(state).filter_map(|(_, it)| it.host.known());
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

/// What a destroy could not clean, since its host is lost.
fn left_behind(observed: Option<&Observed>) -> Diagnostics {
    let silent = observed.into_iter().flat_map(|it| &it.hosts).filter(|it| it.1.seen().is_none());
    let left = silent.map(|(name, _)| {
        let detail = format!("{}.", Warning::LeftBehind(name.clone()));
        Diagnostic::warning("A lost host of the etcd cluster was not cleaned", detail)
            .hint("Should that machine ever come back, wipe it before it is used again.")
    });
    left.collect()
}

/// While the map is not known, any member may have to go.
fn unknown_members(prior: Option<&Object<EtcdCluster>>) -> Announced {
    let all = prior.into_iter().flat_map(|it| members(&it.state));
    Announced::each(&[Kind::Remove, Kind::MoveAside], all.map(|(key, _)| key.as_str()))
}

fn placed(model: &EtcdClusterModel) -> Vec<Placed<'_>> {
    members(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address }).collect()
}

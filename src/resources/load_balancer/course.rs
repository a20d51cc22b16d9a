//! One run over the nodes of a balancer, and what is kept of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{LoadBalancerModel, complete, nodes, with_recorded};
use super::{Kept, LoadBalancer, imported, wish};
use crate::actions::Own;
use crate::actions::balancer::{Balancer, KIND, Look, Setup, Site, needs};
use crate::domain::balancer::{Facts, Node, Observed, Refusal};
use crate::domain::name::{List, Name};
use crate::engine::record::Record;
use crate::engine::{Announced, Fleet, Stopped, converge};
use crate::resources::fleet::{Laid, Ready};
use crate::resources::hosted::{End, Hosted, Job, join, known};
use crate::resources::hosts::Placed;
use crate::resources::import::Sought;
use crate::resources::pins::Places;
use crate::resources::provider::{Client, Gap};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// The end of a run.
type Reached = End<LoadBalancer>;

impl Hosted for LoadBalancer {
    const KIND: &'static str = KIND;
    const WHAT: &'static str = "balancer";
    const REMAINS: &'static str = "the units `haproxy-<name>` and `keepalived-<name>`, /etc/balancer-<name> and the record of the balancer in /var/lib/ha-agent/records on each host";
    type Setup = Setup;
    type Site = Site;
    type More = ();
    type Observed = Observed;
    type Look = Look;

    fn hosts(model: &LoadBalancerModel) -> impl Iterator<Item = Placed<'_>> {
        nodes(model).map(|(key, it)| Placed { key, host: &it.host, address: &it.address })
    }

    fn name(model: &LoadBalancerModel) -> Value<String> {
        model.name.clone()
    }

    fn id(model: &mut LoadBalancerModel) -> &mut Value<String> {
        &mut model.id
    }

    fn drift(model: &LoadBalancerModel) -> &Value<Vec<String>> {
        &model.drift
    }

    fn with_recorded(from: &LoadBalancerModel, of: LoadBalancerModel) -> LoadBalancerModel {
        with_recorded(from, of)
    }

    fn ready(
        client: &Client,
        wanted: &LoadBalancerModel,
        prior: Option<&LoadBalancerModel>,
        private: &Kept,
        id: &str,
    ) -> Result<Ready<Setup, Site>, Gap> {
        let desired = known::<Self, _>(wish::desired(wanted))?;
        let all = [Some(wanted), prior].into_iter().flatten();
        let Laid { sites, targets, places } = Laid::out(
            client,
            &private.pins,
            &Path::root("nodes"),
            all.flat_map(nodes).map(|(key, it)| (key, &it.host, it)),
            |name| desired.nodes.contains_key(name),
            |seat, node| {
                let place = wish::place(seat.key, seat.host, node)?;
                let (name, host) = (seat.name.clone(), seat.way.name.clone());
                let site = Site::new(&desired, name, host, place, seat.way.root());
                site.map_err(|err| seat.unfit(err))
            },
        )?;
        // With another wish, nobody who was seen before runs it.
        let is_same = prior.is_none_or(|it| wish::applied(it) == wish::applied(wanted));
        let last = private.last.iter().map(|(key, it)| (key.clone(), *it && is_same));
        let is_new = prior.is_none() && wanted.id.known().is_none();
        let setup = Setup {
            own: Own::new(KIND, &wanted.name.or_default(), id, is_new, wish::applied(wanted)),
            is_known: !is_new,
            last: last.collect(),
            hosts: Arc::clone(&client.hosts),
            desired,
        };
        Ok(Ready { setup, sites, targets, places, more: () })
    }

    fn own(setup: &Setup) -> &Own {
        &setup.own
    }

    fn announced(
        private: &Kept,
        _: Option<&LoadBalancerModel>,
        _: &LoadBalancerModel,
    ) -> Announced {
        private.announced.clone()
    }

    async fn work(fleet: &mut Fleet, job: Job<'_, Self>) -> Result<Reached, Stopped> {
        let Job { setup, sites, leaves, patient, run, .. } = job;
        let leaves = leaves.is_some();
        // What others have there is nobody's business where a node has been before.
        if !leaves {
            let needed = async |key: String, host| needs(&host, &sites[&key], &setup).await;
            fleet.preflight(patient, needed).await?;
        }
        let mut world = Balancer::new(fleet, setup, sites, leaves);
        let converged = converge(&mut world, run).await;
        let mut warnings = Diagnostics::new();
        if !leaves {
            warnings.extend(world.without_backends().into_iter().map(no_backend));
            warnings.extend(converged.observed.iter().flat_map(silent));
            warnings.extend(shared(world.looks()));
        }
        Ok(Reached::ended((world.id(), world.looks()), converged, warnings))
    }

    fn tell(_: &Reached, state: &mut LoadBalancerModel) {
        complete(state);
    }

    fn kept(reached: &Reached, mut private: Kept, states: &[&LoadBalancerModel]) -> Kept {
        private.pins.take(&reached.places, &reached.shown);
        remember(&mut private, &reached.looks, &reached.places);
        let all = || states.iter().flat_map(|it| nodes(it));
        private.pins.retain(all().filter_map(|(_, it)| it.host.known()));
        private.last.retain(|key, _| all().any(|(name, _)| name == key));
        private
    }

    fn joined(
        state: &mut LoadBalancerModel,
        planned: &LoadBalancerModel,
        observed: Option<&Observed>,
    ) {
        if let Some(Observed { nodes, former, .. }) = observed {
            let name = |key: &String| key.parse::<Name>().ok();
            let serves = |key: &String| {
                let node = name(key).and_then(|it| nodes.get(&it));
                node.and_then(Node::seen).is_some_and(|it| it.is_ours() && it.serves())
            };
            let remains = |key: &String| {
                let node = name(key).and_then(|it| former.get(&it));
                node.is_some_and(|it| it.seen().is_none_or(Facts::is_ours))
            };
            join(&mut state.nodes, &planned.nodes, serves, remains);
        }
        complete(state);
    }

    fn found_on(stopped: &Stopped) -> Option<&str> {
        let Refusal::Foreign { name, .. } = stopped.refusal()? else { return None };
        Some(name.as_str())
    }

    fn restored(record: &Record, _: &Sought) -> Result<LoadBalancerModel, Diagnostics> {
        imported::restored(record)
    }
}

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
        private.last.insert(key.clone(), look.is_current());
    }
}

fn no_backend(key: &str) -> Diagnostic {
    let detail = format!("HAProxy on {key} serves, and the checks of all backends fail.");
    Diagnostic::warning("No backend of the balancer is healthy", detail)
        .hint("`ha_load_balancer` checks `health_check.path` with `health_check.ca_certificate`: see the log of its unit on that host.")
}

/// Two nodes have what only one is to have.
pub(super) fn shared(looks: &BTreeMap<String, Look>) -> Option<Diagnostic> {
    let holders: Vec<_> = looks.iter().filter(|it| it.1.holds()).map(|it| it.0).collect();
    (1 < holders.len()).then(|| {
        let detail = format!("{} have it at the same time.", List(&holders));
        Diagnostic::warning("The virtual IP is on more than one node", detail)
            .hint("They do not hear each other: let VRRP (protocol 112 of IP) through between their addresses. Then all but one give it up by themselves.")
    })
}

fn silent(observed: &Observed) -> impl Iterator<Item = Diagnostic> {
    let silent = observed.nodes.iter().filter(|(_, it)| matches!(it, Node::Unseen { .. }));
    silent.map(|(key, _)| {
        let detail = format!("{key} does not answer and is left as it is.");
        Diagnostic::warning("A node of the balancer does not answer", detail)
            .hint("Wait for it, or take it out of the map.")
    })
}

//! One run over the nodes of a balancer, and what is kept of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{LoadBalancerModel, complete, nodes};
use super::{Kept, wish};
use crate::actions::balancer::{Balancer, KIND, Look, Setup, Site, needs};
use crate::actions::{Own, former_key};
use crate::domain::balancer::{Node, Observed};
use crate::domain::name::{List, Name};
use crate::engine::{Announced, converge};
use crate::host::Target;
use crate::resources::fleet::{self, locked};
use crate::resources::host::target;
use crate::resources::pins::{Places, place_of};
use crate::resources::provider::{Client, Gap};
use crate::resources::run;
use crate::tfplugin::api::Context;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// Everything that a run needs.
pub(super) type Ready = fleet::Ready<Setup, Site>;

/// The end of a run.
pub(super) type Reached = fleet::Reached<Observed, Look>;

impl Reached {
    /// What is known of the nodes of these states, and of no others.
    pub(super) fn kept(&self, mut private: Kept, states: &[&LoadBalancerModel]) -> Kept {
        private.pins.take(&self.places, &self.shown);
        remember(&mut private, &self.looks, &self.places);
        let all = || states.iter().flat_map(|it| nodes(it));
        private.pins.retain(all().filter_map(|(_, it)| it.host.known()));
        private.last.retain(|key, _| all().any(|(name, _)| name == key));
        private
    }
}

pub(super) fn remember(private: &mut Kept, looks: &BTreeMap<String, Look>, places: &Places) {
    for (key, look) in looks {
        private.pins.meet(places, key, look.host_key());
        private.last.insert(key.clone(), look.is_current());
    }
}

/// From what is wanted and what was, if there was something.
pub(super) fn ready(
    client: &Client,
    wanted: &LoadBalancerModel,
    prior: Option<&LoadBalancerModel>,
    private: &Kept,
    id: &str,
) -> Result<Ready, Gap> {
    let unknown = || {
        let detail = "A value of the balancer is not known.";
        Gap::Fault(Diagnostic::error("The balancer cannot be worked on", detail))
    };
    let desired = wish::desired(wanted).ok_or_else(unknown)?;
    let desired =
        desired.map_err(|faults| faults.into_iter().next().map_or_else(unknown, Gap::Fault))?;
    let (mut sites, mut targets) = (BTreeMap::new(), BTreeMap::<String, Target>::new());
    let mut places = Places::new();
    for model in [Some(wanted), prior].into_iter().flatten() {
        for (key, node) in nodes(model) {
            let (Some(host), Ok(name)) = (node.host.known(), key.parse::<Name>()) else { continue };
            let at = Path::root("nodes").key(key).attribute("host");
            let way = target(host, key, &at, client, private.pins.of(host))?;
            // What leads to a host that is wanted needs no second way.
            if targets.values().any(|it| it.is_same_place(&way)) {
                continue;
            }
            let place = wish::place(key, host, node)?;
            let is_former = targets.contains_key(key) || !desired.nodes.contains_key(&name);
            let fleet_key = if is_former { former_key(&name) } else { key.clone() };
            let site = Site::new(&desired, name, way.name.clone(), place, way.root());
            let site = site.map_err(|err| {
                let fault = Diagnostic::error("The root of a host cannot be used", &err);
                Gap::Fault(fault.at(at.attribute("root")))
            })?;
            places.insert(fleet_key.clone(), place_of(host));
            sites.insert(fleet_key.clone(), site);
            targets.insert(fleet_key, way);
        }
    }
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
    Ok(Ready { setup, sites, targets, places })
}

pub(super) async fn go(
    client: &Client,
    ready: Ready,
    announced: Announced,
    patient: &BTreeSet<String>,
    leaves: bool,
    context: &Context,
) -> Reached {
    let Ready { setup, sites, targets, places } = ready;
    let run = run(context, announced);
    let mut fleet = match locked(client, targets, &setup.own, patient, &run).await {
        Ok(fleet) => fleet,
        Err(stopped) => return Reached::nothing(setup.own.id, stopped),
    };
    let shown = fleet.host_keys();
    // What others have there is nobody's business where a node has been before.
    if !leaves {
        let needed = async |key: String, host| needs(&host, &sites[&key], &setup).await;
        if let Err(stopped) = fleet.preflight(patient, needed).await {
            fleet.release().await;
            return Reached::nothing(setup.own.id, stopped);
        }
    }
    let mut world = Balancer::new(&mut fleet, setup, sites, leaves);
    let converged = converge(&mut world, &run).await;
    let (looks, id) = (world.looks().clone(), world.id().to_owned());
    let mut warnings = Diagnostics::new();
    if !leaves {
        warnings.extend(world.without_backends().into_iter().map(no_backend));
        warnings.extend(converged.observed.iter().flat_map(silent));
        warnings.extend(shared(&looks));
    }
    fleet.release().await;
    let (observed, stopped) = (converged.observed, converged.stopped);
    Reached { id, observed, stopped, looks, places, shown, warnings }
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

/// The nodes after a run that was stopped: those that serve are in, those that were to leave stay until they have.
pub(super) fn joined(
    state: &mut LoadBalancerModel,
    planned: &LoadBalancerModel,
    observed: Option<&Observed>,
) {
    let Some(Observed { nodes, former, .. }) = observed else { return };
    let serves = |key: &String| {
        let node = key.parse::<Name>().ok().and_then(|it| nodes.get(&it));
        node.and_then(Node::seen).is_some_and(|it| it.is_ours() && it.serves())
    };
    let remains = |key: &String| {
        let node = key.parse::<Name>().ok().and_then(|it| former.get(&it));
        node.is_some_and(|it| it.seen().is_none_or(crate::domain::balancer::Facts::is_ours))
    };
    let (mut now, planned) = (state.nodes.or_default(), planned.nodes.or_default());
    now.retain(|key, _| planned.contains_key(key) || remains(key));
    for (key, node) in planned {
        if !now.contains_key(&key) && serves(&key) {
            now.insert(key, node);
        }
    }
    state.nodes = Value::Known(now);
    complete(state);
}

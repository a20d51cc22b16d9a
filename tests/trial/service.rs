//! `trial_service`: the resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use terraform_provider_ha::engine::record::Claim;
use terraform_provider_ha::engine::{Announced, Fleet, Stopped, converge, steps_of};
use terraform_provider_ha::host::Target;
use terraform_provider_ha::model;
use terraform_provider_ha::resources::host::{HostModel, target};
use terraform_provider_ha::resources::hosts::{self, Placed};
use terraform_provider_ha::resources::provider::{Client, Gap, Ha};
use terraform_provider_ha::resources::{explain, run};
use terraform_provider_ha::tfplugin::api::{
    Applied, Context, Created, Deleted, Object, Planning, Read, Resource, Wanted,
};
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use terraform_provider_ha::tfplugin::model::{Nothing, Timeouts};
use terraform_provider_ha::tfplugin::path::Path;
use terraform_provider_ha::tfplugin::value::{Datum, Value};

use crate::actions::{KIND, Place, Trial, look_at_all, preflight};
use crate::domain::{self, Desired, Node, Observed, Seen, Sight};

model! {
    /// One program that says a line, on several hosts.
    pub struct ServiceModel {
        /// Given at create.
        id: Value<String> = computed(),
        /// Of the service.
        name: Value<String> = required().refuses_change(),
        /// What it says.
        message: Value<String> = required().changes_online(),
        /// Of the program.
        version: Value<String> = required().restarts("the service"),
        /// Where it runs.
        nodes: Value<BTreeMap<String, NodeModel>> = required().changes("nodes join and leave in place"),
        /// What an apply would mend.
        drift: Value<Vec<String>> = computed().planned_as(Datum::List(Vec::new())),
        /// How long each operation may take.
        timeouts: Value<Timeouts> = timeouts(120, 120, 30, 120),
    }
}

model! {
    /// A node of the service.
    pub struct NodeModel {
        /// The machine.
        host: Value<HostModel> = required(),
        /// Where it listens.
        address: Value<String> = optional(),
        /// The port that it listens on.
        port: Value<u16> = optional().default(7070),
    }
}

/// What stands beside the state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    announced: Announced,
    /// The keys that hosts have shown, where none was given.
    pins: BTreeMap<String, String>,
}

/// The resource, with the program that it installs.
pub(crate) struct Service {
    pub(crate) program: Arc<Vec<u8>>,
}

impl Resource for Service {
    const NAME: &'static str = "trial_service";
    type Provider = Ha;
    type Model = ServiceModel;
    type Identity = Nothing;
    type Private = Kept;

    fn validate(&self, config: &ServiceModel) -> Diagnostics {
        hosts::check(&Path::root("nodes"), &placed(config))
    }

    async fn plan(&self, client: &Client, change: &mut Planning<Self>, _: &Context) -> Diagnostics {
        let found =
            hosts::check_connections(&Path::root("nodes"), &placed(&change.planned), client);
        if let Some(steps) = forecast(change.prior.as_ref().map(|it| &it.state), &change.planned) {
            change.private.announced = Announced::by(&steps);
            change.steps = steps.iter().map(ToString::to_string).collect();
        }
        found
    }

    async fn create(
        &self,
        client: &Client,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Created<Self> {
        let id = format!("trial-{}", known(&wanted.planned.name));
        let reached = self.reach(client, None, &wanted, &id, context).await;
        match reached {
            Ok(Reached { stopped: None, pins, .. }) => {
                let state = ServiceModel { id: Value::Known(id), ..wanted.planned };
                let private = Kept { pins, ..wanted.private };
                Created::Made(Applied { state, private, diags: Diagnostics::new() })
            }
            Ok(Reached { stopped: Some(stopped), .. }) => {
                let saved = "Nothing is in the state; what was done is noted on the hosts, and an apply goes on from there.";
                Created::Nothing(explain("The service was not created", &stopped, saved).into())
            }
            Err(diags) => Created::Nothing(diags),
        }
    }

    async fn read(&self, client: &Client, object: Object<Self>, _: &Context) -> Read<Self> {
        let Object { mut state, private, .. } = object;
        let present = |state, private, diags| Read::Present(Applied { state, private, diags });
        let (targets, places) = match everything(client, &[&state], &private.pins) {
            Ok(all) => all,
            Err(Gap::Unknown(unknown)) => return present(state, private, unknown.warning().into()),
            Err(Gap::Fault(fault)) => return Read::Failed(fault.into()),
        };
        let name = known(&state.name);
        let claim =
            Claim { kind: KIND.to_owned(), name, id: state.id.known().cloned(), given: None };
        let fleet = Fleet::new(Arc::clone(&client.hosts), targets, &lock(&claim.name));
        let observed = look_at_all(&fleet, &places, &claim, &self.program).await;
        let drift = domain::drift(&desired(&state, &places), &observed);
        state.drift = Value::Known(drift);
        let unseen = observed.nodes.iter().filter_map(|(key, sight)| match sight {
            Sight::Unseen(why) => {
                let detail = format!("{why}. What is known of it stays as it is.");
                Some(Diagnostic::warning(format!("{key} cannot be looked at"), detail))
            }
            Sight::Seen(_) => None,
        });
        present(state, private, unseen.collect())
    }

    async fn update(
        &self,
        client: &Client,
        prior: Object<Self>,
        wanted: Wanted<Self>,
        context: &Context,
    ) -> Applied<Self> {
        let id = prior.state.id.known().cloned().unwrap_or_default();
        let reached = self.reach(client, Some(&prior.state), &wanted, &id, context).await;
        let before = |diags| Applied::<Self> {
            state: prior.state.clone(),
            private: prior.private.clone(),
            diags,
        };
        match reached {
            Ok(Reached { stopped: None, pins, .. }) => Applied {
                state: ServiceModel { id: Value::Known(id), ..wanted.planned },
                private: Kept { pins, ..wanted.private },
                diags: Diagnostics::new(),
            },
            // Nodes that joined are in, those that were to leave stay until they have.
            Ok(Reached { stopped: Some(stopped), observed, .. }) => {
                let saved = "What was reached is in the state.";
                let mut applied =
                    before(explain("The service is not as planned", &stopped, saved).into());
                applied.state.nodes = joined(&prior.state, &wanted.planned, observed.as_ref());
                applied
            }
            Err(diags) => before(diags),
        }
    }

    async fn delete(
        &self,
        client: &Client,
        object: Object<Self>,
        context: &Context,
    ) -> Deleted<Self> {
        let nothing = ServiceModel { nodes: Value::Known(BTreeMap::new()), ..object.state.clone() };
        let mut announced = Announced::default();
        let keys: Vec<_> = object.state.nodes.known().into_iter().flatten().collect();
        announced.add(
            terraform_provider_ha::domain::Kind::Remove,
            keys.iter().map(|(key, _)| key.as_str()),
        );
        let wanted = Wanted {
            planned: nothing.clone(),
            config: nothing,
            private: Kept { announced, ..object.private.clone() },
        };
        let id = known(&object.state.id);
        let reached = self.reach(client, Some(&object.state), &wanted, &id, context).await;
        let diags: Diagnostics = match reached {
            Ok(Reached { stopped: None, .. }) => return Deleted::Gone(Diagnostics::new()),
            Ok(Reached { stopped: Some(stopped), .. }) => {
                let saved = "The state keeps it; destroy again.";
                explain("The service was not destroyed", &stopped, saved).into()
            }
            Err(diags) => diags,
        };
        Deleted::Remains(Applied { state: object.state, private: object.private, diags })
    }
}

/// The end of a run.
struct Reached {
    observed: Option<Observed>,
    stopped: Option<Stopped>,
    pins: BTreeMap<String, String>,
}

impl Service {
    async fn reach(
        &self,
        client: &Client,
        prior: Option<&ServiceModel>,
        wanted: &Wanted<Self>,
        id: &str,
        context: &Context,
    ) -> Result<Reached, Diagnostics> {
        let states: Vec<_> = [Some(&wanted.planned), prior].into_iter().flatten().collect();
        let all = everything(client, &states, &wanted.private.pins);
        let (targets, places) = all.map_err(|gap| Diagnostics::from(gap.into_error()))?;
        let name = known(&wanted.planned.name);
        let claim = Claim {
            kind: KIND.to_owned(),
            name,
            id: prior.map(|_| id.to_owned()),
            given: Some(id.to_owned()),
        };
        // A host that was there before is not waited for: it may have died, and others may be mended without it.
        let old: BTreeSet<_> = prior.into_iter().flat_map(keys).collect();
        let new: BTreeSet<_> = keys(&wanted.planned).difference(&old).cloned().collect();
        let patience = targets.values().map(Target::boot_wait).max().unwrap_or_default();
        let run = run(context, wanted.private.announced.clone());
        let by = run.by.min(tokio::time::Instant::now() + patience);
        let mut fleet = Fleet::new(Arc::clone(&client.hosts), targets, &lock(&claim.name));
        if let Err(stopped) = fleet.lock(&new, by).await {
            return Ok(Reached { observed: None, stopped: Some(stopped), pins: BTreeMap::new() });
        }
        let wanted_keys = keys(&wanted.planned);
        let fit = preflight(&mut fleet, &wanted_keys, &places, &claim, &self.program).await;
        if let Err(stopped) = fit {
            fleet.release().await;
            return Ok(Reached { observed: None, stopped: Some(stopped), pins: BTreeMap::new() });
        }
        let pins = fleet.host_keys();
        let mut world = Trial {
            desired: desired(&wanted.planned, &places),
            fleet: &mut fleet,
            places,
            claim,
            id: id.to_owned(),
            program: self.program.as_ref().clone(),
        };
        let converged = converge(&mut world, &run).await;
        fleet.release().await;
        Ok(Reached { observed: converged.observed, stopped: converged.stopped, pins })
    }
}

fn lock(name: &str) -> String {
    format!("{KIND}-{name}")
}

fn known<T: Clone + Default>(value: &Value<T>) -> T {
    value.known().cloned().unwrap_or_default()
}

fn keys(model: &ServiceModel) -> BTreeSet<String> {
    model.nodes.known().into_iter().flat_map(BTreeMap::keys).cloned().collect()
}

fn placed(model: &ServiceModel) -> Vec<Placed<'_>> {
    let nodes = model.nodes.known().into_iter().flatten();
    nodes.map(|(key, it)| Placed { key, host: &it.host, address: &it.address }).collect()
}

type Everything = (BTreeMap<String, Target>, BTreeMap<String, Place>);

/// Every host of these, each as the first of them has it.
fn everything(
    client: &Client,
    models: &[&ServiceModel],
    pins: &BTreeMap<String, String>,
) -> Result<Everything, Gap> {
    let (mut targets, mut places) = Everything::default();
    for model in models {
        for (key, node) in model.nodes.known().into_iter().flatten() {
            if targets.contains_key(key) {
                continue;
            }
            let at = Path::root("nodes").key(key);
            let Some(host) = node.host.known() else { continue };
            let pin = pins.get(key).map(String::as_str);
            let reached = target(host, key, &at.attribute("host"), client, pin)?;
            let address = hosts::cluster_address(host, &node.address, &at)?;
            let port = node.port.known().copied().unwrap_or_default();
            let place = Place {
                // Of the first: it is what is wanted.
                name: known(&models[0].name),
                root: reached.root().to_owned(),
                address: std::net::SocketAddr::new(address, port).to_string(),
                version: known(&models[0].version),
                message: known(&models[0].message),
            };
            targets.insert(key.clone(), reached);
            places.insert(key.clone(), place);
        }
    }
    Ok((targets, places))
}

fn desired(model: &ServiceModel, places: &BTreeMap<String, Place>) -> Desired {
    let node = |key: String| Some((key.clone(), Node { line: places.get(&key)?.line() }));
    Desired { name: known(&model.name), nodes: keys(model).into_iter().filter_map(node).collect() }
}

/// What an apply would do, from the configuration and the state alone. None while something is not known.
fn forecast(prior: Option<&ServiceModel>, planned: &ServiceModel) -> Option<Vec<domain::Step>> {
    let line = |it: &ServiceModel| Some(format!("{} {}", it.version.known()?, it.message.known()?));
    planned.nodes.known()?;
    let wanted = line(planned)?;
    let node = |key: &String| (key.clone(), Node { line: wanted.clone() });
    let desired =
        Desired { name: known(&planned.name), nodes: keys(planned).iter().map(node).collect() };
    let mut observed = Observed::default();
    for key in keys(planned) {
        observed.nodes.insert(key, Sight::Seen(Seen::default()));
    }
    if let Some(prior) = prior {
        let is_same = prior.version == planned.version;
        let changed = |what: &str, is: bool| is.then(|| what.to_owned());
        let differing = [
            changed("the unit", !is_same),
            changed("the message", prior.message != planned.message),
        ];
        for key in keys(prior) {
            let seen = Seen {
                owner: domain::ours(),
                is_installed: is_same,
                differing: differing.iter().flatten().cloned().collect(),
                is_running: true,
                has_traces: true,
                said: Some(wanted.clone()),
                ..Seen::default()
            };
            observed.nodes.insert(key, Sight::Seen(seen));
        }
    }
    let apply = |it: &mut Observed, step: &domain::Step| domain::foresee(&desired, it, step);
    Some(steps_of(observed, |it| domain::next(&desired, it), apply).steps)
}

/// The nodes after a run that was stopped.
fn joined(
    prior: &ServiceModel,
    planned: &ServiceModel,
    observed: Option<&Observed>,
) -> Value<BTreeMap<String, NodeModel>> {
    let (mut nodes, planned) = (known(&prior.nodes), known(&planned.nodes));
    let seen = observed.map(|it| &it.nodes);
    let of = |key: &String| match seen?.get(key)? {
        Sight::Seen(it) => Some(it),
        Sight::Unseen(_) => None,
    };
    nodes.retain(|key, _| planned.contains_key(key) || of(key).is_none_or(|it| it.has_traces));
    let has_joined = |key: &String| of(key).is_some_and(|it| it.is_running);
    nodes.extend(planned.into_iter().filter(|(key, _)| has_joined(key)));
    Value::Known(nodes)
}

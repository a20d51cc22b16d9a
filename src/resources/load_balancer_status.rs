//! `ha_load_balancer_status`: how a balancer is at this moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::host::{known, target};
use super::load_balancer::BalancerAccessModel;
use super::provider::{Client, Gap, Ha};
use crate::actions::balancer::{KIND, Report, status};
use crate::domain::name::ClusterName;
use crate::engine::Fleet;
use crate::model;
use crate::tfplugin::api::{self, Context, DataSource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// How a balancer is at this moment, as its nodes say.
    ///
    /// A node that does not answer has `reachable = false` and a warning that says why; it never fails a plan. Nothing is
    /// changed on the hosts, and no lock is taken. The answers change by themselves: what is made of them may differ
    /// from plan to plan.
    pub(crate) struct LoadBalancerStatusModel {
        /// The balancer: `access` of an `ha_load_balancer`.
        load_balancer: Value<BalancerAccessModel> = required(),
        /// Name of the node that has the virtual IP; null if none is known to, or there is none.
        virtual_ip_holder: Value<String> = computed(),
        /// The nodes of `load_balancer.hosts`, by name.
        nodes: Value<BTreeMap<String, BalancerNodeStatusModel>> = computed(),
        /// Backends by name, as the node that has the virtual IP sees them; without one, any node that serves.
        backends: Value<BTreeMap<String, BackendStatusModel>> = computed(),
    }
}

model! {
    /// How a node is.
    pub(crate) struct BalancerNodeStatusModel {
        /// Whether its host answers.
        reachable: Value<bool> = computed(),
        /// Whether its proxy answers.
        serving: Value<bool> = computed(),
    }
}

model! {
    /// How a backend is.
    pub(crate) struct BackendStatusModel {
        /// In the words of HAProxy: `UP`, `DOWN`, `DRAIN`, `MAINT`, or `UP 1/2` while it is in doubt.
        state: Value<String> = computed(),
        /// What came of the last check, in the words of HAProxy: `L7OK`, `L4TOUT`; null if there was none.
        last_check: Value<String> = computed(),
    }
}

/// The data source.
pub(super) struct LoadBalancerStatus;

impl DataSource for LoadBalancerStatus {
    const NAME: &'static str = "ha_load_balancer_status";
    type Provider = Ha;
    type Model = LoadBalancerStatusModel;

    async fn read(
        &self,
        client: &Client,
        mut model: LoadBalancerStatusModel,
        context: &Context,
    ) -> Result<api::Answer<LoadBalancerStatusModel>, Diagnostics> {
        let (name, id, fleet) = match open(&model.load_balancer, client) {
            Ok(opened) => opened,
            Err(Gap::Unknown(unknown)) => {
                tell(&mut model, Report::default());
                let detail = format!("{unknown} is known only after apply.");
                let warning = Diagnostic::warning("The nodes cannot be asked yet", detail);
                return Ok(api::Answer { value: model, diags: warning.into() });
            }
            Err(Gap::Fault(fault)) => return Err(fault.into()),
        };
        // A look that takes its whole time is an error, and this one never fails.
        let limit = context.remaining() * 9 / 10;
        let report = status(&fleet, &name, &id, limit).await;
        let silent = report.nodes.iter().filter_map(|(key, it)| {
            let summary = format!("{key} does not answer");
            Some(Diagnostic::warning(summary, format!("{}.", it.trouble.as_ref()?)))
        });
        let diags = silent.collect();
        tell(&mut model, report);
        Ok(api::Answer { value: model, diags })
    }
}

/// What the object means, and the hosts that it names. Nothing is contacted.
fn open(
    model: &Value<BalancerAccessModel>,
    client: &Client,
) -> Result<(ClusterName, String, Fleet), Gap> {
    let at = Path::root("load_balancer");
    let wrong = |name: &str, detail: &str| {
        let fault = Diagnostic::error("This is no `access` of a balancer", detail);
        let fault = fault.at(Path::root("load_balancer").attribute(name));
        Gap::Fault(fault.hint("Hand over `access` of an `ha_load_balancer` as it is."))
    };
    let model = model.known().ok_or_else(|| wrong("name", "It is not there."))?;
    let name = known(&model.name, &at, "name")?.and_then(|it| it.parse().ok());
    let name: ClusterName = name.ok_or_else(|| wrong("name", "It has no name."))?;
    let id = known(&model.id, &at, "id")?.cloned().unwrap_or_default();
    let mut targets = BTreeMap::new();
    for (key, host) in known(&model.hosts, &at, "hosts")?.into_iter().flatten() {
        let at = at.attribute("hosts").key(key).attribute("host");
        let way = host.host.known().ok_or_else(|| wrong("hosts", "A host of it is not there."))?;
        targets.insert(key.clone(), target(way, key, &at, client, None)?);
    }
    let fleet = Fleet::new(Arc::clone(&client.hosts), targets, &format!("{KIND}-{name}"));
    Ok((name, id, fleet))
}

fn tell(model: &mut LoadBalancerStatusModel, report: Report) {
    model.virtual_ip_holder = report.holder.into();
    let nodes = report.nodes.into_iter().map(|(key, it)| {
        let (reachable, serving) = (it.is_reachable.into(), it.serves.into());
        (key, BalancerNodeStatusModel { reachable, serving })
    });
    model.nodes = Value::Known(nodes.collect());
    let backends = report.backends.into_iter().map(|(key, it)| {
        let last_check = Some(it.last_check).filter(|it| !it.is_empty()).into();
        (key, BackendStatusModel { state: it.state.into(), last_check })
    });
    model.backends = Value::Known(backends.collect());
}

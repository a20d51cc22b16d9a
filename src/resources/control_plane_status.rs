//! `ha_control_plane_status`: how a control plane is at this moment.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::control_plane_access::{ControlPlaneAccessModel, open};
use super::moment::timestamp;
use super::provider::{Client, Gap, Ha};
use crate::actions::kubernetes::{NodeReport, Report, status};
use crate::model;
use crate::tfplugin::api::{self, Context, DataSource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// How a control plane is at this moment, as its API servers say.
    ///
    /// A node that does not answer has `reachable = false` and a warning that says why; it never fails a plan. Nothing is
    /// changed on the hosts, and no lock is taken. The answers change by themselves: what is made of them may differ
    /// from plan to plan.
    pub(crate) struct ControlPlaneStatusModel {
        /// The control plane: `access` of an `ha_control_plane`.
        control_plane: Value<ControlPlaneAccessModel> = required(),
        /// Whether every API server is ready, and both leases are held.
        ready: Value<bool> = computed(),
        /// The nodes of `control_plane.hosts`, by name.
        nodes: Value<BTreeMap<String, ControlPlaneNodeStatusModel>> = computed(),
        /// Who leads the controller managers: name of a host, `_` and an id; null if nobody does.
        controller_manager_leader: Value<String> = computed(),
        /// Who leads the schedulers, in the same way.
        scheduler_leader: Value<String> = computed(),
    }
}

model! {
    /// How a node is. What is not known is null.
    pub(crate) struct ControlPlaneNodeStatusModel {
        /// Whether its host answers.
        reachable: Value<bool> = computed(),
        /// Whether its API server says that it is ready.
        ready: Value<bool> = computed(),
        /// Version of its API server.
        version: Value<String> = computed(),
        /// When the first of its certificates expires, like `2027-02-03T04:05:06Z`.
        certificate_expires: Value<String> = computed(),
    }
}

/// The data source.
pub(super) struct ControlPlaneStatus;

impl DataSource for ControlPlaneStatus {
    const NAME: &'static str = "ha_control_plane_status";
    type Provider = Ha;
    type Model = ControlPlaneStatusModel;

    async fn read(
        &self,
        client: &Client,
        mut model: ControlPlaneStatusModel,
        context: &Context,
    ) -> Result<api::Answer<ControlPlaneStatusModel>, Diagnostics> {
        // A look that takes its whole time is an error, and this one never fails.
        let by = Instant::from_std(context.deadline()) - context.remaining() / 10;
        let report = match open(&model.control_plane, &Path::root("control_plane"), client) {
            Ok((access, fleet)) => status(&fleet, &access, by).await,
            Err(Gap::Unknown(unknown)) => {
                let report = unseen(&model.control_plane);
                tell(&mut model, report);
                let detail = format!("{unknown} is known only after apply.");
                let warning = Diagnostic::warning("The nodes cannot be asked yet", detail);
                return Ok(api::Answer { value: model, diags: warning.into() });
            }
            Err(Gap::Fault(fault)) => return Err(fault.into()),
        };
        let silent = report.nodes.iter().filter_map(|(key, it)| {
            let summary = format!("{key} does not answer, or not completely");
            Some(Diagnostic::warning(summary, format!("{}.", it.trouble.as_ref()?)))
        });
        let diags = silent.collect();
        tell(&mut model, report);
        Ok(api::Answer { value: model, diags })
    }
}

/// Of which nothing is known but its nodes.
fn unseen(control_plane: &Value<ControlPlaneAccessModel>) -> Report {
    let hosts = control_plane.known().and_then(|it| it.hosts.known());
    let keys = hosts.into_iter().flat_map(BTreeMap::keys);
    let nodes = keys.map(|key| (key.clone(), NodeReport::default())).collect();
    Report { nodes, ..Report::default() }
}

fn tell(model: &mut ControlPlaneStatusModel, report: Report) {
    let Report { is_ready, nodes, controller_manager, scheduler } = report;
    model.ready = Value::Known(is_ready);
    model.controller_manager_leader = controller_manager.into();
    model.scheduler_leader = scheduler.into();
    let nodes = nodes.into_iter().map(|(key, it)| (key, node(it)));
    model.nodes = Value::Known(nodes.collect());
}

fn node(it: NodeReport) -> ControlPlaneNodeStatusModel {
    let NodeReport { is_reachable, is_ready, version, expires, .. } = it;
    ControlPlaneNodeStatusModel {
        reachable: Value::Known(is_reachable),
        ready: Value::Known(is_ready.unwrap_or_default()),
        version: version.into(),
        certificate_expires: expires.map(timestamp).into(),
    }
}

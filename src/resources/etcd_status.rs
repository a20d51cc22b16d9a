//! `ha_etcd_status`: how a cluster of etcd is at this moment.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::etcd_access::{EtcdAccessModel, open};
use super::moment::timestamp;
use super::provider::{Client, Gap, Ha};
use crate::actions::etcd::{MemberReport, Report, status};
use crate::model;
use crate::tfplugin::api::{self, Context, DataSource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// How a cluster of etcd is at this moment, as its members say.
    ///
    /// A member that does not answer has `reachable = false` and a warning that says why; it never fails a plan.
    /// Nothing is changed on the hosts, and no lock is taken. The answers change by themselves: what is made of them
    /// may differ from plan to plan.
    pub(crate) struct EtcdStatusModel {
        /// The cluster: `access` of an `ha_etcd_cluster`.
        cluster: Value<EtcdAccessModel> = required(),
        /// Whether every member votes and serves, one of them leads, and there is no alarm.
        healthy: Value<bool> = computed(),
        /// Whether the cluster can write: a member has read with the consent of a quorum.
        quorum: Value<bool> = computed(),
        /// Name of the member that leads; null if none is known to.
        leader: Value<String> = computed(),
        /// Revision of the data, the newest that a member knows; null if none answers.
        revision: Value<u64> = computed(),
        /// Alarms, each with the member that it is about: `b: NOSPACE`.
        alarms: Value<Vec<String>> = computed(),
        /// The members of `cluster.hosts`, by name.
        members: Value<BTreeMap<String, EtcdMemberStatusModel>> = computed(),
    }
}

model! {
    /// How a member is. What is not known is null.
    pub(crate) struct EtcdMemberStatusModel {
        /// Id that etcd gave to it, in hexadecimal digits.
        id: Value<String> = computed(),
        /// Whether it has no vote yet.
        learner: Value<bool> = computed(),
        /// Whether it answers, asked through its host.
        reachable: Value<bool> = computed(),
        /// Version that runs.
        version: Value<String> = computed(),
        /// Size of its data, in bytes.
        db_size: Value<u64> = computed(),
        /// When the first of its certificates expires, like `2027-02-03T04:05:06Z`.
        certificate_expires: Value<String> = computed(),
    }
}

/// The data source.
pub(super) struct EtcdStatus;

impl DataSource for EtcdStatus {
    const NAME: &'static str = "ha_etcd_status";
    type Provider = Ha;
    type Model = EtcdStatusModel;

    async fn read(
        &self,
        client: &Client,
        mut model: EtcdStatusModel,
        context: &Context,
    ) -> Result<api::Answer<EtcdStatusModel>, Diagnostics> {
        // A look that takes its whole time is an error, and this one never fails.
        let by = Instant::from_std(context.deadline()) - context.remaining() / 10;
        let report = match open(&model.cluster, &Path::root("cluster"), client) {
            Ok((access, fleet)) => status(&fleet, &access, by).await,
            Err(Gap::Unknown(unknown)) => {
                let report = unseen(&model.cluster);
                tell(&mut model, report);
                let detail = format!("{unknown} is known only after apply.");
                let warning = Diagnostic::warning("The members cannot be asked yet", detail);
                return Ok(api::Answer { value: model, diags: warning.into() });
            }
            Err(Gap::Fault(fault)) => return Err(fault.into()),
        };
        let silent = report.members.iter().filter_map(|(key, it)| {
            let summary = format!("{key} does not answer, or not completely");
            Some(Diagnostic::warning(summary, format!("{}.", it.trouble.as_ref()?)))
        });
        let diags = silent.collect();
        tell(&mut model, report);
        Ok(api::Answer { value: model, diags })
    }
}

/// Of which nothing is known but its members.
fn unseen(cluster: &Value<EtcdAccessModel>) -> Report {
    let hosts = cluster.known().and_then(|it| it.hosts.known());
    let keys = hosts.into_iter().flat_map(BTreeMap::keys);
    let members = keys.map(|key| (key.clone(), MemberReport::default())).collect();
    Report { members, ..Report::default() }
}

fn tell(model: &mut EtcdStatusModel, report: Report) {
    let Report { is_healthy, has_quorum, leader, revision, alarms, members } = report;
    model.healthy = Value::Known(is_healthy);
    model.quorum = Value::Known(has_quorum);
    model.leader = leader.into();
    model.revision = revision.into();
    model.alarms = Value::Known(alarms);
    let members = members.into_iter().map(|(key, it)| (key, member(it)));
    model.members = Value::Known(members.collect());
}

fn member(it: MemberReport) -> EtcdMemberStatusModel {
    let MemberReport { id, is_learner, told, expires, .. } = it;
    EtcdMemberStatusModel {
        id: id.map(|it| it.to_string()).into(),
        learner: is_learner.into(),
        reachable: Value::Known(told.is_some()),
        version: told.as_ref().map(|it| it.version.clone()).into(),
        db_size: told.as_ref().map(|it| it.db_size).into(),
        certificate_expires: expires.map(timestamp).into(),
    }
}

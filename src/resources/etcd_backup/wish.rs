//! From what is written to what it means.

use serde_json::{Map, Value as Json, json};

use super::model::{EtcdBackupModel, RetentionModel, hosts};
use crate::actions::Own;
use crate::actions::backup::{KIND, Setup, Where};
use crate::domain::backup::hosts::{Leave, Refusal};
use crate::domain::backup::{Compression, Retention, Schedule, ScheduleFault};
use crate::domain::name::OnDestroy;
use crate::resources::host::known;
use crate::resources::provider::{Client, Gap};
use crate::resources::recorded;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// When snapshots are due. None while it is not known.
pub(super) fn schedule(model: &EtcdBackupModel) -> Option<Result<Schedule, ScheduleFault>> {
    let zone = model.time_zone.known().map_or("UTC", String::as_str);
    if model.time_zone.is_unknown() {
        return None;
    }
    Some(Schedule::new(model.schedule.known()?, zone))
}

/// Everything that is wrong by itself, as far as it is known.
pub(super) fn check(model: &EtcdBackupModel) -> Diagnostics {
    let mut found = Diagnostics::new();
    if let Some(Err(fault)) = schedule(model) {
        let name = if matches!(fault, ScheduleFault::Zone(_)) { "time_zone" } else { "schedule" };
        let summary = "No snapshot would ever be taken";
        found.push(Diagnostic::error(summary, &fault).at(Path::root(name)));
    }
    match (&model.store, &model.directory) {
        (Value::Null, Value::Null) => {
            let detail = "Neither `store` nor `directory` is set.";
            let fault = Diagnostic::error("Snapshots have nowhere to go", detail);
            found.push(fault.hint("Set one of them."));
        }
        (Value::Known(_), Value::Known(_)) => {
            let detail = "`store` and `directory` are both set.";
            let fault = Diagnostic::error("Snapshots have two places to go", detail);
            let hint = "Set one of them, and make another backup for the other.";
            found.push(fault.at(Path::root("directory")).hint(hint));
        }
        _ => {}
    }
    if let Value::Known(it) = &model.retention {
        let all = [&it.last, &it.hourly, &it.daily, &it.weekly, &it.monthly];
        let is_open = all.iter().any(|it| it.is_unknown());
        if !is_open && retention(it).is_empty() {
            let detail = "Each of its numbers is left out or 0.";
            let fault = Diagnostic::error("No snapshot is wished to stay", detail);
            let hint = "Set at least one, such as `retention = { last = 7 }`.";
            found.push(fault.at(Path::root("retention")).hint(hint));
        }
    }
    found
}

fn retention(model: &RetentionModel) -> Retention {
    let number = |it: &Value<i64>| it.known().and_then(|it| u32::try_from(*it).ok());
    let [last, hourly, daily, weekly, monthly] =
        [&model.last, &model.hourly, &model.daily, &model.weekly, &model.monthly]
            .map(|it| number(it).unwrap_or_default());
    Retention { last, hourly, daily, weekly, monthly }
}

/// What the actions are to know.
pub(super) fn setup(
    model: &EtcdBackupModel,
    client: &Client,
    id: &str,
    (is_new, needs_snapshot): (bool, bool),
) -> Result<Setup, Gap> {
    let missing = |name: &str| {
        let detail = "It is not there, or cannot be used.";
        let fault = Diagnostic::error("The backup cannot be worked on", detail);
        Gap::Fault(fault.at(Path::root(name)))
    };
    let text = |value: &Value<String>, name: &str| {
        known(value, &Path::default(), name)?.cloned().ok_or_else(|| missing(name))
    };
    let (name, schedule) = (text(&model.name, "name")?, text(&model.schedule, "schedule")?);
    let cluster = model.cluster.known().ok_or_else(|| missing("cluster"))?;
    let at = Path::root("cluster");
    let called = known(&cluster.name, &at, "name")?.ok_or_else(|| missing("cluster"))?;
    let cluster_id = known(&cluster.id, &at, "id")?.ok_or_else(|| missing("cluster"))?;
    let zone = text(&model.time_zone, "time_zone")?;
    let into = match known(&model.store, &Path::default(), "store")? {
        Some(store) => Where::Store(client.object_store(store, &Path::root("store"))?),
        None => Where::Directory(text(&model.directory, "directory")?),
    };
    let title = Setup::called(called, &name);
    Ok(Setup {
        name: name.parse().map_err(|_| missing("name"))?,
        cluster: called.parse().map_err(|_| missing("cluster"))?,
        cluster_id: cluster_id.clone(),
        schedule: (schedule, zone),
        into,
        compression: match model.compression.known().map(String::as_str) {
            Some("none") => Compression::None,
            _ => Compression::Zstd,
        },
        retention: model.retention.known().map(retention).unwrap_or_default(),
        own: Own::new(KIND, &title, id, is_new, applied(model)),
        is_known: !is_new,
        needs_snapshot,
        hosts: std::sync::Arc::clone(&client.hosts),
    })
}

/// What becomes of snapshots when the backup ends.
pub(super) fn leave(model: &EtcdBackupModel) -> Leave {
    let purges = model.on_destroy.known().is_some_and(|it| it == "purge");
    Leave(if purges { OnDestroy::Purge } else { OnDestroy::Keep })
}

/// A refusal as an error.
pub(super) fn explain(refusal: &Refusal) -> Diagnostic {
    Diagnostic::error("The backup cannot be as it is wished", refusal).at(Path::root("cluster"))
}

/// The configuration for the record on the hosts. It has no secret.
pub(super) fn applied(model: &EtcdBackupModel) -> Map<String, Json> {
    let cluster = model.cluster.known().cloned().unwrap_or_default();
    let host = |(key, it): (&String, &crate::resources::etcd_access::EtcdAccessHostModel)| {
        let host = json!({"host": recorded::host(&it.host), "address": it.address.known()});
        (key.clone(), host)
    };
    let endpoints = cluster
        .endpoints
        .known()
        .map(|all| all.iter().map(|it| it.known().cloned()).collect::<Vec<_>>());
    let retention = model.retention.known().cloned().unwrap_or_default();
    recorded::object(json!({
        "cluster": {
            "id": cluster.id.known(), "name": cluster.name.known(), "endpoints": endpoints,
            "ca_certificate": cluster.ca_certificate.known(),
            "hosts": hosts(model).map(host).collect::<Map<_, _>>(),
            "generation": cluster.generation.known(),
        },
        "schedule": model.schedule.known(),
        "time_zone": model.time_zone.known(),
        "store": model.store.known(),
        "directory": model.directory.known(),
        "retention": {
            "last": retention.last.known(), "hourly": retention.hourly.known(),
            "daily": retention.daily.known(), "weekly": retention.weekly.known(),
            "monthly": retention.monthly.known(),
        },
        "compression": model.compression.known(),
        "triggers": model.triggers.known(),
        "on_destroy": model.on_destroy.known(),
        "timeouts": recorded::timeouts(&model.timeouts),
    }))
}

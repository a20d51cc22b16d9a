//! From what is written to what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::filled::filled;
use super::model::{EtcdClusterModel, members, name};
use super::restore::RestoreModel;
use crate::domain::etcd::{
    Arguments, Desired, Environment, OnDestroy, Place, Ports, Refusal, Subject, Timing, Wish,
};
use crate::resources::certificates;
use crate::resources::host::HostModel;
use crate::resources::hosts::cluster_address;
use crate::resources::provider::Gap;
use crate::resources::recorded::{self, duration};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// What is wished. None while a part of it is not known, and nothing is wrong with the others.
pub(super) fn desired(model: &EtcdClusterModel) -> Option<Result<Desired, Diagnostics>> {
    let (filled, is_whole) = filled(model);
    let mut read = read(&filled)?;
    let faults = certificates::faults(&model.certificates);
    if !faults.is_empty() {
        let mut all = read.err().unwrap_or_default();
        all.extend(faults);
        read = Err(all);
    }
    (is_whole || read.is_err()).then_some(read)
}

/// None: a text is malformed, which the schema tells.
fn read(model: &EtcdClusterModel) -> Option<Result<Desired, Diagnostics>> {
    let mut faults = Diagnostics::new();
    let mut places = BTreeMap::new();
    for (key, member) in members(model) {
        match place(key, member.host.known()?, &member.address) {
            Ok(place) => match name(key) {
                Some(name) => drop(places.insert(name, place)),
                None => faults.push(no_name(key)),
            },
            Err(Gap::Fault(fault)) => faults.push(fault),
            Err(Gap::Unknown(_)) => return None,
        }
    }
    let mut refused = |refusal: Refusal| faults.push(explain(&refusal));
    let timing = Timing::new(*model.heartbeat_interval.known()?, *model.election_timeout.known()?);
    let timing = timing.unwrap_or_else(|fault| {
        refused(Refusal::Timing(fault));
        Timing::default()
    });
    let arguments = Arguments::new(model.extra_args.known()?.clone());
    let arguments = arguments.unwrap_or_else(|found| {
        for (at, fault) in found {
            refused(Refusal::Argument { subject: Subject::ExtraArgs(at), fault });
        }
        Arguments::default()
    });
    let environment = Environment::new(model.environment.known()?.clone());
    let environment = environment.unwrap_or_else(|found| {
        for (key, fault) in found {
            refused(Refusal::Argument { subject: Subject::Environment(key), fault });
        }
        Environment::default()
    });
    let data_dir = match &model.data_dir {
        Value::Unknown => return None,
        Value::Known(text) => text.clone(),
        Value::Null => format!("/var/lib/etcd/{}", model.name.known()?),
    };
    if model.wal_dir.is_unknown() {
        return None;
    }
    let auto_compaction = *model.auto_compaction_retention.known()?;
    let wish = Wish {
        // All of these have passed their checks.
        name: model.name.known()?.parse().ok()?,
        version: model.version.known()?.parse().ok()?,
        members: places,
        ports: Ports {
            client: *model.client_port.known()?,
            peer: *model.peer_port.known()?,
            metrics: *model.metrics_port.known()?,
        },
        data_dir: data_dir.parse().ok()?,
        wal_dir: model.wal_dir.known().and_then(|it| it.parse().ok()),
        timing,
        quota: *model.quota_backend_bytes.known()?,
        auto_compaction: (auto_compaction != Duration::ZERO).then_some(auto_compaction),
        arguments,
        environment,
        lost_hosts: model.lost_hosts.known()?.iter().filter_map(|it| name(it)).collect(),
        is_protected: *model.deletion_protection.known()?,
        on_destroy: match model.on_destroy.known()?.as_str() {
            "purge" => OnDestroy::Purge,
            _ => OnDestroy::Keep,
        },
    };
    Some(match Desired::new(wish) {
        Ok(desired) if faults.is_empty() => Ok(desired),
        Ok(_) => Err(faults),
        Err(refusals) => {
            faults.extend(refusals.iter().map(explain));
            Err(faults)
        }
    })
}

/// Where the member of this key is to be.
pub(super) fn place(key: &str, host: &HostModel, address: &Value<String>) -> Result<Place, Gap> {
    let at = Path::root("members").key(key);
    let address = cluster_address(host, address, &at)?;
    Ok(Place { address, is_local: host.is_local() == Some(true) })
}

fn no_name(key: &str) -> Diagnostic {
    let summary = format!("{key:?} is no name of a member");
    let detail = "A member is named with 1 to 63 letters, digits, `-`, `_` and `.`.";
    Diagnostic::error(summary, detail).at(Path::root("members").key(key))
}

/// A refusal as an error at what is at fault.
pub(super) fn explain(refusal: &Refusal) -> Diagnostic {
    let diag = Diagnostic::error("The etcd cluster cannot be as it is wished", refusal);
    match path(&refusal.subject()) {
        Some(path) => diag.at(path),
        None => diag,
    }
}

/// Where the subject of a refusal is written.
pub(super) fn path(subject: &Subject) -> Option<Path> {
    let members = || Path::root("members");
    Some(match subject {
        Subject::Cluster => return None,
        Subject::Version => Path::root("version"),
        Subject::Members => members(),
        Subject::Member(name) => members().key(name.as_str()),
        Subject::Address(name) => members().key(name.as_str()).attribute("address"),
        Subject::Port(port) => Path::root(port.attribute()),
        Subject::WalDir => Path::root("wal_dir"),
        Subject::Heartbeat => Path::root("heartbeat_interval"),
        Subject::Election => Path::root("election_timeout"),
        Subject::Quota => Path::root("quota_backend_bytes"),
        Subject::Compaction => Path::root("auto_compaction_retention"),
        Subject::ExtraArgs(at) => Path::root("extra_args").index(*at),
        Subject::Environment(name) => Path::root("environment").key(name),
        Subject::LostHosts => Path::root("lost_hosts"),
        Subject::DeletionProtection => Path::root("deletion_protection"),
    })
}

fn restore(it: &RestoreModel) -> Json {
    json!({
        "generation": it.generation.known(),
        "from": it.from.known(),
        "store": it.store.known(),
        "file": it.file.known(),
        "directory": it.directory.known(),
        "snapshot": it.snapshot.known(),
        "discard_current_data": it.discard_current_data.known(),
        "clients_stopped": it.clients_stopped.known(),
    })
}

/// The configuration for the record on the hosts. It has no secret.
pub(super) fn applied(model: &EtcdClusterModel) -> Map<String, Json> {
    let member = |(key, it): (&String, &super::model::EtcdMemberModel)| {
        (key.clone(), json!({ "host": recorded::host(&it.host), "address": it.address.known() }))
    };
    recorded::object(json!({
        "version": model.version.known(),
        "members": members(model).map(member).collect::<Map<_, _>>(),
        "client_port": model.client_port.known(),
        "peer_port": model.peer_port.known(),
        "metrics_port": model.metrics_port.known(),
        "data_dir": model.data_dir.known(),
        "wal_dir": model.wal_dir.known(),
        "heartbeat_interval": duration(&model.heartbeat_interval),
        "election_timeout": duration(&model.election_timeout),
        "quota_backend_bytes": model.quota_backend_bytes.known(),
        "auto_compaction_retention": duration(&model.auto_compaction_retention),
        "extra_args": model.extra_args.known(),
        "environment": model.environment.known(),
        "certificates": certificates::applied(&model.certificates),
        "restore": model.restore.known().map(restore),
        "lost_hosts": model.lost_hosts.known(),
        "deletion_protection": model.deletion_protection.known(),
        "on_destroy": model.on_destroy.known(),
        "timeouts": recorded::timeouts(&model.timeouts),
    }))
}

//! From what is written to what it means.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Map, Value as Json, json};

use super::filled::filled;
use super::model::{AuditModel, ComponentModel, ControlPlaneModel, NodeModel, name, nodes};
use crate::domain::host::Place;
use crate::domain::kubernetes::{
    Admission, Arguments, Audit, Component, Desired, Encryption, Environment, Etcd, Extras,
    Refusal, Subject, TlsVersion, Wish, Word,
};
use crate::domain::name::OnDestroy;
use crate::resources::certificates;
use crate::resources::etcd_access::EtcdAccessModel;
use crate::resources::host::HostModel;
use crate::resources::hosts::cluster_address;
use crate::resources::provider::Gap;
use crate::resources::recorded::{self, duration};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

const SUMMARY: &str = "The control plane cannot be as it is wished";

/// What is wished. None while a part of it is not known, and nothing is wrong with the others.
pub(super) fn desired(model: &ControlPlaneModel) -> Option<Result<Desired, Diagnostics>> {
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
fn read(model: &ControlPlaneModel) -> Option<Result<Desired, Diagnostics>> {
    let mut faults = Diagnostics::new();
    let mut places = BTreeMap::new();
    for (key, node) in nodes(model) {
        match place(key, node.host.known()?, &node.address) {
            Ok(place) => match name(key) {
                Some(name) => drop(places.insert(name, place)),
                None => faults.push(no_name(key)),
            },
            Err(Gap::Fault(fault)) => faults.push(fault),
            Err(Gap::Unknown(_)) => return None,
        }
    }
    let etcd = model.etcd.known()?;
    let endpoints: Vec<_> =
        etcd.endpoints.known()?.iter().map(|it| it.known().cloned()).collect::<Option<_>>()?;
    let at = |name: &'static str| move |index: usize| Path::root(name).index(index);
    let all = |name: &'static str| move |_: usize| Path::root(name);
    let etcd_at = |index: usize| Path::root("etcd").attribute("endpoints").index(index);
    let endpoints = each(endpoints.iter(), etcd_at, &mut faults);
    let service_cidrs = each(model.service_cidrs.known()?, at("service_cidrs"), &mut faults);
    let pod_cidrs = each(model.pod_cidrs.known()?, at("pod_cidrs"), &mut faults);
    let suites = model.tls_cipher_suites.known();
    let suites = suites.map(|it| each(it, at("tls_cipher_suites"), &mut faults));
    let mut words = |names, attribute| each::<Word>(names, all(attribute), &mut faults);
    let enabled = words(model.enable_admission_plugins.known()?.iter(), "enable_admission_plugins");
    let disabled =
        words(model.disable_admission_plugins.known()?.iter(), "disable_admission_plugins");
    let anonymous_paths =
        each(model.anonymous_paths.known()?.iter(), all("anonymous_paths"), &mut faults);
    let recipients = model.recovery_recipients.known()?;
    let recipients = each(recipients, at("recovery_recipients"), &mut faults);
    let mut feature_gates = BTreeMap::new();
    for (gate, is_on) in model.feature_gates.known()? {
        match gate.parse() {
            Ok(gate) => drop(feature_gates.insert(gate, *is_on)),
            Err(fault) => faults.push(wrong(&fault, Path::root("feature_gates").key(gate))),
        }
    }
    let api_server = extras(Component::ApiServer, &model.api_server, &mut faults)?;
    let controller_manager =
        extras(Component::ControllerManager, &model.controller_manager, &mut faults)?;
    let scheduler = extras(Component::Scheduler, &model.scheduler, &mut faults)?;
    if faults.has_errors() {
        return Some(Err(faults));
    }
    let wish = Wish {
        // All of these have passed their checks.
        name: model.name.known()?.parse().ok()?,
        version: model.version.known()?.parse().ok()?,
        endpoint: model.endpoint.known()?.parse().ok()?,
        etcd: Etcd { endpoints, generation: u64::try_from(*etcd.generation.known()?).ok()? },
        etcd_prefix: model.etcd_prefix.known()?.parse().ok()?,
        nodes: places,
        port: *model.port.known()?,
        service_cidrs,
        pod_cidrs,
        cluster_domain: model.cluster_domain.known()?.parse().ok()?,
        issuer: match model.service_account_issuer.known() {
            Some(issuer) => Some(issuer.parse().ok()?),
            None => None,
        },
        api_server,
        controller_manager,
        scheduler,
        feature_gates,
        admission: Admission {
            enabled: enabled.into_iter().collect(),
            disabled: disabled.into_iter().collect(),
        },
        audit: if *model.audit_log.known()? { Some(audit(model.audit.known()?)?) } else { None },
        encryption: match model.encryption_at_rest.known()?.as_str() {
            "none" => Encryption::None,
            _ => Encryption::Secretbox,
        },
        anonymous_paths: anonymous_paths.into_iter().collect(),
        tls_min_version: match model.tls_min_version.known()?.as_str() {
            "1.3" => TlsVersion::V13,
            _ => TlsVersion::V12,
        },
        tls_cipher_suites: suites,
        shutdown_delay: *model.shutdown_delay.known()?,
        recipients: recipients.into_iter().collect(),
        lost_hosts: model.lost_hosts.known()?.iter().filter_map(|it| name(it)).collect(),
        is_protected: *model.deletion_protection.known()?,
        on_destroy: match model.on_destroy.known()?.as_str() {
            "purge" => OnDestroy::Purge,
            _ => OnDestroy::Keep,
        },
    };
    Some(Desired::new(wish).map_err(|refusals| refusals.iter().map(explain).collect()))
}

/// What can be read of these texts; the others are told.
fn each<'a, T>(
    texts: impl IntoIterator<Item = &'a String>,
    at: impl Fn(usize) -> Path,
    faults: &mut Diagnostics,
) -> Vec<T>
where
    T: FromStr<Err: Display>,
{
    let mut found = Vec::new();
    for (index, text) in texts.into_iter().enumerate() {
        match text.parse() {
            Ok(it) => found.push(it),
            Err(fault) => faults.push(wrong(&format!("{text:?}: {fault}"), at(index))),
        }
    }
    found
}

fn wrong(fault: &dyn Display, at: Path) -> Diagnostic {
    Diagnostic::error(SUMMARY, format!("{fault}.")).at(at)
}

fn extras(
    component: Component,
    model: &Value<ComponentModel>,
    faults: &mut Diagnostics,
) -> Option<Extras> {
    let ComponentModel { extra_args, environment } = model.known()?;
    let mut refused = |subject, fault| {
        faults.push(explain(&Refusal::Argument { subject, fault }));
    };
    let arguments = Arguments::new(component, extra_args.known()?.clone());
    let arguments = arguments.unwrap_or_else(|found| {
        for (at, fault) in found {
            refused(Subject::ExtraArgs(component, at), fault);
        }
        Arguments::default()
    });
    let environment = Environment::new(environment.known()?.clone());
    let environment = environment.unwrap_or_else(|found| {
        for (key, fault) in found {
            refused(Subject::Environment(component, key), fault);
        }
        Environment::default()
    });
    Some(Extras { arguments, environment })
}

fn audit(model: &AuditModel) -> Option<Audit> {
    let number = |it: &Value<i64>| u32::try_from(*it.known()?).ok();
    Some(Audit {
        policy: match model.policy.known() {
            Some(policy) => Some(policy.parse().ok()?),
            None => None,
        },
        max_age: number(&model.max_age)?,
        max_backups: number(&model.max_backups)?,
        max_size: number(&model.max_size)?,
    })
}

/// Where the node of this key is to be.
pub(super) fn place(key: &str, host: &HostModel, address: &Value<String>) -> Result<Place, Gap> {
    let at = Path::root("nodes").key(key);
    let address = cluster_address(host, address, &at)?;
    Ok(Place { address, is_local: host.is_local() == Some(true) })
}

fn no_name(key: &str) -> Diagnostic {
    let summary = format!("{key:?} is no name of a node");
    let detail = "A node is named with 1 to 63 letters, digits, `-`, `_` and `.`.";
    Diagnostic::error(summary, detail).at(Path::root("nodes").key(key))
}

/// A refusal as an error at what is at fault.
pub(super) fn explain(refusal: &Refusal) -> Diagnostic {
    let diag = Diagnostic::error(SUMMARY, refusal);
    match path(&refusal.subject()) {
        Some(path) => diag.at(path),
        None => diag,
    }
}

/// A refusal in a plan. Without keys nothing can be done but to destroy what is left; and before an engine plans that, it makes
/// a plan of the configuration, in which an error would stop it.
pub(super) fn explain_early(refusal: &Refusal) -> Diagnostic {
    match refusal {
        Refusal::KeysLost => Diagnostic::warning(SUMMARY, refusal)
            .hint("An apply changes nothing before; a destroy goes on with what is left."),
        refusal => explain(refusal),
    }
}

/// Where the subject of a refusal is written.
fn path(subject: &Subject) -> Option<Path> {
    let node = |name: &crate::domain::name::Name| Path::root("nodes").key(name.as_str());
    let component = |it: Component| Path::root(it.attribute());
    Some(match subject {
        Subject::Cluster => return None,
        Subject::Version => Path::root("version"),
        Subject::Etcd => Path::root("etcd"),
        Subject::EtcdPrefix => Path::root("etcd_prefix"),
        Subject::Nodes => Path::root("nodes"),
        Subject::Node(name) => node(name),
        Subject::Address(name) => node(name).attribute("address"),
        Subject::Port => Path::root("port"),
        Subject::ServiceCidrs => Path::root("service_cidrs"),
        Subject::PodCidrs => Path::root("pod_cidrs"),
        Subject::ExtraArgs(of, at) => component(*of).attribute("extra_args").index(*at),
        Subject::Environment(of, name) => component(*of).attribute("environment").key(name),
        Subject::EnabledPlugins => Path::root("enable_admission_plugins"),
        Subject::DisabledPlugins => Path::root("disable_admission_plugins"),
        Subject::Audit => Path::root("audit"),
        Subject::Suites => Path::root("tls_cipher_suites"),
        Subject::ShutdownDelay => Path::root("shutdown_delay"),
        Subject::LostHosts => Path::root("lost_hosts"),
        Subject::DeletionProtection => Path::root("deletion_protection"),
    })
}

/// The configuration for the record on the hosts. It has no secret.
pub(super) fn applied(model: &ControlPlaneModel) -> Map<String, Json> {
    let node = |(key, it): (&String, &NodeModel)| {
        (key.clone(), json!({ "host": recorded::host(&it.host), "address": it.address.known() }))
    };
    let component = |it: &Value<ComponentModel>| {
        let it = it.or_default();
        json!({ "extra_args": it.extra_args.known(), "environment": it.environment.known() })
    };
    let audit = model.audit.or_default();
    recorded::object(json!({
        "version": model.version.known(),
        "endpoint": model.endpoint.known(),
        "etcd": model.etcd.known().map(etcd),
        "etcd_prefix": model.etcd_prefix.known(),
        "nodes": nodes(model).map(node).collect::<Map<_, _>>(),
        "port": model.port.known(),
        "service_cidrs": model.service_cidrs.known(),
        "pod_cidrs": model.pod_cidrs.known(),
        "cluster_domain": model.cluster_domain.known(),
        "service_account_issuer": model.service_account_issuer.known(),
        "api_server": component(&model.api_server),
        "controller_manager": component(&model.controller_manager),
        "scheduler": component(&model.scheduler),
        "feature_gates": model.feature_gates.known(),
        "enable_admission_plugins": model.enable_admission_plugins.known(),
        "disable_admission_plugins": model.disable_admission_plugins.known(),
        "audit_log": model.audit_log.known(),
        "audit": {
            "policy": audit.policy.known(), "max_age": audit.max_age.known(),
            "max_backups": audit.max_backups.known(), "max_size": audit.max_size.known(),
        },
        "encryption_at_rest": model.encryption_at_rest.known(),
        "anonymous_paths": model.anonymous_paths.known(),
        "tls_min_version": model.tls_min_version.known(),
        "tls_cipher_suites": model.tls_cipher_suites.known(),
        "shutdown_delay": duration(&model.shutdown_delay),
        "certificates": certificates::applied(&model.certificates),
        "recovery_recipients": model.recovery_recipients.known(),
        "recover_from": model.recover_from.known(),
        "lost_hosts": model.lost_hosts.known(),
        "deletion_protection": model.deletion_protection.known(),
        "on_destroy": model.on_destroy.known(),
        "timeouts": recorded::timeouts(&model.timeouts),
    }))
}

fn etcd(etcd: &EtcdAccessModel) -> Json {
    let hosts = etcd.hosts.known().into_iter().flatten();
    let host = |(key, it): (&String, &crate::resources::etcd_access::EtcdAccessHostModel)| {
        (key.clone(), json!({ "host": recorded::host(&it.host), "address": it.address.known() }))
    };
    let endpoints =
        etcd.endpoints.known().map(|it| it.iter().map(Value::known).collect::<Vec<_>>());
    json!({
        "id": etcd.id.known(),
        "name": etcd.name.known(),
        "endpoints": endpoints,
        "ca_certificate": etcd.ca_certificate.known(),
        "hosts": hosts.map(host).collect::<Map<_, _>>(),
        "generation": etcd.generation.known(),
    })
}

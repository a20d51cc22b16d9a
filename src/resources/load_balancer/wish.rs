//! From what is written to what it means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::model::{
    BalancerNodeModel, HealthCheckModel, LoadBalancerModel, ProxyTimeoutsModel, VirtualIpModel,
    nodes,
};
use crate::domain::balancer::{
    Advertisement, Authority, Balance, Check, Desired, Install, Place, Protocol, Refusal, Subject,
    TextFault, Time, Timeouts, VirtualIp, Wish,
};
use crate::domain::name::Name;
use crate::resources::checks::ip;
use crate::resources::host::HostModel;
use crate::resources::hosts::cluster_address;
use crate::resources::provider::Gap;
use crate::resources::recorded::{self, duration};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

const SUMMARY: &str = "The balancer cannot be as it is wished";

/// What is wished. None while a part of it is not known.
pub(super) fn desired(model: &LoadBalancerModel) -> Option<Result<Desired, Diagnostics>> {
    let mut faults = Diagnostics::new();
    model.nodes.known()?;
    let mut places = BTreeMap::new();
    for (key, node) in nodes(model) {
        match place(key, node.host.known()?, node) {
            Ok(place) => drop(places.insert(key.parse().ok()?, place)),
            Err(Gap::Fault(fault)) => faults.push(fault),
            Err(Gap::Unknown(_)) => return None,
        }
    }
    let mut backends = BTreeMap::new();
    for (key, text) in model.backends.known()? {
        let at = || Path::root("backends").key(key);
        match (key.parse::<Name>(), text.parse::<SocketAddr>()) {
            (Ok(key), Ok(endpoint)) => drop(backends.insert(key, endpoint)),
            (Err(fault), _) => faults.push(Diagnostic::error(SUMMARY, &fault).at(at())),
            (_, Err(_)) => faults.push(wrong(TextFault::Endpoint, at())),
        }
    }
    let bind_address = match &model.bind_address {
        Value::Unknown => return None,
        Value::Null => None,
        Value::Known(text) => {
            let found = ip(text);
            if found.is_none() {
                let detail = format!("{text:?} is no IP address.");
                faults.push(Diagnostic::error(SUMMARY, detail).at(Path::root("bind_address")));
            }
            found
        }
    };
    if model.metrics_port.is_unknown() {
        return None;
    }
    let check = check(model.health_check.known()?, &mut faults)?;
    let timeouts = timeouts(model.proxy_timeouts.known()?, &mut faults)?;
    let virtual_ip = match &model.virtual_ip {
        Value::Unknown => return None,
        Value::Null => None,
        Value::Known(it) => Some(virtual_ip(it, &mut faults)?),
    };
    if faults.has_errors() {
        return Some(Err(faults));
    }
    let wish = Wish {
        // All of these have passed their checks.
        name: model.name.known()?.parse().ok()?,
        nodes: places,
        port: *model.port.known()?,
        bind_address,
        backends,
        balance: match model.balance.known()?.as_str() {
            "roundrobin" => Balance::Roundrobin,
            "source" => Balance::Source,
            _ => Balance::Leastconn,
        },
        check,
        timeouts,
        max_connections: u32::try_from(*model.max_connections.known()?).ok()?,
        virtual_ip,
        metrics_port: model.metrics_port.known().copied(),
        install: match model.install.known()?.as_str() {
            "never" => Install::Never,
            _ => Install::Package,
        },
        lost_hosts: model.lost_hosts.known()?.iter().filter_map(|it| it.parse().ok()).collect(),
    };
    Some(Desired::new(wish).map_err(|found| found.iter().map(explain).collect()))
}

/// Where the node of this key is to be.
pub(super) fn place(key: &str, host: &HostModel, node: &BalancerNodeModel) -> Result<Place, Gap> {
    let at = Path::root("nodes").key(key);
    let address = cluster_address(host, &node.address, &at)?;
    let interface = crate::resources::host::known(&node.interface, &at, "interface")?;
    let priority = crate::resources::host::known(&node.priority, &at, "priority")?;
    Ok(Place {
        address,
        is_local: host.is_local() == Some(true),
        interface: interface.and_then(|it| it.parse().ok()),
        priority: priority.and_then(|it| u8::try_from(*it).ok()),
    })
}

/// What is wrong is told, and something stands in for it.
fn check(model: &HealthCheckModel, faults: &mut Diagnostics) -> Option<Check> {
    let at = |name: &str| Path::root("health_check").attribute(name);
    let mut time = |name: &str, value: &Value<Duration>| time(value, at(name), faults);
    let interval = time("interval", &model.interval)?;
    let fast_interval = time("fast_interval", &model.fast_interval)?;
    let timeout = time("timeout", &model.timeout)?;
    let count = |it: &Value<i64>| u8::try_from(*it.known()?).ok()?.try_into().ok();
    let (fall, rise) = (count(&model.fall)?, count(&model.rise)?);
    let protocol = protocol(model, faults)?;
    Some(Check { protocol, interval, fast_interval, timeout, fall, rise })
}

fn protocol(model: &HealthCheckModel, faults: &mut Diagnostics) -> Option<Protocol> {
    if model.protocol.known()? == "tcp" {
        return Some(Protocol::Tcp);
    }
    let at = || Path::root("health_check").attribute("ca_certificate");
    let authority = match &model.ca_certificate {
        Value::Unknown => return None,
        Value::Null => {
            let detail = "With `https` the certificate of a backend is verified.";
            let fault = Diagnostic::error("A check over TLS needs to know whom to believe", detail);
            let hint = "Set it to `ca_certificate` of the control plane, or `protocol` to \"tcp\".";
            faults.push(fault.at(at()).hint(hint));
            return Some(Protocol::Tcp);
        }
        Value::Known(pem) => Authority::new(pem),
    };
    let (server_name, path) = (model.server_name.known()?, model.path.known()?);
    let (server_name, path) = (server_name.parse().ok()?, path.parse().ok()?);
    Some(match authority {
        Ok(authority) => Protocol::Https { authority, server_name, path },
        Err(fault) => {
            let fault = Diagnostic::error("Checks have no certificate to believe", &fault);
            faults.push(fault.at(at()));
            Protocol::Tcp
        }
    })
}

fn timeouts(model: &ProxyTimeoutsModel, faults: &mut Diagnostics) -> Option<Timeouts> {
    let mut time = |name: &str, value: &Value<Duration>| {
        time(value, Path::root("proxy_timeouts").attribute(name), faults)
    };
    Some(Timeouts {
        connect: time("connect", &model.connect)?,
        idle: time("idle", &model.idle)?,
        tunnel: time("tunnel", &model.tunnel)?,
        drain: time("drain", &model.drain)?,
    })
}

fn virtual_ip(model: &VirtualIpModel, faults: &mut Diagnostics) -> Option<VirtualIp> {
    let interface = match &model.interface {
        Value::Unknown => return None,
        other => other.known().and_then(|it| it.parse().ok()),
    };
    let advertisement = Advertisement::new(*model.advertise_interval.known()?);
    let advertisement = advertisement.unwrap_or_else(|fault| {
        let at = Path::root("virtual_ip").attribute("advertise_interval");
        faults.push(wrong(fault, at));
        Advertisement::default()
    });
    Some(VirtualIp {
        // These have passed their checks.
        address: model.address.known()?.parse().ok()?,
        router_id: u8::try_from(*model.router_id.known()?).ok()?.try_into().ok()?,
        interface,
        advertisement,
    })
}

fn time(value: &Value<Duration>, at: Path, faults: &mut Diagnostics) -> Option<Time> {
    Some(Time::new(*value.known()?).unwrap_or_else(|fault| {
        faults.push(wrong(fault, at));
        Time::default()
    }))
}

fn wrong(fault: TextFault, at: Path) -> Diagnostic {
    Diagnostic::error(SUMMARY, &fault).at(at)
}

/// A refusal as an error at what is at fault.
pub(super) fn explain(refusal: &Refusal) -> Diagnostic {
    Diagnostic::error(SUMMARY, refusal).at(path(&refusal.subject()))
}

/// Where the subject of a refusal is written.
fn path(subject: &Subject) -> Path {
    let node = |key: &Name| Path::root("nodes").key(key.as_str());
    match subject {
        Subject::Nodes => Path::root("nodes"),
        Subject::Node(key) => node(key),
        Subject::Address(key) => node(key).attribute("address"),
        Subject::Priority(key) => node(key).attribute("priority"),
        Subject::Port => Path::root("port"),
        Subject::BindAddress => Path::root("bind_address"),
        Subject::MetricsPort => Path::root("metrics_port"),
        Subject::Backends => Path::root("backends"),
        Subject::Backend(key) => Path::root("backends").key(key.as_str()),
        Subject::MaxConnections => Path::root("max_connections"),
        Subject::VirtualIp => Path::root("virtual_ip"),
        Subject::VirtualAddress => Path::root("virtual_ip").attribute("address"),
        Subject::RouterId => Path::root("virtual_ip").attribute("router_id"),
        Subject::Install => Path::root("install"),
        Subject::LostHosts => Path::root("lost_hosts"),
    }
}

/// The configuration for the record on the hosts. It has no secret.
pub(super) fn applied(model: &LoadBalancerModel) -> Map<String, Json> {
    let node = |(key, it): (&String, &BalancerNodeModel)| {
        let node = json!({
            "host": recorded::host(&it.host), "address": it.address.known(),
            "interface": it.interface.known(), "priority": it.priority.known(),
        });
        (key.clone(), node)
    };
    let check = model.health_check.known().cloned().unwrap_or_default();
    let proxy = model.proxy_timeouts.known().cloned().unwrap_or_default();
    recorded::object(json!({
        "engine": model.engine.known(),
        "nodes": nodes(model).map(node).collect::<Map<_, _>>(),
        "port": model.port.known(),
        "bind_address": model.bind_address.known(),
        "backends": model.backends.known(),
        "balance": model.balance.known(),
        "health_check": {
            "protocol": check.protocol.known(), "ca_certificate": check.ca_certificate.known(),
            "server_name": check.server_name.known(), "path": check.path.known(),
            "interval": duration(&check.interval), "fast_interval": duration(&check.fast_interval),
            "timeout": duration(&check.timeout), "fall": check.fall.known(),
            "rise": check.rise.known(),
        },
        "proxy_timeouts": {
            "connect": duration(&proxy.connect), "idle": duration(&proxy.idle),
            "tunnel": duration(&proxy.tunnel), "drain": duration(&proxy.drain),
        },
        "max_connections": model.max_connections.known(),
        "virtual_ip": model.virtual_ip.known().map(|it| json!({
            "address": it.address.known(), "router_id": it.router_id.known(),
            "interface": it.interface.known(),
            "advertise_interval": duration(&it.advertise_interval),
        })),
        "metrics_port": model.metrics_port.known(),
        "install": model.install.known(),
        "lost_hosts": model.lost_hosts.known(),
        "timeouts": recorded::timeouts(&model.timeouts),
    }))
}

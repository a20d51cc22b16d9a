//! A configuration of which not all is known, made whole, so that the rest can be judged before anything is built.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use super::model::{EtcdClusterModel, EtcdMemberModel};
use crate::domain::etcd::{Ports, Timing};
use crate::resources::filled::Fill;
use crate::tfplugin::value::Value;

/// A version that takes all arguments that are left.
const VERSION: &str = "3.6.16";

/// In place of what was left out stands its default, and in place of what is not known what nobody refuses. The second
/// tells whether all is known.
pub(super) fn filled(model: &EtcdClusterModel) -> (EtcdClusterModel, bool) {
    let mut it = model.clone();
    let mut is_whole = true;
    // What must fit to each other is judged together or not at all.
    if it.data_dir.is_unknown() || it.wal_dir.is_unknown() {
        (it.data_dir, it.wal_dir) = (Value::Null, Value::Null);
        is_whole = false;
    }
    let ports = [&it.client_port, &it.peer_port, &it.metrics_port];
    if ports.iter().any(|it| it.is_unknown()) {
        (it.client_port, it.peer_port, it.metrics_port) = (Value::Null, Value::Null, Value::Null);
        is_whole = false;
    }
    if it.heartbeat_interval.is_unknown() || it.election_timeout.is_unknown() {
        (it.heartbeat_interval, it.election_timeout) = (Value::Null, Value::Null);
        is_whole = false;
    }
    if it.version.is_unknown() {
        it.extra_args = Value::Null;
    }
    let (ports, timing) = (Ports::default(), Timing::default());
    let mut fill = Fill(is_whole);
    fill.text(&mut it.name, "x");
    fill.text(&mut it.version, VERSION);
    fill.value(&mut it.client_port, ports.client);
    fill.value(&mut it.peer_port, ports.peer);
    fill.value(&mut it.metrics_port, ports.metrics);
    fill.value(&mut it.heartbeat_interval, timing.heartbeat());
    fill.value(&mut it.election_timeout, timing.election());
    fill.value(&mut it.quota_backend_bytes, 2 << 30);
    fill.value(&mut it.auto_compaction_retention, Duration::ZERO);
    fill.value(&mut it.extra_args, Vec::new());
    fill.value(&mut it.environment, BTreeMap::new());
    fill.value(&mut it.lost_hosts, BTreeSet::new());
    fill.value(&mut it.deletion_protection, true);
    fill.text(&mut it.on_destroy, "keep");
    let one = BTreeMap::from([("x".to_owned(), EtcdMemberModel::default())]);
    fill.value(&mut it.members, one);
    if let Value::Known(members) = &mut it.members {
        for (member, at) in members.values_mut().zip(1..) {
            let free = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, at);
            fill.place(&mut member.host, &mut member.address, free.into());
        }
    }
    (it, fill.0)
}

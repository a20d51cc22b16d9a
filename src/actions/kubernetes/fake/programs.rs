//! The processes of a control plane on hosts in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::ETCD;
use super::leases::Lease;
use super::process::Process;
use crate::actions::machines::Hosts;
use crate::domain::kubernetes::Component;
use crate::host::fake::FakeHost;
use crate::remote::kubernetes::fake::lease;

/// From the start of an API server until it is ready: a look that waits for it ends before.
const WARMS_UP: Duration = Duration::from_secs(5);
/// It listens for a while before.
const LISTENS_FOR: Duration = Duration::from_millis(150);

/// What runs, and what lies in etcd.
#[derive(Clone, Default)]
pub(crate) struct Programs {
    /// By the hosts that they are on.
    running: BTreeMap<(String, Component), Process>,
    /// Whose objects lie in etcd: the keys that they were written with.
    pub(super) data: Option<String>,
    pub(super) has_admins: bool,
    leases: [Lease; 2],
    /// Somebody has led since the first of those that are established.
    was_led: bool,
    /// Hosts whose API servers have been ready, and have not left.
    established: BTreeSet<String>,
    /// Why processes have ended, oldest first.
    pub(super) ends: Vec<String>,
    /// What must never happen.
    pub(super) breaches: Vec<String>,
}

fn unit(component: Component) -> String {
    format!("{}-prod.service", component.program())
}

impl Programs {
    /// All but numbers of processes and times, for comparison.
    pub(super) fn in_words(&self) -> String {
        let process =
            |(at, it): (&(String, Component), &Process)| format!("{at:?} {}", it.in_words());
        let running: Vec<_> = self.running.iter().map(process).collect();
        let holder = |it: &Lease| it.holder.as_ref().map(|it| it.0.clone());
        let holders: Vec<_> = self.leases.iter().map(holder).collect();
        let Self { data, has_admins, established, .. } = self;
        format!("{running:?} {data:?} {has_admins} {holders:?} {established:?}")
    }

    /// What runs, in words, and whether it can be administrated.
    pub(crate) fn processes(&self) -> Vec<String> {
        let process =
            |(at, it): (&(String, Component), &Process)| format!("{at:?} {}", it.in_words());
        let running = self.running.iter().map(process);
        running.chain([format!("it has administrators: {}", self.has_admins)]).collect()
    }

    /// Goes on to where everything is by now.
    pub(super) fn go_on(&mut self, hosts: &Hosts, now: Instant) {
        // Who was ready until now, whatever has been asked of it meanwhile.
        self.establish(now);
        for (at, host) in hosts.iter().filter(|(at, _)| *at != ETCD) {
            for component in Component::ALL.iter().copied() {
                self.follow(hosts, (at, host), component, now);
            }
            if host.file(&FakeHost::unit_path(&unit(Component::ApiServer))).is_none() {
                self.established.remove(at);
            }
        }
        self.establish(now);
        self.elect(hosts, now);
        let is_led = self.leases.iter().all(|it| it.holder.is_some());
        self.was_led = !self.established.is_empty() && (self.was_led || is_led);
    }

    fn establish(&mut self, now: Instant) {
        let servers = self.running.keys().filter(|it| it.1 == Component::ApiServer);
        let ready: Vec<_> =
            servers.map(|it| it.0.clone()).filter(|it| self.is_ready(it, now)).collect();
        self.established.extend(ready);
    }

    fn follow(
        &mut self,
        hosts: &Hosts,
        (at, host): (&String, &FakeHost),
        component: Component,
        now: Instant,
    ) {
        let unit = unit(component);
        let found = host.processes().into_iter().find(|it| it.0 == unit);
        let key = (at.clone(), component);
        let known = self.running.get(&key).map(|it| it.number);
        if found.as_ref().map(|it| it.1) == known {
            return;
        }
        if component == Component::ApiServer && known.is_some() {
            self.judge(hosts, at, now);
        }
        self.running.remove(&key);
        let Some((_, number, text)) = found else { return };
        match Process::read(host, &unit, (number, &text), now) {
            Ok(process) => {
                self.begin(host, &key, &process);
                self.running.insert(key, process);
            }
            Err(why) => {
                self.ends.push(format!("{at}: {component}: {why}"));
                host.crash(&unit);
            }
        }
    }

    /// An API server was stopped: all others that ever served must serve at that moment.
    fn judge(&mut self, hosts: &Hosts, at: &str, now: Instant) {
        if !self.established.contains(at) {
            return;
        }
        let is_silent = |it: &String| hosts.get(it).is_none_or(FakeHost::is_silent);
        let others: Vec<_> =
            self.established.iter().filter(|it| *it != at && !is_silent(it)).cloned().collect();
        for other in &others {
            if !self.is_ready(other, now) {
                self.breaches.push(format!("{at} stops while {other} is away"));
            }
        }
        let is_led = |it: &Lease| it.holder.is_some();
        if !others.is_empty() && self.was_led && !self.leases.iter().all(is_led) {
            self.breaches.push(format!("{at} stops while nobody leads"));
        }
    }

    /// What must be true of a process that starts.
    fn begin(&mut self, host: &FakeHost, (at, component): &(String, Component), it: &Process) {
        let servers = self.running.iter().filter(|(key, _)| key.1 == Component::ApiServer);
        if *component != Component::ApiServer {
            let mut own = servers.filter(|(key, _)| key.0 == *at);
            if own.any(|(_, server)| server.version < it.version) {
                self.breaches.push(format!("{component} on {at} is later than its API server"));
            }
            return;
        }
        let mut minors = servers.map(|(_, it)| it.version.minor);
        if minors.any(|other| 1 < other.abs_diff(it.version.minor)) {
            self.breaches.push(format!("{at} is two minors from another API server"));
        }
        let keys = it.keys(host);
        if *self.data.get_or_insert_with(|| keys.clone()) != keys {
            self.breaches.push(format!("{at} begins with keys that others do not have"));
        }
    }

    fn elect(&mut self, hosts: &Hosts, now: Instant) {
        for (number, component) in
            [Component::ControllerManager, Component::Scheduler].into_iter().enumerate()
        {
            let is_able = |at: &String| {
                let is_there = !hosts.get(at).is_none_or(FakeHost::is_silent);
                is_there && self.is_ready(at, now)
            };
            let able: Vec<_> = self
                .running
                .iter()
                .filter(|((at, it), _)| *it == component && is_able(at))
                .map(|((at, _), it)| (at.clone(), it.number))
                .collect();
            self.leases[number].go_on(component, &able, now);
        }
    }

    /// Whether the API server of a host serves.
    fn is_ready(&self, at: &str, now: Instant) -> bool {
        let server = self.running.get(&(at.to_owned(), Component::ApiServer));
        server.is_some_and(|it| it.since + WARMS_UP <= now)
    }

    /// Which component of a host listens there. While an API server is away, the others have nothing to say.
    pub(super) fn listens(&self, at: &str, address: SocketAddr, now: Instant) -> Option<Component> {
        let own = self.running.iter().filter(|((host, _), _)| host == at);
        let later = now + LISTENS_FOR;
        let own = own.filter(|((_, it), _)| {
            self.is_ready(at, if *it == Component::ApiServer { later } else { now })
        });
        let mut there = own.filter(|((_, component), it)| it.socket(*component) == Some(address));
        there.next().map(|((_, component), _)| *component)
    }

    /// What a component was told.
    pub(super) fn flag(&self, at: &str, component: Component, name: &str) -> String {
        let process = self.running.get(&(at.to_owned(), component));
        process.and_then(|it| it.flag(name)).unwrap_or_default().to_owned()
    }

    /// What a component of a host says to a request.
    pub(super) fn answer(&self, at: &str, component: Component, path: &str) -> (u16, String) {
        let is_ready = self.is_ready(at, Instant::now());
        let health = if is_ready { (200, "ok".to_owned()) } else { (500, "no".to_owned()) };
        if component != Component::ApiServer || path == "/readyz" {
            return health;
        }
        if path.contains("/clusterrolebindings/") {
            return (if self.has_admins { 200 } else { 404 }, "{}".to_owned());
        }
        let leases = [Component::ControllerManager, Component::Scheduler].into_iter();
        let lease_of = |it: (Component, &Lease)| match &it.1.holder {
            Some((host, number)) => (200, lease(&format!("{host}_{number}"))),
            None => (404, "{}".to_owned()),
        };
        let mut leases = leases.zip(&self.leases);
        let asked = leases.find(|(it, _)| path.ends_with(&format!("/leases/{}", it.program())));
        asked.map_or((404, "{}".to_owned()), lease_of)
    }
}

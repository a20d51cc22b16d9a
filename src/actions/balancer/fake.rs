//! HAProxy and keepalived in memory, on [hosts in memory](FakeHost): a process for each unit that is started, with the
//! file that lay there then. All that the provider does to them goes through the agent and the socket of the process.
//!
//! It is no optimist: a backend with connections is not dropped, an address that nobody may have is on nobody, and [what
//! must never happen](Machines::breaches) is noted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio_util::sync::CancellationToken;

use crate::host::fake::{Around, Failure, FakeHost};
use crate::host::messages::Address;

const PROXY: &str = "haproxy-api.service";
const KEEPALIVED: &str = "keepalived-api.service";
const PROXY_FILE: &str = "/etc/balancer-api/haproxy.cfg";
const VRRP_FILE: &str = "/etc/balancer-api/keepalived.conf";
const SOCKET: &str = "/run/haproxy-api/admin.sock";
const PIPE: usize = 64 << 10;

/// Hosts, and a balancer on them.
pub(crate) struct Machines {
    hosts: BTreeMap<String, FakeHost>,
    state: Mutex<State>,
    own: Weak<Self>,
}

#[derive(Clone, Default)]
struct State {
    /// By the addresses of their hosts.
    proxies: BTreeMap<String, Proxy>,
    /// What keepalived has read, by the addresses of their hosts.
    guards: BTreeMap<String, Read>,
    /// Who has the virtual IP.
    holder: Option<String>,
    changes: Vec<String>,
    failure: Option<(usize, Failure)>,
    /// The provider is killed before the change of that number.
    kill: Option<(usize, CancellationToken)>,
    breaches: Vec<String>,
}

/// A file, as it was when a process with this number and this many reloads has read it.
#[derive(Clone, Default)]
struct Read {
    process: (u32, u32),
    text: String,
}

#[derive(Clone, Default)]
struct Proxy {
    read: Read,
    servers: BTreeMap<String, Server>,
}

#[derive(Clone)]
struct Server {
    endpoint: String,
    is_drained: bool,
    is_in_maintenance: bool,
}

impl Server {
    /// Some clients stay.
    fn sessions(&self) -> u32 {
        u32::from(self.endpoint.contains(".23:"))
    }
}

impl Machines {
    /// With these addresses, and nothing on them.
    pub(crate) fn new(addresses: &[&str]) -> Arc<Self> {
        let host = |it: &&str| ((*it).to_owned(), FakeHost::new(it));
        Self::with(addresses.iter().map(host).collect(), State::default())
    }

    fn with(hosts: BTreeMap<String, FakeHost>, state: State) -> Arc<Self> {
        let state = Mutex::new(state);
        let machines = Arc::new_cyclic(|own| Self { hosts, state, own: own.clone() });
        for host in machines.hosts.values() {
            let around: Weak<dyn Around> = Arc::downgrade(&machines) as _;
            host.put_into(around);
        }
        drop(machines.settled());
        machines
    }

    /// Everything as it is, to go its own way. Nobody is connected to it.
    pub(crate) fn fork(&self) -> Arc<Self> {
        let hosts = self.hosts.iter().map(|(at, it)| (at.clone(), it.fork())).collect();
        let state = self.settled().clone();
        Self::with(hosts, State { changes: Vec::new(), failure: None, kill: None, ..state })
    }

    pub(crate) fn host(&self, address: &str) -> &FakeHost {
        &self.hosts[address]
    }

    /// For a pool of connections.
    pub(crate) fn fakes(&self) -> HashMap<String, FakeHost> {
        self.hosts.iter().map(|(at, it)| (at.clone(), it.clone())).collect()
    }

    /// The change of that number fails, on whatever host.
    pub(crate) fn fails_at(&self, change: usize, failure: Failure) {
        self.state().failure = Some((change, failure));
    }

    /// Before the change of that number the provider is gone, which is told by this.
    pub(crate) fn kills_at(&self, change: usize) -> CancellationToken {
        let token = CancellationToken::new();
        self.state().kill = Some((change, token.clone()));
        token
    }

    /// Another provider comes.
    pub(crate) fn forget_the_kill(&self) {
        self.state().kill = None;
    }

    /// What was asked to change, of hosts and processes alike, in order.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.state().changes.clone()
    }

    /// What must never happen and did.
    pub(crate) fn breaches(&self) -> Vec<String> {
        self.settled().breaches.clone()
    }

    /// After something that a test did to hosts: what was broken by it is nobody's fault.
    pub(crate) fn forgive(&self) {
        self.settled().breaches.clear();
    }

    /// What runs, in words: backends of each process, and who has the virtual IP is left out, for chance decides it.
    pub(crate) fn running(&self) -> Vec<String> {
        let state = self.settled();
        let proxy = |(at, it): (&String, &Proxy)| {
            let servers = it.servers.iter();
            let servers: Vec<_> = servers
                .map(|(name, it)| format!("{name} {} {}", it.endpoint, it.is_drained))
                .collect();
            format!("{at}: HAProxy {} with {}", description(&it.read.text), servers.join(", "))
        };
        let guard = |(at, it): (&String, &Read)| format!("{at}: keepalived {:?}", it.text);
        let is_held = format!("the virtual IP is held: {}", state.holder.is_some());
        let proxies = state.proxies.iter().map(proxy);
        proxies.chain(state.guards.iter().map(guard)).chain([is_held]).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.settle(&self.hosts);
        state
    }

    /// A change is asked for. How it fails, if it does.
    fn change(&self, what: String) -> Option<Failure> {
        let mut state = self.settled();
        let at = state.changes.len();
        if let Some((from, token)) = &state.kill
            && *from <= at
        {
            token.cancel();
            return Some(Failure::LostBefore);
        }
        state.changes.push(what);
        state.failure.take_if(|it| it.0 == at).map(|it| it.1)
    }

    fn at(&self, host: &FakeHost) -> Option<String> {
        self.hosts.iter().find(|(_, it)| it.is(host)).map(|(at, _)| at.clone())
    }

    /// What the process on a host says to orders.
    fn answer(&self, at: &str, orders: &str) -> Option<String> {
        let is_change = !orders.starts_with("show ");
        if is_change {
            match self.change(format!("HAProxy on {at}: {orders}")) {
                Some(Failure::LostBefore) => return None,
                Some(Failure::Refused(text)) => return Some(text),
                Some(Failure::LostAfter) => {
                    self.settled().proxies.get_mut(at)?.obey(orders);
                    return None;
                }
                None => {}
            }
        }
        let mut state = self.settled();
        Some(state.proxies.get_mut(at)?.obey(orders))
    }
}

impl State {
    /// Processes read their files when they start and when they are told to, and the virtual IP goes where it may be.
    fn settle(&mut self, hosts: &BTreeMap<String, FakeHost>) {
        let served = self.serving(hosts);
        for (at, host) in hosts {
            let reads = |unit: &str, path: &str| {
                let process = host.reads(unit)?;
                let text = String::from_utf8(host.file(path)?).ok()?;
                Some(Read { process, text })
            };
            let is_new = |before: Option<&Read>, now: &Read| {
                before.is_none_or(|it| it.process != now.process)
            };
            match reads(PROXY, PROXY_FILE) {
                None => drop(self.proxies.remove(at)),
                Some(now) if is_new(self.proxies.get(at).map(|it| &it.read), &now) => {
                    let servers = servers(&now.text);
                    self.proxies.insert(at.clone(), Proxy { read: now, servers });
                }
                Some(_) => {}
            }
            match reads(KEEPALIVED, VRRP_FILE) {
                None => drop(self.guards.remove(at)),
                Some(now) if is_new(self.guards.get(at), &now) => {
                    drop(self.guards.insert(at.clone(), now));
                }
                Some(_) => {}
            }
        }
        if served && !self.serving(hosts) {
            self.breaches.push("nobody serves any more".to_owned());
        }
        let may = |it: &String| self.guards.contains_key(it) && self.proxies.contains_key(it);
        let first = self.guards.keys().find(|it| may(it)).cloned();
        self.holder = self.holder.take().filter(may).or(first);
        for (at, host) in hosts {
            let own = [Some(address(at)), self.virtual_ip(at)];
            host.set_addresses(own.into_iter().flatten().collect());
        }
    }

    fn serving(&self, hosts: &BTreeMap<String, FakeHost>) -> bool {
        self.proxies.keys().any(|it| hosts.get(it).is_some_and(|it| !it.is_silent()))
    }

    fn virtual_ip(&self, at: &str) -> Option<Address> {
        let text = &self.guards.get(at).filter(|_| self.holder.as_deref() == Some(at))?.text;
        let (_, rest) = text.split_once("virtual_ipaddress {")?;
        Some(address(rest.trim().split('/').next()?))
    }
}

/// On the one network that there is.
fn address(text: &str) -> Address {
    Address { interface: "eth0".to_owned(), address: text.to_owned(), prefix: 24 }
}

fn description(text: &str) -> &str {
    text.lines().find_map(|it| it.trim().strip_prefix("description ")).unwrap_or_default()
}

fn servers(text: &str) -> BTreeMap<String, Server> {
    let server = |line: &str| {
        let mut words = line.trim().strip_prefix("server ")?.split(' ').map(str::to_owned);
        Some((words.next()?, server(words.next()?)))
    };
    text.lines().filter_map(server).collect()
}

fn server(endpoint: String) -> Server {
    Server { endpoint, is_drained: false, is_in_maintenance: false }
}

impl Proxy {
    /// After `doc/management.txt` of HAProxy, section 9.3, as far as it is used.
    fn obey(&mut self, orders: &str) -> String {
        orders.trim().split(';').map(|it| self.obey_one(it)).collect()
    }

    fn obey_one(&mut self, order: &str) -> String {
        let words: Vec<_> = order.split(' ').collect();
        let name = |it: &str| it.trim_start_matches("back/").to_owned();
        match words.as_slice() {
            ["show", "info"] => {
                format!("Name: HAProxy\nPid: 7\ndescription: {}\n\n", description(&self.read.text))
            }
            ["show", "servers", ..] => self.table(
                "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n",
                |name, it| {
                    let (address, port) = it.endpoint.rsplit_once(':').unwrap_or_default();
                    let order = u8::from(it.is_in_maintenance) + 8 * u8::from(it.is_drained);
                    format!("3 back 1 {name} {address} 2 {order} {port}\n")
                },
            ),
            ["show", "stat", ..] => self.table(
                "# pxname,svname,qcur,scur,status,check_status\n",
                |name, it| format!("back,{name},0,{},UP,L7OK\n", it.sessions()),
            ),
            ["add", "server", at, endpoint, ..] => {
                if self.servers.contains_key(&name(at)) {
                    return "Already exists a server with the same name in backend.\n".to_owned();
                }
                let new = Server { is_in_maintenance: true, ..server((*endpoint).to_owned()) };
                self.servers.insert(name(at), new);
                "New server registered.\n".to_owned()
            }
            ["del", "server", at] => {
                let found = self.servers.get(&name(at));
                match found {
                    Some(it) if !it.is_in_maintenance => {
                        "Only servers in maintenance mode can be deleted.\n".to_owned()
                    }
                    Some(it) if 0 < it.sessions() => {
                        "Server still has connections attached to it, cannot remove it.\n".to_owned()
                    }
                    Some(_) => {
                        self.servers.remove(&name(at));
                        "Server deleted.\n".to_owned()
                    }
                    None => "No such server.\n".to_owned(),
                }
            }
            ["set", "server", at, "state", state] => {
                let Some(it) = self.servers.get_mut(&name(at)) else { return "No such server.\n".to_owned() };
                (it.is_drained, it.is_in_maintenance) = (*state == "drain", *state == "maint");
                "\n".to_owned()
            }
            ["enable", "server", at] => {
                if let Some(it) = self.servers.get_mut(&name(at)) {
                    it.is_in_maintenance = false;
                }
                "\n".to_owned()
            }
            ["enable" | "disable", "health", _] => "\n".to_owned(),
            _ => "Unknown command.\n".to_owned(),
        }
    }

    fn table(&self, head: &str, row: impl Fn(&str, &Server) -> String) -> String {
        let mut text = head.to_owned();
        for (name, server) in &self.servers {
            text += &row(name, server);
        }
        text + "\n"
    }
}

impl Around for Machines {
    fn comes(&self, host: &FakeHost, change: Option<&str>) -> Option<Failure> {
        let Some(what) = change else {
            drop(self.settled());
            return None;
        };
        let at = self.at(host)?;
        self.change(format!("{at}: {what}"))
    }

    fn connect(&self, host: &FakeHost, address: &str) -> Option<DuplexStream> {
        let at = self.at(host)?;
        if address != SOCKET || !self.settled().proxies.contains_key(&at) {
            return None;
        }
        let (near, far) = tokio::io::duplex(PIPE);
        let machines = self.own.clone();
        tokio::spawn(async move {
            let mut far = BufReader::new(far);
            let mut orders = String::new();
            if far.read_line(&mut orders).await.is_err() {
                return;
            }
            let answer = machines.upgrade().and_then(|it| it.answer(&at, &orders));
            if let Some(answer) = answer {
                // Whoever has asked may be gone.
                let _ = far.get_mut().write_all(answer.as_bytes()).await;
            }
        });
        Some(near)
    }
}

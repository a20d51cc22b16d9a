//! Kubernetes in memory, on [hosts in memory](FakeHost): a process for each unit that is started, with the arguments of its
//! unit and the files of its host, and a member of etcd that holds their objects. All that the provider does to it goes
//! through the agent and through the API.
//!
//! It is no optimist: a process whose files are not there ends, nothing comes back by itself, and
//! [what must never happen](Machines::breaches) is noted.

mod leases;
mod process;
mod programs;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::io::DuplexStream;
use tokio::time::Instant;
use tonic::Status;

pub(crate) use self::programs::Programs;
use crate::actions::etcd;
use crate::actions::machines::{self, Hosts, Play};
use crate::domain::kubernetes::Component;
use crate::host::fake::FakeHost;
use crate::host::messages::Subject;
use crate::remote::etcd::fake as member;
use crate::remote::kubernetes::fake::{identity, own_identity, serve};

/// The host of the member of etcd.
pub(crate) const ETCD: &str = "192.0.2.9";
const CLIENTS: &str = "192.0.2.9:2379";
const CERTIFICATE: &str = "/etc/etcd-store/server.crt";
/// Of a certificate.
const DAY: u32 = 24 * 3600;
const PIPE: usize = 64 << 10;

/// Hosts, and a control plane on them.
pub(crate) type Machines = machines::Machines<Programs>;

/// Gives a host all that a member of etcd has there. Its authority in PEM; each call makes another one.
pub(crate) fn make_etcd(host: &FakeHost) -> String {
    let home = etcd::authority("store");
    host.wipe(&home);
    host.make_directory(&home);
    let authority = host.make_authority(&home, "etcd-ca");
    let subject = Subject {
        common_name: "etcd-server".to_owned(),
        addresses: vec![ETCD.to_owned()],
        ..Subject::default()
    };
    host.certify(CERTIFICATE, &home, &subject, 365 * DAY);
    authority
}

impl Machines {
    /// The nodes, and the host of etcd.
    pub(crate) fn with_etcd(addresses: &[&str]) -> Arc<Self> {
        let all: Vec<_> = addresses.iter().copied().chain([ETCD]).collect();
        let machines = Self::new(&all);
        make_etcd(machines.host(ETCD));
        machines
    }

    /// Objects of somebody else lie there.
    pub(crate) fn write_foreign_objects(&self) {
        self.programs().data = Some("of others".to_owned());
    }
}

impl Play for Programs {
    fn settle(&mut self, hosts: &Hosts, now: Instant) {
        self.go_on(hosts, now);
    }

    fn picture(&self) -> String {
        self.in_words()
    }

    fn breaches(&mut self) -> &mut Vec<String> {
        &mut self.breaches
    }

    fn ends(&self) -> &[String] {
        &self.ends
    }

    fn done(&mut self, what: &str) {
        if what.contains(": let ") && what.contains(" administrate through ") {
            self.has_admins = true;
        }
    }

    fn connect(machines: &Arc<Machines>, at: &str, address: &str) -> Option<DuplexStream> {
        let (near, far) = tokio::io::duplex(PIPE);
        let host = machines.host(at);
        let read = |path: &str| host.file(path).unwrap_or_default();
        if (at, address) == (ETCD, CLIENTS) {
            let home = etcd::authority("store");
            let own = identity(
                &read(&format!("{home}/ca.crt")),
                &read(CERTIFICATE),
                &read(&CERTIFICATE.replace(".crt", ".key")),
            )?;
            tokio::spawn(member::serve(far, own, Member(Arc::downgrade(machines))));
            return Some(near);
        }
        let address: SocketAddr = address.parse().ok()?;
        let programs = machines.programs();
        let component = programs.listens(at, address, Instant::now())?;
        let identity = if component == Component::ApiServer {
            let [authority, chain, key] =
                ["client-ca-file", "tls-cert-file", "tls-private-key-file"]
                    .map(|it| read(&programs.flag(at, component, it)));
            identity(&authority, &chain, &key)?
        } else {
            own_identity()?
        };
        drop(programs);
        let (machines, at) = (Arc::downgrade(machines), at.to_owned());
        let answer = move |path: &str| match machines.upgrade() {
            Some(machines) => machines.programs().answer(&at, component, path),
            None => (503, String::new()),
        };
        tokio::spawn(serve(far, identity, Box::new(answer)));
        Some(near)
    }
}

/// The member of etcd.
#[derive(Clone)]
struct Member(Weak<Machines>);

#[tonic::async_trait]
impl member::Player for Member {
    async fn answer(&self, question: member::Question) -> Result<member::Answer, Status> {
        let machines = self.0.upgrade().ok_or_else(|| Status::unavailable("it is gone"))?;
        match question {
            member::Question::Count => {
                Ok(member::Answer::Count(machines.programs().data.is_some().into()))
            }
            other => Err(Status::unimplemented(format!("{other:?}"))),
        }
    }
}

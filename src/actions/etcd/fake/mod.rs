//! etcd in memory, on [hosts in memory](crate::host::fake): a process for each unit that is started, with the flags of its unit and
//! the data of its host, and clusters that they form. All that the provider does to it goes through the agent and
//! through etcd's own protocol.
//!
//! It is no optimist: a process that is told the wrong list ends, nothing comes back by itself, and
//! [what must never happen](Machines::breaches) is noted.

mod cluster;
mod flags;
mod log;
mod programs;
mod restored;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep};
use tonic::Status;

use self::programs::Declined;
pub(crate) use self::programs::Programs;
use crate::actions::machines::{self, Hosts, Play};
use crate::host::fake::Failure;
use crate::remote::etcd::fake::{Answer, Player, Question, serve};

/// etcd gives up on a quorum after this.
const GIVES_UP: Duration = Duration::from_secs(7);
const PIPE: usize = 64 << 10;
const MANY: usize = 500;

/// Hosts, and etcd on them.
pub(crate) type Machines = machines::Machines<Programs>;

impl Machines {
    /// The clusters in words, without their ids: "a 10.0.0.1 leads, b 10.0.0.2, c (learner)".
    pub(crate) fn clusters(&self) -> BTreeMap<u64, Vec<(u64, String, String)>> {
        let programs = self.programs();
        let seat = |(id, it): (&u64, &cluster::Seat)| {
            let kind = if it.is_learner { " (learner)" } else { "" };
            (*id, it.name.clone(), format!("{}{kind} {}", it.name, it.peer_url))
        };
        let clusters = programs.clusters.iter().filter(|(_, it)| it.has_quorum);
        clusters.map(|(id, it)| (*id, it.members.iter().map(seat).collect())).collect()
    }

    /// A member raises an alarm.
    pub(crate) fn raise(&self, alarm: crate::remote::etcd::AlarmType) {
        for cluster in self.programs().clusters.values_mut() {
            let first = cluster.voters().next().unwrap_or_default();
            cluster.alarms.insert((first, alarm.into()));
        }
    }

    /// Entries that change nothing come by the thousand: one of them stands for so many.
    fn is_first_of_many(&self) -> bool {
        let mut programs = self.programs();
        programs.asked += 1;
        programs.asked % MANY == 1
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

    fn connect(machines: &Arc<Machines>, at: &str, address: &str) -> Option<DuplexStream> {
        let address: SocketAddr = address.parse().ok()?;
        let mut programs = machines.programs();
        let own = programs.on(at).map(|it| it.flags.metrics);
        let (near, mut far) = tokio::io::duplex(PIPE);
        if Some(address) == own {
            let health = programs.health(at)?.to_owned();
            let metrics = programs.metrics(at)?;
            tokio::spawn(async move {
                let mut request = [0; 1024];
                if far.read(&mut request).await.is_ok() {
                    let is_health = request.starts_with(b"GET /health ");
                    let text = if is_health { health } else { metrics };
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
                    let _ = far.write_all((head + &text).as_bytes()).await;
                }
            });
            return Some(near);
        }
        // An agent forwards to addresses of its own host alone.
        if programs.on(at)?.flags.client != address {
            return None;
        }
        let identity = programs.identity(machines.host(at), at)?;
        let seated = Seated { machines: Arc::downgrade(machines), at: at.to_owned() };
        tokio::spawn(serve(far, identity, seated));
        Some(near)
    }
}

/// Plays the member on one host.
#[derive(Clone)]
struct Seated {
    machines: Weak<Machines>,
    at: String,
}

#[tonic::async_trait]
impl Player for Seated {
    async fn answer(&self, question: Question) -> Result<Answer, Status> {
        let lost = || Status::unavailable("the connection is lost");
        let machines = self.machines.upgrade().ok_or_else(lost)?;
        let is_change = match question {
            Question::Status | Question::Members | Question::Alarms | Question::Count => false,
            Question::Pass => machines.is_first_of_many(),
            _ => true,
        };
        let failure = if is_change {
            machines.change(format!("etcd on {}: {question:?}", self.at))
        } else {
            None
        };
        match failure {
            Some(Failure::LostBefore) => return Err(lost()),
            Some(Failure::Refused(text)) => return Err(Status::failed_precondition(text)),
            Some(Failure::LostAfter) | None => {}
        }
        let answer = {
            let mut programs = machines.programs();
            programs.answer(&machines.hosts, &self.at, question, Instant::now())
        };
        match answer {
            _ if failure.is_some() => Err(lost()),
            Ok(answer) => Ok(answer),
            Err(Declined::Said(status)) => Err(status),
            Err(Declined::Late) => {
                sleep(GIVES_UP).await;
                Err(Status::unavailable("etcdserver: request timed out"))
            }
        }
    }
}

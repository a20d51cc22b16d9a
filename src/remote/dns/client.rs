//! Several servers, asked in turn.
#![expect(clippy::disallowed_methods, reason = "keeps a time limit")]

use std::time::Duration;

use hickory_proto::op::ResponseCode;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use super::exchange::{Way, exchange};
use super::{Answer, Failed, Fault, Question, Server, Settings, Update};

/// The pause before all servers are asked once more, and its longest: servers that are just starting take about as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Servers that are asked in turn, for one operation. The one that answered last is asked first.
#[derive(Debug)]
pub struct Client<'a> {
    settings: &'a Settings,
    /// Indices of the servers.
    order: Vec<usize>,
}

/// An answer, and whose.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// Who answered.
    pub server: Server,
    /// Whether it is the first of the settings. Another one may lag behind.
    pub is_first: bool,
    /// What it said.
    pub answer: Answer,
}

/// What became of an update that a server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// All changes are done.
    Done,
    /// A prerequisite does not hold, and nothing is done.
    Unmet {
        /// Something exists that must not. Otherwise something must exist and does not.
        exists: bool,
        /// It is about all records of the name.
        of_name: bool,
    },
}

impl<'a> Client<'a> {
    /// Nothing is sent yet.
    pub fn new(settings: &'a Settings) -> Self {
        Self { settings, order: (0..settings.servers.len()).collect() }
    }

    /// What it was made of.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// Asks for records until a server answers that answers for the zone itself, as often as the settings say.
    ///
    /// # Errors
    /// None did, or not until `by`.
    pub async fn look(&mut self, question: &Question, by: Instant) -> Result<Looked, Failed> {
        let mut failed = Failed::default();
        for round in 0..=self.settings.retries {
            if 0 < round {
                let pause = FIRST_PAUSE.saturating_mul(1 << (round - 1).min(8)).min(LONGEST_PAUSE);
                if timeout_at(by, sleep(pause)).await.is_err() {
                    break;
                }
            }
            for index in self.order.clone() {
                let server = &self.settings.servers[index];
                let has_refused =
                    |(it, fault): &(Server, Fault)| it == server && fault.is_refusal();
                if failed.faults.iter().any(has_refused) {
                    continue;
                }
                let Some(way) = self.way(by) else { return Err(failed) };
                let asked = exchange(server, question.message(false), way).await;
                match asked.map(|it| Answer::read(&it, question)) {
                    Ok(answer) if answer.is_authoritative => {
                        self.order.retain(|it| *it != index);
                        self.order.insert(0, index);
                        let server = server.clone();
                        return Ok(Looked { server, is_first: index == 0, answer });
                    }
                    Ok(_) => failed.note(server, Fault::NotAuthoritative),
                    Err(fault) => failed.note(server, fault),
                }
            }
            if !failed.is_transient() {
                break;
            }
        }
        Err(failed)
    }

    /// Sends an update to one server after the other until one answers, or may have done it.
    ///
    /// # Errors
    /// None has answered. When [it may have happened](Failed::may_have_run), only a look can tell.
    pub async fn update(&mut self, update: &Update, by: Instant) -> Result<Updated, Failed> {
        let mut failed = Failed::default();
        for index in self.order.clone() {
            let server = &self.settings.servers[index];
            let Some(way) = self.way(by) else { return Err(failed) };
            match exchange(server, update.message(), way).await {
                Ok(answer) => {
                    self.order.retain(|it| *it != index);
                    self.order.insert(0, index);
                    return Ok(updated(answer.response_code));
                }
                Err(fault) => {
                    warn!(%server, error = %fault, "has not answered an update");
                    let may_have_run = fault.may_have_run();
                    failed.note(server, fault);
                    self.order.retain(|it| *it != index);
                    self.order.push(index);
                    if may_have_run {
                        break;
                    }
                }
            }
        }
        Err(failed)
    }

    /// None when the time is up.
    fn way(&self, by: Instant) -> Option<Way<'a>> {
        let left = by.saturating_duration_since(Instant::now());
        let Settings { key, transport, timeout, .. } = self.settings;
        let way = Way { key: key.as_ref(), transport: *transport, timeout: left.min(*timeout) };
        (!left.is_zero()).then_some(way)
    }
}

fn updated(code: ResponseCode) -> Updated {
    let unmet = |exists, of_name| Updated::Unmet { exists, of_name };
    match code {
        ResponseCode::YXDomain => unmet(true, true),
        ResponseCode::YXRRSet => unmet(true, false),
        ResponseCode::NXDomain => unmet(false, true),
        ResponseCode::NXRRSet => unmet(false, false),
        _ => Updated::Done,
    }
}

/// Asks one server, which may ask others in turn. The question is signed if the server is one of the settings.
///
/// # Errors
/// It did not answer, as often as the settings say, or not until `by`.
pub async fn ask(
    server: &Server,
    settings: &Settings,
    question: &Question,
    by: Instant,
) -> Result<Answer, Fault> {
    let key = settings.key.as_ref().filter(|_| settings.servers.contains(server));
    let mut fault = Fault::Silent(Duration::ZERO);
    for _ in 0..=settings.retries {
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let (transport, timeout) = (settings.transport, settings.timeout.min(left));
        match exchange(server, question.message(true), Way { key, transport, timeout }).await {
            Ok(answer) => return Ok(Answer::read(&answer, question)),
            Err(refusal) if refusal.is_refusal() => return Err(refusal),
            Err(other) => fault = other,
        }
    }
    Err(fault)
}

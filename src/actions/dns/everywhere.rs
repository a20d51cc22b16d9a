//! Every name server of the zone.
#![expect(clippy::disallowed_methods, reason = "resolves names, and keeps a time limit")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::select;
use tokio::time::{Instant, sleep};

use super::Course;
use super::convert::{in_message, observed, question, received};
use super::course::Limits;
use crate::domain::dns::{Data, Name, Observed, Records, Type};
use crate::remote::dns::{Failed, Fault, Question, RData, RecordType, Server, Settings, ask};

/// Where name servers listen.
const PORT: u16 = 53;
const PAUSE: Duration = Duration::from_millis(500);

/// A name server of the zone.
#[derive(Debug)]
pub struct Elsewhere {
    /// Its name in the zone, and its address once that is known.
    pub server: String,
    /// What it shows.
    pub shown: Shown,
}

/// What a name server shows when the waiting ends.
#[derive(Debug)]
pub enum Shown {
    /// What is desired.
    All,
    /// Something else.
    Old(Observed),
    /// It cannot be asked.
    Nothing(Fault),
}

impl Course<'_> {
    /// Waits until every name server of the zone shows the records, and tells of each what it shows at last. A server
    /// that does not answer is not waited for.
    ///
    /// # Errors
    /// Nobody tells which name servers the zone has.
    pub async fn everywhere(
        &mut self,
        records: &Records,
        limits: &Limits,
    ) -> Result<Vec<Elsewhere>, Failed> {
        let wanted = Observed::Present(records.clone());
        let question = question(&self.key().name, self.key().ty);
        let settings = self.client().settings();
        let mut waits = Vec::new();
        for name in self.name_servers(limits.by).await? {
            let servers = self.addresses(&name, limits.by).await;
            if servers.is_empty() {
                waits.push((name.to_string(), None));
            }
            waits.extend(servers.into_iter().map(|it| (name.to_string(), Some(it))));
        }
        let all = waits.into_iter().map(async |(name, server)| {
            let Some(server) = server else {
                let fault = Fault::Unresolved(std::io::Error::other("it has no address"));
                return Elsewhere { server: name, shown: Shown::Nothing(fault) };
            };
            let shown = wait(&server, settings, &question, &wanted, limits).await;
            Elsewhere { server: format!("{name} ({server})"), shown }
        });
        Ok(join_all(all).await)
    }

    async fn name_servers(&mut self, by: Instant) -> Result<BTreeSet<Name>, Failed> {
        let question = Question { name: in_message(&self.key().zone), ty: RecordType::NS };
        let answer = self.client().look(&question, by).await?.answer;
        let name = |it: &RData| match it {
            RData::NS(name) => Some(received(&name.0)),
            _ => None,
        };
        Ok(answer.data.iter().filter_map(name).collect())
    }

    /// By the zone itself, or else by this machine. A server that the settings list is asked at the port that they say.
    async fn addresses(&mut self, name: &Name, by: Instant) -> BTreeSet<Server> {
        let mut addresses = BTreeSet::new();
        for ty in [Type::A, Type::Aaaa] {
            let Ok(looked) = self.client().look(&question(name, ty), by).await else { continue };
            addresses.extend(super::data(&looked.answer).filter_map(|it| match it {
                Data::A(address) => Some(address.to_string()),
                Data::Aaaa(address) => Some(address.to_string()),
                Data::Cname(_) | Data::Txt(_) => None,
            }));
        }
        if addresses.is_empty()
            && let Ok(found) = lookup_host((name.to_string(), PORT)).await
        {
            addresses.extend(found.map(|it| it.ip().to_string()));
        }
        let listed = &self.client().settings().servers;
        let server = |address: String| {
            let known = listed.iter().find(|it| it.address == address);
            known.cloned().unwrap_or(Server { address, port: PORT })
        };
        addresses.into_iter().map(server).collect()
    }
}

async fn wait(
    server: &Server,
    settings: &Settings,
    question: &Question,
    wanted: &Observed,
    limits: &Limits,
) -> Shown {
    loop {
        let seen = match ask(server, settings, question, limits.by).await {
            Ok(answer) => observed(&answer),
            Err(fault) => return Shown::Nothing(fault),
        };
        if seen == *wanted {
            return Shown::All;
        }
        if limits.by <= Instant::now() + PAUSE {
            return Shown::Old(seen);
        }
        select! {
            () = limits.cancelled.cancelled() => return Shown::Old(seen),
            () = sleep(PAUSE) => {}
        }
    }
}

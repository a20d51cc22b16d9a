//! `ha_dns_lookup`: what name servers say about a name.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::dns::{fix_for, settings};
use super::provider::{Client, Gap, Ha, server};
use crate::actions::dns::{data, question};
use crate::domain::dns::{Name, Type};
use crate::model;
use crate::remote::dns::{Answer, Fault, Server, Settings, ask};
use crate::tfplugin::api::{self, Context, DataSource};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// What name servers say about a name at this moment, each by itself.
    ///
    /// A server that does not answer is told in its `error`, and never fails a plan. The answers change by themselves:
    /// what is made of them may differ from plan to plan.
    pub(crate) struct DnsLookupModel {
        /// The whole name.
        name: Value<String> = required().check(text("a name of the DNS", is_name)),
        /// Type of the records.
        r#type: Value<String> = required().check(one_of(&["A", "AAAA", "CNAME", "TXT"])),
        /// Servers to ask, each an address with an optional port; they may ask others. `dns.rfc2136.servers` of the
        /// provider when left out. Only these are asked with signed questions.
        servers: Value<Vec<String>> = optional().check(not_empty()),
        /// What each server says, by the server.
        answers: Value<BTreeMap<String, LookupAnswer>> = computed(),
    }
}

model! {
    /// What one server says.
    pub(crate) struct LookupAnswer {
        /// The records, in order; behind an alias those of the name that it stands for. None if there are none.
        records: Value<Vec<String>> = computed(),
        /// How long they may be kept, in seconds; null without records.
        ttl: Value<i64> = computed(),
        /// Why there is no answer; null if there is one.
        error: Value<String> = computed(),
    }
}

/// The data source.
pub(super) struct DnsLookup;

impl DataSource for DnsLookup {
    const NAME: &'static str = "ha_dns_lookup";
    type Provider = Ha;
    type Model = DnsLookupModel;

    fn validate(&self, config: &DnsLookupModel) -> Diagnostics {
        let written = config.servers.known().into_iter().flatten().enumerate();
        let wrong = written.filter(|(_, it)| server(it).is_none());
        let fault = |(index, text): (usize, &String)| {
            let at = Path::root("servers").index(index);
            let detail = format!(
                "{text:?} is neither a name nor an IP address, with or without a port like `10.0.0.53:53` or `[2001:db8::53]:53`."
            );
            Diagnostic::error("A name server cannot be asked", detail).at(at)
        };
        wrong.map(fault).collect()
    }

    async fn read(
        &self,
        client: &Client,
        mut config: DnsLookupModel,
        context: &Context,
    ) -> Result<api::Answer<DnsLookupModel>, Diagnostics> {
        let configured = client.dns().and_then(settings);
        let servers = match config.servers.known() {
            Some(texts) => named(texts),
            None => configured
                .as_ref()
                .map_err(Clone::clone)
                .map_err(missing)?
                .servers
                .iter()
                .map(|it| (short(it), it.clone()))
                .collect(),
        };
        let settings = configured.unwrap_or_else(|_| Settings::default());
        let (Some(Ok(name)), Some(Ok(ty))) = (
            config.name.known().map(|it| it.parse::<Name>()),
            config.r#type.known().map(|it| it.parse::<Type>()),
        ) else {
            let detail = "`name` and `type` do not name records.";
            return Err(Diagnostic::error("There is nothing to look up", detail).into());
        };
        let question = question(&name, ty);
        // A look that takes its whole time is an error, and this one never fails.
        let by = Instant::from_std(context.deadline()) - context.remaining() / 10;
        let asked = servers.iter().map(async |(key, server)| {
            (key.clone(), told(ask(server, &settings, &question, by).await))
        });
        config.answers = join_all(asked).await.into_iter().collect::<BTreeMap<_, _>>().into();
        Ok(config.into())
    }
}

fn named(texts: &[String]) -> Vec<(String, Server)> {
    texts.iter().filter_map(|it| Some((it.clone(), server(it)?))).collect()
}

/// As it is usually written: with its port only where that is another one.
fn short(server: &Server) -> String {
    if server.port == Server::PORT { server.address.clone() } else { server.to_string() }
}

fn missing(gap: Gap) -> Diagnostic {
    gap.into_error().hint("Or name the servers to ask in `servers`.")
}

fn told(answer: Result<Answer, Fault>) -> LookupAnswer {
    match answer {
        Ok(answer) => {
            let mut records: Vec<_> = data(&answer).map(|it| it.to_string()).collect();
            records.sort();
            LookupAnswer {
                records: records.into(),
                ttl: answer.ttl.map(i64::from).into(),
                error: Value::Null,
            }
        }
        Err(fault) => {
            let mut text = fault.to_string();
            if let Some(source) = std::error::Error::source(&fault) {
                text = format!("{text}: {source}");
            }
            let error = format!("{text}. {}", fix_for(&fault)).into();
            LookupAnswer { records: Value::Null, ttl: Value::Null, error }
        }
    }
}

fn is_name(text: &str) -> bool {
    text.parse::<Name>().is_ok()
}

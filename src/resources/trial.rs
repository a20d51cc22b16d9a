//! What an engine does around a resource, in few lines: it refreshes, plans, applies, and stores what it is given.

mod story;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub(super) use self::story::{Cast, Story};
use crate::host::Hosts;
use crate::host::fake::FakeHost;
use crate::resources::provider::Client;
use crate::resources::provider::tests::{USUAL, client};
use crate::tfplugin::api::{AnyResource, Context, ImportKey, Saved, Written};
use crate::tfplugin::diagnostics::{Diagnostics, Severity};
use crate::tfplugin::value::{Datum, Set};
use crate::tfplugin::wire::notation::datum;
use crate::tfplugin::{gate, plan};

/// For one operation, by the clock of the test.
const LIMIT: Duration = Duration::from_mins(40);

/// Hosts in memory with what goes on around them.
pub(super) trait Stage {
    /// For a pool of connections.
    fn fakes(&self) -> HashMap<String, FakeHost>;
}

impl<T: Stage> Stage for Arc<T> {
    fn fakes(&self) -> HashMap<String, FakeHost> {
        T::fakes(self)
    }
}

/// An engine with its state, which a crash does not touch.
#[derive(Clone)]
pub(super) struct Terraform {
    resource: Arc<dyn AnyResource<Client>>,
    /// The provider block.
    provider: Json,
    /// Where the agents lie. None: no host gets one.
    agents: Option<PathBuf>,
    pub(super) stored: Option<Saved>,
    /// What was last applied.
    configured: Option<Json>,
}

/// The errors of an operation. None: it went well.
pub(super) type Outcome = Result<(), String>;

impl Terraform {
    pub(super) fn new(resource: Arc<dyn AnyResource<Client>>, provider: Json) -> Self {
        Self { resource, provider, agents: None, stored: None, configured: None }
    }

    /// With a state that was lost.
    pub(super) fn anew(&self) -> Self {
        Self { stored: None, ..self.clone() }
    }

    /// Hosts get agents from there.
    pub(super) fn with_agents(self, directory: PathBuf) -> Self {
        Self { agents: Some(directory), ..self }
    }

    fn config(&self, config: &Json) -> Datum {
        datum(config, self.resource.schema().ty())
    }

    /// A process of its own, that knows no connection yet.
    fn client(&self, machines: &impl Stage) -> Client {
        let mut client = client(self.provider.clone(), USUAL);
        let (caller, agents) = ("anna@desk, process 1".to_owned(), self.agents.clone());
        client.hosts = Arc::new(Hosts::with_fakes(caller, machines.fakes(), agents));
        client
    }

    /// `terraform apply`; without a configuration `terraform destroy`.
    pub(super) async fn apply(&mut self, machines: &impl Stage, config: Option<&Json>) -> Outcome {
        let done = self.applied(machines, config);
        timeout(LIMIT * 2, done).await.unwrap_or_else(|_| Err("it hangs".to_owned()))
    }

    async fn applied(&mut self, machines: &impl Stage, config: Option<&Json>) -> Outcome {
        let client = self.client(machines);
        self.refresh(&client).await?;
        let Some(config) = config else { return self.destroy(&client).await };
        self.configured = Some(config.clone());
        let config = self.config(config);
        let planned = self.plan(&client, &config).await?;
        let context = context();
        let Some(prior) = self.stored.clone() else {
            let made = self.resource.create(&client, &config, &planned, &context).await;
            let done = outcome(&made.diags);
            // With both, Terraform marks it as tainted, and destroys it next time.
            assert!(done.is_ok() || made.saved.is_none(), "tainted: {done:?}");
            return self.store(&planned, made, done);
        };
        if prior.state == planned.state {
            return Ok(());
        }
        let made = self.resource.update(&client, &config, &prior.state, &planned, &context).await;
        let done = outcome(&made.diags);
        assert!(made.saved.is_some(), "an update loses the state: {done:?}");
        self.store(&planned, made, done)
    }

    fn store(&mut self, planned: &Saved, made: Written, done: Outcome) -> Outcome {
        if let (Ok(()), Some(saved)) = (&done, &made.saved) {
            let breaches = gate::outcome_breaks(&planned.state, &saved.state);
            assert!(breaches.is_empty(), "{}", told(&gate::explain(&breaches)));
        }
        self.stored = made.saved;
        done
    }

    async fn refresh(&mut self, client: &Client) -> Outcome {
        let Some(stored) = &self.stored else { return Ok(()) };
        let seen = self.resource.read(client, stored, &context()).await;
        assert!(seen.saved.is_some(), "a read takes it for gone");
        self.stored = seen.saved;
        outcome(&seen.diags)
    }

    async fn plan(&self, client: &Client, config: &Datum) -> Result<Saved, String> {
        let attributes = &self.resource.schema().attributes;
        let before = self.stored.as_ref();
        let prior = before.map_or(Datum::Null, |it| it.state.clone());
        let proposed = plan::propose(attributes, config, &prior);
        let mut diags = plan::check(attributes, config);
        diags.extend(self.resource.validate(config));
        if before.is_some() {
            diags.extend(plan::refusals(&plan::changes(attributes, &prior, &proposed)));
        }
        outcome(&diags)?;
        let made = self.resource.plan(client, config, before, &proposed, &context()).await;
        outcome(&made.diags)?;
        let breaches = gate::plan_breaks(attributes, config, &prior, &made.saved.state);
        assert!(breaches.is_empty(), "{}", told(&gate::explain(&breaches)));
        let identity = before.map_or(Datum::Null, |it| it.identity.clone());
        Ok(Saved { identity, ..made.saved })
    }

    /// An engine plans the configuration first, and goes no further when that fails.
    async fn destroy(&mut self, client: &Client) -> Outcome {
        let Some(stored) = &self.stored else { return Ok(()) };
        if let Some(config) = &self.configured {
            self.plan(client, &self.config(config)).await?;
        }
        let made = self.resource.delete(client, stored, &context()).await;
        let done = outcome(&made.diags);
        assert!(done.is_err() || made.saved.is_none(), "a destroy without an error leaves it");
        self.stored = made.saved;
        done
    }

    /// `terraform import`.
    pub(super) async fn import(&mut self, machines: &impl Stage, id: &str) -> Outcome {
        let client = self.client(machines);
        let key = ImportKey::Id(id.to_owned());
        let made = self.resource.import(&client, key, &context()).await;
        self.stored = made.saved;
        outcome(&made.diags)?;
        self.refresh(&client).await
    }

    /// `terraform plan`: whether it has nothing to do.
    pub(super) async fn is_content(
        &mut self,
        machines: &impl Stage,
        config: Option<&Json>,
    ) -> bool {
        let client = self.client(machines);
        if let Err(why) = self.refresh(&client).await {
            panic!("{why}");
        }
        let Some(config) = config else { return self.stored.is_none() };
        let planned = self.plan(&client, &self.config(config)).await;
        let planned = planned.unwrap_or_else(|why| panic!("{why}"));
        self.stored.as_ref().is_some_and(|it| it.state == planned.state)
    }
}

impl Terraform {
    /// An apply, and an import where it asks for one: it was complete, and only the state did not know it.
    pub(super) async fn goes_on(
        &mut self,
        machines: &impl Stage,
        config: Option<&Json>,
        (resource, id): (&str, &str),
    ) -> Outcome {
        let done = self.apply(machines, config).await;
        if let (None, true, Err(why)) = (&self.stored, config.is_some(), &done)
            && why.contains(&format!("`terraform import {resource}.NAME {id}`"))
        {
            self.import(machines, id).await.unwrap();
            return self.apply(machines, config).await;
        }
        done
    }

    /// What is stored, in words, without what chance has chosen.
    pub(super) fn in_words(&self) -> Vec<String> {
        let Some(stored) = &self.stored else { return Vec::new() };
        let mut private: Json = serde_json::from_slice(&stored.private).unwrap();
        // The plan of a run that goes on has less to announce.
        private["announced"] = Json::Null;
        let state = stored.state.entries().into_iter().flatten();
        let state = state.map(|(name, it)| without_chance(&format!("{name} = {}", plain(it))));
        let private = without_chance(&format!("beside the state: {private}"));
        std::iter::once(private).chain(state).collect()
    }
}

/// In words. A set has no order, and what an import finds has another one than what was configured.
fn plain(value: &Datum) -> String {
    let Datum::Set(Set(items)) = value else { return format!("{value:?}") };
    let mut items: Vec<_> = items.iter().map(|it| format!("{it:?}")).collect();
    items.sort();
    format!("{items:?}")
}

/// Two ends of an operation, in words, are the same.
#[track_caller]
pub(super) fn same_end(told: &str, found: &[String], expected: &[String], history: &str) {
    let only = |those: &[String], others: &[String]| {
        let only = those.iter().filter(|it| !others.contains(it));
        only.map(|it| format!("\n  {it}")).collect::<Vec<_>>().concat()
    };
    assert!(
        found == expected,
        "{told}:\nonly now:{}\nonly undisturbed:{}\n{history}",
        only(found, expected),
        only(expected, found)
    );
}

/// The clock of a test runs ahead of that of the machine.
fn context() -> Context {
    let ahead = Instant::now().into_std().saturating_duration_since(std::time::Instant::now());
    Context::new(CancellationToken::new(), ahead + LIMIT)
}

fn outcome(diags: &Diagnostics) -> Outcome {
    if diags.has_errors() { Err(told(diags)) } else { Ok(()) }
}

fn told(diags: &Diagnostics) -> String {
    let errors = diags.iter().filter(|it| it.severity() == Severity::Error);
    errors.map(|it| format!("{}: {}", it.summary(), it.detail())).collect::<Vec<_>>().join("\n")
}

/// As many as may be tried at each run of the tests, evenly spread, or all of them with `SWEEP=all`.
pub(super) fn some<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let is_full = std::env::var("SWEEP").is_ok_and(|it| it == "all" || it == "every");
    let step = if is_full { 1 } else { all.len().div_ceil(most) };
    all.iter().step_by(step.max(1))
}

/// Ids, digests, keys and certificates are others in each run.
pub(super) fn without_chance(text: &str) -> String {
    let mut found = String::new();
    let mut parts = text.split("-----BEGIN ");
    found.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let rest = part.rsplit_once("-----").map_or("", |(_, rest)| rest);
        found.push_str("(PEM)");
        found.push_str(rest);
    }
    let (mut plain, mut run) = (String::new(), String::new());
    for sign in found.chars().chain(['\n']) {
        if sign.is_ascii_hexdigit() || (sign == '-' && 8 <= run.len()) {
            run.push(sign);
            continue;
        }
        plain.push_str(if 12 <= run.len() { "#" } else { &run });
        run.clear();
        plain.push(sign);
    }
    plain
}

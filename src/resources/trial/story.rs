//! An operation on hosts in memory, and everything that may happen to it: whatever change fails, and however, the next run
//! comes to the same end, nothing is tainted, and nothing that was not asked for leaves.
//!
//! The provider is killed before each change, which is after the one before it too: the next run goes on from a copy of
//! everything as it was at that moment. In most of those runs one of the first changes fails as well. And each change
//! fails once in a run that nobody kills. A change fails in three ways, in turn: the connection is lost before it, or
//! after it, or it is refused.
//!
//! Where one run leaves everything as another has left it, the next comes to the same end: that is tried once.
//!
//! That takes minutes. So only some of the changes are tried at each run of the tests, more with `SWEEP=all`, as CI has it,
//! and all with `SWEEP=every`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::{Stage, Terraform, same_end, without_chance};
use crate::actions::machines::{Machines, Moment, Play};
use crate::host::fake::{Failure, FakeHost};

/// How many kills and failures are tried in a story.
const KILLS: usize = 3;
const FAILURES: usize = 2;

/// Who is in a story.
pub(in crate::resources) struct Cast<P> {
    /// With nothing in its state.
    pub(in crate::resources) engine: fn() -> Terraform,
    /// Hosts as they are before anything was applied.
    pub(in crate::resources) machines: fn() -> Arc<Machines<P>>,
    /// `ha_etcd_cluster`
    pub(in crate::resources) resource: &'static str,
    /// By which it is imported.
    pub(in crate::resources) id: &'static str,
    /// A line of what is on a host, as far as it is the same in each run.
    pub(in crate::resources) plain: fn(&str) -> String,
    /// What there is beside what is on hosts, in words.
    pub(in crate::resources) beside: fn(&Machines<P>) -> Vec<String>,
    /// Whether something that must never happen may happen at the end of it all.
    pub(in crate::resources) may_end_so: fn(&str) -> bool,
    /// How many kills and how many failures are tried at most, but with `SWEEP=every`.
    pub(in crate::resources) most: usize,
}

/// What happens in the end, and to what.
pub(in crate::resources) struct Story<P: 'static> {
    pub(in crate::resources) cast: &'static Cast<P>,
    /// Wishes that were fulfilled before.
    pub(in crate::resources) before: Vec<Json>,
    /// What happened to the hosts since then, behind the back of the provider.
    pub(in crate::resources) event: fn(&Machines<P>),
    /// The state was lost since then, and was brought back by one of the hosts.
    pub(in crate::resources) is_imported: bool,
    /// None: the end of it.
    pub(in crate::resources) last: Option<Json>,
}

impl<P: Play> Stage for Machines<P> {
    fn fakes(&self) -> HashMap<String, FakeHost> {
        Self::fakes(self)
    }
}

impl<P: Play> Story<P> {
    pub(in crate::resources) fn new(cast: &'static Cast<P>, before: &[Json], last: Json) -> Self {
        let (before, last) = (before.to_vec(), Some(last));
        Self { cast, before, event: |_| (), is_imported: false, last }
    }

    async fn begin(&self) -> (Moment<P>, Terraform) {
        let (machines, mut terraform) = ((self.cast.machines)(), (self.cast.engine)());
        for wish in &self.before {
            let done = terraform.apply(&machines, Some(wish)).await;
            done.unwrap_or_else(|why| panic!("before: {why}\n{}", history(&machines)));
        }
        assert_eq!(machines.breaches(), [""; 0]);
        (self.event)(&machines);
        machines.forgive();
        if self.is_imported {
            terraform = (self.cast.engine)();
            terraform.import(&machines, self.cast.id).await.unwrap();
        }
        (machines.moments().remove(0), terraform)
    }

    pub(in crate::resources) async fn sweep(self) {
        let (start, terraform) = self.begin().await;
        let (machines, mut engine) = (start.resume(), terraform.clone());
        machines.keep_moments();
        let done = engine.apply(&machines, self.last.as_ref()).await;
        done.unwrap_or_else(|why| panic!("undisturbed: {why}\n{}", history(&machines)));
        let mut moments = machines.moments();
        let expected = self.end("undisturbed", &machines, &mut engine).await;
        let mut seen = BTreeSet::new();

        moments.dedup_by_key(|it| it.picture());
        for (number, moment) in self.some(&moments, KILLS).enumerate() {
            let mut told = format!("killed before {:?}", moment.next);
            let (machines, mut engine) = (moment.resume(), terraform.clone());
            if let Some(failure) = failure(number) {
                machines.fails_after(number % 3, failure.clone());
                let done = engine
                    .goes_on(&machines, self.last.as_ref(), (self.cast.resource, self.cast.id))
                    .await;
                told = format!("{told}, then {failure:?} at change {}, then {done:?}", number % 3);
            }
            if self.is_new(&told, &mut seen, &machines, &engine) {
                self.again(&told, &machines, &mut engine, &expected).await;
            }
        }
        let changes: Vec<_> = (0..machines.changes().len()).collect();
        for (number, change) in self.some(&changes, FAILURES).enumerate() {
            let Some(failure) = failure(1 + number % 3) else { continue };
            let (machines, mut engine) = (start.resume(), terraform.clone());
            machines.fails_after(*change, failure.clone());
            let done = engine
                .goes_on(&machines, self.last.as_ref(), (self.cast.resource, self.cast.id))
                .await;
            let what = machines.changes().get(*change).cloned();
            let told = format!("{failure:?} at {what:?}, then {done:?}");
            if self.is_new(&told, &mut seen, &machines, &engine) {
                self.again(&told, &machines, &mut engine, &expected).await;
            }
        }
    }

    /// As many as may be tried at this run of the tests, evenly spread.
    fn some<'a, T>(
        &self,
        all: &'a [T],
        usual: usize,
    ) -> impl Iterator<Item = &'a T> + use<'a, T, P> {
        let most = match std::env::var("SWEEP").as_deref() {
            Ok("every") => usize::MAX,
            Ok("all") => self.cast.most,
            _ => usual,
        };
        let step = all.len().div_ceil(most);
        all.iter().step_by(step.max(1))
    }

    /// Whether no run before has left everything as it is now.
    fn is_new(
        &self,
        told: &str,
        seen: &mut BTreeSet<Vec<u8>>,
        machines: &Machines<P>,
        engine: &Terraform,
    ) -> bool {
        self.breaks_nothing(told, machines);
        machines.picture().is_none_or(|it| {
            seen.insert(Sha256::digest(format!("{it} {:?}", engine.stored)).to_vec())
        })
    }

    fn breaks_nothing(&self, told: &str, machines: &Machines<P>) {
        let mut breaches = machines.breaches();
        breaches.retain(|it| self.last.is_some() || !(self.cast.may_end_so)(it));
        assert_eq!(breaches, [""; 0], "{told}\n{}", history(machines));
    }

    /// The next run brings it to its end.
    async fn again(
        &self,
        told: &str,
        machines: &Arc<Machines<P>>,
        engine: &mut Terraform,
        expected: &[String],
    ) {
        let done =
            engine.goes_on(machines, self.last.as_ref(), (self.cast.resource, self.cast.id)).await;
        done.unwrap_or_else(|why| panic!("{told}, then {why}\n{}", history(machines)));
        let found = self.end(told, machines, engine).await;
        same_end(told, &found, expected, &history(machines));
    }

    /// All that there is, without what chance has chosen.
    async fn end(
        &self,
        told: &str,
        machines: &Arc<Machines<P>>,
        engine: &mut Terraform,
    ) -> Vec<String> {
        self.breaks_nothing(told, machines);
        let is_content = engine.is_content(machines, self.last.as_ref()).await;
        assert!(is_content, "{told}: the plan is not empty\n{}", history(machines));
        let plain = |it: &str| without_chance(&(self.cast.plain)(it));
        let on_hosts = machines.hosts.iter();
        let mut end: Vec<String> = on_hosts
            .flat_map(|(at, host)| {
                host.contents().into_iter().map(move |it| plain(&format!("{at} {it}")))
            })
            .collect();
        end.sort();
        end.dedup();
        end.extend((self.cast.beside)(machines));
        end.extend(engine.in_words());
        end
    }
}

/// One way after the other; at the first nothing fails.
fn failure(number: usize) -> Option<Failure> {
    match number % 4 {
        0 => None,
        1 => Some(Failure::LostBefore),
        2 => Some(Failure::LostAfter),
        _ => Some(Failure::Refused("no".to_owned())),
    }
}

fn history<P: Play>(machines: &Machines<P>) -> String {
    let changes = machines.changes().join("\n  ");
    format!("changes:\n  {changes}\nends: {:#?}", machines.ends())
}

//! The whole of it on hosts in memory: whatever change fails, and however, the next run comes to the same end, nothing is
//! tainted, and nothing that was not asked for leaves.
//!
//! The provider is killed before each change, which is after the one before it too: the next run goes on from a copy of
//! everything as it was at that moment. In most of those runs one of the first changes fails as well. And each change
//! fails once in a run that nobody kills. A change fails in three ways, in turn: the connection is lost before it, or
//! after it, or it is refused.
//!
//! Where one run leaves everything as another has left it, the next comes to the same end: that is tried once.
//!
//! That takes minutes. So only some of the changes are tried at each run of the tests, and all with `SWEEP=all`.

mod stories;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::actions::etcd::fake::{Machines, Moment};
use crate::host::fake::{Failure, FakeHost};
use crate::resources::etcd_cluster::EtcdCluster;
use crate::resources::trial::{Outcome, Stage, Terraform, some, without_chance};
use crate::tfplugin::api::erase_resource;

/// How the provider reaches each host.
const HOSTS: [&str; 6] =
    ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6"];

/// How many kills and failures are tried in a story.
const KILLS: usize = 3;
const FAILURES: usize = 2;

/// What happens in the end, and to what.
struct Story {
    /// Wishes that were fulfilled before.
    before: Vec<Json>,
    /// What happened to the hosts since then, behind the back of the provider.
    event: fn(&Machines),
    /// The state was lost since then, and was brought back by one of the hosts.
    is_imported: bool,
    /// None: the end of the cluster.
    last: Option<Json>,
}

/// Versions of etcd that can be had.
const VERSIONS: [&str; 4] = ["3.5.33", "3.6.14", "3.6.16", "3.7.1"];

fn new_engine() -> Terraform {
    let digest = |version: &&str| {
        (format!("etcd-v{version}-linux-amd64.tar.gz"), Json::from("a".repeat(64)))
    };
    let checksums: serde_json::Map<_, _> = VERSIONS.iter().map(digest).collect();
    let provider = json!({"artifacts": {"checksums": checksums}});
    Terraform::new(erase_resource(EtcdCluster), provider)
}

impl Stage for Machines {
    fn fakes(&self) -> HashMap<String, FakeHost> {
        Self::fakes(self)
    }
}

/// A wish for members as in "a1 b2 c3@9": the key, its host, and the last number of its address where that is another.
fn wish(members: &str, more: Json) -> Json {
    let member = |it: &str| {
        let (key, rest) = it.split_at(1);
        let (host, at) = rest.split_once('@').unwrap_or((rest, rest));
        let address = HOSTS[host.parse::<usize>().unwrap() - 1];
        (key.to_owned(), json!({"host": {"address": address}, "address": format!("10.0.0.{at}")}))
    };
    let members: serde_json::Map<_, _> = members.split(' ').map(member).collect();
    let mut wish = json!({
        "name": "prod", "version": "3.6.16", "members": members, "deletion_protection": false,
    });
    if let (Some(wish), Json::Object(more)) = (wish.as_object_mut(), more) {
        wish.extend(more);
    }
    wish
}

impl Story {
    fn new(before: &[Json], last: Json) -> Self {
        let (before, last) = (before.to_vec(), Some(last));
        Self { before, event: |_| (), is_imported: false, last }
    }

    async fn begin(&self) -> (Moment, Terraform) {
        let (machines, mut terraform) = (Machines::new(&HOSTS), new_engine());
        for wish in &self.before {
            terraform.apply(&machines, Some(wish)).await.unwrap();
        }
        assert_eq!(machines.breaches(), [""; 0]);
        (self.event)(&machines);
        machines.forgive();
        if self.is_imported {
            terraform = new_engine();
            terraform.import(&machines, &id()).await.unwrap();
        }
        (machines.moments().remove(0), terraform)
    }

    async fn sweep(self) {
        let (start, terraform) = self.begin().await;
        let (machines, mut engine) = (start.resume(), terraform.clone());
        machines.keep_moments();
        let done = engine.apply(&machines, self.last.as_ref()).await;
        done.unwrap_or_else(|why| panic!("undisturbed: {why}\n{}", history(&machines)));
        let mut moments = machines.moments();
        let expected = self.end("undisturbed", &machines, &mut engine).await;
        let mut seen = BTreeSet::new();

        moments.dedup_by_key(|it| it.picture());
        for (number, moment) in some(&moments, KILLS).enumerate() {
            let mut told = format!("killed before {:?}", moment.next);
            let (machines, mut engine) = (moment.resume(), terraform.clone());
            if let Some(failure) = failure(number) {
                machines.fails_after(number % 3, failure.clone());
                let done = self.goes_on(&machines, &mut engine).await;
                told = format!("{told}, then {failure:?} at change {}, then {done:?}", number % 3);
            }
            if self.is_new(&told, &mut seen, &machines, &engine) {
                self.again(&told, &machines, &mut engine, &expected).await;
            }
        }
        let changes: Vec<_> = (0..machines.changes().len()).collect();
        for (number, change) in some(&changes, FAILURES).enumerate() {
            let Some(failure) = failure(1 + number % 3) else { continue };
            let (machines, mut engine) = (start.resume(), terraform.clone());
            machines.fails_after(*change, failure.clone());
            let done = self.goes_on(&machines, &mut engine).await;
            let what = machines.changes().get(*change).cloned();
            let told = format!("{failure:?} at {what:?}, then {done:?}");
            if self.is_new(&told, &mut seen, &machines, &engine) {
                self.again(&told, &machines, &mut engine, &expected).await;
            }
        }
    }

    /// An apply, and an import where it asks for one: the cluster was complete, and only the state did not know it.
    async fn goes_on(&self, machines: &Machines, engine: &mut Terraform) -> Outcome {
        let done = engine.apply(machines, self.last.as_ref()).await;
        if let (None, true, Err(why)) = (&engine.stored, self.last.is_some(), &done)
            && why.contains(&format!("`terraform import ha_etcd_cluster.NAME {}`", id()))
        {
            engine.import(machines, &id()).await.unwrap();
            return engine.apply(machines, self.last.as_ref()).await;
        }
        done
    }

    /// Whether no run before has left everything as it is now.
    fn is_new(
        &self,
        told: &str,
        seen: &mut BTreeSet<Vec<u8>>,
        machines: &Machines,
        engine: &Terraform,
    ) -> bool {
        self.breaks_nothing(told, machines);
        machines.picture().is_none_or(|it| {
            seen.insert(Sha256::digest(format!("{it} {:?}", engine.stored)).to_vec())
        })
    }

    fn breaks_nothing(&self, told: &str, machines: &Machines) {
        let mut breaches = machines.breaches();
        // At the end of a cluster there is no quorum to keep.
        breaches.retain(|it| self.last.is_some() || !it.ends_with("stops"));
        assert_eq!(breaches, [""; 0], "{told}\n{}", history(machines));
    }

    /// The next run brings it to its end.
    async fn again(
        &self,
        told: &str,
        machines: &Arc<Machines>,
        engine: &mut Terraform,
        expected: &[String],
    ) {
        let done = self.goes_on(machines, engine).await;
        done.unwrap_or_else(|why| panic!("{told}, then {why}\n{}", history(machines)));
        let found = self.end(told, machines, engine).await;
        let only = |those: &[String], others: &[String]| {
            let only = those.iter().filter(|it| !others.contains(it));
            only.map(|it| format!("\n  {it}")).collect::<Vec<_>>().concat()
        };
        assert!(
            found == expected,
            "{told}:\nonly now:{}\nonly undisturbed:{}\n{}",
            only(&found, expected),
            only(expected, &found),
            history(machines)
        );
    }

    /// All that there is, without what chance has chosen.
    async fn end(
        &self,
        told: &str,
        machines: &Arc<Machines>,
        engine: &mut Terraform,
    ) -> Vec<String> {
        self.breaks_nothing(told, machines);
        let is_content = engine.is_content(machines, self.last.as_ref()).await;
        assert!(is_content, "{told}: the plan is not empty\n{}", history(machines));
        let mut end: Vec<String> = HOSTS
            .iter()
            .flat_map(|at| {
                let contents = machines.host(at).contents().into_iter();
                contents.map(move |it| {
                    if it.contains("/snapshots/") {
                        // How many there are, and who was asked, depends on how often it was begun.
                        return "there is a snapshot".to_owned();
                    }
                    format!("{at} {}", without_chance(&it))
                })
            })
            .collect();
        end.sort();
        end.dedup();
        for members in machines.clusters().into_values() {
            let mut members: Vec<_> = members.into_iter().map(|it| it.2).collect();
            members.sort();
            end.push(members.join(", "));
        }
        if let Some(stored) = &engine.stored {
            let mut private: Json = serde_json::from_slice(&stored.private).unwrap();
            // The plan of a run that goes on has less to announce.
            private["announced"] = Json::Null;
            end.push(without_chance(&format!("beside the state: {private}")));
            let state = stored.state.entries().into_iter().flatten();
            end.extend(state.map(|(name, it)| without_chance(&format!("{name} = {it:?}"))));
        }
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

/// By which the cluster is imported.
fn id() -> String {
    format!("prod@{}", HOSTS[0])
}

fn history(machines: &Machines) -> String {
    let changes = machines.changes().join("\n  ");
    format!("changes:\n  {changes}\nends: {:#?}", machines.ends())
}

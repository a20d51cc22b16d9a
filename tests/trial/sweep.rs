//! The whole of it on hosts in memory: whatever call fails, and however, the next run comes to the same end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use terraform_provider_ha::domain::Kind;
use terraform_provider_ha::engine::record::Claim;
use terraform_provider_ha::engine::{Announced, Backoff, Fleet, Run, Stopped, converge};
use terraform_provider_ha::host::fake::{Failure, FakeHost};
use terraform_provider_ha::host::{Hosts, Target, Way};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actions::{KIND, Place, Trial};
use crate::domain::{Desired, Node};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What is wished for: the nodes, the version, the message.
#[derive(Clone, Copy)]
struct Wish(&'static [&'static str], &'static str, &'static str);

fn place(number: usize, Wish(_, version, message): Wish) -> Place {
    Place {
        name: "hello".to_owned(),
        root: String::new(),
        address: format!("10.0.0.{number}:7070"),
        version: version.to_owned(),
        message: message.to_owned(),
    }
}

/// A fresh host, with the program as it would behave.
fn host(number: usize) -> FakeHost {
    let host = FakeHost::new(NAMES[number]);
    let address = format!("10.0.0.{number}:7070");
    host.listen(&address, "trial-hello.service", |it| {
        let text = |path| String::from_utf8(it.file(path).unwrap_or_default()).unwrap();
        let unit = text("/etc/systemd/system/trial-hello.service");
        let version = if unit.contains("/trial/2/") { "2" } else { "1" };
        format!("{version} {}", text("/etc/trial-hello/message"))
    });
    host
}

/// One run by a process of its own; what stopped it.
async fn run(hosts: &[FakeHost], wish: Wish, id: Option<&str>, retries: u32) -> Option<Stopped> {
    let pool = Arc::new(Hosts::new("anna".to_owned(), None));
    let all = NAMES.into_iter().zip(hosts).enumerate();
    let target = |(_, (name, host)): (usize, (&str, &FakeHost))| {
        let way = Way::Fake(host.clone());
        (name.to_owned(), Target { name: name.parse().unwrap(), way })
    };
    let mut fleet = Fleet::new(pool, all.clone().map(target).collect(), "trial-hello");
    let by = Instant::now() + Duration::from_mins(2);
    if let Err(stopped) = fleet.lock(&BTreeSet::new(), by).await {
        return Some(stopped);
    }
    let places: BTreeMap<_, _> =
        all.map(|(number, (name, _))| (name.to_owned(), place(number, wish))).collect();
    let node = |it: &&str| ((*it).to_owned(), Node { line: places[*it].line() });
    let desired = Desired { name: "hello".to_owned(), nodes: wish.0.iter().map(node).collect() };
    let claim = Claim {
        kind: KIND.to_owned(),
        name: "hello".to_owned(),
        id: id.map(str::to_owned),
        given: Some("trial-hello".to_owned()),
    };
    let mut announced = Announced::default();
    announced.add(Kind::Remove, NAMES);
    let mut world = Trial {
        fleet: &mut fleet,
        desired,
        places,
        claim,
        id: "trial-hello".to_owned(),
        program: b"program".to_vec(),
    };
    let cancelled = CancellationToken::new();
    let run = Run { by, cancelled, announced, backoff: Backoff::seeded(1), retries };
    converge(&mut world, &run).await.stopped
}

/// Wishes one after the other; the last is where something goes wrong.
const STORIES: [&[Wish]; 4] = [
    &[Wish(&["a", "b", "c"], "1", "good morning")],
    &[Wish(&["a", "b"], "1", "good morning"), Wish(&["a", "b", "c"], "2", "good evening")],
    &[Wish(&["a", "b", "c"], "1", "good morning"), Wish(&["b"], "1", "good night")],
    &[Wish(&["a", "b", "c"], "1", "good morning"), Wish(&[], "1", "good morning")],
];

async fn before(story: &[Wish]) -> Vec<FakeHost> {
    let hosts: Vec<_> = (0..NAMES.len()).map(host).collect();
    let mut id = None;
    for wish in &story[..story.len() - 1] {
        let stopped = run(&hosts, *wish, id, 0).await;
        assert!(stopped.is_none(), "{stopped:?}");
        id = Some("trial-hello");
    }
    hosts
}

fn contents(hosts: &[FakeHost]) -> Vec<Vec<String>> {
    hosts.iter().map(FakeHost::contents).collect()
}

/// Every call of the last wish fails once, on every host, in every way that makes a difference.
async fn sweep(story: &[Wish]) {
    let last = story[story.len() - 1];
    let id = (1 < story.len()).then_some("trial-hello");
    let hosts = before(story).await;
    let calls: Vec<_> = hosts.iter().map(|it| it.transcript().len()).collect();
    let stopped = run(&hosts, last, id, 0).await;
    assert!(stopped.is_none(), "{stopped:?}");
    let expected = contents(&hosts);
    let calls: Vec<_> =
        hosts.iter().zip(calls).map(|(it, before)| it.transcript().len() - before).collect();
    assert!(calls.iter().sum::<usize>() > 5, "{calls:?}");

    for (number, calls) in calls.into_iter().enumerate() {
        for call in 0..calls {
            for failure in
                [Failure::LostBefore, Failure::LostAfter, Failure::Refused("no".to_owned())]
            {
                let told = format!("host {number}, call {call}, {failure:?}");
                let hosts = before(story).await;
                hosts[number].fails_after(call, failure.clone());
                let is_lost = !matches!(failure, Failure::Refused(_));
                // What is lost is looked at again in the same run, if it may be.
                let retries = if number == 1 { 3 } else { 0 };
                let stopped = run(&hosts, last, id, retries).await;
                if number == 1 {
                    assert_eq!(stopped.is_none(), is_lost, "{told}: {stopped:?}");
                } else {
                    // What was lost after the last call is seen to be done.
                    assert!(stopped.is_some() || failure == Failure::LostAfter, "{told}");
                }
                let stopped = run(&hosts, last, id, 0).await;
                assert!(stopped.is_none(), "{told}: {stopped:?}");
                assert_eq!(contents(&hosts), expected, "{told}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_at_any_call_is_finished_by_the_next() {
    sweep(STORIES[0]).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_fails_at_any_call_is_finished_by_the_next() {
    sweep(STORIES[1]).await;
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_fails_at_any_call_is_finished_by_the_next() {
    sweep(STORIES[2]).await;
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_fails_at_any_call_is_finished_by_the_next() {
    sweep(STORIES[3]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_broken_is_mended_and_what_is_fine_is_let_be() {
    let wish = Wish(&["a", "b", "c"], "1", "good morning");
    let hosts = before(&[wish, wish]).await;
    let expected = contents(&hosts);
    let calls =
        |hosts: &[FakeHost]| -> usize { hosts.iter().map(|it| it.transcript().len()).sum() };
    let before = calls(&hosts);
    assert!(run(&hosts, wish, Some("trial-hello"), 0).await.is_none());
    assert_eq!(calls(&hosts), before);

    hosts[0].crash("trial-hello.service");
    hosts[1].edit("/etc/trial-hello/message", b"something else");
    hosts[2].rebuild("another machine");
    let stopped = run(&hosts, wish, Some("trial-hello"), 0).await;
    assert!(matches!(stopped, Some(Stopped::TimedOut { .. })), "{stopped:?}");
    // The new machine has no program that answers; with one, all is well.
    let fresh = [hosts[0].clone(), hosts[1].clone(), host(2)];
    assert!(run(&fresh, wish, Some("trial-hello"), 0).await.is_none());
    assert_eq!(contents(&fresh), expected);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_seen_stops_all_that_is_new() {
    let wish = Wish(&["a", "b", "c"], "1", "good morning");
    let hosts = before(&[wish]).await;
    hosts[1].set_silent(true);
    let stopped = run(&hosts, wish, None, 0).await;
    assert!(matches!(stopped, Some(Stopped::Refused(_))), "{stopped:?}");
    assert_eq!(hosts.iter().map(|it| it.transcript().len()).sum::<usize>(), 0);
}

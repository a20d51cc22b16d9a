//! What holds for the loop on every fleet, whatever goes wrong.
#![expect(clippy::disallowed_methods, reason = "a test measures paused time")]

use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tokio::runtime;
use tokio::time::{Instant, timeout};

use super::fake::{Fault, Fleet};
use super::tests::{AMPLE, end, run_with, undisturbed};
use super::{Stopped, converge};

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::Unreachable),
        Just(Fault::Lost { has_happened: true }),
        Just(Fault::Lost { has_happened: false }),
        Just(Fault::Failed),
    ]
}

/// A fleet of any size and stage, and calls that go wrong at any place.
fn any_fleet() -> impl Strategy<Value = Fleet> {
    let stages =
        vec(prop::sample::select(vec!["", "", "prepared", "joined", "up", "-up", "-joined"]), 0..5);
    let faults = || btree_map(0_usize..24, fault(), 0..6);
    (stages, faults(), faults(), 0_u32..4, any::<bool>()).prop_map(
        |(stages, faults, blind, slowness, is_hasty)| {
            let words = stages.iter().zip(["a", "b", "c", "d"]).map(|(stage, name)| {
                stage
                    .strip_prefix('-')
                    .map_or(format!("{name}:{stage}"), |it| format!("-{name}:{it}"))
            });
            let text = words.collect::<Vec<_>>().join(" ");
            Fleet { slowness, faults, blind, is_hasty, ..Fleet::parse(&text) }
        },
    )
}

fn broken() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "rivals",
        "useless:join",
        "useless:start",
        "useless:remove",
        "e:starting",
        "e:foreign",
    ])
    .prop_map(str::to_owned)
}

fn in_paused_time<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

proptest! {
    #[test]
    fn repeated_runs_reach_every_goal_and_no_step_is_repeated_blindly(
        fleet in any_fleet(),
        retries in 0_u32..3,
        life in 0_u64..20_000,
    ) {
        in_paused_time(async move {
            let mut healthy = fleet.clone();
            healthy.faults.clear();
            healthy.blind.clear();
            let goal = undisturbed(&healthy).await;
            let mut fleet = fleet;
            // The first run dies at any moment; each later one meets at least one of at most twelve faults.
            let life = Duration::from_millis(life);
            let _ = timeout(life, converge(&mut fleet, &run_with(AMPLE, retries))).await;
            for _ in 0..13 {
                let converged = converge(&mut fleet, &run_with(AMPLE, retries)).await;
                prop_assert!(!fleet.is_joined_twice(), "{:?}", fleet.transcript);
                if converged.stopped.is_none() {
                    prop_assert_eq!(&fleet.hosts, &goal);
                    return Ok(());
                }
            }
            prop_assert!(false, "13 runs did not suffice: {:?}", fleet.transcript);
            Ok(())
        })?;
    }

    #[test]
    fn every_run_ends_in_time_whatever_is_broken(fleet in any_fleet(), quirk in broken(), limit in 1_u64..120) {
        in_paused_time(async move {
            let other = Fleet::parse(&quirk);
            let mut fleet = fleet;
            fleet.hosts.extend(other.hosts);
            fleet.wanted.extend(other.wanted);
            (fleet.are_rivals, fleet.useless) = (other.are_rivals, other.useless);
            let (began, limit) = (Instant::now(), Duration::from_secs(limit));
            let converged = converge(&mut fleet, &run_with(limit, 2)).await;
            // The step that had begun, and the last look.
            prop_assert!(began.elapsed() <= limit + Duration::from_millis(1_200));
            prop_assert!(!fleet.is_joined_twice(), "{:?}", fleet.transcript);
            // Nobody cancels here, and all removals were announced.
            let is_other =
                matches!(converged.stopped, Some(Stopped::Cancelled { .. } | Stopped::NotAnnounced { .. }));
            prop_assert!(!is_other, "{}", end(&converged));
            if quirk == "e:foreign" {
                prop_assert!(converged.steps.is_empty());
            }
            Ok(())
        })?;
    }
}

//! The loop on fleets in memory: what it does, and what it does when something goes wrong at any moment.
#![expect(clippy::disallowed_methods, reason = "a test measures paused time")]

use std::error::Error as _;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fake::{self, Fault, Fleet, Foreign, Hosts};
use super::*;
use crate::domain::Kind;

/// Long enough for every fleet here, in the time of the test.
pub(super) const AMPLE: Duration = Duration::from_mins(10);

pub(super) fn run_with(limit: Duration, retries: u32) -> Run {
    let mut announced = Announced::default();
    announced.add(Kind::Remove, ["a", "b", "c", "d"]);
    Run {
        by: Instant::now() + limit,
        cancelled: CancellationToken::new(),
        announced,
        backoff: Backoff::seeded(1),
        retries,
    }
}

async fn ample(fleet: &mut Fleet) -> Converged<Hosts, fake::Step> {
    let run = run_with(AMPLE, 3);
    converge(fleet, &run).await
}

/// The end of a run: the chain of what stopped it, or "done".
pub(super) fn end(converged: &Converged<Hosts, fake::Step>) -> String {
    let Some(stopped) = &converged.stopped else { return "done".to_owned() };
    let source = stopped.source().map(|it| format!(": {it}"));
    format!("{stopped}{}", source.unwrap_or_default())
}

fn steps(converged: &Converged<Hosts, fake::Step>) -> Vec<String> {
    converged.steps.iter().map(|it| it.step.to_string()).collect()
}

async fn check(fleet: &str, expected_steps: &[&str], expected_end: &str) {
    let mut world = Fleet::parse(fleet);
    let converged = ample(&mut world).await;
    assert_eq!(steps(&converged), expected_steps, "{fleet}");
    assert_eq!(end(&converged), expected_end, "{fleet}");
    assert_eq!(converged.observed, Some(world.hosts), "{fleet}");
}

#[tokio::test(start_paused = true)]
async fn one_loop_creates_continues_mends_and_finds_nothing_to_do() {
    check("a: b:", &["prepare a", "join a", "start a", "prepare b", "join b", "start b"], "done")
        .await;
    check("a:up b:joined", &["start b"], "done").await;
    check("a:up -b:up", &["remove b"], "done").await;
    check("a:up b:up", &[], "done").await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_planner_stops_and_can_be_told_from_others() {
    check("a: b:foreign", &[], "it is not safe to go on: b holds the data of somebody else").await;
    let converged = ample(&mut Fleet::parse("b:foreign")).await;
    let Some(Stopped::Refused(source)) = converged.stopped else { panic!("not refused") };
    assert_eq!(source.downcast_ref(), Some(&Foreign("b".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_step_without_effect_is_not_repeated() {
    let end = "it did not help to join a: it succeeded, and it is needed again";
    check("a:prepared useless:join", &["join a"], end).await;
}

#[tokio::test(start_paused = true)]
async fn steps_that_undo_each_other_are_given_up() {
    let converged = ample(&mut Fleet::parse("a:joined b:joined rivals")).await;
    let text = "it did not help to start a: it succeeded 5 times, and it is needed again";
    assert_eq!((end(&converged).as_str(), converged.steps.len()), (text, 10));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_time_limit_and_says_what_for() {
    let mut fleet = Fleet::parse("a:starting");
    let began = Instant::now();
    let converged = ample(&mut fleet).await;
    assert_eq!(end(&converged), "the time limit passed, waiting for a to come up");
    // The last look takes 0.1 s.
    assert_eq!(began.elapsed(), AMPLE + Duration::from_millis(100));
    // It looks often at first, and then every few seconds.
    assert!((120..260).contains(&fleet.looks), "{} looks", fleet.looks);
}

#[tokio::test(start_paused = true)]
async fn what_came_about_in_the_last_moment_counts() {
    // The look at 1.2 s finds it on its way; the limit cuts the pause after it; the last look finds it up.
    let mut fleet = Fleet::parse("a:joined");
    let converged = converge(&mut fleet, &run_with(Duration::from_millis(1_250), 3)).await;
    assert_eq!((end(&converged).as_str(), fleet.looks), ("done", 3));
    assert_eq!(converged.observed, Some(fleet.hosts));
}

#[tokio::test(start_paused = true)]
async fn no_step_begins_after_the_time_limit_and_what_was_done_is_told() {
    let mut fleet = Fleet::parse("a:");
    let run = run_with(Duration::from_millis(1_150), 3);
    let converged = converge(&mut fleet, &run).await;
    assert_eq!(steps(&converged), ["prepare a"]);
    assert_eq!(
        end(&converged),
        "the time limit passed, waiting for the hosts to tell what there is"
    );
    assert!(converged.observed.unwrap()["a"].is_prepared);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_ends_with_the_time_limit_is_followed_by_no_step() {
    let mut fleet = Fleet { duration: Duration::ZERO, ..Fleet::parse("a:") };
    let converged = converge(&mut fleet, &run_with(Duration::ZERO, 3)).await;
    let text = "the time limit passed, waiting for the turn of this step: prepare a";
    assert_eq!((end(&converged).as_str(), fleet.calls), (text, 0));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_not_announced_stops() {
    let mut fleet = Fleet::parse("a:joined -b:up -c:up");
    let mut run = run_with(AMPLE, 3);
    run.announced = Announced::by(&[fake::Step::Remove("b".to_owned())]);
    let converged = converge(&mut fleet, &run).await;
    assert_eq!(steps(&converged), ["start a", "remove b"]);
    let text = "the plan announced no removal, and it is necessary to remove c: plan again";
    assert_eq!(end(&converged), text);
    assert_eq!(converged.observed.unwrap()["c"].joined, 1);
}

#[tokio::test(start_paused = true)]
async fn steps_are_timed() {
    let converged = ample(&mut Fleet::parse("a:prepared")).await;
    assert!(converged.steps.iter().all(|it| it.took == Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_is_met_in_its_own_way() {
    let check = async |fault, count: usize, expected: &str, calls| {
        let mut fleet = Fleet::parse("a:prepared");
        fleet.faults = (0..count).map(|it| (it, fault)).collect();
        let converged = ample(&mut fleet).await;
        assert_eq!((end(&converged).as_str(), fleet.calls), (expected, calls), "{fault:?} {count}");
        assert_eq!(converged.observed.as_ref(), Some(&fleet.hosts));
        assert!(!fleet.is_joined_twice());
    };
    check(Fault::Unreachable, 3, "done", 5).await;
    check(Fault::Unreachable, 9, "cannot join a: b: cannot be reached", 4).await;
    let failed = "cannot join a: b: cannot join a: no space left";
    check(Fault::Failed, 1, failed, 1).await;
    check(Fault::Lost { has_happened: true }, 1, "done", 2).await;
    check(Fault::Lost { has_happened: false }, 3, "done", 5).await;
    let lost = "cannot join a: b: lost the connection, having asked it to join a";
    check(Fault::Lost { has_happened: false }, 9, lost, 4).await;
}

#[tokio::test(start_paused = true)]
async fn each_step_has_its_own_retries() {
    let mut fleet = Fleet::parse("a:prepared");
    // Calls 0 to 2 and 4 to 6; call 3 joins, call 7 starts.
    fleet.faults = [0, 1, 2, 4, 5, 6].map(|it| (it, Fault::Unreachable)).into();
    let converged = ample(&mut fleet).await;
    assert_eq!((end(&converged).as_str(), fleet.calls), ("done", 8));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_followed_by_a_look_before_anything_else() {
    let mut fleet = Fleet::parse("a:prepared");
    fleet.slowness = 0;
    fleet.faults.insert(0, Fault::Lost { has_happened: false });
    ample(&mut fleet).await;
    let expected = [
        "look",
        "join a …",
        "… join a",
        "look",
        "join a …",
        "… join a",
        "look",
        "start a …",
        "… start a",
        "look",
    ];
    assert_eq!(fleet.transcript, expected);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_a_lost_one_may_have_undone_is_done_again() {
    // To start b stops a, and the answer is lost: a is started a second time, for it was not in vain.
    let mut fleet = Fleet::parse("a:joined b:joined rivals");
    fleet.faults.insert(1, Fault::Lost { has_happened: true });
    let converged = ample(&mut fleet).await;
    assert_eq!(steps(&converged)[..2], ["start a", "start a"]);
}

#[tokio::test(start_paused = true)]
async fn hosts_that_cannot_be_looked_at_are_tried_again_and_nothing_is_done_meanwhile() {
    let check = async |fault, count: usize, expected: &str| {
        let mut fleet = Fleet::parse("a:prepared");
        fleet.blind = (0..count).map(|it| (it, fault)).collect();
        let converged = ample(&mut fleet).await;
        assert_eq!(end(&converged), expected, "{fault:?} {count}");
        assert_eq!(fleet.calls == 0, expected != "done");
    };
    check(Fault::Unreachable, 3, "done").await;
    check(Fault::Lost { has_happened: true }, 3, "done").await;
    check(Fault::Unreachable, 9, "cannot look at the hosts: b: cannot be reached").await;
    let failed = "cannot look at the hosts: b: cannot tell the facts: no space left";
    check(Fault::Failed, 1, failed).await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_seen_since_the_last_step_is_not_told() {
    let mut fleet = Fleet::parse("a:prepared");
    fleet.blind = (1..20).map(|it| (it, Fault::Unreachable)).collect();
    let converged = ample(&mut fleet).await;
    assert_eq!(steps(&converged), ["join a"]);
    assert_eq!(converged.observed, None);
}

/// Everything that a run from here comes to when nothing goes wrong.
pub(super) async fn undisturbed(fleet: &Fleet) -> Hosts {
    let mut fleet = fleet.clone();
    assert_eq!(end(&ample(&mut fleet).await), "done");
    fleet.hosts
}

const STARTS: &[&str] = &["a: b:", "a:prepared b:joined -c:up", "a:up b:prepared -c:joined -d:up"];

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_at_any_step_a_new_run_comes_to_the_same_end() {
    for start in STARTS {
        let fleet = Fleet::parse(start);
        let goal = undisturbed(&fleet).await;
        for (k, has_happened, retries) in
            (0..8).flat_map(|k| [(k, true, 0), (k, false, 0), (k, true, 1), (k, false, 1)])
        {
            let mut fleet = fleet.clone();
            fleet.faults.insert(k, Fault::Lost { has_happened });
            let first = converge(&mut fleet, &run_with(AMPLE, retries)).await;
            assert!(retries == 0 || first.stopped.is_none(), "{start} {k}: {}", end(&first));
            let second = ample(&mut fleet).await;
            assert_eq!(end(&second), "done", "{start} {k} {has_happened}");
            assert_eq!(fleet.hosts, goal, "{start} {k} {has_happened}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_process_died_at_any_moment_a_new_run_comes_to_the_same_end() {
    for (start, is_hasty) in STARTS.iter().flat_map(|it| [(it, false), (it, true)]) {
        let fleet = Fleet { is_hasty, ..Fleet::parse(start) };
        let goal = undisturbed(&fleet).await;
        for moment in 0..40 {
            let mut fleet = fleet.clone();
            let life = Duration::from_millis(250 * moment);
            let _ = timeout(life, converge(&mut fleet, &run_with(AMPLE, 3))).await;
            assert_eq!(end(&ample(&mut fleet).await), "done", "{start} after {life:?}");
            assert_eq!(fleet.hosts, goal, "{start} after {life:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_between_steps_at_any_moment_and_tells_what_is() {
    for start in STARTS {
        let fleet = Fleet::parse(start);
        let goal = undisturbed(&fleet).await;
        let mut ends = std::collections::BTreeSet::new();
        for moment in 0..40 {
            let mut fleet = fleet.clone();
            let run = run_with(AMPLE, 3);
            let began = Instant::now();
            let cancel = async {
                sleep(Duration::from_millis(250 * moment)).await;
                run.cancelled.cancel();
            };
            let (converged, ()) = tokio::join!(converge(&mut fleet, &run), cancel);
            let late = began.elapsed().saturating_sub(Duration::from_millis(250 * moment));
            assert!(late <= Duration::from_millis(1_200), "{start} {moment}: {late:?} late");
            let calls = fleet.transcript.iter().filter(|it| it.ends_with(" …")).count();
            assert_eq!(converged.steps.len(), calls, "{start} {moment}: a step was cut");
            assert_eq!(converged.observed.as_ref(), Some(&fleet.hosts), "{start} {moment}");
            let expected = match steps(&converged).last() {
                None => "it was stopped before its first step".to_owned(),
                Some(step) => format!("it was stopped after this step: {step}"),
            };
            assert!(
                [expected, "done".to_owned()].contains(&end(&converged)),
                "{}",
                end(&converged)
            );
            ends.insert(end(&converged));
            assert_eq!(end(&ample(&mut fleet).await), "done");
            assert_eq!(fleet.hosts, goal, "{start} {moment}");
        }
        // Before the first step, after each of the others, and not at all.
        assert!(3 <= ends.len(), "{ends:?}");
    }
}

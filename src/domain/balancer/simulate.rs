//! The promise of the planner, on pretend fleets. Hosts fall silent and die, files are edited, answers are lost, runs
//! break off, configurations do not come up, and the user edits the wish in between. Nothing heals by itself but what
//! systemd starts again.

mod bugs;
mod fleet;
mod perform;

use proptest::collection::vec;
use proptest::prelude::*;

use self::fleet::{Fault, Fleet, Outcome};
use super::*;
use crate::domain::Next;

/// Looks that a run has before its time is up.
const LOOKS: usize = 120;

/// Looks in a row after which waiting is given up.
const WAITS: usize = 6;

type Planner = fn(&Desired, &Observed) -> Next<Step, Refusal>;

/// What happens before a look: a fault, or how the next step goes.
#[derive(Clone, Debug)]
enum Event {
    Fault(Fault),
    Outcome(Outcome),
    /// The run ends here.
    Crash,
}

/// One run and what meets it.
#[derive(Clone, Debug)]
struct Run {
    /// What the user changes before it.
    edit: Option<fleet::Edit>,
    /// By the number of the look before which it comes.
    events: Vec<(usize, Event)>,
}

fn any_run() -> impl Strategy<Value = Run> {
    let event = prop_oneof![
        fleet::any_fault().prop_map(Event::Fault),
        fleet::any_outcome().prop_map(Event::Outcome),
        Just(Event::Crash),
    ];
    let events = vec((0..30_usize, event), 0..4);
    (prop::option::of(fleet::any_edit()), events).prop_map(|(edit, events)| Run { edit, events })
}

fn any_case() -> impl Strategy<Value = (bool, Vec<Run>)> {
    (any::<bool>(), vec(any_run(), 1..4))
}

/// How a run ended.
#[derive(Debug)]
enum End {
    Done,
    Refused(Refusal),
    NotAll,
}

/// One apply: looks and acts, as the engine does.
fn apply(fleet: &mut Fleet, run: &Run, planner: Planner) -> Result<End, String> {
    fleet.begin();
    let (mut waits, mut last) = (0, None);
    for at in 0..LOOKS {
        let mut outcome = Outcome::Whole;
        for (_, event) in run.events.iter().filter(|it| it.0 == at) {
            last = None;
            match event {
                Event::Fault(fault) => fleet.break_something(fault),
                Event::Outcome(next) => outcome = *next,
                Event::Crash => return Ok(End::NotAll),
            }
        }
        match planner(&fleet.desired, &fleet.look()) {
            Next::Done => {
                fleet.finish();
                return Ok(End::Done);
            }
            Next::Refuse(refusal) => return Ok(End::Refused(refusal)),
            Next::Wait(_) if waits == WAITS => return Ok(End::NotAll),
            Next::Wait(_) => {
                waits += 1;
                fleet.time_passes();
            }
            Next::Act(step) if last.as_ref() == Some(&step) => {
                return Err(format!("did not help: {step}"));
            }
            Next::Act(step) => {
                fleet.perform(&step, outcome).map_err(|fault| format!("{step}: {fault}"))?;
                waits = 0;
                last = (outcome == Outcome::Whole).then_some(step);
            }
        }
    }
    Err("it never ends".to_owned())
}

/// Runs with faults, then without: in the end all is as wished.
fn case(is_new: bool, runs: &[Run], planner: Planner) -> Result<(), String> {
    let calm = Run { edit: None, events: Vec::new() };
    let mut fleet = Fleet::new();
    if !is_new {
        let end = apply(&mut fleet, &calm, planner)?;
        if !matches!(end, End::Done) {
            return Err(format!("nothing went wrong, and it ends with {end:?}"));
        }
    }
    for run in runs {
        if let Some(edit) = &run.edit {
            fleet.edit(*edit);
        }
        apply(&mut fleet, run, planner)?;
    }
    fleet.heal();
    let mut ends = Vec::new();
    for _ in 0..4 {
        match apply(&mut fleet, &calm, planner)? {
            End::Done => {
                fleet.is_as_wished()?;
                let again = planner(&fleet.desired, &fleet.look());
                return if again == Next::Done { Ok(()) } else { Err(format!("{again:?}")) };
            }
            End::Refused(refusal) => ends.push(refusal.to_string()),
            End::NotAll => ends.push("too late".to_owned()),
        }
    }
    Err(format!("does not converge: {ends:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn every_balancer_converges_and_serves_meanwhile((is_new, runs) in any_case()) {
        let found = case(is_new, &runs, next);
        prop_assert!(found.is_ok(), "{}", found.unwrap_err());
    }
}

#[test]
fn a_plan_foretells_what_an_apply_without_faults_does() {
    let calm = Run { edit: None, events: Vec::new() };
    for edit in [None].into_iter().chain(fleet::Edit::ALL.iter().copied().map(Some)) {
        let mut fleet = Fleet::new();
        if let Some(edit) = edit {
            apply(&mut fleet, &calm, next).unwrap();
            fleet.edit(edit);
        }
        fleet.begin();
        let (mut believed, mut foretold) = (fleet.look(), Vec::new());
        while let Next::Act(step) = next(&fleet.desired, &believed) {
            believe(&fleet.desired, &mut believed, &step);
            foretold.push(step.to_string());
            assert!(foretold.len() < LOOKS, "{foretold:#?}");
        }
        let mut done = Vec::new();
        for _ in 0..LOOKS {
            match next(&fleet.desired, &fleet.look()) {
                Next::Act(step) => {
                    fleet.perform(&step, Outcome::Whole).unwrap();
                    done.push(step.to_string());
                }
                Next::Wait(_) => fleet.time_passes(),
                _ => break,
            }
        }
        assert_eq!(foretold, done, "{edit:?}");
    }
}

//! The promise of the planner, on a hundred thousand pretend fleets.
//!
//! Each case is a fleet, a wish, and a schedule: hosts fall silent, die, lose their data or are rebuilt, answers are
//! lost, runs break off, and the user edits the map in between. Nothing heals by itself. At its worst moment no step
//! may break what [`perform`] judges; and once the faults end, the fleet is as wished, or refused for a true reason.
//! A failure prints its seed.

mod bugs;
mod faults;
mod look;
mod perform;
mod world;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use self::perform::Outcome;
use self::world::World;
use super::*;
use crate::domain::chance::Rng;
use crate::domain::{Kind, Next, Step as _};

/// In all, over the tests that share them.
const CASES: u64 = 100_000;

/// Looks that a run has before its time is up.
const LOOKS: usize = 120;

/// Looks in a row after which waiting is given up: all that comes by itself has come before.
const WAITS: usize = 12;

/// Runs that a user tries once the faults have ended.
const CALM_RUNS: usize = 6;

type Planner = fn(&Desired, &Observed, &mut Option<Observed>) -> Next<Step, Refusal>;

fn planner(
    desired: &Desired,
    observed: &Observed,
    _: &mut Option<Observed>,
) -> Next<Step, Refusal> {
    next(desired, observed)
}

/// How a run ended.
#[derive(Debug)]
enum End {
    Done,
    Refused(Refusal),
    NotAnnounced,
    NoEffect(String),
    TimedOut,
    Crashed,
}

/// Tests that share the cases, so that they run side by side and none takes long.
const SHARES: u64 = 8;

macro_rules! shares {
    ($($name:ident $at:literal)*) => {$(
        #[test]
        fn $name() {
            share($at);
        }
    )*};
}

shares! {
    every_fleet_converges_or_is_refused_with_a_reason_1 0
    every_fleet_converges_or_is_refused_with_a_reason_2 1
    every_fleet_converges_or_is_refused_with_a_reason_3 2
    every_fleet_converges_or_is_refused_with_a_reason_4 3
    every_fleet_converges_or_is_refused_with_a_reason_5 4
    every_fleet_converges_or_is_refused_with_a_reason_6 5
    every_fleet_converges_or_is_refused_with_a_reason_7 6
    every_fleet_converges_or_is_refused_with_a_reason_8 7
}

fn share(at: u64) {
    let mut done = 0;
    for seed in at * CASES / SHARES..(at + 1) * CASES / SHARES {
        match case(seed, planner) {
            Ok(end) => done += u64::from(end == "done"),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
    }
    // A simulation in which nothing is ever reached would prove nothing.
    assert!(CASES / SHARES / 2 < done, "only {done} are as wished");
}

/// Bare hosts, and the same with the cluster that they become when nothing goes wrong.
static FORMED: LazyLock<Vec<(World, World)>> = LazyLock::new(|| {
    let starts = [1, 3, 3, 5].into_iter().flat_map(|size| [(size, 5, 35), (size, 6, 16)]);
    let worlds = starts.map(|(size, minor, patch)| {
        let bare = World::new(size, 7, Version::new(minor, patch));
        let mut formed = bare.clone();
        let end = run(&mut formed, &mut Rng(1), &mut 0, planner);
        assert!(matches!(end, Ok(End::Done)), "{end:?}");
        (bare, formed)
    });
    worlds.collect()
});

/// One fleet and its schedule. Says how it ended, or what was broken.
fn case(seed: u64, planner: Planner) -> Result<&'static str, String> {
    let mut rng = Rng((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let _ = (rng.below(2), rng.below(2), rng.below(2));
    let start = rng.below(FORMED.len());
    let (bare, formed) = &FORMED[start];
    let mut world = if rng.one_in(3) { bare.clone() } else { formed.clone() };
    let mut faults = rng.below(4);
    for _ in 0..rng.below(3) {
        if !rng.one_in(3) {
            world.edit(&mut rng);
        }
        run(&mut world, &mut rng, &mut faults, planner)?;
    }
    if let Ok(end) = calm(&mut world, &mut rng, planner)? {
        return Ok(end);
    }
    // What was refused for want of hosts must work once they are back.
    world.heal();
    calm(&mut world, &mut rng, planner)?.map_err(|refusal| format!("still refused: {refusal}"))
}

/// Runs without faults, until all is as wished or a refusal stays.
fn calm(
    world: &mut World,
    rng: &mut Rng,
    planner: Planner,
) -> Result<Result<&'static str, Refusal>, String> {
    let mut ends = Vec::new();
    for _ in 0..CALM_RUNS {
        match run(world, rng, &mut 0, planner)? {
            End::Done => {
                world.is_as_wished()?;
                let observed = world.look();
                let again = planner(&world.desired, &observed, &mut None);
                return if again == Next::Done {
                    Ok(Ok("done"))
                } else {
                    Err(format!("not done: {again:?}"))
                };
            }
            End::Refused(refusal) if world.explains(&refusal) => {
                return Ok(if world.is_final(&refusal) { Ok("refused") } else { Err(refusal) });
            }
            End::Refused(refusal) => return Err(format!("refused without reason: {refusal}")),
            // Nobody can tell a member that was removed from one that is needed, without a list.
            End::NoEffect(step)
                if step.starts_with("start etcd on") && world.living().is_none() =>
            {
                let refusal = Refusal::QuorumLost { healthy: 0, voters: 0, needed: 0 };
                return Ok(if world.is_final(&refusal) { Ok("refused") } else { Err(refusal) });
            }
            // Nor a vote that was noted from one that was given, when the one or the other was cut off.
            End::TimedOut if world.living().is_none() && world.has_noted_too_many_votes() => {
                return Ok(Ok("timed out"));
            }
            end => ends.push(format!("{end:?}")),
        }
    }
    if world.is_waiting_for_hosts() {
        return Ok(Err(Refusal::NothingInCommon));
    }
    Err(format!("does not converge: {ends:?}"))
}

/// One apply: plans, then looks and acts, as the engine does.
fn run(
    world: &mut World,
    rng: &mut Rng,
    faults: &mut usize,
    planner: Planner,
) -> Result<End, String> {
    world.done = Done::default();
    let mut memory = None;
    let mut at_plan = Some(world.look());
    let mut announced = BTreeSet::new();
    let new = world.is_new();
    let mut last: Option<Step> = None;
    let mut waits = 0;
    for _ in 0..LOOKS {
        if 0 < *faults && rng.one_in(6) {
            *faults -= 1;
            world.break_something(rng);
            last = None;
        }
        let observed = world.look();
        let step = match planner(&world.desired, &observed, &mut memory) {
            Next::Done => {
                world.finish();
                return Ok(End::Done);
            }
            Next::Refuse(refusal) => return Ok(End::Refused(refusal)),
            Next::Wait(_) if waits == WAITS => return Ok(End::TimedOut),
            Next::Wait(_) => {
                waits += 1;
                continue;
            }
            Next::Act(step) => step,
        };
        if last.as_ref() == Some(&step) {
            return Ok(End::NoEffect(step.to_string()));
        }
        // Worked out when it matters, from what was seen when the plan was made.
        if step.kind().is_destructive()
            && let Some(seen) = at_plan.take()
        {
            announced = announce(world, seen, &new, planner);
        }
        let is_fine = |it: &&str| announced.contains(&(step.kind(), (*it).to_owned()));
        if step.kind().is_destructive() && !step.hosts().iter().all(is_fine) {
            return Ok(End::NotAnnounced);
        }
        let is_unlucky = 0 < *faults && rng.one_in(5);
        let outcome = match rng.below(3) {
            _ if !is_unlucky => Outcome::Whole,
            0 => Outcome::Half,
            1 => Outcome::Nothing,
            _ => Outcome::Whole,
        };
        world.perform(&step, outcome)?;
        waits = 0;
        // After a lost answer only a new look can tell.
        last = (!is_unlucky).then_some(step);
        if is_unlucky && rng.one_in(3) {
            return Ok(End::Crashed);
        }
    }
    Ok(End::TimedOut)
}

/// What a plan tells that apply may destroy: what the forecast says, and the replacement of each member whose machine
/// is new.
fn announce(
    world: &World,
    mut observed: Observed,
    new: &[String],
    planner: Planner,
) -> BTreeSet<(Kind, String)> {
    let new = new.iter().flat_map(|it| [(Kind::Remove, it.clone()), (Kind::MoveAside, it.clone())]);
    let mut announced: BTreeSet<_> = new.collect();
    let mut last = None;
    for _ in 0..256 {
        let Next::Act(step) = planner(&world.desired, &observed, &mut None) else { break };
        if last.as_ref() == Some(&step) {
            break;
        }
        if step.kind().is_destructive() {
            announced.extend(step.hosts().iter().map(|it| (step.kind(), (*it).to_owned())));
        }
        believe(&world.desired, &mut observed, &step);
        last = Some(step);
    }
    announced
}

#[test]
fn a_plan_foretells_what_an_apply_without_faults_does() {
    for seed in 0..2_000 {
        let mut rng = Rng(((seed + 1) * 0x9e37_79b9) | 1);
        let mut world = World::new([1, 3, 5][rng.below(3)], 7, Version::new(5, 35));
        run(&mut world, &mut rng, &mut 0, planner).unwrap();
        world.edit(&mut rng);
        world.done = Done::default();
        let (mut believed, mut foretold, mut done) = (world.look(), Vec::new(), Vec::new());
        for _ in 0..200 {
            match next(&world.desired, &believed) {
                Next::Act(step) => {
                    believe(&world.desired, &mut believed, &step);
                    foretold.push(described(&step));
                }
                _ => break,
            }
        }
        for _ in 0..LOOKS {
            let observed = world.look();
            match next(&world.desired, &observed) {
                Next::Act(step) => {
                    world.perform(&step, Outcome::Whole).unwrap();
                    done.push(described(&step));
                }
                Next::Wait(_) => {}
                _ => break,
            }
        }
        assert_eq!(foretold, done, "seed {seed}");
    }
}

/// A step without the ids that nobody knows before.
fn described(step: &Step) -> String {
    step.to_string()
}

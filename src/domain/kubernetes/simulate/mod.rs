//! The promise of the planner, on thousands of pretend control planes.
//!
//! Each case is a fleet, a wish, and a schedule: hosts fall silent, die, lose their disks, processes end or hang, a new
//! version does not come up, answers are lost, runs break off, and the user edits the wish in between. Nothing heals by
//! itself. At its worst moment no step may break what [`perform`] judges; and once the faults end, all is as wished, or
//! refused for a true reason. A failure prints its seed.

mod bugs;
mod faults;
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
const CASES: u64 = 20_000;

/// Looks that a run has before its time is up.
const LOOKS: usize = 150;

/// Looks in a row after which waiting is given up: all that comes by itself has come before.
const WAITS: usize = 8;

/// Runs that a user tries once the faults have ended.
const CALM_RUNS: usize = 6;

type Planner = fn(&Desired, &Observed) -> Next<Step, Refusal>;

/// How a run ended.
#[derive(Debug)]
enum End {
    Done,
    Refused(Refusal),
    NotAnnounced,
    NoEffect(String),
    TimedOut(String),
    Crashed,
}

/// Tests that share the cases, so that they run side by side and none takes long.
const SHARES: u64 = 4;

macro_rules! shares {
    ($($name:ident $at:literal)*) => {$(
        #[test]
        fn $name() {
            share($at);
        }
    )*};
}

shares! {
    every_control_plane_converges_or_is_refused_with_a_reason_1 0
    every_control_plane_converges_or_is_refused_with_a_reason_2 1
    every_control_plane_converges_or_is_refused_with_a_reason_3 2
    every_control_plane_converges_or_is_refused_with_a_reason_4 3
}

fn share(at: u64) {
    let mut done = 0;
    for seed in at * CASES / SHARES..(at + 1) * CASES / SHARES {
        match case(seed, next) {
            Ok(end) => done += u64::from(end == "done"),
            Err(fault) => panic!("seed {seed}: {fault}"),
        }
    }
    // A simulation in which nothing is ever reached would prove nothing.
    assert!(CASES / SHARES / 2 < done, "only {done} are as wished");
}

/// Bare hosts, and the same with the control plane that they become when nothing goes wrong.
static FORMED: LazyLock<Vec<(World, World)>> = LazyLock::new(|| {
    let worlds = [1, 2, 3, 3, 5].map(|size| {
        let bare = World::new(size, 7, Version::new(34, 4));
        let mut formed = bare.clone();
        let end = run(&mut formed, &mut Rng(1), &mut 0, next);
        assert!(matches!(end, Ok(End::Done)), "{end:?}");
        (bare, formed)
    });
    worlds.into()
});

/// One fleet and its schedule. Says how it ended, or what was broken.
fn case(seed: u64, planner: Planner) -> Result<&'static str, String> {
    let mut rng = Rng((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let _ = (rng.below(2), rng.below(2), rng.below(2));
    let (bare, formed) = &FORMED[rng.below(FORMED.len())];
    let mut world = if rng.one_in(3) { bare.clone() } else { formed.clone() };
    if !world.is_known && rng.one_in(20) {
        world.data = Some(KeysId("of others".to_owned()));
    }
    // The bundle of what lies in etcd, whoever has put it there.
    if rng.one_in(3) {
        world.recovery.clone_from(&world.data);
        if world.is_known && rng.one_in(2) {
            world.lose_keys(&mut rng);
        }
    }
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
    // What was refused for want of hosts, or of programs that work, must go on once they are back.
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
                let again = planner(&world.desired, &observed);
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
            End::NoEffect(step) => ends.push(format!("no effect of: {step}")),
            End::TimedOut(reason) => ends.push(format!("out of time: {reason}")),
            end @ (End::NotAnnounced | End::Crashed) => ends.push(format!("{end:?}")),
        }
    }
    if world.is_waiting() {
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
    world.failed.clear();
    let mut at_plan = Some(world.look());
    let mut announced = BTreeSet::new();
    let mut last: Option<Step> = None;
    let mut waits = 0;
    for _ in 0..LOOKS {
        if 0 < *faults && rng.one_in(6) {
            *faults -= 1;
            world.break_something(rng);
            last = None;
        }
        let observed = world.look();
        let step = match planner(&world.desired, &observed) {
            Next::Done => {
                world.finish();
                return Ok(End::Done);
            }
            Next::Refuse(refusal) => return Ok(End::Refused(refusal)),
            Next::Wait(reason) if waits == WAITS => return Ok(End::TimedOut(reason)),
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
            announced = announce(world, seen, planner);
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
    Ok(End::TimedOut("steps without end".to_owned()))
}

/// What a plan tells that apply may destroy.
fn announce(world: &World, mut observed: Observed, planner: Planner) -> BTreeSet<(Kind, String)> {
    let mut announced = BTreeSet::new();
    let mut last = None;
    for _ in 0..256 {
        let Next::Act(step) = planner(&world.desired, &observed) else { break };
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
    for seed in 0..1_000 {
        let mut rng = Rng(((seed + 1) * 0x9e37_79b9) | 1);
        let mut world = World::new([1, 3, 5][rng.below(3)], 7, Version::new(34, 4));
        run(&mut world, &mut rng, &mut 0, next).unwrap();
        world.edit(&mut rng);
        let (mut believed, mut foretold, mut done) = (world.look(), Vec::new(), Vec::new());
        for _ in 0..200 {
            let Next::Act(step) = next(&world.desired, &believed) else { break };
            believe(&world.desired, &mut believed, &step);
            foretold.push(step.to_string());
        }
        for _ in 0..LOOKS {
            let observed = world.look();
            match next(&world.desired, &observed) {
                Next::Act(step) => {
                    world.perform(&step, Outcome::Whole).unwrap();
                    done.push(step.to_string());
                }
                Next::Wait(_) => {}
                _ => break,
            }
        }
        // Who leads after a restart is known afterwards, and then the order of nodes may be another.
        foretold.sort();
        done.sort();
        assert_eq!(foretold, done, "seed {seed}");
    }
}

//! Whose turn it is to take a snapshot, and whether one is overdue.

use super::schedule::{Moment, Schedule};

/// The most that others wait for whoever leads.
const GRACE: Moment = 300;
/// The most that each further one waits for the one before.
const APART: Moment = 60;
/// Clusters have no more members.
const MOST_MEMBERS: Moment = 7;
/// A slot counts as missed so long after it, or when the next one has come.
const LATE: Moment = 900;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Take the snapshot of this slot.
    Take(Moment),
    /// Look again then.
    Wait(Moment),
}

/// What one host does now. `covered` is the newest moment of which some host has a verified snapshot; `rank` is None for
/// the host whose member leads.
///
/// # Guarantees
/// A slot that is covered is not taken again. Who leads is first; the others come one after the other, each before the next slot.
pub fn turn(schedule: &Schedule, covered: Option<Moment>, rank: Option<u32>, now: Moment) -> Turn {
    let next = schedule.next(now).unwrap_or(Moment::MAX);
    let Some(slot) = schedule.last(now).filter(|it| covered.is_none_or(|covered| covered < *it))
    else {
        return Turn::Wait(next);
    };
    let due = slot + rank.map_or(0, |rank| patience(next - slot, rank.into()));
    if due <= now { Turn::Take(slot) } else { Turn::Wait(due) }
}

/// Half of the time between two slots is the most.
fn patience(between: Moment, rank: Moment) -> Moment {
    let grace = (between / 4).min(GRACE);
    grace + rank.min(MOST_MEMBERS - 1) * (between / 4 / MOST_MEMBERS).min(APART)
}

/// How many slots the newest verified snapshot is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missed {
    /// It is of the last slot, or that one is not over.
    None,
    /// One.
    One,
    /// Two at least.
    More,
}

impl Missed {
    /// Of a backup whose newest verified snapshot covers this moment.
    pub fn of(schedule: &Schedule, newest: Moment, now: Moment) -> Self {
        let missed = |after: Moment| {
            let slot = schedule.next(after)?;
            let over = schedule.next(slot).unwrap_or(Moment::MAX).min(slot.saturating_add(LATE));
            (over <= now).then_some(slot)
        };
        match missed(newest).map(missed) {
            None => Self::None,
            Some(None) => Self::One,
            Some(Some(_)) => Self::More,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every(minutes: Moment) -> Schedule {
        Schedule::new(&format!("*/{minutes} * * * *"), "UTC").unwrap()
    }

    #[test]
    fn who_leads_is_first_and_the_others_follow() {
        let check = |covered, rank, now, expected| {
            assert_eq!(
                turn(&every(10), covered, rank, now),
                expected,
                "{covered:?} {rank:?} {now}"
            );
        };
        check(Some(0), None, 599, Turn::Wait(600));
        check(Some(0), None, 600, Turn::Take(600));
        check(None, None, 700, Turn::Take(600));
        check(Some(600), None, 700, Turn::Wait(1200));
        // Taken by hand since then.
        check(Some(650), None, 700, Turn::Wait(1200));
        check(Some(0), Some(0), 600, Turn::Wait(750));
        check(Some(0), Some(0), 750, Turn::Take(600));
        check(Some(0), Some(2), 750, Turn::Wait(792));
        check(Some(0), Some(99), 750, Turn::Wait(876));
        let daily = Schedule::new("0 0 * * *", "UTC").unwrap();
        assert_eq!(turn(&daily, Some(0), Some(1), 86_400), Turn::Wait(86_400 + 300 + 60));
    }

    #[test]
    fn a_slot_is_missed_once_it_is_over() {
        let hourly = Schedule::new("0 * * * *", "UTC").unwrap();
        let check = |newest, now, expected| {
            assert_eq!(Missed::of(&hourly, newest, now), expected, "{newest} {now}");
        };
        check(3600, 7200 + LATE - 1, Missed::None);
        check(3600, 7200 + LATE, Missed::One);
        check(3600, 10_800 + LATE, Missed::More);
        check(3600, 1_000_000_000, Missed::More);
        assert_eq!(Missed::of(&every(1), 60, 179), Missed::None);
        assert_eq!(Missed::of(&every(1), 60, 180), Missed::One);
    }

    proptest! {
        #[test]
        fn whichever_host_lives_takes_a_slot_before_the_next_one_and_no_covered_one(
            minutes in 1..60_i64, rank in 0..7_u32, slot in 1..100_i64, covered in 0..1_000_000_i64,
        ) {
            let schedule = every(minutes);
            let slot = schedule.next(slot * 777).unwrap();
            let next = schedule.next(slot).unwrap();
            let behind = (next - slot) / 2 + slot + 1;
            prop_assert_eq!(turn(&schedule, Some(slot - 1), Some(rank), behind), Turn::Take(slot));
            prop_assert_eq!(turn(&schedule, Some(slot - 1), None, slot), Turn::Take(slot));
            if let Turn::Take(taken) = turn(&schedule, Some(covered), Some(rank), behind) {
                prop_assert!(covered < taken);
            }
        }
    }
}

//! Which snapshots stay.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::{DateTime, ISOWeekDate};
use serde::{Deserialize, Serialize};

use super::schedule::{Moment, Schedule};

/// So many of the newest that were verified stay in any case.
const FLOOR: usize = 3;

/// How many stay: the newest, and the newest of each of so many hours, days, weeks and months.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// The newest.
    pub last: u32,
    /// One for each of so many hours in which there is one.
    pub hourly: u32,
    /// The same for days, in the time zone of the schedule.
    pub daily: u32,
    /// For weeks, which begin on Monday.
    pub weekly: u32,
    /// For months.
    pub monthly: u32,
}

/// What those of one hour, day, week or month have in common.
type Label = fn(&DateTime) -> [i32; 4];

/// A snapshot that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The moment that it covers.
    pub at: Moment,
    /// Whether it was verified.
    pub is_verified: bool,
}

impl Retention {
    /// Whether anything is to stay.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which of these may go, by their places.
///
/// # Guarantees
/// - None of the newest three that were verified.
/// - Nothing before a newer one is verified.
pub fn forget(retention: &Retention, schedule: &Schedule, all: &[Kept]) -> Vec<usize> {
    let mut verified: Vec<_> = (0..all.len()).filter(|it| all[*it].is_verified).collect();
    verified.sort_by_key(|it| std::cmp::Reverse((all[*it].at, *it)));
    let newest = verified.first().map(|it| all[*it].at);
    let mut stays: BTreeSet<usize> = verified.iter().copied().take(FLOOR).collect();
    let number = |it: u32| usize::try_from(it).unwrap_or(usize::MAX);
    stays.extend(verified.iter().take(number(retention.last)));
    let label = |it: usize, of: Label| {
        let at = Timestamp::from_second(all[it].at).unwrap_or_default();
        of(&schedule.zone().to_datetime(at))
    };
    let kinds: [(u32, Label); 4] = [
        (retention.hourly, |it| {
            [it.year().into(), it.month().into(), it.day().into(), it.hour().into()]
        }),
        (retention.daily, |it| [it.year().into(), it.month().into(), it.day().into(), 0]),
        (retention.weekly, |it| {
            let week = ISOWeekDate::from_date(it.date());
            [week.year().into(), week.week().into(), 0, 0]
        }),
        (retention.monthly, |it| [it.year().into(), it.month().into(), 0, 0]),
    ];
    for (most, of) in kinds {
        let mut seen = BTreeSet::new();
        for it in &verified {
            if number(most) <= seen.len() {
                break;
            }
            if seen.insert(label(*it, of)) {
                stays.insert(*it);
            }
        }
    }
    let goes = |it: &usize| {
        let is_older = newest.is_some_and(|newest| all[*it].at < newest);
        is_older && !stays.contains(it)
    };
    (0..all.len()).filter(goes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Moment = 3600;
    const DAY: Moment = 24 * HOUR;

    fn utc() -> Schedule {
        Schedule::new("0 2 * * *", "UTC").unwrap()
    }

    #[test]
    fn the_newest_and_one_of_each_time_stay() {
        // A Monday at 02:00, and every day before it.
        let monday = Timestamp::from_second(1_796_004_000).unwrap().as_second();
        let all: Vec<_> =
            (0..60).map(|it| Kept { at: monday - it * DAY, is_verified: true }).collect();
        let stays = |retention: Retention| {
            let gone = forget(&retention, &utc(), &all);
            (0..all.len()).filter(|it| !gone.contains(it)).collect::<Vec<_>>()
        };
        let none = Retention::default();
        assert_eq!(stays(Retention { last: 1, ..none }), [0, 1, 2]);
        assert_eq!(stays(Retention { last: 5, ..none }), [0, 1, 2, 3, 4]);
        assert_eq!(stays(Retention { daily: 4, ..none }), [0, 1, 2, 3]);
        // Of a week the last day stays, which is a Sunday.
        assert_eq!(stays(Retention { weekly: 3, ..none }), [0, 1, 2, 8]);
        assert_eq!(stays(Retention { last: 4, weekly: 3, ..none }), [0, 1, 2, 3, 8]);
        assert_eq!(stays(Retention { monthly: 2, ..none }).len(), 4);
        assert_eq!(stays(Retention { hourly: 4, ..none }), [0, 1, 2, 3]);
        assert_eq!(stays(Retention { last: u32::MAX, ..none }).len(), 60);
    }

    fn retentions() -> impl Strategy<Value = Retention> {
        [0..9_u32, 0..9, 0..9, 0..9, 0..9].prop_map(|[last, hourly, daily, weekly, monthly]| {
            Retention { last, hourly, daily, weekly, monthly }
        })
    }

    proptest! {
        #[test]
        fn the_newest_three_stay_and_nothing_goes_before_a_newer_one_is_verified(
            retention in retentions(),
            all in prop::collection::vec((0..40 * DAY, any::<bool>()), 0..50),
        ) {
            let all: Vec<_> =
                all.into_iter().map(|(at, is_verified)| Kept { at, is_verified }).collect();
            let gone = forget(&retention, &utc(), &all);
            for it in &gone {
                let newer = all.iter().filter(|other| other.is_verified && all[*it].at < other.at);
                prop_assert!(1 <= newer.count(), "{it} has no newer one");
                let others = (0..all.len()).filter(|other| {
                    all[*other].is_verified && all[*it].at <= all[*other].at && other != it
                });
                prop_assert!(!all[*it].is_verified || 3 <= others.count(), "{it} is of the newest");
            }
            // What stays is stable: the same again forgets nothing more.
            let rest: Vec<_> = (0..all.len()).filter(|it| !gone.contains(it)).map(|it| all[it]).collect();
            prop_assert_eq!(forget(&retention, &utc(), &rest), Vec::<usize>::new());
            let verified = rest.iter().filter(|it| it.is_verified).count();
            let least = usize::try_from(retention.last).unwrap().max(3);
            let there = all.iter().filter(|it| it.is_verified).count();
            prop_assert!(least.min(there) <= verified);
        }
    }
}

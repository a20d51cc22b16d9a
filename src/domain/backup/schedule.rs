//! When snapshots are due: the five fields of cron, in a time zone.

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

/// Seconds since 1970.
pub type Moment = i64;

/// Why something is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleFault {
    /// Not five words.
    #[error("it has {0} fields, and cron has five: minute, hour, day of month, month, day of week")]
    Fields(usize),
    /// A field.
    #[error("{text:?} is no {field}: numbers or names from {low} to {high}, `*`, ranges and steps")]
    Field {
        /// Which.
        field: &'static str,
        /// As it is written.
        text: String,
        /// The least that it may be.
        low: u8,
        /// The most.
        high: u8,
    },
    /// The 30th of February.
    #[error("it never comes about")]
    Never,
    /// Not in the database of IANA.
    #[error("{0:?} is no time zone of IANA, such as `Europe/Berlin`")]
    Zone(String),
}

/// When snapshots are due. Each such moment is a slot.
///
/// A time that a change of clocks leaves out comes as much later; one that comes twice counts once, the first time.
#[derive(Clone, Debug)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both fields of days are obeyed when one of them begins with `*`, as cron does; otherwise any of them is enough.
    needs_both: bool,
    zone: TimeZone,
}

struct Field {
    name: &'static str,
    range: RangeInclusive<u8>,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", range: 0..=59, names: &[] },
    Field { name: "hour", range: 0..=23, names: &[] },
    Field { name: "day of the month", range: 1..=31, names: &[] },
    Field {
        name: "month",
        range: 1..=12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    // 7 is Sunday, too.
    Field {
        name: "day of the week",
        range: 0..=7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

/// Days that are looked through: between two 29ths of February there may be eight years.
const MOST_DAYS: u32 = 8 * 366 + 2;

impl Schedule {
    /// Reads the fields, and finds the time zone.
    ///
    /// # Errors
    /// They mean nothing.
    pub fn new(cron: &str, zone: &str) -> Result<Self, ScheduleFault> {
        let words: Vec<_> = cron.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = words[..] else {
            return Err(ScheduleFault::Fields(words.len()));
        };
        let needs_both = days.starts_with('*') || weekdays.starts_with('*');
        let [minute, hour, day, month, weekday] = &FIELDS;
        let mut weekdays = weekday.read(weekdays)?;
        weekdays |= weekdays >> 7 & 1;
        let found = Self {
            minutes: minute.read(minutes)?,
            hours: hour.read(hours)?,
            days: day.read(days)?,
            months: month.read(months)?,
            weekdays,
            needs_both,
            zone: time_zone(zone)?,
        };
        found.next(0).map(|_| found).ok_or(ScheduleFault::Never)
    }

    /// The first slot after this moment.
    pub fn next(&self, after: Moment) -> Option<Moment> {
        // What a change of clocks leaves out may come on the day before, by its date.
        let mut date = self.date(after)?.checked_sub(1.day()).ok()?;
        for _ in 0..MOST_DAYS {
            let found = self.slots(date).filter(|it| after < *it).min();
            if found.is_some() {
                return found;
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The last slot until this moment.
    pub fn last(&self, until: Moment) -> Option<Moment> {
        let mut date = self.date(until)?;
        for _ in 0..MOST_DAYS {
            let found = self.slots(date).filter(|it| *it <= until).max();
            if found.is_some() {
                return found;
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// The zone that it is in.
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    fn date(&self, at: Moment) -> Option<Date> {
        Some(self.zone.to_datetime(Timestamp::from_second(at).ok()?).date())
    }

    /// The slots that this date has, in no order.
    fn slots(&self, date: Date) -> impl Iterator<Item = Moment> {
        let has = |set: u64, it: i8| u8::try_from(it).is_ok_and(|it| set >> it & 1 == 1);
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let fits = if self.needs_both { day && weekday } else { day || weekday };
        let hours = if fits && has(self.months, date.month()) { 0..24_i8 } else { 0..0 };
        hours
            .filter(move |it| has(self.hours, *it))
            .flat_map(move |hour| (0..60_i8).map(move |minute| (hour, minute)))
            .filter(move |it| has(self.minutes, it.1))
            .filter_map(move |(hour, minute)| {
                let at = self.zone.to_ambiguous_timestamp(date.at(hour, minute, 0, 0));
                Some(at.compatible().ok()?.as_second())
            })
    }
}

impl Field {
    /// A bit for each number.
    fn read(&self, text: &str) -> Result<u64, ScheduleFault> {
        let parts = text.split(',').map(|it| self.part(it));
        let all = parts.collect::<Option<Vec<_>>>().map(|it| it.into_iter().fold(0, |a, b| a | b));
        all.ok_or_else(|| ScheduleFault::Field {
            field: self.name,
            text: text.to_owned(),
            low: *self.range.start(),
            high: *self.range.end(),
        })
    }

    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|it| *it != 0)?)),
            None => (text, None),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (*self.range.start(), *self.range.end()),
            Some((low, high)) => (self.number(low)?, self.number(high)?),
            // `5/15` is 5, 20, 35 and 50.
            None if step.is_some() => (self.number(range)?, *self.range.end()),
            None => (self.number(range)?, self.number(range)?),
        };
        if high < low {
            return None;
        }
        Some((low..=high).step_by(step.unwrap_or(1).into()).fold(0, |all, it| all | 1 << it))
    }

    fn number(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|it| text.eq_ignore_ascii_case(it));
        let found = match named {
            Some(at) => u8::try_from(at).ok()? + *self.range.start(),
            None => number(text)?,
        };
        self.range.contains(&found).then_some(found)
    }
}

/// Without a sign.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok())?
}

fn time_zone(name: &str) -> Result<TimeZone, ScheduleFault> {
    // Others have no name, or that of the machine.
    let found = TimeZone::get(name).ok().filter(|it| it.iana_name().is_some());
    found.ok_or_else(|| ScheduleFault::Zone(name.to_owned()))
}

/// `20261129T020000Z`, as moments are written in the names of snapshots.
pub fn stamp(at: Moment) -> String {
    let at = Timestamp::from_second(at).unwrap_or_default();
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The moment that was written so.
pub fn unstamp(text: &str) -> Option<Moment> {
    let at = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(TimeZone::UTC.to_timestamp(at).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Moment {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// The slots after a moment, both found from before and from behind.
    fn check(cron: &str, zone: &str, after: &str, expected: &[&str]) {
        let schedule = Schedule::new(cron, zone).unwrap();
        let mut at = moment(after);
        for slot in expected {
            let next = schedule.next(at).unwrap();
            assert_eq!(next, moment(slot), "{cron} {zone} after {at}: {}", stamp(next));
            assert_eq!(schedule.last(next), Some(next), "{cron}");
            assert!(schedule.last(next - 1).is_none_or(|it| it <= at), "{cron}");
            at = next;
        }
    }

    #[test]
    fn slots_are_where_cron_has_them() {
        check("0 2 * * *", "UTC", "2026-11-29T02:00:00Z", &["2026-11-30T02:00:00Z"]);
        check(
            "*/20 * * * *",
            "UTC",
            "2026-12-31T23:39:59Z",
            &["2026-12-31T23:40:00Z", "2027-01-01T00:00:00Z", "2027-01-01T00:20:00Z"],
        );
        check(
            "5/25 3,22-23 * * *",
            "UTC",
            "2026-01-01T03:05:00Z",
            &["2026-01-01T03:30:00Z", "2026-01-01T03:55:00Z", "2026-01-01T22:05:00Z"],
        );
        // A Sunday is 0 and 7.
        for sunday in ["0", "7", "sun", "SUN"] {
            let cron = format!("0 0 * * {sunday}");
            check(
                &cron,
                "UTC",
                "2026-11-29T00:00:00Z",
                &["2026-12-06T00:00:00Z", "2026-12-13T00:00:00Z"],
            );
        }
        check("0 0 * * mon-fri/2", "UTC", "2026-11-29T00:00:00Z", &["2026-11-30T00:00:00Z"]);
        // Either of two days, but both beside a star.
        check(
            "0 0 13 * fri",
            "UTC",
            "2026-11-28T00:00:00Z",
            &["2026-12-04T00:00:00Z", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z"],
        );
        check("0 0 */13 * fri", "UTC", "2026-11-28T00:00:00Z", &["2027-01-01T00:00:00Z"]);
        check("0 0 29 feb *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00Z"]);
        check("0 0 29 feb *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00Z"]);
    }

    #[test]
    fn a_change_of_clocks_drops_no_slot_and_doubles_none() {
        // 02:00 to 03:00 is left out on 29 March, and comes twice on 25 October.
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:30:00Z",
            &["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"],
        );
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T00:30:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        );
        check(
            "0 * * * *",
            "America/New_York",
            "2026-03-08T05:00:00Z",
            &["2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"],
        );
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        let refused = |cron: &str, zone: &str| Schedule::new(cron, zone).unwrap_err().to_string();
        for (cron, said) in [
            ("", "it has 0 fields"),
            ("@daily", "it has 1 fields"),
            ("0 2 * * * *", "it has 6 fields"),
            ("60 2 * * *", "\"60\" is no minute: numbers or names from 0 to 59"),
            ("0 24 * * *", "\"24\" is no hour"),
            ("0 2 0 * *", "\"0\" is no day of the month"),
            ("0 2 * 13 *", "\"13\" is no month"),
            ("0 2 * * 8", "\"8\" is no day of the week"),
            ("5-3 2 * * *", "\"5-3\" is no minute"),
            ("*/0 2 * * *", "\"*/0\" is no minute"),
            ("1, 2 * * *", "\"1,\" is no minute"),
            ("+1 2 * * *", "\"+1\" is no minute"),
            ("0 2 30 feb *", "it never comes about"),
        ] {
            assert!(refused(cron, "UTC").starts_with(said), "{cron}: {}", refused(cron, "UTC"));
        }
        for zone in ["", "Mars/Base", "local", "+01:00", "../etc/passwd"] {
            assert!(refused("0 2 * * *", zone).contains("is no time zone"), "{zone}");
        }
    }

    #[test]
    fn a_moment_is_written_in_one_word() {
        assert_eq!(stamp(moment("2026-11-29T02:03:04Z")), "20261129T020304Z");
        assert_eq!(unstamp("20261129T020304Z"), Some(moment("2026-11-29T02:03:04Z")));
        assert_eq!(unstamp("20261329T020304Z"), None);
    }
}

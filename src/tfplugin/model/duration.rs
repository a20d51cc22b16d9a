//! Durations in the notation of Go, which Terraform users write: `"250ms"`, `"1h30m"`, `"1.5h"`.

use std::time::Duration;

use crate::tfplugin::value::Datum;

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Empty, or without digits where a number belongs.
    #[error("a number is missing")]
    NoNumber,
    /// A number without a unit, or with one that is not known.
    #[error("a number needs one of the units ns, us, ms, s, m, h")]
    NoUnit,
    /// More than Rust or Go can hold.
    #[error("it is too long")]
    TooLong,
}

/// The longest duration that Go can hold: 2^63 - 1 nanoseconds, about 292 years.
const LONGEST_NANOS: u128 = i64::MAX as u128;

/// Reads a duration that is not negative.
///
/// # Errors
/// The text is not a sequence of numbers with units, or the sum is above 292 years.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    loop {
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let end = tail.find(|it: char| it.is_ascii_digit() || it == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        nanos += nanoseconds(number, unit_nanos(number, unit)?)?;
        if LONGEST_NANOS < nanos {
            return Err(DurationError::TooLong);
        }
        if tail.is_empty() {
            return u64::try_from(nanos)
                .map(Duration::from_nanos)
                .map_err(|_| DurationError::TooLong);
        }
        rest = tail;
    }
}

fn unit_nanos(number: &str, unit: &str) -> Result<u128, DurationError> {
    match unit {
        _ if number.is_empty() => Err(DurationError::NoNumber),
        "ns" => Ok(1),
        "us" | "µs" => Ok(1_000),
        "ms" => Ok(1_000_000),
        "s" => Ok(1_000_000_000),
        "m" => Ok(60_000_000_000),
        "h" => Ok(3_600_000_000_000),
        _ => Err(DurationError::NoUnit),
    }
}

/// `number` units; what lies below a nanosecond is cut off, as in Go.
fn nanoseconds(number: &str, unit: u128) -> Result<u128, DurationError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return Err(DurationError::NoNumber);
    }
    // 19 digits are beyond the longest duration in every unit, and cannot overflow.
    if 19 < whole.len() {
        return Err(DurationError::TooLong);
    }
    let digits = |text: &str| text.bytes().fold(0, |sum, it| sum * 10 + u128::from(it - b'0'));
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = fraction.bytes().fold(1, |scale, _| scale * 10);
    Ok(digits(whole) * unit + digits(fraction) * unit / scale)
}

/// The shortest text that [`parse_duration`] reads back.
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if !nanos.is_multiple_of(1_000_000_000) {
        return match nanos {
            it if it.is_multiple_of(1_000_000) => format!("{}ms", it / 1_000_000),
            it if it.is_multiple_of(1_000) => format!("{}us", it / 1_000),
            it => format!("{it}ns"),
        };
    }
    let seconds = duration.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count != 0);
    parts.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().concat()
}

/// Whether two texts are the same duration, for `same_when`.
pub fn same_duration(one: &Datum, other: &Datum) -> bool {
    let read = |it: &Datum| it.as_str().and_then(|it| parse_duration(it).ok());
    one == other || read(one).is_some_and(|it| Some(it) == read(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let check = |text, nanos: Result<u64, DurationError>| {
            assert_eq!(parse_duration(text), nanos.map(Duration::from_nanos), "{text}");
        };
        check("250ms", Ok(250_000_000));
        check("1h30m", Ok(5_400_000_000_000));
        check("1.5h", Ok(5_400_000_000_000));
        check(".5s", Ok(500_000_000));
        check("0", Ok(0));
        check("8760h", Ok(31_536_000_000_000_000));
        check("1.0000000001s", Ok(1_000_000_000));
        check("", Err(DurationError::NoNumber));
        check("s", Err(DurationError::NoNumber));
        check("-1s", Err(DurationError::NoNumber));
        check("1..2s", Err(DurationError::NoNumber));
        check("10", Err(DurationError::NoUnit));
        check("1d", Err(DurationError::NoUnit));
        check("9999999h", Err(DurationError::TooLong));
        check("99999999999999999999999999h", Err(DurationError::TooLong));
    }

    #[test]
    fn spellings_of_one_duration_are_the_same() {
        let check = |one: &str, other: &str, expected: bool| {
            assert_eq!(same_duration(&one.into(), &other.into()), expected, "{one} {other}");
        };
        check("60m", "1h", true);
        check("0.1s", "100ms", true);
        check("1m", "1h", false);
        check("soon", "soon", true);
        check("soon", "later", false);
        assert!(!same_duration(&Datum::Null, &"1h".into()));
    }

    #[test]
    fn a_printed_duration_is_read_back() {
        for text in ["0s", "250ms", "1h30m", "8760h", "1us", "3ns", "1m1s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
    }
}

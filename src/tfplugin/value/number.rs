//! Exact decimal numbers of any length.
//!
//! Terraform computes with 512-bit floats and sends integers, doubles or decimal strings. No
//! arithmetic is done here, so a number is kept as what it says: an `i64`, or canonical decimals.

use std::cmp::Ordering;
use std::fmt;

/// The largest power of ten, up or down, that is accepted: beyond it the plain text of a number
/// grows without bound, and a double could not hold it (1.8e308, 4.9e-324).
const MAX_EXPONENT: i64 = 4_096;

/// An exact number. Equal numbers are equal, however they were written: `1`, `1.0`, `10e-1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Repr);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Int(i64),
    /// Never an integer that fits in `i64`, so that equality is equality of parts.
    Decimal(Box<Decimal>),
}

/// `±0.DIGITS × 10^point`; digits have no zero at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Decimal {
    negative: bool,
    digits: String,
    point: i64,
}

/// Why a text or a double is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not decimal notation.
    #[error("not a decimal number")]
    Malformed,
    /// NaN or infinite: Terraform has no such numbers.
    #[error("not a finite number")]
    NotFinite,
    /// An exponent beyond what is accepted.
    #[error("the exponent is beyond ±{MAX_EXPONENT}")]
    TooLarge,
}

impl Number {
    /// Reads decimal notation, with or without fraction and exponent.
    ///
    /// # Errors
    /// The text is no decimal number, or its exponent is beyond ±4096.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|it| it.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return Err(NumberError::Malformed);
        }
        let digits = [whole, fraction].concat();
        let significant = digits.trim_start_matches('0');
        let leading_zeros = count(digits.len() - significant.len());
        let point = count(whole.len()) - leading_zeros + exponent;
        Self::canonical(negative, significant.trim_end_matches('0'), point)
    }

    /// The exact value of a double.
    ///
    /// # Errors
    /// The double is NaN or infinite.
    pub fn from_f64(value: f64) -> Result<Self, NumberError> {
        if !value.is_finite() {
            return Err(NumberError::NotFinite);
        }
        // A double has at most 1074 binary, hence decimal, places; with these the text is exact.
        Self::parse(&format!("{value:.1074}"))
    }

    /// The value as an integer, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Int(value) => Some(value),
            Repr::Decimal(_) => None,
        }
    }

    /// The value as an unsigned integer, if it is one that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Int(value) => u64::try_from(*value).ok(),
            // At most 20 digits: `u64::MAX` has so many.
            Repr::Decimal(it) if it.point <= 20 => it.to_string().parse().ok(),
            Repr::Decimal(_) => None,
        }
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(_) => self.to_string().parse().unwrap_or(f64::NAN),
            Repr::Decimal(it) => {
                let sign = if it.negative { "-" } else { "" };
                let text = format!("{sign}0.{}e{}", it.digits, it.point);
                text.parse().unwrap_or(f64::NAN)
            }
        }
    }

    /// The double that has exactly this value, if there is one.
    pub fn as_exact_f64(&self) -> Option<f64> {
        let nearest = self.as_f64();
        (Self::from_f64(nearest).as_ref() == Ok(self)).then_some(nearest)
    }

    fn canonical(negative: bool, digits: &str, point: i64) -> Result<Self, NumberError> {
        if digits.is_empty() {
            return Ok(Self(Repr::Int(0)));
        }
        let exponent = if point > 0 { point } else { point - count(digits.len()) };
        if exponent.abs() > MAX_EXPONENT.max(count(digits.len())) {
            return Err(NumberError::TooLarge);
        }
        let decimal = Decimal { negative, digits: digits.to_owned(), point };
        // 19 digits: `i64::MAX` has so many.
        if count(digits.len()) <= point
            && point <= 19
            && let Ok(value) = decimal.to_string().parse()
        {
            return Ok(Self(Repr::Int(value)));
        }
        Ok(Self(Repr::Decimal(Box::new(decimal))))
    }

    fn decimal(&self) -> Option<&Decimal> {
        match &self.0 {
            Repr::Int(_) => None,
            Repr::Decimal(it) => Some(it),
        }
    }
}

fn parse_exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return Err(NumberError::Malformed);
    }
    let exponent: i64 = text.parse().map_err(|_| NumberError::TooLarge)?;
    if exponent.abs() > MAX_EXPONENT {
        return Err(NumberError::TooLarge);
    }
    Ok(exponent)
}

/// A length as a signed number; no text in memory is longer than `i64::MAX`.
fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Repr::Int(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        if let Ok(value) = i64::try_from(value) {
            return value.into();
        }
        let text = value.to_string();
        let digits = text.trim_end_matches('0').to_owned();
        let point = count(text.len());
        Self(Repr::Decimal(Box::new(Decimal { negative: false, digits, point })))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let Ok(point) = usize::try_from(self.point) else {
            let zeros = usize::try_from(-self.point).unwrap_or(0);
            return write!(f, "0.{}{}", "0".repeat(zeros), self.digits);
        };
        if point == 0 {
            return write!(f, "0.{}", self.digits);
        }
        if point >= self.digits.len() {
            // Not by a width: one beyond 65535 panics.
            return write!(f, "{}{}", self.digits, "0".repeat(point - self.digits.len()));
        }
        let (whole, fraction) = self.digits.split_at(point);
        write!(f, "{whole}.{fraction}")
    }
}

/// Plain decimal notation without exponent, as Terraform prints and sends it.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(value) => value.fmt(f),
            Repr::Decimal(value) => value.fmt(f),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Some(a), Some(b)) = (self.as_i64(), other.as_i64()) {
            return a.cmp(&b);
        }
        let (a, b) = (parts(self), parts(other));
        let by_size = (a.1, &a.2).cmp(&(b.1, &b.2));
        a.0.cmp(&b.0).then(if a.0 < 0 { by_size.reverse() } else { by_size })
    }
}

/// Sign, power of ten and digits, which compare in this order (digits as texts: no zero at the
/// end, so the longer one of two equal beginnings is larger).
fn parts(number: &Number) -> (i8, i64, String) {
    match (number.as_i64(), number.decimal()) {
        (Some(0), _) | (None, None) => (0, 0, String::new()),
        (Some(value), _) => {
            let text = value.unsigned_abs().to_string();
            let sign = if value < 0 { -1 } else { 1 };
            (sign, count(text.len()), text.trim_end_matches('0').to_owned())
        }
        (None, Some(it)) => (if it.negative { -1 } else { 1 }, it.point, it.digits.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, canonical: &str) {
        match Number::parse(text) {
            Ok(number) => assert_eq!(number.to_string(), canonical, "from {text}"),
            Err(err) => assert_eq!(err.to_string(), canonical, "from {text}"),
        }
    }

    #[test]
    fn numbers_have_one_plain_notation() {
        check("0", "0");
        check("-0.00", "0");
        check("007", "7");
        check("1.50", "1.5");
        check("-1e3", "-1000");
        check("12.5e-4", "0.00125");
        check("9223372036854775807", "9223372036854775807");
        check("-9223372036854775808", "-9223372036854775808");
        check("9223372036854775808", "9223372036854775808");
        check("18446744073709551616000", "18446744073709551616000");
        check(".5", "0.5");
        check("", "not a decimal number");
        check(".", "not a decimal number");
        check("1e", "not a decimal number");
        check("0x10", "not a decimal number");
        check("--1", "not a decimal number");
        check("1e99999", "the exponent is beyond ±4096");
        check("1e99999999999999999999", "the exponent is beyond ±4096");
    }

    #[test]
    fn long_numbers_are_written_whole() {
        let digits = "9".repeat(70_000);
        check(&digits, &digits);
        check(&format!("0.{digits}"), &format!("0.{digits}"));
        check(&format!("{digits}.5"), &format!("{digits}.5"));
    }

    #[test]
    fn doubles_are_exact() {
        let number = |value| Number::from_f64(value).unwrap();
        assert_eq!(number(0.5), Number::parse("0.5").unwrap());
        assert_ne!(number(0.1), Number::parse("0.1").unwrap());
        assert_eq!(number(3.0), Number::from(3_i64));
        for value in [f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.1, 1e22] {
            assert_eq!(number(value).as_exact_f64(), Some(value));
        }
        assert_eq!(Number::parse("0.1").unwrap().as_exact_f64(), None);
        assert_eq!(Number::from_f64(f64::NAN), Err(NumberError::NotFinite));
    }

    #[test]
    fn unsigned_numbers_fit_up_to_their_maximum() {
        assert_eq!(Number::from(u64::MAX).as_u64(), Some(u64::MAX));
        assert_eq!(Number::parse("18446744073709551616").unwrap().as_u64(), None);
        assert_eq!(Number::from(-1_i64).as_u64(), None);
        assert_eq!(Number::parse("1.5").unwrap().as_u64(), None);
    }

    #[test]
    fn numbers_are_ordered_by_value() {
        let texts =
            ["-1e30", "-2", "-1.5", "-0.01", "0", "0.001", "0.1", "1", "1.01", "10", "1e30"];
        let numbers: Vec<_> = texts.iter().map(|it| Number::parse(it).unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b));
    }
}

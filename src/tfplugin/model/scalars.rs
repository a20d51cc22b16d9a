//! Strings, booleans, numbers, durations, secrets and dynamic values in models.

use std::time::Duration;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::{Faulty, Got, Trail, Typed, fault, format_duration, mismatch, parse_duration};
use crate::tfplugin::diagnostics::Diagnostics;
use crate::tfplugin::schema::Shape;
use crate::tfplugin::types::Type;
use crate::tfplugin::value::{Datum, Number, Secret};

type Read<T> = Result<Got<T>, Faulty>;

impl Typed for String {
    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        match datum {
            Datum::String(text) => Ok(Got::Known(text.clone())),
            other => mismatch(other, "a string", at, faults),
        }
    }

    fn encode(&self) -> Datum {
        Datum::String(composed(self))
    }
}

/// The text in Unicode's normal form C, which Terraform gives each string that it reads. A text that
/// is not in it would differ from what was planned, though it looks the same.
pub(super) fn composed(text: &str) -> String {
    if is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

impl Typed for bool {
    fn shape() -> Shape {
        Shape::Plain(Type::Bool)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        match datum {
            Datum::Bool(value) => Ok(Got::Known(*value)),
            other => mismatch(other, "a boolean", at, faults),
        }
    }

    fn encode(&self) -> Datum {
        Datum::Bool(*self)
    }
}

impl Typed for Number {
    fn shape() -> Shape {
        Shape::Plain(Type::Number)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        match datum {
            Datum::Number(number) => Ok(Got::Known(number.clone())),
            other => mismatch(other, "a number", at, faults),
        }
    }

    fn encode(&self) -> Datum {
        Datum::Number(self.clone())
    }
}

/// Whole numbers of a Rust type, through the wider one that [`Number`] converts to.
macro_rules! whole_number {
    ($($ty:ty, $wide:ty, $as_wide:ident;)*) => { $(
        impl Typed for $ty {
            fn shape() -> Shape {
                Shape::Plain(Type::Number)
            }

            fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
                let Got::Known(number) = Number::decode(datum, at, faults)? else {
                    return Ok(Got::Unknown);
                };
                match number.$as_wide().map(<$ty>::try_from) {
                    Some(Ok(value)) => Ok(Got::Known(value)),
                    _ => {
                        let (low, high) = (<$ty>::MIN, <$ty>::MAX);
                        let detail = format!("This must be a whole number from {low} to {high}.");
                        fault(detail, at, faults)
                    }
                }
            }

            fn encode(&self) -> Datum {
                Datum::Number(<$wide>::from(*self).into())
            }
        }
    )* };
}

whole_number! {
    i64, i64, as_i64;
    i32, i64, as_i64;
    u64, u64, as_u64;
    u32, u64, as_u64;
    u16, u64, as_u64;
    u8, u64, as_u64;
}

/// A duration in Go's notation: `"250ms"`, `"1h30m"`.
impl Typed for Duration {
    fn shape() -> Shape {
        Shape::Plain(Type::String)
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        let Got::Known(text) = String::decode(datum, at, faults)? else {
            return Ok(Got::Unknown);
        };
        match parse_duration(&text) {
            Ok(value) => Ok(Got::Known(value)),
            Err(err) => fault(
                format!("This must be a duration like \"250ms\" or \"8760h\": {err}."),
                at,
                faults,
            ),
        }
    }

    fn encode(&self) -> Datum {
        Datum::String(format_duration(*self))
    }
}

impl<T: Typed> Typed for Secret<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn decode(datum: &Datum, at: &Trail<'_>, faults: &mut Diagnostics) -> Read<Self> {
        Ok(match T::decode(datum, at, faults)? {
            Got::Known(value) => Got::Known(Self::new(value)),
            Got::Unknown => Got::Unknown,
        })
    }

    fn encode(&self) -> Datum {
        self.expose().encode()
    }
}

/// A value whose type is decided at run time; it goes back as it came.
impl Typed for Datum {
    fn shape() -> Shape {
        Shape::Plain(Type::Dynamic)
    }

    fn decode(datum: &Datum, _: &Trail<'_>, _: &mut Diagnostics) -> Read<Self> {
        Ok(Got::Known(datum.clone()))
    }

    fn encode(&self) -> Datum {
        self.clone()
    }
}

//! Values: [`Datum`] as the wire has it, [`Value`] as a model holds it.

mod datum;
mod number;
mod typed;
mod unknown;

pub use datum::{Datum, Set};
pub use number::{Number, NumberError};
pub use typed::{Secret, Value};
pub use unknown::{Bound, Refinements};

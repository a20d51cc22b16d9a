//! Record sets in the DNS: what they are called, what they hold, and what is to be done about one.

mod data;
mod key;
mod name;
mod next;

pub use self::data::{Data, DataError, Records, Type};
pub use self::key::{Key, KeyError};
pub use self::name::{Name, NameError};
pub use self::next::{Desired, Observed, Refusal, Step, next};

//! The `timeouts` attribute that every resource has.

use std::time::Duration;

use super::{parse_duration, same_duration};
use crate::model;
use crate::tfplugin::schema::{Check, text};
use crate::tfplugin::value::Value;

model! {
    /// How long each operation may take, as durations like `"20m"`.
    pub struct Timeouts {
        /// Limit of a create.
        create: Value<Duration> = optional().check(not_zero()).same_when(same_duration),
        /// Limit of an update.
        update: Value<Duration> = optional().check(not_zero()).same_when(same_duration),
        /// Limit of a read, and of the checks of a plan.
        read: Value<Duration> = optional().check(not_zero()).same_when(same_duration),
        /// Limit of a delete.
        delete: Value<Duration> = optional().check(not_zero()).same_when(same_duration),
    }
}

/// A read without time always fails, and with it each plan that could set another limit.
fn not_zero() -> Check {
    // What is no duration at all is told when the model is read.
    text("longer than `0s`", |it| parse_duration(it) != Ok(Duration::ZERO))
}

//! The `timeouts` attribute that every resource has.

use std::time::Duration;

use crate::model;
use crate::tfplugin::value::Value;

model! {
    /// How long each operation may take, as durations like `"20m"`.
    pub struct Timeouts {
        /// Limit of a create.
        create: Value<Duration> = optional(),
        /// Limit of an update.
        update: Value<Duration> = optional(),
        /// Limit of a read, and of the checks of a plan.
        read: Value<Duration> = optional(),
        /// Limit of a delete.
        delete: Value<Duration> = optional(),
    }
}

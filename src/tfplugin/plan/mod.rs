//! The plan of a resource, from configuration and prior state alone: pure, so that the second plan
//! inside apply gives the same answer.

mod changes;
mod checks;
#[cfg(test)]
mod properties;
mod propose;

pub(crate) use changes::{changes, refusals, replacements, restarts};
pub(crate) use checks::{check, deprecations};
pub(crate) use propose::propose;

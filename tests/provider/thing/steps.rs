//! A create or update that takes its time, and can be stopped at each step.

use std::time::Duration;

use terraform_provider_ha::tfplugin::api::Context;
use terraform_provider_ha::tfplugin::diagnostics::{Diagnostic, Diagnostics};

use super::ThingModel;
use crate::store::Store;

const STEP: Duration = Duration::from_millis(50);
/// Of other crates than the provider's own only warnings are logged; this stands in for one of it.
const TARGET: &str = "terraform_provider_ha::probe::steps";

pub(super) struct Steps<'a> {
    pub(super) store: &'a Store,
    pub(super) name: String,
    pub(super) context: &'a Context,
}

impl Steps<'_> {
    /// Takes all steps, or stops at the next one when the user interrupts or the time is over.
    pub(super) async fn all(&self, planned: &ThingModel) -> Diagnostics {
        assert!(planned.fail.known().is_none_or(|it| it != "panic"), "the fault was injected");
        let delay = planned.delay.known().copied().unwrap_or_default();
        let count = delay.as_millis().div_ceil(STEP.as_millis());
        for step in 1..=count {
            if self.context.cancelled().is_cancelled() {
                let detail = format!("Stopped after step {} of {count}. Apply again.", step - 1);
                return Diagnostic::error("Interrupted at a safe point", detail).into();
            }
            if self.context.remaining().is_zero() {
                let detail = format!("{} of {count} steps were done. Apply again.", step - 1);
                let diag = Diagnostic::error("The time is over", detail);
                return diag.hint("Raise `timeouts.create` or `timeouts.update`.").into();
            }
            if let Err(err) = self.store.log(&format!("step {} {step}", self.name)) {
                return Diagnostic::error("A step failed", &err).into();
            }
            tracing::info!(target: TARGET, name = self.name, step, count, "step");
            tokio::time::sleep(STEP).await;
        }
        Diagnostics::new()
    }
}

//! Who leads.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::kubernetes::Component;

/// Until a lease that nobody renews has run out.
const LASTS: Duration = Duration::from_secs(15);

/// The lease of a component.
#[derive(Clone, Debug, Default)]
pub(super) struct Lease {
    /// The host, and the number of the process.
    pub(super) holder: Option<(String, u32)>,
    renewed: Option<Instant>,
}

impl Lease {
    /// Whoever holds it renews it as long as it can. Otherwise it runs out, and the first that can takes it: `able` are hosts
    /// with a process each.
    pub(super) fn go_on(&mut self, component: Component, able: &[(String, u32)], now: Instant) {
        if self.holder.as_ref().is_some_and(|it| able.contains(it)) {
            self.renewed = Some(now);
            return;
        }
        // A scheduler that ends gives it back, and a controller manager does not.
        let is_held = component == Component::ControllerManager
            && self.renewed.is_some_and(|it| now < it + LASTS);
        if !is_held {
            self.holder = able.first().cloned();
            self.renewed = self.holder.is_some().then_some(now);
        }
    }
}

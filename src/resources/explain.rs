//! What stopped a run, as advice.

use tokio::time::Instant;

use crate::engine::{Announced, Backoff, Run, Stopped};
use crate::tfplugin::api::Context;
use crate::tfplugin::diagnostics::Diagnostic;

/// How often in a row a host may be lost.
const RETRIES: u32 = 5;

/// A run within the limits that the user has set.
pub fn run(context: &Context, announced: Announced) -> Run {
    Run {
        by: Instant::from_std(context.deadline()),
        cancelled: context.cancelled().clone(),
        announced,
        backoff: Backoff::seeded(u64::from(std::process::id())),
        retries: RETRIES,
    }
}

/// The one error of a run that was stopped. `summary` says what is not as planned; `saved` what is kept of what was done.
pub fn explain(summary: &str, stopped: &Stopped, saved: &str) -> Diagnostic {
    let diag = Diagnostic::error(summary, stopped);
    match stopped {
        Stopped::Refused(_) => diag.hint(saved),
        Stopped::Unfit(_) => {
            diag.hint("Nothing was changed. Mend what is said above, and apply again.")
        }
        Stopped::Locked(_) => diag.hint(
            "Wait until the other run has ended, then apply again. A run whose process is gone frees its lock within 30 s.",
        ),
        Stopped::Unseen(_) | Stopped::Host { .. } => {
            diag.hint(&format!("{saved} Mend what is said above, and apply again."))
        }
        Stopped::NoEffect { .. } => diag.hint(&format!("{saved} The log of the service on that host says more: `journalctl -u` with its unit.")),
        Stopped::TimedOut { .. } => diag.hint(&format!("{saved} Raise `timeouts`, or see on that host why it takes so long; then apply again.")),
        Stopped::Cancelled { .. } => diag.hint(&format!("{saved} Apply again to go on.")),
        Stopped::NotAnnounced { .. } => {
            diag.hint(&format!("{saved} Plan again: the new plan will tell of it."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostError;

    #[test]
    fn every_stop_names_the_next_action() {
        let host = || "b".parse().unwrap();
        let lost = || HostError::Interrupted {
            host: host(),
            call: "start x".to_owned(),
            source: "reset".into(),
        };
        let step = || "start x on b".to_owned();
        let check = |stopped: &Stopped, hint: &str| {
            let diag = explain("The service is not as planned", stopped, "The state has it all.");
            assert_eq!(diag.summary(), "The service is not as planned");
            assert!(diag.detail().ends_with(hint), "{}", diag.detail());
        };
        check(&Stopped::Refused("two of three are down".into()), "The state has it all.");
        let unfit = vec![("b".to_owned(), crate::engine::preflight::Unfit::NotRoot)];
        check(
            &Stopped::Unfit(unfit),
            "Nothing was changed. Mend what is said above, and apply again.",
        );
        check(&Stopped::Locked(lost()), "frees its lock within 30 s.");
        check(&Stopped::Unseen(lost()), "Mend what is said above, and apply again.");
        check(&Stopped::Host { step: step(), source: lost() }, "and apply again.");
        check(&Stopped::NoEffect { step: step(), times: 1 }, "`journalctl -u` with its unit.");
        check(&Stopped::TimedOut { waiting_for: "b".to_owned() }, "then apply again.");
        check(&Stopped::Cancelled { after: None }, "Apply again to go on.");
        let kind = crate::domain::Kind::Remove;
        check(&Stopped::NotAnnounced { step: step(), kind }, "the new plan will tell of it.");
    }
}

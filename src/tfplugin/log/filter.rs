//! Which events are logged. Pure.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};

/// This crate. Of others only warnings and errors are logged: an HTTP/2 library has a lot to trace.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// A level, for our own events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) level: LevelFilter,
}

impl Filter {
    /// The most specific variable that is set and not empty decides.
    pub(super) fn new(name: &str, environment: impl Fn(&str) -> Option<String>) -> Self {
        let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
        let level = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
            .into_iter()
            .find_map(|variable| environment(variable).filter(|it| !it.is_empty()))
            .map_or(LevelFilter::OFF, |it| level(&it));
        Self { level }
    }

    pub(super) fn wants(self, metadata: &Metadata<'_>) -> bool {
        self.passes(*metadata.level(), metadata.target())
    }

    fn passes(self, level: Level, target: &str) -> bool {
        level <= self.level && (is_ours(target) || level <= Level::WARN)
    }
}

/// Whether a target is this crate or a module of it.
pub(super) fn is_ours(target: &str) -> bool {
    target.strip_prefix(OURS).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `JSON` means everything, and so does what Terraform does not know: it warns of it, and then logs all.
fn level(text: &str) -> LevelFilter {
    match text.to_uppercase().as_str() {
        "OFF" => LevelFilter::OFF,
        "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], level: LevelFilter) {
        let read = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        assert_eq!(Filter::new("my-ha", read).level, level, "{variables:?}");
    }

    #[test]
    fn the_most_specific_variable_decides() {
        check(&[], LevelFilter::OFF);
        check(&[("TF_LOG", "")], LevelFilter::OFF);
        check(&[("TF_LOG", "info")], LevelFilter::INFO);
        check(&[("TF_LOG", "JSON")], LevelFilter::TRACE);
        check(&[("TF_LOG", "loud")], LevelFilter::TRACE);
        check(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "off")], LevelFilter::OFF);
        check(&[("TF_LOG", "trace"), ("TF_LOG_PROVIDER", "")], LevelFilter::TRACE);
        check(
            &[("TF_LOG_PROVIDER", "warn"), ("TF_LOG_PROVIDER_MY_HA", "Debug")],
            LevelFilter::DEBUG,
        );
        check(&[("TF_LOG_PROVIDER_OTHER", "debug")], LevelFilter::OFF);
    }

    #[test]
    fn of_other_crates_only_warnings_pass() {
        let filter = Filter { level: LevelFilter::TRACE };
        assert!(filter.passes(Level::TRACE, "terraform_provider_ha::tfplugin"));
        assert!(!filter.passes(Level::INFO, "terraform_provider_hard"));
        assert!(filter.passes(Level::WARN, "h2"));
        assert!(!filter.passes(Level::INFO, "h2::codec"));
        assert!(!Filter { level: LevelFilter::ERROR }.passes(Level::WARN, "h2"));
    }
}

//! What a certificate for a client can say, and why nobody has signed one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::pki::{Profile, Usage};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::parse_duration;
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::{Check, text};

const SHORTEST: Duration = Duration::from_mins(10);
const LONGEST: Duration = Duration::from_hours(24);

/// A name that a certificate can have.
pub(super) fn user() -> Check {
    text("1 to 64 printable characters", is_common_name)
}

/// How long a certificate is valid.
pub(super) fn ttl() -> Check {
    text("from `10m` to `24h`", |it| {
        parse_duration(it).is_ok_and(|it| (SHORTEST..=LONGEST).contains(&it))
    })
}

pub(super) fn is_common_name(text: &str) -> bool {
    Profile::new((text, None), [""; 0], [Usage::Client], time::Duration::HOUR).is_ok()
}

/// Why each host has not signed, by its key. `whole` and `part` are how people call the object and one of its hosts.
pub(super) fn unsigned(
    (whole, part): (&str, &str),
    at: &Path,
    why: BTreeMap<String, String>,
) -> Diagnostics {
    let each: Vec<_> = why.into_iter().map(|(key, why)| format!("{key}: {why}.")).collect();
    let detail =
        if each.is_empty() { "None has answered in time.".to_owned() } else { each.join("\n") };
    Diagnostic::error(format!("No {part} of the {whole} signs the certificate"), detail)
        .at(at.clone())
        .hint(&format!("One {part} that answers is enough."))
        .into()
}

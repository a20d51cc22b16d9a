//! How certificates are made, from what is written.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::recorded::duration;
use crate::domain::pki::{Profile, ProfileError, Usage};
use crate::model;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::model::same_duration;
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Datum, Value};

/// An authority lives for whole days.
const DAY: Duration = Duration::from_hours(24);

model! {
    /// How certificates are made.
    pub(crate) struct CertificatesModel {
        /// Lifetime of the certificates of hosts.
        validity: Value<Duration> = optional().default("8760h").same_when(same_duration).changes_online(),
        /// Names and addresses of servers beside those of their hosts, such as virtual IPs.
        extra_sans: Value<Vec<String>> = optional().default(Datum::List(Vec::new())).changes_online(),
        /// Lifetime of the authority.
        ca_validity: Value<Duration> = optional().default("87600h").same_when(same_duration).refuses_change(),
        /// Algorithm of all keys.
        key_algorithm: Value<String> = optional().default("ecdsa-p256").refuses_change().check(one_of(&["ecdsa-p256"])),
    }
}

/// How certificates are to be made.
pub(super) struct CertificateTerms {
    /// Of a leaf.
    pub(super) validity: time::Duration,
    /// Of an authority.
    pub(super) ca_validity: time::Duration,
    /// Names and addresses beside those of the host.
    pub(super) extra_sans: Vec<String>,
}

/// How they are to be made. None while it is not known.
pub(super) fn terms(model: &Value<CertificatesModel>) -> Option<CertificateTerms> {
    let CertificatesModel { validity, extra_sans, ca_validity, .. } = model.known()?;
    let lifetime = |it: &Value<Duration>| time::Duration::try_from(*it.known()?).ok();
    Some(CertificateTerms {
        validity: lifetime(validity)?,
        ca_validity: lifetime(ca_validity)?,
        extra_sans: extra_sans.known()?.clone(),
    })
}

/// For the record on the hosts.
pub(super) fn applied(model: &Value<CertificatesModel>) -> Json {
    let it = model.or_default();
    json!({
        "validity": duration(&it.validity),
        "extra_sans": it.extra_sans.known(),
        "ca_validity": duration(&it.ca_validity),
        "key_algorithm": it.key_algorithm.known(),
    })
}

/// Everything that no certificate can be, as far as it is known.
pub(super) fn faults(model: &Value<CertificatesModel>) -> Diagnostics {
    let mut faults = Diagnostics::new();
    let Some(CertificatesModel { validity, extra_sans, ca_validity, .. }) = model.known() else {
        return faults;
    };
    let at = || Path::root("certificates");
    let mut refuse = |why: &ProfileError, at: Path, hint: &str| {
        let fault = Diagnostic::error("The certificates cannot be as they are wished", why);
        faults.push(fault.at(at).hint(hint));
    };
    let profile = |name: &str, lifetime: Duration| {
        let lifetime = time::Duration::try_from(lifetime).unwrap_or(time::Duration::MAX);
        Profile::new(("x", None), [name], [Usage::Server], lifetime)
    };
    for (what, value) in [("validity", validity), ("ca_validity", ca_validity)] {
        let lifetime = value.known().copied().unwrap_or(DAY);
        if let Err(why) = profile("localhost", lifetime) {
            refuse(&why, at().attribute(what), "Choose a lifetime between them.");
        }
    }
    for (index, name) in extra_sans.known().into_iter().flatten().enumerate() {
        if let Err(why) = profile(name, DAY) {
            let at = at().attribute("extra_sans").index(index);
            refuse(&why, at, "Leave it out, or write it as clients will ask for it.");
        }
    }
    if let (Value::Known(leaf), Value::Known(authority)) = (validity, ca_validity) {
        let detail = match () {
            () if *authority < DAY => "An authority lives for at least `24h`.",
            () if authority < leaf => "No certificate outlives the authority that signs it.",
            () => return faults,
        };
        let fault = Diagnostic::error("The authority would end too early", detail);
        faults.push(
            fault.at(at().attribute("ca_validity")).hint("Raise it, and not below `validity`."),
        );
    }
    faults
}

//! How certificates are made, from what is written.

use std::time::Duration;

use super::model::{EtcdCertificatesModel, EtcdClusterModel};
use crate::actions::etcd::Certificates;
use crate::domain::pki::{Profile, ProfileError, Usage};
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

/// An authority lives for whole days.
const DAY: Duration = Duration::from_hours(24);

/// How certificates are to be made. None while it is not known.
pub(super) fn certificates(model: &EtcdClusterModel) -> Option<Certificates> {
    let EtcdCertificatesModel { validity, extra_sans, ca_validity, .. } =
        model.certificates.known()?;
    let lifetime = |it: &Value<Duration>| time::Duration::try_from(*it.known()?).ok();
    Some(Certificates {
        validity: lifetime(validity)?,
        ca_validity: lifetime(ca_validity)?,
        extra_sans: extra_sans.known()?.clone(),
    })
}

/// Everything that no certificate can be, as far as it is known.
pub(super) fn faults(model: &EtcdClusterModel) -> Diagnostics {
    let mut faults = Diagnostics::new();
    let Some(EtcdCertificatesModel { validity, extra_sans, ca_validity, .. }) =
        model.certificates.known()
    else {
        return faults;
    };
    let at = || Path::root("certificates");
    let mut refuse = |why: &ProfileError, at: Path, hint: &str| {
        let fault = Diagnostic::error("The certificates cannot be as they are wished", why);
        faults.push(fault.at(at).hint(hint));
    };
    let profile = |name: &str, lifetime: Duration| {
        let lifetime = time::Duration::try_from(lifetime).unwrap_or(time::Duration::MAX);
        Profile::new(("etcd", None), [name], [Usage::Server], lifetime)
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

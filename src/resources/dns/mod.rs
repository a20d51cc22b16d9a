//! What the types about the DNS share: how the servers are spoken to, and advice about what they say.

mod advice;

pub(super) use self::advice::{explain, fix_for, stopped};
use super::provider::{Gap, Rfc2136};
use crate::remote::dns::{Algorithm, Key, Settings, Transport};
use crate::tfplugin::diagnostics::Diagnostic;
use crate::tfplugin::path::Path;

/// What the provider block says about the DNS, for messages.
///
/// # Errors
/// The key cannot be used.
pub(super) fn settings(dns: &Rfc2136) -> Result<Settings, Gap> {
    let key = dns.key.as_ref().map(|it| {
        let at = Path::root("dns").attribute("rfc2136");
        let fault = |attribute: &str, detail: String| {
            let path = at.attribute(attribute);
            let detail = format!("`{path}` of the provider block: {detail}");
            Gap::Fault(Diagnostic::error("The key for updates cannot be used", detail))
        };
        let algorithm = Algorithm::named(&it.algorithm)
            .ok_or_else(|| fault("key_algorithm", format!("{} is not known.", it.algorithm)))?;
        Key::new(&it.name, algorithm, it.secret.expose().clone())
            .map_err(|err| fault("key_name", format!("{err}.")))
    });
    Ok(Settings {
        servers: dns.servers.clone(),
        key: key.transpose()?,
        transport: if dns.tcp_only { Transport::Tcp } else { Transport::Udp },
        timeout: dns.timeout,
        retries: dns.retries.into(),
    })
}

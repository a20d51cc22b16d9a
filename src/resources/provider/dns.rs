//! The server that takes updates of DNS records.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::gap::{Gap, Unknown};
use super::reading::{Environment, Reading};
use super::settings::not_zero;
use crate::model;
use crate::remote::dns::Server;
use crate::resources::checks;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::{Secret, Value};

model! {
    /// The server that takes updates, exactly one backend.
    pub struct DnsSettings {
        /// Dynamic updates (RFC 2136).
        rfc2136: Value<Rfc2136Settings> = optional(),
    }
}

model! {
    /// Dynamic updates, signed with a key that the servers share (TSIG, RFC 8945).
    pub struct Rfc2136Settings {
        /// Servers, each an address with an optional port. The first takes updates, the next ones when it fails.
        servers: Value<Vec<String>> = required().check(not_empty()),
        /// Name of the key; a dot is added at its end. Updates are not signed when left out.
        key_name: Value<String> = optional().check(not_empty()),
        /// Algorithm of the key: `hmac-sha256` when left out. `hmac-sha1` and `hmac-md5` are weak.
        key_algorithm: Value<String> = optional().check(one_of(
            &["hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha1", "hmac-md5"]
        )),
        /// The key in base64. The environment variable `HA_TSIG_SECRET` when left out.
        key_secret: Value<Secret<String>> = optional().sensitive().check(not_empty()),
        /// How messages travel: `udp`, which falls back to `tcp` for long answers, or `tcp` alone. `udp` when left out.
        transport: Value<String> = optional().check(one_of(&["udp", "tcp"])),
        /// How long an answer may take. `3s` when left out.
        timeout: Value<Duration> = optional().check(not_zero()),
        /// How often a server that does not answer is asked again. `3` when left out.
        retries: Value<u8> = optional(),
    }
}

/// Dynamic updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfc2136 {
    /// At least one; asked in this order.
    pub servers: Vec<Server>,
    /// What signs updates.
    pub key: Option<Tsig>,
    /// Whether UDP is not even tried.
    pub tcp_only: bool,
    /// Of one answer.
    pub timeout: Duration,
    /// After the first try.
    pub retries: u8,
}

/// A key that signs updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tsig {
    /// With a dot at its end.
    pub name: String,
    /// As RFC 8945 names it.
    pub algorithm: String,
    /// The bytes.
    pub secret: Secret<Vec<u8>>,
}

const TIMEOUT: Duration = Duration::from_secs(3);
const RETRIES: u8 = 3;

impl Rfc2136 {
    pub(super) fn read(
        settings: &Value<DnsSettings>,
        environment: Environment<'_>,
        told: &mut Diagnostics,
    ) -> Result<Option<Self>, Gap> {
        let at = Path::root("dns");
        let unknown = |at| Err(Gap::Unknown(Unknown::Provider(at)));
        let backend = match settings {
            Value::Null => return Ok(None),
            Value::Unknown => return unknown(at),
            Value::Known(dns) => &dns.rfc2136,
        };
        let inside = at.attribute("rfc2136");
        let settings = match backend {
            Value::Known(settings) => settings,
            Value::Unknown => return unknown(inside),
            Value::Null => {
                let fault = Diagnostic::error("`dns` has no backend", "Exactly one is needed.")
                    .hint("Set `rfc2136`, or leave `dns` out.")
                    .at(at);
                told.push(fault.clone());
                return Err(Gap::Fault(fault));
            }
        };
        let mut reading = Reading::new(inside, environment);
        let rfc2136 = Self {
            servers: servers(settings, &mut reading),
            key: key(settings, &mut reading),
            tcp_only: reading.known("transport", &settings.transport).as_deref() == Some("tcp"),
            timeout: reading.known("timeout", &settings.timeout).unwrap_or(TIMEOUT),
            retries: reading.known("retries", &settings.retries).unwrap_or(RETRIES),
        };
        reading.end(told)?;
        Ok(Some(rfc2136))
    }
}

fn servers(settings: &Rfc2136Settings, reading: &mut Reading<'_>) -> Vec<Server> {
    let texts = reading.known("servers", &settings.servers).unwrap_or_default();
    let one = |(index, text): (usize, &String)| {
        let server = server(text);
        if server.is_none() {
            let at = reading.at().attribute("servers").index(index);
            let detail = format!(
                "{text:?} is neither a name nor an IP address, with or without a port like `10.0.0.53:53` or `[2001:db8::53]:53`."
            );
            reading.fault_at(at, Diagnostic::error("A name server cannot be asked", detail));
        }
        server
    };
    texts.iter().enumerate().filter_map(one).collect()
}

/// A name or an IP address, with or without a port.
pub(in crate::resources) fn server(text: &str) -> Option<Server> {
    let is_address = |it: &str| checks::address().accepts(&it.into());
    let bare = |it: &str| it.trim_start_matches('[').trim_end_matches(']').to_owned();
    if is_address(text) {
        return Some(Server { address: bare(text), port: Server::PORT });
    }
    let (address, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|it| *it != 0)?;
    // Without brackets the last part of an IPv6 address would pass for a port.
    let is_clear = is_address(address) && (address.starts_with('[') || !address.contains(':'));
    is_clear.then(|| Server { address: bare(address), port })
}

fn key(settings: &Rfc2136Settings, reading: &mut Reading<'_>) -> Option<Tsig> {
    let name = reading.known("key_name", &settings.key_name);
    let algorithm = reading.known("key_algorithm", &settings.key_algorithm);
    if settings.key_name.is_null() && settings.key_secret.is_known() {
        let detail = "Servers find a key by its name, and `key_name` is not set.";
        let fault = Diagnostic::error("The key for updates has no name", detail);
        reading.fault("key_secret", fault.hint("Set `key_name`, or remove `key_secret`."));
    }
    let name = name?;
    let secret = reading.secret("key_secret", &settings.key_secret, "HA_TSIG_SECRET");
    if secret.is_none() && settings.key_secret.is_null() {
        let detail = "`key_name` is set, and neither `key_secret` nor HA_TSIG_SECRET is.";
        let fault = Diagnostic::error("The key for updates is missing", detail);
        reading.fault("key_secret", fault.hint("Set one of them, or remove `key_name`."));
    }
    let Ok(secret) = BASE64_STANDARD.decode(secret?.expose().trim()) else {
        let detail = "It must be base64, as `tsig-keygen` prints it.";
        reading
            .fault("key_secret", Diagnostic::error("The key for updates cannot be read", detail));
        return None;
    };
    Some(Tsig {
        name: format!("{}.", name.trim_end_matches('.')),
        algorithm: algorithm.unwrap_or_else(|| "hmac-sha256".to_owned()),
        secret: Secret::new(secret),
    })
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::tests::{check, client};

    #[test]
    fn updates_of_records_are_signed_by_a_key_with_a_name() {
        let check = |rfc2136: Json, environment: &[(&str, &str)], expected: &[&str]| {
            check(json!({"dns": {"rfc2136": rfc2136}}), environment, expected);
        };
        check(
            json!({"servers": ["a"], "key_secret": "AAAA"}),
            &[],
            &["dns.rfc2136.key_secret: The key for updates has no name"],
        );
        check(
            json!({"servers": ["a"], "key_name": "ha."}),
            &[],
            &["dns.rfc2136.key_secret: The key for updates is missing"],
        );
        check(
            json!({"servers": ["a"], "key_name": "ha.", "key_secret": "no base64"}),
            &[],
            &["dns.rfc2136.key_secret: The key for updates cannot be read"],
        );
        check(json!({"servers": ["a"]}), &[("HA_TSIG_SECRET", "AAAA")], &[]);
        check(
            json!({"servers": []}),
            &[],
            &["dns.rfc2136.servers: `dns.rfc2136.servers` has a wrong value"],
        );
        check(
            json!({"servers": ["a", "b:0", "::1:x"]}),
            &[],
            &[
                "dns.rfc2136.servers[1]: A name server cannot be asked",
                "dns.rfc2136.servers[2]: A name server cannot be asked",
            ],
        );
        let dns = json!({"dns": {"rfc2136": {
            "servers": ["ns.example.test", "10.0.0.53:5353", "2001:db8::53", "[2001:db8::53]:5353"],
            "key_name": "ha", "transport": "tcp",
        }}});
        let client = client(dns, &[("HA_TSIG_SECRET", "AAAA")]);
        let dns = client.dns().unwrap();
        let servers: Vec<_> =
            dns.servers.iter().map(|it| format!("{} {}", it.address, it.port)).collect();
        assert_eq!(
            servers,
            ["ns.example.test 53", "10.0.0.53 5353", "2001:db8::53 53", "2001:db8::53 5353"]
        );
        let key = dns.key.as_ref().unwrap();
        assert_eq!((key.name.as_str(), key.algorithm.as_str()), ("ha.", "hmac-sha256"));
        assert_eq!(key.secret.expose(), &[0, 0, 0]);
        assert!(dns.tcp_only);
    }
}

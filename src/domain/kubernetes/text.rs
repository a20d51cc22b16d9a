//! Texts that end up in flags and files, each with one safe form. What they mean is judged by the programs.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::domain::pki::{Profile, Usage};
use crate::domain::text::texts;

/// Why a text is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordFault {
    /// Of the endpoint.
    #[error(
        "an endpoint is written host:port, such as api.example.test:6443 or [2001:db8::1]:6443"
    )]
    Endpoint,
    /// Of the prefix in etcd.
    #[error("a prefix is a path of letters, digits, `-`, `_`, `.` and `/`, such as /registry")]
    Prefix,
    /// Of the domain of services.
    #[error("a domain has labels of lower-case letters, digits and `-`, such as cluster.local")]
    Domain,
    /// Of the issuer of tokens.
    #[error("an issuer is an https URL without spaces and quotes")]
    Issuer,
    /// Of a path of the API server.
    #[error("a path of the API server begins with `/` and has letters, digits, `-`, `_` and `.`")]
    UrlPath,
    /// Of a feature gate or an admission plugin.
    #[error("a feature gate and an admission plugin are named with letters and digits")]
    Word,
    /// Of a cipher suite.
    #[error("a cipher suite is named as in Go, such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")]
    Suite,
    /// Of an endpoint of etcd.
    #[error("an endpoint of etcd is written https://192.0.2.1:2379")]
    EtcdEndpoint,
    /// Of the policy of the audit log.
    #[error("an audit policy is YAML with `apiVersion: audit.k8s.io/v1` and `kind: Policy`")]
    AuditPolicy,
}

/// Where clients find the API: a host, which becomes a name in certificates, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// A DNS name or an address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host, when it is an address.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for Endpoint {
    type Err = WordFault;

    fn from_str(text: &str) -> Result<Self, WordFault> {
        if let Ok(at) = text.parse::<SocketAddr>() {
            let host = at.ip().to_string();
            return if at.port() == 0 {
                Err(WordFault::Endpoint)
            } else {
                Ok(Self { host, port: at.port() })
            };
        }
        let (host, digits) = text.rsplit_once(':').ok_or(WordFault::Endpoint)?;
        let port: u16 = digits.parse().map_err(|_| WordFault::Endpoint)?;
        let is_plain = port != 0 && port.to_string() == digits;
        // The rules of names in certificates are those of the certificates.
        let is_name = !host.starts_with('*')
            && Profile::new(("x", None), [host], [Usage::Server], time::Duration::DAY).is_ok();
        if is_plain && is_name {
            return Ok(Self { host: host.to_owned(), port });
        }
        Err(WordFault::Endpoint)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(address) => SocketAddr::new(address, self.port).fmt(f),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

texts! { WordFault:
    /// Below which all objects lie in etcd: `/registry`.
    Prefix else Prefix if |it| is_path(it);
    /// The domain of services: `cluster.local`.
    Domain else Domain if |it| it.len() <= 200 && it.split('.').all(is_label);
    /// Who vouches for tokens of service accounts.
    Issuer else Issuer if |it| it.len() <= 500 && it.strip_prefix("https://").is_some_and(is_url);
    /// A path of the API server: `/readyz`.
    UrlPath else UrlPath if |it| is_path(it);
    /// A feature gate or an admission plugin.
    Word else Word if |it| is_word(it);
    /// A cipher suite, as Go names it.
    Suite else Suite if |it| it.starts_with("TLS_") && it.len() <= 100 && it.bytes().all(is_upper);
    /// Where etcd serves clients: `https://192.0.2.1:2379`.
    EtcdEndpoint else EtcdEndpoint if |it| it.strip_prefix("https://").is_some_and(is_socket);
    /// What the audit log has of each request, in YAML.
    AuditPolicy else AuditPolicy if |it| it.contains("audit.k8s.io/v1") && it.contains("Policy");
}

impl EtcdEndpoint {
    /// Its address.
    pub fn address(&self) -> Option<IpAddr> {
        Some(self.0.strip_prefix("https://")?.parse::<SocketAddr>().ok()?.ip())
    }
}

/// Parts that are no `.` or `..`, each after a slash.
fn is_path(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    let is_part = |it: &str| !it.is_empty() && it != "." && it != ".." && it.bytes().all(is_fine);
    text.len() <= 200 && text.strip_prefix('/').is_some_and(|it| it.split('/').all(is_part))
}

fn is_label(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(is_fine)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_url(text: &str) -> bool {
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b"-_.~:/[]%".contains(&it);
    !text.is_empty() && !text.starts_with('/') && text.bytes().all(is_fine)
}

fn is_word(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.starts_with(|it: char| it.is_ascii_alphabetic())
        && text.bytes().all(|it| it.is_ascii_alphanumeric())
}

fn is_upper(it: u8) -> bool {
    it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_'
}

fn is_socket(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok_and(|it| it.port() != 0 && it.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_one_safe_form() {
        fn check<T: FromStr + fmt::Display>(good: &[&str], bad: &[&str]) {
            for text in good {
                assert_eq!(text.parse::<T>().ok().map(|it| it.to_string()).as_deref(), Some(*text));
            }
            for text in bad {
                assert!(text.parse::<T>().is_err(), "{text:?}");
            }
        }
        check::<Endpoint>(
            &["api.example.test:6443", "192.0.2.1:6443", "[2001:db8::1]:443"],
            &[
                "",
                "api",
                "api:",
                "api:0",
                "api:06443",
                "a b:1",
                "*.a:1",
                "https://a:1",
                "2001:db8::1",
            ],
        );
        check::<Prefix>(
            &["/registry", "/a/b.c"],
            &["", "/", "registry", "/a/", "/a//b", "/a/../b"],
        );
        check::<Domain>(&["cluster.local", "a"], &["", ".a", "A", "a_b", "-a", "a..b"]);
        let issuers = ["https://kubernetes.default.svc.cluster.local", "https://a.test:8443/x"];
        check::<Issuer>(&issuers, &["", "http://a", "https://", "https:///a", "https://a b"]);
        check::<UrlPath>(&["/readyz", "/readyz/ping"], &["", "readyz", "/a*", "/a?b", "/a\"b"]);
        check::<Word>(&["NodeRestriction", "A1"], &["", "1A", "A,B", "A=true", "A B"]);
        check::<Suite>(&["TLS_AES_128_GCM_SHA256"], &["", "AES", "TLS_a", "TLS_A,TLS_B"]);
        check::<EtcdEndpoint>(
            &["https://192.0.2.1:2379", "https://[2001:db8::1]:2379"],
            &[
                "",
                "http://192.0.2.1:2379",
                "https://a:2379",
                "https://192.0.2.1",
                "https://1.2.3.4:0",
            ],
        );
    }

    #[test]
    fn an_endpoint_of_etcd_has_an_address() {
        let endpoint: EtcdEndpoint = "https://[2001:db8::1]:2379".parse().unwrap();
        assert_eq!(endpoint.address(), "2001:db8::1".parse().ok());
    }
}

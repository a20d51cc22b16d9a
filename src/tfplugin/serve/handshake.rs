//! The handshake of go-plugin: the client's environment in, one line out. Pure.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::server::ParsedCertificate;

/// Version of go-plugin's own handshake.
const CORE_PROTOCOL: u32 = 1;
/// Terraform's plugin protocol, major version.
pub(super) const PROTOCOL: u32 = 6;
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// What the client wants, as far as there is a choice.
///
/// `PLUGIN_PROTOCOL_VERSIONS` is none: this is a server of protocol 6, and a client that does not speak it words the
/// error better than we could, once it has read the 6. Neither are `PLUGIN_MIN_PORT` and `PLUGIN_MAX_PORT`, which are
/// for systems without unix sockets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Offer {
    /// The one certificate that may call. Absent when the user switched TLS off.
    pub(super) client_certificate: Option<CertificateDer<'static>>,
    /// Where the socket is to be, if the client cares.
    pub(super) socket_dir: Option<PathBuf>,
    /// Name or number of a group that may call too.
    pub(super) socket_group: Option<String>,
    /// The client knows the seventh field. One that does not would glue it to the certificate.
    pub(super) knows_multiplexing: bool,
}

/// Why there is no handshake.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The cookie, which is no secret, tells that a client started us, and not a human.
    #[error("not started by Terraform or OpenTofu")]
    StartedByHand,
    /// Serving without TLS instead would let in what the client wanted to keep out.
    #[error("PLUGIN_CLIENT_CERT is not a certificate in PEM form")]
    NotPem(#[source] pem::Error),
    #[error("PLUGIN_CLIENT_CERT is not an X.509 certificate")]
    NotACertificate(#[source] rustls::Error),
}

/// Reads the offer from an environment. An empty variable is an absent one, as in go-plugin.
pub(super) fn offer(environment: impl Fn(&str) -> Option<String>) -> Result<Offer, Refusal> {
    let given = |name: &str| environment(name).filter(|it| !it.is_empty());
    if given(COOKIE.0).as_deref() != Some(COOKIE.1) {
        return Err(Refusal::StartedByHand);
    }
    Ok(Offer {
        client_certificate: given("PLUGIN_CLIENT_CERT").map(|it| certificate(&it)).transpose()?,
        socket_dir: given("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
        socket_group: given("PLUGIN_UNIX_SOCKET_GROUP"),
        knows_multiplexing: given("PLUGIN_MULTIPLEX_GRPC").is_some(),
    })
}

/// The line that tells the client where and how to call. `certificate` is the server's own, in DER form.
pub(super) fn line(offer: &Offer, socket: &Path, certificate: Option<&[u8]>) -> String {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let socket = socket.display();
    let multiplexing = if offer.knows_multiplexing { "|false" } else { "" };
    format!("{CORE_PROTOCOL}|{PROTOCOL}|unix|{socket}|grpc|{certificate}{multiplexing}\n")
}

fn certificate(text: &str) -> Result<CertificateDer<'static>, Refusal> {
    let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(Refusal::NotPem)?;
    ParsedCertificate::try_from(&der).map_err(Refusal::NotACertificate)?;
    Ok(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLED: &[(&str, &str)] = &[COOKIE];

    fn given(variables: &[(&str, &str)]) -> Result<Offer, Refusal> {
        let all: Vec<_> = CALLED.iter().chain(variables).collect();
        offer(|name| all.iter().rev().find(|it| it.0 == name).map(|it| it.1.to_owned()))
    }

    #[track_caller]
    fn refused(variables: &[(&str, &str)], why: &str) {
        assert_eq!(given(variables).unwrap_err().to_string(), why);
    }

    #[test]
    fn without_the_cookie_it_was_started_by_hand() {
        refused(&[(COOKIE.0, "")], "not started by Terraform or OpenTofu");
        refused(&[(COOKIE.0, "other")], "not started by Terraform or OpenTofu");
    }

    #[test]
    fn a_broken_client_certificate_is_refused() {
        let not_pem = "PLUGIN_CLIENT_CERT is not a certificate in PEM form";
        refused(&[("PLUGIN_CLIENT_CERT", "x")], not_pem);
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let not_x509 = "PLUGIN_CLIENT_CERT is not an X.509 certificate";
        refused(&[("PLUGIN_CLIENT_CERT", empty)], not_x509);
    }

    #[test]
    fn a_client_certificate_is_taken_over_many_lines() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let made = made.self_signed(&key).unwrap();
        let offer = given(&[("PLUGIN_CLIENT_CERT", &made.pem())]).unwrap();
        assert_eq!(offer.client_certificate.as_ref(), Some(made.der()));
    }

    #[test]
    fn every_version_list_is_answered_with_6() {
        for versions in ["5,6", "6", "5", ""] {
            let offer = given(&[("PLUGIN_PROTOCOL_VERSIONS", versions)]).unwrap();
            assert_eq!(line(&offer, Path::new("/s"), None), "1|6|unix|/s|grpc|\n");
        }
    }

    #[test]
    fn the_certificate_has_no_padding() {
        let offer = given(&[]).unwrap();
        assert_eq!(line(&offer, Path::new("/s"), Some(b"ab?>")), "1|6|unix|/s|grpc|YWI/Pg\n");
    }

    #[test]
    fn the_seventh_field_is_for_those_who_ask() {
        let offer = given(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).unwrap();
        assert_eq!(line(&offer, Path::new("/s"), Some(b"abc")), "1|6|unix|/s|grpc|YWJj|false\n");
    }

    #[test]
    fn the_socket_may_be_wished_for() {
        let offer =
            given(&[("PLUGIN_UNIX_SOCKET_DIR", "/run/x"), ("PLUGIN_UNIX_SOCKET_GROUP", "7")]);
        let offer = offer.unwrap();
        assert_eq!(offer.socket_dir.as_deref(), Some(Path::new("/run/x")));
        assert_eq!(offer.socket_group.as_deref(), Some("7"));
    }
}

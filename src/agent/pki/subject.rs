//! Whom a certificate is for, and what all certificates have in common.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType, SerialNumber};
use rustix::rand::{GetRandomFlags, getrandom};
use time::{Duration, OffsetDateTime};

use crate::agent::fault::Fault;
use crate::proto::agent::Subject;

/// Of a common name and of an organization: `ub-common-name` and `ub-organization-name` of RFC 5280.
const LONGEST_NAME: usize = 64;
/// Of a DNS name, RFC 1035.
const LONGEST_DNS_NAME: usize = 253;
/// Clocks of other hosts may be behind by so much.
const BACKDATED: Duration = Duration::minutes(5);

/// A certificate for a subject, with nothing else said.
pub(super) fn params(subject: Option<&Subject>) -> Result<CertificateParams, Fault> {
    let Some(subject) = subject else {
        return Err(Fault::Invalid("there is no subject in the request".to_owned()));
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !subject.organization.is_empty() {
        let organization = name("organization", &subject.organization)?;
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, name("common name", &subject.common_name)?);
    for text in &subject.dns_names {
        params.subject_alt_names.push(dns_name(text)?);
    }
    for text in &subject.addresses {
        let address: Result<IpAddr, _> = text.parse();
        let address = address.map_err(|_| Fault::Invalid(format!("{text:?} is no IP address")))?;
        params.subject_alt_names.push(SanType::IpAddress(address));
    }
    Ok(params)
}

/// Gives it a serial number and a time. `now`: nanoseconds since 1970.
pub(super) fn begin(params: &mut CertificateParams, now: i64) -> Result<OffsetDateTime, Fault> {
    let now = OffsetDateTime::from_unix_timestamp(now / 1_000_000_000)
        .map_err(|_| Fault::Refused("the clock of the host is beyond all years".to_owned()))?;
    params.not_before = now - BACKDATED;
    params.serial_number = Some(serial()?);
    Ok(now)
}

/// Sixteen bytes, 126 bits of them random: positive, and of one length.
fn serial() -> Result<SerialNumber, Fault> {
    let mut bytes = [0; 16];
    // The kernel gives so few as a whole.
    getrandom(&mut bytes, GetRandomFlags::empty()).map_err(Fault::failed("get random bytes"))?;
    bytes[0] = bytes[0] & 0x3f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(super) fn name<'a>(kind: &str, text: &'a str) -> Result<&'a str, Fault> {
    if text.is_empty() || text.chars().count() > LONGEST_NAME || text.chars().any(char::is_control)
    {
        return Err(Fault::Invalid(format!(
            "the {kind} {text:?} has not 1 to {LONGEST_NAME} characters, or a control character"
        )));
    }
    Ok(text)
}

fn dns_name(text: &str) -> Result<SanType, Fault> {
    let is_label = |it: &str| {
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || it == '-';
        !it.is_empty() && it.len() < LONGEST_NAME && it.chars().all(is_allowed)
    };
    let plain = text.strip_prefix("*.").unwrap_or(text);
    match text.try_into() {
        Ok(name) if text.len() <= LONGEST_DNS_NAME && plain.split('.').all(is_label) => {
            Ok(SanType::DnsName(name))
        }
        _ => Err(Fault::Invalid(format!("{text:?} is no DNS name"))),
    }
}

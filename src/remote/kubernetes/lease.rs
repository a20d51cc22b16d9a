//! Who leads, by the leases that controller managers and schedulers take.

use http::{Method, StatusCode};
use serde::Deserialize;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

use super::{Answer, Api, CallError};

/// Where they lie.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/";

/// A lease that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The name of the host, `_`, and an id of the process.
    pub holder: String,
}

#[derive(Deserialize)]
struct Object {
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    holder_identity: String,
    #[serde(default)]
    lease_duration_seconds: i64,
    renew_time: Option<String>,
}

impl Api {
    /// Who holds the lease of this component. None: nobody has taken it, it was given back, or it has run out.
    ///
    /// # Errors
    /// It was refused, or what was answered is no lease.
    pub async fn lease(&self, component: &str) -> Result<Option<Lease>, CallError> {
        let call = || format!("look at the lease of {component}");
        let answer = self.ask(Method::GET, &format!("{LEASES}{component}"), None).await?;
        match answer.status {
            StatusCode::OK => {
                let lease = read(&answer).map_err(|it| CallError::Broken(call(), it.into()))?;
                Ok(lease.filter(|it| !it.holder.is_empty()))
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(answer.refused(call())),
        }
    }
}

/// By the clock of the API server that answers, for others may be wrong.
fn read(answer: &Answer) -> Result<Option<Lease>, &'static str> {
    let Object { spec } =
        serde_json::from_slice(&answer.text).map_err(|_| "the answer is no lease")?;
    let Some(renewed) = spec.renew_time else { return Ok(None) };
    let renewed = micro_time(&renewed).ok_or("the lease has no time that can be read")?;
    let now = answer.date.as_deref().and_then(http_date).ok_or("the answer has no date")?;
    let is_over = renewed + time::Duration::seconds(spec.lease_duration_seconds) < now;
    Ok((!is_over).then_some(Lease { holder: spec.holder_identity }))
}

/// `2026-11-29T14:58:02.123456Z`, as Kubernetes writes it; what is below a second is left out.
fn micro_time(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.strip_suffix('Z')?.split_once('T')?;
    let time = rest.split('.').next()?;
    let mut parts = date.split('-');
    let year: i32 = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day: u8 = parts.next()?.parse().ok()?;
    moment((year, Month::try_from(month).ok()?, day), time)
}

/// `Sun, 29 Nov 2026 14:58:02 GMT`: the one form that a server may send (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<OffsetDateTime> {
    let mut parts = text.strip_suffix(" GMT")?.split(' ').skip(1);
    let day: u8 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let year: i32 = parts.next()?.parse().ok()?;
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = names.iter().zip(1..).find(|(it, _)| **it == name)?.1;
    moment((year, Month::try_from(month).ok()?, day), parts.next()?)
}

fn moment((year, month, day): (i32, Month, u8), time: &str) -> Option<OffsetDateTime> {
    let mut parts = time.split(':').map(|it| it.parse::<u8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    Some(OffsetDateTime::new_in_offset(date, time, UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_writing_a_moment_mean_the_same() {
        let moment = http_date("Sun, 29 Nov 2026 14:58:02 GMT");
        assert!(moment.is_some());
        assert_eq!(micro_time("2026-11-29T14:58:02.123456Z"), moment);
        assert_eq!(micro_time("2026-11-29T14:58:02Z"), moment);
        for text in ["", "2026-11-29", "2026-13-29T14:58:02Z", "2026-11-29T25:58:02Z"] {
            assert_eq!(micro_time(text), None, "{text}");
        }
        for text in ["", "Sun, 29 Nov 2026", "Sun, 29 Non 2026 14:58:02 GMT"] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }

    #[test]
    fn a_lease_is_held_until_it_has_run_out() {
        let check = |renewed: &str, expected: &str| {
            let text = format!(
                r#"{{"kind":"Lease","spec":{{"holderIdentity":"a_1","leaseDurationSeconds":15,"renewTime":{renewed}}}}}"#
            );
            let date = Some("Sun, 29 Nov 2026 14:58:02 GMT".to_owned());
            let answer = Answer { status: StatusCode::OK, date, text: text.into_bytes() };
            let found = match read(&answer) {
                Ok(lease) => lease.map_or("nobody".to_owned(), |it| it.holder),
                Err(fault) => fault.to_owned(),
            };
            assert_eq!(found, expected, "{renewed}");
        };
        check("\"2026-11-29T14:57:58.1Z\"", "a_1");
        check("\"2026-11-29T14:57:47.9Z\"", "a_1");
        check("\"2026-11-29T14:57:46.9Z\"", "nobody");
        check("null", "nobody");
        check("\"yesterday\"", "the lease has no time that can be read");
    }
}

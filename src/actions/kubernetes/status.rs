//! How a control plane is at this moment. Nothing is changed, locked or waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};

use super::access::{ADMINISTRATORS, Access, issue};
use super::health::holders;
use super::look::LEAVES;
use super::site::folder;
use crate::domain::pki::Certificate;
use crate::engine::{Fleet, chain};
use crate::host::{Host, HostError};
use crate::remote::kubernetes::{Api, Credentials};

/// Longer than any look.
const LIFETIME: Duration = Duration::from_mins(10);

/// How a control plane is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Every API server is ready, and both leases are held.
    pub is_ready: bool,
    /// By name, those that were asked for.
    pub nodes: BTreeMap<String, NodeReport>,
    /// Who leads the controller managers: name of a host, `_`, and an id.
    pub controller_manager: Option<String>,
    /// Who leads the schedulers, in the same way.
    pub scheduler: Option<String>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeReport {
    /// Its host has answered.
    pub is_reachable: bool,
    /// Its API server says so. None: it has not answered.
    pub is_ready: Option<bool>,
    /// Of its API server, as `1.34.4`.
    pub version: Option<String>,
    /// When the first certificate on its host expires.
    pub expires: Option<OffsetDateTime>,
    /// Why it, or something of it, is not known.
    pub trouble: Option<String>,
}

/// What one host brought.
#[derive(Debug, Default)]
struct Seen {
    report: NodeReport,
    holders: Option<[Option<String>; 2]>,
}

/// Asks all API servers at the same time, each through its own host, until `by` at the latest.
pub async fn status(fleet: &Fleet, access: &Access, by: Instant) -> Report {
    let user = ("terraform-provider-ha", ADMINISTRATORS);
    let issued = timeout_at(by, issue(fleet, access, user, LIFETIME)).await;
    let credentials = match issued {
        Ok(Ok(it)) => {
            Credentials::new(&access.authority, &it.certificate, &it.key).map_err(|it| chain(&it))
        }
        Ok(Err(_)) => Err("no host signs a certificate to ask it with".to_owned()),
        Err(_) => Err("no host has signed a certificate in time".to_owned()),
    };
    let credentials = &credentials;
    let answers = fleet.look(async |key, host| {
        // What was learnt of the host until then stays.
        let mut seen = Seen::default();
        let looked = timeout_at(by, look(&key, &host, access, credentials, &mut seen)).await;
        seen.report.trouble = match looked {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some("it has not answered in time".to_owned()),
        };
        Ok(seen)
    });
    let late =
        |key: &String| (key.clone(), trouble("its host has not answered in time".to_owned()));
    let seen = match timeout_at(by, answers).await {
        Ok(answers) => {
            answers.into_iter().map(|(key, it)| (key, it.unwrap_or_else(silent))).collect()
        }
        Err(_) => access.nodes.keys().map(late).collect(),
    };
    conclude(seen)
}

fn trouble(why: String) -> Seen {
    let report = NodeReport { trouble: Some(why), ..NodeReport::default() };
    Seen { report, holders: None }
}

#[expect(clippy::needless_pass_by_value, reason = "for `unwrap_or_else`")]
fn silent(error: HostError) -> Seen {
    trouble(chain(&error))
}

async fn look(
    key: &str,
    host: &Host,
    access: &Access,
    credentials: &Result<Credentials, String>,
    seen: &mut Seen,
) -> Result<(), String> {
    let report = &mut seen.report;
    report.is_reachable = true;
    report.expires = expires(host, access).await;
    let credentials = credentials.as_ref().map_err(Clone::clone)?;
    let at = access.nodes.get(key).ok_or("it has no address")?;
    let stream = host.forward(&at.to_string()).await.map_err(|it| chain(&it))?;
    let api = Api::open(stream, at.ip(), credentials).await.map_err(|it| chain(&it))?;
    let is_ready = api.is_ready().await.map_err(|it| chain(&it))?;
    report.is_ready = Some(is_ready);
    report.version = Some(api.version().await.map_err(|it| chain(&it))?);
    seen.holders = holders(&api).await;
    if is_ready { Ok(()) } else { Err("its API server says that it is not ready".to_owned()) }
}

/// None where a certificate is missing or cannot be read: what is wrong with it is told as drift.
async fn expires(host: &Host, access: &Access) -> Option<OffsetDateTime> {
    let directory = folder(&access.name);
    let mut first = None;
    for (leaf, _) in LEAVES {
        let read = host.read(&format!("{directory}/pki/{leaf}.crt"), 1 << 16).await.ok()?;
        let ends = Certificate::parse(&read.content).ok()?.not_after;
        first = Some(first.map_or(ends, |it: OffsetDateTime| it.min(ends)));
    }
    first
}

fn conclude(seen: BTreeMap<String, Seen>) -> Report {
    let are_ready = !seen.is_empty() && seen.values().all(|it| it.report.is_ready == Some(true));
    let holders = seen.values().find_map(|it| it.holders.clone());
    let [controller_manager, scheduler] = holders.unwrap_or_default();
    Report {
        is_ready: are_ready && controller_manager.is_some() && scheduler.is_some(),
        nodes: seen.into_iter().map(|(key, it)| (key, it.report)).collect(),
        controller_manager,
        scheduler,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_is_ready_when_all_are_and_somebody_leads() {
        let node = |is_ready, manager: Option<&str>| {
            let report = NodeReport { is_ready, ..NodeReport::default() };
            let holders = [manager.map(str::to_owned), Some("b_1".to_owned())];
            Seen { report, holders: is_ready.map(|_| holders) }
        };
        let check = |nodes: Vec<Seen>, expected: bool| {
            let named = ["a", "b"].map(str::to_owned).into_iter().zip(nodes).collect();
            assert_eq!(conclude(named).is_ready, expected);
        };
        let ready = || node(Some(true), Some("a_1"));
        check(vec![ready(), ready()], true);
        check(vec![ready(), node(Some(false), None)], false);
        check(vec![node(None, None), ready()], false);
        check(vec![node(Some(true), None)], false);
        check(vec![], false);
        let report = conclude(BTreeMap::from([("b".to_owned(), ready())]));
        assert_eq!(report.controller_manager.as_deref(), Some("a_1"));
    }
}

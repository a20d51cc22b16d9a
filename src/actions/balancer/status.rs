//! How a balancer is at this moment, as its nodes say. Nothing is changed, and no lock is taken.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

use super::KIND;
use crate::actions::{Owner, record_name};
use crate::domain::balancer::{BACK, Files};
use crate::domain::name::ClusterName;
use crate::engine::record::Claim;
use crate::engine::{Fleet, chain};
use crate::host::messages::FactsRequest;
use crate::host::{Host, HostError};
use crate::remote::haproxy::{Server, Status, status as ask};

/// How a balancer is.
#[derive(Debug, Default)]
pub struct Report {
    /// The node that has the virtual IP.
    pub holder: Option<String>,
    /// By key.
    pub nodes: BTreeMap<String, NodeReport>,
    /// As a node that serves sees them, if there is a choice the one that has the virtual IP.
    pub backends: BTreeMap<String, Server>,
}

/// How a node is.
#[derive(Debug, Default)]
pub struct NodeReport {
    /// Whether its host answers.
    pub is_reachable: bool,
    /// Whether its proxy answers.
    pub serves: bool,
    /// Why its host does not.
    pub trouble: Option<String>,
}

/// What one host tells.
struct Told {
    holds: bool,
    status: Option<Status>,
}

/// Asks all nodes; what has not answered by then does not answer.
pub async fn status(fleet: &Fleet, name: &ClusterName, id: &str, limit: Duration) -> Report {
    let claim = Claim {
        kind: KIND.to_owned(),
        name: name.to_string(),
        id: Some(id.to_owned()),
        given: None,
    };
    let asked = fleet.look(async |_, host| {
        let told = timeout(limit, tell(&host, name, &claim)).await;
        told.unwrap_or_else(|_| {
            let source = "it did not answer in time".into();
            Err(HostError::Unreachable { host: host.name().clone(), source })
        })
    });
    let mut report = Report::default();
    let mut best: Option<(bool, Status)> = None;
    for (key, answer) in asked.await {
        let node = match answer {
            Ok(told) => {
                if told.holds {
                    report.holder = Some(key.clone());
                }
                let serves = told.status.is_some();
                let is_better = best.as_ref().is_none_or(|(holds, _)| told.holds && !holds);
                if let Some(status) = told.status.filter(|_| is_better) {
                    best = Some((told.holds, status));
                }
                NodeReport { is_reachable: true, serves, trouble: None }
            }
            Err(error) => NodeReport { trouble: Some(chain(&error)), ..NodeReport::default() },
        };
        report.nodes.insert(key, node);
    }
    report.backends = best.map(|(_, it)| it.servers).unwrap_or_default();
    report
}

async fn tell(host: &Host, name: &ClusterName, claim: &Claim) -> Result<Told, HostError> {
    let records = record_name(claim);
    let (facts, records) = tokio::try_join!(host.facts(FactsRequest::default()), async {
        host.records(&[&records]).await
    })?;
    // The virtual IP is that of the last apply.
    let owner = Owner::of(&records, claim);
    let applied = owner.record().and_then(|it| it.applied.get("virtual_ip"));
    let address = applied.and_then(|it| it.get("address")?.as_str()?.split('/').next());
    let holds = address.is_some_and(|it| facts.addresses.iter().any(|own| own.address == it));
    let status = match Files::new(name, "", false) {
        Ok(files) => match host.forward_socket(&files.admin()).await {
            Ok(stream) => ask(stream, BACK).await.ok(),
            Err(_) => None,
        },
        Err(_) => None,
    };
    Ok(Told { holds, status })
}

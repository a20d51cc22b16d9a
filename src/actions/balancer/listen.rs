//! What is there already where a node is to be: who listens on its ports, and who else is on the network of the virtual
//! IP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::perform::keys;
use super::{Balancer, Setup, Site};
use crate::actions::{Owner, record_name};
use crate::domain::balancer::Strangers;
use crate::domain::name::Name;
use crate::engine::gravest;
use crate::engine::preflight::Needs;
use crate::host::messages::{ListenReply, ListenRequest};
use crate::host::{HostError, Locked};

/// A virtual router advertises itself once a second, unless somebody has chosen another interval.
pub(super) const LISTENS: Duration = Duration::from_millis(2500);

/// Who has an address says so within milliseconds.
pub(super) const ASKS: Duration = Duration::from_millis(500);

/// What a host that was none of ours is to offer.
///
/// # Errors
/// It cannot tell whose it is.
pub async fn needs(host: &Locked, site: &Site, setup: &Setup) -> Result<Needs, HostError> {
    let records = host.records(&[&record_name(&setup.own.claim)]).await?;
    let root = !site.place.is_local;
    if Owner::of(&records, &setup.own.claim) != Owner::Nobody {
        return Ok(Needs { root, ..Needs::default() });
    }
    let front = setup.desired.binds(&site.place);
    let metrics = setup.desired.metrics_port.map(|it| (site.place.address.to_string(), it));
    let ports = [(front.ip().to_string(), front.port())].into_iter().chain(metrics).collect();
    Ok(Needs { root, ports, ..Needs::default() })
}

impl Balancer<'_> {
    /// Heard by these hosts; one that has the virtual IP itself cannot ask for it.
    pub(super) async fn strangers(
        &mut self,
        hosts: &[Name],
        limit: Duration,
    ) -> Result<Strangers, HostError> {
        let Some(virtual_ip) = self.setup.desired.virtual_ip.clone() else {
            return Ok(Strangers::default());
        };
        let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let request = |key: &str| {
            let look = self.looks.get(key).filter(|it| !it.holds())?;
            Some(ListenRequest {
                address: virtual_ip.address.address().to_string(),
                own: self.sites.get(key)?.place.address.to_string(),
                interface: look.wanted.interface.as_ref()?.to_string(),
                limit,
            })
        };
        let requests: BTreeMap<_, _> =
            keys(hosts).into_iter().filter_map(|it| Some((it.clone(), request(&it)?))).collect();
        let asked = requests.keys().cloned().collect();
        let listen = async |key: String, host: Locked| host.listen(requests[&key].clone()).await;
        let heard: Vec<ListenReply> =
            gravest(self.fleet.some(&asked, listen).await)?.into_values().collect();

        let own: BTreeSet<&String> = self.looks.values().flat_map(|it| &it.links).collect();
        let owners = heard.iter().flat_map(|it| &it.owners).filter(|it| !own.contains(it));
        let has_unseen = self.sites.keys().any(|it| !self.looks.contains_key(it));
        let places: BTreeSet<IpAddr> = self.sites.values().map(|it| it.place.address).collect();
        let id = u32::from(virtual_ip.router_id.get());
        let routers = heard.iter().flat_map(|it| &it.routers).filter(|it| it.id == id);
        let routers = routers.filter_map(|it| it.address.parse().ok());
        Ok(Strangers {
            owners: if has_unseen { BTreeSet::new() } else { owners.cloned().collect() },
            routers: routers.filter(|it| !places.contains(it)).collect(),
        })
    }
}

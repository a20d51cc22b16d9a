//! What members say of their health, for a read: no lock is needed, and credentials only where data is said to differ.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use super::access::{Access, issue};
use super::look::Look;
use super::setup::Setup;
use super::site::Site;
use crate::domain::etcd::{self, Concern, MemberId, Saying};
use crate::engine::Fleet;
use crate::host::HostError;
use crate::remote::etcd::{AlarmType, Api, Credentials, Health, health};

/// For a question that is asked once in the life of a cluster, if ever.
const LIMIT: Duration = Duration::from_secs(8);
/// Longer than that.
const LIFETIME: Duration = Duration::from_mins(10);

/// What each member answers, by the keys of the fleet. None: its host or itself does not.
pub async fn ask_health(
    fleet: &Fleet,
    sites: &BTreeMap<String, Site>,
    setup: &Setup,
) -> BTreeMap<String, Option<Health>> {
    let asked = fleet.look(async |key, host| {
        let stream = host.forward(&sites[&key].metrics(&setup.desired)).await?;
        Ok(health(stream).await)
    });
    let answers = asked.await.into_iter();
    answers.map(|(key, answer)| (key, answer.ok().flatten())).collect()
}

/// The members whose data differs from that of the others. Whoever is asked for his health knows of an alarm, and does not
/// say whose it is; that is told to those alone who have a certificate. Empty as well when nobody tells in time.
pub async fn ask_corrupt(
    fleet: &Fleet,
    sites: &BTreeMap<String, Site>,
    setup: &Setup,
    looks: &BTreeMap<String, Look>,
    health: &BTreeMap<String, Option<Health>>,
) -> BTreeSet<MemberId> {
    let ailments = health.values().flatten().filter_map(Health::ailment);
    let is_told = ailments.into_iter().any(|it| it.contains("CORRUPT"));
    let authority = looks.values().find_map(Look::authority);
    let (true, Some(authority)) = (is_told, authority) else { return BTreeSet::new() };
    let port = setup.desired.ports.client;
    let client = |(key, site): (&String, &Site)| {
        let address = looks.get(key).and_then(Look::listens).unwrap_or(site.place.address);
        (key.clone(), SocketAddr::new(address, port))
    };
    let members: BTreeMap<_, _> = sites.iter().map(client).collect();
    let access = Access { name: setup.desired.name.clone(), authority, members };
    timeout(LIMIT, ask_alarms(fleet, &access)).await.ok().flatten().unwrap_or_default()
}

/// Of the first member that answers.
async fn ask_alarms(fleet: &Fleet, access: &Access) -> Option<BTreeSet<MemberId>> {
    let issued = issue(fleet, access, "provider", LIFETIME).await.ok()?;
    let credentials = Credentials::new(&access.authority, &issued.certificate, &issued.key).ok()?;
    let asked = fleet.first(async |key, host| {
        let silent = |error: crate::remote::etcd::CallError| {
            let (host, source) = (host.name().clone(), Box::new(error));
            HostError::Unreachable { host, source }
        };
        let client = access.members[&key];
        let stream = host.forward(&client.to_string()).await?;
        let api = Api::open(stream, client.ip(), &credentials).await.map_err(silent)?;
        api.alarms().await.map_err(silent)
    });
    let alarms = asked.await.ok()?.into_iter();
    let corrupt = alarms.filter(|it| it.alarm() == AlarmType::Corrupt);
    Some(corrupt.map(|it| MemberId(it.member)).collect())
}

/// What no apply mends by itself.
pub fn concerns(
    setup: &Setup,
    sites: &BTreeMap<String, Site>,
    looks: &BTreeMap<String, Look>,
    health: &BTreeMap<String, Option<Health>>,
) -> Vec<Concern> {
    let saying = |(key, site): (&String, &Site)| {
        let health = health.get(key).and_then(Option::as_ref);
        let saying = Saying {
            ailment: health.and_then(Health::ailment).map(str::to_owned),
            version: looks.get(key).and_then(Look::running).map(|it| it.version),
        };
        (site.name.clone(), saying)
    };
    etcd::concerns(&setup.desired, &sites.iter().map(saying).collect())
}

//! What members say of their health to whoever asks, for a read: no lock and no credentials are needed.

use std::collections::BTreeMap;

use super::look::Look;
use super::setup::Setup;
use super::site::Site;
use crate::domain::etcd::{self, Concern, Saying};
use crate::engine::Fleet;
use crate::remote::etcd::{Health, health};

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

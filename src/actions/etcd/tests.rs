//! What a look costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tokio::time::Instant;

use super::*;
use crate::actions::Own;
use crate::actions::programs::{By, Downloads, Programs};
use crate::domain::artifacts::{Project, Source};
use crate::domain::etcd::notation::want;
use crate::engine::record::Claim;
use crate::host::fake::FakeHost;
use crate::host::{Hosts, Patience, Target, Way};
use crate::remote::http::{Proxy, Route};

const ABC: [&str; 3] = ["a", "b", "c"];

fn setup() -> Setup {
    let claim = Claim {
        kind: KIND.to_owned(),
        name: "prod".to_owned(),
        id: Some("1".to_owned()),
        given: None,
    };
    let route = Route { proxy: Proxy::Direct, authorities: None };
    Setup {
        called: "etcd-prod".parse().unwrap(),
        desired: want("a b c", "3.6"),
        certificates: Certificates {
            validity: time::Duration::days(365),
            ca_validity: time::Duration::days(3650),
            extra_sans: Vec::new(),
        },
        own: Own { claim, id: "1".to_owned(), applied: Map::new() },
        known: None,
        generation: 0,
        last: BTreeMap::new(),
        programs: Arc::new(Programs {
            source: Source::upstream(Project::Etcd),
            by: By::Here(Downloads::default()),
            route,
        }),
    }
}

/// A plan over a slow network is as slow as its round trips, however many questions each carries.
#[tokio::test(start_paused = true)]
async fn a_read_takes_three_round_trips_at_most() {
    const TRIP: Duration = Duration::from_secs(1);
    let setup = setup();
    let fakes: Vec<_> = ABC.into_iter().map(FakeHost::new).collect();
    let (mut targets, mut sites) = (BTreeMap::new(), BTreeMap::new());
    for (name, place) in &setup.desired.members {
        let fake = &fakes[ABC.iter().position(|it| *it == name.as_str()).unwrap()];
        let host: crate::host::HostName = name.as_str().parse().unwrap();
        let site = Site::new(&setup.desired, name.clone(), host.clone(), *place, "").unwrap();
        sites.insert(name.to_string(), site);
        targets.insert(name.to_string(), Target { name: host, way: Way::Fake(fake.clone()) });
    }
    let hosts = Arc::new(Hosts::new("anna".to_owned(), None));
    // The handshake does not count.
    for target in targets.values() {
        hosts.connect(target, Patience::Once).await.unwrap();
    }
    for fake in &fakes {
        fake.set_delay(TRIP);
    }
    let fleet = Fleet::new(hosts, targets, "etcd_cluster-prod");
    let began = Instant::now();
    let ((looks, silent), health) =
        tokio::join!(look_at_all(&fleet, &sites, &setup), ask_health(&fleet, &sites, &setup));
    assert_eq!((looks.len(), silent.len(), health.len()), (3, 0, 3));
    let trips = began.elapsed().as_secs_f64() / TRIP.as_secs_f64();
    assert!((0.9..3.1).contains(&trips), "{trips} round trips");
    assert!(concerns(&setup, &sites, &looks, &health).is_empty());
}

//! Whether hosts are fit for members, asked before the first change of a run.

use std::collections::{BTreeMap, BTreeSet};

use super::setup::Setup;
use super::site::{PROGRAMS, Site};
use crate::actions::{Owner, is_former, record_name};
use crate::engine::preflight::Needs;
use crate::engine::{Fleet, Stopped};
use crate::host::{HostError, Locked};

/// Archive and programs of one version, with room for growth: 3.6 has 24 MB and 61 MB.
const PROGRAM: u64 = 160 << 20;
/// The log takes two files of 64 MiB at once (`SegmentSizeBytes` in server/storage/wal/wal.go), the data as much as it has.
const DATA: u64 = 256 << 20;

/// Refuses hosts on which a member could not run. One that has a part of it has the room and the ports already.
///
/// # Errors
/// As [`Fleet::preflight`].
pub async fn preflight(
    fleet: &mut Fleet,
    sites: &BTreeMap<String, Site>,
    setup: &Setup,
) -> Result<(), Stopped> {
    let keys: BTreeSet<_> = sites.keys().filter(|it| !is_former(it)).cloned().collect();
    let needs = async |key: String, host: Locked| {
        let site = &sites[&key];
        let records = host.records(&[&record_name(&setup.own.claim)]).await?;
        let is_new = Owner::of(&records, &setup.own.claim) == Owner::Nobody;
        Ok::<_, HostError>(needs(site, setup, is_new))
    };
    fleet.preflight(&keys, needs).await
}

fn needs(site: &Site, setup: &Setup, is_new: bool) -> Needs {
    let mut needs = Needs { root: site.root.is_empty(), ..Needs::default() };
    if is_new {
        needs.space.push((PROGRAMS.to_owned(), PROGRAM));
        needs.space.extend(site.data_dirs().map(|it| (it.to_owned(), DATA)));
        let (address, ports) = (site.place.address.to_string(), setup.desired.ports);
        needs.ports.extend([ports.client, ports.peer].map(|it| (address.clone(), it)));
        needs.ports.push((site.metrics_address().to_string(), ports.metrics));
    }
    needs
}

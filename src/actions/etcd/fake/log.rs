//! What members keep of entries that change nothing.

use super::cluster::{Cluster, Present};
use super::programs::Programs;

impl Programs {
    /// What `/metrics` says of the state that it has written down.
    pub(super) fn metrics(&self, at: &str) -> Option<String> {
        let process = self.running.get(at)?;
        let entries = self.clusters.get(&process.cluster)?.entries;
        let written = Cluster::written(entries) - Cluster::written(process.skipped);
        Some(format!("etcd_debugging_snap_save_total_duration_seconds_count {written}\n"))
    }

    /// An entry for all. Whoever has enough of them, and can read those before, writes down its state.
    pub(super) fn pass(&self, id: u64, cluster: &mut Cluster, present: &Present) {
        let before = Cluster::written(cluster.entries);
        cluster.entries += 1;
        if before < Cluster::written(cluster.entries) {
            let there = self.running.values().filter(|it| it.cluster == id);
            let there = there.filter(|it| 6 <= it.flags.version.minor);
            let there = there.map(|it| it.member).filter(|it| present.contains_key(it));
            cluster.is_readable.extend(there);
        }
    }
}

//! Members made to write down their state, so that a later version starts from there.
//!
//! etcd does that by itself after so many entries, and offers no call for it. So it gets entries that change nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::EtcdCluster;
use super::members::explain;
use crate::domain::etcd::MemberId;
use crate::engine::gravest;
use crate::host::HostError;
use crate::remote::etcd::snapshots_saved;

/// Between two looks. etcd 3.6 writes after 10,000 (`DefaultSnapshotCount`, server/etcdserver/server.go).
const ENTRIES: usize = 1_000;
/// On their way together: a member writes many of them with one sync.
const AT_ONCE: usize = 128;
/// Beyond 100,000, which 3.5 had as its default and somebody may have kept.
const MOST_LOOKS: usize = 120;

impl EtcdCluster<'_> {
    pub(super) async fn cut_logs(&mut self, keys: &BTreeSet<String>) -> Result<(), HostError> {
        let before = self.saved(keys).await?;
        for _ in 0..MOST_LOOKS {
            let (api, host) = self.voter(MemberId(0))?;
            let entries = stream::iter(0..ENTRIES).map(|_| api.pass());
            let passed = entries.buffer_unordered(AT_ONCE).try_collect::<()>().await;
            passed.map_err(|it| explain(host, it))?;
            let now = self.saved(keys).await?;
            if before.iter().all(|(key, count)| now.get(key).is_some_and(|it| count < it)) {
                return Ok(());
            }
        }
        let entries = ENTRIES * MOST_LOOKS;
        Err(HostError::Failed {
            host: self.setup.called.clone(),
            call: "make its members write down where they are".to_owned(),
            reason: format!(
                "{entries} entries did not do it: take --snapshot-count out of extra_args, and apply again"
            ),
        })
    }

    /// How often each member has done it since it was started.
    async fn saved(&mut self, keys: &BTreeSet<String>) -> Result<BTreeMap<String, u64>, HostError> {
        let (sites, desired) = (&self.sites, &self.setup.desired);
        let asked = self.fleet.some(keys, async |key, host| {
            let stream = host.forward(&sites[&key].metrics(desired)).await?;
            snapshots_saved(stream).await.ok_or_else(|| HostError::Interrupted {
                host: host.name().clone(),
                call: "tell how often its member wrote down where it is".to_owned(),
                source: "the member gives no such number at its port for metrics".into(),
            })
        });
        gravest(asked.await)
    }
}

//! The program of a version, brought to hosts beside the others.

use std::collections::BTreeSet;

use super::EtcdCluster;
use crate::domain::artifacts::{self, Release};
use crate::domain::etcd::Version;
use crate::engine::gravest;
use crate::host::HostError;

impl EtcdCluster<'_> {
    pub(super) async fn stage(
        &mut self,
        keys: &BTreeSet<String>,
        version: Version,
    ) -> Result<(), HostError> {
        let (looks, programs) = (&self.looks, &self.setup.programs);
        let done = self.fleet.some(keys, async |key, host| {
            let failed = |reason: String| HostError::Failed {
                host: host.name().clone(),
                call: format!("install etcd {version}"),
                reason,
            };
            let architecture = looks.get(&key).and_then(|it| it.architecture);
            let architecture = architecture
                .ok_or_else(|| failed("nothing is released for its architecture".to_owned()))?;
            let parsed = version.to_string().parse();
            let parsed = parsed.map_err(|it: artifacts::VersionError| failed(it.to_string()))?;
            programs.install(&host, &Release::etcd(parsed, architecture)).await
        });
        gravest(done.await).map(drop)
    }
}

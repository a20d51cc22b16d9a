//! The program of a version, brought to hosts beside the others.

use std::collections::BTreeSet;

use super::EtcdCluster;
use super::setup::Programs;
use crate::domain::artifacts::{self, Architecture, Artifact, Checksum, Release, find};
use crate::domain::etcd::Version;
use crate::engine::{chain, gravest};
use crate::host::{HostError, Locked, Origin, messages};
use crate::remote::checksums;

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
            install(&host, programs, version, architecture, &failed).await
        });
        gravest(done.await).map(drop)
    }
}

async fn install(
    host: &Locked,
    programs: &Programs,
    version: Version,
    architecture: Architecture,
    failed: &(impl Fn(String) -> HostError + Sync),
) -> Result<(), HostError> {
    let version: artifacts::Version = version
        .to_string()
        .parse()
        .map_err(|it: artifacts::VersionError| failed(it.to_string()))?;
    let release = Release::etcd(version, architecture);
    let located = programs.source.locate(&release);
    let digest = match &located.checksum {
        Checksum::Given(digest) => *digest,
        Checksum::Published(url) => {
            let text = published(programs, url).await.map_err(failed)?;
            find(&text, &located.file).map_err(|it| failed(it.to_string()))?
        }
    };
    let artifact = message(&Artifact::new(&release, &located, digest));
    if let Some(directory) = &programs.directory {
        let file = directory.join(&located.file);
        return host.install(artifact, Origin::File(&file)).await.map(drop);
    }
    let (proxy, authorities) = (&programs.proxy, &programs.authorities);
    host.install(artifact, Origin::Url { url: &located.url, proxy, authorities }).await.map(drop)
}

/// The file of checksums: beside the files, where these lie in a directory.
async fn published(programs: &Programs, url: &str) -> Result<String, String> {
    let Some(directory) = &programs.directory else {
        return checksums::fetch(url, &programs.route).await.map_err(|it| chain(&it));
    };
    let file = directory.join(url.rsplit('/').next().unwrap_or_default());
    let read = tokio::fs::read_to_string(&file).await;
    read.map_err(|err| format!("{} cannot be read here: {err}", file.display()))
}

fn message(it: &Artifact) -> messages::Artifact {
    let member = |it: &artifacts::Member| messages::Member {
        path: it.path.clone().unwrap_or_default(),
        name: it.name.clone(),
    };
    messages::Artifact {
        project: it.project.name().to_owned(),
        version: it.version.to_string(),
        file: it.file.clone(),
        digest: it.digest.bytes().to_vec().into(),
        members: it.members.iter().map(member).collect(),
    }
}

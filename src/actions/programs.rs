//! Programs of releases, brought to hosts beside their other versions: what all projects have in common.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::domain::artifacts::{self, Artifact, Checksum, Digest, Located, Release, Source, find};
use crate::engine::chain;
use crate::host::{HostError, Locked, Origin, messages};
use crate::remote::fetch;
use crate::remote::http::Route;

/// Where the programs of a project come from.
#[derive(Debug)]
pub struct Programs {
    /// URLs and checksums.
    pub source: Source,
    /// Who gets them from there.
    pub by: By,
    /// For what this machine fetches.
    pub route: Route,
}

/// Who gets files.
#[derive(Debug)]
pub enum By {
    /// They lie in a directory of this machine, and are uploaded.
    Directory(PathBuf),
    /// This machine downloads each of them once in a run, and uploads it.
    Here(Downloads),
    /// Each host downloads.
    Host {
        /// Empty: none. May hold a password.
        proxy: String,
        /// PEM. Empty: those that the host trusts.
        authorities: String,
    },
}

/// Files that were downloaded in this run, in memory alone, each proven by its digest.
#[derive(Default)]
pub struct Downloads(Mutex<HashMap<Digest, Bytes>>);

impl Downloads {
    async fn get(&self, located: &Located, digest: Digest, route: &Route) -> Result<Bytes, String> {
        // Hosts that need the same file wait for the one who fetches it.
        let mut files = self.0.lock().await;
        if let Some(file) = files.get(&digest) {
            return Ok(file.clone());
        }
        tracing::info!(file = located.file, "is downloaded");
        let file =
            fetch::file(&located.url, route, digest.bytes()).await.map_err(|it| chain(&it))?;
        files.insert(digest, file.clone());
        Ok(file)
    }
}

impl fmt::Debug for Downloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Downloads(…)")
    }
}

impl Programs {
    /// Installs a release, which nothing runs yet. Nothing is installed whose digest is another.
    ///
    /// # Errors
    /// It cannot be had, or is not what it should be.
    pub async fn install(&self, host: &Locked, release: &Release) -> Result<(), HostError> {
        let failed = |reason: String| HostError::Failed {
            host: host.name().clone(),
            call: format!("install {} {}", release.project().name(), release.version()),
            reason,
        };
        let located = self.source.locate(release);
        let digest = match &located.checksum {
            Checksum::Given(digest) => *digest,
            Checksum::Published(url) => {
                let text = self.published(url).await.map_err(failed)?;
                find(&text, &located.file).map_err(|it| failed(it.to_string()))?
            }
        };
        let artifact = message(&Artifact::new(release, &located, digest));
        let (path, file);
        let origin = match &self.by {
            By::Directory(directory) => {
                path = directory.join(&located.file);
                Origin::File(&path)
            }
            By::Here(downloads) => {
                file = downloads.get(&located, digest, &self.route).await.map_err(failed)?;
                Origin::Memory(&file)
            }
            By::Host { proxy, authorities } => {
                Origin::Url { url: &located.url, proxy, authorities }
            }
        };
        host.install(artifact, origin).await.map(drop)
    }

    /// The file of checksums: beside the files, where these lie in a directory.
    async fn published(&self, url: &str) -> Result<String, String> {
        let By::Directory(directory) = &self.by else {
            return fetch::text(url, &self.route).await.map_err(|it| chain(&it));
        };
        let file = directory.join(url.rsplit('/').next().unwrap_or_default());
        let read = tokio::fs::read_to_string(&file).await;
        read.map_err(|err| format!("{} cannot be read here: {err}", file.display()))
    }
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

//! Where programs come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::gap::{Gap, Unknown};
use super::reading::{Environment, Reading};
use crate::model;
use crate::resources::checks;
use crate::tfplugin::diagnostics::{Diagnostic, Diagnostics};
use crate::tfplugin::path::Path;
use crate::tfplugin::value::Value;

model! {
    /// Where programs come from.
    pub struct ArtifactsSettings {
        /// URL of etcd's archives, with `{version}`, `{os}`, `{arch}` and `{name}` filled in.
        etcd_url: Value<String> = optional().check(checks::url()),
        /// URL of the programs of Kubernetes, with `{version}`, `{os}`, `{arch}` and `{name}` filled in.
        kubernetes_url: Value<String> = optional().check(checks::url()),
        /// URLs of files with checksums, by project: `etcd`, `kubernetes`. The same placeholders.
        checksums_url: Value<BTreeMap<String, String>> = optional(),
        /// SHA-256 digests by the name of the file, in hexadecimal digits. They win over files with checksums.
        checksums: Value<BTreeMap<String, String>> = optional(),
        /// Directory with the files, on the machine that runs Terraform. They are uploaded to the hosts.
        directory: Value<String> = optional().check(not_empty()),
        /// Who downloads: each `host` by itself, or the `provider`, which uploads. `host` when left out.
        fetch_from: Value<String> = optional().check(one_of(&["host", "provider"])),
        /// URL of the proxy for downloads.
        proxy: Value<String> = optional().check(checks::url()),
        /// Certificates in PEM that downloads trust, instead of those of the system.
        ca_certificate: Value<String> = optional().check(checks::certificates()),
    }
}

/// Where programs come from. Where nothing is said, from the releases of the projects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Template of etcd's archives.
    pub etcd_url: Option<String>,
    /// Template of the programs of Kubernetes.
    pub kubernetes_url: Option<String>,
    /// Templates of files with checksums, by project.
    pub checksums_url: BTreeMap<String, String>,
    /// SHA-256 by the name of the file, in 64 lower-case digits.
    pub checksums: BTreeMap<String, String>,
    /// On this machine.
    pub directory: Option<PathBuf>,
    /// Who downloads.
    pub fetch_from: FetchFrom,
    /// For downloads.
    pub proxy: Option<String>,
    /// PEM, instead of the certificates of the system.
    pub ca_certificate: Option<String>,
}

/// Who downloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FetchFrom {
    /// Each host by itself.
    #[default]
    Host,
    /// The provider, which uploads.
    Provider,
}

const PROJECTS: [&str; 2] = ["etcd", "kubernetes"];

impl Artifacts {
    pub(super) fn read(
        settings: &Value<ArtifactsSettings>,
        environment: Environment<'_>,
        told: &mut Diagnostics,
    ) -> Result<Self, Gap> {
        let at = Path::root("artifacts");
        let settings = match settings {
            Value::Null => return Ok(Self::default()),
            Value::Unknown => return Err(Gap::Unknown(Unknown::Provider(at))),
            Value::Known(settings) => settings,
        };
        let mut reading = Reading::new(at, environment);
        let fetch_from = match reading.known("fetch_from", &settings.fetch_from).as_deref() {
            Some("provider") => FetchFrom::Provider,
            _ => FetchFrom::Host,
        };
        let artifacts = Self {
            etcd_url: reading.known("etcd_url", &settings.etcd_url),
            kubernetes_url: reading.known("kubernetes_url", &settings.kubernetes_url),
            checksums_url: checksums_url(settings, &mut reading),
            checksums: checksums(settings, &mut reading),
            directory: reading.path("directory", &settings.directory),
            fetch_from,
            proxy: reading.known("proxy", &settings.proxy),
            ca_certificate: reading.known("ca_certificate", &settings.ca_certificate),
        };
        reading.end(told)?;
        Ok(artifacts)
    }
}

/// A map, and no object: Terraform would drop a misspelt project of an object without a word.
fn checksums_url(
    settings: &ArtifactsSettings,
    reading: &mut Reading<'_>,
) -> BTreeMap<String, String> {
    let urls = reading.known("checksums_url", &settings.checksums_url).unwrap_or_default();
    for (project, url) in &urls {
        let at = reading.at().attribute("checksums_url").key(project);
        if !PROJECTS.contains(&project.as_str()) {
            let detail = "There are `etcd` and `kubernetes`.";
            reading.fault_at(at, Diagnostic::error(format!("{project:?} is no project"), detail));
        } else if !checks::url().accepts(&url.as_str().into()) {
            let detail = format!("`{at}` must be {}.", checks::url().wanted());
            let summary = format!("`{at}` has a wrong value");
            reading.fault_at(at, Diagnostic::error(summary, detail));
        }
    }
    urls
}

fn checksums(settings: &ArtifactsSettings, reading: &mut Reading<'_>) -> BTreeMap<String, String> {
    let checksums = reading.known("checksums", &settings.checksums).unwrap_or_default();
    for (file, digest) in &checksums {
        let at = reading.at().attribute("checksums").key(file);
        if digest.len() != 64 || !digest.bytes().all(|it| it.is_ascii_hexdigit()) {
            let detail = "A SHA-256 has 64 hexadecimal digits.";
            let summary = format!("`{at}` is no SHA-256");
            reading.fault_at(at, Diagnostic::error(summary, detail));
        }
    }
    checksums.into_iter().map(|(file, it)| (file, it.to_ascii_lowercase())).collect()
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "the rows of a table are values")]
mod tests {
    use serde_json::json;

    use super::super::tests::{USUAL, check, client};
    use super::*;

    #[test]
    fn artifacts_are_known_by_project_and_digest() {
        let digest = "AB".repeat(32);
        check(
            json!({"artifacts": {
                "checksums_url": {"etdc": "https://a/{version}", "etcd": "a", "kubernetes": "https://a/{name}"},
                "checksums": {"a.tar.gz": "ab", "b.tar.gz": digest},
            }}),
            &[],
            &[
                "artifacts.checksums_url[\"etcd\"]: `artifacts.checksums_url[\"etcd\"]` has a wrong value",
                "artifacts.checksums_url[\"etdc\"]: \"etdc\" is no project",
                "artifacts.checksums[\"a.tar.gz\"]: `artifacts.checksums[\"a.tar.gz\"]` is no SHA-256",
            ],
        );
        let artifacts = json!({"artifacts": {
            "checksums": {"b.tar.gz": digest}, "directory": "~/files", "fetch_from": "provider",
        }});
        let artifacts = client(artifacts, USUAL).artifacts.unwrap();
        assert_eq!(artifacts.checksums["b.tar.gz"], "ab".repeat(32));
        assert_eq!(artifacts.directory, Some("/home/ada/files".into()));
        assert_eq!(artifacts.fetch_from, FetchFrom::Provider);
    }
}

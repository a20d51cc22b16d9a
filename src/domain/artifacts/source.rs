//! Where the files of a project are taken from.

use std::collections::BTreeMap;

use super::digest::Digest;
use super::release::{Project, Release};
use super::template::{Template, file};

/// Where the files of a project and their checksums are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Of the file.
    pub url: Template,
    /// Of the file with its checksum.
    pub checksums_url: Template,
    /// Checksums by the name of the file, or by as much of the end of its URL as makes it unique. They win.
    pub checksums: BTreeMap<String, Digest>,
}

/// A release in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Of the file.
    pub url: String,
    /// The last part of it.
    pub file: String,
    /// By what it is known.
    pub checksum: Checksum,
}

/// By what a file is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The user gave it.
    Given(Digest),
    /// It has to be read there.
    Published(String),
}

impl Source {
    /// As the project itself publishes.
    pub fn upstream(project: Project) -> Self {
        let (url, checksums_url) = match project {
            Project::Etcd => (
                "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-{os}-{arch}.tar.gz",
                "https://github.com/etcd-io/etcd/releases/download/v{version}/SHA256SUMS",
            ),
            Project::Kubernetes => (
                "https://dl.k8s.io/v{version}/bin/{os}/{arch}/{name}",
                "https://dl.k8s.io/v{version}/bin/{os}/{arch}/{name}.sha256",
            ),
        };
        let (url, checksums_url) = (Template::upstream(url), Template::upstream(checksums_url));
        Self { url, checksums_url, checksums: BTreeMap::new() }
    }

    /// Where a release is to be found.
    pub fn locate(&self, release: &Release) -> Located {
        let url = self.url.render(release);
        let path = url.split('?').next().unwrap_or_default();
        let is_of = |key: &str| path.strip_suffix(key).is_some_and(|it| it.ends_with('/'));
        let given = self.checksums.iter().filter(|(key, _)| is_of(key));
        // The longest says the most.
        let checksum = match given.max_by_key(|(key, _)| key.len()) {
            Some((_, digest)) => Checksum::Given(*digest),
            None => Checksum::Published(self.checksums_url.render(release)),
        };
        Located { file: file(&url).to_owned(), checksum, url }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::artifacts::{Architecture, Artifact};

    fn etcd() -> Release {
        Release::etcd("3.6.16".parse().unwrap(), Architecture::Amd64)
    }

    fn kubelet() -> Release {
        Release::kubernetes("1.35.0".parse().unwrap(), Architecture::Arm64, "kubelet")
    }

    #[test]
    fn upstream_files_have_their_checksums_beside_them() {
        for release in [etcd(), kubelet()] {
            let source = Source::upstream(release.project());
            for template in [&source.url, &source.checksums_url] {
                assert_eq!(template.to_string().parse().as_ref(), Ok(template));
            }
        }
        let folder = "https://github.com/etcd-io/etcd/releases/download/v3.6.16";
        let file = "etcd-v3.6.16-linux-amd64.tar.gz".to_owned();
        let checksum = Checksum::Published(format!("{folder}/SHA256SUMS"));
        let located = Source::upstream(Project::Etcd).locate(&etcd());
        assert_eq!(located, Located { url: format!("{folder}/{file}"), file, checksum });

        let url = "https://dl.k8s.io/v1.35.0/bin/linux/arm64/kubelet".to_owned();
        let checksum = Checksum::Published(format!("{url}.sha256"));
        let located = Source::upstream(Project::Kubernetes).locate(&kubelet());
        assert_eq!(located, Located { url, file: "kubelet".to_owned(), checksum });
    }

    #[test]
    fn a_checksum_that_is_given_wins() {
        let [a, b] = ["a", "b"].map(|it| it.repeat(64).parse::<Digest>().unwrap());
        let check = |keys: &[(&str, Digest)], expected: Option<Digest>| {
            let checksums = keys.iter().map(|(key, it)| ((*key).to_owned(), *it)).collect();
            let source = Source { checksums, ..Source::upstream(Project::Kubernetes) };
            let found = match source.locate(&kubelet()).checksum {
                Checksum::Given(digest) => Some(digest),
                Checksum::Published(_) => None,
            };
            assert_eq!(found, expected, "{keys:?}");
        };
        check(&[("kubelet", a)], Some(a));
        check(&[("kubelet", a), ("arm64/kubelet", b)], Some(b));
        check(&[("amd64/kubelet", a), ("let", a), ("", a), ("kubelet.sha256", a)], None);
        check(&[("dl.k8s.io/v1.35.0/bin/linux/arm64/kubelet", b)], Some(b));
    }

    #[test]
    fn what_is_located_and_known_is_an_artifact() {
        let digest = "a".repeat(64).parse::<Digest>().unwrap();
        let located = Source::upstream(Project::Etcd).locate(&etcd());
        let artifact = Artifact::new(&etcd(), &located, digest);
        assert_eq!((artifact.file, artifact.digest), (located.file, digest));
        assert_eq!(artifact.members, etcd().members());
    }
}

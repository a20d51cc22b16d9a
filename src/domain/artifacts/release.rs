//! What upstream projects release, and what of it is installed.

use std::fmt;
use std::str::FromStr;

/// Whose programs are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Project {
    /// One archive with the server and its tools.
    Etcd,
    /// Each program is a file of its own.
    Kubernetes,
}

impl Project {
    /// In URLs, in paths of hosts, and to people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// What the programs run on, beside Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// x86 with 64 bits.
    Amd64,
    /// ARM with 64 bits.
    Arm64,
}

impl Architecture {
    /// From the word of the kernel. None for what nothing is released for that we know of.
    pub fn of_kernel(word: &str) -> Option<Self> {
        match word {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// As Go and the releases call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// A version as it stands in URLs and paths, without a `v` before it: `3.6.16`, `1.35.0-rc.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(String);

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version: three numbers with dots, and perhaps `-` and a pre-release")]
pub struct VersionError(String);

impl Version {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let (core, pre) = text.split_once('-').map_or((text, None), |(a, b)| (a, Some(b)));
        let is_number = |it: &str| {
            (1..=9).contains(&it.len())
                && it.bytes().all(|it| it.is_ascii_digit())
                && (it == "0" || !it.starts_with('0'))
        };
        let is_word = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
        let is_version = core.split('.').count() == 3
            && core.split('.').all(is_number)
            && pre.is_none_or(|it| it.len() <= 40 && it.split(['.', '-']).all(is_word));
        if is_version { Ok(Self(text.to_owned())) } else { Err(VersionError(text.to_owned())) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file as upstream releases it, before anybody knows where it is taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    project: Project,
    version: Version,
    architecture: Architecture,
    name: &'static str,
}

/// What is installed of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it lies in the archive. Absent: the file is no archive but this one program.
    pub path: Option<String>,
    /// What it is called on the host.
    pub name: String,
}

impl Release {
    /// The archive of etcd.
    pub fn etcd(version: Version, architecture: Architecture) -> Self {
        Self { project: Project::Etcd, version, architecture, name: Project::Etcd.name() }
    }

    /// One program of Kubernetes, as `kubelet`.
    pub fn kubernetes(version: Version, architecture: Architecture, program: &'static str) -> Self {
        Self { project: Project::Kubernetes, version, architecture, name: program }
    }

    /// Whose release it is.
    pub fn project(&self) -> Project {
        self.project
    }

    /// Of the project.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// What it runs on.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// What stands for `{name}` in a URL.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is installed of it.
    pub fn members(&self) -> Vec<Member> {
        let Self { project, version, architecture, name } = self;
        match project {
            Project::Kubernetes => vec![Member { path: None, name: (*name).to_owned() }],
            Project::Etcd => {
                let folder = format!("etcd-v{version}-linux-{}", architecture.name());
                let member = |name: &str| Member {
                    path: Some(format!("{folder}/{name}")),
                    name: name.to_owned(),
                };
                ["etcd", "etcdctl", "etcdutl"].map(member).to_vec()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for text in ["3.6.16", "1.35.0-rc.1", "0.0.0", "1.2.3-alpha-2.x"] {
            assert_eq!(text.parse::<Version>().unwrap().as_str(), text);
        }
        for text in [
            "",
            "v3.6.16",
            "3.6",
            "3.6.16.1",
            "3.06.1",
            "3.6.x",
            "3.6.1/..",
            "3.6.1-",
            "3.6.1-a..b",
        ] {
            text.parse::<Version>().unwrap_err();
        }
        "3.6.1-{os}".parse::<Version>().unwrap_err();
        "3.6.1 ".parse::<Version>().unwrap_err();
        "1234567890.1.1".parse::<Version>().unwrap_err();
    }

    #[test]
    fn an_archive_has_its_programs_in_a_folder_and_a_program_is_itself() {
        let release = Release::etcd("3.6.16".parse().unwrap(), Architecture::Arm64);
        let paths: Vec<_> = release.members().into_iter().filter_map(|it| it.path).collect();
        let folder = "etcd-v3.6.16-linux-arm64";
        assert_eq!(paths, ["etcd", "etcdctl", "etcdutl"].map(|it| format!("{folder}/{it}")));
        let release =
            Release::kubernetes("1.35.0".parse().unwrap(), Architecture::Amd64, "kubelet");
        assert_eq!(release.members(), [Member { path: None, name: "kubelet".to_owned() }]);
    }

    #[test]
    fn the_words_of_the_kernel() {
        assert_eq!(Architecture::of_kernel("x86_64"), Some(Architecture::Amd64));
        assert_eq!(Architecture::of_kernel("aarch64"), Some(Architecture::Arm64));
        assert_eq!(Architecture::of_kernel("armv7l"), None);
    }
}

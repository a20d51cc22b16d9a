//! The package managers: what each is called with, and how its answers are read. Pure.

use crate::proto::agent::OperatingSystem;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    Apt,
    Dnf,
    Apk,
    Zypper,
}

/// The words that distributions use for themselves and for what they are made after.
const DISTRIBUTIONS: [(&str, Manager); 9] = [
    ("debian", Manager::Apt),
    ("ubuntu", Manager::Apt),
    ("fedora", Manager::Dnf),
    ("rhel", Manager::Dnf),
    ("centos", Manager::Dnf),
    ("alpine", Manager::Apk),
    ("suse", Manager::Zypper),
    ("opensuse", Manager::Zypper),
    ("sles", Manager::Zypper),
];

impl Manager {
    /// By `ID`, then by `ID_LIKE` of `/etc/os-release`.
    pub(super) fn of(os: &OperatingSystem) -> Option<Self> {
        let mut words = std::iter::once(&os.id).chain(&os.like);
        words.find_map(|word| Some(DISTRIBUTIONS.iter().find(|(name, _)| name == word)?.1))
    }

    /// Program and arguments, before the names. Asks nothing, waits up to five minutes for whoever has the packages,
    /// keeps configuration files that were changed. `env` sets what has no option.
    pub(super) fn install(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &[
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "--quiet",
                "--yes",
                "--no-install-recommends",
                "--no-upgrade",
                "--no-remove",
                "--option=DPkg::Lock::Timeout=300",
                "--option=DPkg::Options::=--force-confdef",
                "--option=DPkg::Options::=--force-confold",
                "install",
                "--",
            ],
            Self::Dnf => {
                &["dnf", "--quiet", "--assumeyes", "--setopt=install_weak_deps=False", "install"]
            }
            Self::Apk => &["apk", "add", "--no-progress", "--wait", "300"],
            Self::Zypper => &[
                "env",
                "ZYPP_LOCK_TIMEOUT=300",
                "zypper",
                "--quiet",
                "--non-interactive",
                "install",
                "--no-recommends",
            ],
        }
    }

    /// Gets new lists of packages. Absent: the installation does it by itself.
    pub(super) fn refresh(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Apt => {
                Some(&["apt-get", "--quiet", "--option=DPkg::Lock::Timeout=300", "update"])
            }
            Self::Dnf => None,
            Self::Apk => Some(&["apk", "update", "--no-progress", "--wait", "300"]),
            Self::Zypper => Some(&[
                "env",
                "ZYPP_LOCK_TIMEOUT=300",
                "zypper",
                "--quiet",
                "--non-interactive",
                "refresh",
            ]),
        }
    }

    /// Asks for versions.
    pub(super) fn query(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &[
                "dpkg-query",
                "--show",
                "--showformat=${Package}\\t${db:Status-Status}\\t${Version}\\n",
                "--",
            ],
            Self::Dnf | Self::Zypper => {
                &["rpm", "--query", "--queryformat=%{NAME}\\tinstalled\\t%{VERSION}-%{RELEASE}\\n"]
            }
            Self::Apk => &["apk", "info", "--installed", "--verbose"],
        }
    }

    /// Whether the question was answered: a package that is not known makes a status of its own.
    pub(super) fn is_answer(self, status: Option<i32>, stderr: &[u8]) -> bool {
        match self {
            Self::Apt | Self::Apk => matches!(status, Some(0 | 1)),
            // The status is the number of packages that are not known; a fault has a line of its own.
            Self::Dnf | Self::Zypper => {
                status.is_some() && !String::from_utf8_lossy(stderr).contains("error:")
            }
        }
    }

    /// The installed version in an answer.
    pub(super) fn version(self, answer: &str, name: &str) -> Option<String> {
        let version = answer.lines().find_map(|line| match self {
            Self::Apk => {
                let version = line.strip_prefix(name)?.strip_prefix('-')?;
                // `a-1-2.0-r0` is version 2.0-r0 of `a-1`, not of `a`.
                let (upstream, revision) = version.rsplit_once("-r")?;
                let is_one = upstream.starts_with(|it: char| it.is_ascii_digit())
                    && !upstream.contains('-')
                    && revision.bytes().all(|it| it.is_ascii_digit());
                is_one.then_some(version)
            }
            Self::Apt | Self::Dnf | Self::Zypper => {
                line.strip_prefix(name)?.strip_prefix("\tinstalled\t")
            }
        });
        version.map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_has_its_package_manager_or_that_of_its_kin() {
        let check = |id: &str, like: &str, manager: Option<Manager>| {
            let like = like.split_whitespace().map(str::to_owned).collect();
            let os = OperatingSystem { id: id.to_owned(), like, ..OperatingSystem::default() };
            assert_eq!(Manager::of(&os), manager, "{id}");
        };
        check("debian", "", Some(Manager::Apt));
        check("linuxmint", "ubuntu debian", Some(Manager::Apt));
        check("fedora", "", Some(Manager::Dnf));
        check("rocky", "rhel centos fedora", Some(Manager::Dnf));
        check("opensuse-leap", "suse opensuse", Some(Manager::Zypper));
        check("alpine", "", Some(Manager::Apk));
        check("nixos", "", None);
        check("", "", None);
    }

    #[test]
    fn versions_are_read_from_answers() {
        let check = |manager: Manager, answer: &str, name: &str, version: Option<&str>| {
            assert_eq!(manager.version(answer, name).as_deref(), version, "{name}");
        };
        let dpkg = "haproxy\tinstalled\t2.6.12-1+deb12u2\nlibc6\tinstalled\t2.36-9\n\
                    old\tconfig-files\t1\nhalf\thalf-configured\t1\n";
        check(Manager::Apt, dpkg, "haproxy", Some("2.6.12-1+deb12u2"));
        check(Manager::Apt, dpkg, "libc6", Some("2.36-9"));
        for name in ["hap", "old", "half", "none"] {
            check(Manager::Apt, dpkg, name, None);
        }
        let rpm = "package nginx is not installed\nhaproxy\tinstalled\t2.8.14-1.el9\n";
        check(Manager::Dnf, rpm, "haproxy", Some("2.8.14-1.el9"));
        check(Manager::Zypper, rpm, "nginx", None);
        let apk = "haproxy-2.8.10-r0\nnginx-mod-http-1.26.3-r1\n";
        check(Manager::Apk, apk, "haproxy", Some("2.8.10-r0"));
        check(Manager::Apk, apk, "nginx-mod-http", Some("1.26.3-r1"));
        check(Manager::Apk, apk, "nginx", None);
    }

    #[test]
    fn an_unknown_package_is_an_answer_and_a_fault_is_none() {
        assert!(Manager::Apt.is_answer(Some(1), b"dpkg-query: no packages found matching x"));
        assert!(!Manager::Apt.is_answer(Some(2), b"dpkg-query: error: cannot open"));
        assert!(Manager::Dnf.is_answer(Some(2), b""));
        assert!(!Manager::Dnf.is_answer(Some(1), b"error: cannot open Packages database"));
        assert!(!Manager::Apk.is_answer(None, b""));
    }
}

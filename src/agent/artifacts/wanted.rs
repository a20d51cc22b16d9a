//! What is asked for, once it is known to be harmless. Pure.

use std::fmt;

use super::note::Row;
use crate::agent::fault::Fault;
use crate::agent::name;
use crate::proto::agent::{Artifact, Member};

/// The name of the link to the version in use.
pub(super) const CURRENT: &str = "current";
const MOST_MEMBERS: usize = 100;

/// An artifact and what is to be installed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) project: String,
    pub(super) version: String,
    pub(super) file: String,
    pub(super) digest: [u8; 32],
    pub(super) members: Members,
}

/// What is to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// The artifact itself, under this name.
    Program(String),
    /// These of a tar.gz; at least one.
    Archive(Vec<Member>),
}

impl Wanted {
    pub(super) fn parse(artifact: Option<&Artifact>) -> Result<Self, Fault> {
        let Some(artifact) = artifact else {
            return Err(Fault::Invalid("no artifact is named".to_owned()));
        };
        name::file("project", &artifact.project)?;
        version(&artifact.version)?;
        name::file("file", &artifact.file)?;
        let digest = artifact.digest.as_ref().try_into().map_err(|_| {
            Fault::Invalid(format!("a SHA-256 has 32 bytes, not {}", artifact.digest.len()))
        })?;
        Ok(Self {
            project: artifact.project.clone(),
            version: artifact.version.clone(),
            file: artifact.file.clone(),
            digest,
            members: Members::parse(&artifact.members)?,
        })
    }

    /// What the note of the version will say of each file, but for its digest if that is another than the artifact's.
    pub(super) fn is_noted_in(&self, rows: &[Row]) -> bool {
        let is_noted = |path: &str, name: &str| {
            let is_so = |it: &Row| (it.path.as_str(), it.name.as_str()) == (path, name);
            rows.iter().any(|it| is_so(it) && it.artifact == self.digest)
        };
        match &self.members {
            Members::Program(name) => is_noted("", name),
            Members::Archive(members) => members.iter().all(|it| is_noted(&it.path, &it.name)),
        }
    }

    /// Whether a file is one of those.
    pub(super) fn has(&self, file: &str) -> bool {
        match &self.members {
            Members::Program(name) => name == file,
            Members::Archive(members) => members.iter().any(|it| it.name == file),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.project, self.version, self.file)
    }
}

impl Members {
    fn parse(members: &[Member]) -> Result<Self, Fault> {
        if members.is_empty() || members.len() > MOST_MEMBERS {
            return Err(Fault::Invalid(format!("an artifact has 1 to {MOST_MEMBERS} members")));
        }
        for member in members {
            name::file("program", &member.name)?;
            let is_same = |it: &&Member| it.name == member.name || it.path == member.path;
            if members.iter().filter(is_same).count() > 1 {
                return Err(Fault::Invalid(format!("{:?} is asked for twice", member.name)));
            }
        }
        if let [Member { path, name }] = members
            && path.is_empty()
        {
            return Ok(Self::Program(name.clone()));
        }
        for Member { path, .. } in members {
            let is_part = |it: &str| !matches!(it, "" | "." | "..");
            if path.len() > 1000 || path.contains('\0') || !path.split('/').all(is_part) {
                return Err(Fault::Invalid(format!("{path:?} is no place in an archive")));
            }
        }
        Ok(Self::Archive(members.to_vec()))
    }
}

/// The name of a version.
pub(super) fn version(text: &str) -> Result<(), Fault> {
    name::file("version", text)?;
    if text == CURRENT {
        return Err(Fault::Invalid(format!(
            "{CURRENT:?} is the link to a version, and none itself"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn artifact(members: &[(&str, &str)]) -> Artifact {
        let member = |(path, name): &(&str, &str)| Member {
            path: (*path).to_owned(),
            name: (*name).to_owned(),
        };
        Artifact {
            project: "etcd".to_owned(),
            version: "3.6.16".to_owned(),
            file: "etcd.tar.gz".to_owned(),
            digest: vec![7; 32].into(),
            members: members.iter().map(member).collect(),
        }
    }

    #[test]
    fn members_are_one_program_or_parts_of_an_archive() {
        let check = |members: &[(&str, &str)], is_fine: bool| {
            assert_eq!(Wanted::parse(Some(&artifact(members))).is_ok(), is_fine, "{members:?}");
        };
        check(&[("", "kubelet")], true);
        check(&[("etcd-v3/etcd", "etcd"), ("etcd-v3/etcdctl", "etcdctl")], true);
        check(&[], false);
        check(&[("", "a"), ("", "b")], false);
        check(&[("a", "x"), ("b", "x")], false);
        check(&[("a", "x"), ("a", "y")], false);
        for path in ["/etc/passwd", "../a", "a/../b", "a//b", "a/", "./a", "a\0"] {
            check(&[(path, "x")], false);
        }
        for name in ["", ".digests", "../x", "a/b", "-x"] {
            check(&[("a", name)], false);
            check(&[("", name)], false);
        }
        check(&vec![("a", "x"); 101], false);
    }

    #[test]
    fn what_is_missing_is_not_guessed() {
        Wanted::parse(None).unwrap_err();
        for length in [0, 20, 31, 33, 64] {
            let digest = vec![7; length].into();
            Wanted::parse(Some(&Artifact { digest, ..artifact(&[("", "x")]) })).unwrap_err();
        }
        let version = CURRENT.to_owned();
        Wanted::parse(Some(&Artifact { version, ..artifact(&[("", "x")]) })).unwrap_err();
    }

    proptest! {
        #[test]
        fn no_name_leads_elsewhere(project: String, version: String, file: String, name: String) {
            let artifact = Artifact {
                project, version, file, ..artifact(&[("", &name)])
            };
            if let Ok(wanted) = Wanted::parse(Some(&artifact)) {
                for name in [wanted.project, wanted.version, wanted.file, name] {
                    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b"._-".contains(&it);
                    prop_assert!(!name.is_empty() && name.bytes().all(is_fine));
                    prop_assert!(!name.starts_with(['.', '-']));
                }
            }
        }
    }
}

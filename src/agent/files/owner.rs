//! Whose a file is to be. Names are read from the account files of the host: a static binary has no name service.

use rustix::fs::{Gid, Uid};
use rustix::process::{getegid, geteuid};

use super::look;
use crate::agent::fault::Fault;
use crate::agent::place::{HostPath, Root};

/// More than any account file has.
const MOST_BYTES: u64 = 16 << 20;

/// The owner of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: Uid,
    pub(crate) group: Gid,
}

/// A line of `/etc/passwd` or `/etc/group`, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) number: u32,
    /// The fourth field of `/etc/passwd`; absent in `/etc/group`.
    pub(crate) group: Option<u32>,
}

impl Owner {
    pub(crate) fn of_agent() -> Self {
        Self { user: geteuid(), group: getegid() }
    }

    /// Names or numbers; what is empty is the agent's own. So is every name on a host in a directory, which has no users.
    pub(crate) fn named(root: &Root, user: &str, group: &str) -> Result<Self, Fault> {
        let agent = Self::of_agent();
        let number = |name: &str, file: &str, own: u32| match name.parse::<u32>() {
            _ if name.is_empty() => Ok(own),
            Err(_) if root.is_own() => Ok(own),
            // The kernel reads it as "unchanged".
            Ok(u32::MAX) => Err(Fault::Invalid(format!("{name} is no number of an account"))),
            Ok(number) => Ok(number),
            Err(_) => account(root, file, name)?
                .map(|it| it.number)
                .ok_or_else(|| Fault::Refused(format!("there is no {name:?} in {file}"))),
        };
        Ok(Self {
            user: Uid::from_raw(number(user, "/etc/passwd", agent.user.as_raw())?),
            group: Gid::from_raw(number(group, "/etc/group", agent.group.as_raw())?),
        })
    }
}

/// Looks an account up by its name. A missing file has none.
pub(crate) fn account(root: &Root, file: &str, name: &str) -> Result<Option<Account>, Fault> {
    let path = HostPath::parse(file.as_bytes())?;
    let Some(place) = root.find(&path)? else { return Ok(None) };
    let Some(content) = look::follow(&place, MOST_BYTES)? else { return Ok(None) };
    Ok(find(&String::from_utf8_lossy(&content), name))
}

fn find(text: &str, name: &str) -> Option<Account> {
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let line = text.lines().map(fields).find(|it| it[0] == name)?;
    let number = line.get(2)?.parse().ok()?;
    Some(Account { number, group: line.get(3).and_then(|it| it.parse().ok()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let text = "root:x:0:0:root:/root:/bin/sh\nbad\netcd:x:998:997::/:/bin/false\n";
        assert_eq!(find(text, "etcd"), Some(Account { number: 998, group: Some(997) }));
        assert_eq!(find("etcd:x:997:a,b\n", "etcd"), Some(Account { number: 997, group: None }));
        for name in ["etc", "bad", "x", "", "etcd:x"] {
            assert_eq!(find(text, name), None, "{name:?}");
        }
    }

    #[test]
    fn numbers_need_no_account_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let owner = Owner::named(&root, "12", "").unwrap();
        assert_eq!(owner.user.as_raw(), 12);
        assert_eq!(owner.group, Owner::of_agent().group);
        Owner::named(&root, "4294967295", "").unwrap_err();
    }

    #[test]
    fn a_name_is_one_of_the_system_or_means_the_agent() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        assert_eq!(Owner::named(&root, "etcd", "etcd").unwrap(), Owner::of_agent());
        let system = Root::open(None).unwrap();
        assert_eq!(Owner::named(&system, "root", "root").unwrap().user.as_raw(), 0);
        Owner::named(&system, "nobody-of-this-name", "").unwrap_err();
    }
}

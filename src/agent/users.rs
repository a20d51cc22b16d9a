//! System users, made with the tools of the distribution.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use bytes::Bytes;

use super::fault::Fault;
use super::files::owner::{Account, Owner, account};
use super::name;
use super::place::{HostPath, Root};
use super::program::{self, Call};
use crate::proto::agent::{EnsureUserReply, EnsureUserRequest};

/// The account files are locked by the tools themselves, and another may be at work.
const LIMIT: Duration = Duration::from_mins(1);

/// Makes what is missing of a user and its group. What is there stays as it is. On a host in a directory every user is
/// the agent's own.
pub(super) async fn ensure(
    root: &Root,
    wanted: &EnsureUserRequest,
) -> Result<EnsureUserReply, Fault> {
    name::account(&wanted.name)?;
    name::account(&wanted.group)?;
    let home = HostPath::parse(&wanted.home)?;
    if root.is_own() {
        let Owner { user, group } = Owner::of_agent();
        let (user, group) = (user.as_raw(), group.as_raw());
        return Ok(EnsureUserReply { changed: false, user, group });
    }
    let mut changed = false;
    if group(root, wanted)?.is_none() {
        call("groupadd", ["--system", &wanted.group].map(OsString::from).to_vec()).await?;
        changed = true;
    }
    if user(root, wanted)?.is_none() {
        let home = OsString::from_vec(home.bytes().to_vec());
        let mut arguments: Vec<OsString> = [
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            "--gid",
            &wanted.group,
        ]
        .map(OsString::from)
        .to_vec();
        arguments.extend(["--home-dir".into(), home, OsString::from(&wanted.name)]);
        call("useradd", arguments).await?;
        changed = true;
    }
    // Looked at again: what counts is what is there now.
    match (user(root, wanted)?, group(root, wanted)?) {
        (Some(user), Some(group)) if user.group == Some(group.number) => {
            Ok(EnsureUserReply { changed, user: user.number, group: group.number })
        }
        (Some(_), Some(_)) => Err(Fault::Refused(format!(
            "the user {:?} is there, with another main group than {:?}",
            wanted.name, wanted.group
        ))),
        _ => Err(Fault::Refused(format!("the user {:?} was made and is not there", wanted.name))),
    }
}

fn user(root: &Root, wanted: &EnsureUserRequest) -> Result<Option<Account>, Fault> {
    account(root, "/etc/passwd", &wanted.name)
}

fn group(root: &Root, wanted: &EnsureUserRequest) -> Result<Option<Account>, Fault> {
    account(root, "/etc/group", &wanted.group)
}

async fn call(name: &str, arguments: Vec<OsString>) -> Result<(), Fault> {
    let program = program::find(name)?;
    // Not ended with the agent: cut off, it leaves the account files locked.
    let (input, until) = (Bytes::new(), Bytes::new());
    let call = Call { program, arguments, input, limit: LIMIT, until, ending: None };
    program::run(call).await?.success(&format!("run {name}")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_that_are_options_or_paths_are_refused() {
        let root = Root::open(None).unwrap();
        for name in ["-o", "a b", "../x", "", "root:x"] {
            let wanted = EnsureUserRequest {
                name: name.to_owned(),
                group: "etcd".to_owned(),
                home: b"/var/lib/etcd".to_vec().into(),
                ..EnsureUserRequest::default()
            };
            assert!(matches!(ensure(&root, &wanted).await, Err(Fault::Invalid(_))), "{name:?}");
        }
    }

    #[tokio::test]
    async fn in_a_directory_every_user_is_the_agents() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        let wanted = EnsureUserRequest {
            name: "etcd".to_owned(),
            group: "etcd".to_owned(),
            home: b"/var/lib/etcd".to_vec().into(),
            ..EnsureUserRequest::default()
        };
        let reply = ensure(&root, &wanted).await.unwrap();
        assert_eq!((reply.changed, reply.user), (false, Owner::of_agent().user.as_raw()));
    }

    #[tokio::test]
    async fn a_user_that_is_there_is_not_made() {
        let root = Root::open(None).unwrap();
        let wanted = EnsureUserRequest {
            name: "root".to_owned(),
            group: "root".to_owned(),
            home: b"/root".to_vec().into(),
            ..EnsureUserRequest::default()
        };
        let reply = ensure(&root, &wanted).await.unwrap();
        assert_eq!(reply, EnsureUserReply { changed: false, user: 0, group: 0 });
    }
}

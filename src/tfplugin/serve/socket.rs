//! The unix socket, in a directory of its own. Touches the file system.
#![expect(clippy::disallowed_methods, reason = "makes the socket and its directory")]

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use tokio::net::UnixListener;

/// A socket's path ends in a zero byte and has at most 108 bytes on Linux, 104 on macOS and the BSDs.
const PATH_LIMIT: usize = 103;
/// Where a path is short enough on every unix.
const SHORT_DIR: &str = "/tmp";
const FILE: &str = "plugin";

/// A bound socket, and its directory, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    _dir: FreshDir,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("cannot make a directory for the socket in {}", parent.display())]
    Directory { parent: PathBuf, source: io::Error },
    #[error("cannot listen on {}", path.display())]
    Bind { path: PathBuf, source: io::Error },
    #[error("PLUGIN_UNIX_SOCKET_GROUP: cannot read /etc/group")]
    Groups(#[source] io::Error),
    #[error("PLUGIN_UNIX_SOCKET_GROUP: there is no group {0:?} in /etc/group")]
    NoGroup(String),
    #[error("cannot give {} to the group {group}", path.display())]
    Share { path: PathBuf, group: u32, source: io::Error },
}

impl Socket {
    /// Binds a socket that only this user can reach, and the `group`, if one is given.
    ///
    /// `wished` is used unless its path is too long for a socket. Without a wish it is the directory for temporary
    /// files.
    pub(super) fn bind(
        name: &str,
        wished: Option<PathBuf>,
        group: Option<&str>,
    ) -> Result<(Self, UnixListener), SocketError> {
        let parent = wished.unwrap_or_else(env::temp_dir);
        let dir = FreshDir::make(parent, name)?;
        let path = dir.0.join(FILE);
        let listener = UnixListener::bind(&path)
            .map_err(|source| SocketError::Bind { path: path.clone(), source })?;
        if let Some(group) = group {
            let group = group_id(group)?;
            share(&dir.0, group, 0o710)?;
            share(&path, group, 0o660)?;
        }
        Ok((Self { path, _dir: dir }, listener))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A directory that did not exist before, for this user alone.
#[derive(Debug)]
struct FreshDir(PathBuf);

impl FreshDir {
    /// Only a name of our own making is ever used or removed: what others left behind stays.
    fn make(parent: PathBuf, name: &str) -> Result<Self, SocketError> {
        loop {
            let random = RandomState::new().build_hasher().finish();
            let leaf = format!("tf-{name}-{random:016x}");
            let mut dir = parent.join(&leaf);
            if PATH_LIMIT < dir.join(FILE).as_os_str().len() {
                dir = Path::new(SHORT_DIR).join(leaf);
            }
            match fs::DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(source) => return Err(SocketError::Directory { parent, source }),
            }
        }
    }
}

impl Drop for FreshDir {
    fn drop(&mut self) {
        // Not recursive: nothing else belongs here, and what does not is not ours. Nobody is left to tell of errors.
        let _ = fs::remove_file(self.0.join(FILE));
        let _ = fs::remove_dir(&self.0);
    }
}

fn share(path: &Path, group: u32, mode: u32) -> Result<(), SocketError> {
    chown(path, None, Some(group))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|source| SocketError::Share { path: path.to_owned(), group, source })
}

/// A number, or a name from `/etc/group`. Groups of a directory service are found by number only.
fn group_id(group: &str) -> Result<u32, SocketError> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = fs::read_to_string("/etc/group").map_err(SocketError::Groups)?;
    find_group(&groups, group).ok_or_else(|| SocketError::NoGroup(group.to_owned()))
}

fn find_group(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn the_directory_is_private_and_goes_with_the_socket() {
        let place = tempfile::tempdir().unwrap();
        let (socket, _listener) = Socket::bind("t", Some(place.path().into()), None).unwrap();
        let dir = socket.path().parent().unwrap().to_owned();
        assert_eq!(dir.parent(), Some(place.path()));
        assert_eq!(mode(&dir), 0o700);
        drop(socket);
        assert!(!dir.exists());
    }

    #[tokio::test]
    async fn a_group_may_connect_and_not_list() {
        let place = tempfile::tempdir().unwrap();
        let group = rustix::process::getgid().as_raw().to_string();
        let (socket, _listener) =
            Socket::bind("t", Some(place.path().into()), Some(&group)).unwrap();
        assert_eq!(mode(socket.path().parent().unwrap()), 0o710);
        assert_eq!(mode(socket.path()), 0o660);
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_socket_moves() {
        let place = tempfile::tempdir().unwrap();
        let long = place.path().join("d".repeat(100));
        let (socket, _listener) = Socket::bind("t", Some(long), None).unwrap();
        assert!(socket.path().starts_with(SHORT_DIR));
    }

    #[tokio::test]
    async fn a_wished_place_that_does_not_exist_is_named() {
        let place = tempfile::tempdir().unwrap();
        let error = Socket::bind("t", Some(place.path().join("x")), None).unwrap_err();
        assert!(error.to_string().starts_with("cannot make a directory for the socket in"));
    }

    #[test]
    fn a_group_is_found_by_name() {
        let groups = "root:x:0:\nbuild:x:1001:a,b\n";
        assert_eq!(find_group(groups, "build"), Some(1001));
        assert_eq!(find_group(groups, "buil"), None);
    }
}

//! Takes named programs out of a tar.gz, and nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;
use rustix::fs::{Mode, OFlags, openat};
use tar::{Archive, EntryType};

use super::install::seal;
use super::note::Row;
use super::part::{Hashing, MOST_BYTES, full};
use crate::agent::fault::Fault;
use crate::proto::agent::Member;

const MOST_ENTRIES: usize = 100_000;

/// Writes the members into a directory that nobody reads yet.
///
/// # Errors
/// Also when something in the archive that was not asked for would be harmful elsewhere: a path that leads out of the
/// archive, a link, a device. Who made it did not mean well, or not this.
pub(super) fn unpack(
    archive: &File,
    artifact: [u8; 32],
    members: &[Member],
    directory: BorrowedFd<'_>,
) -> Result<Vec<Row>, Fault> {
    let failed = || Fault::failed("read the archive");
    let mut archive =
        Archive::new(Limited { inner: MultiGzDecoder::new(archive), left: MOST_BYTES });
    let mut rows: Vec<Row> = Vec::new();
    for (count, entry) in archive.entries().map_err(failed())?.enumerate() {
        let mut entry = entry.map_err(failed())?;
        if count >= MOST_ENTRIES {
            return Err(evil(&format!("has more than {MOST_ENTRIES} entries")));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let path = inner_path(&entry.path().map_err(failed())?)?;
        match kind {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory => continue,
            _ => return Err(evil(&format!("has {path:?}, which is neither file nor directory"))),
        }
        let Some(member) = members.iter().find(|it| it.path == path) else { continue };
        if rows.iter().any(|it| it.path == path) {
            return Err(evil(&format!("has {path:?} twice")));
        }
        let (name, digest) = (member.name.clone(), take(&mut entry, &member.name, directory)?);
        rows.push(Row { name, digest, artifact, path });
    }
    match members.iter().find(|it| rows.iter().all(|row| row.name != it.name)) {
        Some(member) => Err(evil(&format!("has no {:?}", member.path))),
        None => Ok(rows),
    }
}

fn take<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    name: &str,
    directory: BorrowedFd<'_>,
) -> Result<[u8; 32], Fault> {
    let size = entry.size();
    let doing = format!("unpack {name}");
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
    let file = File::from(file.map_err(Fault::failed(&doing))?);
    let mut writer = Hashing::new(&file);
    match io::copy(entry, &mut writer) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            return Err(full(directory, name, size));
        }
        Err(error) => return Err(Fault::failed(doing)(error)),
    }
    let (digest, count) = writer.finish();
    if count != size {
        return Err(evil(&format!("ends within {name:?}")));
    }
    seal(&file).map_err(Fault::failed(doing))?;
    Ok(digest)
}

/// Without `.` parts.
fn inner_path(path: &Path) -> Result<String, Fault> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_string_lossy()),
            _ => return Err(evil(&format!("has {:?}, which leads out of it", path.display()))),
        }
    }
    Ok(parts.join("/"))
}

fn evil(what: &str) -> Fault {
    Fault::Refused(format!("the archive {what}; nothing was installed"))
}

/// Ends with a fault where others end with the data: some bytes can unpack to any number.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let left = self.left.checked_sub(count as u64);
        let text = || format!("the archive unpacks to more than {MOST_BYTES} bytes");
        self.left = left.ok_or_else(|| io::Error::other(text()))?;
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::io::{Seek as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};
    use tempfile::{TempDir, tempdir, tempfile};

    use super::*;

    /// Paths are written as they are: a builder would refuse some of them.
    fn packed(entries: &[(&str, EntryType, &[u8])]) -> File {
        let mut builder = Builder::new(GzEncoder::new(tempfile().unwrap(), Compression::fast()));
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o4777);
            header.set_link_name("target").unwrap();
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        let mut file = builder.into_inner().unwrap().finish().unwrap();
        file.rewind().unwrap();
        file
    }

    fn unpacked(archive: &File, paths: &[&str]) -> (Result<Vec<Row>, Fault>, TempDir) {
        let folder = tempdir().unwrap();
        let directory = fs::File::open(folder.path()).unwrap();
        let member = |path: &&str| Member {
            path: (*path).to_owned(),
            name: path.rsplit('/').next().unwrap().to_owned(),
        };
        let members: Vec<_> = paths.iter().map(member).collect();
        let done = unpack(archive, [7; 32], &members, std::os::fd::AsFd::as_fd(&directory));
        (done, folder)
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn only_named_members_are_taken_and_made_executable() {
        let archive = packed(&[
            ("./v1/", EntryType::Directory, b""),
            ("./v1/etcd", FILE, b"server"),
            ("./v1/README.md", FILE, b"text"),
            ("v1/etcdctl", FILE, b"tool"),
            ("v2/etcd", FILE, b"other"),
        ]);
        let (rows, folder) = unpacked(&archive, &["v1/etcd", "v1/etcdctl"]);
        let rows = rows.unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        assert_eq!(fs::read(folder.path().join("etcd")).unwrap(), b"server");
        let mode = fs::metadata(folder.path().join("etcdctl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        assert_eq!((rows[0].name.as_str(), rows[0].path.as_str()), ("etcd", "v1/etcd"));
        assert_eq!(rows[0].artifact, [7; 32]);
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(b"tool").into();
        assert_eq!(rows[1].digest, digest);
    }

    #[test]
    fn evil_archives_are_refused() {
        let check = |entry: (&str, EntryType, &[u8]), text: &str| {
            let archive = packed(&[("etcd", FILE, b"x"), entry]);
            let (done, folder) = unpacked(&archive, &["etcd"]);
            let fault = done.unwrap_err().to_string();
            assert!(fault.contains(text), "{fault}");
            let outside = folder.path().parent().unwrap().join("outside");
            assert!(!outside.exists());
        };
        check(("../outside", FILE, b"x"), "leads out of it");
        check(("a/../../outside", FILE, b"x"), "leads out of it");
        check(("/etc/outside", FILE, b"x"), "leads out of it");
        check(("link", EntryType::Symlink, b""), "neither file nor directory");
        check(("link", EntryType::Link, b""), "neither file nor directory");
        check(("device", EntryType::Char, b""), "neither file nor directory");
        check(("fifo", EntryType::Fifo, b""), "neither file nor directory");
        check(("./etcd", FILE, b"y"), "has \"etcd\" twice");
    }

    #[test]
    fn a_link_in_the_place_of_a_member_is_refused() {
        let archive = packed(&[("etcd", EntryType::Symlink, b"")]);
        unpacked(&archive, &["etcd"]).0.unwrap_err();
    }

    #[test]
    fn what_is_not_there_is_told() {
        let archive = packed(&[("v1/etcd", FILE, b"x")]);
        let fault = unpacked(&archive, &["v1/etcd", "v1/etcdctl"]).0.unwrap_err();
        assert_eq!(fault.to_string(), "the archive has no \"v1/etcdctl\"; nothing was installed");
    }

    #[test]
    fn what_is_no_archive_or_half_of_one_is_refused() {
        let mut file = tempfile().unwrap();
        file.write_all(b"<html>not found</html>").unwrap();
        file.rewind().unwrap();
        unpacked(&file, &["etcd"]).0.unwrap_err();

        let content: Vec<_> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let whole = packed(&[("etcd", FILE, &content)]);
        whole.set_len(whole.metadata().unwrap().len() / 2).unwrap();
        unpacked(&whole, &["etcd"]).0.unwrap_err();
    }

    #[test]
    fn a_little_that_unpacks_to_a_lot_is_refused() {
        let mut limited = Limited { inner: io::repeat(0), left: 1000 };
        let fault = io::copy(&mut limited, &mut io::sink()).unwrap_err();
        assert!(fault.to_string().starts_with("the archive unpacks to more than"));
    }
}

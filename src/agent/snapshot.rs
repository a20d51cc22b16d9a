//! All data of a member of etcd on this host, kept as a file: from the member to the disk, and nowhere else.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{AtFlags, Mode, RenameFlags, statat, unlinkat};
use tokio::sync::{mpsc, watch};

use super::change::{Deed, Host};
use super::fault::Fault;
use super::files::owner::Owner;
use super::files::{directory, look};
use super::forward;
use super::part::{Part, names};
use super::place::{HostPath, Root};
use super::program::ended;
use crate::domain::backup::pages::{Facts, Source, check};
use crate::proto::agent::{SaveSnapshotReply, SaveSnapshotRequest};
use crate::remote::etcd::{Api, CallError, Credentials, Proof};

/// How the names of snapshots end.
const WHOLE: &str = ".db";
/// Behind the pages.
pub(super) const DIGEST: u64 = 32;
/// A certificate or a key.
const MOST_PEM: u64 = 64 << 10;
/// Parts that wait for the disk, of 32 KiB as etcd sends them.
pub(super) const WAITING: usize = 32;
const LONGEST_NAME: usize = 200;

/// Keeps a snapshot, once its digest is proven. Otherwise nothing is kept, and what was kept before stays.
pub(super) async fn save(
    host: &Arc<Host>,
    mut request: SaveSnapshotRequest,
) -> Result<SaveSnapshotReply, Fault> {
    let claim = request.claim.take();
    let (into, name) = (HostPath::parse(&request.directory)?, request.name.clone());
    let is_fine = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
    if !(1..=LONGEST_NAME).contains(&name.len())
        || !name.bytes().all(is_fine)
        || name.starts_with('.')
    {
        return Err(Fault::Invalid(format!("{name:?} is no name of a snapshot")));
    }
    let deed = Deed::new(
        format!("keep a snapshot of {} as {into}/{name}{WHOLE}", request.member),
        &request,
    );
    let at = Arc::clone(host);
    let work = async move { bring(&at, request, into, name).await };
    host.change(claim, deed, work).await
}

async fn bring(
    host: &Arc<Host>,
    request: SaveSnapshotRequest,
    into: HostPath,
    name: String,
) -> Result<SaveSnapshotReply, Fault> {
    let (keep, revision, member) = (request.keep, request.revision, request.member.clone());
    let said = |error| unasked(&member, error);
    let credentials = host.blocking(move |it| {
        let SaveSnapshotRequest { authority, certificate, key, .. } = &request;
        credentials(&it.root, [authority, certificate, key])
    });
    let credentials = credentials.await?;
    let (stream, address) = forward::connect(&member).await?;
    let api = Api::open(stream, address.ip(), &credentials).await.map_err(said)?;
    let size = api.status().await.map_err(said)?.db_size;
    let size = u64::try_from(size).unwrap_or_default();
    let saving = host.blocking(move |it| Saving::begin(&it.root, &into, name, size)).await?;
    let (sender, parts) = mpsc::channel(WAITING);
    let sending = send(&api, &member, sender, Some(host.life.ending()));
    let filling = host.blocking(move |_| saving.fill(parts, keep, revision));
    let (sent, kept) = tokio::join!(sending, filling);
    // What broke off on its way is damaged too. A disk that is full is no fault of the member.
    sent?;
    kept
}

/// What a member could not be asked, or has refused.
pub(super) fn unasked(member: &str, error: CallError) -> Fault {
    Fault::failed(format!("take a snapshot of {member}"))(io::Error::other(error))
}

/// Sends all data of a member on, until the agent ends.
pub(super) async fn send(
    api: &Api,
    member: &str,
    to: mpsc::Sender<Bytes>,
    ending: Option<watch::Receiver<bool>>,
) -> Result<(), Fault> {
    tokio::select! {
        done = api.snapshot(to) => done.map_err(|it| unasked(member, it)),
        () = ended(ending) => {
            Err(Fault::Refused("the snapshot was broken off: the agent ends".to_owned()))
        }
    }
}

/// Whom to believe, what to show, and its key: files in PEM.
pub(super) fn credentials(root: &Root, paths: [&[u8]; 3]) -> Result<Credentials, Fault> {
    let read = |path: &[u8]| {
        let path = HostPath::parse(path)?;
        let place = root.find(&path)?;
        let content = place.map(|it| look::read(&it, MOST_PEM)).transpose()?;
        let content = content.map(|it| it.1).unwrap_or_default();
        String::from_utf8(content).map_err(|_| Fault::Refused(format!("{path} is no PEM")))
    };
    let [authority, certificate, key] = paths;
    Credentials::new(&read(authority)?, &read(certificate)?, &read(key)?)
        .map_err(|it| Fault::Refused(format!("there is nothing to ask the member with: {it}")))
}

/// Writes what comes until there is no more, and proves that it is a snapshot with this revision at least: its size with
/// the digest, and what is in it. Blocks.
pub(super) fn receive(
    into: &Part,
    pieces: mpsc::Receiver<Bytes>,
    at: &dyn Display,
    least: u64,
) -> Result<(u64, Facts), Fault> {
    let mut proof = Proof::default();
    into.fill(pieces, at, |piece| {
        proof.push(piece);
        Ok(())
    })?;
    let damaged = |damage: &dyn Display| {
        Fault::Refused(format!("the snapshot is damaged, and was not kept: {damage}"))
    };
    let size = proof.finish().map_err(|it| damaged(&it))?;
    // The digest is of what the member sent; its own pages may have been damaged.
    let facts = check(&Pages(into.file()), size - DIGEST).map_err(|it| damaged(&it))?;
    if facts.revision < least {
        return Err(Fault::Refused(format!(
            "the snapshot ends at revision {}, before {least}, and was not kept",
            facts.revision
        )));
    }
    Ok((size, facts))
}

/// A snapshot on its way into a directory. Who holds the lock of the cluster is the only one here.
#[derive(Debug)]
struct Saving {
    directory: OwnedFd,
    path: HostPath,
    name: String,
    part: Part,
}

impl Saving {
    fn begin(root: &Root, path: &HostPath, name: String, size: u64) -> Result<Self, Fault> {
        directory::make_above(root, path)?;
        directory::make(&root.place(path)?, Mode::RWXU, Owner::of_agent())?;
        let directory = root.directory(path).map_err(Fault::failed(format!("open {path}")))?;
        let part = Part::begin(&directory, path, &name, size)?;
        Ok(Self { directory, path: path.clone(), name, part })
    }

    /// Writes what comes until there is no more, and puts it in its place. Blocks.
    fn fill(
        self,
        parts: mpsc::Receiver<Bytes>,
        keep: u32,
        least: u64,
    ) -> Result<SaveSnapshotReply, Fault> {
        let file = format!("{}{WHOLE}", self.name);
        let at = self.path.join(file.as_ref());
        let (size, facts) = receive(&self.part, parts, &at, least)?;
        let revision = facts.revision;
        self.part.make_durable()?;
        self.part.settle(&file, RenameFlags::empty())?;
        self.forget(&file, keep)
            .map_err(Fault::failed(format!("remove old snapshots from {}", self.path)))?;
        Ok(SaveSnapshotReply { path: at.bytes().to_vec().into(), size, revision })
    }

    /// Removes all but this one and the newest others.
    fn forget(&self, own: &str, keep: u32) -> rustix::io::Result<()> {
        let mut others = Vec::new();
        let is_other = |it: &String| it.ends_with(WHOLE) && it != own;
        for name in names(&self.directory)?.into_iter().filter(is_other) {
            let stat = statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            others.push((stat.st_mtime, stat.st_mtime_nsec, name));
        }
        others.sort();
        others.reverse();
        let kept = usize::try_from(keep).unwrap_or(usize::MAX).saturating_sub(1);
        for (.., name) in others.into_iter().skip(kept) {
            unlinkat(&self.directory, &name, AtFlags::empty())?;
        }
        Ok(())
    }
}

/// The pages of a file.
pub(super) struct Pages<'a>(pub(super) &'a File);

impl Source for Pages<'_> {
    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use sha2::{Digest as _, Sha256};
    use tempfile::TempDir;

    use super::*;
    use crate::domain::backup::pages::image;

    /// A database at revision 9; what its free page holds is nobody's.
    fn whole(seed: u8) -> Vec<u8> {
        let mut data = image();
        *data.last_mut().unwrap() = seed;
        data.extend(Sha256::digest(&data));
        data
    }

    fn save(
        folder: &TempDir,
        name: &str,
        data: &[u8],
        size: u64,
    ) -> Result<SaveSnapshotReply, String> {
        let root = Root::open(Some(folder.path())).unwrap();
        let path = HostPath::parse(b"/ha/snapshots").unwrap();
        let saved = Saving::begin(&root, &path, name.to_owned(), size).and_then(|saving| {
            let (sender, parts) = mpsc::channel(64);
            for chunk in data.chunks(1000) {
                sender.try_send(chunk.to_vec().into()).unwrap();
            }
            drop(sender);
            saving.fill(parts, 2, 9)
        });
        saved.map_err(|it| tonic::Status::from(it).message().to_owned())
    }

    fn kept(folder: &TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path().join("ha/snapshots")).unwrap();
        let mut names: Vec<_> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_damaged_is_not_kept_and_what_was_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let reply = save(&folder, "a", &whole(1), 4096).unwrap();
        assert_eq!((&reply.path[..], reply.size), (&b"/ha/snapshots/a.db"[..], 32800));
        assert_eq!(reply.revision, 9);
        let file = folder.path().join("ha/snapshots/a.db");
        assert_eq!(fs::read(&file).unwrap(), whole(1));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
        let above = fs::metadata(folder.path().join("ha/snapshots")).unwrap();
        assert_eq!(above.permissions().mode() & 0o7777, 0o700);

        let check = |change: fn(&mut Vec<u8>), expected: &str| {
            let mut data = whole(2);
            change(&mut data);
            let said = save(&folder, "b", &data, 4096).unwrap_err();
            assert_eq!(said, format!("the snapshot is damaged, and was not kept: {expected}"));
            assert_eq!(kept(&folder), ["a.db"]);
        };
        check(|it| it[77] ^= 1, "its digest is another");
        check(|it| it.truncate(3000), "3000 bytes are no pages with a digest behind them");
        check(Vec::clear, "it is empty");
        // What a member with a damaged page sends.
        check(
            |it| {
                it[4 * 4096] ^= 1;
                let digest = Sha256::digest(&it[..8 * 4096]);
                it[8 * 4096..].copy_from_slice(&digest);
            },
            "its page 4 has the number of another",
        );
        // Nor does one that is to have the same name take the place of a good one.
        save(&folder, "a", &whole(2)[1..], 4096).unwrap_err();
        assert_eq!(fs::read(&file).unwrap(), whole(1));
    }

    #[test]
    fn two_are_kept_and_what_was_left_is_swept() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            save(&folder, name, &whole(1), 4096).unwrap();
            fs::write(folder.path().join("ha/snapshots/.ha-agent-left.part"), "half").unwrap();
            fs::write(folder.path().join("ha/snapshots/other"), "precious").unwrap();
        }
        assert_eq!(kept(&folder), [".ha-agent-left.part", "b.db", "c.db", "other"]);
        save(&folder, "c", &whole(3), 4096).unwrap();
        assert_eq!(kept(&folder), ["b.db", "c.db", "other"]);
        assert_eq!(fs::read(folder.path().join("ha/snapshots/c.db")).unwrap(), whole(3));
    }

    #[test]
    fn a_disk_without_room_is_told_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let said = save(&folder, "a", &whole(1), u64::MAX / 2).unwrap_err();
        assert!(said.starts_with("no space for a snapshot in /ha/snapshots: "), "{said}");
        assert!(kept(&folder).is_empty());
    }
}

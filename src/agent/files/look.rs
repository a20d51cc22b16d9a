//! What is at a place, and what it holds.

use std::fs::File;
use std::io::Read as _;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::agent::fault::Fault;
use crate::agent::place::{HostPath, Place, Root};
use crate::proto::agent::File as Seen;
use crate::proto::agent::file::Kind;

/// A step of reading.
const CHUNK: usize = 256 << 10;

/// Everything about a path but the content. A fault becomes "unseen", which is not "absent".
pub(crate) fn describe(root: &Root, path: &[u8]) -> Seen {
    let described = HostPath::parse(path).and_then(|parsed| {
        let Some(place) = root.find(&parsed)? else { return Ok(absent(path)) };
        look(&place)
    });
    described.unwrap_or_else(|fault| Seen {
        path: path.to_vec().into(),
        kind: Kind::Unseen.into(),
        error: tonic::Status::from(fault).message().to_owned(),
        ..Seen::default()
    })
}

fn absent(path: &[u8]) -> Seen {
    Seen { path: path.to_vec().into(), kind: Kind::Absent.into(), ..Seen::default() }
}

fn look(place: &Place) -> Result<Seen, Fault> {
    let stat = match statat(place.parent(), place.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(absent(place.path().bytes())),
        stat => stat.map_err(place.failed("look at"))?,
    };
    let mut seen = seen(place, &stat);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            // It may have gone or changed its kind since.
            let Some((file, stat)) = open(place)? else { return Ok(absent(place.path().bytes())) };
            seen = self::seen(place, &stat);
            seen.digest = digest(file).map_err(Fault::failed(format!("read {}", place.path())))?;
        }
        FileType::Symlink => {
            let to = readlinkat(place.parent(), place.name(), Vec::new());
            seen.points_to = to.map_err(place.failed("read the symlink"))?.into_bytes().into();
        }
        _ => {}
    }
    Ok(seen)
}

/// Opens a regular file without following a symlink. None when nothing is there.
pub(crate) fn open(place: &Place) -> Result<Option<(File, Stat)>, Fault> {
    // Without waiting, as opening a FIFO would.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(place.parent(), place.name(), flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(Fault::Refused(format!("{} is a symlink", place.path()))),
        file => file.map_err(place.failed("open"))?,
    };
    let stat = fstat(&file).map_err(place.failed("look at"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Fault::Refused(format!("{} is not a regular file", place.path())));
    }
    Ok(Some((file.into(), stat)))
}

/// The content of a regular file, and what it is. A larger file than `limit` is refused.
pub(crate) fn read(place: &Place, limit: u64) -> Result<(Seen, Vec<u8>), Fault> {
    let Some((file, stat)) = open(place)? else {
        return Ok((absent(place.path().bytes()), Vec::new()));
    };
    let content = content(place, file, limit)?;
    let mut seen = seen(place, &stat);
    seen.digest = Sha256::digest(&content).to_vec().into();
    Ok((seen, content))
}

/// The same for files of the system that a distribution may have made a symlink.
pub(crate) fn follow(place: &Place, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    match openat(place.parent(), place.name(), flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        file => content(place, file.map_err(place.failed("open"))?.into(), limit).map(Some),
    }
}

fn content(place: &Place, file: File, limit: u64) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut content);
    read.map_err(Fault::failed(format!("read {}", place.path())))?;
    if content.len() as u64 > limit {
        return Err(Fault::Refused(format!("{} is larger than {limit} bytes", place.path())));
    }
    Ok(content)
}

pub(crate) fn digest(mut file: File) -> std::io::Result<bytes::Bytes> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().to_vec().into()),
            Ok(count) => hash.update(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn seen(place: &Place, stat: &Stat) -> Seen {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::Regular,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Seen {
        path: place.path().bytes().to_vec().into(),
        kind: kind.into(),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mode: stat.st_mode & 0o7777,
        user: stat.st_uid,
        group: stat.st_gid,
        ..Seen::default()
    }
}

//! What services write: one file each, begun anew before it grows too large.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags, fstat, openat, renameat};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use crate::agent::fault::Fault;
use crate::agent::files::directory::{make, make_above};
use crate::agent::files::look;
use crate::agent::files::owner::Owner;
use crate::agent::place::{HostPath, Place, Root};

const DIRECTORY: &str = "/var/log/ha";
/// From here on a new file is begun. The one before is kept, so a service has at most twice this.
const FULL: u64 = 10 << 20;
const CHUNK: usize = 64 << 10;

/// The log of one service, and the end of the pipe that it comes from. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Log(Arc<Mutex<Open>>);

#[derive(Debug)]
struct Open {
    pipe: OwnedFd,
    place: Place,
    old: Place,
    file: File,
    length: u64,
}

impl Log {
    /// Only its owner reads it. What is written into the other end arrives, from now on and until the runtime ends.
    pub(super) fn open(root: &Root, unit: &str) -> Result<(Self, PipeWriter), Fault> {
        let failed = || Fault::failed::<io::Error>("make a pipe for the output");
        let (reader, writer) = io::pipe().map_err(failed())?;
        let log = Self::at(root, unit, reader.try_clone().map_err(failed())?)?;
        let pipe = Receiver::from_owned_fd(reader.into()).map_err(failed())?;
        tokio::spawn(log.clone().collect(pipe));
        Ok((log, writer))
    }

    fn at(root: &Root, unit: &str, pipe: PipeReader) -> Result<Self, Fault> {
        let directory = HostPath::parse(DIRECTORY.as_bytes())?;
        make_above(root, &directory)?;
        make(&root.place(&directory)?, Mode::RWXU, Owner::of_agent())?;
        let [path, old] = paths(unit)?;
        let (place, old) = (root.place(&path)?, root.place(&old)?);
        let (file, length) = begin(&place).map_err(Fault::failed(format!("open {path}")))?;
        let pipe = OwnedFd::from(pipe);
        Ok(Self(Arc::new(Mutex::new(Open { pipe, place, old, file, length }))))
    }

    /// Adds a line of the supervisor itself, after all that was written before.
    pub(super) fn say(&self, text: &str) {
        let (mut open, mut chunk) = (self.lock(), vec![0; CHUNK]);
        // Past the runtime, which learns of new output only when everything else waits. A pipe holds no more than this.
        if let Ok(length) = rustix::io::read(&open.pipe, &mut chunk) {
            open.add(&chunk[..length]);
        }
        open.add(format!("ha-agent: {text}\n").as_bytes());
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn collect(self, mut pipe: Receiver) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(length @ 1..) = pipe.read(&mut chunk).await {
            self.lock().add(&chunk[..length]);
        }
    }
}

impl Open {
    /// A full disk takes the log, and not the service.
    fn add(&mut self, text: &[u8]) {
        let _ = self.try_to_add(text);
    }

    fn try_to_add(&mut self, text: &[u8]) -> io::Result<()> {
        if self.length >= FULL {
            renameat(self.place.parent(), self.place.name(), self.old.parent(), self.old.name())?;
            (self.file, self.length) = begin(&self.place)?;
        }
        self.length += text.len() as u64;
        self.file.write_all(text)
    }
}

fn begin(place: &Place) -> io::Result<(File, u64)> {
    let flags =
        OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(place.parent(), place.name(), flags, Mode::RUSR | Mode::WUSR)?;
    let length = u64::try_from(fstat(&file)?.st_size).unwrap_or_default();
    Ok((file.into(), length))
}

/// The log and the one before.
fn paths(unit: &str) -> Result<[HostPath; 2], Fault> {
    let name = unit.strip_suffix(".service").unwrap_or(unit);
    let path = |suffix| HostPath::parse(format!("{DIRECTORY}/{name}.log{suffix}").as_bytes());
    Ok([path("")?, path(".1")?])
}

/// The last lines of a service. Empty when it never wrote any.
pub(in crate::agent) fn logs(
    root: &Root,
    unit: &str,
    lines: usize,
    most: usize,
) -> Result<Vec<u8>, Fault> {
    let [path, old] = paths(unit)?;
    let (mut text, is_whole) = end(root, &path, most)?;
    if is_whole {
        text = [end(root, &old, most)?.0, text].concat();
    }
    Ok(tail(&text, lines, most).to_vec())
}

/// The last bytes of a file, and whether they are all of it.
fn end(root: &Root, path: &HostPath, most: usize) -> Result<(Vec<u8>, bool), Fault> {
    let nothing = (Vec::new(), true);
    let Some(place) = root.find(path)? else { return Ok(nothing) };
    let Some((mut file, stat)) = look::open(&place)? else { return Ok(nothing) };
    let failed = || Fault::failed::<io::Error>(format!("read {path}"));
    let skipped = u64::try_from(stat.st_size).unwrap_or_default().saturating_sub(most as u64);
    file.seek(SeekFrom::Start(skipped)).map_err(failed())?;
    let mut text = Vec::new();
    file.take(most as u64).read_to_end(&mut text).map_err(failed())?;
    if skipped > 0
        && let Some(at) = text.iter().position(|it| *it == b'\n')
    {
        // The line that was cut.
        text.drain(..=at);
    }
    Ok((text, skipped == 0))
}

/// The last lines of a text, as many as fit; one that does not fit by itself is cut.
pub(in crate::agent) fn tail(text: &[u8], lines: usize, most: usize) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let mut starts = vec![0];
    starts.extend(body.iter().enumerate().filter(|(_, it)| **it == b'\n').map(|(at, _)| at + 1));
    let first = starts[starts.len().saturating_sub(lines.max(1))];
    let fits = text.len().saturating_sub(most);
    let start = starts.into_iter().find(|it| *it >= first.max(fits)).unwrap_or(fits);
    &text[start..]
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_lines() {
        let check = |text: &str, lines, most, wanted: &str| {
            let tail = tail(text.as_bytes(), lines, most);
            assert_eq!(std::str::from_utf8(tail).unwrap(), wanted, "{text:?} {lines} {most}");
        };
        check("", 3, 10, "");
        check("a\nb\nc\n", 2, 10, "b\nc\n");
        check("a\nb\nc", 2, 10, "b\nc");
        check("a\nb\nc\n", 9, 10, "a\nb\nc\n");
        check("a\nb\nc\n", 0, 10, "c\n");
        check("aaa\nbbb\nccc\n", 3, 9, "bbb\nccc\n");
        check("aaa\nbbb\nccc\n", 3, 3, "cc\n");
    }

    #[test]
    fn a_full_log_is_kept_once_and_read_through() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(Some(folder.path())).unwrap();
        assert_eq!(logs(&root, "a.service", 5, 100).unwrap(), b"");
        let open = || {
            let (reader, writer) = io::pipe().unwrap();
            (Log::at(&root, "a.service", reader).unwrap(), writer)
        };
        let (log, _) = open();
        let line = [vec![b'x'; (1 << 20) - 1], b"\n".to_vec()].concat();
        for _ in 0..25 {
            log.lock().add(&line);
        }
        let (log, mut output) = open();
        output.write_all(b"before\n").unwrap();
        drop(output);
        log.say("the end");
        let length =
            |name: &str| fs::metadata(folder.path().join("var/log/ha").join(name)).unwrap().len();
        assert_eq!(length("a.log.1"), FULL);
        assert_eq!(length("a.log"), (5 << 20) + 25);
        assert_eq!(fs::read_dir(folder.path().join("var/log/ha")).unwrap().count(), 2);
        assert_eq!(logs(&root, "a.service", 1, 100).unwrap(), b"ha-agent: the end\n");
        assert_eq!(logs(&root, "a.service", 2, 100).unwrap(), b"before\nha-agent: the end\n");
        fs::write(folder.path().join("var/log/ha/a.log"), "new\n").unwrap();
        fs::write(folder.path().join("var/log/ha/a.log.1"), "old\n").unwrap();
        assert_eq!(logs(&root, "a.service", 2, 100).unwrap(), b"old\nnew\n");
        assert_eq!(logs(&root, "a.service", 2, 4).unwrap(), b"new\n");
        fs::write(folder.path().join("var/log/ha/a.log"), "one\ntwo\n").unwrap();
        assert_eq!(logs(&root, "a.service", 9, 6).unwrap(), b"two\n");
    }
}

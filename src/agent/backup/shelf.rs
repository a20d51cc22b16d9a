//! The directory where snapshots lie, each with its manifest beside it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags, flock, fsync, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::agent::artifacts::{available, full};
use crate::agent::fault::Fault;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{Wanted, put};
use crate::agent::files::{directory, look};
use crate::agent::place::{HostPath, OWN, Root};
use crate::agent::snapshot::SPARE;
use crate::domain::backup::{Compression, Manifest, is_of};

const MANIFEST: &str = ".json";
const PART: &str = ".part";
/// A manifest has less than a thousandth.
const MOST_MANIFEST: u64 = 1 << 20;

/// The directory.
#[derive(Debug)]
pub(super) struct Shelf {
    directory: OwnedFd,
    path: HostPath,
}

/// A snapshot that lies there.
#[derive(Debug)]
pub(super) struct Stored {
    /// Of its files, without their ends.
    pub(super) name: String,
    /// Its files.
    pub(super) files: Vec<String>,
    /// Why it does not count is said in words.
    pub(super) manifest: Result<Manifest, String>,
}

impl Shelf {
    /// None: there is no such directory.
    pub(super) fn open(root: &Root, path: &HostPath) -> Result<Option<Self>, Fault> {
        match root.directory(path) {
            Ok(directory) => Ok(Some(Self { directory, path: path.clone() })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Fault::failed(format!("open {path}"))(error)),
        }
    }

    /// Made for its owner alone, where there is none. One that is there stays as it is.
    pub(super) fn make(root: &Root, path: &HostPath) -> Result<Self, Fault> {
        if let Some(found) = Self::open(root, path)? {
            return Ok(found);
        }
        directory::make_above(root, path)?;
        directory::make(&root.place(path)?, Mode::RWXU, Owner::of_agent())?;
        let found = Self::open(root, path)?;
        found.ok_or_else(|| Fault::Refused(format!("{path} was removed")))
    }

    /// What lies there of a backup of a cluster, by name. An empty name is that of any.
    pub(super) fn list(
        &self,
        root: &Root,
        (cluster, backup): (&str, &str),
    ) -> Result<Vec<Stored>, Fault> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in self.names()?.into_iter().filter(|it| !it.starts_with('.')) {
            // The longer end first.
            let ends = [Compression::Zstd.end(), Compression::None.end(), MANIFEST];
            let name = ends.iter().find_map(|it| file.strip_suffix(it));
            if let Some(name) = name.filter(|it| is_of(it, cluster, backup)).map(str::to_owned) {
                found.entry(name).or_default().push(file);
            }
        }
        let stored = |(name, files): (String, Vec<String>)| {
            let manifest = self.manifest(root, &name, &files)?;
            Ok(Stored { name, files, manifest })
        };
        found.into_iter().map(stored).collect()
    }

    fn manifest(
        &self,
        root: &Root,
        name: &str,
        files: &[String],
    ) -> Result<Result<Manifest, String>, Fault> {
        let beside = format!("{name}{MANIFEST}");
        if !files.contains(&beside) {
            return Ok(Err("it has no manifest".to_owned()));
        }
        let place = root.place(&self.path.join(OsStr::new(&beside)))?;
        let text = look::read(&place, MOST_MANIFEST)?.1;
        let manifest = match Manifest::parse(&text, name) {
            Ok(manifest) => manifest,
            Err(fault) => return Ok(Err(format!("its manifest cannot be used: {fault}"))),
        };
        let file = manifest.file();
        if !files.contains(&file) {
            return Ok(Err("its data is gone".to_owned()));
        }
        let stat = statat(&self.directory, &file, AtFlags::SYMLINK_NOFOLLOW);
        let stat = stat.map_err(self.failed("look into"))?;
        let size = u64::try_from(stat.st_size).unwrap_or_default();
        if size != manifest.size {
            return Ok(Err(format!("it has {size} bytes instead of {}", manifest.size)));
        }
        Ok(Ok(manifest))
    }

    /// A file that nobody takes for a snapshot yet, removed when this is dropped. Those that were left by a process that
    /// was killed are swept.
    pub(super) fn part(&self, name: &str, needed: u64) -> Result<Part, Fault> {
        self.sweep()?;
        let needed = needed.saturating_add(SPARE);
        if available(self.directory.as_fd()) < needed {
            let what = format!("a snapshot in {}", self.path);
            return Err(full(self.directory.as_fd(), &what, needed));
        }
        let name = format!("{OWN}{name}{PART}");
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(&self.directory, &name, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => {
                return Err(Fault::Refused("it is being taken by somebody else".to_owned()));
            }
            file => file.map_err(self.failed("begin a snapshot in"))?,
        };
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(self.failed("lock a new file in"))?;
        let directory =
            self.directory.try_clone().map_err(Fault::failed(format!("open {}", self.path)))?;
        Ok(Part { directory, name, file: file.into() })
    }

    /// Who writes a part holds its lock.
    fn sweep(&self) -> Result<(), Fault> {
        let is_part = |it: &String| it.starts_with(OWN) && it.ends_with(PART);
        for name in self.names()?.into_iter().filter(is_part) {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let Ok(file) = openat(&self.directory, &name, flags, Mode::empty()) else { continue };
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                unlinkat(&self.directory, &name, AtFlags::empty()).map_err(self.failed("sweep"))?;
            }
        }
        Ok(())
    }

    /// Puts a snapshot that is whole in its place, with its manifest. It counts with the last of these steps, and none
    /// that is there is replaced.
    pub(super) fn keep(&self, root: &Root, part: &Part, manifest: &Manifest) -> Result<(), Fault> {
        let file = manifest.file();
        fsync(&part.file).map_err(self.failed("make durable what is in"))?;
        let taken = || Fault::Refused(format!("{file} is in {} already", self.path));
        if statat(&self.directory, &file, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(taken());
        }
        let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
        let beside = self.path.join(OsStr::new(&format!("{}{MANIFEST}", manifest.name)));
        let (content, mode) = (text.as_bytes(), Mode::RUSR | Mode::WUSR);
        put(&root.place(&beside)?, Wanted { content, mode, owner: Owner::of_agent() })?;
        let (from, flags) = (&part.name, RenameFlags::NOREPLACE);
        match renameat_with(&self.directory, from, &self.directory, &file, flags) {
            Err(Errno::EXIST) => return Err(taken()),
            renamed => renamed.map_err(self.failed("put a snapshot into"))?,
        }
        fsync(&self.directory).map_err(self.failed("make durable"))
    }

    /// Removes all of one snapshot: the data first, so that what is left never counts.
    pub(super) fn forget(&self, stored: &Stored) -> Result<(), Fault> {
        let mut files: Vec<_> = stored.files.iter().collect();
        files.sort_by_key(|it| it.ends_with(MANIFEST));
        for file in files {
            match unlinkat(&self.directory, file, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => {
                    return Err(Fault::failed(format!("remove {file} from {}", self.path))(error));
                }
            }
        }
        fsync(&self.directory).map_err(self.failed("make durable"))
    }

    fn names(&self) -> Result<Vec<String>, Fault> {
        let read = || -> rustix::io::Result<Vec<String>> {
            Dir::read_from(&self.directory)?
                .map(|it| Ok(it?.file_name().to_string_lossy().into_owned()))
                .collect()
        };
        read().map_err(self.failed("look into"))
    }

    fn failed(&self, doing: &str) -> impl FnOnce(Errno) -> Fault + use<> {
        Fault::failed(format!("{doing} {}", self.path))
    }
}

/// What is not whole yet.
#[derive(Debug)]
pub(super) struct Part {
    directory: OwnedFd,
    name: String,
    file: File,
}

impl Part {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The same file, read from its beginning.
    pub(super) fn rewound(&self) -> io::Result<&File> {
        rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Start(0))?;
        Ok(&self.file)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It may be in its place. What stays is swept the next time.
        let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test looks at files")]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use tempfile::TempDir;

    use super::*;

    struct At {
        folder: TempDir,
        root: Root,
        shelf: Shelf,
    }

    impl At {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = Root::open(Some(folder.path())).unwrap();
            let path = HostPath::parse(b"/srv/backups").unwrap();
            assert!(Shelf::open(&root, &path).unwrap().is_none());
            let shelf = Shelf::make(&root, &path).unwrap();
            Self { folder, root, shelf }
        }

        fn keep(&self, name: &str) -> Result<(), Fault> {
            let part = self.shelf.part(name, 4)?;
            part.file().write_all(b"data").unwrap();
            let manifest = Manifest { name: name.to_owned(), size: 4, ..Manifest::empty() };
            self.shelf.keep(&self.root, &part, &manifest)
        }

        fn files(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path().join("srv/backups")).unwrap();
            let mut names: Vec<_> =
                entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn listed(&self) -> Vec<String> {
            let stored = self.shelf.list(&self.root, ("p", "n")).unwrap();
            let told = |it: Stored| match it.manifest {
                Ok(_) => it.name,
                Err(why) => format!("{}: {why}", it.name),
            };
            stored.into_iter().map(told).collect()
        }
    }

    #[test]
    fn what_is_kept_is_listed_and_never_replaced() {
        let at = At::new();
        at.keep("p.n.1").unwrap();
        at.keep("p.other.1").unwrap();
        assert_eq!(at.listed(), ["p.n.1"]);
        assert_eq!(at.files()[..2], ["p.n.1.db.zst", "p.n.1.json"]);
        let data = at.folder.path().join("srv/backups/p.n.1.db.zst");
        fs::write(&data, "else").unwrap();
        let said = tonic::Status::from(at.keep("p.n.1").unwrap_err());
        assert_eq!(said.message(), "p.n.1.db.zst is in /srv/backups already");
        assert_eq!(fs::read(&data).unwrap(), b"else");
        let all = at.shelf.list(&at.root, ("p", "n")).unwrap();
        at.shelf.forget(&all[0]).unwrap();
        assert_eq!(at.files(), ["p.other.1.db.zst", "p.other.1.json"]);
    }

    #[test]
    fn what_does_not_count_says_why() {
        let at = At::new();
        let folder = at.folder.path().join("srv/backups");
        for name in ["p.n.1", "p.n.2", "p.n.3", "p.n.4", "p.n.5"] {
            at.keep(name).unwrap();
        }
        fs::remove_file(folder.join("p.n.1.json")).unwrap();
        fs::remove_file(folder.join("p.n.2.db.zst")).unwrap();
        fs::write(folder.join("p.n.3.db.zst"), "longer").unwrap();
        fs::copy(folder.join("p.n.5.json"), folder.join("p.n.4.json")).unwrap();
        assert_eq!(
            at.listed(),
            [
                "p.n.1: it has no manifest",
                "p.n.2: its data is gone",
                "p.n.3: it has 6 bytes instead of 4",
                "p.n.4: its manifest cannot be used: it is the manifest of \"p.n.5\"",
                "p.n.5",
            ]
        );
    }

    #[test]
    fn what_was_left_is_swept_and_what_is_being_written_is_not() {
        let at = At::new();
        let folder = at.folder.path().join("srv/backups");
        fs::write(folder.join(".ha-agent-p.n.0.part"), "half").unwrap();
        let part = at.shelf.part("p.n.1", 4).unwrap();
        let said = tonic::Status::from(at.shelf.part("p.n.1", 4).unwrap_err());
        assert_eq!(said.message(), "it is being taken by somebody else");
        assert_eq!(at.files(), [".ha-agent-p.n.1.part"]);
        drop(part);
        assert_eq!(at.files(), [""; 0]);
        let full = tonic::Status::from(at.shelf.part("p.n.1", u64::MAX / 2).unwrap_err());
        assert!(full.message().starts_with("no space for a snapshot in /srv/backups"), "{full:?}");
    }
}

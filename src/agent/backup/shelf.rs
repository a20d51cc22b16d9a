//! The directory where snapshots lie, each with its manifest beside it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fsync, openat, statat, unlinkat};
use rustix::io::Errno;

use crate::agent::fault::Fault;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{Wanted, put};
use crate::agent::files::{directory, look};
use crate::agent::part::{Part, names};
use crate::agent::place::{HostPath, Root};
use crate::domain::backup::{Found, MOST_MANIFEST, Manifest, together};

/// Says why a store did not take what lies here.
const WAITS: &str = "waits.txt";
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);

/// The directory.
#[derive(Debug)]
pub(super) struct Shelf {
    directory: OwnedFd,
    path: HostPath,
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
    pub(super) fn list(&self, root: &Root, of: (&str, &str)) -> Result<Vec<Found>, Fault> {
        let mut files = Vec::new();
        let all = names(&self.directory).map_err(self.failed("look into"))?;
        for file in all.into_iter().filter(|it| !it.starts_with('.')) {
            match statat(&self.directory, &file, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => files.push((file, u64::try_from(stat.st_size).unwrap_or_default())),
                // It has just gone.
                Err(Errno::NOENT) => {}
                Err(error) => return Err(self.failed("look into")(error)),
            }
        }
        let found = together(files, of).into_iter().map(|(name, files)| {
            let beside = Manifest::beside(&name);
            let text = files.contains_key(&beside).then(|| self.read(root, &beside)).transpose()?;
            Ok(Found::of(name, files, text.as_deref(), Manifest::file))
        });
        found.collect()
    }

    fn read(&self, root: &Root, file: &str) -> Result<Vec<u8>, Fault> {
        let place = root.place(&self.path.join(OsStr::new(file)))?;
        Ok(look::read(&place, MOST_MANIFEST)?.1)
    }

    /// The data of a snapshot that lies there. None: it has just gone.
    pub(super) fn data(&self, manifest: &Manifest) -> Result<Option<File>, Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.directory, manifest.file(), flags, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            file => file.map(|it| Some(it.into())).map_err(self.failed("read what is in")),
        }
    }

    /// A file that nobody takes for a snapshot yet, with room for so many bytes.
    pub(super) fn part(&self, name: &str, needed: u64) -> Result<Part, Fault> {
        Part::begin(&self.directory, &self.path, name, needed)
    }

    /// Puts a snapshot that is whole in its place, with its manifest. It counts with the last of these steps, and none
    /// that is there is replaced.
    pub(super) fn keep(&self, root: &Root, part: &Part, manifest: &Manifest) -> Result<(), Fault> {
        let file = manifest.file();
        part.make_durable()?;
        let taken = || Fault::Refused(format!("{file} is in {} already", self.path));
        if statat(&self.directory, &file, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(taken());
        }
        let text = manifest.print().map_err(|it| Fault::Refused(it.to_string()))?;
        self.write(root, &Manifest::beside(&manifest.name), &text)?;
        let is_kept = part.settle(&file, RenameFlags::NOREPLACE)?;
        if is_kept { Ok(()) } else { Err(taken()) }
    }

    fn write(&self, root: &Root, name: &str, text: &str) -> Result<(), Fault> {
        let at = root.place(&self.path.join(OsStr::new(name)))?;
        let (content, mode) = (text.as_bytes(), OWNER_ONLY);
        put(&at, Wanted { content, mode, owner: Owner::of_agent() }).map(drop)
    }

    /// Removes all of one snapshot.
    pub(super) fn forget(&self, found: &Found) -> Result<(), Fault> {
        found.leaving().into_iter().try_for_each(|it| self.remove(it))?;
        fsync(&self.directory).map_err(self.failed("make durable"))
    }

    fn remove(&self, file: &str) -> Result<(), Fault> {
        match unlinkat(&self.directory, file, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Fault::failed(format!("remove {file} from {}", self.path))(error)),
        }
    }

    /// Notes for those who ask why a store did not take what lies here; None: nothing is in the way.
    pub(super) fn note(&self, root: &Root, why: Option<&str>) -> Result<(), Fault> {
        why.map_or_else(|| self.remove(WAITS), |why| self.write(root, WAITS, why))
    }

    /// What was noted; empty if nothing was.
    pub(super) fn noted(&self, root: &Root) -> Result<String, Fault> {
        let is_there = statat(&self.directory, WAITS, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let text = if is_there { self.read(root, WAITS)? } else { Vec::new() };
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn failed(&self, doing: &str) -> impl FnOnce(Errno) -> Fault + use<> {
        Fault::failed(format!("{doing} {}", self.path))
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
            let told = |it: Found| match it.manifest {
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

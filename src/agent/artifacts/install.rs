//! Makes a version of what was brought: all of it at once, or nothing.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fchmod, fsync, linkat, mkdirat, openat, renameat,
    renameat_with,
};

use super::note::{self, Row};
use super::part::Filled;
use super::project::{EXECUTABLE, Locked, Project};
use super::unpack::unpack;
use super::wanted::{Members, Wanted};
use crate::agent::fault::Fault;
use crate::agent::line::hex;
use crate::agent::place::Root;

/// What becomes a version. Only whoever has locked the project uses the name.
const STAGING: &str = ".ha-agent-staging";

/// Whether the version has all that is wanted, as it was installed. Reads the files: their names prove nothing.
pub(super) fn is_there(root: &Root, wanted: &Wanted) -> Result<bool, Fault> {
    let Some(project) = Project::find(root, &wanted.project)? else { return Ok(false) };
    let Some(rows) = note::read(&project, &wanted.version)? else { return Ok(false) };
    let Some(directory) = project.version(&wanted.version)? else { return Ok(false) };
    if !wanted.is_noted_in(&rows) {
        return Ok(false);
    }
    for row in rows.iter().filter(|it| wanted.has(&it.name)) {
        if !note::is_intact(directory.as_fd(), row)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Installs what was brought, if it is what is wanted.
///
/// # Guarantees
/// The version is afterwards there with the new files and those that it had before, or as it was. Nothing is unpacked,
/// and nothing can be executed, before its digest was found to be right.
pub(super) fn install(root: &Root, wanted: &Wanted, filled: Filled) -> Result<(), Fault> {
    if filled.digest != wanted.digest {
        let [found, expected] = [filled.digest, wanted.digest].map(|it| hex(&it));
        return Err(Fault::Refused(format!(
            "{wanted} is not what was expected, and was not installed: its {} bytes have the SHA-256 {found}, not \
             {expected}",
            filled.size
        )));
    }
    let project = Project::make(root, &wanted.project)?.lock()?;
    let staging = stage(&project)?;
    let staged = fill(&project, staging.as_fd(), wanted, &filled)
        .and_then(|is_new| swap(&project, &wanted.version, is_new));
    // Before the lock is free: the name of a part that was put in its place may be taken by another.
    drop(filled);
    // What stays after a fault is swept with the next locking.
    let swept = project.sweep(STAGING);
    staged.and(swept)
}

/// Writes the program through to the disk, and makes it executable.
pub(super) fn seal(file: &File) -> rustix::io::Result<()> {
    fchmod(file, EXECUTABLE)?;
    fsync(file)
}

fn stage(project: &Locked) -> Result<OwnedFd, Fault> {
    let failed = || project.failed("make a new version in");
    mkdirat(project.fd(), STAGING, Mode::RWXU).map_err(failed())?;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(project.fd(), STAGING, flags, Mode::empty()).map_err(failed())
}

/// True when there is no such version yet.
fn fill(
    project: &Locked,
    staging: BorrowedFd<'_>,
    wanted: &Wanted,
    filled: &Filled,
) -> Result<bool, Fault> {
    let failed = || project.failed("install a version in");
    let artifact = wanted.digest;
    let mut rows = match &wanted.members {
        Members::Archive(members) => unpack(filled.part.file(), artifact, members, staging)?,
        Members::Program(name) => {
            seal(filled.part.file()).map_err(failed())?;
            renameat(project.fd(), filled.part.name(), staging, name).map_err(failed())?;
            vec![Row { name: name.clone(), digest: artifact, artifact, path: String::new() }]
        }
    };
    let present = note::read(project, &wanted.version)?;
    if let Some(directory) = project.version(&wanted.version)? {
        for row in present.iter().flatten().filter(|it| !wanted.has(&it.name)) {
            // One that is gone or no program any more is not carried over.
            if note::is_there(directory.as_fd(), row)? {
                linkat(&directory, &row.name, staging, &row.name, AtFlags::empty())
                    .map_err(failed())?;
                rows.push(row.clone());
            }
        }
    }
    note::write(staging, &rows).map_err(Fault::failed("note what is installed"))?;
    fchmod(staging, EXECUTABLE).and_then(|()| fsync(staging)).map_err(failed())?;
    Ok(present.is_none())
}

fn swap(project: &Locked, version: &str, is_new: bool) -> Result<(), Fault> {
    let flags = if is_new { RenameFlags::NOREPLACE } else { RenameFlags::EXCHANGE };
    renameat_with(project.fd(), STAGING, project.fd(), version, flags)
        .map_err(project.failed("put a version in its place in"))?;
    fsync(project.fd()).map_err(project.failed("make durable"))
}

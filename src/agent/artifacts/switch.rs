//! Which version is in use, and the end of those that are not.

use std::os::fd::AsFd as _;

use rustix::fs::{AtFlags, RenameFlags, fsync, renameat, renameat_with, symlinkat, unlinkat};
use rustix::io::Errno;

use super::note;
use super::project::Project;
use super::wanted::{self, CURRENT};
use crate::agent::fault::Fault;
use crate::agent::place::Root;

const NEW_LINK: &str = ".ha-agent-current";
const REMOVED: &str = ".ha-agent-removed";

/// Points `current` to a version at once. True when it was another.
///
/// # Errors
/// A file of the version is not as it was installed: it would be executed next.
pub(super) fn switch(root: &Root, project: &str, version: &str) -> Result<bool, Fault> {
    wanted::version(version)?;
    let absent = || Fault::Refused(format!("{project} {version} is not installed"));
    let project = Project::find(root, project)?.ok_or_else(absent)?.lock()?;
    let rows = note::read(&project, version)?.ok_or_else(absent)?;
    let directory = project.version(version)?.ok_or_else(absent)?;
    for row in &rows {
        if !note::is_intact(directory.as_fd(), row)? {
            let path = project.path().join(version.as_ref()).join(row.name.as_ref());
            return Err(Fault::Refused(format!("{path} is not as it was installed")));
        }
    }
    if project.current()?.as_deref() == Some(version) {
        return Ok(false);
    }
    let failed = || project.failed("switch the version in");
    symlinkat(version, project.fd(), NEW_LINK).map_err(failed())?;
    if let Err(error) = renameat(project.fd(), NEW_LINK, project.fd(), CURRENT) {
        // It would be swept; the fault is the one to tell.
        let _ = unlinkat(project.fd(), NEW_LINK, AtFlags::empty());
        return Err(failed()(error));
    }
    fsync(project.fd()).map_err(failed())?;
    Ok(true)
}

/// Removes a version. True when it was there.
///
/// # Errors
/// It is the current one, or nobody knows which one that is.
pub(super) fn remove(root: &Root, project: &str, version: &str) -> Result<bool, Fault> {
    wanted::version(version)?;
    let Some(project) = Project::find(root, project)? else { return Ok(false) };
    let project = project.lock()?;
    if project.current()?.as_deref() == Some(version) {
        let path = project.path().join(version.as_ref());
        return Err(Fault::Refused(format!("{path} is the current version")));
    }
    let failed = || project.failed("remove a version from");
    // At once: half of a version is none.
    match renameat_with(project.fd(), version, project.fd(), REMOVED, RenameFlags::NOREPLACE) {
        Err(Errno::NOENT) => return Ok(false),
        renamed => renamed.map_err(failed())?,
    }
    project.sweep(REMOVED)?;
    fsync(project.fd()).map_err(failed())?;
    Ok(true)
}

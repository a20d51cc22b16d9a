//! Which versions of a project are here.

use std::os::fd::AsFd as _;

use super::note;
use super::project::Project;
use crate::agent::fault::Fault;
use crate::agent::place::Root;
use crate::proto::agent::{InstalledFile, InstalledVersion, Project as Seen};

/// Everything about a project. A fault becomes an error in the answer, which is not "there is none".
pub(crate) fn look(root: &Root, project: &str) -> Seen {
    let name = project.to_owned();
    see(root, project).unwrap_or_else(|fault| Seen { name, error: told(fault), ..Seen::default() })
}

fn see(root: &Root, name: &str) -> Result<Seen, Fault> {
    let seen = Seen { name: name.to_owned(), ..Seen::default() };
    let Some(project) = Project::find(root, name)? else { return Ok(seen) };
    let versions = project.versions()?;
    Ok(Seen {
        current: project.current()?.unwrap_or_default(),
        versions: versions.into_iter().map(|it| version(&project, it)).collect(),
        ..seen
    })
}

fn version(project: &Project, name: String) -> InstalledVersion {
    match files(project, &name) {
        Ok(files) => InstalledVersion { name, files, error: String::new() },
        Err(fault) => InstalledVersion { name, files: Vec::new(), error: told(fault) },
    }
}

fn files(project: &Project, version: &str) -> Result<Vec<InstalledFile>, Fault> {
    // Removed meanwhile: nothing is there.
    let Some(rows) = note::read(project, version)? else { return Ok(Vec::new()) };
    let Some(directory) = project.version(version)? else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for row in rows {
        if note::is_there(directory.as_fd(), &row)? {
            let [digest, artifact] = [row.digest, row.artifact].map(|it| it.to_vec().into());
            files.push(InstalledFile { name: row.name, digest, artifact });
        }
    }
    Ok(files)
}

fn told(fault: Fault) -> String {
    tonic::Status::from(fault).message().to_owned()
}

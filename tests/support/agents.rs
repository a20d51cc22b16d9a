//! Agents for this machine, of a program that was built with the tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A directory with this program as the agent for this machine.
pub(crate) fn agents_made_of(program: &str) -> PathBuf {
    agents_in(tempfile::tempdir().unwrap().keep(), program)
}

/// The same, in a directory that may be missing.
pub(crate) fn agents_in(directory: PathBuf, program: &str) -> PathBuf {
    fs::create_dir_all(&directory).unwrap();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    symlink(program, directory.join(format!("ha-agent_linux_{architecture}"))).unwrap();
    directory
}

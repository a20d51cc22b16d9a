//! Agents for this machine, of a program that was built with the tests.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// A directory with this program as the agent for this machine.
pub(crate) fn agents_made_of(program: &str) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let directory = tempfile::tempdir().unwrap().keep();
    symlink(program, directory.join(format!("ha-agent_linux_{architecture}"))).unwrap();
    directory
}

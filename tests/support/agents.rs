//! A directory with one agent, as a provider looks for it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// `program` is the agent for this machine.
pub(crate) fn agents_made_of(program: &str) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let directory = tempfile::tempdir().unwrap().keep();
    symlink(program, directory.join(format!("ha-agent_linux_{architecture}"))).unwrap();
    directory
}

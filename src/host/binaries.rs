//! The agents that travel with the provider, one file for each architecture.
#![expect(clippy::disallowed_methods, reason = "reads the agents beside the program")]

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Where builds from source have them.
const VARIABLE: &str = "HA_AGENT_DIRECTORY";

/// Names of files, and the machines they are for, as `uname -m` says and as Rust does.
const FILES: [(&str, &str); 2] =
    [("ha-agent_linux_amd64", "x86_64"), ("ha-agent_linux_arm64", "aarch64")];

/// The agents that are there. Reading them takes milliseconds each: once per process is enough.
#[derive(Clone, Debug)]
pub struct Binaries(Vec<Binary>);

/// An agent for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The machine it runs on: `x86_64` or `aarch64`.
    pub machine: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// In bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
}

/// Why there are no agents.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// Neither file is there.
    #[error(
        "there is no agent in {}: `{}` and `{}` belong beside the provider, or into the directory that {VARIABLE} names",
        directory.display(), FILES[0].0, FILES[1].0
    )]
    Missing {
        /// Where they should be.
        directory: PathBuf,
    },
    /// One is there and cannot be read.
    #[error("the agent {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system does not say where this program is.
    #[error("the place of this program is not known")]
    Lost(#[source] io::Error),
}

impl Binary {
    /// All of it.
    ///
    /// # Errors
    /// It is not there any more, or cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        fs::read(&self.path)
    }
}

impl Binaries {
    /// Those in the directory that `HA_AGENT_DIRECTORY` names, else those beside the running program.
    ///
    /// # Errors
    /// As [`Binaries::beside`], or when the system does not say where this program is.
    pub fn find() -> Result<Self, BinariesError> {
        if let Some(directory) = env::var_os(VARIABLE) {
            return Self::beside(Path::new(&directory));
        }
        let program = env::current_exe().map_err(BinariesError::Lost)?;
        Self::beside(program.parent().unwrap_or(Path::new("/")))
    }

    /// Those in a directory, of which one may be missing.
    ///
    /// # Errors
    /// There is none, or one cannot be read.
    pub fn beside(directory: &Path) -> Result<Self, BinariesError> {
        let mut all = Vec::new();
        for (file, machine) in FILES {
            let path = directory.join(file);
            match fs::read(&path) {
                Ok(content) => all.push(Binary {
                    machine,
                    path,
                    size: content.len() as u64,
                    digest: hexadecimal(&Sha256::digest(&content)),
                }),
                Err(source) if source.kind() == io::ErrorKind::NotFound => (),
                Err(source) => return Err(BinariesError::Unreadable { path, source }),
            }
        }
        if all.is_empty() {
            return Err(BinariesError::Missing { directory: directory.to_owned() });
        }
        Ok(Self(all))
    }

    /// The one for that architecture, as Rust names it.
    pub fn of(&self, machine: &str) -> Option<&Binary> {
        self.0.iter().find(|it| it.machine == machine)
    }

    /// All that are there.
    pub fn all(&self) -> &[Binary] {
        &self.0
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, it| text + &format!("{it:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_known_by_architecture_size_and_digest() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Binaries::beside(directory.path()), Err(BinariesError::Missing { .. })));
        let path = directory.path().join("ha-agent_linux_amd64");
        fs::write(&path, "abc").unwrap();
        let agents = Binaries::beside(directory.path()).unwrap();
        let expected = Binary {
            machine: "x86_64",
            path,
            size: 3,
            digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned(),
        };
        assert_eq!(agents.all(), std::slice::from_ref(&expected));
        assert_eq!(agents.of("x86_64"), Some(&expected));
        assert_eq!(agents.of("aarch64"), None);
        fs::create_dir(directory.path().join("ha-agent_linux_arm64")).unwrap();
        assert!(matches!(
            Binaries::beside(directory.path()),
            Err(BinariesError::Unreadable { .. })
        ));
    }
}

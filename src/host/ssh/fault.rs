//! All that can go wrong on the way to an agent, and whether trying again may help.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::keys::ssh_key;

use super::address::AddressError;
use super::host_key::Distrust;
use crate::host::ConnectError;
use crate::host::hello::Noisy;

/// What went wrong, and with whom.
#[derive(Debug)]
pub(super) struct At {
    /// `ops@10.0.0.1`, or `bastion ops@jump:2222`.
    pub(super) hop: String,
    pub(super) fault: Box<Fault>,
}

/// What went wrong with one hop of the way. What comes from the host is `said`, cut and without control characters.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Address(#[from] AddressError),
    #[error("the known_hosts file {} cannot be read", path.display())]
    KnownHosts { path: PathBuf, source: io::Error },

    #[error("the private key {} cannot be read", path.display())]
    KeyFile { path: PathBuf, source: io::Error },
    #[error("the private key cannot be understood")]
    Key(#[source] russh::keys::Error),
    #[error("the private key is encrypted: give its `passphrase`")]
    NoPassphrase,
    #[error("the private key cannot be opened with this `passphrase`")]
    Passphrase(#[source] russh::keys::Error),
    #[error(
        "an RSA key can only be used by an ssh-agent: load it there and set `agent = true`, or use an Ed25519 key"
    )]
    RsaKey,
    #[error("the certificate {} cannot be read", path.display())]
    Certificate { path: PathBuf, source: ssh_key::Error },
    #[error("the certificate {} is not for this private key", path.display())]
    OtherCertificate { path: PathBuf },
    #[error("the ssh-agent at {} cannot be reached", socket.display())]
    AgentSocket { socket: PathBuf, source: io::Error },
    #[error("the ssh-agent does not answer as one should")]
    Agent(#[source] russh::keys::Error),
    #[error("`agent_key` is neither a public key nor a fingerprint `SHA256:…`")]
    AgentKey,
    #[error("the ssh-agent holds no key that may be used: see `ssh-add -l`")]
    AgentEmpty,

    #[error("nobody answers")]
    Dial(#[source] io::Error),
    #[error("no login within {limit:?}")]
    TimedOut { limit: Duration },
    #[error("the bastion before it cannot reach it ({0:?})")]
    Behind(ChannelOpenFailure),
    #[error("the bastion before it forwards nothing (AllowTcpForwarding in its sshd_config)")]
    NoForwarding,
    #[error("SSH failed")]
    Ssh(#[from] russh::Error),
    #[error(transparent)]
    HostKey(#[from] Distrust),
    #[error("the host ended the login{}", said(text))]
    Closed { text: String },
    #[error("the host refused to go on{}", said(text))]
    Disconnected { text: String },
    #[error("the key is not accepted for this user (the host offers: {offers}){}", said(text))]
    Denied { offers: String, text: String },
    #[error("the host accepts the key and wants more: {wants}")]
    Partial { wants: String },

    #[error("this machine has no randomness to give")]
    NoRandomness,
    #[error("the agent {} cannot be read", path.display())]
    Binary { path: PathBuf, source: io::Error },
    #[error("the host runs no commands by SSH for this user")]
    NoExec,
    #[error(
        "no word from the host within {limit:?} of the start. A login script (`.bashrc`, the shell's rc file) that reads \
         standard input does this{}",
        said(text)
    )]
    Mute { limit: Duration, text: String },
    #[error(
        "sudo says nothing for {limit:?}: it waits where a host cannot resolve its own name{}",
        said(text)
    )]
    SudoMute { limit: Duration, text: String },
    #[error("a login script prints without end")]
    Noisy(#[from] Noisy),
    #[error("the user's shell ended{status}, before anything of ours ran{}", said(text))]
    Shell { status: Status, text: String },
    #[error(
        "sudo ended{status}: the user needs root by `sudo` without a password, or `sudo_password`{}",
        said(text)
    )]
    Sudo { status: Status, text: String },
    #[error("sudo does not accept `sudo_password`")]
    SudoPassword,
    #[error("there is no agent for machines of the kind `{machine}`")]
    Machine { machine: String },
    #[error("the agent cannot be placed: {what}{}", said(text))]
    Place { what: &'static str, text: String },
    #[error("the agent cannot be placed within {limit:?}{}", said(text))]
    PlaceSlow { limit: Duration, text: String },
    #[error("the agent ended{status} at its start{}", said(text))]
    Ended { status: Status, text: String },
    #[error("the connection was lost at the start of the agent: {cause}{}", said(text))]
    Lost { cause: String, text: String },
}

/// How a program on a host ended, for texts: nothing where the host did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Status {
    #[default]
    Untold,
    Exit(u32),
    Signal(String),
}

impl Fault {
    fn is_transient(&self) -> bool {
        match self {
            Self::Dial(_)
            | Self::TimedOut { .. }
            | Self::Behind(_)
            | Self::Closed { .. }
            | Self::Lost { .. } => true,
            Self::Ssh(error) => is_loss(error),
            _ => false,
        }
    }
}

/// Whether the peer has gone away, in contrast to having said something that does not fit.
fn is_loss(error: &russh::Error) -> bool {
    use russh::Error as Ssh;
    matches!(
        error,
        Ssh::IO(_)
            | Ssh::HUP
            | Ssh::Disconnect
            | Ssh::ConnectionTimeout
            | Ssh::KeepaliveTimeout
            | Ssh::InactivityTimeout
            | Ssh::SendError
            | Ssh::RecvError
            | Ssh::Elapsed(_)
    )
}

impl From<At> for ConnectError {
    fn from(at: At) -> Self {
        let is_transient = at.fault.is_transient();
        let cause = Box::new(at);
        if is_transient { Self::Silent(cause) } else { Self::Refused(cause) }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.hop, self.fault)
    }
}

impl Error for At {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untold => Ok(()),
            Self::Exit(code) => write!(f, " with status {code}"),
            Self::Signal(name) => write!(f, " by signal {name}"),
        }
    }
}

/// What somebody said, as the end of a sentence.
pub(super) fn said(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}

/// Text of a host as it may be shown: without what a terminal would obey.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|it| !it.is_control() || matches!(it, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fault: Fault, is_transient: bool, text: &str) {
        let error = ConnectError::from(At { hop: "ops@h".to_owned(), fault: fault.into() });
        assert_eq!(error.is_transient(), is_transient, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }

    #[test]
    fn whether_trying_again_helps_is_told_apart() {
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        let text = String::new;
        check(Fault::Dial(broken()), true, "ops@h: nobody answers");
        check(Fault::TimedOut { limit: Duration::from_secs(10) }, true, "no login within 10s");
        check(Fault::Behind(ChannelOpenFailure::ConnectFailed), true, "ConnectFailed");
        check(Fault::Closed { text: "booting".to_owned() }, true, "ended the login: booting");
        check(Fault::Lost { cause: "silence".to_owned(), text: text() }, true, "silence");
        check(russh::Error::KeepaliveTimeout.into(), true, "SSH failed");
        check(broken_ssh(broken()), true, "SSH failed");
        check(russh::Error::WrongServerSig.into(), false, "SSH failed");
        check(Fault::NoForwarding, false, "forwards nothing");
        check(Fault::Denied { offers: "publickey".to_owned(), text: text() }, false, "publickey)");
        check(Fault::SudoPassword, false, "sudo_password");
        check(
            Fault::Sudo { status: Status::Exit(1), text: text() },
            false,
            "sudo ended with status 1: ",
        );
        check(Fault::Noisy(Noisy), false, "without end");
        check(AddressError::User("-l".to_owned()).into(), false, "is no user");
    }

    fn broken_ssh(error: io::Error) -> Fault {
        russh::Error::from(error).into()
    }

    #[test]
    fn a_text_goes_on_with_its_causes() {
        let error =
            At { hop: "h".to_owned(), fault: Box::new(russh::Error::WrongServerSig.into()) };
        assert_eq!(error.source().unwrap().to_string(), "Wrong server signature");
    }

    #[test]
    fn what_a_host_says_is_harmless_to_a_terminal() {
        assert_eq!(printable(b"\x1b[31mred\x07\r\n\tb\xff"), "[31mred\n\tb\u{fffd}");
    }
}

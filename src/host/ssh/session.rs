//! From hop to hop: each is reached through the one before, verified, and logged in to.
#![expect(clippy::disallowed_methods, reason = "reads known_hosts, and the clock for certificates")]

use std::borrow::Cow;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::client::{Config, DisconnectReason, Handle, Handler, Msg, connect_stream};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelOpenFailure, ChannelStream, Preferred, cipher, compression};
use tokio::time::timeout;

use super::address::{self, AddressError};
use super::authenticate::{self, Credentials};
use super::fault::{At, Fault, printable};
use super::host_key::{Distrust, Trust};
use super::known_hosts::{Key, KnownHosts, Name};
use super::wire::{Leash, Leashed, Prompt};
use super::{Connection, Target};
use crate::host::Stream;

/// A peer that says nothing is asked after this long, and given up after the third question: 12 s.
const KEEPALIVE: Duration = Duration::from_secs(4);
const QUESTIONS: usize = 2;
/// While a write hangs nothing is asked. Answers to questions count as activity, so only a dead peer is that quiet.
const INACTIVITY: Duration = Duration::from_secs(14);
/// Messages of a channel that wait to be read; each has at most 32 KiB.
const BUFFERED: usize = 64;
/// The most of a banner that is kept.
const BANNER: usize = 1024;

/// The hops of a way.
pub(super) struct Way<'a> {
    bastions: Vec<Hop<'a>>,
    last: Hop<'a>,
}

/// One hop, valid to use.
struct Hop<'a> {
    /// For texts.
    label: String,
    host: &'a str,
    port: u16,
    user: &'a str,
    pin: Option<Key>,
    connection: &'a Connection,
}

/// A session with somebody who was verified and has let us in. It ends when this is dropped.
pub(super) struct Session {
    pub(super) handle: Handle<Verifier>,
    pub(super) seen: Arc<Seen>,
    /// The key that the peer has proved to have.
    pub(super) host_key: String,
    _leash: Leash,
}

/// What a session has seen of its peer.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Observed>);

#[derive(Debug, Default)]
struct Observed {
    key: Option<Key>,
    banner: String,
    end: Option<End>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer gave a reason.
    Told(String),
    /// It is gone, or something broke.
    Broken(String),
}

impl<'a> Way<'a> {
    /// Checks what the user wrote; nothing is sent yet.
    pub(super) fn to(target: &'a Target) -> Result<Self, At> {
        let bastions = target.connection.bastions.iter().map(|it| {
            Hop::to(
                "bastion ",
                &it.address,
                it.port,
                &it.user,
                it.host_key.as_deref(),
                &it.connection,
            )
        });
        let bastions = bastions.collect::<Result<_, _>>()?;
        let pin = target.host_key.as_deref();
        let last =
            Hop::to("", &target.address, target.port, &target.user, pin, &target.connection)?;
        Ok(Self { bastions, last })
    }

    /// Goes all the way; the session with the target, and the keys that the bastions have proved.
    pub(super) async fn go(&self) -> Result<(Session, Vec<String>), At> {
        let (mut keys, mut before) = (Vec::new(), None);
        for hop in &self.bastions {
            let session = hop.enter(before.take()).await.map_err(|it| hop.failed(it))?;
            keys.push(session.host_key.clone());
            before = Some(session);
        }
        let session = self.last.enter(before).await.map_err(|it| self.failed(it))?;
        Ok((session, keys))
    }

    /// What happened at the target.
    pub(super) fn failed(&self, fault: Fault) -> At {
        self.last.failed(fault)
    }
}

impl<'a> Hop<'a> {
    fn to(
        kind: &str,
        address: &'a str,
        port: u16,
        user: &'a str,
        pin: Option<&str>,
        connection: &'a Connection,
    ) -> Result<Self, At> {
        // Not yet known to be printable as it is.
        let label = format!("{kind}{}@{}", user.escape_debug(), address.escape_debug());
        let checked = || {
            let pin = pin.map(|it| Key::parse(it).ok_or(AddressError::Pin)).transpose()?;
            Ok((address::address(address)?, address::user(user)?, pin))
        };
        match checked() {
            Ok((host, user, pin)) => Ok(Self { label, host, port, user, pin, connection }),
            Err(fault) => Err(At { hop: label, fault: Box::new(Fault::Address(fault)) }),
        }
    }

    fn failed(&self, fault: Fault) -> At {
        At { hop: self.label.clone(), fault: Box::new(fault) }
    }

    async fn enter(&self, before: Option<Session>) -> Result<Session, Fault> {
        let trust = self.trust()?;
        // Opening an encrypted key takes a moment by design, which is not the host's.
        let credentials = Credentials::load(self.connection).await?;
        let limit = self.connection.connect_timeout;
        timeout(limit, async {
            let (stream, leash) = match before {
                None => {
                    let tcp = Prompt::dial(self.host, self.port).await.map_err(Fault::Dial)?;
                    let (stream, leash) = Leashed::new(tcp, ());
                    (Box::new(stream) as Box<dyn Stream>, leash)
                }
                Some(before) => {
                    let channel = before.channel_to(self).await?;
                    let (stream, leash) = Leashed::new(channel, before);
                    (Box::new(stream) as Box<dyn Stream>, leash)
                }
            };
            self.log_in(stream, leash, trust, &credentials).await
        })
        .await
        .unwrap_or(Err(Fault::TimedOut { limit }))
    }

    fn trust(&self) -> Result<Trust, Fault> {
        let file = self.connection.known_hosts_file.clone();
        let text = match fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(Fault::KnownHosts { path: file, source }),
        };
        Ok(Trust {
            name: Name::new(self.host, self.port),
            pin: self.pin.clone(),
            known: KnownHosts::parse(&String::from_utf8_lossy(&text)),
            file,
            policy: self.connection.host_key_policy,
        })
    }

    async fn log_in(
        &self,
        stream: Box<dyn Stream>,
        leash: Leash,
        trust: Trust,
        credentials: &Credentials,
    ) -> Result<Session, Fault> {
        let seen = Arc::new(Seen::default());
        let config = Arc::new(config(&trust));
        let verifier = Verifier { trust, seen: Arc::clone(&seen) };
        let handle = connect_stream(config, stream, verifier).await.map_err(Stop::into_fault)?;
        let host_key = seen.look(|it| it.key.as_ref().map(Key::text)).unwrap_or_default();
        let mut session = Session { handle, seen, host_key, _leash: leash };
        authenticate::authenticate(&mut session, self.user, credentials).await?;
        Ok(session)
    }
}

impl Session {
    async fn channel_to(&self, next: &Hop<'_>) -> Result<ChannelStream<Msg>, Fault> {
        let (host, port) = (next.host, next.port.into());
        match self.handle.channel_open_direct_tcpip(host, port, "127.0.0.1", 0).await {
            Ok(channel) => Ok(channel.into_stream()),
            Err(russh::Error::ChannelOpenFailure(
                ChannelOpenFailure::AdministrativelyProhibited,
            )) => Err(Fault::NoForwarding),
            Err(russh::Error::ChannelOpenFailure(failure)) => Err(Fault::Behind(failure)),
            Err(error) => Err(error.into()),
        }
    }
}

fn config(trust: &Trust) -> Config {
    let preferred = Preferred {
        // AES-GCM has hardware in every server CPU: 290 MiB/s against 225 with ChaCha20 in our measurements.
        cipher: Cow::Borrowed(&[
            cipher::AES_256_GCM,
            cipher::AES_128_GCM,
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_CTR,
            cipher::AES_192_CTR,
            cipher::AES_128_CTR,
        ]),
        compression: Cow::Borrowed(&[compression::NONE]),
        ..Preferred::DEFAULT
    };
    Config {
        preferred: trust.ask(preferred),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: QUESTIONS,
        inactivity_timeout: Some(INACTIVITY),
        channel_buffer_size: BUFFERED,
        ..Config::default()
    }
}

/// Judges the peer's key, and notes what else there is to see.
pub(super) struct Verifier {
    trust: Trust,
    seen: Arc<Seen>,
}

/// Why a session was not begun, or ended.
#[derive(Debug)]
pub(super) enum Stop {
    HostKey(Distrust),
    Ssh(russh::Error),
}

impl Stop {
    fn into_fault(self) -> Fault {
        match self {
            Self::HostKey(distrust) => distrust.into(),
            Self::Ssh(error) => error.into(),
        }
    }
}

impl From<russh::Error> for Stop {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Handler for Verifier {
    type Error = Stop;

    async fn check_server_key(&mut self, proved: &PublicKeyOrCertificate) -> Result<bool, Stop> {
        // A clock before 1970 makes every certificate invalid, which is right.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let key = self.trust.judge(proved, now).map_err(Stop::HostKey)?;
        self.seen.note(|it| it.key = Some(key));
        Ok(true)
    }

    async fn auth_banner(
        &mut self,
        banner: &str,
        _: &mut russh::client::Session,
    ) -> Result<(), Stop> {
        let text = printable(banner.as_bytes());
        self.seen.note(|it| it.banner = text.chars().take(BANNER).collect());
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Stop>) -> Result<(), Stop> {
        let end = match reason {
            DisconnectReason::ReceivedDisconnect(told) => {
                End::Told(printable(told.message.as_bytes()))
            }
            DisconnectReason::Error(Stop::Ssh(russh::Error::NoAuthMethod)) => {
                End::Told("it offers no way to log in".to_owned())
            }
            DisconnectReason::Error(Stop::Ssh(error)) => End::Broken(error.to_string()),
            DisconnectReason::Error(Stop::HostKey(distrust)) => End::Broken(distrust.to_string()),
        };
        self.seen.note(|it| it.end = Some(end));
        Ok(())
    }
}

impl Seen {
    fn note(&self, change: impl FnOnce(&mut Observed)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn look<T>(&self, at: impl FnOnce(&Observed) -> T) -> T {
        at(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the peer had to say before the login.
    pub(super) fn banner(&self) -> String {
        self.look(|it| it.banner.clone())
    }

    /// How the session ended, if that was seen.
    pub(super) fn end(&self) -> Option<End> {
        self.look(|it| it.end.clone())
    }

    /// Why a session that has ended did so. A session through a bastion may end without a word.
    pub(super) fn cause(&self) -> String {
        match self.end() {
            Some(End::Told(cause) | End::Broken(cause)) => cause,
            None => "the way to the host is gone".to_owned(),
        }
    }
}

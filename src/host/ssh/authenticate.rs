//! Proves to a host who we are, by a key and nothing else: no password, and no agent is forwarded.
#![expect(
    clippy::disallowed_methods,
    reason = "reads keys and certificates, speaks to an ssh-agent"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::AuthResult;
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    Algorithm, Certificate, Error as KeyError, HashAlg, PrivateKey, PrivateKeyWithHashAlg,
    decode_secret_key,
};
use russh::{AgentAuthError, MethodSet, Signer};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;

use super::fault::Fault;
use super::known_hosts::Key as PublicKey;
use super::session::{End, Session};
use super::{Connection, Key};

/// The object identifier of RSA keys in PKCS #8, RFC 8017.
const RSA: &str = "1.2.840.113549.1.1.1";

/// What is needed to log in, read from where it is.
pub(super) enum Credentials {
    Pair { key: Arc<PrivateKey>, certificate: Option<Certificate> },
    Agent { socket: PathBuf, only: Option<Only>, certificate: Option<Certificate> },
}

/// The one key of an ssh-agent to use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Only {
    Key(PublicKey),
    /// `SHA256:…`
    Fingerprint(String),
}

impl Credentials {
    /// Reads and opens the key, which for an encrypted one takes a good part of a second.
    pub(super) async fn load(connection: &Connection) -> Result<Self, Fault> {
        let certificate = connection.certificate_file.as_deref().map(certificate).transpose()?;
        let text = match &connection.key {
            Key::Text(text) => text.clone(),
            Key::File(path) => fs::read_to_string(path)
                .map_err(|source| Fault::KeyFile { path: path.clone(), source })?
                .into(),
            Key::Agent { socket, key } => {
                let only = key.as_deref().map(Only::parse).transpose()?;
                return Ok(Self::Agent { socket: socket.clone(), only, certificate });
            }
        };
        let passphrase = connection.passphrase.clone();
        let opened = spawn_blocking(move || private_key(&text, passphrase.as_ref())).await;
        let key = opened.unwrap_or(Err(Fault::Key(KeyError::CouldNotReadKey)))?;
        match (&certificate, &connection.certificate_file) {
            (Some(it), Some(path)) if it.public_key() != key.public_key().key_data() => {
                Err(Fault::OtherCertificate { path: path.clone() })
            }
            _ => Ok(Self::Pair { key: Arc::new(key), certificate }),
        }
    }
}

fn certificate(path: &Path) -> Result<Certificate, Fault> {
    Certificate::read_file(path)
        .map_err(|source| Fault::Certificate { path: path.to_owned(), source })
}

fn private_key(
    text: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<PrivateKey, Fault> {
    let passphrase = passphrase.map(ExposeSecret::expose_secret);
    match decode_secret_key(text.expose_secret(), passphrase) {
        Ok(key) if key.algorithm().is_rsa() => Err(Fault::RsaKey),
        Ok(key) => Ok(key),
        Err(KeyError::UnsupportedKeyType { key_type_string, .. }) if key_type_string == "RSA" => {
            Err(Fault::RsaKey)
        }
        Err(KeyError::UnknownAlgorithm(kind)) if kind.to_string() == RSA => Err(Fault::RsaKey),
        Err(KeyError::KeyIsEncrypted) => Err(Fault::NoPassphrase),
        Err(error) if passphrase.is_some() => Err(Fault::Passphrase(error)),
        Err(error) => Err(Fault::Key(error)),
    }
}

impl Only {
    fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with("SHA256:") && !text.contains(char::is_whitespace) {
            return Ok(Self::Fingerprint(text.to_owned()));
        }
        PublicKey::parse(text).map(Self::Key).ok_or(Fault::AgentKey)
    }

    fn allows(&self, identity: &AgentIdentity) -> bool {
        let key = identity.public_key();
        match self {
            Self::Key(only) => {
                key.to_bytes().ok().and_then(PublicKey::from_blob).as_ref() == Some(only)
            }
            Self::Fingerprint(only) => key.fingerprint(HashAlg::Sha256).to_string() == *only,
        }
    }
}

/// Logs in.
pub(super) async fn authenticate(
    session: &mut Session,
    user: &str,
    credentials: &Credentials,
) -> Result<(), Fault> {
    match credentials {
        Credentials::Pair { key, certificate: Some(certificate) } => {
            let (key, certificate) = (Arc::clone(key), certificate.clone());
            let answer = session.handle.authenticate_openssh_cert(user, key, certificate).await?;
            judge(session, answer)
        }
        Credentials::Pair { key, certificate: None } => {
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), None);
            let answer = session.handle.authenticate_publickey(user, key).await?;
            judge(session, answer)
        }
        Credentials::Agent { socket, only, certificate } => {
            by_agent(session, user, socket, only.as_ref(), certificate.as_ref()).await
        }
    }
}

async fn by_agent(
    session: &mut Session,
    user: &str,
    socket: &Path,
    only: Option<&Only>,
    certificate: Option<&Certificate>,
) -> Result<(), Fault> {
    let failed = |source| Fault::AgentSocket { socket: socket.to_owned(), source };
    let mut agent = AgentClient::connect(UnixStream::connect(socket).await.map_err(failed)?);
    if let Some(binding) = session.handle.agent_session_binding() {
        // Some agents release keys for a proven destination only; others do not know of it.
        let _ = agent.bind_session(binding, false).await;
    }
    let mut identities = agent.request_identities().await.map_err(Fault::Agent)?;
    identities.retain(|it| {
        only.is_none_or(|only| only.allows(it))
            && certificate.is_none_or(|of| {
                matches!(it, AgentIdentity::PublicKey { key, .. } if key.key_data() == of.public_key())
            })
    });
    let mut answer = Err(Fault::AgentEmpty);
    for identity in identities {
        let hash = hash(session, &identity.public_key().algorithm()).await?;
        let mut signer = Plain(&mut agent);
        let tried = match (identity, certificate) {
            (AgentIdentity::PublicKey { .. }, Some(of)) => {
                let of = of.clone();
                session.handle.authenticate_certificate_with(user, of, hash, &mut signer).await
            }
            (AgentIdentity::PublicKey { key, .. }, None) => {
                session.handle.authenticate_publickey_with(user, key, hash, &mut signer).await
            }
            (AgentIdentity::Certificate { certificate, .. }, _) => {
                let agent = signer.0;
                session.handle.authenticate_certificate_with(user, certificate, hash, agent).await
            }
        };
        answer = match tried {
            Ok(answer) => judge(session, answer),
            // Declined by its owner, or locked: there may be another key.
            Err(AgentAuthError::Key(error)) => Err(Fault::Agent(error)),
            Err(AgentAuthError::Send(_)) => Err(ended(session)),
        };
        if answer.is_ok() || session.handle.is_closed() {
            break;
        }
    }
    answer
}

/// The best hash for a signature by RSA; other kinds have theirs.
async fn hash(session: &Session, algorithm: &Algorithm) -> Result<Option<HashAlg>, Fault> {
    if !algorithm.clone().is_rsa() {
        return Ok(None);
    }
    Ok(session.handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha512)))
}

/// Signs for a certificate with the key alone: an ssh-agent that was not given the certificate does not know it.
struct Plain<'a>(&'a mut AgentClient<UnixStream>);

impl Signer for Plain<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        identity: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, AgentAuthError> {
        let key = AgentIdentity::from(identity.public_key().into_owned());
        Ok(self.0.sign_request(&key, hash, data).await?)
    }
}

fn judge(session: &Session, answer: AuthResult) -> Result<(), Fault> {
    let (offers, partial) = match answer {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { remaining_methods, partial_success } => {
            (names(&remaining_methods), partial_success)
        }
    };
    if partial {
        return Err(Fault::Partial { wants: offers });
    }
    // The library tells a lost session as a failure without methods.
    if offers.is_empty() && session.handle.is_closed() {
        return Err(ended(session));
    }
    Err(Fault::Denied { offers, text: session.seen.banner() })
}

fn names(methods: &MethodSet) -> String {
    methods.iter().map(Into::<&'static str>::into).collect::<Vec<&str>>().join(", ")
}

/// Why the session ended in the middle of the login. A host that boots says so in its banner, and closes.
fn ended(session: &Session) -> Fault {
    match session.seen.end() {
        Some(End::Told(text)) => Fault::Disconnected { text },
        Some(End::Broken(text)) => Fault::Closed { text: [session.seen.banner(), text].join(" ") },
        None => Fault::Closed { text: session.seen.banner() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINlYVhx+CToGrQJH4H/XBXtQ+YOdZnMNrrCt9F8nOzjy";

    fn identity() -> AgentIdentity {
        russh::keys::PublicKey::from_openssh(KEY).unwrap().into()
    }

    #[test]
    fn a_key_of_an_agent_is_named_by_itself_or_its_fingerprint() {
        let fingerprint = "SHA256:oJxdnL5PKxYvu2WHB82ZkZndw4CO3WNM1a3Qo5amM/g";
        for text in [KEY, &format!("{KEY} me@desk\n"), fingerprint] {
            assert!(Only::parse(text).unwrap().allows(&identity()), "{text}");
        }
        for text in [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE43RZBLLyT/6L1e5n2V1OYocWF3OrACecPNqfke9+Bg",
            "SHA256:abc",
        ] {
            assert!(!Only::parse(text).unwrap().allows(&identity()), "{text}");
        }
        for text in ["", "SHA256: abc", "MD5:00:11", "id_ed25519"] {
            assert!(matches!(Only::parse(text), Err(Fault::AgentKey)), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused_without_being_shown() {
        for text in ["", "secret-text", "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret-text\n"] {
            for passphrase in [None, Some(SecretString::from("secret-phrase"))] {
                let fault = private_key(&text.into(), passphrase.as_ref()).unwrap_err();
                let shown = format!("{fault} {fault:?}");
                assert!(!shown.contains("secret"), "{shown}");
            }
        }
        let rsa = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert!(matches!(private_key(&rsa.into(), None), Err(Fault::RsaKey)));
    }
}

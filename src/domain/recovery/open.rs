//! From a bundle to what is in it, with the private half of one of its recipients.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hmac;
use bech32::Hrp;

use super::header::{
    COLUMNS, END, KIND, STANZA, VERSION, content, unarmor, unbase64, vouching, wrapping,
};
use super::recipient::decode;
use super::{Bundle, FileKey, Recipient};

const BEGIN: Hrp = Hrp::parse_unchecked("age-secret-key-");

/// The private half of a recipient: `AGE-SECRET-KEY-1…`.
pub struct Identity {
    key: PrivateKey,
    public: [u8; 32],
}

/// Why a bundle stays closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenFault {
    /// The identity is another kind of text, or has a typing error.
    #[error(
        "the identity is no private key of age such as `age-keygen` prints, `AGE-SECRET-KEY-1…`"
    )]
    Identity,
    /// It is something else, or was cut.
    #[error("it is no bundle: a text from `-----BEGIN AGE ENCRYPTED FILE-----` to its END")]
    Malformed,
    /// It is for others.
    #[error("it is not encrypted to this identity")]
    OtherRecipients,
    /// It is for this identity, and was changed since.
    #[error("it is damaged")]
    Damaged,
    /// It is a file of age with something else in it.
    #[error("there is something else in it than a recovery bundle of this version")]
    OtherContent,
}

impl FromStr for Identity {
    type Err = OpenFault;

    /// Takes a file of `age-keygen` as well, whose other lines are comments.
    fn from_str(text: &str) -> Result<Self, OpenFault> {
        let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
        let line = lines.find(|it| !it.starts_with('#')).ok_or(OpenFault::Identity)?;
        decode(line, BEGIN).and_then(Self::of).ok_or(OpenFault::Identity)
    }
}

impl Identity {
    /// With this secret. None: it is no key.
    pub fn of(secret: [u8; 32]) -> Option<Self> {
        let key = PrivateKey::from_private_key(&X25519, &secret).ok()?;
        let public = key.compute_public_key().ok()?.as_ref().try_into().ok()?;
        Some(Self { key, public })
    }

    /// Its public half.
    pub fn recipient(&self) -> Recipient {
        Recipient::of(self.public)
    }

    /// What X25519 makes of the two. None: the other is no key.
    pub fn agree(&self, other: &[u8; 32]) -> Option<Vec<u8>> {
        let other = UnparsedPublicKey::new(&X25519, other);
        agree(&self.key, other, (), |it| Ok(it.to_vec())).ok()
    }

    /// The file key, where the stanza is for us.
    fn unwrap(&self, stanza: &Stanza<'_>) -> Option<FileKey> {
        let [KIND, public] = stanza.words[..] else { return None };
        let public: [u8; 32] = unbase64(public)?.try_into().ok()?;
        let cipher = wrapping(&self.agree(&public)?, &public, &self.public).ok()?;
        cipher.open(&unbase64(&stanza.body)?).ok()?.try_into().ok()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// For one recipient of any kind.
struct Stanza<'a> {
    words: Vec<&'a str>,
    body: String,
}

/// What is in a bundle.
///
/// # Errors
/// It is for others, or not what it was when it was made.
pub fn open(text: &str, identity: &Identity) -> Result<Bundle, OpenFault> {
    let bytes = unarmor(text).ok_or(OpenFault::Malformed)?;
    let (stanzas, header, code, rest) = split(&bytes).ok_or(OpenFault::Malformed)?;
    let key = stanzas.iter().find_map(|it| identity.unwrap(it));
    let key = key.ok_or(OpenFault::OtherRecipients)?;
    let vouching = vouching(&key).map_err(|_| OpenFault::Damaged)?;
    hmac::verify(&vouching, header, &code).map_err(|_| OpenFault::Damaged)?;
    let (nonce, sealed) = rest.split_first_chunk().ok_or(OpenFault::Damaged)?;
    let plain = content(&key, nonce).and_then(|it| it.open(sealed));
    let plain = plain.map_err(|_| OpenFault::Damaged)?;
    Bundle::parse(&plain).ok_or(OpenFault::OtherContent)
}

/// Stanzas, the header that is vouched for, the code that does so, and the rest.
type Split<'a> = (Vec<Stanza<'a>>, &'a [u8], Vec<u8>, &'a [u8]);

fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let mut at = 0;
    let mut line = || {
        let rest = bytes.get(at..)?;
        let end = rest.iter().position(|it| *it == b'\n')?;
        let begin = at;
        at += end + 1;
        Some((begin, at, std::str::from_utf8(&rest[..end]).ok()?))
    };
    if line()?.2 != VERSION {
        return None;
    }
    let mut stanzas = Vec::new();
    loop {
        let (begin, after, text) = line()?;
        if let Some(code) = text.strip_prefix(END) {
            let header = bytes.get(..begin + END.len())?;
            return Some((
                stanzas,
                header,
                unbase64(code.strip_prefix(' ')?)?,
                bytes.get(after..)?,
            ));
        }
        let words = text.strip_prefix(STANZA)?.split(' ').collect();
        let mut body = String::new();
        loop {
            let (_, _, text) = line()?;
            body.push_str(text);
            // A shorter line, be it an empty one, is the last.
            if text.len() < COLUMNS {
                break;
            }
        }
        stanzas.push(Stanza { words, body });
    }
}

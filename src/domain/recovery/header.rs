//! What stands before the content of a file of age, and the keys that follow from its file key.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};

use super::FileKey;
use super::crypto::{aead, hkdf, hmac};

/// The first line.
pub(super) const VERSION: &str = "age-encryption.org/v1";
/// Before each stanza.
pub(super) const STANZA: &str = "-> ";
/// Before the code of the header.
pub(super) const END: &str = "---";
/// The kind of stanza for a [`super::Recipient`].
pub(super) const KIND: &str = "X25519";
const BEGIN_ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END_ARMOR: &str = "-----END AGE ENCRYPTED FILE-----";
/// Signs of a line of a body or of the armour.
pub(super) const COLUMNS: usize = 64;

/// More is more than one chunk. A bundle has some 5 KiB.
pub(super) const MOST: usize = 64 << 10;
/// The first chunk, which is the last as well.
const ONLY_CHUNK: [u8; aead::NONCE_LEN] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// A cipher did not do its work. It does not say why.
#[derive(Debug)]
pub(super) struct Broken;

/// 32 bytes that follow from a secret.
pub(super) fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Result<[u8; 32], Broken> {
    let (mut derived, info) = ([0; 32], [info]);
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let expanded = secret.expand(&info, hkdf::HKDF_SHA256).map_err(|_| Broken)?;
    expanded.fill(&mut derived).map_err(|_| Broken)?;
    Ok(derived)
}

/// What a file key is wrapped with, from the secret that two halves share.
pub(super) fn wrapping(
    secret: &[u8],
    ours: &[u8; 32],
    theirs: &[u8; 32],
) -> Result<Cipher, Broken> {
    let salt = [&ours[..], theirs].concat();
    derive(secret, &salt, b"age-encryption.org/v1/X25519").and_then(|it| {
        // Each such key is used once.
        Cipher::new(&it, [0; aead::NONCE_LEN])
    })
}

/// For the content after this nonce.
pub(super) fn content(key: &FileKey, nonce: &[u8; 16]) -> Result<Cipher, Broken> {
    Cipher::new(&derive(key, nonce, b"payload")?, ONLY_CHUNK)
}

/// The key that vouches for a header.
pub(super) fn vouching(key: &FileKey) -> Result<hmac::Key, Broken> {
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &derive(key, &[], b"header")?))
}

/// One key with its one nonce.
pub(super) struct Cipher(aead::LessSafeKey, [u8; aead::NONCE_LEN]);

impl Cipher {
    fn new(key: &[u8; 32], nonce: [u8; aead::NONCE_LEN]) -> Result<Self, Broken> {
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key).map_err(|_| Broken)?;
        Ok(Self(aead::LessSafeKey::new(key), nonce))
    }

    pub(super) fn seal(self, content: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, mut sealed) = (aead::Nonce::assume_unique_for_key(self.1), content.to_vec());
        let done = self.0.seal_in_place_append_tag(nonce, aead::Aad::empty(), &mut sealed);
        done.map(|()| sealed).map_err(|_| Broken)
    }

    #[cfg(feature = "provider")]
    pub(super) fn open(self, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (nonce, mut content) = (aead::Nonce::assume_unique_for_key(self.1), sealed.to_vec());
        let opened = self.0.open_in_place(nonce, aead::Aad::empty(), &mut content);
        opened.map(|it| it.to_vec()).map_err(|_| Broken)
    }
}

pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

/// In lines for people and their mail.
pub(super) fn armor(bytes: &[u8]) -> String {
    let mut text = format!("{BEGIN_ARMOR}\n");
    for (at, sign) in BASE64_STANDARD.encode(bytes).chars().enumerate() {
        if at != 0 && at.is_multiple_of(COLUMNS) {
            text.push('\n');
        }
        text.push(sign);
    }
    text + "\n" + END_ARMOR + "\n"
}

/// None: it is no armour.
#[cfg(feature = "provider")]
pub(super) fn unarmor(text: &str) -> Option<Vec<u8>> {
    let inner = text.trim().strip_prefix(BEGIN_ARMOR)?.strip_suffix(END_ARMOR)?;
    let signs: String = inner.split_whitespace().collect();
    BASE64_STANDARD.decode(signs).ok()
}

/// None: it is not as age writes it.
#[cfg(feature = "provider")]
pub(super) fn unbase64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD_NO_PAD.decode(text).ok()
}

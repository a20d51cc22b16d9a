//! From keys to a bundle that its recipients alone can read.

use super::crypto::hmac;
use super::header::{
    Broken, COLUMNS, END, KIND, MOST, STANZA, VERSION, armor, base64, content, vouching, wrapping,
};
use super::{FileKey, Recipient};

/// What a recipient and a fresh key, of which nobody keeps the private half, have in common.
pub struct Share {
    to: Recipient,
    public: [u8; 32],
    secret: Vec<u8>,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealFault {
    /// Nobody could open it.
    #[error("there is no recipient")]
    Nobody,
    /// It would have to be cut.
    #[error("{0} bytes are more than fit into a bundle")]
    Large(usize),
    /// It does not say why.
    #[error("the cipher refuses")]
    Cipher,
}

impl Share {
    /// `secret` is what X25519 makes of the fresh key and the recipient, `public` the public half of that key.
    pub fn new(to: Recipient, public: [u8; 32], secret: &[u8]) -> Self {
        Self { to, public, secret: secret.to_vec() }
    }
}

/// A file of age for all of these. The key and the nonce are random, and for this content alone.
///
/// # Errors
/// Nobody is to read it, or it is too large.
pub fn seal(
    plain: &[u8],
    key: &FileKey,
    nonce: &[u8; 16],
    shares: &[Share],
) -> Result<String, SealFault> {
    if shares.is_empty() {
        return Err(SealFault::Nobody);
    }
    if MOST < plain.len() {
        return Err(SealFault::Large(plain.len()));
    }
    sealed(plain, key, nonce, shares).map_err(|Broken| SealFault::Cipher)
}

fn sealed(
    plain: &[u8],
    key: &FileKey,
    nonce: &[u8; 16],
    shares: &[Share],
) -> Result<String, Broken> {
    let mut header = format!("{VERSION}\n");
    for Share { to, public, secret } in shares {
        let body = base64(&wrapping(secret, public, to.bytes())?.seal(key)?);
        // 32 bytes are less than a line.
        debug_assert!(body.len() < COLUMNS);
        header = header + STANZA + KIND + " " + &base64(public) + "\n" + &body + "\n";
    }
    header.push_str(END);
    let code = hmac::sign(&vouching(key)?, header.as_bytes());
    header = header + " " + &base64(code.as_ref()) + "\n";
    let content = content(key, nonce)?.seal(plain)?;
    Ok(armor(&[header.as_bytes(), nonce, &content].concat()))
}

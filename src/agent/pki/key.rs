//! Private keys.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustix::fs::Mode;

use super::{failed, public_digest};
use crate::agent::fault::Fault;
use crate::agent::files::look;
use crate::agent::files::owner::Owner;
use crate::agent::files::put::{self, Wanted};
use crate::agent::place::{HostPath, Place, Root};
use crate::proto::agent::Key;
use crate::proto::agent::key::Kind;

/// A key has some 250 bytes.
const MOST_BYTES: u64 = 64 << 10;

pub(super) fn generate() -> Result<KeyPair, Fault> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed("make a key"))
}

/// The key at a place. None when nothing is there.
pub(super) fn find(place: &Place) -> Result<Option<KeyPair>, Fault> {
    let (seen, content) = look::read(place, MOST_BYTES)?;
    if seen.kind() == crate::proto::agent::file::Kind::Absent {
        return Ok(None);
    }
    // Why it is none could repeat a part of it.
    let text = std::str::from_utf8(&content).ok();
    let key =
        text.and_then(|it| KeyPair::from_pkcs8_pem_and_sign_algo(it, &PKCS_ECDSA_P256_SHA256).ok());
    key.map(Some).ok_or_else(|| {
        let path = place.path();
        Fault::Refused(format!("{path} is no private key, ECDSA P-256 in PKCS#8 PEM"))
    })
}

/// True when it was not there, or had another mode or owner.
pub(super) fn put(place: &Place, key: &KeyPair, owner: Owner) -> Result<bool, Fault> {
    let content = key.serialize_pem();
    let mode = Mode::RUSR | Mode::WUSR;
    put::put(place, Wanted { content: content.as_bytes(), mode, owner })
}

/// What is seen from outside. A fault becomes "unseen", which is not "absent".
pub(in crate::agent) fn describe(root: &Root, path: &[u8]) -> Key {
    let found = HostPath::parse(path)
        .and_then(|it| root.find(&it)?.as_ref().map(find).transpose().map(Option::flatten));
    let key = Key { path: path.to_vec().into(), ..Key::default() };
    match found {
        Ok(None) => Key { kind: Kind::Absent.into(), ..key },
        Ok(Some(it)) => Key { kind: Kind::Key.into(), public_key: public_digest(&it), ..key },
        Err(fault) => Key { error: tonic::Status::from(fault).message().to_owned(), ..key },
    }
}

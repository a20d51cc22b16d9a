//! Signatures of messages (TSIG, RFC 8945). Pure: the time comes in as an argument.
//!
//! The library has this too, but without SHA-1 and MD5, and without telling why it does not accept an answer.

use hickory_proto::ProtoError;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::TSIG;
use hickory_proto::rr::rdata::tsig::{make_tsig_record, message_tbs, signed_bitmessage_to_buf};

use super::Key;

/// How far the clocks of both sides may be apart, in seconds (RFC 8945, section 10).
const FUDGE: u16 = 300;

/// The message in bytes with its signature, and the signature alone, which that of the answer follows from.
///
/// # Errors
/// The message is too long.
pub(super) fn sign(
    message: &mut Message,
    key: &Key,
    now: u64,
) -> Result<(Vec<u8>, Vec<u8>), ProtoError> {
    let algorithm = key.algorithm.in_messages();
    let tsig = TSIG::new(algorithm, now, FUDGE, Vec::new(), message.id, None, Vec::new());
    let signed = message_tbs(message, &tsig, &key.name)?;
    let mac = key.sign(&signed).map_err(|_| "the key cannot be used")?;
    message.set_signature(Box::new(make_tsig_record(key.name.clone(), tsig.set_mac(mac.clone()))));
    Ok((message.to_vec()?, mac))
}

/// Whether the answer in `bytes` was signed with the key, as the answer to the message with this signature.
pub(super) fn is_signed(bytes: &[u8], key: &Key, request: &[u8]) -> bool {
    // The library takes a message apart for its signature only if it is one, with the signature as its last record:
    // of anything else it asserts that it does not exist.
    if !Message::from_vec(bytes).is_ok_and(|it| it.signature().is_some()) {
        return false;
    }
    let Ok((signed, record)) = signed_bitmessage_to_buf(bytes, Some(request), true) else {
        return false;
    };
    let tsig = &record.data;
    let is_of_key = record.name.eq_ignore_root(&key.name)
        && tsig.algorithm.to_name().eq_ignore_root(&key.algorithm.in_messages().to_name());
    is_of_key && key.verifies(&signed, &tsig.mac)
}

/// Whether it was signed now, by both clocks.
pub(super) fn is_fresh(tsig: &TSIG, now: u64) -> bool {
    tsig.time.abs_diff(now) <= u64::from(tsig.fudge.min(FUDGE))
}

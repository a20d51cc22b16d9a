//! Names that nothing else has.

use rustls::crypto::aws_lc_rs;

/// A random UUID (version 4 of RFC 9562).
///
/// # Errors
/// The system has no randomness, in words.
pub fn random_id() -> Result<String, String> {
    let mut bytes = [0_u8; 16];
    let random = aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_the_form_of_a_uuid() {
        let [one, other] = [(); 2].map(|()| random_id().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), &one[14..15]), (36, "4"));
        assert!("89ab".contains(&one[19..20]), "{one}");
    }
}

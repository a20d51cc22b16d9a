//! What holds for every value, and for bytes that are none.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::arbitrary::{typed, types};
use super::{decode, decode_state, encode};
use crate::proto::tfplugin6::DynamicValue;
use crate::tfplugin::types::Type;

/// Whatever it says, it says it without a panic.
fn read_all(bytes: &[u8], ty: &Type) {
    let bytes = bytes::Bytes::copy_from_slice(bytes);
    let msgpack = DynamicValue { msgpack: bytes.clone(), json: bytes::Bytes::new() };
    let json = DynamicValue { msgpack: bytes::Bytes::new(), json: bytes.clone() };
    let _ = decode(Some(&msgpack), ty);
    let _ = decode(Some(&json), ty);
    let _ = Type::from_json(&bytes);
}

proptest! {
    #[test]
    fn types_survive_their_json(ty in types()) {
        prop_assert_eq!(Type::from_json(&ty.to_json()).unwrap(), ty);
    }

    #[test]
    fn values_survive_msgpack((ty, datum) in typed()) {
        let encoded = encode(&datum, &ty).unwrap();
        let decoded = decode(Some(&encoded), &ty).unwrap();
        prop_assert_eq!(&decoded, &datum);
        prop_assert_eq!(encode(&decoded, &ty).unwrap(), encoded);
    }

    #[test]
    fn values_under_another_type_are_an_error_or_encoded((_, datum) in typed(), ty in types()) {
        if let Ok(encoded) = encode(&datum, &ty) {
            let decoded = decode(Some(&encoded), &ty).unwrap();
            prop_assert_eq!(encode(&decoded, &ty).unwrap(), encoded);
        }
    }

    #[test]
    fn no_bytes_break_the_decoders(ty in types(), bytes in vec(any::<u8>(), 0..64)) {
        read_all(&bytes, &ty);
    }

    #[test]
    fn no_json_breaks_the_decoders(ty in types(), text in "[\\[\\]{}\":,a-e0-9. ]{0,40}") {
        read_all(text.as_bytes(), &ty);
        if let Ok(json) = serde_json::from_str(&text) {
            let _ = decode_state(&json, &ty);
        }
    }

    #[test]
    fn a_cut_value_is_an_error((ty, datum) in typed(), at in any::<Index>()) {
        let bytes = encode(&datum, &ty).unwrap().msgpack;
        let cut = DynamicValue { msgpack: bytes.slice(..at.index(bytes.len())), ..Default::default() };
        prop_assert!(cut.msgpack.is_empty() || decode(Some(&cut), &ty).is_err());
    }

    #[test]
    fn a_changed_value_breaks_nothing(
        (ty, datum) in typed(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encode(&datum, &ty).unwrap().msgpack.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read_all(&bytes, &ty);
    }
}

//! Every decoder of values, on any bytes: the JSON of a type, a line end, and the bytes.
//!
//! Whatever is decoded must be encodable again, and its bytes decode to what encodes to them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use terraform_provider_ha::proto::tfplugin6::DynamicValue;
use terraform_provider_ha::tfplugin::types::Type;
use terraform_provider_ha::tfplugin::value::Datum;
use terraform_provider_ha::tfplugin::wire::{decode, decode_state, encode};

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|it| *it == b'\n').unwrap_or(input.len());
    let (json, rest) = input.split_at(end);
    // Without a type there is still one that fits any value.
    let ty = Type::from_json(json).unwrap_or(Type::Dynamic);
    let bytes = rest.get(1..).unwrap_or_default().to_vec();
    let msgpack = DynamicValue { msgpack: bytes.clone().into(), ..DynamicValue::default() };
    let json = DynamicValue { json: bytes.clone().into(), ..DynamicValue::default() };
    for value in [msgpack, json] {
        if let Ok(datum) = decode(Some(&value), &ty) {
            survives(&datum, &ty);
        }
    }
    if let Ok(state) = serde_json::from_slice(&bytes)
        && let Ok(datum) = decode_state(&state, &ty)
    {
        survives(&datum, &ty);
    }
    if let Ok(ty) = Type::from_json(&bytes) {
        assert_eq!(Type::from_json(&ty.to_json()).ok(), Some(ty));
    }
});

/// Bytes are compared, as a refinement that is too long is left out.
fn survives(datum: &Datum, ty: &Type) {
    let encoded = encode(datum, ty).expect("what was decoded is of its type");
    let decoded = decode(Some(&encoded), ty).expect("what was encoded is a value");
    assert_eq!(encode(&decoded, ty).as_ref(), Ok(&encoded));
}

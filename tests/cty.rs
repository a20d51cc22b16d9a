//! Round trips of values that go-cty made, the library whose encodings Terraform uses.
//!
//! `tests/conformance/cty` writes random values, this test decodes and encodes them, and the same
//! program compares what comes back with what it wrote. It needs `go` on the path.
#![expect(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::disallowed_methods, reason = "the judge is another program")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use terraform_provider_ha::proto::tfplugin6::DynamicValue;
use terraform_provider_ha::tfplugin::types::Type;
use terraform_provider_ha::tfplugin::wire::{decode, decode_state, encode};

/// Any other one is as good: change it to look at other values.
const SEED: &str = "1";
const COUNT: &str = "10000";

#[test]
fn values_of_go_cty_survive_a_round_trip() {
    let written = run("write", "");
    let mut answers = String::new();
    let (mut lines, mut stored) = (0, 0);
    for line in written.lines() {
        let [json, msgpack, state] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let ty = Type::from_json(json.as_bytes()).unwrap();
        let value =
            DynamicValue { msgpack: from_base64(msgpack).into(), ..DynamicValue::default() };
        let datum = decode(Some(&value), &ty).unwrap();
        let encoded = encode(&datum, &ty).unwrap();
        assert_eq!(encoded, value, "other bytes for {datum:?} of {json}");
        if !state.is_empty() {
            let state = serde_json::from_slice(&from_base64(state)).unwrap();
            assert_eq!(decode_state(&state, &ty).unwrap(), datum, "of {json}");
            stored += 1;
        }
        let ty = String::from_utf8(ty.to_json()).unwrap();
        answers.extend([&ty, "\t", &to_base64(&encoded.msgpack), "\n"]);
        lines += 1;
    }
    assert_eq!(lines, 10_000);
    assert!(stored > lines / 3, "only {stored} values could be stored");
    assert_eq!(run("check", &answers), "10000 checked, 0 mismatches\n");
}

/// What the program says when it is told `input`.
fn run(mode: &str, input: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cty");
    let mut command = Command::new("go");
    command.args(["run", ".", mode, SEED, COUNT]).current_dir(root);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        stdout.read_to_string(&mut output).map(|_| output)
    });
    // It is dropped at the end of the statement, which is the end of the input.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = reader.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success(), "{mode}: {output}");
    output
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |at| chunk.get(at).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).unwrap();
            text.push(if digit <= chunk.len() { ALPHABET[value].into() } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let digits = text.trim_end_matches('=').as_bytes();
    let value = |digit| ALPHABET.iter().position(|it| *it == digit).unwrap();
    let mut bytes = Vec::new();
    for chunk in digits.chunks(4) {
        let bits = chunk.iter().fold(0, |bits, digit| bits << 6 | value(*digit));
        let bits = bits << (6 * (4 - chunk.len()));
        let three = [bits >> 16, bits >> 8, bits].map(|it| u8::try_from(it & 255).unwrap());
        bytes.extend_from_slice(&three[..chunk.len() - 1]);
    }
    bytes
}

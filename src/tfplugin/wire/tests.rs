//! The encodings one by one, against the client's own.

use super::*;
use crate::tfplugin::value::{Bound, Number, Refinements, Set};

fn ty(json: &str) -> Type {
    Type::from_json(json.as_bytes()).unwrap()
}

fn msgpack(bytes: &[u8]) -> DynamicValue {
    DynamicValue { msgpack: bytes.to_vec().into(), ..DynamicValue::default() }
}

fn number(text: &str) -> Datum {
    Datum::Number(Number::parse(text).unwrap())
}

fn list(items: &[Datum]) -> Datum {
    Datum::List(items.to_vec())
}

fn map(items: &[(&str, Datum)]) -> Datum {
    Datum::Map(items.iter().map(|(key, item)| ((*key).to_owned(), item.clone())).collect())
}

fn refined(change: impl FnOnce(&mut Refinements)) -> Datum {
    let mut refinements = Refinements::default();
    change(&mut refinements);
    Datum::Unknown(Some(Box::new(refinements)))
}

/// Bytes and value stand for each other.
#[track_caller]
fn same(json: &str, bytes: &[u8], datum: &Datum) {
    reads(json, bytes, datum);
    assert_eq!(encode(datum, &ty(json)).unwrap(), msgpack(bytes));
}

/// The bytes are understood, but others are written.
#[track_caller]
fn reads(json: &str, bytes: &[u8], datum: &Datum) {
    assert_eq!(decode(Some(&msgpack(bytes)), &ty(json)).as_ref(), Ok(datum));
}

#[track_caller]
fn refuses(json: &str, bytes: &[u8], text: &str) {
    let err = decode(Some(&msgpack(bytes)), &ty(json)).unwrap_err();
    assert_eq!(format!("{} {err}", err.path()).trim_start(), text);
}

#[track_caller]
fn refuses_to_write(json: &str, datum: &Datum, text: &str) {
    let err = encode(datum, &ty(json)).unwrap_err();
    assert_eq!(format!("{} {err}", err.path()).trim_start(), text);
}

#[track_caller]
fn stored(json: &str, state: &str) -> Result<Datum, String> {
    decode_state(&serde_json::from_str(state).unwrap(), &ty(json))
        .map_err(|err| format!("{} {err}", err.path()).trim_start().to_owned())
}

#[test]
fn nothing_is_null_and_msgpack_is_preferred() {
    let both = DynamicValue { msgpack: vec![0xc3].into(), json: "false".into() };
    assert_eq!(decode(None, &Type::Bool), Ok(Datum::Null));
    assert_eq!(decode(Some(&DynamicValue::default()), &Type::Bool), Ok(Datum::Null));
    assert_eq!(decode(Some(&both), &Type::Bool), Ok(Datum::Bool(true)));
    let json = DynamicValue { msgpack: vec![].into(), json: "false".into() };
    assert_eq!(decode(Some(&json), &Type::Bool), Ok(Datum::Bool(false)));
    let json = DynamicValue { msgpack: vec![].into(), json: "false true".into() };
    assert!(decode(Some(&json), &Type::Bool).is_err());
}

#[test]
fn numbers_come_as_integers_doubles_or_decimals() {
    let json = r#""number""#;
    same(json, &[0x00], &number("0"));
    same(json, &[0xff], &number("-1"));
    same(json, &[0xd0, 0xdf], &number("-33"));
    same(json, &[0xcc, 0xc8], &number("200"));
    same(json, b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", &Datum::from(i64::MAX));
    same(json, b"\xd3\x80\0\0\0\0\0\0\0", &Datum::from(i64::MIN));
    same(json, b"\xcb\x3f\xe0\0\0\0\0\0\0", &number("0.5"));
    same(json, b"\xa30.1", &number("0.1"));
    same(json, b"\xb39223372036854775808", &number("9223372036854775808"));
    reads(json, b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", &number("18446744073709551615"));
    reads(json, b"\xca\x3f\0\0\0", &number("0.5"));
    reads(json, b"\xa41e+2", &number("100"));
    reads(json, b"\xd2\0\0\0\x01", &number("1"));
    let endless = "found a number that is not finite, wanted a finite number";
    refuses(json, b"\xcb\x7f\xf0\0\0\0\0\0\0", endless);
    refuses(json, b"\xcb\xff\xf0\0\0\0\0\0\0", endless);
    refuses(json, b"\xca\x7f\xc0\0\0", endless);
    refuses(json, b"\xa1x", "found a string that is no decimal number, wanted a finite number");
    refuses(json, b"\xa61e9999", "found a number with a huge exponent, wanted a finite number");
    refuses(json, b"\xc3", "found a bool, wanted a number");
}

#[test]
fn unknown_values_keep_their_refinements() {
    let string = r#""string""#;
    same(string, &[0xd4, 0, 0], &Datum::UNKNOWN);
    reads(string, &[0xc7, 0, 0], &Datum::UNKNOWN);
    reads(string, &[0xc7, 0, 12], &Datum::UNKNOWN);
    reads(string, &[0xd4, 12, 0x80], &Datum::UNKNOWN);
    reads(string, &[0xd5, 12, 0x80, 0], &Datum::UNKNOWN);
    reads(string, &[0xd6, 99, 1, 2, 3, 4], &Datum::UNKNOWN);
    reads(r#""dynamic""#, &[0xc7, 3, 12, 0x81, 1, 0xc2], &Datum::UNKNOWN);
    same(string, &[0xc7, 3, 12, 0x81, 1, 0xc2], &refined(|it| it.null = Some(false)));
    same(
        string,
        b"\xc7\x09\x0c\x82\x01\xc2\x02\xa4http",
        &refined(|it| {
            it.null = Some(false);
            it.prefix = Some("http".to_owned());
        }),
    );
    same(
        r#""number""#,
        b"\xc7\x0c\x0c\x82\x03\x92\x01\xc3\x04\x92\xa30.1\xc2",
        &refined(|it| {
            it.lower = Some(Bound { value: 1_i64.into(), inclusive: true });
            it.upper = Some(Bound { value: Number::parse("0.1").unwrap(), inclusive: false });
        }),
    );
    same(
        r#"["set","bool"]"#,
        &[0xc7, 5, 12, 0x82, 5, 1, 6, 9],
        &refined(|it| {
            it.min_length = Some(1);
            it.max_length = Some(9);
        }),
    );
    // What a later version says is skipped, with all that follows.
    reads(string, &[0xc7, 4, 12, 0x82, 1, 0xc2, 7], &refined(|it| it.null = Some(false)));
    let other = "found a refinement of another type, wanted a string";
    refuses(string, &[0xd6, 12, 0x81, 5, 1, 0], other);
    refuses_to_write(string, &refined(|it| it.min_length = Some(1)), other);
    refuses(string, &[0xc7, 9, 12, 0x81], "found the end of the bytes, wanted a value");
}

#[test]
fn refinements_that_the_client_would_refuse_are_left_out() {
    let prefix = |length| refined(|it| it.prefix = Some("x".repeat(length)));
    let written = |length| encode(&prefix(length), &Type::String).unwrap().msgpack;
    assert_eq!(written(1019).len(), 1024 + 4);
    assert_eq!(written(1020), &[0xd4, 0, 0][..]);
}

#[test]
fn objects_have_exactly_their_attributes() {
    let object = r#"["object",{"a":"bool","b":["list","string"]}]"#;
    let datum = map(&[("a", true.into()), ("b", list(&["x".into(), Datum::Null]))]);
    same(object, b"\x82\xa1a\xc3\xa1b\x92\xa1x\xc0", &datum);
    same(r#"["object",{}]"#, &[0x80], &map(&[]));
    refuses(
        object,
        b"\x81\xa1a\xc3",
        "found no attribute \"b\", wanted all attributes of the object",
    );
    let extra = "found an attribute \"c\", wanted only attributes of the object";
    refuses(object, b"\x83\xa1a\xc3\xa1b\x90\xa1c\xc3", extra);
    refuses(object, b"\x82\xa1a\xc3\xa1a\xc3", "found the key \"a\" twice, wanted each key once");
    refuses(object, b"\x82\x01\xc3\xa1b\x90", "found a number, wanted a string as attribute name");
    refuses(object, b"\x82\xa1b\x92\xa1x\x01\xa1a\xc3", "b[1] found a number, wanted a string");
    refuses(object, b"\x82\xa1a\xc3\xa1b\xa0", "b found a string, wanted a list");
    let missing = "found no attribute \"b\", wanted all attributes of the object";
    refuses_to_write(object, &map(&[("a", true.into())]), missing);
    refuses_to_write(object, &map(&[("c", true.into())]), extra);
    refuses_to_write(
        object,
        &map(&[("a", 1.into()), ("b", Datum::Null)]),
        "a found a number, wanted a bool",
    );
}

#[test]
fn elements_keep_their_place() {
    same(r#"["map","bool"]"#, b"\x81\xa1k\xc2", &map(&[("k", false.into())]));
    same(r#"["tuple",["bool","string"]]"#, b"\x92\xc2\xa1x", &list(&[false.into(), "x".into()]));
    let set = Datum::Set(Set(vec!["b".into(), "a".into()]));
    same(r#"["set","string"]"#, b"\x92\xa1b\xa1a", &set);
    refuses(r#"["map","bool"]"#, b"\x81\xa1k\x01", "[\"k\"] found a number, wanted a bool");
    refuses(
        r#"["map","bool"]"#,
        b"\x82\xa1k\xc2\xa1k\xc2",
        "found the key \"k\" twice, wanted each key once",
    );
    refuses(r#"["map","bool"]"#, b"\x81\xc0\xc2", "found null, wanted a string as key");
    refuses(r#"["tuple",["bool"]]"#, &[0x90], "found 0 elements, wanted a tuple of 1 elements");
    refuses(r#"["set","bool"]"#, &[0x91, 1], "found a number, wanted a bool");
    refuses(r#"["list","bool"]"#, &[0x80], "found a map, wanted a list");
    refuses(
        r#"["list","bool"]"#,
        &[0xdd, 255, 255, 255, 255],
        "[0] found the end of the bytes, wanted a value",
    );
    refuses(r#""bool""#, &[0xc2, 0xc2], "found 1 more bytes, wanted the end of the value");
    refuses(r#""string""#, &[0xa1, 0xff], "found a string that is not UTF-8, wanted a string");
    refuses(r#""string""#, &[0xc4, 0], "found bytes, wanted a string");
    refuses(r#""string""#, &[0xc1], "found a byte without meaning, wanted a string");
    refuses_to_write(r#"["set","bool"]"#, &list(&[]), "found a list of 0 elements, wanted a set");
    refuses_to_write(
        r#"["list","bool"]"#,
        &list(&[true.into(), "x".into()]),
        "[1] found a string, wanted a bool",
    );
}

#[test]
fn a_dynamic_value_brings_its_type() {
    let dynamic = |json: &str, datum: Datum| Datum::Dynamic(Box::new((ty(json), datum)));
    let json = r#""dynamic""#;
    same(json, b"\x92\xc4\x06\"bool\"\xc3", &dynamic(r#""bool""#, true.into()));
    same(json, b"\x92\xc4\x06\"bool\"\xc0", &dynamic(r#""bool""#, Datum::Null));
    same(json, b"\x92\xc4\x06\"bool\"\xd4\0\0", &dynamic(r#""bool""#, Datum::UNKNOWN));
    same(json, &[0xc0], &Datum::Null);
    same(json, &[0xd4, 0, 0], &Datum::UNKNOWN);
    reads(json, b"\x92\xa6\"bool\"\xc3", &dynamic(r#""bool""#, true.into()));
    reads(json, b"\x92\xa9\"dynamic\"\xc0", &Datum::Null);
    refuses(json, &[0xc3], "found a bool, wanted a value with its type");
    refuses(json, &[0x91, 0xc0], "found 1 parts, wanted a type and a value");
    refuses(
        json,
        b"\x92\xa5\"boo\"\xc3",
        "found no type (there is no type \"boo\"), wanted a type in JSON",
    );
    refuses_to_write(json, &true.into(), "found a bool, wanted a value with its type");
    refuses_to_write(json, &dynamic(r#""bool""#, 1.into()), "found a number, wanted a bool");
}

#[test]
fn stored_objects_may_be_of_another_version() {
    let object = r#"["object",{"a":"bool","n":"number","d":"dynamic"}]"#;
    let datum = map(&[("a", Datum::Null), ("n", number("0.10")), ("d", Datum::Null)]);
    assert_eq!(stored(object, r#"{"n":0.1,"gone":[1]}"#), Ok(datum));
    let precise = "123456789012345678901234567890.123456789";
    assert_eq!(stored(r#""number""#, precise), Ok(number(precise)));
    assert_eq!(stored(r#""number""#, r#""1e2""#), Ok(number("100")));
    let dynamic = Datum::Dynamic(Box::new((ty(r#"["list","bool"]"#), list(&[true.into()]))));
    assert_eq!(stored(r#""dynamic""#, r#"{"value":[true],"type":["list","bool"]}"#), Ok(dynamic));
    let refused = |json, state, text: &str| assert_eq!(stored(json, state), Err(text.to_owned()));
    refused(object, r#"{"a":1}"#, "a found a number, wanted a bool");
    refused(
        r#"["tuple",["bool"]]"#,
        "[]",
        "found a list of 0 elements, wanted a tuple of 1 elements",
    );
    refused(
        r#"["list",["map","bool"]]"#,
        r#"[{},{"k":""}]"#,
        "[1][\"k\"] found a string, wanted a bool",
    );
    refused(r#""dynamic""#, r#"{"type":"bool"}"#, "found no value, wanted a value with its type");
    refused(r#""number""#, "1e9999", "found a number with a huge exponent, wanted a finite number");
}

/// A value in dynamic values, `depth` of them. Each is a level of its own.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = b"\x92\xc4\x12[\"list\",\"dynamic\"]\x91".repeat(depth);
    bytes.push(0xc0);
    bytes
}

#[test]
fn depth_is_bounded_far_below_the_stack_of_a_worker() {
    let json =
        format!("{}null{}", r#"{"type":["list","dynamic"],"value":["#.repeat(62), "]}".repeat(62));
    let in_half_a_mebibyte = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
        let deep = decode(Some(&msgpack(&nested(64))), &Type::Dynamic).unwrap();
        assert_eq!(encode(&deep, &Type::Dynamic).unwrap(), msgpack(&nested(64)));
        assert!(stored(r#""dynamic""#, &json).is_ok());
        for depth in [65, 100_000] {
            let err = decode(Some(&msgpack(&nested(depth))), &Type::Dynamic).unwrap_err();
            let text = "found a value nested more than 128 levels deep, wanted a flatter one";
            assert_eq!(err.to_string(), text);
        }
    });
    in_half_a_mebibyte.unwrap().join().unwrap();
}
